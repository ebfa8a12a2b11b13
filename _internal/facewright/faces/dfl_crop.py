"""What the faces of networks from DeepFaceLab show: its crops of 2020 and later, which differ from those of 2018.

They are placed by 33 points (brows, nose, eyes and the corners of the mouth), so that an open mouth moves nothing.
Facts in our own words; sides and shifts are in sides of the mean face's square.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from facewright.faces.align import FaceType, Matrix, Points, align_matrix, similarity
from facewright.faces.landmarks import IBUG68

PLACING = np.array([*range(17, 49), 54])  # numbers of the landmarks


class DflFaceType(StrEnum):
    """How much of the head such a network shows."""

    HALF = "dfl-half"
    MID_FULL = "dfl-mid-full"
    FULL = "dfl-full"
    WHOLE = "dfl-whole"
    HEAD = "dfl-head"


FaceKind = FaceType | DflFaceType


@dataclass(frozen=True)
class _Crop:
    """Side of the crop, how far its middle lies above the mean face's, and whether it goes back with a turned head."""

    side: float
    up: float = 0.0
    follows: bool = False


CROPS = MappingProxyType(
    {
        DflFaceType.HALF: _Crop(1.0),
        DflFaceType.MID_FULL: _Crop(1 + 2 * 0.0675 * 2**0.5),
        DflFaceType.FULL: _Crop(1 + 2 * 0.2109375 * 2**0.5),
        DflFaceType.WHOLE: _Crop(1 + 2 * 0.4 * 2**0.5, up=0.07),
        DflFaceType.HEAD: _Crop(1 + 2 * 0.7 * 2**0.5, up=0.5, follows=True),
    }
)


# The smallest of our types whose images hold all that such a network shows.
WITHIN = MappingProxyType(
    {
        DflFaceType.HALF: FaceType.HALF,
        DflFaceType.MID_FULL: FaceType.FULL,
        DflFaceType.FULL: FaceType.FULL,
        DflFaceType.WHOLE: FaceType.HEAD,
        DflFaceType.HEAD: FaceType.HEAD,
    }
)


def needed_type(kind: FaceKind) -> FaceType:
    """Return the smallest face type whose aligned images hold what a network is to see."""
    return WITHIN[kind] if isinstance(kind, DflFaceType) else kind


def face_matrix(landmarks: Points, kind: FaceKind, size: int) -> Matrix:
    """Return the 2x3 matrix frame -> image of either kind of crop: see `align_matrix` and `dfl_matrix`."""
    if isinstance(kind, DflFaceType):
        return dfl_matrix(landmarks, kind, size)
    return align_matrix(landmarks, kind, size)


def dfl_matrix(landmarks: Points, kind: DflFaceType, size: int) -> Matrix:
    """Return the 2x3 matrix frame -> aligned image.

    Args:
        landmarks: (68, 2) points in the frame, in pixels.
        kind: What the image shall show.
        size: Its side in pixels.
    """
    crop = CROPS[kind]
    matrix = similarity(np.asarray(landmarks, np.float64)[PLACING], IBUG68.mean_face[PLACING - IBUG68.inner])
    aside = _behind_the_nose(np.asarray(landmarks) @ matrix[:, :2].T) if crop.follows else 0.0
    corner = np.array([0.5 + aside, 0.5 - crop.up]) - crop.side / 2
    matrix[:, 2] -= corner
    return matrix * (size / crop.side)


def _behind_the_nose(points: Points) -> float:
    """Return how far the middle of a head lies to the right of its face, in sides of the mean face.

    Args:
        points: (68, 2), upright, in the same unit. The bridge of the nose lies nearer to the edge of the face to which
            the head turns; of a head that hardly turns the shift is damped.
    """
    x = points[:, 0]
    turned = float(np.mean(x[[16, 15, 14]] - 2 * x[[27, 28, 29]] + x[[0, 1, 2]]))
    return turned * abs(math.tanh(2 * turned)) / 2
