"""Which frames need a look, from records and journal alone."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewright.annotate.face import mean_points
from facewright.core.images import write_image
from facewright.core.workspace import Workspace
from facewright.extract.log import ExtractionLog
from facewright.extract.open_frames import OpenFrame, doubts, open_frames
from facewright.extract.report import say_next
from facewright.extract.verdict import say_verdict, verdict
from facewright.faces.align import FaceType, align_matrix
from facewright.faces.faceset import FaceFile, FaceIndex, load_faceset
from facewright.faces.occlusion import covered_share, occlusion_text
from facewright.faces.record import FaceRecord

SIZE = (400, 600)


def record(x: float = 300, y: float = 200, side: float = 100, **more: object) -> FaceRecord:
    points = ((mean_points() - 0.5) * side + (x, y)).astype(np.float32)
    half = 0.62 * side
    given = FaceRecord(
        face_type=FaceType.FULL,
        size=64,
        landmarks=points,
        frame_landmarks=points,
        frame="00001.png",
        detector="mtcnn",
        score=0.99,
        rect=(x - half, y - half, x + half, y + half),
        matrix=align_matrix(points, FaceType.FULL, 64),
        pose=(0.0, 0.0, 0.0),
    )
    return replace(given, **more)


def test_a_good_face_is_not_named() -> None:
    assert doubts(record(), SIZE) == [] == doubts(record(), None)


def test_a_low_score_is_judged_by_the_detectors_own_scale() -> None:
    assert doubts(record(score=0.8), SIZE) == ["low score"]
    assert doubts(record(score=0.8, detector="dlib-hog"), SIZE) == []
    assert doubts(record(score=-0.1, detector="dlib-hog"), SIZE) == ["low score"]
    assert doubts(record(score=-9.0, detector="another"), SIZE) == []


def test_what_a_person_placed_is_never_named() -> None:
    assert doubts(record(x=-50, score=0.0, detector="manual"), SIZE) == []


def test_landmarks_that_fit_no_face() -> None:
    random = np.random.default_rng(3)
    points = random.uniform(240, 360, (68, 2)).astype(np.float32)
    assert "odd landmarks" in doubts(record(frame_landmarks=points), SIZE)


def test_landmarks_beside_the_box() -> None:
    assert doubts(record(rect=(300.0, 138.0, 424.0, 262.0)), SIZE) == ["odd landmarks"]


def test_landmarks_much_larger_than_the_box() -> None:
    assert doubts(record(rect=(270.0, 170.0, 330.0, 230.0)), SIZE) == ["much larger than its box"]


@pytest.mark.parametrize(("x", "y"), [(30, 200), (300, 20), (580, 200), (300, 390)])
def test_faces_over_the_edge(x: float, y: float) -> None:
    assert doubts(record(x, y), SIZE) == ["over the frame's edge"]


def test_the_mesh_judges_faces_of_some_size_that_look_ahead() -> None:
    assert doubts(record(mesh_score=0.2), SIZE) == ["perhaps no face"]
    assert doubts(record(mesh_score=0.6), SIZE) == [] == doubts(record(mesh_score=0.1, pose=(60.0, 0.0, 0.0)), SIZE)
    assert doubts(record(side=18, mesh_score=0.1), SIZE) == []


def test_of_a_face_that_is_mostly_covered_the_landmarks_are_a_guess() -> None:
    whole = np.ones((64, 64), np.float32)
    lower = whole * (np.arange(64)[:, None] > 44)
    hidden, partly = (record(occlusion=occlusion_text(mask)) for mask in (whole, lower))
    assert 0.1 < covered_share(partly) < 0.4 and doubts(partly, SIZE) == []
    (reason,) = doubts(hidden, SIZE)
    assert "covered" in reason and doubts(replace(hidden, detector="manual"), SIZE) == []


Place = tuple[float, float, float]


def clip(tmp_path: Path, places: list[Place | None], *, video: bool = True) -> tuple[Workspace, list[FaceFile]]:
    """A face at (x, y, side) in each frame; the frames themselves are not there."""
    workspace = Workspace(tmp_path)
    workspace.dst.frames_dir.mkdir(parents=True, exist_ok=True)
    if video:
        workspace.dst.timing_file.write_text("{}")
    names = [f"{number:05d}" for number in range(len(places))]
    return workspace, [face(name, *place) for name, place in zip(names, places, strict=True) if place is not None]


def face(stem: str, *place: float, number: int = 0, **more: object) -> FaceFile:
    return FaceFile(Path(f"{stem}_{number}.png"), record(*place, frame=f"{stem}.png", **more))


def look(
    workspace: Workspace, files: list[FaceFile], left: list[FaceFile] | None = None, **entries: dict
) -> list[OpenFrame]:
    """Journal: every frame was searched and what was found is there, or what is `left` of it when somebody deleted.

    `entries` say otherwise, as _00003={...}.
    """
    last = max((int(file.stem) for file in files), default=0)
    known: dict[str, dict] = {}
    for number in range(last + 1):
        own = [file for file in files if int(file.stem) == number]
        known[f"{number:05d}.png"] = {
            "shape": list(SIZE),
            "faces": [file.path.name for file in own],
            "boxes": [list(file.record.rect) for file in own],
            **entries.get(f"_{number:05d}", {}),
        }
    header = {"settings": {"detector": "mtcnn"}}
    return open_frames(
        workspace.dst, ExtractionLog(workspace.dst, known, header), FaceIndex(files if left is None else left)
    )


def reasons(found: list[OpenFrame]) -> dict[str, tuple[str, ...]]:
    return {Path(one.name).stem: one.reasons for one in found}


def test_a_face_that_jumps_is_named_in_a_video_only(tmp_path: Path) -> None:
    places: list = [(200 + 8 * n, 200, 100) for n in range(16)]
    places[5] = (420, 120, 100)
    places[9] = (270, 200, 40)
    found = reasons(look(*clip(tmp_path / "one", places)))
    assert set(found) == {"00005", "00009"} and "comes and goes" in found["00005"][0]
    assert look(*clip(tmp_path / "two", places, video=False)) == []


def test_motion_a_cut_and_an_end_are_nothing_odd(tmp_path: Path) -> None:
    moving: list = [(150 + 25 * n, 200, 100 + 3 * n) for n in range(10)]
    assert look(*clip(tmp_path, [*moving, *[(450, 150, 60)] * 10, None, None])) == []


def test_landmarks_that_flip_for_two_frames(tmp_path: Path) -> None:
    """The profile of the held-out clip: roll -15, -15, -45, -43, -11 in the box of a face at rest."""
    rolls = [-15.0] * 8 + [-45.0, -43.0] + [-11.0] * 8
    workspace, files = clip(tmp_path, [(300, 200, 100)] * len(rolls))
    found = look(workspace, [tilted(file, roll) for file, roll in zip(files, rolls, strict=True)])
    assert [one.name for one in found] == ["00008.png", "00009.png"]  # worst first
    degrees = [int(one.reasons[0].removeprefix("turned by ").removesuffix(" degrees")) for one in found]
    assert degrees == pytest.approx([30, 28], abs=3) and found[0].severity > found[1].severity > 2


def test_landmarks_that_flip_beside_the_end_of_a_track_spoil_no_neighbour(tmp_path: Path) -> None:
    for rolls, wrong in (([-15.0] * 12 + [-45.0], {12}), ([-15.0] * 9 + [-45.0, -43.0, -15.0, -14.0, -13.0], {9, 10})):
        workspace, files = clip(tmp_path, [(300, 200, 100)] * len(rolls))
        turned = [tilted(file, roll) for file, roll in zip(files, rolls, strict=True)]
        assert {int(Path(one.name).stem) for one in look(workspace, turned)} == wrong


def nodding(tmp_path: Path) -> tuple[Workspace, list[FaceFile]]:
    """A head that sways fast: as fast as in the clips, within the limits from frame to frame."""
    at = np.arange(96)
    places = [(300 + 60 * float(np.sin(n / 5)), 200.0, 100.0) for n in at]
    workspace, files = clip(tmp_path, places)
    rolls = 20 * np.sin(at / 6)
    return workspace, [
        tilted(file, float(roll), places[n][:2]) for n, (file, roll) in enumerate(zip(files, rolls, strict=True))
    ]


def test_what_is_left_of_a_thinned_track_is_nothing_odd(tmp_path: Path) -> None:
    workspace, files = nodding(tmp_path)
    chance = np.random.default_rng(5)
    for left in (
        *(files[start::step] for step in (1, 2, 3, 4, 5, 10) for start in (0, 1)),
        *([file for file in files if chance.random() < share] for share in (0.7, 0.5, 0.3, 0.1) for _ in range(4)),
        files[:20] + files[50:53] + files[80:],
    ):
        assert reasons(look(workspace, files, left)) == {}, len(left)


def test_landmarks_that_flip_are_named_in_a_thinned_track_too(tmp_path: Path) -> None:
    workspace, files = clip(tmp_path, [(300, 200, 100)] * 32)
    files[12], files[13] = tilted(files[12], -32.0), tilted(files[13], -31.0)
    for step, wrong in ((1, {"00012", "00013"}), (2, {"00012"})):
        found = reasons(look(workspace, files, files[::step]))
        assert set(found) == wrong and found["00012"][0].startswith("turned by 3")


def test_what_is_left_of_a_person_who_was_deleted_does_not_come_and_go(tmp_path: Path) -> None:
    workspace, files = clip(tmp_path, [(150, 200, 80)] * 40)
    other = [face(f"{n:05d}", 450, 200, 80, number=1) for n in range(40)]
    assert look(workspace, files + other, files + other[18:20]) == []
    flash = [face(f"{n:05d}", 450, 200, 80, number=1) for n in (18, 19)]  # it was never there for longer
    assert set(reasons(look(workspace, files + flash, files + flash))) == {"00018", "00019"}
    assert set(reasons(look(workspace, files + flash, files[::2] + flash))) == {"00018", "00019"}


@pytest.mark.parametrize("times", [[0], [1], [0, 1, 2], [38, 39]])
def test_a_false_face_is_named_at_an_end_too_and_nobody_who_comes_or_goes(tmp_path: Path, times: list[int]) -> None:
    """The print on a shirt beside a face, as a person of its own or with its neighbour's number."""
    workspace, _ = clip(tmp_path, [])
    who = [face(f"{n:05d}", 150, 200, 80, person=1) for n in range(40)]
    other = [face(f"{n:05d}", 520, 100, 80, number=2, person=2) for n in range(5, 15)]

    def told(person: int | None, *followed: FaceFile) -> set[int]:
        brief = [face(f"{n:05d}", 300, 330, 50, number=1, person=person) for n in times]
        return {int(one) for one in reasons(look(workspace, [*followed, *brief]))}

    assert told(2, *who) == told(1, *who) == told(3, *who, *other) == set(times)
    assert told(2, *who, *other) == set()  # who is followed elsewhere comes and goes
    assert told(None, *who) == set()  # nobody compared the faces
    assert told(2, *who[4:36]) == set()  # alone in the frame


def test_who_is_missing_among_deleted_faces_is_missing_no_more(tmp_path: Path) -> None:
    places: list = [(300.0 + 3 * n, 200.0, 100.0) for n in range(30)]
    places[15] = None
    workspace, files = clip(tmp_path, places)
    assert set(reasons(look(workspace, files, files[::2]))) == {"00015"}
    assert look(workspace, files, files[:8] + files[22:]) == []


def tilted(file: FaceFile, degrees: float, middle: tuple[float, float] = (300, 200)) -> FaceFile:
    points = (file.record.frame_landmarks - middle) @ turn(degrees).T + middle
    return replace(file, record=replace(file.record, frame_landmarks=points.astype(np.float32)))


def turn(degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def test_a_size_that_jumps_and_somebody_else(tmp_path: Path) -> None:
    workspace, files = clip(tmp_path, [(300, 200, 100)] * 15)
    vectors = np.random.default_rng(1).normal(size=(2, 128)).astype(np.float32) * 0.05
    files = [replace(file, record=replace(file.record, embedding=vectors[0])) for file in files]
    files[7] = replace(files[7], record=replace(files[7].record, embedding=vectors[0] + 0.7 * vectors[1]))
    large = record(300, 200, 135, frame="00004.png", rect=files[4].record.rect, embedding=vectors[0])
    files[4] = replace(files[4], record=large)
    found = reasons(look(workspace, files))
    assert found["00004"][0] == "1.35 times as large"
    assert np.linalg.norm(0.7 * vectors[1]) < 0.6 and "00007" not in found
    files[7] = replace(files[7], record=replace(files[7].record, embedding=vectors[0] + 1.2 * vectors[1]))
    assert reasons(look(workspace, files))["00007"] == ("looks like somebody else",)


def test_a_face_that_is_missing_in_mid_shot(tmp_path: Path) -> None:
    places: list = [(300 + n, 200, 100) for n in range(24)]
    places[9] = places[10] = None
    assert reasons(look(*clip(tmp_path, places))) == {"00009": ("no face",), "00010": ("no face",)}


def test_a_face_that_was_deleted_left_out_or_never_looked_for_is_not_missing(tmp_path: Path) -> None:
    places: list = [(300.0, 200.0, 100.0) for _ in range(24)]
    workspace, files = clip(tmp_path, places)
    kept = [file for file in files if int(file.stem) not in (5, 8, 11, 14)]
    box = list(files[0].record.rect)
    found = look(
        workspace,
        kept,
        _00005={"faces": ["00005_0.png"], "boxes": [box]},  # deleted
        _00008={"dropped": ["another person"], "boxes": [box]},
        _00011={"by": "hand"},
        _00014={"faces": [], "boxes": [[0, 0, 50, 50]]},  # something was found elsewhere
    )
    assert reasons(found) == {"00014": ("no face",)}
    older = {"faces": ["00005_0.png"], "boxes": None}  # a journal of an older version says how many, not where
    found = look(workspace, kept, _00005=older, _00008=older, _00011={"by": "hand"}, _00014={"boxes": None})
    assert reasons(found) == {"00014": ("no face",)}


def test_who_stands_behind_somebody_is_not_missing(tmp_path: Path) -> None:
    places: list = [(300.0, 200.0, 100.0) for _ in range(24)]
    places[9] = places[10] = None
    workspace, files = clip(tmp_path, places)
    front = [face(f"{n:05d}", 40 + 28 * n, 205, 130, number=1) for n in range(20)]  # passes by at frame 9
    said = str(look(workspace, files + front))
    assert "no face" not in said and "missing" not in said


def test_beside_somebody_else_a_face_is_missing(tmp_path: Path) -> None:
    workspace, files = clip(tmp_path, [(150, 200, 80)] * 16)
    both = files + [face(f"{n:05d}", 450, 200, 80, number=1) for n in range(16) if n != 9]
    assert reasons(look(workspace, both)) == {"00009": ("a face is missing",)}


def test_two_people_and_nobody(tmp_path: Path) -> None:
    workspace, files = clip(tmp_path, [(150, 200, 80)] * 12)
    both = files + [face(f"{n:05d}", 450, 200, 80, number=1) for n in range(2, 12)]
    assert look(workspace, both) == look(workspace, []) == []


def test_a_small_face_that_the_mesh_sees_turned_otherwise(tmp_path: Path) -> None:
    assert len(doubts(record(side=16, mesh_score=0.1, landmarker="dlib"), SIZE)) == 1
    assert doubts(record(side=16, landmarker="dlib"), SIZE) == []
    assert doubts(record(side=16, mesh_score=0.1, landmarker="mesh"), SIZE) == []  # its own word for its own points


@pytest.mark.parametrize(
    ("doubted", "named"), [([8], []), ([8, 10], [8, 9, 10]), ([3, 4, 5, 12], [3, 4, 5]), ([2, 6], [])]
)
def test_no_head_turns_for_one_frame_only(tmp_path: Path, doubted: list[int], named: list[int]) -> None:
    def small(time: int) -> FaceFile:
        return face(f"{time:05d}", 300, 200, 16, landmarker="dlib", mesh_score=0.1 if time in doubted else None)

    found = reasons(look(clip(tmp_path, [])[0], [small(time) for time in range(16)]))
    assert sorted(map(int, found)) == named
    photos = look(clip(tmp_path / "photos", [], video=False)[0], [small(time) for time in range(16)])
    assert len(photos) == len(doubted)  # nothing around a photo says anything about it
    thinned = look(clip(tmp_path / "thinned", [])[0], [small(time) for time in range(0, 16, 4)])
    assert [int(Path(one.name).stem) for one in thinned] == [time for time in doubted if time % 4 == 0]


def test_a_face_whose_file_is_damaged_is_no_deleted_one(tmp_path: Path) -> None:
    workspace, files = clip(tmp_path, [(300.0, 200.0, 100.0)] * 12)
    folder = workspace.dst.aligned_dir
    folder.mkdir(parents=True)
    (folder / "00004_0.png").write_bytes(b"no image")
    faces = FaceIndex([file for file in files if file.stem != "00004"], load_faceset(folder).bad)
    entries = {f"{file.stem}.png": {"faces": [file.path.name], "boxes": [list(file.record.rect)]} for file in files}
    found = open_frames(workspace.dst, ExtractionLog(workspace.dst, entries), faces)
    assert [one.name for one in found] == ["00004.png"]


def test_the_edge_is_that_of_the_frame(tmp_path: Path) -> None:
    workspace, files = clip(tmp_path, [(580, 200, 100)])
    assert reasons(look(workspace, files)) == {"00000": ("over the frame's edge",)}
    assert look(workspace, files, _00000={"shape": None}) == []  # gone: nobody knows
    write_image(workspace.dst.frames_dir / "00000.png", np.zeros((*SIZE, 3), np.uint8))
    assert len(look(workspace, files, _00000={"shape": None})) == 1


def test_the_verdict_in_words() -> None:
    frames = [OpenFrame(f"{n:05d}.png", ("no face",), 3.0) for n in (30, 29)] + [
        OpenFrame("00003.png", ("turned by 30 degrees", "odd features"), 2.0)
    ]
    assert verdict(frames, 41) == "3 of 41 frames need a look: 00029, 00030 no face, 00003 turned by 30 degrees"
    many = [OpenFrame(f"{n:05d}.png", ("no face",), 3.0) for n in range(2000)]
    assert verdict(many, 3000).startswith("2,000 of 3,000 frames need a look") and "1,994 more" in verdict(many, 3000)
    assert verdict(frames[:1], 1).startswith("1 of 1 frame needs a look")


def test_faces_that_were_filled_in_are_told_until_somebody_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, files = clip(tmp_path, [(300.0, 200.0, 100.0)] * 12)
    files[4] = replace(files[4], record=replace(files[4].record, origin="filled"))
    for by, told in (({}, True), ({"by": "hand"}, False)):
        entries = {f"{file.stem}.png": {"shape": list(SIZE), "faces": [file.path.name]} for file in files}
        entries["00004.png"] |= by
        log = ExtractionLog(workspace.dst, entries, {"settings": {"detector": "mtcnn"}})
        say_verdict(workspace.dst, FaceIndex(files), log, fine=True)
        text = capsys.readouterr().out
        assert ("00004" in text and "5.3_dst_fix_faces" in text) == told
        assert ("No frame needs a look" in text) != told


@pytest.mark.parametrize(("doubted", "person", "told"), [(10, 2, True), (3, 2, False), (10, 1, False)])
def test_a_person_of_whom_many_faces_are_odd_can_be_left_out(
    doubted: int, person: int, told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line to paste; not of the one who has most faces. Things that were taken for a face once go as well."""
    workspace, _ = clip(tmp_path, [])
    seen = {1: range(20), 2: range(16)}
    files = [
        face(f"{n:05d}", 150 * who, 200, 80, number=who, person=who, pose=(0.0, 0.0, 0.0))
        for who, times in seen.items()
        for n in times
    ]
    odd = [replace(one, record=replace(one.record, mesh_score=0.1)) for one in files if one.record.person == person]
    files = (
        [one for one in files if one.record.person != person]
        + odd[:doubted]
        + [replace(one, record=replace(one.record, mesh_score=0.9)) for one in odd[doubted:]]
        + [face("00003", 500, 100, 80, number=3, person=3, mesh_score=0.1)]
    )
    entries = {f"{n:05d}.png": {"shape": list(SIZE), "faces": ["0"]} for n in range(20)}
    log = ExtractionLog(workspace.dst, entries, {"settings": {"detector": "mtcnn"}})
    say_verdict(workspace.dst, FaceIndex(files), log)
    text = capsys.readouterr().out
    assert f"{doubted + (doubted == 3)} of 20 frames need a look" in text
    assert (re.search(r"5\.4_dst_keep_person\S* --person 1( |$)", text, re.M) is not None) == told
    assert ("10 of 16 faces of person 2 are" in text) == told


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (["dlib"] * 3, "The landmarks of data_src are those of dlib, these of mesh"),
        (["mesh"] * 3 + ["dlib"], "The landmarks of 1 face of data_src are those of dlib, these of mesh"),
        (["mesh"] * 3, "6_train"),
    ],
)
def test_faces_of_the_other_side_by_another_landmarker_come_next(
    there: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, _ = clip(tmp_path, [])
    workspace.src.extract_journal.parent.mkdir(parents=True, exist_ok=True)
    workspace.src.extract_journal.touch()
    own = FaceIndex([face("00000", 300, 200, 80, landmarker="mesh")])
    theirs = FaceIndex([face(f"{n:05d}", 300, 200, 80, landmarker=one) for n, one in enumerate(there)])
    say_next(workspace.dst, own, theirs)
    assert told in capsys.readouterr().out


def test_of_two_faces_in_a_frame_the_odd_one_is_named(tmp_path: Path) -> None:
    workspace, files = clip(tmp_path, [(300.0, 200.0, 100.0)] * 12)
    false = face("00005", 120.0, 300.0, 60.0, number=1, score=0.5)
    (told,) = look(workspace, [*files, false])
    assert told.name == "00005.png" and list(told.faces) == [false.path.name]
    assert set(told.faces[false.path.name]) == set(told.reasons)
