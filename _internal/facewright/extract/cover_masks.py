"""The masks of what hands cover, for the faces of one track."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image, read_image
from facewright.extract.hands import Hand
from facewright.faces.align import FaceType, Matrix, align_matrix, between, resample, transform_points
from facewright.faces.faceset import FaceFile
from facewright.faces.hand_mask import SIDE, Reference, around_hull, hand_cover, hand_shape, most_like, to_lab
from facewright.faces.mask import Mask
from facewright.ui.contact_sheet import evenly

AROUND = 2  # frames before and after, whose hands count too: a moving one is not found in each
REFERENCES, MAX_CANDIDATES = 7, 40  # uncovered faces that one is compared with, out of so many
WIDE = 1.6  # of the palm's width: fingers drawn so wide hold all of a hand
FLASH_PX = 12  # px of the work image: what is farther from the masks before and after is no hand
EDGE_SIGMA = 0.7  # px of the work image: softness of a mask's edge


@dataclass(frozen=True, eq=False)
class Looked:
    """A face of a track.

    Attributes:
        file: The face.
        time: Number of its frame.
        hands: Those near it; None where it was not looked at now.
    """

    file: FaceFile
    time: int
    hands: Sequence[Hand] | None = None


Job = tuple[FaceFile, Sequence[Hand], Sequence[Hand], Sequence[Reference]]
Cover = NDArray[np.uint8]  # (SIDE, SIDE), 0 or 1
Spread = Callable[[Callable[[Job], Cover], Iterable[Job]], Iterator[Cover]]


def cover_masks(track: Sequence[Looked], spread: Spread = map) -> dict[int, Mask]:
    """Return what hands cover of the faces of a track, by the place of the face in it.

    Args:
        track: In order of time.
        spread: Does as `map`, perhaps in threads.

    Returns:
        (SIDE, SIDE), 0..1, of the face as `FaceType.FULL` shows it, of those that were looked at and have a hand near.
    """
    near = [_hands_around(track, place) for place in range(len(track))]
    covered = [place for place, one in enumerate(track) if one.hands is not None and near[place]]
    references = _references(track, near) if covered else []
    jobs = [(track[place].file, near[place], track[place].hands or (), references) for place in covered]
    masks = dict(zip(covered, spread(_cover_of, jobs), strict=True))
    return {place: _smoothed(track, masks, place) for place in covered}


def _hands_around(track: Sequence[Looked], place: int) -> list[Hand]:
    """Return the hands near a face, also in the frames just before and after."""
    here = track[place].time
    around = track[max(0, place - AROUND) : place + AROUND + 1]
    return [hand for one in around if abs(one.time - here) <= AROUND for hand in one.hands or ()]


def _references(track: Sequence[Looked], near: Sequence[Sequence[Hand]]) -> list[Reference]:
    """Return faces of the same track that no hand is near, spread over it.

    Where there are few of them, as in a shot of somebody who speaks with their hands, also those that no hand reaches.
    """
    if not any(near):
        return []
    clear = [(one.file, hands) for one, hands in zip(track, near, strict=True) if not one.file.record.occlusion]
    free = [file for file, hands in clear if not hands]
    if len(free) < REFERENCES:
        free = [file for file, hands in clear if not _reaches(hands, *_placed(file))]
    chosen = [free[index] for index in evenly(len(free), MAX_CANDIDATES)]
    made = []
    for file in chosen:
        matrix, landmarks = _placed(file)
        made.append(Reference(to_lab(_work_image(file, matrix)), landmarks))
    return made


def _placed(file: FaceFile) -> tuple[Matrix, NDArray[np.float32]]:
    """Return 2x3, frame -> the image in which a face is compared, and its landmarks in that image."""
    points = file.record.frame_landmarks
    matrix = align_matrix(points, FaceType.FULL, SIDE)
    return matrix, transform_points(points, matrix).astype(np.float32)


def _work_image(file: FaceFile, matrix: Matrix) -> Image:
    """Return the image in which a face is compared."""
    step = between(file.record.matrix, matrix)
    return np.asarray(resample(read_image(file.path), step, SIDE, cv2.INTER_LINEAR), np.uint8)


def _cover_of(job: Job) -> Cover:
    """Return what hands cover of a face's work image; the hands around it in time say where, its own are drawn."""
    file, around, own, references = job
    matrix, landmarks = _placed(file)
    area = _places_of(around, matrix)
    shape, reach = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    for hand in own:
        if hand.is_sure:
            reach = np.maximum(reach, _square_of(hand, matrix))
            shape = np.maximum(shape, hand_shape(transform_points(hand.points, matrix), (SIDE, SIDE)))
    if not (np.maximum(area, shape)[around_hull(landmarks)] > 0.5).any():
        return np.zeros((SIDE, SIDE), np.uint8)  # a hand beside the face: its image need not be read
    alike = most_like(landmarks, references, REFERENCES)
    return hand_cover(_work_image(file, matrix), landmarks, area, reach, shape, alike)


def _reaches(hands: Sequence[Hand], matrix: Matrix, landmarks: NDArray[np.float32]) -> bool:
    """Whether one of some hands may lie on a face that lies so in its work image."""
    return bool((_places_of(hands, matrix)[around_hull(landmarks)] > 0.5).any())


def _places_of(hands: Sequence[Hand], matrix: Matrix) -> Mask:
    """Return where some hands can be in the work image."""
    area = np.zeros((SIDE, SIDE), np.float32)
    for hand in hands:
        area = np.maximum(area, _place_of(hand, matrix))
    return area


def _place_of(hand: Hand, matrix: Matrix) -> Mask:
    """Return where a hand can be in the work image: around its points, or in its square where they are not sure."""
    if hand.is_sure:
        return hand_shape(transform_points(hand.points, matrix), (SIDE, SIDE), WIDE)
    return _square_of(hand, matrix)


def _square_of(hand: Hand, matrix: Matrix) -> Mask:
    area = np.zeros((SIDE, SIDE), np.float32)
    corners = np.clip(transform_points(hand.square, matrix), -1e4, 1e4)
    return np.asarray(cv2.fillConvexPoly(area, np.rint(corners).astype(np.int32), 1), np.float32)


def _smoothed(track: Sequence[Looked], masks: Mapping[int, Cover], place: int) -> Mask:
    """Return a mask without what is missing, or there, in a single frame; a hand may move as fast as it likes."""
    steady, here = masks[place], track[place].time
    beside = [other for other in (place - 1, place + 1) if _is_known(track, other, here)]
    if len(beside) == 2:
        one, other = (masks.get(place, np.zeros_like(steady)) for place in beside)
        steady = (steady | (one & other)) & cv2.dilate(one | other, np.ones((2 * FLASH_PX + 1,) * 2, np.uint8))
    return np.asarray(cv2.GaussianBlur(steady.astype(np.float32), (0, 0), EDGE_SIGMA), np.float32)


def _is_known(track: Sequence[Looked], place: int, time: int) -> bool:
    """Whether there is a face one frame before or after a time, which was looked at now."""
    there = 0 <= place < len(track)
    return there and abs(track[place].time - time) == 1 and track[place].hands is not None
