"""The program as a library, through `from facewright import …` alone."""

import subprocess
import sys
from pathlib import Path

import pytest

import facewright
from facewright import UserError, Workspace, convert_frames, extract_frames, make_video, run_command

INTERNAL = Path(facewright.__file__).resolve().parents[1]
SAMPLE = INTERNAL / "sample"


def test_importing_it_costs_no_network_library() -> None:
    program = (
        "import sys, facewright; from facewright import Workspace; print({'keras', 'cv2', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=INTERNAL)
    assert done.stdout.strip() == "set()"


def test_frames_come_out_and_a_second_call_does_nothing_again(tmp_path: Path) -> None:
    (tmp_path / "data_dst.mp4").symlink_to(SAMPLE / "data_dst.mp4")
    workspace = Workspace(tmp_path)
    cut = run_command("cut-video", workspace, start="0", end="0.4")
    assert cut is not None
    report = extract_frames(workspace, side="dst", image_format="jpg")
    frames = sorted((tmp_path / "data_dst").glob("*.jpg"))
    assert report.frames == len(frames) > 0
    assert extract_frames(workspace, side="dst", image_format="jpg").written == 0


def test_mistakes_are_errors_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        convert_frames(Workspace(tmp_path))
    assert "3_extract_png_from_dst" in caught.value.fix
    with pytest.raises(UserError):
        convert_frames(Workspace(tmp_path), erode=1000)
    with pytest.raises(TypeError, match="errode"):
        convert_frames(Workspace(tmp_path), errode=10)
    with pytest.raises(UserError):
        make_video(Workspace(tmp_path))
