"""Samples as a model declares them: faces in, batches of arrays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.faces.align import FaceType, Matrix, align_matrix
from facewright.faces.mask import eyes_mask, hull_mask, mouth_mask
from facewright.faces.mirror import mirror_landmarks
from facewright.faces.record import FaceRecord, load_face
from facewright.samples.warp import Draw, draw, lookup

Batch = dict[str, NDArray[np.float32]]
CACHE_BYTES = 2 << 30


@dataclass(frozen=True)
class Sample:
    """One output a model asks for.

    Attributes:
        name: Key in the batch.
        kind: "image" (BGR), "mask" (hull of the face) or "focus" (where eyes and mouth are).
        size: Side in pixels.
        face_type: What the output shows.
        warp: Whether the elastic warp is applied (the similarity always is).
        interpolation: How a picture is looked up: "lanczos" as in 2018, or "cubic", three times as fast and
            hardly softer.
        colour: "bgr", or "grey": three equal channels of the picture's luma.
    """

    name: str
    kind: Literal["image", "mask", "focus"]
    size: int
    face_type: FaceType
    warp: bool = False
    interpolation: Literal["lanczos", "cubic"] = "lanczos"
    colour: Literal["bgr", "grey"] = "bgr"

    @property
    def channels(self) -> int:
        """Channels of the output."""
        return 3 if self.kind == "image" else 1


@dataclass(frozen=True)
class Face:
    """A decoded face, shrunk as far as the wanted outputs allow.

    Attributes:
        image: (side, side, 3) uint8 BGR.
        masks: (side, side, 2) uint8: hull and focus.
        landmarks: (68, 2) float32 in `image`.
    """

    image: Image
    masks: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def prepare_face(image: Image, record: FaceRecord, samples: tuple[Sample, ...]) -> Face:
    """Shrink a face to at most twice the sharpest output, so that one lookup has nothing to alias.

    Args:
        image: (side, side, 3) uint8 BGR aligned picture.
        record: Its record.
        samples: The wanted outputs.
    """
    side = image.shape[0]
    landmarks = np.asarray(record.landmarks, np.float32)
    zoom = max(_zoom(align_matrix(landmarks, s.face_type, s.size)) for s in samples)
    shrink = max(1, int(1 / max(zoom, 1e-6)))
    small = max(16, side // shrink)
    scale = small / side
    if small != side:
        image = np.asarray(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), np.uint8)
        landmarks = ((landmarks + 0.5) * scale - 0.5).astype(np.float32)
    shape = (small, small)
    focus = np.maximum(eyes_mask(landmarks, shape), mouth_mask(landmarks, shape))
    masks = np.dstack([hull_mask(landmarks, shape), focus])
    return Face(image, (masks * 255).astype(np.uint8), landmarks)


def _zoom(matrix: Matrix) -> float:
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def make_sample(face: Face, samples: tuple[Sample, ...], numbers: Draw | None) -> list[NDArray[np.float32]]:
    """Make all outputs of one face with the same random numbers.

    Args:
        face: A prepared face.
        samples: The wanted outputs.
        numbers: The draw, or None for the untouched face.

    Returns:
        One (size, size, channels) float32 array in 0..1 per output; values outside the picture are 0.
    """
    side = face.image.shape[0]
    flip = numbers is not None and numbers.flip
    landmarks = mirror_landmarks(face.landmarks, side) if flip else face.landmarks
    results = []
    for sample in samples:
        matrix = align_matrix(landmarks, sample.face_type, sample.size)
        if numbers is not None:
            matrix = _compose(matrix, _before_cut(numbers, side))
        source = _source(face, sample)
        if sample.warp and numbers is not None:
            where = lookup(matrix, numbers.nodes, side, sample.size)
            picture = cv2.remap(source, where, None, _filter(sample))  # type: ignore[call-overload]
        else:
            picture = cv2.warpAffine(source, matrix, (sample.size, sample.size), flags=_filter(sample))
        if sample.colour == "grey":
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        results.append(picture.reshape(sample.size, sample.size, sample.channels).astype(np.float32) / 255)
    return results


def _source(face: Face, sample: Sample) -> NDArray[np.uint8]:
    if sample.kind == "image":
        return face.image
    return np.ascontiguousarray(face.masks[..., 0 if sample.kind == "mask" else 1])


def _filter(sample: Sample) -> int:
    if sample.kind != "image":
        return cv2.INTER_LINEAR
    return cv2.INTER_CUBIC if sample.interpolation == "cubic" else cv2.INTER_LANCZOS4


def _before_cut(numbers: Draw, side: int) -> Matrix:
    """Return 2x3, picture -> transformed and mirrored picture, in pixels of a picture of that side."""
    linear = numbers.transform[:, :2]
    # From fractions of the side to pixel centres: fraction = (pixel + 0.5) / side.
    shift = numbers.transform[:, 2] * side + linear @ [0.5, 0.5] - 0.5
    matrix = np.hstack([linear, shift[:, None]])
    if numbers.flip:
        matrix = _compose(np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0]]), matrix)
    return matrix


def _compose(after: Matrix, before: Matrix) -> Matrix:
    return after @ np.vstack([before, [0.0, 0.0, 1.0]])


class Sampler:
    """Draws batches from a faceset: a shuffled order without replacement, reshuffled at its end.

    Args:
        paths: Aligned PNGs.
        samples: The wanted outputs.
        rng: The only source of randomness.
        flip: Whether faces may be mirrored.
        jitter: Strength of rotation, scale and shift; 1 is the full range.

    Raises:
        UserError: A face cannot be read or shows less than an output needs; no faces at all.
    """

    def __init__(
        self,
        paths: list[Path],
        samples: tuple[Sample, ...],
        rng: np.random.Generator,
        *,
        flip: bool,
        jitter: float = 1.0,
    ) -> None:
        if not paths:
            raise ValueError("a sampler needs at least one face")
        self._paths = paths
        self.samples = samples
        self._rng = rng
        self._flip = flip
        self._jitter = jitter
        self._order: list[int] = []
        self._cache: dict[int, Face] = {}
        self._room = CACHE_BYTES

    def face(self, index: int) -> Face:
        """Return a prepared face; it stays in memory while the cache has room."""
        if index in self._cache:
            return self._cache[index]
        path = self._paths[index]
        image, record = load_face(path)
        _check_type(path, record, self.samples)
        face = prepare_face(image, record, self.samples)
        self._room -= face.image.nbytes + face.masks.nbytes
        if self._room > 0:
            self._cache[index] = face
        return face

    def draw(self, rng: np.random.Generator) -> Draw:
        """Draw the random numbers of one sample as this sampler does, from another generator."""
        return draw(rng, flip=self._flip, jitter=self._jitter)

    def batch(self, size: int) -> Batch:
        """Return the next batch: name -> (size, side, side, channels) float32 in 0..1."""
        rows = []
        for _ in range(size):
            face = self.face(self._next())
            rows.append(make_sample(face, self.samples, self.draw(self._rng)))
        return {s.name: np.stack([row[k] for row in rows]) for k, s in enumerate(self.samples)}

    def untouched(self, indices: list[int]) -> Batch:
        """Return the given faces without warp, similarity and flip, for a preview."""
        rows = [make_sample(self.face(i % len(self._paths)), self.samples, None) for i in indices]
        return {s.name: np.stack([row[k] for row in rows]) for k, s in enumerate(self.samples)}

    def state(self) -> dict[str, Any]:
        """Return where the draws stand, as JSON-able values."""
        return {"faces": len(self), "order": list(self._order), "rng": self._rng.bit_generator.state}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; the order begins anew when the number of faces has changed."""
        self._rng.bit_generator.state = state["rng"]
        self._order = list(state["order"]) if state["faces"] == len(self) else []

    def __len__(self) -> int:
        return len(self._paths)

    def _next(self) -> int:
        if not self._order:
            self._order = self._rng.permutation(len(self._paths)).tolist()
        return self._order.pop()


def _check_type(path: Path, record: FaceRecord, samples: tuple[Sample, ...]) -> None:
    for sample in samples:
        if record.face_type is FaceType.MARK_ONLY or not record.face_type.contains(sample.face_type):
            raise UserError(
                f"{path.name} is a {record.face_type} face, but the model needs {sample.face_type} faces.",
                f"faces extracted as {sample.face_type} or a larger type.",
                f"extract again with --face-type {sample.face_type} --redo.",
            )
