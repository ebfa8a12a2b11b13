"""Times that rise, whatever the container says: glued recordings, jumps, equal times; the audio moves alike."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from clips import FLASH_AT, GREY, X264, beep, ffmpeg, flash_and_beep, greys_of, picture, pts_of
from facewright.commands import cut_video, extract_frames, make_video
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.video.audio_placing import AudioPackets, place_audio
from facewright.video.frames import FrameSettings, VideoFrames, write_frames
from facewright.video.probe import packet_times, probe
from facewright.video.timeline import Straightened, straighten
from facewright.video.timing import Section, Timing, read_timing

MS = Fraction(1, 1000)
EVEN = list(range(0, 1000, 40))


def straight(stamps: Sequence[int], **more: object) -> Straightened:
    return straighten(stamps, MS, Fraction(25), **more)  # type: ignore[arg-type]


def times(stamps: Sequence[int], **more: object) -> list[Fraction]:
    """In ticks of 1 ms."""
    found = straight(stamps, **more)
    return [p * found.time_base / MS for p in found.pts]


def shifted(*parts: int) -> list[int]:
    """25 frames of 40 ms from each of these times on."""
    return [start + t for start in parts for t in EVEN]


def test_clean_times_stay_as_they_are() -> None:
    uneven = [n * 40 + 17 * (n % 3) + 300 * (n > 14) for n in range(30)]
    for stamps in (EVEN, uneven, [-1000, -960, 40], [7], [0, 10_000, 20_000, 30_000]):
        found = straight(stamps)
        assert (list(found.pts), found.time_base, found.changes) == (stamps, MS, ())
        assert len(found.sections) == 1 and found.sections[0].shift == 0


@pytest.mark.parametrize("starts", [(0, 0), (1400, 1400, 1400), (0, 7_200_000), (0, 7_200_000, 1000), (9000, 500, 0)])
def test_pieces_are_joined(starts: tuple[int, ...]) -> None:
    found = straight(shifted(*starts))
    assert list(found.pts) == [starts[0] + 40 * n for n in range(25 * len(starts))]
    assert [s.begin for s in found.sections] == [start * MS for start in starts]
    assert found.changes


@pytest.mark.parametrize("length", [3, 5, 7, 12])
def test_short_pieces_are_joined(length: int) -> None:
    assert times(EVEN[:length] * 9) == [40 * n for n in range(length * 9)]


def test_a_long_picture_stays_while_the_sound_runs_on() -> None:
    stamps = [*EVEN, 30_000, 30_040]
    assert times(stamps, is_heard=lambda begin, end: True) == stamps
    assert times(stamps) == [40 * n for n in range(27)]


def test_equal_times_are_one_tick_apart() -> None:
    assert times([0, 0, 40, 40, 40, 80]) == [0, 1, 40, 41, 42, 80]
    assert times([0, 40, 80, 80, 80]) == [0, 40, 80, 81, 82]


def test_equal_times_without_free_ticks_are_parts_of_a_tick_apart() -> None:
    assert times([0, 1, 1, 2, 2, 3]) == [0, 1, 1.5, 2, 2.5, 3]
    found = straight([n // 5 for n in range(500)])
    assert found.pts == tuple(range(500)) and found.time_base == MS / 5


def test_single_wrong_times_do_not_move_the_others() -> None:
    for wrong in (0, 60, 7_200_000, -50_000):
        stamps = [*EVEN[:9], wrong, *EVEN[10:]]
        assert times(stamps) == [*EVEN[:9], 321, *EVEN[10:]]
    jitter = [n * 40 + 25 * (n % 4 == 1) - 20 * (n % 4 == 2) for n in range(50)]
    found = times(jitter)
    assert all(b > a for a, b in pairwise(found)) and max(abs(a - b) for a, b in zip(found, jitter, strict=True)) <= 6


def test_no_times_at_all() -> None:
    assert times([5] * 4) == [5, 45, 85, 125]


@pytest.mark.parametrize("seed", range(30))
def test_any_times_rise(seed: int) -> None:
    random = np.random.default_rng(seed)
    steps = random.choice([0, 1, 33, 40, 40, 40, 500, -40, -900, 9000, -(10**9), 10**9], size=200)
    found = straight([int(n) for n in np.cumsum(steps)])
    assert len(found.pts) == 200 and all(b > a for a, b in pairwise(found.pts))
    assert (found.pts[-1] - found.pts[0]) * found.time_base < 200 * 9


def placed(
    sections: Sequence[tuple[int, int, int]], starts: Sequence[int], restarts: Sequence[int] = ()
) -> list[int | None]:
    """Place packets of 20 ms; `restarts` is how often the video began anew before each."""
    noted = list(restarts) or [0] * len(starts)
    audio = AudioPackets(MS, list(starts), [20] * len(starts), noted, max(noted))
    return place_audio(audio, [Section(*(t * MS for t in section)) for section in sections]).places


TWO = [(0, 1000, 0), (0, 1000, 1000)]


def test_audio_moves_with_its_section() -> None:
    assert placed(TWO, [*range(0, 1000, 20), *range(0, 1000, 20)]) == list(range(0, 2000, 20))
    later = [(0, 1000, 0), (7_200_000, 7_201_000, -7_199_000), (0, 1000, 2000)]
    assert placed(later, [0, 7_200_000, 7_200_500, 0, 980]) == [0, 1000, 1500, 2000, 2980]


def test_audio_that_runs_over_the_end_of_its_section_is_left_out() -> None:
    # The first section's audio is 100 ms too long, the second one's begins 40 ms before its picture.
    found = placed(TWO, [*range(900, 1100, 20), *range(-40, 100, 20)])
    assert found == [900, 920, 940, 960, 980, *[None] * 5, None, None, 1000, 1020, 1040, 1060, 1080]


def test_audio_that_breaks_by_itself_goes_on() -> None:
    assert placed([(0, 9000, 0)], [0, 20, 40, -500_000, -499_980, 100, 120]) == [0, 20, 40, 60, 80, 100, 120]
    assert placed([(0, 9000, 0)], [0, 20, 7_200_000, 7_200_020]) == [0, 20, 40, 60]


def test_audio_that_one_section_lacks() -> None:
    three = [(0, 1000, 0), (0, 1000, 1000), (0, 1000, 2000)]
    assert placed(three, [0, 980, 0, 980], [0, 0, 2, 2]) == [0, 980, 2000, 2980]


def test_audio_that_runs_on_where_the_video_breaks() -> None:
    for section in ((600_000, 601_000, -599_000), (500, 1500, 500)):
        assert placed([(0, 1000, 0), section], range(0, 2000, 20)) == list(range(0, 2000, 20))


def test_packets_of_the_same_time_stay_apart_at_any_rate_of_sound() -> None:
    fine = AudioPackets(Fraction(1, 90_000), [0, 0, 0, 900], [0] * 4, [0] * 4)
    found = place_audio(fine, [Section(Fraction(0), Fraction(1), Fraction(0))]).places
    assert found == [0, 12, 24, 900]  # each a tick of 8 kHz or more after the one before


def test_audio_that_is_clean_stays() -> None:
    for starts in ([0, 20, 40], [-400, -380, 9990], [0, 5000, 30_000, 30_020], [0, 20, 39, 60]):
        assert placed([(0, 31_000, 0)], starts) == starts


def piece(path: Path, *, flash: bool, more: Sequence[str] = ()) -> bytes:
    """One second; with a flash and a beep at FLASH_AT, or grey and silent."""
    if flash:
        draw = f"geq=lum='if(between(T,{FLASH_AT}-0.001,{FLASH_AT}+0.1),235,40)':cb=128:cr=128"
        ffmpeg(*picture(25, draw=draw), *beep(1.0), *more, path)
    else:
        ffmpeg(*picture(25, draw="geq=lum=40:cb=128:cr=128"), *beep(1.0, at=9), *more, path)
    return path.read_bytes()


MPEG2 = ["-c:v", "mpeg2video", "-b:v", "2M", "-bf", "2"]
GLUED = {
    "a.ts": [*X264, "-c:a", "aac"],
    "b.ts": ["-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "ac3"],
    "c.ts": [*MPEG2, "-c:a", "mp2"],
    "d.mpg": [*MPEG2, "-c:a", "mp2"],
    "e.vob": [*MPEG2, "-c:a", "ac3"],
}


def extract(workspace: Workspace) -> Timing:
    extract_frames.run(workspace, extract_frames.Options(side="dst"))
    timing = read_timing(workspace.dst.timing_file)
    assert timing is not None
    return timing


def make(workspace: Workspace, container: str = "mp4", audio_track: int = 0) -> Path:
    workspace.dst.frames_dir.joinpath("merged").mkdir(exist_ok=True)
    for path in workspace.dst.frames():
        (workspace.dst.merged_dir / path.name).write_bytes(path.read_bytes())
    make_video.run(workspace, make_video.Options(container=container, audio_track=audio_track))
    return workspace.result.with_suffix(f".{container}")


def glue(workspace: Workspace, name: str, offset: float = 0) -> Path:
    """A grey second, then one with a flash and a beep whose time stamps begin anew, or far ahead."""
    video = workspace.root / f"data_dst{Path(name).suffix}"
    first = piece(workspace.root / name, flash=False, more=GLUED[name])
    second = piece(workspace.root / name, flash=True, more=[*GLUED[name], "-output_ts_offset", str(offset)])
    video.write_bytes(first + second)
    return video


@pytest.mark.parametrize("container", ["mp4", "avi"])
@pytest.mark.parametrize("name", GLUED)
def test_glued_recordings(workspace: Workspace, capsys: pytest.CaptureFixture[str], name: str, container: str) -> None:
    glue(workspace, name)
    timing = extract(workspace)
    assert "time stamps" in capsys.readouterr().out
    first = timing.seconds[0]
    assert [t - first for t in timing.seconds] == [Fraction(n, 25) for n in range(50)]
    result = make(workspace, container)
    assert len(greys_of(result)) == 50
    flash, heard = flash_and_beep(result)
    assert abs(flash - 1 - FLASH_AT) < 0.001 and abs(heard - flash) < 0.04


@pytest.mark.parametrize("offset", [7200, -0.5, 95_440])
def test_streams_whose_clock_jumps(workspace: Workspace, offset: float) -> None:
    """An advertisement with a clock of its own; 95,443 s is where 33 bits are full."""
    glue(workspace, "b.ts", offset)
    timing = extract(workspace)
    first = timing.seconds[0]
    assert [t - first for t in timing.seconds] == [Fraction(n, 25) for n in range(50)]
    flash, heard = flash_and_beep(make(workspace))
    assert abs(flash - 1 - FLASH_AT) < 0.001 and abs(heard - flash) < 0.04


def moved_times(file: bytes, stream: int, first: int, seconds: float, count: int = 1 << 30) -> bytes:
    """Add seconds to `count` time stamps, from `first` on, of a stream in a .ts: 0 is the video, 1 the first audio."""
    data, number = bytearray(file), 0
    for packet in range(0, len(data) - 187, 188):
        head = packet + 4 + (data[packet + 4] + 1 if data[packet + 3] & 0x20 else 0)
        mine = data[packet + 1] & 0x1F == 1 and data[packet + 2] == stream  # PIDs from 0x100 on
        if not mine or not data[packet + 1] & 0x40 or data[head : head + 3] != b"\0\0\1":
            continue
        number += 1
        if not first <= number < first + count:
            continue
        for at in range(head + 9, head + 9 + data[head + 8], 5):
            a, b, c, d, e = data[at : at + 5]
            time = (a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1
            time = (time + round(seconds * 90_000)) % (1 << 33)
            data[at] = a & 0xF1 | time >> 30 << 1
            data[at + 1 : at + 5] = (
                (time >> 22 & 0xFF) << 24
                | ((time >> 15 & 0x7F) << 1 | 1) << 16
                | (time >> 7 & 0xFF) << 8
                | (time & 0x7F) << 1
                | 1
            ).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize(("seconds", "count"), [(-0.8, 99), (1000, 99), (-0.8, 1), (1000, 1)])
def test_one_stream_alone_falls_back_or_jumps(workspace: Workspace, kind: int, seconds: float, count: int) -> None:
    stream = piece(workspace.root / "x.ts", flash=True, more=[*X264, "-c:a", "mp2"])
    first = 3 if kind else 12
    moved = moved_times(stream, kind, first, seconds, count)
    assert moved != stream
    (workspace.root / "data_dst.ts").write_bytes(moved)
    timing = extract(workspace)
    assert all(b > a for a, b in pairwise(timing.pts)) and 0.9 < timing.seconds[-1] - timing.seconds[0] < 1
    flash, heard = flash_and_beep(make(workspace))
    assert abs(heard - flash) < 0.03 and abs(flash - FLASH_AT) < 0.05


@pytest.mark.parametrize("track", [1, 2])
def test_another_track_alone_falls_back(workspace: Workspace, track: int) -> None:
    """The time stamps of the second one begin anew in its middle."""
    draw = f"geq=lum='if(between(T,{FLASH_AT}-0.001,{FLASH_AT}+0.1),235,40)':cb=128:cr=128"
    tracks = [*beep(1.0), *beep(1.0), "-map", "0", "-map", "1", "-map", "2", "-c:a", "mp2"]
    ffmpeg(*picture(25, draw=draw), *tracks, *X264, workspace.root / "x.ts")
    stream = (workspace.root / "x.ts").read_bytes()
    moved = moved_times(stream, 2, 3, -40)
    assert moved != stream
    (workspace.root / "data_dst.ts").write_bytes(moved)
    extract(workspace)
    flash, heard = flash_and_beep(make(workspace, audio_track=track))
    assert abs(flash - FLASH_AT) < 0.001 and abs(heard - FLASH_AT) < 0.03


def test_times_of_frames_brought_from_elsewhere(workspace: Workspace) -> None:
    glue(workspace, "b.ts")
    timing = extract(workspace)
    workspace.dst.timing_file.unlink()
    times = pts_of(make(workspace))
    first = timing.seconds[0]
    assert [t - times[0] for t in times] == [t - first for t in timing.seconds]


@pytest.mark.parametrize(("suffix", "silent"), [("mp4", False), ("mkv", True), ("mp4", True)])
def test_a_gap_of_hours(workspace: Workspace, capsys: pytest.CaptureFixture[str], suffix: str, silent: bool) -> None:
    draw = f"{GREY},settb=1/1000,setpts='N*40+7200000*gt(N\\,10)'"
    exact = ["-fps_mode", "passthrough", "-enc_time_base", "1/1000"]
    sound = [] if silent else beep(1.0)
    ffmpeg(*picture(25, draw=draw), *sound, *X264, *exact, workspace.root / f"data_dst.{suffix}")
    assert extract(workspace).seconds == [Fraction(n, 25) for n in range(25)]
    assert "7200" in capsys.readouterr().out
    assert pts_of(make(workspace)) == [Fraction(n, 25) for n in range(25)]


def test_a_still_picture_with_sound_is_no_gap(workspace: Workspace) -> None:
    draw = f"{GREY},settb=1/1000,setpts='N*40+9000*gt(N\\,10)'"
    exact = ["-fps_mode", "passthrough", "-enc_time_base", "1/1000"]
    ffmpeg(*picture(25, draw=draw), *beep(10.0), *X264, *exact, workspace.root / "data_dst.mp4")
    wanted = [Fraction(n * 40 + 9000 * (n > 10), 1000) for n in range(25)]
    assert extract(workspace).seconds == wanted
    assert pts_of(make(workspace)) == wanted


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_a_silent_slide_stays_as_long_as_the_file_says(workspace: Workspace, suffix: str) -> None:
    draw = f"{GREY},settb=1/100,setpts='N*4+2000*gt(N\\,10)'"
    codec = [] if suffix == "gif" else X264
    exact = ["-fps_mode", "passthrough", "-enc_time_base", "1/100"]
    ffmpeg(*picture(15, draw=draw), *codec, *exact, workspace.root / f"data_dst.{suffix}")
    wanted = [Fraction(n * 4 + 2000 * (n > 10), 100) for n in range(15)]
    assert extract(workspace).seconds == wanted
    assert pts_of(make(workspace)) == wanted


def test_frames_of_the_same_millisecond(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["-c:v", "ffv1", "-fps_mode", "passthrough"]
    ffmpeg(*picture(40, rate="2000"), *more, workspace.root / "data_dst.mkv")
    assert len(set(packet_times(probe(workspace.root / "data_dst.mkv")))) < 40
    timing = extract(workspace)
    assert all(b > a for a, b in pairwise(timing.pts)) and timing.seconds[-1] < Fraction(3, 100)
    assert "one tick" in capsys.readouterr().out
    found = pts_of(make(workspace))
    assert len(found) == 40 and all(b > a for a, b in pairwise(found)) and found[-1] < Fraction(3, 100)


def test_thinning_and_going_on_in_glued_recordings(workspace: Workspace, tmp_path: Path) -> None:
    video = glue(workspace, "b.ts")
    info, settings = probe(video), FrameSettings(5.0, "png")
    whole = write_frames(info, tmp_path / "a", tmp_path / "a.json", settings, lambda n: None)
    assert whole.written == 10
    assert [frame.index for frame in VideoFrames(info, fps=5.0)] == list(range(1, 11))
    done = 0

    def stop(count: int) -> None:
        nonlocal done
        done += count
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_frames(info, tmp_path / "b", tmp_path / "b.json", settings, stop)
    again = write_frames(info, tmp_path / "b", tmp_path / "b.json", settings, lambda n: None)
    assert again.resumed >= 6 and again.timing == whole.timing
    for path in (tmp_path / "a").glob("*.png"):
        assert np.array_equal(read_image(path), read_image(tmp_path / "b" / path.name))


def test_a_late_picture_of_variable_rate(workspace: Workspace) -> None:
    draw = "geq=lum='if(eq(N,4),235,60+40*sin((X+3*N)/9))':cb=128:cr=128,settb=1/1000,setpts='N*30+900*gt(N\\,6)'"
    exact = ["-fps_mode", "passthrough", "-enc_time_base", "1/1000"]
    more = ["-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    ffmpeg(
        "-itsoffset",
        "0.06",
        *picture(12, draw=draw),
        *beep(1.5, at=0.18),
        *more,
        *exact,
        workspace.root / "data_dst.mkv",
    )
    extract(workspace)
    flash, heard = flash_and_beep(make(workspace))
    assert abs(flash - 0.18) < 0.002 and abs(heard - 0.18) < 0.03
    cut_video.run(workspace, cut_video.Options(start="0.05", end="1.4"))
    flash, heard = flash_and_beep(workspace.root / "data_dst.mp4")
    assert abs(flash - 0.13) < 0.002 and abs(heard - 0.13) < 0.03
