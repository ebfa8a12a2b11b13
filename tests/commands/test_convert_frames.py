"""Frames that are not as they were when their faces were found: renumbered, scaled, graded, exchanged; copied faces."""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from commands.convert_runs import FRAMES, StubModels, fake_model, run
from convert.drawn_faces import landmarks, scene
from facewright import run_command
from facewright.convert.parameters import ConvertOptions
from facewright.convert.session import ConvertReport
from facewright.core.errors import UserError
from facewright.core.images import Image, read_image, write_image
from facewright.core.workspace import Workspace
from facewright.extract.detection import FrameFile
from facewright.extract.log import ExtractionLog
from facewright.extract.pipeline import ExtractedFrame
from facewright.faces.align import FaceType
from facewright.faces.record import FaceRecord, load_record, save_face, update_record

SETTINGS = {"detector": "mtcnn", "face_type": "full", "size": 128}
HEIGHT, WIDTH = 180, 240


def drawn(number: int) -> Image:
    """A frame that is like no other one."""
    return np.asarray(cv2.resize(scene(45, 60, number), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def centre(number: int) -> tuple[float, float]:
    return 70 + 12.0 * number, 90.0


@pytest.fixture
def extracted(workspace: Workspace) -> Workspace:
    """Six frames with a face each, as the extraction leaves them."""
    side = workspace.dst
    side.aligned_dir.mkdir(parents=True)
    with ExtractionLog.read(side).writing() as log:
        log.begin(SETTINGS)
        for number in range(1, FRAMES + 1):
            path = side.frames_dir / f"{number:05d}.png"
            write_image(path, drawn(number))
            image = read_image(path)
            record = FaceRecord.from_landmarks(
                landmarks(centre(number), 60).astype(np.float32),
                FaceType.FULL,
                128,
                frame=path.name,
                detector="mtcnn",
                score=1.0,
                rect=(0, 0, 9, 9),
            )
            save_face(side.aligned_dir / f"{number:05d}_0.png", record.cut(image), record)
            noted = FrameFile(path.name, *file_facts(path), shape=(HEIGHT, WIDTH))
            log.note(ExtractedFrame(path, noted, [f"{number:05d}_0.png"]), SETTINGS)
    return workspace


def file_facts(path: Path) -> tuple[int, int, int]:
    data = path.read_bytes()
    return len(data), path.stat().st_mtime_ns, zlib.crc32(data)


def convert(workspace: Workspace, **options: object) -> ConvertReport:
    return run(workspace, StubModels(), ConvertOptions(mode="overlay", **options))


def replaced(workspace: Workspace, name: str) -> np.ndarray:
    """Middle (x, y) and width of what was changed in a frame, in shares of the frame's size; NaN for nothing."""
    frame = read_image(next(workspace.dst.frames_dir.glob(f"{Path(name).stem}.*")))
    changed = np.abs(read_image(workspace.dst.merged_dir / name).astype(int) - frame).max(2) > 12
    y, x = np.nonzero(changed)
    if not len(x):
        return np.full(3, np.nan)
    return np.array([x.mean() / frame.shape[1], y.mean() / frame.shape[0], np.ptp(x) / frame.shape[1]])


def change_frames(workspace: Workspace, change: Callable[[Image], Image], names: tuple[str, ...] = ()) -> None:
    for path in workspace.dst.frames():
        if path.name in names or not names:
            write_image(path, np.ascontiguousarray(change(read_image(path))))


@pytest.mark.parametrize("scale", [2.0, 0.5, 1.37])
@pytest.mark.parametrize("mask", ["hull", "record"])
def test_faces_are_scaled_with_their_frames(
    extracted: Workspace, capsys: pytest.CaptureFixture[str], scale: float, mask: str
) -> None:
    convert(extracted, mask=mask)
    before = [replaced(extracted, path.name) for path in extracted.dst.frames()]
    change_frames(extracted, lambda frame: cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
    report = convert(extracted, mask=mask)
    assert report.scaled_faces == report.replaced_faces == FRAMES and not report.missed
    assert "another size before: 6 faces" in capsys.readouterr().out
    for path, place in zip(extracted.dst.frames(), before, strict=True):
        np.testing.assert_allclose(replaced(extracted, path.name), place, atol=0.02)
    assert convert(extracted, mask=mask).written == 0


@pytest.mark.parametrize("scale", [2.0, 0.75])
def test_faces_without_a_list_of_the_extraction_are_scaled_by_what_they_show(
    extracted: Workspace, scale: float
) -> None:
    convert(extracted)
    before = [replaced(extracted, path.name) for path in extracted.dst.frames()]
    extracted.dst.extract_journal.unlink()
    extracted.dst.timing_file.unlink(missing_ok=True)
    assert convert(extracted).scaled_faces == 0
    change_frames(extracted, lambda frame: cv2.resize(frame, None, fx=scale, fy=scale))
    assert convert(extracted).scaled_faces == FRAMES
    for path, place in zip(extracted.dst.frames(), before, strict=True):
        np.testing.assert_allclose(replaced(extracted, path.name), place, atol=0.02)


def test_faces_of_an_earlier_extraction_are_scaled_by_the_size_in_frames_json(extracted: Workspace) -> None:
    journal = extracted.dst.extract_journal
    journal.write_text(journal.read_text().replace(f', "shape": [{HEIGHT}, {WIDTH}]', ""))
    assert "shape" not in journal.read_text()
    extracted.dst.timing_file.write_text(TIMING)
    change_frames(extracted, lambda frame: cv2.resize(frame, None, fx=2, fy=2))
    assert convert(extracted).scaled_faces == FRAMES


TIMING = (
    '{"format": "facewright frames", "version": 1, "source": {"name": "a.mp4", "bytes": 1}, '
    '"settings": {"fps": 0.0, "image_format": "png"}, "time_base": [1, 25], "pts": [0, 1, 2, 3, 4, 5], "end": 6, '
    f'"rate": [25, 1], "constant": true, "size": [{HEIGHT}, {WIDTH}], '
    '"colour": {"primaries": "", "transfer": "", "matrix": "", "range": ""}, "assumed_matrix": "bt709", '
    '"sound": null, "changes": []}'
)


@pytest.mark.parametrize(
    "grade",
    [
        lambda frame: np.uint8(255 * (frame / 255) ** 2),
        lambda frame: cv2.GaussianBlur(frame, (0, 0), 1.5),
        lambda frame: cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
    ],
    ids=["darker", "softer", "grey"],
)
def test_graded_frames_are_converted_where_their_faces_were(extracted: Workspace, grade: Callable) -> None:
    convert(extracted)
    before = [replaced(extracted, path.name) for path in extracted.dst.frames()]
    change_frames(extracted, grade)
    report = convert(extracted)
    assert report.replaced_faces == FRAMES and not report.missed and not report.scaled_faces
    for path, place in zip(extracted.dst.frames(), before, strict=True):
        np.testing.assert_allclose(replaced(extracted, path.name), place, atol=0.03)


def test_frames_of_another_video_are_refused(extracted: Workspace) -> None:
    for number, path in enumerate(extracted.dst.frames(), 1):
        write_image(path, drawn(number + 50))
    models = StubModels()
    with pytest.raises(UserError, match="6 of 6 frames") as caught:
        run(extracted, models)
    assert "extract" in caught.value.fix and models.loads == 0
    assert not list(extracted.dst.merged_dir.glob("*.png"))


@pytest.mark.parametrize(
    "change",
    [lambda frame: frame[:, ::-1], lambda frame: frame[45:135, 60:180], lambda frame: cv2.resize(frame, (400, 180))],
    ids=["mirrored", "cropped", "stretched"],
)
def test_a_frame_that_shows_something_else_keeps_its_face_and_is_named(
    extracted: Workspace, capsys: pytest.CaptureFixture[str], change: Callable[[Image], Image]
) -> None:
    convert(extracted)
    change_frames(extracted, change, ("00002.png",))
    for written in (1, 0):
        report = convert(extracted)
        assert (report.written, report.missed, report.skipped_faces) == (written, ("00002.png",), 0)
        assert "Frames whose faces were left out: 1 (00002.png)" in capsys.readouterr().out
    assert np.isnan(replaced(extracted, "00002.png")).all() and np.isfinite(replaced(extracted, "00003.png")).all()


def test_faces_of_another_project_get_a_word(extracted: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    convert(extracted)
    assert "faces of other frames" not in capsys.readouterr().out
    for number, path in enumerate(extracted.dst.aligned(), 1):
        record = load_record(path)
        save_face(path, record.cut(drawn(number + 50)), record)
    for path in extracted.dst.merged_dir.iterdir():
        path.unlink()
    convert(extracted)
    assert "they seem to be faces of other frames" in capsys.readouterr().out


def test_renumbered_frames_are_known_by_their_content(extracted: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    side = extracted.dst
    convert(extracted)
    before = {int(path.stem): replaced(extracted, path.name) for path in side.frames()}
    side.timing_file.write_text(TIMING)
    frames = side.frames()
    frames[0].unlink()
    for path in frames[1:]:
        path.rename(path.with_name(f"{int(path.stem) - 1:05d}.png"))
    report = convert(extracted)
    said = capsys.readouterr().out
    assert report.replaced_faces == 5 and not report.missed
    assert said.count("frames.json knows when they are shown by their old names") == 1
    assert "Faces of frames that are not there any more: 1 (00001.png)" in said
    for number in range(1, 6):
        np.testing.assert_allclose(replaced(extracted, f"{number:05d}.png"), before[number + 1], atol=1e-6)
    run_command("make-video", extracted, audio=False)
    assert "5 frames" in (said := capsys.readouterr().out) and "frames.json knows" in said


def test_a_result_of_frames_with_their_own_names_gets_no_word(
    extracted: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(extracted)
    extracted.dst.timing_file.write_text(TIMING)
    run_command("make-video", extracted, audio=False)
    assert "frames.json knows" not in capsys.readouterr().out


def test_names_without_zeros_are_the_same_names(extracted: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    extracted.dst.timing_file.write_text(TIMING)
    for path in extracted.dst.frames():
        path.rename(path.with_name(f"{int(path.stem)}.png"))
    report = convert(extracted)
    assert report.replaced_faces == FRAMES and "other names" not in capsys.readouterr().out


def test_a_frame_that_repeats_its_neighbour_takes_its_face(
    extracted: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = extracted.dst.frames()[:2]
    shutil.copyfile(first, second)
    report = convert(extracted)
    assert report.replaced_faces == FRAMES and not report.missed
    assert "other names" not in capsys.readouterr().out
    merged = extracted.dst.merged_dir
    np.testing.assert_array_equal(read_image(merged / first.name), read_image(merged / second.name))


def test_a_frame_in_another_format_keeps_its_face(extracted: Workspace) -> None:
    frame = extracted.dst.frames()[0]
    write_image(frame.with_suffix(".jpg"), read_image(frame))
    frame.unlink()
    report = convert(extracted)
    assert report.replaced_faces == FRAMES and not report.missed


@pytest.mark.parametrize("name", ["00004_0 - Copy.png", "00004_0 (2).png", "00004_0 - Kopie.png", "zz.png"])
def test_the_same_face_twice_is_used_once(extracted: Workspace, capsys: pytest.CaptureFixture[str], name: str) -> None:
    convert(extracted)
    before = read_image(extracted.dst.merged_dir / "00004.png")
    shutil.copyfile(extracted.dst.aligned_dir / "00004_0.png", extracted.dst.aligned_dir / name)
    capsys.readouterr()
    report = convert(extracted)
    said = capsys.readouterr().out
    assert (report.written, report.faces) == (0, FRAMES) and "Each is used once" in said
    assert name in said or name == "zz.png"
    np.testing.assert_array_equal(read_image(extracted.dst.merged_dir / "00004.png"), before)


def test_a_face_that_was_found_twice_is_used_once_as_a_person_placed_it(extracted: Workspace) -> None:
    source, copy = (extracted.dst.aligned_dir / name for name in ("00004_0.png", "00004_1 - Copy.png"))
    shutil.copyfile(source, copy)
    record = load_record(source)
    moved = FaceRecord.from_landmarks(
        record.frame_landmarks + np.float32(2),
        FaceType.FULL,
        128,
        frame=record.frame,
        detector="manual",
        score=1.0,
        rect=record.rect,
    )
    update_record(copy, moved)
    report = convert(extracted)
    assert report.faces == FRAMES
    copy.unlink()
    assert convert(extracted).written == 1, "the one that was placed by a person had been used"


def test_two_people_side_by_side_are_two(extracted: Workspace) -> None:
    source = extracted.dst.aligned_dir / "00004_0.png"
    record = load_record(source)
    other = FaceRecord.from_landmarks(
        record.frame_landmarks + np.float32([20, 0]),
        FaceType.FULL,
        128,
        frame=record.frame,
        detector="mtcnn",
        score=1.0,
        rect=record.rect,
    )
    save_face(extracted.dst.aligned_dir / "00004_1.png", other.cut(read_image(extracted.dst.frames()[3])), other)
    assert convert(extracted).faces == FRAMES + 1


def test_a_portrait_video_keeps_an_image_for_each_frame(extracted: Workspace) -> None:
    change_frames(extracted, lambda frame: frame[:, ::-1], ("00002.png",))
    models = StubModels()
    models.model = fake_model(portrait=True)
    report = run(extracted, models)
    shapes = {read_image(path).shape for path in extracted.dst.merged_dir.glob("*.png")}
    assert report.written == FRAMES and len(shapes) == 1 and report.missed == ("00002.png",)
