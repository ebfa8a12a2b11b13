"""HEIC and JPEG XL among the frames."""

from pathlib import Path

import numpy as np
import pytest

from clips import ffmpeg
from convert.drawn_faces import scene
from facewright.core.images import read_image, write_image
from facewright.core.workspace import Workspace
from facewright.extract.log import frames_to_search
from heic import heic


@pytest.mark.parametrize(("turns", "tiles"), [(0, 1), (1, 1), (0, 2), (3, 2)])
def test_heic_is_read_upright_and_whole(workspace: Workspace, turns: int, tiles: int) -> None:
    folder = workspace.src.frames_dir
    folder.mkdir()
    photo = scene(128, 192, 5)
    heic(folder / "IMG_0001.HEIC", photo, quarter_turns=turns, tiles=tiles)
    (frame,) = frames_to_search(workspace.src)
    assert frame.name == "IMG_0001.png"
    assert np.abs(read_image(frame).astype(int) - photo).mean() < 4


def test_each_photo_is_read_once_and_a_damaged_one_named(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace.src.frames_dir
    folder.mkdir()
    write_image(tmp_path / "a.png", scene(64, 64, 1))
    ffmpeg("-i", tmp_path / "a.png", "-c:v", "libjxl", "-distance", "0", folder / "a.jxl")
    write_image(folder / "b.jpg", scene(64, 64, 2))
    (folder / "b.heic").write_bytes(b"the phone wrote both")
    (folder / "c.heic").write_bytes(b"not a photo")
    assert [path.name for path in frames_to_search(workspace.src)] == ["a.png", "b.jpg"]
    assert np.abs(read_image(folder / "a.png").astype(int) - scene(64, 64, 1)).max() <= 1
    said = capsys.readouterr().out
    assert "a.jxl" in said and "c.heic" in said and "b.heic" not in said
    before = (folder / "a.png").stat().st_mtime_ns
    frames_to_search(workspace.src)
    assert (folder / "a.png").stat().st_mtime_ns == before
