"""cut-video is exact to the frame, whatever the container: each frame of the part, no other, with its sound."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clips import GREY, X264, ffmpeg, greys_of, pts_of
from facewright.commands import cut_video, extract_frames
from facewright.core.errors import UserError
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.video.probe import probe
from facewright.video.timing import read_timing

BEEP_AT = 5.4
H264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "2"]
MPEG2 = ["-c:v", "mpeg2video", "-bf", "2", "-g", "15", "-b:v", "2M"]
AAC, MP2, AC3, MP3 = (["-c:a", codec] for codec in ("aac", "mp2", "ac3", "libmp3lame"))
KINDS: dict[str, tuple[str, Sequence[str]]] = {
    "ts, short GOP": ("ts", [*H264, "-g", "12", *AAC]),
    "ts, one GOP": ("ts", [*H264, "-g", "250", *AAC]),
    "ts, open GOP": ("ts", [*H264, "-g", "25", "-x264-params", "open-gop=1", *AAC]),
    "ts, late": ("ts", [*H264, "-g", "25", *AAC, "-output_ts_offset", "5000"]),
    "ts, over the end of 33 bits": ("ts", [*H264, "-g", "25", *AAC, "-output_ts_offset", "95438"]),
    "ts, mpeg2": ("ts", [*MPEG2, *MP2]),
    "ts, interlaced": ("ts", ["-vf", "setfield=tff", *MPEG2, "-flags", "+ildct+ilme", *MP2]),
    "m2ts": ("m2ts", [*H264, "-g", "25", *AC3, "-f", "mpegts", "-mpegts_m2ts_mode", "1"]),
    "mpg": ("mpg", ["-c:v", "mpeg1video", "-g", "15", "-b:v", "2M", *MP2]),
    "vob": ("vob", [*MPEG2, *AC3]),
    "avi": ("avi", [*H264, *MP3]),
    "avi, mpeg4": ("avi", ["-c:v", "mpeg4", "-bf", "2", "-b:v", "2M", *MP3]),
    "mkv": ("mkv", [*H264, "-g", "25", *AAC, "-output_ts_offset", "33"]),
    "mp4": ("mp4", [*H264, "-g", "25", "-x264-params", "open-gop=1", *AAC]),
    "webm": ("webm", ["-c:v", "libvpx", "-b:v", "1M", "-g", "50", "-c:a", "libopus"]),
    "flv": ("flv", [*H264, *AAC]),
    "wmv": ("wmv", ["-c:v", "wmv2", "-c:a", "wmav2"]),
    "mxf": ("mxf", [*MPEG2, "-pix_fmt", "yuv422p", "-c:a", "pcm_s16le"]),
}


def ten_seconds(path: Path, more: Sequence[str], rate: str = "25", seconds: int = 10) -> Path:
    draw = GREY if seconds == 10 else GREY.replace("N*7", "(N+125)*7")
    beep = f"aevalsrc='if(between(t,{BEEP_AT},{BEEP_AT}+0.1),0.8*sin(2*PI*1000*t),0)':s=48000:d={seconds}"
    ffmpeg("-f", "lavfi", "-i", f"color=s=64x48:r={rate}:d={seconds},{draw}", "-f", "lavfi", "-i", beep, *more, path)
    return path


def check(video: Path, numbers: range, tolerance: float = 1.5) -> None:
    wanted = (40 + np.array(numbers) * 7 % 160 - 16) * 255 / 219
    found = np.array(greys_of(video))
    assert len(found) == len(numbers) and np.abs(found - wanted).max() < tolerance


def heard_at(video: Path) -> float:
    with av.open(str(video)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()).max(axis=0) > 0.2)
            if loud.size:
                return float(frame.time) + loud[0] / frame.sample_rate
    raise AssertionError("no beep")


@pytest.mark.parametrize("kind", KINDS)
def test_each_container(workspace: Workspace, kind: str) -> None:
    suffix, more = KINDS[kind]
    video = ten_seconds(workspace.root / f"data_dst.{suffix}", more)
    whole = video.read_bytes()
    cut_video.run(workspace, cut_video.Options(start="5", length="1.2"))
    cut = workspace.root / "data_dst.mp4"
    check(cut, range(125, 155))
    assert pts_of(cut) == [Fraction(n, 25) for n in range(30)]
    assert probe(cut).average_rate == 25 and probe(cut).duration == Fraction(6, 5)
    assert abs(heard_at(cut) - (BEEP_AT - 5)) < 0.03
    assert [path.read_bytes() for path in workspace.trash.rglob("data_dst.*")] == [whole]


@pytest.mark.parametrize(("start", "numbers"), [("0", range(25)), ("9", range(225, 250)), ("0.03", range(1, 26))])
def test_both_ends_and_between_frames(workspace: Workspace, start: str, numbers: range) -> None:
    ten_seconds(workspace.root / "data_dst.ts", KINDS["ts, short GOP"][1])
    cut_video.run(workspace, cut_video.Options(start=start, length="1"))
    check(workspace.root / "data_dst.mp4", numbers)


def test_ntsc(workspace: Workspace) -> None:
    """The part begins 8 ms before its first frame, and so does its sound."""
    ten_seconds(workspace.root / "data_dst.ts", KINDS["ts, short GOP"][1], rate="30000/1001")
    cut_video.run(workspace, cut_video.Options(start="5", length="1"))
    cut = workspace.root / "data_dst.mp4"
    check(cut, range(150, 180))
    assert pts_of(cut)[0] == 150 * Fraction(1001, 30000) - 5
    assert abs(heard_at(cut) - (BEEP_AT - 5)) < 0.03


@pytest.mark.parametrize("name", ["ts, short GOP", "vob"])
def test_glued_recordings(workspace: Workspace, capsys: pytest.CaptureFixture[str], name: str) -> None:
    suffix, more = KINDS[name]
    pieces = [ten_seconds(workspace.root / f"x.{suffix}", more, seconds=n).read_bytes() for n in (10, 8)]
    (workspace.root / f"data_dst.{suffix}").write_bytes(b"".join(pieces))
    cut_video.run(workspace, cut_video.Options(start="9", end="17.4"))
    assert "time stamps" in capsys.readouterr().out
    cut = workspace.root / "data_dst.mp4"
    found = np.array(greys_of(cut))
    numbers = np.array([*range(225, 250), *range(125, 310)])
    assert len(found) == 210 and np.abs(found - (40 + numbers * 7 % 160 - 16) * 255 / 219).max() < 1.5
    assert abs(heard_at(cut) - (1 + BEEP_AT)) < 0.04


def test_a_damaged_place(workspace: Workspace, tmp_path: Path) -> None:
    """What is cut is what can be decoded, each frame at its time."""
    draw = f"{GREY},noise=alls=20:allf=t"
    ffmpeg("-f", "lavfi", "-i", f"color=s=64x48:r=25:d=8,{draw}", *X264, "-g", "25", workspace.root / "data_dst.ts")
    data = bytearray((workspace.root / "data_dst.ts").read_bytes())
    begin, end = len(data) * 40 // 100, len(data) * 45 // 100
    data[begin:end] = bytes(end - begin)
    (workspace.root / "data_dst.ts").write_bytes(bytes(data))
    other = Workspace(tmp_path / "other")
    other.root.mkdir()
    (other.root / "data_dst.ts").write_bytes(bytes(data))
    extract_frames.run(other, extract_frames.Options(side="dst"))
    timing = read_timing(other.dst.timing_file)
    assert timing is not None and len(timing.pts) < 200
    times = [t - timing.seconds[0] for t in timing.seconds]
    inside = [n for n, t in enumerate(times) if 2 <= t < 5]
    cut_video.run(workspace, cut_video.Options(start="2", end="5"))
    cut = workspace.root / "data_dst.mp4"
    assert pts_of(cut) == [times[n] - 2 for n in inside]
    wanted = [float(read_image(other.dst.frames()[n]).mean()) for n in inside]
    assert np.abs(np.array(greys_of(cut)) - wanted).max() < 4


def test_streams_that_begin_late(workspace: Workspace) -> None:
    """0 is where a player begins: the sound starts a second before the picture."""
    picture = ["-itsoffset", "1", "-f", "lavfi", "-i", f"color=s=64x48:r=25:d=3,{GREY}"]
    beep = ["-f", "lavfi", "-i", "aevalsrc='if(between(t,2,2.1),0.8*sin(2*PI*1000*t),0)':s=48000:d=4"]
    ffmpeg(*picture, *beep, *X264, *AAC, workspace.root / "data_dst.mkv")
    cut_video.run(workspace, cut_video.Options(start="0.8", end="2.2"))
    cut = workspace.root / "data_dst.mp4"
    check(cut, range(30))
    assert pts_of(cut)[0] == Fraction(1, 5) and abs(heard_at(cut) - 1.2) < 0.03
    with pytest.raises(UserError, match=r"is 0:00:01\.400 long"):
        cut_video.run(workspace, cut_video.Options(start="1.5"))


def test_an_edit_list(workspace: Workspace) -> None:
    """What an mp4 hides before its beginning is not in the part."""
    ten_seconds(workspace.root / "x.mp4", KINDS["mp4"][1])
    ffmpeg("-ss", "1.52", "-i", workspace.root / "x.mp4", "-c", "copy", workspace.root / "data_dst.mp4")
    assert probe(workspace.root / "data_dst.mp4").frame_count > 212
    cut_video.run(workspace, cut_video.Options(start="3.48", length="1"))
    found = greys_of(workspace.root / "data_dst.mp4")
    assert len(found) == 25 and abs(heard_at(workspace.root / "data_dst.mp4") - (BEEP_AT - 5)) < 0.03
    assert abs(found[0] - (40 + 125 * 7 % 160 - 16) * 255 / 219) < 1.5


def test_a_part_behind_the_end_of_the_audio(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    picture = ["-f", "lavfi", "-i", f"color=s=64x48:r=25:d=6,{GREY}"]
    ffmpeg(*picture, "-f", "lavfi", "-i", "sine=d=2", *X264, *AAC, workspace.root / "data_dst.mp4")
    cut_video.run(workspace, cut_video.Options(start="4", end="5"))
    check(workspace.root / "data_dst.mp4", range(100, 125))
    assert probe(workspace.root / "data_dst.mp4").audio is None and "left out" in "".join(capsys.readouterr())


def test_a_part_whose_audio_is_damaged_is_cut_without_it(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    video = ten_seconds(workspace.root / "data_dst.mp4", KINDS["mp4"][1])
    with av.open(str(video)) as container:
        packets = [(float(p.pts * p.time_base), p.pos, p.size) for p in container.demux(audio=0) if p.size]
    data = bytearray(video.read_bytes())
    for time, place, size in packets:
        if 2 < time < 6:
            data[place : place + size] = b"\xff" * size
    video.write_bytes(data)
    cut_video.run(workspace, cut_video.Options(start="3", end="5"))
    check(video, range(75, 125))
    assert not probe(video).audio_tracks
    assert "track 1" in capsys.readouterr().out
