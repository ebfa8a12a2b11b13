"""Methods that read the face's record: where it looks, how large it was, which frame it came from."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.files import natural
from facewright.faces.align import FaceType, align_matrix, transform_points
from facewright.facesets.distances import CityBlock
from facewright.facesets.orders import chain, most_different_first
from facewright.facesets.sort_base import FaceToSort, Sorted, descending, sort_method


def by_name(names: NDArray[Any]) -> Sequence[int]:
    """Order by name, as the frames lie in the video; equal ones keep their order."""
    return sorted(range(len(names)), key=lambda index: natural(str(names[index])))


@sort_method("face-yaw", "looking left (in the image) to looking right", descending)
def face_yaw(face: FaceToSort) -> float:
    """Yaw in degrees."""
    return face.record.pose[0]


@sort_method("face-pitch", "looking up to looking down", descending)
def face_pitch(face: FaceToSort) -> float:
    """Pitch in degrees."""
    return face.record.pose[1]


def source_area(face: FaceToSort) -> float:
    """Area of the detector's box in square pixels of the frame."""
    left, top, right, bottom = face.record.rect
    return abs((right - left) * (bottom - top))


@sort_method("face-source-rect-size", "largest in the frame first: the smallest have the least detail", descending)
def face_source_rect_size(face: FaceToSort) -> float:
    """Area of the detector's box in square pixels."""
    return source_area(face)


@sort_method("origname", "by the frame it came from: the order of the video", by_name)
def origname(face: FaceToSort) -> str:
    """Name of the frame."""
    return face.record.frame


def alone_in_their_frame(names: NDArray[Any]) -> Sorted:
    """Keep the faces whose frame has no other, in the order of the frames."""
    count = Counter(names.tolist())
    order = by_name(names)
    return Sorted(
        [index for index in order if count[names[index]] == 1], [index for index in order if count[names[index]] > 1]
    )


@sort_method(
    "oneface",
    "the order of the video; all faces of frames with several go to the trash",
    alone_in_their_frame,
    rejects=True,
)
def oneface(face: FaceToSort) -> str:
    """Name of the frame; the file's own name plays no role."""
    return face.record.frame


@sort_method("face", "like next to like by the landmarks: similar expressions and poses", chain(CityBlock))
def face_likeness(face: FaceToSort) -> NDArray[np.float32]:
    """Landmarks as 136 numbers, see `landmarks_of`."""
    return landmarks_of(face)


@sort_method("face-dissim", "by landmarks, most unusual first: doubles at the end", most_different_first(CityBlock))
def face_dissim(face: FaceToSort) -> NDArray[np.float32]:
    """As `face`; the distances to all others count (in 2018 only to the files behind, which left the last one last)."""
    return landmarks_of(face)


def landmarks_of(face: FaceToSort) -> NDArray[np.float32]:
    """Return (136,): the landmarks in a full face of side 1, so that faces of any size and type compare."""
    points = face.record.frame_landmarks
    return transform_points(points, align_matrix(points, FaceType.FULL, 1)).ravel().astype(np.float32)


def by_person(measures: NDArray[Any]) -> Sequence[int]:
    """Order by the person's number, then by the frame; faces without a number come last."""

    def place(index: int) -> Any:
        person, frame = measures[index]
        return int(person) or 1 << 31, natural(str(frame))

    return sorted(range(len(measures)), key=place)


@sort_method("person", "one person after the other (see the people step), inside a person by the frame", by_person)
def person(face: FaceToSort) -> tuple[int, str]:
    """Number of the person, 0 for none; name of the frame."""
    return face.record.person or 0, face.record.frame
