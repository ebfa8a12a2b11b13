"""Frames straight from a video: equal to the frames on disk, in any part of it, and nothing left running."""

import os
from pathlib import Path

import numpy as np
import pytest

from clips import X264, clip, ffmpeg, picture, variable_clip
from facewright.core.images import Image, read_image
from facewright.video.frames import FrameSettings, VideoFrames, expected_count, write_frames
from facewright.video.probe import probe
from facewright.video.timing import read_timing


def frames_of(video: Path, folder: Path, fps: float = 0.0) -> dict[int, Image]:
    write_frames(probe(video), folder, folder / "frames.json", FrameSettings(fps, "png"), lambda n: None)
    return {int(path.stem): read_image(path) for path in sorted(folder.glob("*.png"))}


def same(source: VideoFrames, frames: dict[int, Image], numbers: list[int]) -> None:
    found = {frame.index: frame.image for frame in source}
    assert list(found) == numbers
    for number, image in found.items():
        np.testing.assert_array_equal(image, frames[number])
        assert image.dtype == np.uint8


def odd_clip(folder: Path) -> Path:
    """Turned by its display matrix, with an odd size after 3:2 pixels are made square, full range, tagged."""
    ffmpeg(*picture(9, size="62x50"), "-vf", "setsar=3/2", *X264, "-colorspace", "bt709", folder / "plain.mp4")
    ffmpeg("-display_rotation", "90", "-i", folder / "plain.mp4", "-c", "copy", folder / "odd.mp4")
    return folder / "odd.mp4"


@pytest.mark.parametrize("fps", [0.0, 7.0])
def test_equal_to_the_frames_on_disk(tmp_path: Path, fps: float) -> None:
    for number, video in enumerate((clip(tmp_path / "a.mp4"), variable_clip(tmp_path / "v.mp4"), odd_clip(tmp_path))):
        frames = frames_of(video, tmp_path / str(number), fps)
        walk = VideoFrames(probe(video), fps=fps)
        same(walk, frames, list(frames))
        assert walk.last == len(frames) and walk.decoder_errors == 0
        timing = read_timing(tmp_path / str(number) / "frames.json")
        assert timing and [frame.time for frame in walk] == timing.seconds


def test_parts_of_a_video(tmp_path: Path) -> None:
    video = clip(tmp_path / "a.mp4", frames=25)
    info, frames = probe(video), frames_of(video, tmp_path / "f")
    same(VideoFrames(info, every=7), frames, [1, 8, 15, 22])
    same(VideoFrames(info, first=20), frames, [20, 21, 22, 23, 24, 25])
    # Numbers stay on the grid of 1, 1 + every, ... from wherever the walk begins.
    for first in (9, 12, 15):
        same(VideoFrames(info, every=7, first=first), frames, [15, 22])
    assert list(VideoFrames(info, first=26)) == [] and list(VideoFrames(info, every=100, first=2)) == []
    thin = frames_of(video, tmp_path / "thin", 10.0)
    same(VideoFrames(info, fps=10.0, every=2, first=4), thin, [5, 7, 9])


def test_leaving_early_leaves_nothing_running(tmp_path: Path) -> None:
    walk = iter(VideoFrames(probe(clip(tmp_path / "a.mp4", frames=200, size="640x480"))))
    before = children()  # of other tests, perhaps
    next(walk)
    assert children() - before
    walk.close()  # type: ignore[attr-defined]
    assert not children() - before


def children() -> set[str]:
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    if not path.exists():
        pytest.skip("this system does not list child processes")
    return set(path.read_text().split())


def test_a_video_that_ends_early(tmp_path: Path) -> None:
    """What can be decoded is handed out, and the complaints are counted."""
    ffmpeg(*picture(60, size="320x240"), *X264, "-movflags", "+faststart", tmp_path / "a.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) // 2])
    walk = VideoFrames(probe(tmp_path / "a.mp4"))
    count = sum(1 for _ in walk)
    assert 0 < count == walk.last < 60 and walk.decoder_errors > 0


def test_pictures_that_change_their_size(tmp_path: Path) -> None:
    for name, size in (("a", "64x48"), ("b", "80x64")):
        ffmpeg(*picture(5, size=size), *X264, "-f", "mpegts", tmp_path / f"{name}.ts")
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    frames = frames_of(both, tmp_path / "f")
    assert len(frames) == 10
    same(VideoFrames(probe(both)), frames, list(frames))


def test_expected_count(tmp_path: Path) -> None:
    info = probe(clip(tmp_path / "a.mp4", frames=25))
    assert expected_count(info, 0) == 25 and expected_count(info, 5) == 5 and expected_count(info, 100) == 25
