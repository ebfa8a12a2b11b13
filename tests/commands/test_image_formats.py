"""Frames of any image format, turned by EXIF, misnamed: converted and made into a video without a word of ffmpeg's."""

from pathlib import Path

import numpy as np
import pytest

from clips import clip
from commands.convert_runs import FRAMES, StubModels, fill, run
from convert.drawn_faces import scene
from facewright.commands import make_video
from facewright.convert.parameters import ConvertOptions
from facewright.core.images import encode, encoded_size, format_of, read_image
from facewright.core.workspace import Workspace
from facewright.video.probe import probe
from pictures import LYING, turned_jpeg, turned_png

SIZE = (60, 80)


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """Six frames, a face in each but the third, and a video of as many frames."""
    fill(workspace)
    clip(workspace.root / "data_dst.mp4", frames=FRAMES, size="80x60")
    return workspace


def replace_frame(workspace: Workspace, number: int, name: str, data: bytes) -> None:
    (workspace.dst.frames_dir / f"{number:05d}.png").unlink()
    (workspace.dst.frames_dir / name).write_bytes(data)


def make(workspace: Workspace, image_format: str) -> list[Path]:
    run(workspace, StubModels(), ConvertOptions(format=image_format))
    make_video.run(workspace, make_video.Options(crf=30))
    info = probe(workspace.result)
    assert (info.size, info.frame_count) == (SIZE, FRAMES)
    return sorted(workspace.dst.merged_dir.iterdir())


@pytest.mark.parametrize("image_format", ["png", "jpg"])
@pytest.mark.parametrize("orientation", LYING)
def test_frames_that_lie_on_their_side(filled: Workspace, orientation: int, image_format: str) -> None:
    replace_frame(filled, 1, "00001.jpg", turned_jpeg(scene(*SIZE, 1), orientation))  # with a face
    replace_frame(filled, 3, "00003.jpg", turned_jpeg(scene(*SIZE, 3), orientation, "<"))  # without
    merged = make(filled, image_format)
    assert {encoded_size(path.read_bytes()) for path in merged} == {SIZE}
    assert np.abs(read_image(merged[2]).astype(int) - scene(*SIZE, 3)).mean() < 6


def test_a_png_that_lies_on_its_side(filled: Workspace) -> None:
    replace_frame(filled, 3, "00003.png", turned_png(scene(*SIZE, 3), 6))
    merged = make(filled, "png")
    assert (read_image(merged[2]) == scene(*SIZE, 3)).all()


def test_merged_frames_of_another_program_that_lie_on_their_side(filled: Workspace) -> None:
    run(filled, StubModels(), ConvertOptions(format="jpg"))
    for path in filled.dst.merged_dir.iterdir():
        path.write_bytes(turned_jpeg(read_image(path), 6))
    make_video.run(filled, make_video.Options(crf=30))
    assert probe(filled.result).size == SIZE


@pytest.mark.parametrize("image_format", ["png", "jpg"])
def test_misnamed_frames(filled: Workspace, image_format: str) -> None:
    replace_frame(filled, 1, "00001.png", encode(scene(*SIZE, 1), ".jpg"))
    replace_frame(filled, 3, "00003.png", encode(scene(*SIZE, 3), ".jpg"))
    replace_frame(filled, 4, "00004.jpg", encode(scene(*SIZE, 4), ".png"))
    replace_frame(filled, 5, "00005.jpg", encode(scene(*SIZE, 5), ".webp"))
    merged = make(filled, image_format)
    assert {format_of(path.read_bytes()) for path in merged} == {f".{image_format}"}


def test_what_cameras_append_to_a_picture(filled: Workspace) -> None:
    preview = encode(scene(8, 8, 1), ".jpg")
    replace_frame(filled, 3, "00003.jpg", encode(scene(*SIZE, 3), ".jpg") + preview + bytes(5000))
    make(filled, "jpg")


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".JPG", ".bmp", ".ppm", ".webp", ".gif", ".jp2", ".avif", ".tif"])
def test_every_format_is_a_frame(filled: Workspace, ending: str) -> None:
    written = {".jfif": ".jpg", ".JPG": ".jpg"}.get(ending, ending)
    replace_frame(filled, 3, f"00003{ending}", encode(scene(*SIZE, 3), written))
    assert len(filled.dst.frames()) == FRAMES
    make(filled, "png")
