"""Which faces deserve a look, told from their records alone: no image is decoded.

The limits were measured on ten clips (MTCNN, 1744 frames, every second or third of the longer ones) and 26 photographs.
Of the frames of the clips 18 are named: nine do hold a false face, which is all that do; nine show heads that are
turned far away, and the smallest faces of a class room.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewright.annotate.face import scale_of, square_of
from facewright.core.png import DamagedPng, read_size
from facewright.faces.align import MEAN_FACE, PADDING, FaceType, similarity, transform_points
from facewright.faces.faceset import FaceFile
from facewright.faces.record import INNER, MANUAL_DETECTOR, FaceRecord

# A detector's score below which a face is doubtful: false finds of MTCNN lay at 0.72 to 0.89, true faces over 0.95 as a
# rule, turned far away over 0.80. For a detector that is not named here the score says nothing.
LOW_SCORE: Mapping[str, float] = {"mtcnn": 0.85, "dlib-hog": 0.1, "dlib-cnn": 0.2}
WORST_FIT = 0.1  # sides of the mean face, root of the mean square: true faces reach 0.09
FARTHEST = 0.33  # sides of the box, from its middle to the landmarks' square: true faces reach 0.24
LARGEST_SQUARE = 3.0  # area of the full-face square over that of the box: true faces reach 2.1
REACH = 3  # frames on each side that a face of a video is compared with
JUMP = 0.6  # sides of the face, from where it should be
GROWTH = 1.5  # times as large or as small as it should be


def doubts(record: FaceRecord, size: tuple[int, int] | None) -> list[str]:
    """Return what is odd about one face; nothing about one that a person placed.

    Args:
        record: The face.
        size: (h, w) of its frame; None where it is not known.
    """
    if record.detector == MANUAL_DETECTOR:
        return []
    points = np.asarray(record.frame_landmarks, np.float64)
    found = []
    if record.score < LOW_SCORE.get(record.detector, -np.inf):
        found.append("low score")
    matrix = similarity(points[INNER:], MEAN_FACE)
    apart = transform_points(points[INNER:], matrix) - MEAN_FACE
    left, top, right, bottom = record.rect
    side = max((max(right - left, 0.0) * max(bottom - top, 0.0)) ** 0.5, 1.0)
    square = square_of(record.frame_landmarks)
    away = np.hypot(square.x - (left + right) / 2, square.y - (top + bottom) / 2)
    if (apart**2).sum(1).mean() ** 0.5 > WORST_FIT or away > FARTHEST * side:
        found.append("odd landmarks")
    aligned_side = 1 / scale_of(matrix) / (1 - 2 * PADDING[FaceType.FULL])
    if (aligned_side / side) ** 2 > LARGEST_SQUARE:
        found.append("much larger than its box")
    height, width = size or (np.inf, np.inf)
    if (points[INNER:] < -1).any() or (points[INNER:] > (width, height)).any():
        found.append("over the frame's edge")
    return found


def suspicious(
    frames: Sequence[Path], faces: Mapping[str, Sequence[FaceFile]], *, video: bool
) -> dict[Path, list[str]]:
    """Return the frames with an odd face, each with what is odd.

    Args:
        frames: All frames, in order.
        faces: Their faces, by the frame's stem.
        video: Whether neighbours in the list are neighbours in time: a face that jumps is odd then.
    """
    found: dict[Path, list[str]] = {}
    jumping = _jumping([faces.get(path.stem, ()) for path in frames]) if video else set()
    for index, path in enumerate(frames):
        own = faces.get(path.stem, ())
        size = _size(path) if own else None
        odd = [doubt for face in own for doubt in doubts(face.record, size)]
        if index in jumping:
            odd.append("jumps")
        if odd:
            found[path] = sorted(set(odd))
    return found


def _jumping(groups: Sequence[Sequence[FaceFile]]) -> set[int]:
    """Return the indices of the frames with a face that is not where its neighbours in time say that it should be."""
    places = [np.array([_place(face) for face in group]).reshape(-1, 3) for group in groups]
    found = set()
    for index, own in enumerate(places):
        near = range(max(0, index - REACH), min(index + REACH + 1, len(places)))
        around = [places[i] for i in near if i != index and len(places[i])]
        for number, face in enumerate(groups[index]):
            if face.record.detector != MANUAL_DETECTOR and _jumps(own, number, around):
                found.add(index)
    return found


def _jumps(own: NDArray[np.float64], number: int, around: Sequence[NDArray[np.float64]]) -> bool:
    """Whether a face of a frame, one of the (n, 3) `own`, lies elsewhere than in the frames around."""
    if len(around) <= REACH:
        return False
    face = own[number]
    # Of every frame around the nearest face, unless another face of this frame is nearer to that one.
    same = []
    for others in around:
        nearest = others[_apart(others, face).argmin()]
        if _apart(own, nearest).argmin() == number:
            same.append(nearest)
    if len(same) <= REACH:
        return (
            len(same) < 2 and len(around) > REACH + 1
        )  # it comes and goes beside another face: twice is a person who turned away
    x, y, side = np.median([*same, face], axis=0)
    far = np.hypot(face[0] - x, face[1] - y) > JUMP * side
    return bool(far or not 1 / GROWTH < face[2] / side < GROWTH)


def _apart(places: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    away: NDArray[np.float64] = np.hypot(*(places[:, :2] - place[:2]).T)
    return away


def _place(face: FaceFile) -> tuple[float, float, float]:
    """Return middle (x, y) and side of a face, from its landmarks: detectors differ in what they call its box."""
    square = square_of(face.record.frame_landmarks)
    return square.x, square.y, 2 * square.half


def _size(frame: Path) -> tuple[int, int] | None:
    """Return (h, w) of a frame; None where it is no PNG or gone."""
    try:
        return read_size(frame)
    except (OSError, DamagedPng):
        return None
