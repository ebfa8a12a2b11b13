"""Head pose: a turned model gives back its angles, and the signs are as documented."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.faces.align import MEAN_FACE
from facewright.faces.mask import mirror_landmarks
from facewright.faces.pose import DEPTHS, MILLIMETRES, head_pose


def turned(yaw: float, pitch: float, roll: float, *, scale: float = 200.0) -> np.ndarray:
    """Landmarks of the generic head, seen from afar."""
    y, p, r = np.radians([yaw, -pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    depth = np.full(51, 10.0)
    for index, value in DEPTHS.items():
        depth[index - 17] = value
    head = np.column_stack([MEAN_FACE - 0.5, -depth / MILLIMETRES]) @ (about_z @ about_x @ about_y).T
    inner = head[:, :2] / (head[:, 2:] + 8) * 8 * scale + [320, 240]
    return np.vstack([np.repeat(inner[:1], 17, 0), inner])


@settings(max_examples=50, deadline=None)
@given(st.floats(-60, 60), st.floats(-30, 30), st.floats(-179, 179), st.floats(20, 2000))
def test_angles_come_back(yaw: float, pitch: float, roll: float, scale: float) -> None:
    found = np.array(head_pose(turned(yaw, pitch, roll, scale=scale)))
    difference = (found - [yaw, pitch, roll] + 180) % 360 - 180
    assert np.abs(difference).max() < 2.5


def test_signs() -> None:
    points = turned(0, 0, 0)
    assert np.abs(head_pose(points)).max() < 0.5
    left = points.copy()
    left[27:36, 0] -= 15  # the nose moves to the left of the picture
    assert head_pose(left)[0] > 5
    up = points.copy()
    up[30:36, 1] -= 10
    assert head_pose(up)[1] > 2
    clockwise = points.copy()
    clockwise[:, 1] += (clockwise[:, 0] - 320) * 0.2  # the right side of the picture sinks
    assert head_pose(clockwise)[2] > 5


def test_mirror_image_has_mirrored_angles() -> None:
    yaw, pitch, roll = head_pose(turned(25, 10, 12))
    mirrored = head_pose(mirror_landmarks(turned(25, 10, 12), 640))
    np.testing.assert_allclose(mirrored, [-yaw, pitch, -roll], atol=0.2)


def test_one_place_is_refused() -> None:
    with pytest.raises(ValueError, match="same place"):
        head_pose(np.zeros((68, 2)))
