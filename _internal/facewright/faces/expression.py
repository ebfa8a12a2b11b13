"""How far eyes and mouth are open, from landmarks or from the mesh.

The eye aspect ratio is that of Soukupová and Čech, "Real-time eye blink detection using facial landmarks", 2016.
"""

import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import Points
from facewright.faces.record import FaceRecord

OUTER_EYE_CORNERS = (36, 45)
EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))  # outer or inner corner, upper lid, corner, lower lid
LIPS = ((61, 67), (62, 66), (63, 65))  # inner edges, upper and lower
# iBUG-68 number -> number in MediaPipe's mesh, of the points that are used here.
IN_MESH = {
    **dict(zip(range(36, 42), (33, 160, 158, 133, 153, 144), strict=True)),
    **dict(zip(range(42, 48), (362, 385, 387, 263, 373, 380), strict=True)),
    **dict(zip(range(60, 68), (78, 82, 13, 312, 308, 317, 14, 87), strict=True)),
}
MAX_YAW = 60.0  # degrees up to which a turned face's foreshortened width is put right


def openings(record: FaceRecord) -> tuple[float, float]:
    """Return how far eyes and mouth of a face are open, as `eye_opening` and `mouth_opening` say.

    The mesh is measured in space. Flat landmarks are narrower on a turned face: their widths are divided by the
    cosine of the yaw.
    """
    if record.mesh is not None:
        solid = np.zeros((68, 3))
        solid[list(IN_MESH)] = record.mesh[list(IN_MESH.values())]
        return eye_opening(solid), mouth_opening(solid)
    narrowed = float(np.cos(np.radians(min(abs(record.pose[0]), MAX_YAW))))
    flat = record.frame_landmarks
    return eye_opening(flat) * narrowed, mouth_opening(flat) * narrowed


def eye_distance(points: Points, least: float = 1e-6) -> float:
    """Return the distance of the outer eye corners in pixels, at least `least`."""
    one, other = (np.asarray(points, np.float64)[index] for index in OUTER_EYE_CORNERS)
    return max(float(np.linalg.norm(one - other)), least)


def eye_opening(points: Points) -> float:
    """Return how far the eyes are open, mean of both: height of the lids over width; shut about 0.1, open 0.25 to 0.4.

    Args:
        points: (68, 2) or (68, 3).
    """
    p = np.asarray(points, np.float64)

    def aspect(eye: tuple[int, ...]) -> float:
        left, *upper, right, low_right, low_left = eye
        heights = _apart(p, upper[0], low_left) + _apart(p, upper[1], low_right)
        return heights / max(2 * _apart(p, left, right), 1e-6)

    return float(np.mean([aspect(eye) for eye in EYES]))


def mouth_opening(points: Points) -> float:
    """Return how far the lips are apart, over the distance of the outer eye corners; shut 0, wide open 0.4 and more.

    Args:
        points: (68, 2) or (68, 3).
    """
    p = np.asarray(points, np.float64)
    return float(np.mean([_apart(p, *pair) for pair in LIPS])) / eye_distance(points)


def _apart(points: NDArray[np.float64], one: int, other: int) -> float:
    return float(np.linalg.norm(points[one] - points[other]))
