"""Samples as numbers: which face, from where each pixel is taken. A device makes the images of them.

One declaration (`data.sample.Sample`) has two executors: `data.sampler.Sampler` makes the images itself, and what is
drawn here is made into the same images by `nn.sample_maker`, inside the training step. Both draw from the same
generator in the same order: what one would have shown next the other shows next, and a saved state fits both.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.data.augment import AugmentParams, refined
from facewright.data.sample import (
    Batch,
    PreparedFace,
    Sample,
    before_cut,
    composed,
    cut_matrix,
    masks_needed,
    source_of,
)
from facewright.data.sampler import Sampler
from facewright.faces.align import Matrix
from facewright.faces.dfl_crop import FaceKind

MAX_ROWS = 1 << 31  # rows of a table: their numbers are int32
Cut = tuple[int, FaceKind]
Table = NDArray[np.uint8]


@dataclass(frozen=True)
class Place:
    """Where an output of a face comes from.

    Attributes:
        first: Row, among the face's own, at which the image begins that is looked into.
        side: Of that image in pixels.
        matrices: Image -> output, 2x3: as it is, and of the mirrored image.
    """

    first: int
    side: int
    matrices: tuple[Matrix, Matrix]


def cuts_of(samples: Sequence[Sample]) -> tuple[Cut, ...]:
    """Return the different sizes and face types among the outputs: those share their matrix."""
    return tuple(dict.fromkeys((sample.size, sample.face_type) for sample in samples))


class Draws:
    """Draws what `Sampler.batch` would show, as numbers.

    A batch holds "first" (b, cuts) and "side" (b, cuts) int32, the image that each output looks into; "inverse_K"
    (b, 2, 3), output -> image for cut K; "control_points" (b, 9, 9, 2); and "pixels", the images of its faces, where
    not all faces lie in the table.

    Attributes:
        samples: What is made of them.
        masks: Kinds of masks, in the order of the table's channels after the image's three.
        table: (pixels, 3 + masks) uint8, all faces of the sampler; None where that were more than `max_bytes`.

    Args:
        sampler: Whose faces, order and random numbers these are.
        max_bytes: How large the table may be.

    Raises:
        UserError: A face cannot be read.
    """

    def __init__(self, sampler: Sampler, max_bytes: float) -> None:
        self.samples, self._sampler = sampler.samples, sampler
        self.masks = masks_needed(self.samples)
        self._cuts = cuts_of(self.samples)
        self._places: dict[int, tuple[Place, ...]] = {}
        rows = [_rows(sampler.face(index)) for index in range(len(sampler))]
        self._longest, whole = max(rows), sum(rows)
        self._first = [0, *itertools.accumulate(rows)]
        self.table: Table | None = None
        if whole < MAX_ROWS and whole * self._channels <= max_bytes:
            self.table = np.empty((whole, self._channels), np.uint8)
            for index in range(len(rows)):
                self._fill(self.table[self._first[index] : self._first[index + 1]], sampler.face(index))

    @property
    def _channels(self) -> int:
        return 3 + len(self.masks)

    def batch(self, size: int) -> Batch:
        """Draw the next batch.

        Raises:
            UserError: A face cannot be read.
        """
        return self.numbers(self._sampler.draw(size))

    def numbers(self, drawn: "Sequence[tuple[int, AugmentParams | None]]") -> Batch:
        """Return the numbers of given faces and augmentations, None for the unchanged face."""
        places = [self._of(index) for index, _ in drawn]
        owned = self.table is None
        starts = [k * self._longest if owned else self._first[index] for k, (index, _) in enumerate(drawn)]
        first = [[start + place.first for place in of_face] for start, of_face in zip(starts, places, strict=True)]
        made: dict[str, NDArray[Any]] = {
            "first": np.array(first, np.int32),
            "side": np.array([[place.side for place in of_face] for of_face in places], np.int32),
            "control_points": np.stack([refined(params.control_points) if params else _STILL for _, params in drawn]),
        }
        for number in range(len(self._cuts)):
            matrices = [_inverse(of[number], params) for of, (_, params) in zip(places, drawn, strict=True)]
            made[f"inverse_{number}"] = np.stack(matrices)
        if owned:
            made["pixels"] = np.zeros((len(drawn) * self._longest, self._channels), np.uint8)
            for start, (index, _) in zip(starts, drawn, strict=True):
                face = self._sampler.face(index)
                self._fill(made["pixels"][start : start + _rows(face)], face)
        return made

    def state(self) -> dict[str, Any]:
        """Return the state of the random draws, JSON-able: the sampler's own."""
        return self._sampler.state()

    def _of(self, index: int) -> tuple[Place, ...]:
        if index not in self._places:
            self._places[index] = self._placed(self._sampler.face(index))
        return self._places[index]

    def _placed(self, face: PreparedFace) -> tuple[Place, ...]:
        firsts = [0, *itertools.accumulate(size.side**2 for size in _sizes(face))]
        found = []
        for size, kind in self._cuts:
            sample = Sample("", "image", size, kind)
            source = source_of(face, sample)
            first = firsts[[one.side for one in _sizes(face)].index(source.side)]
            plain, mirrored = (cut_matrix(source, sample, mirrored=m) for m in (False, True))
            found.append(Place(first, source.side, (plain, mirrored)))
        return tuple(found)

    def _fill(self, rows: Table, face: PreparedFace) -> None:
        first = 0
        for size in _sizes(face):
            part = rows[first : first + size.side**2]
            part[:, :3] = size.image.reshape(-1, 3)
            for channel, kind in enumerate(self.masks, 3):
                part[:, channel] = size.masks[kind].reshape(-1)
            first += size.side**2


_STILL = np.zeros((9, 9, 2), np.float32)


def _sizes(face: PreparedFace) -> tuple[PreparedFace, ...]:
    return (face, *face.smaller)


def _rows(face: PreparedFace) -> int:
    return sum(size.side**2 for size in _sizes(face))


def _inverse(place: Place, params: AugmentParams | None) -> NDArray[np.float32]:
    matrix = place.matrices[bool(params and params.flip)]
    if params is not None:
        matrix = composed(matrix, before_cut(params, place.side))
    return np.asarray(cv2.invertAffineTransform(matrix), np.float32)
