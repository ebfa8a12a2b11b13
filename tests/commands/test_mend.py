"""Faces that are missing or wrong in mid-shot, on a clip whose true landmarks are known: found, filled in, repaired.

A bright square with a pattern is the face. Darkened, the detector misses it, the pattern stays.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from extract.squares import SquareModels, Squares, StillLandmarks
from facewright.annotate.face import open_face
from facewright.annotate.storage import FaceStorage, open_frame
from facewright.commands import extract as extract_faces
from facewright.commands import fix as fix_faces
from facewright.core.images import Image, read_image, write_image
from facewright.core.workspace import Workspace
from facewright.extract.detectors.base import Box
from facewright.extract.open_frames import open_frames
from facewright.extract.side_run import open_side
from facewright.faces.align import align_matrix, transform_points
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.mask import encode_mask
from facewright.faces.record import load_record, update_record

SIDE, SHAPE = 80, (240, 360)
FRAMES = 24


def pattern(seed: int, shape: tuple[int, int], low: int, high: int) -> np.ndarray:
    """Soft noise, as skin and walls have it."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(*shape, 3)), (0, 0), 4)
    noise = (noise - noise.min()) / np.ptp(noise)
    return low + (high - low) * noise


FACE, WALL, OTHER_WALL = pattern(1, (SIDE, SIDE), 204, 255), pattern(2, SHAPE, 20, 110), pattern(3, SHAPE, 60, 180)


def place(number: int) -> tuple[float, float]:
    """Left top corner of the face in frame `number`: a curve, up to 7 px a frame."""
    return 40 + 5 * number + 12 * np.sin(number / 3), 70 + 25 * np.sin(number / 5)


def truth(number: int) -> np.ndarray:
    x, y = place(number)
    return StillLandmarks().find(WALL, Box(x, y, x + SIDE, y + SIDE, 1.0))


def frame(number: int, *, light: float = 1.0, wall: np.ndarray = WALL) -> Image:
    x, y = place(number)
    face = cv2.warpAffine(FACE * light, np.array([[1, 0, x], [0, 1, y]]), SHAPE[::-1], dst=wall.copy(),
                          borderMode=cv2.BORDER_TRANSPARENT)  # fmt: skip
    return face.astype(np.uint8)


class Sharp(Squares):
    """Finds darker squares too."""

    name = "sharp"

    def boxes(self, frame: Image) -> list[Box]:
        return super().boxes(np.where(frame > 130, 255, 0).astype(np.uint8))


class Models(SquareModels):
    """A detector that sees `Sharp`ly where it is asked to be sensitive, or as badly as ever."""

    def __init__(self, *, sharp: bool = False) -> None:
        super().__init__()
        self.sharp = sharp

    def detector(self, name: str, *, sensitive: bool = False) -> Squares:
        return Sharp() if sensitive and self.sharp else super().detector(name)


def clip(workspace: Workspace, frames: Sequence[Image]) -> None:
    workspace.dst.frames_dir.mkdir(parents=True, exist_ok=True)
    workspace.dst.timing_file.write_text("{}")
    for number, picture in enumerate(frames):
        write_image(workspace.dst.frames_dir / f"{number:05d}.png", picture)


def extract(workspace: Workspace, models: Models | None = None, **more: object) -> None:
    options = {"side": "dst", "false_face_filter": False, "people": False, "smooth": "off", "occlusion": "off", **more}
    extract_faces.run(workspace, extract_faces.Options(**options), models or Models())


def faces(workspace: Workspace) -> dict[int, FaceFile]:
    return {int(file.stem): file for file in load_faceset(workspace.dst.aligned_dir).faces}


def origins(workspace: Workspace) -> dict[int, str]:
    return {number: file.record.origin for number, file in faces(workspace).items() if file.record.origin != "found"}


def error(file: FaceFile) -> float:
    """Mean distance from the truth, in per cent of the distance of the eyes."""
    true = truth(int(file.stem))
    eyes = np.linalg.norm(true[36] - true[45])
    return float(100 * np.linalg.norm(file.record.frame_landmarks - true, axis=1).mean() / eyes)


MISSED = (5, 9, 10, 11, 12, 13, 14, 15, 16)


@pytest.fixture
def gappy(workspace: Workspace) -> Workspace:
    """A shot in which the detector misses one face, and eight in a row."""
    clip(workspace, [frame(number, light=0.7 if number in MISSED else 1.0) for number in range(FRAMES)])
    return workspace


def test_missing_faces_are_filled_in_where_they_are(gappy: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    extract(gappy)
    assert origins(gappy) == dict.fromkeys(MISSED, "filled")
    made = [faces(gappy)[number] for number in MISSED]
    assert np.mean([error(file) for file in made]) < 3 and max(error(file) for file in made) < 5
    for file in made:
        shown = file.record.cut(read_image(gappy.dst.frames_dir / file.record.frame))
        assert np.abs(read_image(file.path).astype(int) - shown).mean() < 1
    assert {file.record.track for file in faces(gappy).values()} == {1}
    told = capsys.readouterr().out
    assert "filled in from the frames around: 9" in told and "9 frames have a face that was filled in" in told
    assert "need a look" not in told and f"Faces saved: {FRAMES}," in told


def test_two_faces_that_are_missing_at_once_are_both_filled_in(workspace: Workspace) -> None:
    lights = [0.7 if number in (9, 10) else 1.0 for number in range(FRAMES)]
    clip(workspace, [np.hstack([frame(number, light=light)] * 2) for number, light in enumerate(lights)])
    extract(workspace)
    made = [
        file.record.frame for file in load_faceset(workspace.dst.aligned_dir).faces if file.record.origin == "filled"
    ]
    assert sorted(made) == ["00009.png", "00009.png", "00010.png", "00010.png"]


def test_a_search_nearby_comes_first(gappy: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    extract(gappy, Models(sharp=True))
    assert origins(gappy) == {} and len(faces(gappy)) == FRAMES
    assert {faces(gappy)[number].record.detector for number in MISSED} == {"sharp"}
    assert max(error(faces(gappy)[number]) for number in MISSED) < 3
    assert "near where they must be: 9" in capsys.readouterr().out


def test_again_changes_nothing_and_what_is_deleted_stays_deleted(gappy: Workspace) -> None:
    extract(gappy)
    before = {path: path.stat().st_mtime_ns for path in gappy.dst.aligned()}
    extract(gappy)
    assert {path: path.stat().st_mtime_ns for path in gappy.dst.aligned()} == before
    for number in (5, 8, 12):  # two that were filled in, one that was found
        faces(gappy)[number].path.unlink()
    extract(gappy)
    assert set(range(FRAMES)) - set(faces(gappy)) == {5, 8, 12}


def test_a_face_that_was_deleted_before_its_neighbours_were_filled_in(gappy: Workspace) -> None:
    extract(gappy, max_gap=0)
    assert set(range(FRAMES)) - set(faces(gappy)) == set(MISSED)
    faces(gappy)[6].path.unlink()
    extract(gappy)
    assert set(range(FRAMES)) - set(faces(gappy)) == {6} and 5 in origins(gappy)


def test_fix_fills_in_too_and_names_what_was_made(
    gappy: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    extract(gappy, max_gap=0)
    (gappy.dst.frames_dir / "notes.psd").write_text("mine")
    capsys.readouterr()
    fix_faces.run(gappy, fix_faces.Options(side="dst"), Models())
    assert origins(gappy) == dict.fromkeys(MISSED, "filled")
    told = "".join(capsys.readouterr())
    assert f"made from the frames around: {len(MISSED)} (00005.png" in told
    assert told.count("notes.psd") == 1, "the frames are listed once"


def test_longer_gaps_and_the_ends_of_a_track_stay(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    gone = (0, 1, 9, 10, 11, 12, 13, 14, 15, 16, 22, 23)
    clip(workspace, [frame(number, light=0.7 if number in gone else 1.0) for number in range(FRAMES)])
    extract(workspace, max_gap=7)
    assert origins(workspace) == {}
    assert "8 of 24 frames need a look" in capsys.readouterr().out  # at the ends nothing is known to be missing
    extract(workspace, max_gap=8)
    assert set(origins(workspace)) == set(range(9, 17))


def test_never_over_a_cut(workspace: Workspace) -> None:
    clip(workspace, [
        frame(number, light=0.7 if number in (10, 11, 12, 13) else 1.0, wall=WALL if number < 12 else OTHER_WALL)
        for number in range(FRAMES)
    ])  # fmt: skip
    extract(workspace)
    assert origins(workspace) == {}


def test_what_is_covered_is_not_made_up(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [frame(number) for number in range(FRAMES)]
    for number in (11, 12, 13):
        x, y = map(round, place(number))
        pictures[number][y - 8 : y + SIDE + 8, x - 8 : x + SIDE + 8] = 60
    clip(workspace, pictures)
    extract(workspace)
    assert origins(workspace) == {} and "00011, 00012, 00013 no face" in capsys.readouterr().out


def flip(workspace: Workspace, numbers: Sequence[int], degrees: float) -> None:
    """Turn the landmarks that were found."""
    turn = cv2.getRotationMatrix2D((0, 0), degrees, 1)[:, :2]
    for number in numbers:
        file = faces(workspace)[number]
        middle = file.record.frame_landmarks.mean(0)
        points = ((file.record.frame_landmarks - middle) @ turn.T + middle).astype(np.float32)
        matrix = align_matrix(points, file.record.face_type, file.record.size)
        update_record(file.path, replace(file.record, frame_landmarks=points, matrix=matrix))


def test_landmarks_that_flip_for_two_frames_are_repaired(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    clip(workspace, [frame(number) for number in range(FRAMES)])
    extract(workspace)
    flip(workspace, (10, 11), 30)
    flipped = {number: faces(workspace)[number].record.frame_landmarks for number in (10, 11)}
    extract(workspace)
    assert origins(workspace) == {10: "repaired", 11: "repaired"}
    for number in (10, 11):
        file = faces(workspace)[number]
        assert error(file) < 3 and file.record.raw_landmarks is not None
        np.testing.assert_allclose(file.record.raw_landmarks, flipped[number], atol=2e-3)
        shown = file.record.cut(read_image(workspace.dst.frames_dir / file.record.frame))
        assert np.abs(read_image(file.path).astype(int) - shown).mean() < 1
    assert "repaired from the frames around: 2" in capsys.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in workspace.dst.aligned()}
    extract(workspace)
    assert {path: path.stat().st_mtime_ns for path in workspace.dst.aligned()} == before


class Stopping(Models):
    """Every other search nearby finds nothing; the one of this number is the user's Ctrl-C."""

    def __init__(self, stop_at: int = -1) -> None:
        super().__init__(sharp=True)
        self.stop_at = stop_at

    def detector(self, name: str, *, sensitive: bool = False) -> Squares:
        found = super().detector(name, sensitive=sensitive)
        if sensitive:
            return Sometimes(self)
        return found


class Sometimes(Sharp):
    """See `Stopping`. What it finds lies a little beside what is filled in."""

    def __init__(self, models: Stopping) -> None:
        super().__init__()
        self.models, self.calls = models, 0

    def boxes(self, frame: Image) -> list[Box]:
        self.calls += 1
        if self.calls == self.models.stop_at:
            raise KeyboardInterrupt
        if int(frame.sum()) % 2:  # depends on where the points were carried
            return []
        return [replace(box, left=box.left + 6, right=box.right + 6) for box in super().boxes(frame) if box.width > 20]


@pytest.mark.parametrize("stop_at", [2, 7])
def test_a_mending_that_is_stopped_ends_as_one_that_is_not(workspace: Workspace, tmp_path: Path, stop_at: int) -> None:
    ends = []
    for name, stops in (("one", ()), ("other", (stop_at, stop_at - 1))):
        space = Workspace(tmp_path / name)
        clip(space, [frame(number, light=0.7 if number in MISSED else 1.0) for number in range(FRAMES)])
        extract(space, max_gap=0, smooth="medium")
        flip(space, (20,), 30)
        for stop in stops:
            with pytest.raises(KeyboardInterrupt):
                extract(space, Stopping(stop), smooth="medium")
        extract(space, Stopping(), smooth="medium")
        ends.append(faces(space))
        assert not space.trash.exists()
    assert {file.record.origin for file in ends[0].values()} >= {"found", "filled", "repaired"}
    assert [file.path.name for file in ends[0].values()] == [file.path.name for file in ends[1].values()]
    for number, file in ends[0].items():
        record = ends[1][number].record
        assert record.origin == file.record.origin, number
        np.testing.assert_array_equal(record.frame_landmarks, file.record.frame_landmarks)
        np.testing.assert_array_equal(read_image(ends[1][number].path), read_image(file.path))


def test_repairs_are_undone_and_not_made_again(
    gappy: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    extract(gappy, max_gap=0)
    flip(gappy, (20,), 30)
    before = {number: file.record for number, file in faces(gappy).items()}
    extract(gappy)
    assert origins(gappy) == {**dict.fromkeys(MISSED, "filled"), 20: "repaired"}
    for _ in range(2):
        fix_faces.run(gappy, fix_faces.Options(side="dst", undo_repairs=True), Models())
        extract(gappy)
        after = faces(gappy)
        assert origins(gappy) == {} and set(after) == set(before)
        np.testing.assert_array_equal(after[20].record.frame_landmarks, before[20].frame_landmarks)
        np.testing.assert_array_equal(after[20].record.matrix, before[20].matrix)
        shown = before[20].cut(read_image(gappy.dst.frames_dir / before[20].frame))
        np.testing.assert_array_equal(read_image(after[20].path), shown)
    assert "00020 turned by 30 degrees" in capsys.readouterr().out


def test_a_mask_that_was_made_after_a_repair_stays_where_it_lies_when_that_is_undone(gappy: Workspace) -> None:
    extract(gappy, max_gap=0)
    flip(gappy, (20,), 30)
    before = faces(gappy)[20].record
    extract(gappy)
    face = faces(gappy)[20]
    update_record(face.path, replace(face.record, mask=encode_mask(np.ones((64, 64), np.float32))))
    fix_faces.run(gappy, fix_faces.Options(side="dst", undo_repairs=True), Models())
    after = faces(gappy)[20].record
    assert after.origin == "found" and after.mask is not None
    np.testing.assert_array_equal(after.frame_landmarks, before.frame_landmarks)
    shown = after.cut(read_image(gappy.dst.frames_dir / after.frame))
    assert np.abs(read_image(face.path).astype(int) - shown).mean() < 1
    in_image = transform_points(after.frame_landmarks, after.matrix)
    np.testing.assert_allclose(after.landmarks, in_image, atol=0.01)


def test_smoothing_leaves_made_faces_alone_and_steadies_the_others(gappy: Workspace) -> None:
    extract(gappy)
    made = {number: faces(gappy)[number].record.frame_landmarks for number in MISSED}
    extract(gappy, smooth="high")
    for number in MISSED:
        np.testing.assert_array_equal(faces(gappy)[number].record.frame_landmarks, made[number])


def test_a_record_of_version_1_has_no_track_and_gets_one(workspace: Workspace) -> None:
    clip(workspace, [frame(number) for number in range(8)])
    extract(workspace)
    for path in workspace.dst.aligned():
        update_record(path, replace(load_record(path), track=None, landmarker=None, occlusion=None))
        assert b'"version":1' in path.read_bytes()
    extract(workspace)
    assert {file.record.track for file in faces(workspace).values()} == {1}


def test_src_and_pictures_are_not_filled_in(workspace: Workspace) -> None:
    clip(workspace, [frame(number, light=0.7 if number == 6 else 1.0) for number in range(12)])
    workspace.dst.timing_file.unlink()
    extract(workspace)
    assert origins(workspace) == {} and 6 not in faces(workspace)
    for path in sorted(workspace.dst.frames_dir.glob("*.png")):
        workspace.src.frames_dir.mkdir(parents=True, exist_ok=True)
        path.rename(workspace.src.frames_dir / path.name)
    workspace.src.timing_file.write_text("{}")
    extract(workspace, side="src")
    assert len(load_faceset(workspace.src.aligned_dir).faces) == 11


def test_a_frame_that_is_gone_or_damaged_is_no_end_of_the_world(gappy: Workspace) -> None:
    extract(gappy, max_gap=0)
    (gappy.dst.frames_dir / "00005.png").unlink()
    Path(gappy.dst.frames_dir / "00012.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    with pytest.raises(Exception, match="00012"):
        extract(gappy)
    assert origins(gappy) == {}


def test_faces_are_followed_once_until_something_changes(gappy: Workspace) -> None:
    extract(gappy)
    with open_side(gappy, gappy.dst, Models()) as run:
        (track,) = run.followed().tracks
        assert run.followed().tracks[0] is track and len(track) == FRAMES
        run.faces.put(replace(run.faces.faces[3], record=replace(run.faces.faces[3].record, person=7)))
        assert run.followed().tracks[0] is track  # whoever it is called
        face = run.faces.faces[3]
        run.faces.put(replace(face, record=replace(face.record, rect=(0.0, 0.0, 9.0, 9.0))))
        assert run.followed().tracks[0] is not track
        run.faces.discard([face.path])
        assert [len(track) for track in run.followed().tracks] == [FRAMES - 1]


def test_a_damaged_face_file_is_no_deleted_face(
    gappy: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    extract(gappy)
    faces(gappy)[3].path.write_bytes(b"no image")
    faces(gappy)[7].path.unlink()
    capsys.readouterr()
    fix_faces.run(gappy, fix_faces.Options(side="dst"), Models())
    told = capsys.readouterr().out
    assert "deleted: 1 (00007.png)" in told and "suspicious face: 1 (00003.png)" in told
    extract(gappy)
    told = capsys.readouterr()
    assert faces(gappy).keys() == set(range(FRAMES)) - {3, 7}, "neither is filled in"
    assert "00003_0.png" in told.out + told.err and "1 of 24 frames needs a look: 00003" in told.out


@pytest.mark.parametrize("followed", [b"", b"\0" * 40])
def test_a_face_whose_pixels_are_cut_off_is_named_until_it_is_cut_anew(gappy: Workspace, followed: bytes) -> None:
    extract(gappy)
    face = faces(gappy)[3]
    whole = face.path.read_bytes()
    face.path.write_bytes(whole + followed)
    with open_side(gappy, gappy.dst) as run:
        assert open_frames(gappy.dst, run.log, run.faces) == []
    face.path.write_bytes(whole[:-20] + followed)
    with open_side(gappy, gappy.dst) as run:
        (told,) = open_frames(gappy.dst, run.log, run.faces)
        assert told.name == "00003.png" and list(told.faces) == [face.path.name]
        storage = FaceStorage(run, run.log.settings or {})
        frame = open_frame(gappy.dst.frames_dir / "00003.png")
        storage.save(frame, [open_face(face, lambda _: face.record.frame_landmarks)])
    np.testing.assert_array_equal(
        read_image(face.path), face.record.cut(read_image(gappy.dst.frames_dir / "00003.png"))
    )
