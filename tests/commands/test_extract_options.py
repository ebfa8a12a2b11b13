"""The options of the extraction, each from end to end, and input of every bad kind."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from commands.extract_runs import run
from extract.squares import SquareModels, Squares, StillLandmarks, frame_with
from facewright.commands import fix as fix_faces
from facewright.commands.extract import Options
from facewright.core.errors import UserError
from facewright.core.images import Image, write_image
from facewright.core.options import declared
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import Box
from facewright.extract.log import ExtractionLog
from facewright.faces.align import transform_points
from facewright.faces.faceset import load_faceset
from facewright.faces.record import load_record
from sample import sample_frames

LARGE, SMALL = (100, 60, 80), (20, 20, 40)


def fill(side: Side, *frames: list[tuple[int, int, int]]) -> None:
    side.frames_dir.mkdir(parents=True, exist_ok=True)
    for number, places in enumerate(frames or ([LARGE], [LARGE, SMALL], [SMALL], []), 1):
        write_image(side.frames_dir / f"{number:05d}.png", frame_with(places))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def searched(squares: Squares, workspace: Workspace, options: Options) -> int:
    squares.batches.clear()
    run(workspace, options, squares)
    return sum(squares.batches)


def settings(workspace: Workspace) -> dict[str, object]:
    return json.loads(workspace.src.extract_journal.read_text().splitlines()[0])["settings"]


def test_the_journal_notes_what_was_chosen_and_nothing_else(workspace: Workspace, squares: Squares) -> None:
    """So that journals of older programs stay good."""
    fill(workspace.src)
    plain = {"detector": "mtcnn", "face_type": "full", "size": 256}
    run(workspace, Options(every=2, rotate="90", debug=True), squares)
    assert settings(workspace) == plain
    run(workspace, Options(redo=True, min_face=50, max_faces=1, align_eyes=True, false_face_filter=False), squares)
    more = {"min_face": 50, "max_faces": 1, "align_eyes": True, "false_face_filter": False}
    assert settings(workspace) == {**plain, **more}


# Written down, so that nobody takes one out of the settings unseen.
SETTINGS = {
    "landmarker",
    *("detector", "face_type", "size", "min_face", "max_faces", "false_face_filter", "blur_threshold", "align_eyes"),
    *("second_pass", "person", "not_person", "threshold"),
}


def test_what_changes_the_faces_is_a_setting() -> None:
    assert {spec.name for spec in declared(Options) if spec.affects_output} == SETTINGS


@pytest.mark.parametrize(
    "change",
    [
        {"min_face": 30},
        {"max_faces": 2},
        {"blur_threshold": 9.0},
        {"align_eyes": True},
        {"false_face_filter": False},
        {"second_pass": True},
    ],
)
def test_other_rules_ask_first(workspace: Workspace, squares: Squares, change: dict[str, object]) -> None:
    fill(workspace.src)
    run(workspace, Options(), squares)
    with pytest.raises(UserError, match="faces extracted with mtcnn"):
        run(workspace, Options(**change), squares)  # type: ignore[arg-type]
    run(workspace, Options(redo=True, **change), squares)  # type: ignore[arg-type]
    assert searched(squares, workspace, Options(**change)) == 0  # type: ignore[arg-type]
    with pytest.raises(UserError, match=next(iter(change)).replace("_", "-")):
        run(workspace, Options(), squares)


def test_small_and_surplus_faces(workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]) -> None:
    fill(workspace.src)
    run(workspace, Options(min_face=50), squares)
    assert names(workspace.src.aligned_dir) == ["00001_0.png", "00002_0.png"]
    text = capsys.readouterr().out
    assert "Faces left out: 2 (smaller than 50 px: 2)" in text
    assert "Frames without a face: 1 (00004.png)" in text  # 00003 has a face, which is not wanted
    run(workspace, Options(max_faces=1, redo=True), squares)
    assert names(workspace.src.aligned_dir) == ["00001_0.png", "00002_0.png", "00003_0.png"]
    text = capsys.readouterr().out
    assert "Faces left out: 1 (not the largest: 1)" in text and "No face is left" not in text
    run(workspace, Options(blur_threshold=100_000, redo=True), squares)
    assert "No face is left" in capsys.readouterr().out


def test_fix_keeps_to_the_rules(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.dst)
    run(workspace, Options(side="dst", min_face=50, align_eyes=True), squares)
    write_image(workspace.dst.frames_dir / "00004.png", frame_with([SMALL]))
    assert ExtractionLog.read(workspace.dst).faceless() == ["00004.png"]
    fix_faces.run(workspace, fix_faces.Options(), SquareModels(squares))
    assert names(workspace.dst.aligned_dir) == ["00001_0.png", "00002_0.png"]


def test_blurred_faces_go_to_their_own_folder(
    workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace.src)
    frame = frame_with([LARGE, SMALL])
    frame[60:140:4, 100:180] = 210
    write_image(workspace.src.frames_dir / "00002.png", frame)
    run(workspace, Options(blur_threshold=50.0), squares)
    assert names(workspace.src.aligned_dir) == ["00002_0.png"]
    assert names(workspace.src.blurry_dir) == ["00001_0.png", "00002_1.png", "00003_0.png"]
    text = capsys.readouterr().out
    assert "(blurred: 3)" in text and str(workspace.src.blurry_dir) in text
    # A frame that changed takes its faces out of both folders.
    write_image(workspace.src.frames_dir / "00002.png", frame_with([LARGE]))
    run(workspace, Options(blur_threshold=50.0), squares)
    assert names(workspace.src.aligned_dir) == []
    assert names(workspace.src.blurry_dir) == ["00001_0.png", "00002_0.png", "00003_0.png"]
    run(workspace, Options(redo=True), squares)
    assert not workspace.src.blurry_dir.exists() and len(names(workspace.src.aligned_dir)) == 3


def test_every_so_many_frames(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src, *[[LARGE]] * 7)
    assert searched(squares, workspace, Options(every=3)) == 3
    assert names(workspace.src.aligned_dir) == ["00001_0.png", "00004_0.png", "00007_0.png"]
    assert searched(squares, workspace, Options(every=3)) == 0
    assert searched(squares, workspace, Options()) == 4


def test_every_says_nothing_of_frames_that_are_gone(
    workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace.src, *[[LARGE]] * 7)
    run(workspace, Options(), squares)
    run(workspace, Options(every=3), squares)
    assert "no longer there" not in capsys.readouterr().out


def test_frames_that_have_a_face_are_left_alone(
    workspace: Workspace, squares: Squares, save_drawn_face: Callable[..., Path]
) -> None:
    """Whoever put it there, whatever the journal says, under whatever name."""
    fill(workspace.src, *[[LARGE]] * 4)
    run(workspace, Options(every=3), squares)
    save_drawn_face(workspace.src.aligned_dir / "best.png", frame="00002.png")
    before = {path.name: path.read_bytes() for path in workspace.src.aligned()}
    assert searched(squares, workspace, Options(skip_existing=True, size=128)) == 1
    after = {path.name: path.read_bytes() for path in workspace.src.aligned()}
    assert after.keys() - before.keys() == {"00003_0.png"}
    assert all(after[name] == before[name] for name in ("00001_0.png", "00004_0.png"))
    assert load_record(workspace.src.aligned_dir / "00003_0.png").size == 128
    # A frame whose face was deleted is searched with other settings, and not with the same ones.
    (workspace.src.aligned_dir / "00003_0.png").unlink()
    assert searched(squares, workspace, Options(skip_existing=True, size=128)) == 0
    assert searched(squares, workspace, Options(skip_existing=True, size=64)) == 1


def test_only_frames_without_a_face_are_turned_later(
    workspace: Workspace, squares: Squares, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = squares.boxes
    monkeypatch.setattr(squares, "boxes", lambda frame: plain(frame) if frame[0, -1, 0] != 9 else [])
    fill(workspace.src, [LARGE], [LARGE], [])
    lying = frame_with([SMALL])
    lying[0, -1] = 9  # a square that is seen once this corner is elsewhere
    write_image(workspace.src.frames_dir / "00002.png", lying)
    run(workspace, Options(), squares)
    assert names(workspace.src.aligned_dir) == ["00001_0.png"]
    said = capsys.readouterr().out
    assert "fix --side src" in said and "--rotate on" in said
    assert searched(squares, workspace, Options(rotate="on")) == 2 + 2 * 3
    said = capsys.readouterr().out
    assert "fix --side src" in said and "--rotate on" not in said
    assert names(workspace.src.aligned_dir) == ["00001_0.png", "00002_0.png"]
    assert load_record(workspace.src.aligned_dir / "00002_0.png").rect == (20, 20, 60, 60)
    assert searched(squares, workspace, Options(rotate="180,90")) == 0  # a part of what was tried
    assert searched(squares, workspace, Options(rotate="45")) == 2  # the one that is still without


def test_level_eyes_in_the_record(workspace: Workspace, squares: Squares) -> None:
    class Crooked(StillLandmarks):
        def find(self, frame: Image, box: Box, **more: bool) -> np.ndarray:
            points = super().find(frame, box, **more)
            points[42:48, 1] += 10
            return points

    fill(workspace.src, [LARGE])
    for level in (True, False):
        run(workspace, Options(align_eyes=level, redo=True), squares, Crooked())
        (face,) = load_faceset(workspace.src.aligned_dir).faces
        eyes = [face.record.landmarks[part].mean(0) for part in (slice(36, 42), slice(42, 48))]
        assert (abs(eyes[0][1] - eyes[1][1]) < 0.01) == level
        np.testing.assert_allclose(
            transform_points(face.record.frame_landmarks, face.record.matrix), face.record.landmarks, atol=0.01
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(redo=True, skip_existing=True), "--skip-existing"),
        (Options(side="dst", from_video=True), "3_extract_png_from_dst"),
        (Options(fps=5.0), "--every"),
        (Options(align_eyes=True, face_type="avatar"), "avatar is never rotated"),
        (Options(align_eyes=True, face_type="mark_only"), "mark_only is never rotated"),
    ],
)
def test_what_does_not_go_together(workspace: Workspace, options: Options, said: str) -> None:
    fill(workspace.src)
    with pytest.raises(UserError) as caught:
        run(workspace, options)
    assert said in str(caught.value)
    assert not workspace.src.aligned_dir.exists()


def test_debug_shows_what_was_left_out(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src)
    run(workspace, Options(min_face=50, debug=True), squares)
    plain = cv2.imread(str(workspace.src.frames_dir / "00003.png"))
    drawn = cv2.imdecode(np.fromfile(workspace.src.debug_dir / "00003_debug.jpg", np.uint8), cv2.IMREAD_COLOR)
    assert plain is None or plain.shape == drawn.shape
    orange = (drawn[..., 2].astype(int) - drawn[..., 0] > 60).sum()
    assert orange > 100


def jpeg(image: Image, orientation: int) -> bytes:
    """Return a JPEG file as a phone writes it: pixels as they lie on the sensor, and how to hold them."""
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def test_photographs_of_all_kinds(workspace: Workspace, squares: Squares) -> None:
    """Names in any script, PNG and JPEG side by side, and a phone's photograph that lies on its side."""
    workspace.src.frames_dir.mkdir()
    frame = frame_with([(104, 64, 80)])
    files = ("Прага 1.png", "花見.jpg", "photo.of.me.JPEG", "é'\"&.webp")
    for name in files:
        (workspace.src.frames_dir / name).write_bytes(
            cv2.imencode(Path(name).suffix.lower(), frame, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
        )
    lying = cv2.rotate(frame, cv2.ROTATE_90_COUNTERCLOCKWISE)
    (workspace.src.frames_dir / "phone.jpg").write_bytes(jpeg(np.asarray(lying, np.uint8), 6))
    run(workspace, Options(debug=True), squares)
    faces = load_faceset(workspace.src.aligned_dir).faces
    assert {face.record.frame for face in faces} == {*files, "phone.jpg"}
    for face in faces:
        np.testing.assert_allclose(face.record.rect, (104, 64, 184, 144), atol=1)
    assert searched(squares, workspace, Options()) == 0


@pytest.mark.slow
def test_a_photograph_of_twenty_megapixels(workspace: Workspace) -> None:
    workspace.src.frames_dir.mkdir()
    face = sample_frames("src", [0])[0]
    photo = cv2.resize(face, (5200, 3900), interpolation=cv2.INTER_CUBIC)
    turned = np.asarray(cv2.rotate(photo, cv2.ROTATE_180), np.uint8)
    (workspace.src.frames_dir / "a.jpg").write_bytes(jpeg(turned, 3))
    write_image(workspace.src.frames_dir / "b.png", face)
    run(workspace, Options(rotate="on", min_face=100))
    large, small = (face.record for face in load_faceset(workspace.src.aligned_dir).faces)
    factor = 5200 / 640
    np.testing.assert_allclose((large.frame_landmarks + 0.5) / factor - 0.5, small.frame_landmarks, atol=4)


def test_one_frame_and_none(workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]) -> None:
    fill(workspace.src, [])
    run(
        workspace,
        Options(max_faces=1, min_face=10, blur_threshold=1.0, skip_existing=True, every=5, debug=True),
        squares,
    )
    assert "Frames searched: 1. Faces saved: 0" in capsys.readouterr().out
    assert not workspace.src.blurry_dir.exists()


def test_a_frame_that_vanishes_while_it_waits(
    workspace: Workspace, squares: Squares, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace.src, *[[LARGE]] * 5)
    plain = squares.detect

    def detect(frames, **more):
        (workspace.src.frames_dir / "00005.png").unlink(missing_ok=True)
        return plain(frames, **more)

    monkeypatch.setattr(squares, "detect", detect)
    monkeypatch.setattr("facewright.extract.detection.MAX_KEPT_PIXELS", 10)  # each is read a second time
    run(workspace, Options(min_face=1, rotate="on"), squares)
    assert "no longer there: 1 (00005.png)" in capsys.readouterr().out
    assert len(names(workspace.src.aligned_dir)) == 4


def test_a_folder_that_cannot_be_written(
    workspace: Workspace, squares: Squares, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only disk; rights alone would not hold back a test that runs as root."""
    fill(workspace.src)
    mkdir = Path.mkdir

    def refuse(path: Path, *rest: object, **more: object) -> None:
        if path.name == "aligned":
            raise PermissionError(13, "Permission denied", str(path))
        mkdir(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match="could not be written: Permission denied") as caught:
        run(workspace, Options(), squares)
    assert "rights" in caught.value.fix and "aligned" in caught.value.happened
    assert not (workspace.root / ".lock_data_src").exists()
