"""What no step reads is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clips import clip
from commands import faceset_runs
from commands.convert_runs import StubModels, fill, run
from facewright.commands import make_video
from facewright.core.images import write_image
from facewright.core.left_out import warn_of_left_out_frames
from facewright.core.workspace import Workspace
from facewright.extract.log import frames_to_search
from facewright.facesets.common import load_side_faces

BLANK = np.zeros((8, 8, 3), np.uint8)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_files_that_cannot_be_read_and_subfolders(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    frames = workspace.src.frames_dir
    for name in ("a.png", "trip/b.jpg", "trip/c.webp", "aligned/d.png", "merged/e.png"):
        (frames / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(frames / name, BLANK)
    touch(frames / "f.psd", frames / "g.mp4", frames / "frames.json", frames / "Thumbs.db", frames / "._a.png")
    assert [path.name for path in frames_to_search(workspace.src)] == ["a.png"]
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(": f.psd, g.mp4.") and "trip (2)" in second and "aligned" not in second


def test_nothing_is_said_of_a_tidy_folder(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_left_out_frames(workspace.src)  # no folder at all
    fill(workspace)
    frames_to_search(workspace.dst)
    load_side_faces(workspace, workspace.dst)
    assert capsys.readouterr().out == ""


def test_faces_in_subfolders(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    fill(workspace)
    aligned = workspace.dst.aligned_dir
    (aligned / "keep").mkdir()
    (aligned / "00001_0.png").rename(aligned / "keep" / "00001_0.png")
    touch(aligned / "old.jpg")
    steps: list[Callable[[], object]] = [
        lambda: load_side_faces(workspace, workspace.dst),
        lambda: run(workspace, StubModels()),
    ]
    for read in steps:
        read()
        said = capsys.readouterr().out
        assert "keep (1)" in said and "old.jpg" in said


def test_folders_that_a_user_names(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(workspace)
    other = Workspace(tmp_path / "other")
    fill(other)
    touch(other.dst.aligned_dir / "old.webp")
    for action in ("merge", "import"):
        faceset_runs.run(workspace, action, "--side", "src", "--source", str(other.dst.aligned_dir))
        assert "old.webp" in capsys.readouterr().out


def test_merged_frames_of_another_format(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    clip(workspace.root / "data_dst.mp4", frames=6, size="80x60")
    fill(workspace)
    run(workspace, StubModels())
    touch(workspace.dst.merged_dir / "00007.exr")
    make_video.run(workspace, make_video.Options(crf=30))
    assert "00007.exr" in capsys.readouterr().out
