"""The two lines at the end of an extraction: small, soft, poses that do not meet."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from facewright.core import workers
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.faces.align import MEAN_FACE
from facewright.faces.faceset import load_faceset
from facewright.faces.occlusion import occlusion_text
from facewright.faces.record import load_record, save_face, update_record
from facewright.facesets.at_a_glance import at_a_glance


def lines_of(workspace: Workspace, name: str) -> list[str]:
    side, other = workspace.side(name), workspace.side("dst" if name == "src" else "src")
    with workers.threads(2) as pool:
        return at_a_glance(side, load_faceset(side.aligned_dir), load_faceset(other.aligned_dir), pool)


def test_small_and_soft_faces_are_counted(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 + 0.6 * np.cos(angle), 0.25 + 0.95 * np.sin(angle)], axis=1)
    landmarks = np.float32(np.vstack([jaw, MEAN_FACE]) * 30 + 16)
    for number in range(10):  # the box of a drawn face is 64 pixels wide, and more with its seed
        path = save_drawn_face(workspace.src.aligned_dir / f"{number}.png", seed=number * 20)
        record = dataclasses.replace(load_record(path), landmarks=landmarks)
        image = read_image(path)
        save_face(path, image if number else cv2.GaussianBlur(image, (0, 0), 6), record)
    first, second = lines_of(workspace, "src")
    assert "10 faces" in first and "small (under 100 px" in first and "about 10% are soft" in first
    assert "degrees (yaw)" in second, "the other side is not there yet"


def test_poses_that_do_not_meet_are_told(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    for number in range(12):
        save_drawn_face(workspace.src.aligned_dir / f"{number}.png", yaw=0.0)
        save_drawn_face(workspace.dst.aligned_dir / f"{number}.png", yaw=50.0 if number < 5 else 0.0)
    for name in ("src", "dst"):
        assert "5 of 12 faces of dst" in lines_of(workspace, name)[1]
    for number in range(5):
        (workspace.dst.aligned_dir / f"{number}.png").unlink()
    assert lines_of(workspace, "dst")[1] == "Src has every pose that dst shows."


def test_covered_faces_are_counted(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    for name in ("src", "dst"):
        for number in range(9):
            path = save_drawn_face(workspace.side(name).aligned_dir / f"{number}.png", seed=number)
            hand = occlusion_text(np.full((64, 64), number < 3, np.float32))
            update_record(path, dataclasses.replace(load_record(path), occlusion=hand))
    found = {name: next(line for line in lines_of(workspace, name) if "covered" in line) for name in ("src", "dst")}
    assert all(line.startswith("3 faces") for line in found.values())
    assert "uncovered" in found["src"] and "uncovered" not in found["dst"]  # dst needs each of its faces


def test_no_faces_say_nothing(workspace: Workspace) -> None:
    assert lines_of(workspace, "src") == []
