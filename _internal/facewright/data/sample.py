"""Training samples as a model declares them, and how one face becomes them: pure functions.

Warp, similarity, flip and crop are one remap grid per output, so an image is resampled once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.data.augment import AugmentParams, remap_grid
from facewright.data.colour import lit, shifted, with_colours_of
from facewright.faces.align import Matrix, zoom_of
from facewright.faces.dfl_crop import FaceKind, face_matrix
from facewright.faces.expression import eye_distance
from facewright.faces.mask import Mask, eyes_mask, mirror_landmarks, mouth_mask
from facewright.faces.record import FaceRecord
from facewright.faces.visible import (
    has_predicted_mask,
    known_mask,
    mask_with_polygons,
    record_hull,
    uncovered,
    visible_mask,
)

Batch = dict[str, NDArray[np.float32]]
AROUND = 0.1  # of the eyes' distance: how much of what is around them counts with eyes and mouth
SLACK = 0.05  # a face may be enlarged or shrunk by this much before another one of its sizes is taken
# Pixels of a prepared face for each of an output, across. With one it is resampled twice at the same size: laid back
# into its frame (`main.py benchmark --name detail`) a face of the sample had 0.83 of the detail around its eyes, with
# two 0.98; the error was a seventh smaller, on two real clips more than a third. With more than two and a half it
# would alias.
DENSITY = 2.0
HARDLY_LESS = 0.25  # what would shrink by no more is left as it is


@dataclass(frozen=True)
class SampleKind:
    """What an output shows: the image, or a mask.

    Attributes:
        title: In a few words.
        draw_mask: Record of the face, its landmarks (68, 2) in pixels of the image, side of the image in pixels ->
            mask (side, side) float32 in 0..1. None for the image itself.
    """

    title: str
    draw_mask: Callable[[FaceRecord, NDArray[np.float32], int], Mask] | None = None


def _eyes_and_mouth(record: FaceRecord, landmarks: NDArray[np.float32], side: int) -> Mask:
    """Grown by a margin: between lids that are shut lies next to nothing, and they count as much as open ones."""
    size = (side, side)
    inside = np.maximum(eyes_mask(landmarks, size), mouth_mask(landmarks, size)) > 0.5
    away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.clip(AROUND * eye_distance(landmarks) + 0.5 - away, 0, 1).astype(np.float32)


def _uncovered(record: FaceRecord, landmarks: NDArray[np.float32], side: int) -> Mask:
    return uncovered(record, record_hull(record, landmarks, side))


def _record_mask(record: FaceRecord, landmarks: NDArray[np.float32], side: int) -> Mask:
    own = mask_with_polygons(record, side)
    return _uncovered(record, landmarks, side) if own is None else own


def _predicted_mask(record: FaceRecord, landmarks: NDArray[np.float32], side: int) -> Mask:
    seen = has_predicted_mask(record)
    return _record_mask(record, landmarks, side) if seen else _uncovered(record, landmarks, side)


def _visible(record: FaceRecord, landmarks: NDArray[np.float32], side: int) -> Mask:
    return visible_mask(record, side)


# A new kind of mask is a line here; prepared faces, cache and sampler follow.
SAMPLE_KINDS: Mapping[str, SampleKind] = MappingProxyType(
    {
        "image": SampleKind("the aligned image"),
        "mask": SampleKind("hull of the face", record_hull),
        "focus": SampleKind("eyes and mouth with what is around them", _eyes_and_mouth),
        "record": SampleKind("the mask that the face carries, the hull where it carries none", _record_mask),
        "predicted": SampleKind("what a mask model saw of the face, else as uncovered", _predicted_mask),
        "uncovered": SampleKind("hull of the face without what lies before it", _uncovered),
        "visible": SampleKind("what of the face is seen, as far as its record tells", _visible),
        "known": SampleKind("where that may be believed", known_mask),
    }
)


@dataclass(frozen=True)
class Sample:
    """One output a model asks for.

    Attributes:
        name: Key in the batch.
        kind: One of `SAMPLE_KINDS`.
        size: Side in pixels.
        face_type: What the output shows.
        warp: Whether the elastic warp is applied (the similarity always is).
        interpolation: How an image is resampled: "lanczos" as in 2018, or "cubic", four times as fast and
            hardly softer.
        colour: "bgr", or "grey": three equal channels of the image's luma.
        transfer: By which of `data.colour.TRANSFERS` an image gets the colours of another face.
        hsv: How far hue, saturation and value shift at random: by half of this either way.
        light: How strongly gain and colour cast change at random, 0..1; alike in all outputs of a face.
    """

    name: str
    kind: str
    size: int
    face_type: FaceKind
    warp: bool = False
    interpolation: Literal["lanczos", "cubic"] = "lanczos"
    colour: Literal["bgr", "grey"] = "bgr"
    transfer: str = "none"
    hsv: float = 0.0
    light: float = 0.0

    @property
    def channels(self) -> int:
        """Channels of the output."""
        return 3 if self.kind == "image" else 1

    @property
    def filter(self) -> int:
        """OpenCV's number of the interpolation."""
        if self.kind != "image":
            return cv2.INTER_LINEAR
        return cv2.INTER_CUBIC if self.interpolation == "cubic" else cv2.INTER_LANCZOS4


@dataclass(frozen=True)
class PreparedFace:
    """A decoded face, shrunk as far as the wanted outputs allow.

    Attributes:
        image: (side, side, 3) uint8 BGR.
        masks: Kind of mask -> (side, side) uint8, for the kinds that an output needs.
        landmarks: (68, 2) float32 in `image`.
        smaller: The same face shrunk further, for outputs that are smaller than the sharpest one.
    """

    image: Image
    masks: Mapping[str, NDArray[np.uint8]]
    landmarks: NDArray[np.float32]
    smaller: "tuple[PreparedFace, ...]" = ()

    @property
    def side(self) -> int:
        """Side of the image in pixels."""
        return self.image.shape[0]

    def sized(self, side: int) -> "PreparedFace":
        """Return the smallest of its sizes that is as good as `side` pixels."""
        enough = [face for face in self.smaller if face.side * (1 + SLACK) >= side]
        return min(enough, key=lambda face: face.side, default=self)

    @property
    def inside(self) -> NDArray[np.uint8]:
        """Where its colours are measured, (side, side): in its mask; everywhere where none was prepared."""
        own = (self.masks[kind] for kind in FACE_MASKS if kind in self.masks)
        return next(own, np.full(self.image.shape[:2], 255, np.uint8))


FACE_MASKS = ("mask", "uncovered", "record")  # kinds that a model's mask may be of


def with_record_masks(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the outputs with the mask of the face's record in place of the hull."""
    return _with_masks(samples, "record")


def with_predicted_masks(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the outputs with what a mask model saw in place of the hull."""
    return _with_masks(samples, "predicted")


def without_covers(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return the outputs with a hull that leaves out what lies before the face."""
    return _with_masks(samples, "uncovered")


def _with_masks(samples: Sequence[Sample], kind: str) -> tuple[Sample, ...]:
    return tuple(replace(sample, kind=kind) if sample.kind == "mask" else sample for sample in samples)


def masks_needed(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Return the kinds of masks that some outputs need, in the order of `SAMPLE_KINDS`."""
    wanted = {sample.kind for sample in samples}
    return tuple(name for name, kind in SAMPLE_KINDS.items() if name in wanted and kind.draw_mask)


def prepare_face(image: Image, record: FaceRecord, samples: Sequence[Sample]) -> PreparedFace:
    """Shrink a face to about twice each output: so one remap has nothing to alias, and blurs next to nothing.

    Args:
        image: (side, side, 3) uint8 BGR aligned image.
        record: Its record.
        samples: The wanted outputs.
    """
    side = image.shape[0]
    landmarks = np.asarray(record.landmarks, np.float32)
    zooms = [zoom_of(face_matrix(landmarks, s.face_type, s.size)) for s in samples]
    sides = sorted({_prepared_side(side, zoom) for zoom in zooms}, reverse=True)
    sizes = [_shrunk(image, record, landmarks, small, masks_needed(samples)) for small in sides]
    return PreparedFace(sizes[0].image, sizes[0].masks, sizes[0].landmarks, tuple(sizes[1:]))


def _prepared_side(side: int, zoom: float) -> int:
    wanted = max(16, round(DENSITY * zoom * side))
    return wanted if wanted * (1 + HARDLY_LESS) < side else side


def _shrunk(
    image: Image, record: FaceRecord, landmarks: NDArray[np.float32], small: int, masks: Sequence[str]
) -> PreparedFace:
    side = image.shape[0]
    if small != side:
        image = np.asarray(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), np.uint8)
        landmarks = shrunk_landmarks(landmarks, small / side)
    drawn = {}
    for name in masks:
        draw_mask = SAMPLE_KINDS[name].draw_mask
        assert draw_mask is not None  # see masks_needed
        drawn[name] = (draw_mask(record, landmarks, small) * 255).astype(np.uint8)
    return PreparedFace(image, drawn, landmarks)


def shrunk_landmarks(landmarks: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Return landmarks in an image of another size; pixels are named by their middle."""
    return ((landmarks + 0.5) * scale - 0.5).astype(np.float32)


def make_sample(
    face: PreparedFace, samples: Sequence[Sample], params: AugmentParams | None, like: PreparedFace | None = None
) -> list[NDArray[np.float32]]:
    """Make all outputs of one face with the same augmentation.

    Args:
        face: A prepared face.
        samples: The wanted outputs.
        params: The augmentation, or None for the unchanged face.
        like: The face that has the colours for outputs with a transfer; None leaves them as they are.

    Returns:
        One (size, size, channels) float32 array in 0..1 per output; values outside the image are 0.
    """
    outputs = [np.empty((s.size, s.size, s.channels), np.float32) for s in samples]
    fill_sample(face, samples, params, outputs, like)
    return outputs


def fill_sample(
    face: PreparedFace,
    samples: Sequence[Sample],
    params: AugmentParams | None,
    outputs: Sequence[NDArray[np.float32]],
    like: PreparedFace | None = None,
) -> None:
    """Write all outputs of one face into arrays that are there already (rows of a batch, say).

    Args:
        face: A prepared face.
        samples: The wanted outputs.
        params: The augmentation, or None for the unchanged face.
        outputs: (size, size, channels) float32 each; filled with 0..1.
        like: See `make_sample`.
    """
    known: dict[Any, Any] = {}  # outputs of one size and face type share their matrix, their map and their colours
    for sample, output in zip(samples, outputs, strict=True):
        cut = (sample.size, sample.face_type)
        if cut not in known:
            known[cut] = _placed(face, sample, params)
        source, matrix = known[cut]
        shown = (*cut, sample.kind, sample.transfer)
        if shown not in known:
            known[shown] = _shown(source, sample, like)
        image = known[shown]
        if sample.warp and params is not None:
            if (*cut, "map") not in known:
                known[*cut, "map"] = remap_grid(matrix, params.control_points, source.side, sample.size)
            across, down = known[*cut, "map"]
            made = cv2.remap(image, across, down, sample.filter)
        else:
            made = cv2.warpAffine(image, matrix, (sample.size, sample.size), flags=sample.filter)
        if sample.colour == "grey":
            made = cv2.cvtColor(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        np.divide(made.reshape(output.shape), np.float32(255), out=output)
        if sample.hsv and params is not None:
            output[...] = shifted(output, sample.hsv, params.shift)
        if sample.light and params is not None:
            output[...] = lit(output, sample.light, params.light)


def _shown(source: PreparedFace, sample: Sample, like: PreparedFace | None) -> NDArray[np.uint8]:
    """Return the mask or the image that the output shows, with the colours that it is to have."""
    if sample.kind != "image":
        return source.masks[sample.kind]
    if like is None or sample.transfer == "none":
        return source.image
    other = like.sized(source.side)
    return with_colours_of(sample.transfer, source.image, other.image, source.inside, other.inside)


def source_of(face: PreparedFace, sample: Sample) -> PreparedFace:
    """Return the size of a face that an output looks into."""
    if not face.smaller:
        return face
    zoom = zoom_of(face_matrix(face.landmarks, sample.face_type, sample.size))
    return face.sized(round(DENSITY * zoom * face.side))


def cut_matrix(source: PreparedFace, sample: Sample, *, mirrored: bool) -> Matrix:
    """Return the 2x3 matrix image -> output, of the mirrored image where that is wanted."""
    landmarks = mirror_landmarks(source.landmarks, source.side) if mirrored else source.landmarks
    return face_matrix(landmarks, sample.face_type, sample.size)


def _placed(face: PreparedFace, sample: Sample, params: AugmentParams | None) -> tuple[PreparedFace, Matrix]:
    """Return the size of the face to look into, and the matrix from it to the output."""
    source = source_of(face, sample)
    matrix = cut_matrix(source, sample, mirrored=params is not None and params.flip)
    return source, matrix if params is None else composed(matrix, before_cut(params, source.side))


def before_cut(params: AugmentParams, side: int) -> Matrix:
    """Return 2x3, image -> transformed and mirrored image, in pixels of an image of that side."""
    linear = params.transform[:, :2]
    # From fractions of the side to pixel centres: fraction = (pixel + 0.5) / side.
    shift = params.transform[:, 2] * side + linear @ [0.5, 0.5] - 0.5
    matrix = np.hstack([linear, shift[:, None]])
    if params.flip:
        matrix = composed(np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0]]), matrix)
    return matrix


def composed(after: Matrix, before: Matrix) -> Matrix:
    """Return the 2x3 matrix that does one and then the other."""
    return after @ np.vstack([before, [0.0, 0.0, 1.0]])
