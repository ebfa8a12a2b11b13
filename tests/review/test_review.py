"""A review of a drawn clip: planted faults come first, the untouched clip has none, nothing is measured twice."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from commands.convert_runs import StubModels as StubTrained
from commands.convert_runs import fill as fill_with_faces
from commands.convert_runs import run as convert_with
from convert.drawn_faces import landmarks
from facewright.commands.convert import say_report
from facewright.commands.review import Options, run
from facewright.core.errors import UserError
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.extract.log import ExtractionLog
from facewright.extract.open_frames import open_frames
from facewright.faces.faceset import load_faceset
from facewright.faces.occlusion import occlusion_text
from facewright.faces.record import save_face
from facewright.review.findings import FindingKind
from facewright.review.ranking import worst_first
from facewright.review.report import read_review, review_file
from facewright.review.session import glance, review
from review.drawn_clip import StubModels, convert, draw_stranger, fill
from review.faults import AFTER, BEFORE, Place, choose, hole, rewrite, single_faces

FRAMES = 60
MARK = b"compositeWithTrainedAlgorithmicMedia"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("clip"))
    fill(workspace, FRAMES)
    return workspace


@pytest.fixture(scope="module")
def faulty(clip):
    """The clip with one fault of each kind: name of the frame -> fault."""
    random, models = np.random.default_rng(5), StubModels()
    untouched = review(clip, models)
    kinds = [*BEFORE, *AFTER]
    others = (draw_stranger(clip.root),)
    faces = choose(single_faces(clip), len(kinds), random, apart=4)
    assert len(faces) == len(kinds)
    planted = {}
    for early in (True, False):
        for face, kind in zip(faces, kinds, strict=True):
            if (kind in BEFORE) == early:
                kind(Place(clip, face, others), random)
                planted[face.record.frame] = kind.__name__
        if early:
            convert(clip)
    measured = models.faces
    return clip, planted, untouched, review(clip, models), models.faces - measured


def test_a_clip_without_faults_needs_no_look(faulty):
    _, _, untouched, _, _ = faulty
    assert not [(one.name, one.reasons) for one in untouched.scores if one.needs_a_look]


def test_planted_faults_come_first(faulty):
    _, planted, _, found, _ = faulty
    listed = [one.name for one in worst_first(found.scores)]
    assert planted.keys() <= set(listed[: len(planted) + 4])


def test_the_reason_is_the_fault(faulty):
    _, planted, _, found, _ = faulty
    expected = {
        "moved_landmarks": FindingKind.LANDMARKS,
        "turned_landmarks": FindingKind.LANDMARKS,
        "wrong_size": FindingKind.LANDMARKS,
        "missing_face": FindingKind.MISSING,
        "not_replaced": FindingKind.UNTOUCHED,
        "hole": FindingKind.HOLE,
        "colour_cast": FindingKind.COLOUR,
        "darker": FindingKind.COLOUR,
        "blurred": FindingKind.SHARPNESS,
        "somebody_else": FindingKind.IDENTITY,
    }
    kinds = {one.name: one.kinds for one in found.scores}
    missed = {
        fault: kinds[name]
        for name, fault in planted.items()
        if fault in expected and expected[fault] not in kinds[name]
    }
    assert not missed


def test_only_what_changed_is_measured_again(faulty):
    workspace, planted, _, _, again = faulty
    assert 0 < again <= len(planted)
    models = StubModels()
    review(workspace, models)
    assert models.faces == 0


def test_the_command_lists_draws_and_writes(faulty, capsys):
    workspace, planted, _, _, _ = faulty
    report = run(workspace, Options(first=5), StubModels())
    told = capsys.readouterr().out
    assert report.reviewed == FRAMES and set(report.frames) >= planted.keys()
    places = [line for line in told.splitlines() if line.startswith("  0")]
    assert len(places) == 5 and all(name in line for name, line in zip(report.frames, places, strict=False))
    assert report.sheet is not None and MARK in report.sheet.read_bytes()
    assert read_image(report.sheet).shape[0] > 600  # three rows of two
    known = read_review(workspace).frames
    assert [one["name"] for one in known] == list(report.frames)
    scores = [one["score"] for one in known]
    assert min(scores) >= 1 and all(one["kinds"] and len(one["kinds"]) == len(one["reasons"]) for one in known)


def test_what_lies_before_a_face_is_no_hole(workspace):
    fill(workspace, 24)
    (face,) = [one for one in single_faces(workspace) if one.stem == "00012"]
    place = Place(workspace, face)
    hole(place, np.random.default_rng(1))
    assert FindingKind.HOLE in {one.name: one.kinds for one in review(workspace, StubModels()).scores}["00012.png"]
    kept = np.abs(read_image(place.result).astype(int) - read_image(place.frame)).sum(axis=2) < 3
    covered = cv2.dilate(face.record.cut(np.uint8(255 * kept[..., None].repeat(3, 2)))[..., 0], np.ones((9, 9)))
    record = replace(face.record, occlusion=occlusion_text(np.float32(covered) / 255))
    save_face(face.path, face.record.cut(read_image(place.frame)), record)
    found = {one.name: one.kinds for one in review(workspace, StubModels()).scores}
    assert FindingKind.HOLE not in found["00012.png"] and FindingKind.UNTOUCHED not in found["00012.png"]


def test_of_frames_with_the_same_fault_one_line_is_said(workspace, capsys):
    fill(workspace, 24)
    for face in single_faces(workspace):
        if face.stem in ("00010", "00011", "00012", "00013"):
            face.path.unlink()
    convert(workspace)
    capsys.readouterr()
    report = run(workspace, Options(), StubModels())
    told = [line for line in capsys.readouterr().out.splitlines() if "0001" in line]
    assert len(report.frames) == 4 and len(told) == 1
    assert "4 frames" in told[0] and "00010" in told[0] and "00013" in told[0]


def test_the_end_of_a_conversion_names_the_review(workspace, capsys):
    fill_with_faces(workspace, 12)  # frame 3 has no face
    points = landmarks((62, 30), 24).astype(np.float32)
    (face,) = [one for one in single_faces(workspace) if one.stem == "00008"]
    rewrite(Place(workspace, face), points)
    report = convert_with(workspace, StubTrained())
    assert [one.name for one in glance(report.jobs) if one.needs_a_look] == ["00003.png", "00008.png"]
    told = capsys.readouterr().out
    assert "7.1_review" in told and "00003.png, 00008.png" in told


def test_what_the_extraction_tells_is_told_here_too(workspace, capsys):
    """The verdict of step 5 and the review are one list; in frame 5 the face lies over the edge."""
    fill_with_faces(workspace, 12)
    (face,) = [one for one in single_faces(workspace) if one.stem == "00005"]
    rewrite(Place(workspace, face), landmarks((-20, 30), 24).astype(np.float32))
    settings = {"detector": "mtcnn", "face_type": "full", "size": 256}
    lines = [{"frame": "", "settings": settings}]
    lines += [
        {
            "frame": f"{number:05d}.png",
            "settings": settings,
            "faces": [f"{number:05d}_0.png"],
            "boxes": [[0, 0, 99, 99]],
        }
        for number in range(12)
    ]
    workspace.dst.extract_journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    faces = load_faceset(workspace.dst.aligned_dir)
    known = {one.name: one.reasons for one in open_frames(workspace.dst, ExtractionLog.read(workspace.dst), faces)}
    assert "over the frame's edge" in known["00005.png"]
    report = convert_with(workspace, StubTrained())
    told = {one.name: one.reasons for one in glance(report.jobs, workspace.dst) if one.needs_a_look}
    assert told.keys() == known.keys() and all(set(known[name]) & set(told[name]) for name in known)
    capsys.readouterr()
    say_report(report, side=workspace.dst)
    assert "00005.png" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", '{"frames": 3}', '{"format": "facewright review", "version": 9}', "\0"])
def test_a_damaged_file_of_an_earlier_review_says_nothing(workspace, text):
    review_file(workspace).write_text(text)
    assert read_review(workspace).frames == () and not read_review(workspace).fine


def test_a_name_that_leads_elsewhere_is_no_frame(workspace):
    entry = {"name": "../../x.png", "score": 2.0, "kinds": [], "reasons": []}
    content = {"format": "facewright review", "version": 1, "frames": [entry], "fine": {}}
    review_file(workspace).write_text(json.dumps(content))
    assert read_review(workspace).frames == ()
    entry["name"] = "x.png"
    review_file(workspace).write_text(json.dumps(content))
    assert len(read_review(workspace).frames) == 1


def test_nothing_is_converted_yet(workspace):
    with pytest.raises(UserError, match="no frames"):
        run(workspace, Options(), StubModels())
    workspace.dst.frames_dir.mkdir()
    (workspace.dst.frames_dir / "00001.png").write_bytes(b"")
    with pytest.raises(UserError, match="no converted frames"):
        run(workspace, Options(), StubModels())
