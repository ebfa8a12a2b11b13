"""Sharpness: one number for a face, whatever its size, place and turn."""

import cv2
import numpy as np
import pytest

from faces.test_align import placed
from facewright.core.images import Image
from facewright.faces.align import MEAN_FACE
from facewright.faces.sharpness import sharpness

JAW = np.linspace(MEAN_FACE[0], MEAN_FACE[9], 17) + np.array([0, 0.5])
POINTS = np.vstack([JAW, MEAN_FACE]) * 240 + 100


def noise(side: int = 440, grain: float = 3.0) -> Image:
    """A picture with detail down to some pixels."""
    grey = np.random.default_rng(5).normal(128, 60, (side, side)).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), grain)
    return np.clip(np.dstack([(grey - 128) * grain * 2 + 128] * 3), 0, 255).astype(np.uint8)


def test_blur_lowers_it() -> None:
    frame = noise()
    values = [sharpness(cv2.GaussianBlur(frame, (0, 0), blur) if blur else frame, POINTS) for blur in (0, 1, 3, 6)]
    assert values == sorted(values, reverse=True) and values[0] > 3 * values[-1]


@pytest.mark.parametrize("factor", [1.5, 2.0, 4.0])
def test_the_size_of_a_face_does_not_matter(factor: float) -> None:
    frame = noise(grain=6.0)
    large = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    assert sharpness(large, (POINTS + 0.5) * factor - 0.5) == pytest.approx(sharpness(frame, POINTS), rel=0.15)


def test_a_small_face_is_less_sharp() -> None:
    frame = noise()
    small = cv2.resize(frame, None, fx=0.15, fy=0.15, interpolation=cv2.INTER_AREA)
    assert sharpness(small, (POINTS + 0.5) * 0.15 - 0.5) < sharpness(frame, POINTS) / 2


def test_the_turn_of_a_face_does_not_matter() -> None:
    frame = noise(grain=6.0)
    upright, turned = placed(0, 200, 120, 120), placed(90, 200, 320, 120)
    there = cv2.rotate(frame, cv2.ROTATE_90_CLOCKWISE)
    np.testing.assert_allclose(turned[:, 0], 440 - upright[:, 1], atol=1e-6)
    assert sharpness(there, turned - [1, 0]) == pytest.approx(sharpness(frame, upright), rel=0.02)


def test_background_and_the_edge_of_the_frame_do_not_count() -> None:
    flat = np.full((440, 440, 3), 128, np.uint8)
    flat[:, :60] = noise()[:, :60]
    assert sharpness(flat, POINTS) == 0
    shifted = POINTS - [180, 0]  # half of the face lies outside
    assert sharpness(np.full((440, 440, 3), 200, np.uint8), shifted) == 0
    assert sharpness(flat, POINTS + 5000) == 0


def test_a_slope_is_no_detail() -> None:
    ramp = np.tile((np.arange(440) // 2).astype(np.uint8)[None, :, None], (440, 1, 3))
    assert sharpness(ramp, POINTS) < 1


@pytest.mark.parametrize("quarter_turns", range(4))
def test_the_edge_of_the_frame_does_not_count_where_a_face_is_enlarged(quarter_turns: int) -> None:
    """A flat face of 20 px that leaves the frame: the interpolation overshoots a little there, and that is all."""
    frame = np.full((80, 80, 3), 200, np.uint8)
    upright = placed(0, 20, 65, 50)
    about = (upright - 39.5) @ np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), quarter_turns) + 39.5
    assert sharpness(frame, about) < 15
