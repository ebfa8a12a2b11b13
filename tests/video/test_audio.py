"""Audio tracks of every kind: unknown codecs, several tracks, more channels than AAC takes."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clips import FLASH_AT, X264, beep, ffmpeg, flash_and_beep, flash_clip, picture
from facewright.commands import cut_video, extract_frames, make_video
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.video.audio import AudioStream, fits_aac
from facewright.video.probe import probe

FEW = picture(20)


def many_channels(path: Path, count: int, heard: list[int]) -> Path:
    """A clip whose audio has a beep in some of its channels, which it does not name."""
    channels = "|".join(f"c{n}=c0" if n in heard else f"c{n}=0*c0" for n in range(count))
    ffmpeg(*FEW, *beep(0.8, at=0.2), "-af", f"pan={count}c|{channels}", *X264, "-c:a", "pcm_s16le", path)
    return path


def unknown_codec(path: Path, *tracks: str) -> Path:
    """A mov whose last audio track has a codec that nobody knows, as phones write it."""
    codecs = [word for n, codec in enumerate((*tracks, "pcm_s16le")) for word in (f"-c:a:{n}", codec)]
    maps = ["-map", "0", *["-map", "1"] * (len(tracks) + 1)]
    ffmpeg(*FEW, *beep(0.8, at=0.2), *maps, *X264, *codecs, path)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"sowt")
    data[at : at + 4] = b"apac"
    path.write_bytes(data)
    return path


def make(workspace: Workspace, **settings: object) -> None:
    side = workspace.dst
    extract_frames.run(workspace, extract_frames.Options(side="dst"))
    side.merged_dir.mkdir(exist_ok=True)
    for path in side.frames():
        shutil.copyfile(path, side.merged_dir / path.name)
    make_video.run(workspace, make_video.Options(crf=30, **settings))  # type: ignore[arg-type]


def loudness(path: Path) -> list[list[float]]:
    """The peak of each channel of each audio track."""
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    found = []
    for number in range(count):
        with av.open(str(path)) as container:
            frames = [f.to_ndarray() for f in container.decode(audio=number) if f.samples]
            found.append([float(v) for v in np.abs(np.concatenate(frames, axis=1)).max(axis=1)])
    return found


def test_a_second_track_of_an_unknown_codec(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    info = probe(unknown_codec(workspace.root / "data_dst.mov", "aac"))
    assert info.audio is not None and info.audio.codec == "aac"
    assert [track.readable for track in info.audio_tracks] == [True, False]
    make(workspace)
    said = capsys.readouterr().out
    assert "unknown codec" in said and "--audio-track" not in said  # there is no other to be chosen
    assert len(loudness(workspace.result)) == 1
    with pytest.raises(UserError, match="track 2"):
        make(workspace, audio_track=2)


def test_an_unknown_codec_alone_is_said_and_left_out(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe(unknown_codec(workspace.root / "data_dst.mov")).audio is None
    make(workspace)
    assert "cannot read its audio" in capsys.readouterr().out
    assert probe(workspace.result).audio_tracks == ()
    cut_video.run(workspace, cut_video.Options(start="0.2"))
    assert probe(workspace.dst.video()).audio_tracks == ()


def test_the_tracks_are_named_and_one_is_chosen(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    silence = ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono:d=0.8"]
    tags = ["-metadata:s:a:1", "language=deu"]
    maps = ["-map", "0", "-map", "1", "-map", "2"]
    ffmpeg(*FEW, *silence, *beep(0.8, at=0.2), *maps, *X264, "-c:a", "aac", *tags, workspace.root / "data_dst.mp4")
    make(workspace)
    assert "2 (aac, mono, deu)" in capsys.readouterr().out
    assert loudness(workspace.result)[0][0] < 0.01
    make(workspace, audio_track=2)
    assert loudness(workspace.result)[0][0] > 0.4
    with pytest.raises(UserError, match="no audio track 3"):
        make(workspace, audio_track=3)
    cut_video.run(workspace, cut_video.Options(start="0.04"))  # keeps both, in their order
    assert [peaks[0] > 0.4 for peaks in loudness(workspace.dst.video())] == [False, True]


def test_the_main_track_stays_the_main_one_of_a_cut(workspace: Workspace) -> None:
    silence = ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono:d=0.8"]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-disposition:a:0", "0", "-disposition:a:1", "default"]
    ffmpeg(*FEW, *silence, *beep(0.8, at=0.2), *maps, *X264, "-c:a", "flac", workspace.root / "data_dst.mkv")
    cut_video.run(workspace, cut_video.Options(start="0.04"))
    make(workspace)
    assert loudness(workspace.result)[0][0] > 0.4


def test_without_audio(workspace: Workspace) -> None:
    flash_clip(workspace.root / "data_dst.mp4", audio=["-c:a", "aac"])
    make(workspace)
    workspace.dst.video().rename(workspace.root / "elsewhere.mp4")
    make_video.run(workspace, make_video.Options(crf=30, audio=False))  # needs the video no more
    assert probe(workspace.result).audio_tracks == ()


@pytest.mark.parametrize(("count", "suffix"), [(10, "mov"), (16, "mov"), (10, "mkv")])
def test_more_channels_than_aac_takes(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], count: int, suffix: str
) -> None:
    video = many_channels(workspace.root / f"data_dst.{suffix}", count, list(range(count)))
    make(workspace)
    assert "mixed down to stereo" in capsys.readouterr().out
    (peaks,) = loudness(workspace.result)
    assert len(peaks) == 2 and all(0.6 < peak < 1 for peak in peaks)
    make(workspace, container="avi")
    kept = probe(workspace.result.with_suffix(".avi")).audio
    assert kept is not None and len(kept.channels) == count
    cut_video.run(workspace, cut_video.Options(start="0.04"))
    assert "mixed down to stereo" in capsys.readouterr().out and not video.exists()
    assert len(loudness(workspace.dst.video())[0]) == 2


def test_channels_that_change_in_mid_stream(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    parts = []
    for number, layout in enumerate(("5.1", "stereo")):
        part = workspace.root / f"{number}.ts"
        shape = ["-af", f"aformat=channel_layouts={layout}", "-output_ts_offset", str(number * 0.8)]
        ffmpeg(*FEW, *beep(0.8, at=0.2), *X264, "-c:a", "aac", *shape, part)
        parts.append(part.read_bytes())
        part.unlink()
    (workspace.root / "data_dst.ts").write_bytes(b"".join(parts))
    make(workspace)
    assert "encoded anew" in capsys.readouterr().out
    with av.open(str(workspace.result)) as container:
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert 1.5 < seconds < 1.75
    assert len(list(workspace.root.glob(".*.tmp"))) == 0


@pytest.mark.parametrize("channel", [0, 2, 3, 9])
def test_no_channel_is_lost_in_the_mix(workspace: Workspace, channel: int) -> None:
    many_channels(workspace.root / "data_dst.mov", 10, [channel])
    cut_video.run(workspace, cut_video.Options(start="0.04"))
    assert max(loudness(workspace.dst.video())[0]) > 0.05


def test_what_aac_takes() -> None:
    def track(layout: str, count: int) -> AudioStream:
        return AudioStream(1, "flac", Fraction(0), 1, layout, ("NONE",) * count)

    assert all(fits_aac(track(layout, n)) for layout, n in (("mono", 1), ("5.1", 6), ("7.1", 8), ("3 channels", 3)))
    assert not any(fits_aac(track(layout, n)) for layout, n in (("5.1.2", 8), ("5.1.4", 10), ("12 channels", 12)))


@pytest.mark.parametrize(("rate", "codec"), [(48000, "mp3"), (8000, "aac")])
def test_mp3_is_copied_where_an_mp4_takes_it(workspace: Workspace, rate: int, codec: str) -> None:
    source = flash_clip(workspace.root / "data_dst.mkv", audio=["-c:a", "libmp3lame", "-ar", str(rate)])
    info = probe(source)
    assert info.audio is not None and info.audio.codec == "mp3"
    make(workspace)
    result = probe(workspace.result)
    assert result.audio is not None and result.audio.codec == codec
    flash, heard = flash_and_beep(workspace.result)
    assert abs(flash - FLASH_AT) < 0.05 and abs(heard - flash) < 0.06
