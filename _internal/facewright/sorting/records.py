"""Methods that read the face's record: where it looks, how large it was, which frame it came from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.sorting.base import Face, descending, sort_method
from facewright.sorting.orders import chain, city_block, most_different_first


def by_text(names: NDArray[Any]) -> Sequence[int]:
    """Order by text; equal ones keep their order."""
    return sorted(range(len(names)), key=lambda index: str(names[index]))


@sort_method("face-yaw", "looking left (in the picture) to looking right", descending)
def face_yaw(face: Face) -> float:
    """Yaw in degrees."""
    return face.record.pose[0]


@sort_method("face-pitch", "looking up to looking down", descending)
def face_pitch(face: Face) -> float:
    """Pitch in degrees."""
    return face.record.pose[1]


@sort_method("face-source-rect-size", "largest in the frame first: the smallest have the least detail", descending)
def face_source_rect_size(face: Face) -> float:
    """Area of the detector's box in square pixels."""
    left, top, right, bottom = face.record.rect
    return abs((right - left) * (bottom - top))


@sort_method("origname", "by the frame it came from: the order of the video", by_text)
def origname(face: Face) -> str:
    """Name of the frame."""
    return face.record.frame


@sort_method("face", "like next to like by the landmarks: similar expressions and poses", chain(city_block))
def face_likeness(face: Face) -> NDArray[np.float32]:
    """Landmarks in the aligned picture as 136 numbers, in shares of its side."""
    return _landmarks(face)


@sort_method("face-dissim", "by landmarks, most unusual first: doubles at the end", most_different_first(city_block))
def face_dissim(face: Face) -> NDArray[np.float32]:
    """As `face`."""
    return _landmarks(face)


def _landmarks(face: Face) -> NDArray[np.float32]:
    # Shares of the side, so that faces saved at other sizes compare.
    return np.asarray(face.record.landmarks.reshape(136) / max(1, face.record.size), np.float32)
