"""Mirrored landmarks: the points change sides with the picture."""

import numpy as np
from numpy.typing import NDArray

# fmt: off
SWAPPED = np.array([
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])
# fmt: on


def mirror_landmarks(landmarks: NDArray[np.floating], width: int) -> NDArray[np.float32]:
    """Mirror 68 landmarks left to right.

    Args:
        landmarks: (68, 2) points (x, y) in pixels.
        width: Width of the picture in pixels; x becomes width - 1 - x.

    Returns:
        (68, 2) float32, with left and right points exchanged.
    """
    mirrored = np.asarray(landmarks, np.float32)[SWAPPED].copy()
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    return mirrored
