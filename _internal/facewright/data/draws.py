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
from facewright.data.colour import LINEAR_TRANSFERS, as_fractions, light_exponents
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
from facewright.faces.color_transfer import Measured, is_measurable
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


def transfer_name(sample: Sample, cuts: Sequence[Cut]) -> str:
    """Return which of the numbers moves an output's colours to those of another face; "" for none."""
    number = cuts.index((sample.size, sample.face_type))
    return f"{sample.transfer}_{number}" if sample.kind == "image" and sample.transfer != "none" else ""


class Draws:
    """Draws what `Sampler.batch` would show, as numbers.

    A batch holds "first" (b, cuts) and "side" (b, cuts) int32, the image that each output looks into; "inverse_K"
    (b, 2, 3), output -> image for cut K; "control_points" (b, 9, 9, 2); and "pixels", the images of its faces, where
    not all faces lie in the table. Where colours change: "shift" (b, 3), "light" (b, 3) and, for cut K and colour
    transfer T, "T_K" (b, 3, 4), all as `nn.colours` takes them.

    Attributes:
        samples: What is made of them.
        masks: Kinds of masks, in the order of the table's channels after the image's three.
        bytes: Of the pixels of all faces.
        whole: Whether all faces lie in a table.
        table: (pixels, 3 + masks) uint8, all faces of the sampler; None where it is not to be made.

    Args:
        sampler: Whose faces, order and random numbers these are.
        max_bytes: How large the table may be.
        there: Whether such a table was made of these faces before, and is in use; None where there was no earlier one.

    Raises:
        UserError: A face cannot be read.
    """

    def __init__(self, sampler: Sampler, max_bytes: float, *, there: bool | None = None) -> None:
        self.samples, self._sampler = sampler.samples, sampler
        self.masks = masks_needed(self.samples)
        self._cuts = cuts_of(self.samples)
        self._places: dict[int, tuple[Place, ...]] = {}
        self._measured: dict[tuple[bool, int, int, str], Measured | None] = {}
        self._read: list[PreparedFace] = []  # each face is read once, and kept as long as the table may hold them all
        self._first = [0]
        room = 0.0 if there is not None else min(MAX_ROWS, max_bytes / self._channels)
        for index in range(len(sampler)):
            self._read.append(sampler.face(index))
            self._first.append(self._first[-1] + _rows(self._read[-1]))
            if self._first[-1] > room:
                room = 0.0
                self._read.clear()
        self._longest, self.bytes = int(np.diff(self._first).max()), self._first[-1] * self._channels
        self.whole = bool(self._read) if there is None else there
        self.table: Table | None = self._laid_out() if self._read else None

    def _laid_out(self) -> Table:
        table = np.empty((self._first[-1], self._channels), np.uint8)
        for number, face in enumerate(self._read):
            self._fill(table[self._first[number] : self._first[number + 1]], face)
        self._read.clear()
        return table

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
        owned = not self.whole
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
        made.update(self._colours(drawn))
        if owned:
            made["pixels"] = np.zeros((len(drawn) * self._longest, self._channels), np.uint8)
            for start, (index, _) in zip(starts, drawn, strict=True):
                face = self._sampler.face(index)
                self._fill(made["pixels"][start : start + _rows(face)], face)
        return made

    def _colours(self, drawn: "Sequence[tuple[int, AugmentParams | None]]") -> Batch:
        """Return the numbers of what changes colours, as far as an output asks for it."""
        made: dict[str, NDArray[Any]] = {}
        if any(sample.hsv for sample in self.samples):
            made["shift"] = np.array([params.shift if params else (0, 0, 0) for _, params in drawn], np.float32)
        if any(sample.light for sample in self.samples):
            made["light"] = np.stack([light_exponents(params.light if params else (0, 0, 0, 0)) for _, params in drawn])
        for sample in self.samples:
            name = transfer_name(sample, self._cuts)
            if name and name not in made:
                made[name] = np.stack([self._change(sample, index, params) for index, params in drawn])
        return made

    def _change(self, sample: Sample, index: int, params: AugmentParams | None) -> NDArray[np.float32]:
        """Return the map of a face's colours to those of the face that it was given; see `LinearMethod.between`."""
        like = self._sampler.like(params)
        if params is None or params.like is None or like is None:
            return _UNCHANGED
        face = source_of(self._sampler.face(index), sample)
        mine = self._of_colours(sample.transfer, face, (True, index))
        theirs = self._of_colours(sample.transfer, like.sized(face.side), (False, params.like))
        if mine is None or theirs is None:
            return _UNCHANGED
        return np.asarray(LINEAR_TRANSFERS[sample.transfer].between(mine, theirs), np.float32)

    def _of_colours(self, transfer: str, face: PreparedFace, which: tuple[bool, int]) -> Measured | None:
        """Measure a face's colours, once; None where too little of it is seen."""
        key = (*which, face.side, transfer)
        if key not in self._measured:
            inside = as_fractions(face.inside)
            measure = LINEAR_TRANSFERS[transfer].measure
            self._measured[key] = measure(as_fractions(face.image), inside) if is_measurable(inside) else None
        return self._measured[key]

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
_UNCHANGED = np.eye(3, 4, dtype=np.float32)


def _sizes(face: PreparedFace) -> tuple[PreparedFace, ...]:
    return (face, *face.smaller)


def _rows(face: PreparedFace) -> int:
    return sum(size.side**2 for size in _sizes(face))


def _inverse(place: Place, params: AugmentParams | None) -> NDArray[np.float32]:
    matrix = place.matrices[bool(params and params.flip)]
    if params is not None:
        matrix = composed(matrix, before_cut(params, place.side))
    return np.asarray(cv2.invertAffineTransform(matrix), np.float32)
