"""Files with several video tracks: which one is taken is said, and another one can be chosen."""

import json
from pathlib import Path

import pytest

from clips import X264, beep, ffmpeg, greys_of
from facewright import UserError, Workspace, cli, extract_frames, run_command
from facewright.core.images import read_image

DARK, LIGHT = (
    ("-f", "lavfi", "-i", "color=black:s=64x48:r=25:d=0.2"),
    ("-f", "lavfi", "-i", "color=gray:s=96x72:r=25:d=0.2"),
)


@pytest.fixture
def video(workspace: Workspace) -> Path:
    """The larger of its two tracks, the second, is the main one; the first is black."""
    path = workspace.root / "data_dst.mp4"
    ffmpeg(*DARK, *LIGHT, *beep(0.2, at=0.1), "-map", "0:v", "-map", "1:v", "-map", "2:a", *X264, path)
    return path


def brightness(workspace: Workspace) -> float:
    return float(read_image(workspace.dst.frames()[0]).mean())


def test_the_track_that_is_taken_is_named_and_another_can_be_chosen(
    workspace: Workspace, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["extract-frames", "--side", "dst", "--yes", "--workspace", str(workspace.root)]
    assert cli.main(line) == 0
    said = capsys.readouterr().out
    taken = 2 if brightness(workspace) > 50 else 1
    other = 3 - taken
    assert f"--video-track={other}" in said and "96x72" in said and "64x48" in said
    assert cli.main([*line, "--redo", f"--video-track={other}"]) == 0
    assert (brightness(workspace) > 50) == (other == 2)
    assert json.loads(workspace.dst.timing_file.read_text())["settings"]["video_track"] == other
    before = workspace.dst.frames()[0].stat().st_mtime_ns
    assert extract_frames(workspace, side="dst", video_track=other).written == 0
    assert workspace.dst.frames()[0].stat().st_mtime_ns == before
    with pytest.raises(UserError, match="track"):
        extract_frames(workspace, side="dst")


def test_what_a_run_that_was_killed_at_its_very_end_has_left_goes(workspace: Workspace, video: Path) -> None:
    extract_frames(workspace, side="dst")
    left = workspace.dst.frames_dir / ".frames.partial.jsonl"
    left.write_text("{}")
    assert extract_frames(workspace, side="dst").written == 0 and not left.exists()


def test_a_track_that_is_not_there(workspace: Workspace, video: Path) -> None:
    with pytest.raises(UserError, match="96x72"):
        extract_frames(workspace, side="dst", video_track=3)


@pytest.mark.parametrize("track", [1, 2])
def test_a_cut_keeps_the_track_that_is_named(workspace: Workspace, video: Path, track: int) -> None:
    run_command("cut-video", workspace, start="0.04", end="0.12", video_track=track)
    greys = greys_of(video)
    assert len(greys) == 2 and (greys[0] > 50) == (track == 2)
