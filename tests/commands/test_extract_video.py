"""Extraction straight from the video: the same faces as from its frames, whatever happens in between."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clips import X264, ffmpeg
from commands.extract_runs import run
from drawn_hands import hand_points
from extract.squares import SquareModels, Squares, StillLandmarks, frame_with
from facewright.commands import extract as extract_command
from facewright.commands import extract_frames as frames_command
from facewright.commands import fix as fix_faces
from facewright.commands.extract import Options
from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.images import Image, write_image
from facewright.core.machine import cores
from facewright.core.workspace import Side, Workspace
from facewright.extract.hands import Hand
from facewright.extract.log import ExtractionLog
from facewright.extract.pipeline import (
    MAX_GROUP_FRAMES,
    ExtractionConfig,
    FaceExtractor,
    extract_faces,
    pipeline_workers,
)
from facewright.extract.video_source import VideoSource
from facewright.faces.align import Points
from facewright.faces.faceset import load_faceset

TESTS = Path(__file__).resolve().parents[1]
# Which frames are looked at for hands first depends on which were searched before.
STRAIGHT = Options(side="src", from_video=True, occlusion="off")


def film(path: Path, count: int = 24, *, size: tuple[int, int] = (120, 160), shift: int = 0) -> Path:
    """A square that wanders; every sixth frame shows none."""
    pictures = path.parent / ".film"
    pictures.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        square = [] if number % 6 == 0 else [(10 + shift + number % 50, 20, 60)]
        write_image(pictures / f"{number:05d}.png", frame_with(square, shape=size))
    ffmpeg("-framerate", "25", "-i", pictures / "%05d.png", "-frames:v", str(count), *X264, path)
    return path


def names(side: Side) -> list[str]:
    return [path.name for path in side.aligned()]


def snapshot(side: Side) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in side.aligned()}


def through_frames(video: Path, root: Path, options: Options, fps: float = 0.0) -> dict[str, bytes]:
    """Take the way over PNG files."""
    workspace = Workspace(root)
    root.mkdir()
    (root / "data_src.mp4").write_bytes(video.read_bytes())
    frames_command.run(workspace, frames_command.Options(side="src", fps=fps))
    run(workspace, replace(options, from_video=False, fps=0.0), Squares())
    return snapshot(workspace.src)


@pytest.mark.parametrize("more", [{}, {"every": 5}, {"fps": 10.0}, {"fps": 10.0, "every": 3}])
def test_same_faces_as_through_frames(
    workspace: Workspace, squares: Squares, tmp_path: Path, more: dict[str, float]
) -> None:
    video = film(workspace.root / "data_src.mp4")
    options = replace(STRAIGHT, **more)  # type: ignore[arg-type]
    run(workspace, options, squares)
    assert not workspace.src.frames() and workspace.src.aligned()
    assert snapshot(workspace.src) == through_frames(video, tmp_path / "files", options, more.get("fps", 0.0))


class HandsBelow:
    """Sees a hand below each face, at its place in the frame."""

    def find(self, image: Image, landmarks: Points) -> list[Hand]:
        middle = landmarks.mean(axis=0) + np.float32([0, 12])
        assert image[int(middle[1]) - 12, int(middle[0])].mean() > 150, "the frame of this face"
        points = hand_points((float(middle[0]), float(middle[1]) + 20), 12).astype(np.float32)
        low, high = points.min(axis=0) - 4, points.max(axis=0) + 4
        square = np.float32([low, (high[0], low[1]), high, (low[0], high[1])])  # type: ignore[arg-type]
        return [Hand(square, points, 0.9, 0.9)]


def test_hands_are_looked_for_in_the_frames_of_the_video(workspace: Workspace, tmp_path: Path) -> None:
    video = film(workspace.root / "data_src.mp4")
    options = replace(STRAIGHT, occlusion="hands", people=False, smooth="off")
    other = Workspace(tmp_path / "files")
    other.root.mkdir()
    (other.root / "data_src.mp4").write_bytes(video.read_bytes())
    frames_command.run(other, frames_command.Options(side="src"))
    for place, straight in ((workspace, True), (other, False)):
        models = SquareModels(Squares())
        models.hands = HandsBelow()
        extract_command.run(place, replace(options, from_video=straight), models)
    assert not workspace.src.frames() and snapshot(workspace.src) == snapshot(other.src)
    assert all(file.record.occlusion is not None for file in load_faceset(workspace.src.aligned_dir).faces)
    assert any(file.record.occlusion for file in load_faceset(workspace.src.aligned_dir).faces)


def test_a_second_run_does_nothing(workspace: Workspace, squares: Squares) -> None:
    film(workspace.root / "data_src.mp4")
    run(workspace, STRAIGHT, squares)
    (workspace.src.aligned_dir / "00003_0.png").unlink()
    before = snapshot(workspace.src)
    assert len(before) == 19
    squares.batches.clear()
    for every in (1, 4):
        run(workspace, replace(STRAIGHT, every=every), squares)
    assert snapshot(workspace.src) == before and squares.batches == []


def test_more_of_the_frames_later(workspace: Workspace, squares: Squares, tmp_path: Path) -> None:
    video = film(workspace.root / "data_src.mp4")
    for every, searched in ((6, 4), (3, 4), (6, 0), (1, 16)):
        squares.batches.clear()
        run(workspace, replace(STRAIGHT, every=every), squares)
        assert sum(squares.batches) == searched
    assert snapshot(workspace.src) == through_frames(video, tmp_path / "files", STRAIGHT)


def test_the_report(workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]) -> None:
    film(workspace.root / "data_src.mp4")
    run(workspace, replace(STRAIGHT, debug=True), squares)
    text = capsys.readouterr().out
    assert "Frames searched: 24. Faces saved: 20" in text and "Frames without a face: 4 (00006.png" in text
    assert all(word in text for word in ("fix --side src", "2_extract_png_from_src", "--rotate on"))
    with pytest.raises(UserError, match="no frames") as caught:
        fix_faces.run(workspace, fix_faces.Options(side="src"), SquareModels(squares))
    assert "2_extract_png_from_src" in caught.value.fix
    assert len(list(workspace.src.debug_dir.glob("*.jpg"))) == 24
    (workspace.src.debug_dir / "00004_debug.jpg").unlink()
    run(workspace, replace(STRAIGHT, debug=True), squares)
    assert (workspace.src.debug_dir / "00004_debug.jpg").exists()
    text = capsys.readouterr().out
    assert "needed no search: 24" in text and "no longer there" not in text


SLOW_RUN = """
import sys, time
from pathlib import Path
from extract.squares import SquareModels, Squares
from facewright.core.workspace import Workspace
from facewright.commands import extract as step
detector = Squares()
quick = detector.detect
detector.detect = lambda frames: (time.sleep(0.05), quick(frames))[1]
options = step.Options(side="src", from_video=True, people=False, smooth="off")
step.run(Workspace(Path(sys.argv[1])), options, SquareModels(detector))
"""


def test_killed_in_the_middle_it_goes_on(workspace: Workspace, squares: Squares, tmp_path: Path) -> None:
    video = film(workspace.root / "data_src.mp4", 60)
    whole = through_frames(video, tmp_path / "files", STRAIGHT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "_internal")])}
    journal = workspace.src.extract_journal
    for lines in (5, 20):
        process = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(workspace.root)], env=environment)
        deadline = time.monotonic() + 60
        while not journal.exists() or journal.read_text().count("\n") < lines:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    squares.batches.clear()
    run(workspace, STRAIGHT, squares)
    assert 0 < sum(squares.batches) < 60 - 20 + 5
    assert snapshot(workspace.src) == whole


def test_another_video_is_noticed(workspace: Workspace, squares: Squares, typed: Callable[..., list[str]]) -> None:
    film(workspace.root / "data_src.mp4")
    run(workspace, STRAIGHT, squares)
    before = snapshot(workspace.src)
    film(workspace.root / "data_src.mp4", 12, shift=20)
    with pytest.raises(UserError, match=r"straight from data_src\.mp4, \d+ bytes") as caught:
        run(workspace, STRAIGHT, squares)
    assert "--redo" in caught.value.fix and snapshot(workspace.src) == before
    typed("y")
    run(workspace, STRAIGHT, squares)
    assert len(names(workspace.src)) == 10
    assert {path.name for path in workspace.trash.rglob("*_0.png")} == set(before)


def test_another_rate_is_another_video(workspace: Workspace, squares: Squares) -> None:
    """Frame 00002.png of 10 frames per second is not that of 25."""
    film(workspace.root / "data_src.mp4")
    run(workspace, STRAIGHT, squares)
    with pytest.raises(UserError, match="faces extracted"):
        run(workspace, replace(STRAIGHT, fps=10.0), squares)
    run(workspace, replace(STRAIGHT, fps=10.0, redo=True), squares)
    assert len(ExtractionLog.read(workspace.src).entries) == 10


def test_frames_of_that_video_that_come_later_are_known(workspace: Workspace, squares: Squares) -> None:
    film(workspace.root / "data_src.mp4")
    run(workspace, replace(STRAIGHT, every=2), squares)
    frames_command.run(workspace, frames_command.Options(side="src"))
    squares.batches.clear()
    run(workspace, Options(side="src"), squares)
    assert sum(squares.batches) == 12
    squares.batches.clear()
    run(workspace, STRAIGHT, squares)  # and the other way round
    assert sum(squares.batches) == 0


def test_frames_of_another_origin_ask_first(workspace: Workspace, squares: Squares) -> None:
    film(workspace.root / "data_src.mp4")
    run(workspace, STRAIGHT, squares)
    write_image(workspace.src.frames_dir / "00001.png", frame_with([(20, 20, 50)]))
    with pytest.raises(UserError, match="straight from"):
        run(workspace, Options(side="src"), squares)


def test_it_is_offered_where_there_are_no_frames(
    workspace: Workspace, squares: Squares, typed: Callable[..., list[str]]
) -> None:
    film(workspace.root / "data_src.mp4")
    with pytest.raises(UserError, match="no frames") as caught:
        run(workspace, Options(side="src"), squares)
    assert "--from-video" in caught.value.fix and "2_extract_png_from_src" in caught.value.fix
    shown = typed("n", "")
    with pytest.raises(UserError, match="no frames"):
        run(workspace, Options(side="src"), squares)
    run(workspace, Options(side="src"), squares)
    assert "data_src.mp4? [Y/n" in shown[-1] and len(names(workspace.src)) == 20


def test_no_video(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="no video"):
        run(workspace, STRAIGHT)
    with pytest.raises(UserError, match="no frames") as caught:
        run(workspace, Options(side="src"))
    assert "--from-video" not in caught.value.fix
    (workspace.root / "data_src.mp4").write_text("no video")
    with pytest.raises(UserError, match="is not a video"):
        run(workspace, STRAIGHT)


def test_a_video_that_ends_early(workspace: Workspace, squares: Squares) -> None:
    video = film(workspace.root / "data_src.mp4", 60)
    ffmpeg("-i", video, "-c", "copy", "-movflags", "+faststart", workspace.root / "x.mp4")
    data = (workspace.root / "x.mp4").read_bytes()
    video.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(UserError, match=r"damaged or cut off: about \d+ of its 60 frames"):
        run(workspace, STRAIGHT, squares)
    kept = len(names(workspace.src))
    assert 10 < kept < 50
    squares.batches.clear()
    run(workspace, STRAIGHT, squares)  # that is all there is
    assert not squares.batches and len(names(workspace.src)) == kept


def test_frames_of_a_large_video_are_read_less_far_ahead(workspace: Workspace) -> None:
    film(workspace.root / "data_src.mp4", 1)
    assert VideoSource(workspace.src).ahead == 16
    film(workspace.root / "data_src.mp4", 1, size=(2160, 3840))
    assert VideoSource(workspace.src).ahead == 7


def test_pictures_in_memory_are_bounded(workspace: Workspace, squares: Squares) -> None:
    film(workspace.root / "data_src.mp4", 120)
    source = VideoSource(workspace.src)
    todo = source.todo(ExtractionLog.read(workspace.src), set(), set())
    alive, most = 0, 0

    def counted():
        nonlocal alive, most
        for frame in todo.frames:
            alive += 1
            most = max(most, alive)
            yield frame

    workspace.src.aligned_dir.mkdir(parents=True)
    config = ExtractionConfig(workspace.src.aligned_dir, workspace.trash, size=64)
    with workers.threads(pipeline_workers()) as executor:
        extractor = FaceExtractor(config, squares, StillLandmarks())
        for _ in extract_faces(counted(), extractor, executor, ahead=source.ahead):
            alive -= 1
    # What is read ahead, what is searched, and a group of frames for each thread that writes and two that wait.
    assert most <= source.ahead + squares.batch_size(0, 0) + (max(2, cores()) + 2) * MAX_GROUP_FRAMES < 100
    assert len(load_faceset(workspace.src.aligned_dir).faces) == 100
