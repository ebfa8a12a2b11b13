"""Videos that were glued together by `cat`: those of which only the first is read are said."""

from pathlib import Path

import pytest

from clips import X264, beep, ffmpeg, picture
from facewright import Workspace, extract_frames
from facewright.video.glued import second_file

KINDS = {
    "mp4": X264,
    "mov": X264,
    "frag.mp4": [*X264, "-movflags", "frag_keyframe+empty_moov"],
    "flv": ["-c:v", "flv1", "-c:a", "mp3", "-ar", "44100"],
    "wmv": ["-c:v", "wmv2", "-c:a", "wmav2"],
    "ogv": ["-c:v", "libtheora", "-c:a", "libvorbis"],
}
READ_ON = {"ts": X264, "avi": ["-c:v", "mpeg4", "-c:a", "mp3"], "mkv": X264, "gif": ["-an"]}


def made(folder: Path, ending: str) -> Path:
    video = folder / f"data_dst.{ending}"
    ffmpeg(*picture(5), *beep(0.2, at=0.1), *{**KINDS, **READ_ON}[ending], video)
    return video


@pytest.mark.parametrize("ending", KINDS)
def test_the_second_file_is_found(tmp_path: Path, ending: str) -> None:
    video = made(tmp_path, ending)
    data = video.read_bytes()
    assert second_file(video) is None
    video.write_bytes(data + data)
    assert second_file(video) == len(data)
    video.write_bytes(data[: len(data) * 2 // 3])
    assert second_file(video) is None


@pytest.mark.parametrize("ending", READ_ON)
def test_what_is_read_on_is_no_second_file(tmp_path: Path, ending: str) -> None:
    video = made(tmp_path, ending)
    video.write_bytes(video.read_bytes() * 2)
    assert second_file(video) is None


def test_the_extraction_of_frames_says_it(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    video = made(workspace.root, "flv")
    data = video.read_bytes()
    video.write_bytes(data + data)
    assert extract_frames(workspace, side="dst").frames == 5
    assert f"byte {len(data):,} of {2 * len(data):,}" in capsys.readouterr().out
