"""Alignment: the similarity that carries a face's landmarks onto the mean face.

Method: Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
PAMI 1991. The mean face is in `facewright.faces.landmarks`.
Points are (x, y) in pixels; matrices are 2x3 and map frame -> aligned.
"""

from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.landmarks import IBUG68

Points = NDArray[np.floating]
Matrix = NDArray[np.float64]


class FaceType(StrEnum):
    """How much of the head an aligned image shows, from the smallest to the largest."""

    HALF = "half"
    FULL = "full"
    HEAD = "head"
    AVATAR = "avatar"
    MARK_ONLY = "mark_only"

    def contains(self, other: "FaceType") -> bool:
        """Whether an image of this type holds all that the other type shows."""
        order = list(FaceType)
        return order.index(self) >= order.index(other)


# A face that shrinks more than this is averaged over so many pixels each way and no more: memory is bounded.
LARGEST_AVERAGE = 8
# Padding around the mean-face square, as a share of the image's side.
PADDING = {FaceType.HALF: 0.0, FaceType.FULL: 12 / 64, FaceType.HEAD: 24 / 64}

MEAN_FACE = IBUG68.mean_face
LEFT_EYE, RIGHT_EYE = IBUG68.groups["left eye"], IBUG68.groups["right eye"]


def similarity(source: Points, target: Points) -> Matrix:
    """Return the 2x3 similarity (rotation, uniform scale, shift) that maps source onto target best.

    Args:
        source: (n, 2) points, n >= 2, not all equal.
        target: (n, 2) points.

    Raises:
        ValueError: All source points are equal.
    """
    source = np.asarray(source, np.float64)
    target = np.asarray(target, np.float64)
    centre_s, centre_t = source.mean(0), target.mean(0)
    s, t = source - centre_s, target - centre_t
    spread = (s * s).sum()
    if spread == 0:
        raise ValueError("all landmarks are at the same place")
    # In the plane, Umeyama's decomposition comes down to one complex number: with points x + iy, the turn and
    # scale that fit best are sum(conj(s) t) / sum(|s|^2); it never mirrors.
    a = (s * t).sum() / spread
    b = (s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum() / spread
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, centre_t - linear @ centre_s])


def align_matrix(landmarks: Points, face_type: FaceType, size: int, *, level_eyes: bool = False) -> Matrix:
    """Return the 2x3 matrix frame -> aligned image.

    Args:
        landmarks: (68, 2) points in the frame, in pixels.
        face_type: Half, full, head or avatar; mark_only is the whole frame (identity).
        size: Side of the aligned image in pixels.
        level_eyes: Take the turn from the eyes alone: the line from the middle of the points 36..41 to the middle of
            42..47 becomes level, as it is in the mean face. Scale and the place of the middle of the points 17..67
            stay those of the best fit. Half, full and head only; avatar and mark_only are never turned.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if face_type is FaceType.MARK_ONLY:
        return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    matrix = similarity(landmarks[IBUG68.inner :], MEAN_FACE)
    if face_type is FaceType.AVATAR:
        # Upright: no rotation, the mean of all points in the middle, a third of the side per mean face.
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0])) * size / 3
        shift = size / 2 - scale * landmarks.mean(0)
        return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    if level_eyes:
        matrix = _levelled(matrix, landmarks)
    pad = PADDING[face_type] * size
    matrix = matrix * (size - 2 * pad)
    matrix[:, 2] += pad
    return matrix


def _levelled(matrix: Matrix, landmarks: Points) -> Matrix:
    """Turn what a matrix frame -> mean face gives around the middle of the points 17..67, until the eyes are level."""
    across = matrix[:, :2] @ (landmarks[LEFT_EYE].mean(0) - landmarks[RIGHT_EYE].mean(0))
    angle = np.arctan2(across[1], across[0])
    c, s = np.cos(angle), np.sin(angle)
    linear = np.array([[c, s], [-s, c]]) @ matrix[:, :2]
    return np.column_stack([linear, MEAN_FACE.mean(0) - linear @ landmarks[IBUG68.inner :].mean(0)])


def transform_points(points: Points, matrix: Matrix) -> NDArray[np.float64]:
    """Apply a 2x3 matrix to (n, 2) points."""
    points = np.asarray(points, np.float64)
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: Matrix) -> Matrix:
    """Return the 2x3 matrix of the way back."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.hstack([linear, (-linear @ matrix[:, 2])[:, None]])


def zoom_of(matrix: Matrix) -> float:
    """Return how many times as large a matrix shows things: root of the area that a unit square becomes."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def is_flat(matrix: Matrix) -> bool:
    """Whether a matrix leads to a line or a point and has no way back, as in a damaged record."""
    return abs(float(np.linalg.det(matrix[:, :2]))) < 1e-12


def between(stored: Matrix, wanted: Matrix) -> Matrix:
    """Return the 2x3 matrix stored image -> wanted image, both given as frame -> image."""
    square = np.vstack([invert(stored), [0.0, 0.0, 1.0]])
    return wanted @ square


def square_lies_inside(matrix: Matrix, size: int, side: int, slack: float) -> bool:
    """Whether a square image lies inside another one.

    Args:
        matrix: 2x3, inner image -> outer image.
        size: Side of the inner image in pixels.
        side: Side of the outer one in pixels.
        slack: How far it may stick out, in pixels of the outer one.
    """
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)], float) - 0.5
    there = transform_points(corners, matrix)
    return bool(there.min() >= -0.5 - slack and there.max() <= side - 0.5 + slack)


def cut(image: NDArray[Any], matrix: Matrix, size: int) -> NDArray[Any]:
    """Cut an aligned square out of a frame: Lanczos-4, black outside, smooth where the face shrinks a lot.

    Args:
        image: (h, w) or (h, w, c), uint8 or float32.
        matrix: 2x3, frame -> aligned.
        size: Side of the result in pixels.
    """
    return resample(image, matrix, size, cv2.INTER_LANCZOS4)


def resample(image: NDArray[Any], matrix: Matrix, size: int, interpolation: int) -> NDArray[Any]:
    """Cut a square with OpenCV's `interpolation`; where it shrinks by 2 or more, every source pixel counts.

    A warp reads a few pixels around each target pixel and would leave out the others, which flickers. So the
    square is cut n times as large, n whole, and n x n pixels are averaged.
    """
    matrix = np.asarray(matrix, np.float64)
    shrink = 1 / max(zoom_of(matrix), 1e-9)
    n = min(int(shrink), LARGEST_AVERAGE)
    if n < 2:
        return cv2.warpAffine(image, matrix, (size, size), flags=interpolation)
    finer = matrix * n
    finer[:, 2] += (n - 1) / 2  # pixels are named by their middle
    # Lanczos would cost three times as much here and its edge is lost in the average.
    kept = interpolation if interpolation == cv2.INTER_LINEAR else cv2.INTER_CUBIC
    large = cv2.warpAffine(image, finer, (size * n, size * n), flags=kept)
    return cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)
