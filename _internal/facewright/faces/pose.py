"""Head pose from landmarks: yaw, pitch and roll in degrees.

The generic head is ours: its front view is the mean face of `align.py`, its depths are typical adult distances
measured forward from the outer corners of the eyes (nose tip 42 mm, nose root 17 mm, and so on).
Only points that move little with the expression take part.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import MEAN_FACE, Points, similarity
from facewright.faces.landmarks import IBUG68

# iBUG-68 index -> depth towards the viewer in millimetres.
DEPTHS = {
    17: -8.0, 21: 16.0, 22: 16.0, 26: -8.0, 27: 17.0, 28: 25.0, 29: 34.0, 30: 42.0, 31: 21.0, 32: 26.0, 33: 29.0,
    34: 26.0, 35: 21.0, 36: 0.0, 39: 6.0, 42: 6.0, 45: 0.0, 48: 12.0, 54: 12.0,
}  # fmt: skip
# The outer corners of the eyes are 90 mm apart and 0.737 of the mean face's side.
MILLIMETRES = 90 / 0.737
# A viewer this many face sides away: about an arm's length and a half, the distance of most shots of a face.
DISTANCE = 8.0


def head_pose(landmarks: Points) -> tuple[float, float, float]:
    """Return (yaw, pitch, roll) in degrees; (0, 0, 0) looks straight into the camera.

    Signs, as seen in the picture: yaw > 0 turns the nose to the left, pitch > 0 lifts it (looking up),
    roll > 0 tilts the head clockwise. Pitch lies in -90..90, the others in -180..180.

    Args:
        landmarks: (68, 2) points (x, y) in the frame (in the aligned image roll would be lost).

    Raises:
        ValueError: All points are at the same place.
    """
    landmarks = np.asarray(landmarks, np.float64)
    indices = list(DEPTHS)
    flat = MEAN_FACE[np.array(indices) - IBUG68.inner] - 0.5
    model = np.column_stack([flat, -np.array(list(DEPTHS.values())) / MILLIMETRES])
    # The image is brought upright and to unit size first: the solver then starts near its goal and the
    # result does not depend on the frame's size. The rotation that is taken away here is added again.
    to_mean = similarity(landmarks[IBUG68.inner :], MEAN_FACE)
    upright = landmarks[indices] @ to_mean[:, :2].T + to_mean[:, 2] - 0.5
    camera = np.array([[DISTANCE, 0, 0], [0, DISTANCE, 0], [0, 0, 1.0]])
    start = (np.zeros((3, 1)), np.array([[0.0], [0.0], [DISTANCE]]))
    _, turn, _ = cv2.solvePnP(
        model, upright, camera, None, *start, useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE
    )
    rotation = _plane_rotation(to_mean).T @ cv2.Rodrigues(turn)[0]
    return _angles(rotation)


def _plane_rotation(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 3x3 rotation of a 2x3 similarity about the line of sight."""
    rotation = np.eye(3)
    rotation[:2, :2] = matrix[:, :2] / np.hypot(matrix[0, 0], matrix[1, 0])
    return rotation


def _angles(rotation: NDArray[np.floating]) -> tuple[float, float, float]:
    """Split a rotation (camera axes: x right, y down, z away) into yaw first, then pitch, then roll."""
    yaw = np.arctan2(-rotation[2, 0], rotation[2, 2])
    pitch = -np.arcsin(np.clip(rotation[2, 1], -1.0, 1.0))
    roll = np.arctan2(-rotation[0, 1], rotation[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
