"""MediaPipe's face mesh: which of its 468 points are the 68 of iBUG, and which are mirrored into which.

Its points are those of the canonical face model of MediaPipe (Apache-2.0). The 68 are points of the skin or the middle
between two of them, chosen by geometry: those that lie nearest to dlib's on 684 upright faces of 33 people. Public
tables take the upper edge of the brows and other points of the nose, and lie 3.6 instead of 2.5 % of the eyes'
distance away on average. No correction is fitted to dlib's points, so nothing here stems from the photos that those
learned from.
"""

import numpy as np
from numpy.typing import NDArray

from facewright.faces.landmarks import IBUG68

POINTS = 468
RIGHT_EYE, LEFT_EYE = 33, 263  # the outer corners

# fmt: off
# iBUG-68 point -> the two mesh points between which it lies; twice the same where it is one of them.
IBUG_PAIRS = np.array([
    (127, 127), (234, 234), (93, 177), (215, 215), (138, 172), (136, 136), (149, 149), (176, 148), (152, 152),
    (400, 377), (378, 378), (365, 365), (367, 397), (435, 435), (323, 401), (454, 454), (356, 356),
    (70, 46), (63, 53), (105, 52), (66, 65), (107, 55), (336, 285), (296, 295), (334, 282), (293, 283), (300, 276),
    (168, 6), (197, 197), (5, 195), (4, 4), (240, 75), (97, 97), (2, 2), (326, 326), (460, 305),
    (33, 7), (160, 160), (158, 158), (133, 155), (153, 153), (144, 144),
    (362, 382), (385, 385), (387, 387), (263, 249), (373, 373), (380, 380),
    (61, 61), (40, 39), (37, 37), (0, 11), (267, 267), (270, 269), (291, 291),
    (405, 321), (314, 314), (17, 17), (84, 84), (181, 91),
    (78, 78), (82, 82), (13, 13), (312, 312), (308, 308), (317, 317), (14, 14), (87, 87),
])
_MIDDLE = (0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 94, 151, 152, 164, 168, 175, 195, 197, 199,
           200)
# Points from the ears' height down to the chin that can lie on the edge of the face, however it is turned: the corners
# of the convex hull of a mean face at yaws to 75 and pitches to 35 degrees, but for the nose, which has its own hull.
OUTLINE = np.array([
    22, 24, 31, 32, 50, 58, 93, 111, 116, 117, 123, 127, 132, 135, 136, 137, 138, 140, 147, 148, 149, 150,
    152, 169, 170, 171, 172, 175, 176, 177, 187, 192, 199, 207, 208, 210, 213, 214, 215, 227, 233, 234, 252,
    254, 261, 262, 280, 288, 323, 340, 345, 346, 352, 356, 361, 364, 365, 366, 367, 369, 376, 377, 378, 379,
    394, 395, 396, 397, 400, 401, 411, 416, 427, 428, 430, 433, 434, 435, 447, 453, 454,
])
# fmt: on


def _mirror() -> NDArray[np.int64]:
    """Right and left points are numbered in the same order; those in the middle are their own."""
    right = [index for index in range(248) if index not in _MIDDLE]
    left = range(248, POINTS)
    partner = dict(zip(right, left, strict=True)) | dict(zip(left, right, strict=True))
    return np.array([partner.get(index, index) for index in range(POINTS)])


MIRROR = _mirror()  # (468,) the number that each point has in a mirrored image


def ibug_points(mesh: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the 68 landmarks, (68, 2), of a mesh, (468, 2) or (468, 3); iBUG-68 order."""
    return np.asarray(mesh, np.float64)[IBUG_PAIRS, :2].mean(axis=1)


assert len(IBUG_PAIRS) == IBUG68.count
