"""Landmark schemes: how many points a landmarker gives, what they mean, and where they lie on the mean face.

Points are (x, y). The mean face is in units of the square of a half face (0..1); it is dlib's table for face chips
(Boost licence), iBUG-68 points 17..67.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LandmarkScheme:
    """A numbering of landmarks.

    Attributes:
        name: As records write it.
        count: Number of points.
        groups: Part of the face -> the numbers of its points, in order along it.
        inner: Number of the first point that places a face; all before it (the jaw) do not.
        mean_face: (count - inner, 2) float64, the inner points of the mean face.
        mirror: (count,) the number that each point has in a mirrored image.
    """

    name: str
    count: int
    groups: Mapping[str, range]
    inner: int
    mean_face: NDArray[np.float64]
    mirror: NDArray[np.int64]


# fmt: off
_MEAN_FACE = np.array([
    (0.000213256, 0.106454), (0.0752622, 0.038915), (0.18113, 0.0187482), (0.29077, 0.0344891),
    (0.393397, 0.0773906), (0.586856, 0.0773906), (0.689483, 0.0344891), (0.799124, 0.0187482),
    (0.904991, 0.038915), (0.98004, 0.106454), (0.490127, 0.203352), (0.490127, 0.307009),
    (0.490127, 0.409805), (0.490127, 0.515625), (0.36688, 0.587326), (0.426036, 0.609345),
    (0.490127, 0.628106), (0.554217, 0.609345), (0.613373, 0.587326), (0.121737, 0.216423),
    (0.187122, 0.178758), (0.265825, 0.179852), (0.334606, 0.231733), (0.260918, 0.245099),
    (0.182743, 0.244077), (0.645647, 0.231733), (0.714428, 0.179852), (0.793132, 0.178758),
    (0.858516, 0.216423), (0.79751, 0.244077), (0.719335, 0.245099), (0.254149, 0.780233),
    (0.340985, 0.745405), (0.428858, 0.727388), (0.490127, 0.742578), (0.551395, 0.727388),
    (0.639268, 0.745405), (0.726104, 0.780233), (0.642159, 0.864805), (0.556721, 0.902192),
    (0.490127, 0.909281), (0.423532, 0.902192), (0.338094, 0.864805), (0.290379, 0.784792),
    (0.428096, 0.778746), (0.490127, 0.785343), (0.552157, 0.778746), (0.689874, 0.784792),
    (0.553364, 0.824182), (0.490127, 0.831803), (0.42689, 0.824182),
], dtype=np.float64)
_MIRROR = np.array([
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])
# fmt: on

IBUG68 = LandmarkScheme(
    name="ibug68",
    count=68,
    groups=MappingProxyType(
        {
            "jaw": range(17),
            "right brow": range(17, 22),
            "left brow": range(22, 27),
            "nose ridge": range(27, 31),
            "nostrils": range(31, 36),
            "right eye": range(36, 42),
            "left eye": range(42, 48),
            "outer lips": range(48, 60),
            "inner lips": range(60, 68),
        }
    ),
    inner=17,
    mean_face=_MEAN_FACE,
    mirror=_MIRROR,
)
