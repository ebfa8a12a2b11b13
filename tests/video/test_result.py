"""Frames + times + audio -> a video: what is shown when, and what is heard when."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clips import ffmpeg, flash_and_beep, flash_clip, greys_of, pts_of
from facewright.core.errors import UserError
from facewright.video.audio import AudioStream, audio_is_copied
from facewright.video.encode import EncodeSettings, encode_segments, image_size, plan_segments
from facewright.video.frames import FrameSettings, write_frames
from facewright.video.mux import Timeline, join
from facewright.video.probe import Colour, probe
from facewright.video.result import ResultFile, ResultPlan, ResultSettings, encode_settings

BT709 = Colour("bt709", "bt709", "bt709", "tv")
TAGS = {"comment": "made with a trained network", "digitalSourceType": "http://cv.iptc.org/x"}


def drawn_frames(folder: Path, count: int, size: tuple[int, int] = (48, 64), ending: str = ".png") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{n + 1:05d}{ending}" for n in range(count)]
    for n, path in enumerate(paths):
        picture = np.full((*size, 3), 40 + n * 7 % 160, np.uint8)
        picture[: size[0] // 2, : size[1] // 2] = (30, 60, 200)
        assert cv2.imwrite(str(path), picture)
    return paths


def result_of(
    target: Path,
    plan: ResultPlan,
    order: ResultSettings,
    source: Path | None = None,
    audio: AudioStream | None = None,
    tags: dict[str, str] = TAGS,
) -> ResultFile:
    encoding = encode_settings(plan, order)
    return ResultFile(target, plan, encoding, order.container, source, audio, tags, target.parent / "trash")


def make(
    tmp_path: Path, frames: list[Path], timeline: Timeline, name: str = "result.mp4", colour: Colour = BT709
) -> Path:
    plan = ResultPlan(tuple(frames), timeline, colour, "bt709")
    order = ResultSettings(16, 0.0, name[-3:])
    result_of(tmp_path / name, plan, order).make(lambda n: None)
    return tmp_path / name


def test_constant_rate(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    video = make(tmp_path, drawn_frames(tmp_path / "m", 150), Timeline.constant(150, rate, Fraction(7, 10)))
    assert pts_of(video) == [n / rate for n in range(150)]
    found = np.array(greys_of(video))
    assert np.abs(np.diff(found)[:5]).min() > 3  # neighbours differ, so an exchange would be seen
    info = probe(video)
    assert (info.frame_count, info.average_rate, info.colour) == (150, rate, BT709)
    assert info.codec == "h264" and info.pixel_format == "yuv420p"
    data = video.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart


def test_variable_rate_keeps_every_time(tmp_path: Path) -> None:
    times = [Fraction(n * 40 + 17 * (n % 3) + 900 * (n > 50), 1000) for n in range(130)]
    timeline = Timeline(tuple(times), times[-1] + Fraction(3, 10), Fraction(129) / times[-1], Fraction(1, 1000))
    video = make(tmp_path, drawn_frames(tmp_path / "m", 130), timeline)
    assert pts_of(video) == times
    steady = make(
        tmp_path, drawn_frames(tmp_path / "m", 130), Timeline.constant(130, Fraction(25), Fraction(0)), "s.mp4"
    )
    assert np.abs(np.array(greys_of(video)) - greys_of(steady)).max() < 1
    with av.open(str(video)) as container:
        assert abs(container.duration / 1e6 - float(timeline.end)) < 0.002
        packets = [(p.dts, p.pts) for p in container.demux(video=0) if p.size]
    assert all(d <= p for d, p in packets) and all(a[0] < b[0] for a, b in pairwise(packets))


def test_colours_come_back(tmp_path: Path) -> None:
    for colour, matrix, height in (
        (BT709, "bt709", 720),
        (Colour("bt470bg", "smpte170m", "bt470bg", "tv"), "bt601", 48),
    ):
        folder = tmp_path / matrix
        frames = drawn_frames(folder / "m", 3, (height, 64))
        settings = EncodeSettings(8, 0.0, True, Fraction(25), colour, matrix)
        segments = plan_segments(frames, settings, folder)
        encode_segments(frames, segments, settings, lambda n: None)
        video = folder / "data_dst.mp4"
        join(segments, settings, Timeline.constant(3, Fraction(25), Fraction(0)), None, None, video, "mp4", {})
        assert probe(video).colour == colour
        write_frames(probe(video), folder / "f", folder / "f.json", FrameSettings(0.0, "png"), lambda n: None)
        before, after = (cv2.imread(str(p)).astype(int) for p in (frames[1], folder / "f" / "00002.png"))
        assert np.abs(before[5, 5] - after[5, 5]).max() <= 4 and np.abs(before[-5, -5] - after[-5, -5]).max() <= 2


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (1, 1)])
def test_odd_sizes_are_made_even(tmp_path: Path, size: tuple[int, int]) -> None:
    video = make(tmp_path, drawn_frames(tmp_path / "m", 3, size), Timeline.constant(3, Fraction(25), Fraction(0)))
    assert probe(video).size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    with av.open(str(video)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24").astype(int)
    assert np.abs(frame[:, -1] - frame[:, -2]).max() < 12  # the edge is repeated, not black


def test_jpeg_and_mixed_frames(tmp_path: Path) -> None:
    jpegs = drawn_frames(tmp_path / "j", 30, ending=".jpg")
    timeline = Timeline.constant(30, Fraction(25), Fraction(0))
    plain = np.array(greys_of(make(tmp_path, drawn_frames(tmp_path / "p", 30), timeline, "a.mp4")))
    assert np.abs(np.array(greys_of(make(tmp_path, jpegs, timeline, "b.mp4"))) - plain).max() < 3
    mixed = [*jpegs[:10], *drawn_frames(tmp_path / "p", 30)[10:]]
    assert np.abs(np.array(greys_of(make(tmp_path, mixed, timeline, "c.mp4"))) - plain).max() < 3


@pytest.mark.parametrize("sampling", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444])
@pytest.mark.parametrize("grey", [30, 120, 235])
def test_jpeg_frames_are_no_darker(tmp_path: Path, sampling: int, grey: int) -> None:
    frames = [tmp_path / f"{n:05d}.jpg" for n in range(12)]
    for path in frames:
        cv2.imwrite(str(path), np.full((48, 64, 3), grey, np.uint8), [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling])
    video = make(tmp_path, frames, Timeline.constant(12, Fraction(25), Fraction(0)))
    assert np.abs(np.array(greys_of(video)) - grey).max() < 1.1


def test_damaged_and_misfit_frames_are_named(tmp_path: Path) -> None:
    frames = drawn_frames(tmp_path / "m", 30)
    timeline = Timeline.constant(30, Fraction(25), Fraction(0))
    frames[20].write_bytes(frames[20].read_bytes()[:-40])
    with pytest.raises(UserError, match=r"00021\.png is damaged"):
        make(tmp_path, frames, timeline)
    drawn_frames(tmp_path / "x", 21, (50, 64))[20].replace(frames[20])
    with pytest.raises(UserError, match=r"00021\.png is 64x50"):
        make(tmp_path, frames, timeline)
    assert not (tmp_path / "result.mp4").exists()


def test_sizes_without_decoding(tmp_path: Path) -> None:
    for ending in (".png", ".jpg", ".bmp"):
        path = drawn_frames(tmp_path, 1, (31, 57), ending)[0]
        assert image_size(path.read_bytes(), path) == (31, 57)


def test_broken_off_encoding_keeps_its_pieces(tmp_path: Path) -> None:
    frames = drawn_frames(tmp_path / "m", 140)
    settings = EncodeSettings(16, 0.0, True, Fraction(25), BT709, "bt709")
    segments = plan_segments(frames, settings, tmp_path)
    assert [p.count for p in segments] == [50, 50, 40]
    assert encode_segments(frames, segments, settings, lambda n: None) == 140
    kept = segments[0].path.read_bytes()
    segments[1].path.unlink()
    assert encode_segments(frames, segments, settings, lambda n: None) == 50
    assert segments[0].path.read_bytes() == kept
    out = tmp_path / "a.mp4"
    join(segments, settings, Timeline.constant(140, Fraction(25), Fraction(0)), None, None, out, "mp4", {})
    assert pts_of(out) == [Fraction(n, 25) for n in range(140)]
    drawn_frames(tmp_path / "same", 140)[60].replace(frames[60])
    assert plan_segments(frames, settings, tmp_path) == segments
    drawn_frames(tmp_path / "other", 140)[61].replace(frames[60])
    again = plan_segments(frames, settings, tmp_path)
    assert [a.path == b.path for a, b in zip(again, segments, strict=True)] == [True, False, True]


def test_bitrate(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=4,noise=alls=30:allf=t", folder / "%05d.png")
    plan = ResultPlan(
        tuple(sorted(folder.iterdir())), Timeline.constant(100, Fraction(25), Fraction(0)), BT709, "bt709"
    )
    out = tmp_path / "r.mp4"
    result_of(out, plan, ResultSettings(16, 1.5, "mp4")).make(lambda n: None)
    assert 1.1e6 < out.stat().st_size * 8 / 4 < 1.9e6


SOUNDS = {
    "aac in mp4": ("a.mp4", 0.0, ["-c:a", "aac"]),
    "late": ("a.mp4", 0.3, ["-c:a", "aac"]),
    "transport stream, starts at 1.4 s": ("a.ts", 0.0, ["-c:a", "aac"]),
    "late in mkv": ("a.mkv", 0.3, ["-c:a", "ac3"]),
    "opus": ("a.mkv", 0.0, ["-c:a", "libopus"]),
    "pcm, must be coded anew": ("a.mov", 0.0, ["-c:a", "pcm_s16le"]),
    "vorbis, late, must be coded anew": ("a.mkv", 0.3, ["-c:a", "libvorbis"]),
    "mp3 in avi": ("a.avi", 0.0, ["-c:a", "libmp3lame"]),
}


@pytest.mark.parametrize("container", ["mp4", "avi"])
@pytest.mark.parametrize("name", SOUNDS)
def test_flash_and_beep_stay_together(tmp_path: Path, name: str, container: str) -> None:
    file, delay, audio = SOUNDS[name]
    source = flash_clip(tmp_path / file, delay=delay, audio=audio)
    info = probe(source)
    report = write_frames(info, tmp_path / "f", tmp_path / "frames.json", FrameSettings(0.0, "png"), lambda n: None)
    timing = report.timing
    timeline = Timeline.constant(50, timing.rate, timing.pts[0] * timing.time_base)
    frames = tuple(sorted((tmp_path / "f").glob("*.png")))
    assert timing.constant and timing.rate == 25 and info.audio is not None
    out = tmp_path / f"result.{container}"
    plan = ResultPlan(frames, timeline, timing.colour, timing.assumed_matrix)
    result_of(out, plan, ResultSettings(16, 0.0, container), source, info.audio).make(lambda n: None)
    before, after = flash_and_beep(source), flash_and_beep(out)
    assert abs((after[1] - after[0]) - (before[1] - before[0])) < 0.02
    assert abs(after[1] - after[0]) < 0.04  # one frame
    assert len(pts_of(out)) == 50


def test_sound_is_copied_bit_by_bit_where_it_can_be(tmp_path: Path) -> None:
    source = flash_clip(tmp_path / "a.mp4", audio=["-c:a", "aac"])
    info = probe(source)
    frames = tuple(drawn_frames(tmp_path / "m", 50))
    plan = ResultPlan(frames, Timeline.constant(50, Fraction(25), Fraction(0)), BT709, "bt709")
    out = tmp_path / "r.mp4"
    result_of(out, plan, ResultSettings(16, 0.0, "mp4"), source, info.audio).make(lambda n: None)
    packets = []
    for path in (source, out):
        with av.open(str(path)) as container:
            packets.append([bytes(p) for p in container.demux(audio=0) if p.size])
    assert packets[0] == packets[1]
    assert audio_is_copied(AudioStream(1, "aac", Fraction(0)), "mp4") and not audio_is_copied(
        AudioStream(1, "aac", Fraction(0)), "avi"
    )
    assert not audio_is_copied(AudioStream(1, "pcm_s16le", Fraction(0)), "mp4")


def test_marks_are_read_back_and_survive_a_plain_copy(tmp_path: Path) -> None:
    video = make(tmp_path, drawn_frames(tmp_path / "m", 12), Timeline.constant(12, Fraction(25), Fraction(0)))
    ffmpeg("-i", video, "-c", "copy", tmp_path / "copy.mp4")
    with av.open(str(video)) as container:
        assert {k: container.metadata[k] for k in TAGS} == TAGS
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert container.metadata["comment"] == TAGS["comment"]
    avi = make(
        tmp_path, drawn_frames(tmp_path / "m", 12), Timeline.constant(12, Fraction(25), Fraction(0)), "result.avi"
    )
    with av.open(str(avi)) as container:
        assert container.metadata["comment"] == TAGS["comment"]


def test_variable_rate_in_avi_is_near(tmp_path: Path) -> None:
    times = [Fraction(n * 40 + 17 * (n % 3), 1000) for n in range(40)]
    timeline = Timeline(tuple(times), times[-1] + Fraction(1, 25), Fraction(25), Fraction(1, 1000))
    video = make(tmp_path, drawn_frames(tmp_path / "m", 40), timeline, "result.avi")
    with av.open(str(video)) as container:
        found = [Fraction(p.dts) * Fraction(p.time_base) for p in container.demux(video=0) if p.size]
    assert len(found) == 40 and max(abs(a - b) for a, b in zip(found, times, strict=True)) < Fraction(1, 200)


def test_a_file_of_the_users_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "result.mp4").write_text("precious")
    frames = drawn_frames(tmp_path / "m", 12)
    make(tmp_path, frames, Timeline.constant(12, Fraction(25), Fraction(0)))
    kept = list((tmp_path / "trash").rglob("result.mp4"))
    assert [k.read_text() for k in kept] == ["precious"]
    drawn_frames(tmp_path / "o", 12, (48, 66))[0].replace(frames[0])
    for n, path in enumerate(drawn_frames(tmp_path / "o", 12, (48, 66))):
        path.replace(frames[n])
    make(tmp_path, frames, Timeline.constant(12, Fraction(25), Fraction(0)))  # ours: replaced without a copy
    assert len(list((tmp_path / "trash").rglob("result.mp4"))) == 1 and probe(tmp_path / "result.mp4").size == (48, 66)


def test_whatever_a_result_is_made_of_makes_it_anew(tmp_path: Path) -> None:
    source = flash_clip(tmp_path / "a.mp4", audio=["-c:a", "aac"])
    other_source = tmp_path / "b.mp4"
    other_source.write_bytes(source.read_bytes() + bytes(8))
    audio = probe(source).audio
    assert audio is not None
    frames = tuple(drawn_frames(tmp_path / "m", 10))
    timeline = Timeline.constant(10, Fraction(25), Fraction(0))
    plan = ResultPlan(frames, timeline, BT709, "bt709")
    settings = ResultSettings(16, 0.0, "mp4")

    def result(
        plan: ResultPlan = plan,
        settings: ResultSettings = settings,
        source: Path | None = source,
        audio: AudioStream | None = audio,
        tags: dict[str, str] = TAGS,
    ) -> ResultFile:
        return result_of(tmp_path / "result.mp4", plan, settings, source, audio, tags)

    assert not result().finished()
    result().make(lambda n: None)
    assert result().finished()
    moved = tuple(time + Fraction(n // 9, 100) for n, time in enumerate(timeline.timestamps))
    others = {
        "a frame less": result(replace(plan, frames=frames[:-1])),
        "frames in another order": result(replace(plan, frames=(frames[1], frames[0], *frames[2:]))),
        "a frame at another time": result(replace(plan, timeline=replace(timeline, timestamps=moved))),
        "another end": result(replace(plan, timeline=replace(timeline, end=timeline.end + 1))),
        "another rate": result(replace(plan, timeline=replace(timeline, rate=Fraction(30)))),
        "another tick": result(replace(plan, timeline=replace(timeline, tick=Fraction(1, 1000)))),
        "other tags of colour": result(replace(plan, colour=Colour("bt470bg", "smpte170m", "bt470bg", "tv"))),
        "another matrix": result(replace(plan, matrix="bt601")),
        "another quality": result(settings=replace(settings, crf=17)),
        "a bitrate": result(settings=replace(settings, bitrate=2.0)),
        "no audio": result(audio=None),
        "another audio track": result(audio=replace(audio, index=audio.index + 1)),
        "audio that begins later": result(audio=replace(audio, start=audio.start + 1)),
        "audio of another file": result(source=other_source),
        "other metadata": result(tags={**TAGS, "title": "x"}),
    }
    assert [name for name, other in others.items() if other.finished()] == []
    frames[3].write_bytes(frames[4].read_bytes())
    assert not result().finished()
