"""Measures of the faces of the stored workspace (tests/stored): no table, such as the mean face, changes unseen."""

from pathlib import Path

import numpy as np
import pytest

from facewright.core.images import read_image
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from facewright.faces.mask import eyes_mask, hull_mask, mouth_mask
from facewright.faces.pose import head_pose
from facewright.faces.record import load_record
from facewright.faces.sharpness import sharpness

STORED = Path(__file__).resolve().parents[1] / "stored" / "workspace"
FACES = sorted(STORED.glob("data_*/aligned/*.png"))
SIZE = 128


def frame_of(path):
    return read_image(path.parents[1] / load_record(path).frame)


@pytest.mark.parametrize("path", FACES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_matrix_pose_and_image_are_those_of_version_0_1(path):
    record = load_record(path)
    matrix = align_matrix(record.frame_landmarks, FaceType.FULL, SIZE)
    corners = [(0, 0), (320, 0), (0, 240)]
    # Stored landmarks are rounded to a hundredth of a pixel.
    np.testing.assert_allclose(transform_points(corners, matrix), transform_points(corners, record.matrix), atol=0.05)
    np.testing.assert_allclose(head_pose(record.frame_landmarks), record.pose, atol=0.005)
    difference = np.abs(cut(frame_of(path), record.matrix, SIZE).astype(int) - read_image(path))
    assert difference.mean() < 0.5


# side, mask -> sum, centre (x, y) and spread (x, y) in pixels, with the code of version 0.1.
MASKS = [
    ("src", hull_mask, 7123.19, (84.972, 69.224), (22.773, 25.592)),
    ("src", eyes_mask, 84.51, (70.040, 38.397), (16.797, 2.100)),
    ("src", mouth_mask, 240.51, (66.255, 89.930), (6.901, 2.993)),
    ("dst", hull_mask, 6877.20, (58.046, 66.869), (23.744, 23.761)),
    ("dst", eyes_mask, 90.52, (61.489, 39.030), (20.538, 1.245)),
    ("dst", mouth_mask, 348.02, (62.885, 90.013), (7.501, 3.808)),
]


@pytest.mark.parametrize(("side", "draw", "total", "centre", "spread"), MASKS)
def test_masks_lie_where_they_lay(side, draw, total, centre, spread):
    record = load_record(STORED / f"data_{side}" / "aligned" / "00001_0.png")
    mask = draw(record.landmarks, (SIZE, SIZE))
    y, x = np.mgrid[:SIZE, :SIZE]
    means = np.array([(axis * mask).sum() for axis in (x, y)]) / mask.sum()
    spreads = [
        np.sqrt(((axis - mean) ** 2 * mask).sum() / mask.sum()) for axis, mean in zip((x, y), means, strict=True)
    ]
    assert mask.sum() == pytest.approx(total, abs=0.5)
    np.testing.assert_allclose(means, centre, atol=0.01)
    np.testing.assert_allclose(spreads, spread, atol=0.01)


@pytest.mark.parametrize(("side", "expected"), [("src", 123.455), ("dst", 207.788)])
def test_sharpness_is_what_it_was(side, expected):
    path = STORED / f"data_{side}" / "aligned" / "00001_0.png"
    assert sharpness(frame_of(path), load_record(path).frame_landmarks) == pytest.approx(expected, rel=0.02)
