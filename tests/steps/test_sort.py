"""The sort step on drawn faces."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright import cli
from facewright.core.images import encode, read_image
from facewright.core.workspace import Workspace
from facewright.faces.record import load_face, load_record, save_face
from facewright.sorting.base import methods


def sort(workspace: Workspace, *flags: str) -> int:
    return cli.main(["sort", "--workspace", str(workspace.root), "--yes", *flags])


@pytest.fixture
def faces(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> Workspace:
    for number in range(6):
        save_drawn_face(
            workspace.src.aligned_dir / f"{number:05d}_0.png",
            seed=number,
            level=(0.3, 0.9, 0.5, 0.7, 0.1, 0.4)[number],
            frame=f"{9 - number:05d}.png",
            yaw=(10.0, -60, 33, 0, -5, 80)[number],
        )
    return workspace


def frames(workspace: Workspace) -> list[str]:
    return [load_record(path).frame for path in workspace.src.aligned()]


def digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("method", list(methods()))
def test_every_method_renames_and_changes_no_byte(faces: Workspace, method: str) -> None:
    before = digests(faces.src.aligned_dir)
    assert sort(faces, "--by", method) == 0
    assert [path.name for path in faces.src.aligned()] == [f"{number:05d}.png" for number in range(6)]
    assert digests(faces.src.aligned_dir) == before
    first = frames(faces)
    assert sort(faces, "--by", method) == 0
    if method != "hist-blur":  # its groups depend on which face the chain starts from
        assert frames(faces) == first, "sorted twice is sorted once"


def test_orders(faces: Workspace) -> None:
    assert sort(faces, "--by", "brightness") == 0
    means = [read_image(path).max(axis=2).mean() for path in faces.src.aligned()]
    assert means == sorted(means, reverse=True)
    assert sort(faces, "--by", "face-yaw") == 0
    yaws = [load_record(path).pose[0] for path in faces.src.aligned()]
    assert yaws == [80, 33, 10, 0, -5, -60]
    assert sort(faces, "--by", "origname") == 0
    assert frames(faces) == sorted(frames(faces))
    assert sort(faces, "--by", "face-source-rect-size") == 0
    assert frames(faces) == sorted(frames(faces)), "larger seeds have larger boxes and earlier frames here"


@pytest.mark.parametrize("method", ["blur", "black"])
def test_sharpest_first_and_cut_off_last(
    workspace: Workspace, save_drawn_face: Callable[..., Path], method: str
) -> None:
    folder = workspace.dst.aligned_dir
    for number, strength in enumerate((5, 0, 9, 2)):
        image, record = load_face(save_drawn_face(folder / f"{number}.png", frame=f"{strength}.png"))
        if method == "blur" and strength:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), strength), np.uint8)
        elif method == "black":
            image[: strength * 3] = 0
        save_face(folder / f"{number}.png", image, record)
    assert sort(workspace, "--side", "dst", "--by", method) == 0
    assert [load_record(path).frame for path in workspace.dst.aligned()] == ["0.png", "2.png", "5.png", "9.png"]


def test_files_that_are_no_faces_stay(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    folder = faces.src.aligned_dir
    (folder / "00001.png").write_bytes(encode(np.zeros((8, 8, 3), np.uint8)))
    (folder / "00004.png").write_bytes(b"nothing")
    broken = folder / "00003_0.png"
    broken.write_bytes(broken.read_bytes()[:-9000])
    before = {name: (folder / name).read_bytes() for name in ("00001.png", "00004.png", "00003_0.png")}
    assert sort(faces, "--by", "hue") == 0
    assert {name: (folder / name).read_bytes() for name in before} == before
    told = capsys.readouterr().out
    assert all(f"{name} keeps its name" in told for name in before)
    wanted = {"00000.png", "00002.png", "00003.png", "00005.png", "00006.png", *before}
    assert {path.name for path in faces.src.aligned()} == wanted


def test_no_faces(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert sort(workspace, "--side", "dst") == 1
    assert "5_dst_extract_faces" in capsys.readouterr().err
    workspace.dst.aligned_dir.mkdir(parents=True)
    assert sort(workspace, "--side", "dst") == 1


def test_interrupted_renaming_is_finished_first(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    from facewright.sorting.rename import PLAN, plan_names, write_json

    folder = faces.src.aligned_dir
    names = [path.name for path in faces.src.aligned()][::-1]
    before = digests(folder)
    write_json(folder / PLAN, {"pass": 1, "moves": plan_names(names, [])})
    (folder / names[0]).rename(folder / plan_names(names, [])[0][1])
    assert sort(faces, "--by", "origname") == 0
    assert "interrupted" in capsys.readouterr().out
    assert digests(folder) == before
