"""Batches for the mask model: faces whose label is known, uncovered ones behind drawn things."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.data.augment import draw_params
from facewright.data.covers import Cover, Picture, Scene, draw_cover, photograph, put_before
from facewright.data.sample import Batch, PreparedFace, Sample, make_sample, prepare_face
from facewright.data.store import MAX_BYTES, DecodedFaces
from facewright.faces.dfl_crop import face_matrix
from facewright.faces.faceset import FaceFile
from facewright.faces.mask import Mask
from facewright.faces.occlusion import COVERED_SHARE
from facewright.faces.record import load_face
from facewright.faces.visible import JUDGED_SIDE, is_labelled, says_its_edge, sized_landmarks, unseen_share

# Of a batch, where of some faces it is known what covers them. With 0.15 of it, and no labels, covers of three clips
# were met by 0.47 where it is 0.64 with this (IoU, 40 frames drawn manually).
KNOWN_SHARE = 0.65
LABELLED_SHARE = 0.5  # of those, and of what is cut out of them, where some are labelled and some were only found
COVER_CHANCE = 0.75  # that an uncovered face gets a cover
SECOND_COVER = 0.25  # that one with a cover gets another one
COVER_ON_COVERED = 0.3  # that a face which is covered already gets a cover
CUT_CHANCE = 0.4  # that a cover is one cut out of another face, where there are some
CUT_TURN, CUT_SCALE, CUT_SHIFT = 20.0, 0.15, 0.3  # degrees, logarithm, share of the side
TAKEN_FOR = 0.8  # how far a face of which nothing is known is believed to be uncovered; see `models.mask`
NO_LABELS: Mapping[Path, Path] = MappingProxyType({})
PREVIEW_SEED = 7  # the same covers in every preview
SKIN_SIDE = 0.25  # of the image: the patch from which hands get their skin


@dataclass(frozen=True)
class FaceGroups:
    """Indices of faces by what is known of them.

    Attributes:
        labelled: Somebody said what of them is seen.
        covered: Their records tell what covers them.
        plain: Nothing covers them, as far as is known.
        cutters: Those whose covers can be cut out: it is known what lies in front of them, and nothing else is.
        labels: The labelled ones again, by the label that they share: one that was drawn, and the faces to which it was
            carried.
    """

    labelled: tuple[int, ...]
    covered: tuple[int, ...]
    plain: tuple[int, ...]
    cutters: tuple[int, ...] = ()
    labels: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.labelled) + len(self.covered) + len(self.plain)


def group_faces(faces: Sequence[FaceFile], labels: Mapping[Path, Path] = NO_LABELS) -> FaceGroups:
    """Sort faces by what their records say of covers.

    Args:
        faces: The faces.
        labels: The file of the face from which a label was carried, of those to which one was.
    """
    found: dict[str, list[int]] = {"labelled": [], "covered": [], "plain": []}
    for index, face in enumerate(faces):
        record = face.record
        if is_labelled(record):
            found["labelled"].append(index)
        elif record.occlusion is not None and _covered(face) > COVERED_SHARE:
            found["covered"].append(index)
        else:
            found["plain"].append(index)
    known = [i for i in found["labelled"] if not says_its_edge(faces[i].record) and _covered(faces[i]) > COVERED_SHARE]
    cutters = tuple(sorted(found["covered"] + known))  # without a label none says its edge
    by_label: dict[Path, list[int]] = {}
    for index in found["labelled"]:
        path = faces[index].path
        by_label.setdefault(labels.get(path, path), []).append(index)
    shared = tuple(map(tuple, by_label.values()))
    return FaceGroups(**{name: tuple(indices) for name, indices in found.items()}, cutters=cutters, labels=shared)


def _covered(face: FaceFile) -> float:
    return unseen_share(face.record, sized_landmarks(face.record, JUDGED_SIDE), JUDGED_SIDE)


class MaskSampler:
    """Draws batches of faces, labels, and where these are known. All random numbers come from one generator.

    Args:
        faces: The faces; their records may differ from those in the files, where labels were carried over.
        samples: What the mask model asks for: image, label and where it is known, in this order and of one size.
        rng: The only source of randomness.
        labels: As for `group_faces`.
        executor: Threads that make the samples of a batch; without it the calling thread does.
        max_bytes: Of prepared faces that are kept in memory.

    Raises:
        ValueError: There are no faces.
    """

    def __init__(
        self,
        faces: Sequence[FaceFile],
        samples: tuple[Sample, ...],
        rng: np.random.Generator,
        *,
        labels: Mapping[Path, Path] = NO_LABELS,
        executor: Executor | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if not faces:
            raise ValueError("a sampler needs at least one face")
        records = {face.path: face.record for face in faces}

        def decode(path: Path, wanted: Sequence[Sample]) -> PreparedFace:
            # A half face is taken too: what its image does not show stays black, and nothing is known there.
            return prepare_face(load_face(path)[0], records[path], wanted)

        self.samples = samples
        self.groups = group_faces(faces, labels)
        self._plain = frozenset(self.groups.plain)
        cutters = set(self.groups.cutters)
        self._cut_labels = [there for label in self.groups.labels if (there := sorted(cutters.intersection(label)))]
        self._doubted: frozenset[int] = frozenset()
        self._believed = self.groups.plain
        self._faces = DecodedFaces([face.path for face in faces], samples, max_bytes, decode)
        self._rng = rng
        self._executor = executor

    def batch(self, size: int) -> Batch:
        """Return the next batch: name of the sample -> (size, side, side, channels) float32 in 0..1.

        Where a label is known is 1 where something vouches for it, `TAKEN_FOR` on faces that nothing is known of.

        Raises:
            UserError: A face cannot be read.
        """
        # A seed for each, so that a batch does not depend on the threads.
        seeds = self._rng.integers(0, 2**62, size).tolist()
        return self._stacked(list(self._map(self._sample, seeds)))

    def untouched(self, indices: Sequence[int]) -> Batch:
        """Return faces for a preview, as they are: every second plain one behind a cover, the same in each preview."""
        made = []
        for place, number in enumerate(indices):
            index = number % len(self)
            image, label, known = make_sample(self._faces.face(index), self.samples, None)
            if index in self._plain and place % 2:
                rng = np.random.default_rng([PREVIEW_SEED, index])
                image, label = self._covered(image, label, known, rng)
            made.append((image, label, known))
        return self._stacked(made)

    @property
    def doubted(self) -> frozenset[int]:
        """Indices of the faces that nothing is known of, but that are not taken for uncovered."""
        return self._doubted

    def doubt(self, indices: Iterable[int]) -> None:
        """Draw these no longer: they seem to be covered, although no record says so."""
        self._doubted = frozenset(indices) & self._plain
        self._believed = tuple(index for index in self.groups.plain if index not in self._doubted)

    def plain(self, indices: Sequence[int]) -> Batch:
        """Return faces as they are, with nothing drawn before them."""
        return self._stacked([tuple(make_sample(self._faces.face(i), self.samples, None)) for i in indices])

    def state(self) -> dict[str, Any]:
        """Return the state of the random draws, JSON-able."""
        return {"rng": self._rng.bit_generator.state, "faces": len(self), "doubted": sorted(self._doubted)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue where `state` was taken; one that fits no generator is passed over."""
        with contextlib.suppress(LookupError, TypeError, ValueError, OverflowError):
            self._rng.bit_generator.state = state["rng"]
            if state["faces"] == len(self):
                self.doubt(int(index) for index in state["doubted"])

    def __len__(self) -> int:
        return len(self._faces)

    def _map(self, work: Any, seeds: list[int]) -> Any:
        return self._executor.map(work, seeds) if self._executor else map(work, seeds)

    def _stacked(self, rows: "Sequence[tuple[NDArray[np.float32], ...]]") -> Batch:
        return {s.name: np.stack(planes) for s, planes in zip(self.samples, zip(*rows, strict=True), strict=True)}

    def _sample(self, seed: int) -> "tuple[NDArray[np.float32], ...]":
        rng = np.random.default_rng(seed)
        index, chance = self._draw(rng)
        params = draw_params(rng, flip=True)
        image, label, known = make_sample(self._faces.face(index), self.samples, params)
        if index in self._plain:
            known = known * np.float32(TAKEN_FOR)
        if rng.random() < chance:
            image, label = self._covered(image, label, known, rng)
            if rng.random() < SECOND_COVER:
                image, label = self._covered(image, label, known, rng)
        return photograph(image, rng), label, known

    def _draw(self, rng: np.random.Generator) -> tuple[int, float]:
        """Return a face, and how likely it gets a cover."""
        groups, draw = self.groups, rng.random()
        rest = self._believed or groups.covered or groups.labelled or groups.plain
        labelled = KNOWN_SHARE * (LABELLED_SHARE if groups.covered else 1.0) if groups.labelled else 0.0
        if draw < labelled:
            # By label: around a hand at rest one reaches many frames, around one that moves it is soon lost.
            return _of_one_label(groups.labels, rng), COVER_ON_COVERED
        if groups.covered and draw < KNOWN_SHARE:
            return _one_of(groups.covered, rng), COVER_ON_COVERED
        return _one_of(rest, rng), COVER_CHANCE

    def _covered(
        self, image: Picture, label: NDArray[np.float32], known: NDArray[np.float32], rng: np.random.Generator
    ) -> "tuple[Picture, NDArray[np.float32]]":
        if self.groups.cutters and rng.random() < CUT_CHANCE:
            covered, left = put_before(image, label[..., 0], self._cut_out(rng))
            return covered, left[..., None]
        other = self._faces.face(_one_of(range(len(self)), rng))
        texture = make_sample(other, self.samples[:1], draw_params(rng, flip=True))[0]
        seen: Mask = known[..., 0] * label[..., 0]
        scene = Scene(image, seen, _skin_of(image, seen, rng), texture)
        covered, left = put_before(image, label[..., 0], draw_cover(scene, rng))
        return covered, left[..., None]

    def _cutter(self, rng: np.random.Generator) -> int:
        """Return a face whose cover can be cut out: in half of the draws a labelled one, each label as often."""
        if self._cut_labels and rng.random() < LABELLED_SHARE:
            return _of_one_label(self._cut_labels, rng)
        return _one_of(self.groups.cutters, rng)

    def _cut_out(self, rng: np.random.Generator) -> Cover:
        """Cut out what covers another face, hands as a rule, and turn, scale and move it."""
        face, side = self._faces.face(self._cutter(rng)), self.samples[0].size
        matrix = face_matrix(face.landmarks, self.samples[0].face_type, side)
        middle = (side / 2, side / 2)
        scale = float(np.exp(rng.normal(0, CUT_SCALE)))
        turn = np.asarray(cv2.getRotationMatrix2D(middle, rng.normal(0, CUT_TURN), scale), np.float64)
        turn[:, 2] += rng.uniform(-CUT_SHIFT, CUT_SHIFT, 2) * side
        if rng.random() < 0.5:
            turn = np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0]]) @ np.vstack([turn, [0.0, 0.0, 1.0]])
        matrix = turn @ np.vstack([matrix, [0.0, 0.0, 1.0]])
        planes = (face.image, 255 - face.masks[self.samples[1].kind])
        colour, alpha = (
            cv2.warpAffine(plane, matrix, (side, side), flags=cv2.INTER_LINEAR).astype(np.float32) / np.float32(255)
            for plane in planes
        )
        return Cover(colour, alpha, rng.uniform(0, 0.4))


def _skin_of(image: Picture, seen: Mask, rng: np.random.Generator) -> Picture:
    """Return a square of the face that shows skin: any that lies wholly where it is seen, else the middle."""
    side = len(image)
    part = max(2, round(side * SKIN_SIDE))
    for _ in range(8):
        y, x = rng.integers(0, side - part + 1, 2)
        if seen[y : y + part, x : x + part].min() > 0.9:
            return image[y : y + part, x : x + part]
    start = (side - part) // 2
    return image[start : start + part, start : start + part]


def _one_of(indices: Sequence[int], rng: np.random.Generator) -> int:
    return int(indices[int(rng.integers(len(indices)))])


def _of_one_label(labels: Sequence[Sequence[int]], rng: np.random.Generator) -> int:
    """Return one of the faces that share a label; each label is drawn as often, whatever it was carried to."""
    return _one_of(labels[_one_of(range(len(labels)), rng)], rng)
