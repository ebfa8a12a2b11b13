"""What a file is, and sentences for what is no video."""

import errno
import os
from fractions import Fraction
from pathlib import Path

import pytest

from clips import GREY, X264, clip, ffmpeg, picture, variable_clip, variable_times
from facewright.core.errors import UserError
from facewright.video.ffmpeg import ffmpeg_exe, ffmpeg_version, has_filters
from facewright.video.probe import packet_times, probe


def test_the_bundled_program_is_there() -> None:
    assert Path(ffmpeg_exe()).is_file()
    assert int(ffmpeg_version().split(".")[0]) >= 5
    assert has_filters("scale", "bwdif") and not has_filters("scale", "no_such_filter")


def test_plain_clip(tmp_path: Path) -> None:
    info = probe(clip(tmp_path / "ä b.mp4", frames=12, rate="30000/1001", audio=True))
    assert (info.size, info.frame_count, info.counted) == ((48, 64), 12, True)
    assert info.average_rate == Fraction(30000, 1001)
    assert info.audio is not None and info.audio.codec == "aac" and info.audio.start == 0
    assert not info.interlaced and not info.hdr and info.rotation == 0 and info.pixel_aspect == 1


def test_variable_rate_is_not_the_nominal_one(tmp_path: Path) -> None:
    info = probe(variable_clip(tmp_path / "v.mp4"))
    assert [t * info.time_base for t in packet_times(info)] == variable_times()


@pytest.mark.parametrize("name", ["data_dst.mp4", "data_dst.mkv"])
def test_text_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("this is no video, it is a letter\n" * 30)
    with pytest.raises(UserError, match="is not a video"):
        probe(path)


def test_playlist_under_a_video_name_reads_nothing_else(tmp_path: Path) -> None:
    clip(tmp_path / "other.mp4", frames=3)
    path = tmp_path / "data_dst.mp4"
    path.write_text("ffconcat version 1.0\nfile http://127.0.0.1:9/other.mp4\n")
    with pytest.raises(UserError):
        probe(path)


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile other.mp4\n",
        "\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.0,\nother.mp4\n#EXT-X-ENDLIST\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
    ],
)
def test_a_list_of_other_files_is_no_video(tmp_path: Path, text: str) -> None:
    """It could name a file of the user's, or a pipe."""
    clip(tmp_path / "other.mp4", frames=3)
    path = tmp_path / "data_dst.mp4"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="list of other files"):
        probe(path)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UserError, match="is empty"):
        probe(tmp_path / "a.mp4")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        probe(tmp_path / "absent.mp4")
    (tmp_path / "a.mp4").write_bytes(b"no video")

    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(UserError, match="cannot be read"):
        probe(tmp_path / "a.mp4")


def test_cut_off_before_its_index(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.mp4", frames=50)
    data = whole.read_bytes()
    assert data.index(b"moov") > data.index(b"mdat")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: data.index(b"moov") - 10])
    with pytest.raises(UserError, match="cut off: its index"):
        probe(cut)


def test_sound_only_and_cover_art(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", tmp_path / "a.m4a")
    with pytest.raises(UserError, match=r"a\.m4a .*only audio"):
        probe(tmp_path / "a.m4a")
    ffmpeg(*picture(1), tmp_path / "cover.png")
    arguments = ["-map", "0", "-map", "1", "-c:v", "mjpeg", "-disposition:v", "attached_pic"]
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", "-i", tmp_path / "cover.png", *arguments, tmp_path / "b.mp3")
    with pytest.raises(UserError, match=r"b\.mp3 .*audio and cover art"):
        probe(tmp_path / "b.mp3")


def test_tags(tmp_path: Path) -> None:
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    ffmpeg(*picture(3, draw=f"{GREY},{tags}"), *X264[:-1], "yuv420p10le", tmp_path / "h.mp4")
    info = probe(tmp_path / "h.mp4")
    assert info.hdr and info.deep and info.colour.primaries == "bt2020"
