"""Geometry of a training sample: random similarity and elastic warp, as pure functions.

The ranges are those of the workflow of 2018 (rotation +-10 degrees, scale +-5 %, shift +-5 %, flip 0.4,
a grid of 3, 5 or 9 control points per side, displaced by a truncated normal). Two of its errors are fixed: the remap
grid is as wide as the image, and without displacement it is the identity (it was half a pixel off).

All steps compose into one remap grid per output, so an image is resampled once.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import Matrix

MAX_ROTATION = 10.0  # degrees
MAX_SCALE_CHANGE = 0.05
MAX_SHIFT = 0.05  # share of the side
FLIP_PROBABILITY = 0.4
MAX_DISPLACEMENT = 0.24  # share of a cell
CELLS = (2, 4, 8)  # cells per side of the grid, equally likely
MAX_CELLS = max(CELLS)
FIELD_SIDE = 64  # pixels of the displacement field before it is resampled

RemapGrid = NDArray[np.float32]


@dataclass(frozen=True)
class AugmentParams:
    """Random augmentation of one sample, shared by all its outputs.

    Attributes:
        transform: 2x3, image -> transformed image, both with a side of 1.
        control_points: (n, n, 2) float32 displacement (x, y) of the grid's control points, as shares of the side.
        flip: Whether the image is mirrored afterwards.
        shift: How far hue, saturation and value go, each -1..1, as shares of what an output allows.
        light: How far the gain, and those of blue, green and red alone, go, each -1..1, as shares of what an output
            allows.
        like: Number of the face whose colours it gets; None where it keeps its own.
    """

    transform: Matrix
    control_points: NDArray[np.float32]
    flip: bool
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    light: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    like: int | None = None


def truncated_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Draw normal variates, again until all are within 2.5, divided by 2.5: |value| <= 1."""
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2.5).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return values / 2.5


def draw_params(rng: np.random.Generator, *, flip: bool, jitter: float = 1.0) -> AugmentParams:
    """Draw the augmentation of one sample.

    Args:
        rng: The only source of randomness.
        flip: Whether mirroring is allowed (then it happens with probability 0.4).
        jitter: Strength of rotation, scale and shift; 1 is the full range.
    """
    angle = jitter * np.deg2rad(rng.uniform(-MAX_ROTATION, MAX_ROTATION))
    scale = 1 + jitter * rng.uniform(-MAX_SCALE_CHANGE, MAX_SCALE_CHANGE)
    shift = jitter * rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cosine, sine], [-sine, cosine]])
    centre = np.array([0.5, 0.5])
    transform = np.hstack([linear, (centre - linear @ centre + shift)[:, None]])
    cells = int(rng.choice(CELLS))
    control_points = np.zeros((cells + 1, cells + 1, 2), np.float32)
    control_points[1:-1, 1:-1] = truncated_normal(rng, (cells - 1, cells - 1, 2)) * MAX_DISPLACEMENT / cells
    return AugmentParams(transform, control_points, bool(flip and rng.random() < FLIP_PROBABILITY))


def displacement_field(control_points: NDArray[np.float32], side: int = FIELD_SIDE) -> NDArray[np.float32]:
    """Interpolate the displacement of the control points bilinearly at the pixel centres of a side x side image.

    Args:
        control_points: (n, n, 2) float32; point (i, j) sits at the fraction i / (n - 1) of the side.
        side: Side of the field in pixels.

    Returns:
        (2, side, side) float32, x then y, as shares of the side.
    """
    weights = _weights(len(control_points), side)
    return np.asarray(weights @ control_points.transpose(2, 0, 1) @ weights.T, np.float32)


def refined(control_points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the same warp by the finest grid, (9, 9, 2): so warps of every grid fit into one batch."""
    share = np.arange(MAX_CELLS + 1) / MAX_CELLS
    weights = _weights_at(len(control_points), share)
    return np.asarray(weights @ control_points.transpose(2, 0, 1) @ weights.T, np.float32).transpose(1, 2, 0)


@cache
def _weights(n: int, side: int) -> NDArray[np.float32]:
    """Return (side, n): how much each of n control points counts at each pixel of a row."""
    return _weights_at(n, (np.arange(side) + 0.5) / side)


def _weights_at(n: int, shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return (places, n): how much each of n control points counts at places that are given as shares of the side."""
    position = shares * (n - 1)
    low = np.minimum(position.astype(int), n - 2)
    rows = np.arange(len(shares))
    weights = np.zeros((len(shares), n), np.float32)
    weights[rows, low] = 1 - (position - low)
    weights[rows, low + 1] = position - low
    return weights


def remap_grid(matrix: Matrix, control_points: NDArray[np.float32], source_side: int, size: int) -> RemapGrid:
    """Return where each output pixel is taken from in the source image, as `cv2.remap` wants it.

    Args:
        matrix: 2x3, source image -> output, in pixels (pixel centres at whole numbers).
        control_points: Displacements of `AugmentParams`.
        source_side: Side of the source image in pixels.
        size: Side of the output in pixels.

    Returns:
        (2, size, size) float32, x then y in the source; positions outside of it mean black.
    """
    inverse = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    axis = np.arange(size, dtype=np.float64)
    # The field lives on FIELD_SIDE x FIELD_SIDE pixel centres of the source square.
    ratio = source_side / FIELD_SIDE
    from_field = np.array([[ratio, 0, ratio / 2 - 0.5], [0, ratio, ratio / 2 - 0.5], [0, 0, 1]])
    field_to_output = matrix @ from_field
    field = displacement_field(control_points) * source_side
    result = np.empty((2, size, size), np.float32)
    for c in range(2):  # one plane at a time is three times as fast in OpenCV
        cv2.warpAffine(field[c], field_to_output, (size, size), result[c], cv2.INTER_LINEAR)
        across = (inverse[c, 0] * axis).astype(np.float32)
        down = (inverse[c, 1] * axis + inverse[c, 2]).astype(np.float32)
        result[c] += across + down[:, None]
    return result
