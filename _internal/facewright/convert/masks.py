"""Where a face of dst may be replaced: where the network's masks say so, inside a mask of dst's own.

A provider takes a face and the place of its aligned image, and returns a mask or None, when it has none for that
face; the next one is then asked. The network's masks count inside of what a provider returns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import cv2
import numpy as np

from facewright.convert import edge
from facewright.convert.motion import Motion
from facewright.faces.align import FaceType, Matrix, Points, align_matrix, between, resample, transform_points
from facewright.faces.color import Picture
from facewright.faces.mask import Mask, eyes_mask, hull_mask, mouth_opening_mask, moved_mask

HULL_MARGIN = 1 / 128  # share of the side
ZONE_EDGE = 1 / 64  # share of the side
TEETH = (0.6, 0.9)  # of the skin's darkest channel: from the first on it may be a tooth, from the second on it is one


class MaskKind(StrEnum):
    """Which mask of dst limits the replaced area; `MODEL` is none: what the swapping model sees alone."""

    HULL = "hull"
    RECORD = "record"
    MODEL = "model"
    RECT = "rect"
    HULL_RECT = "hull+rect"
    OCCLUSION = "occlusion"
    PREDICTED = "predicted"


class LearnedMask(StrEnum):
    """Which of the masks that a network learned says what is face."""

    PRD = "learned-prd"
    DST = "learned-dst"
    PRODUCT = "product"
    SUM = "sum"
    NONE = "none"


def combined(kind: LearnedMask, prd: Mask, dst: Mask | None) -> Mask:
    """Return the mask of a kind.

    Args:
        kind: `PRODUCT` is 1 where both see a face, `SUM` where either does, `NONE` everywhere.
        prd: Any shape, 0..1: what src's decoder predicts.
        dst: The same of dst's; None where there is none, and src's stands alone.
    """
    if kind is LearnedMask.NONE:
        return np.ones_like(prd)
    if kind is LearnedMask.PRD or dst is None:
        return prd
    return {LearnedMask.DST: dst, LearnedMask.PRODUCT: prd * dst, LearnedMask.SUM: np.minimum(prd + dst, 1)}[kind]


class KeepZone(StrEnum):
    """A part of dst's face that may stay."""

    EYES = "eyes"
    MOUTH = "mouth"
    TEETH = "teeth"


@dataclass(frozen=True)
class RecordMask:
    """The mask that a face record carries.

    Attributes:
        text: base64 of a grey PNG, in the aligned image of the record.
        matrix: 2x3, frame -> that aligned image.
        size: Side of that image in pixels, to which a mask of another one is scaled; 0: the mask is as large.
        predicted: Whether a trained mask model saw it.
    """

    text: str
    matrix: Matrix
    size: int = 0
    predicted: bool = False


@dataclass(frozen=True, eq=False)
class FoundIn:
    """What a face was found in, where its frame is not as it was then.

    Attributes:
        shape: (h, w) of that frame; zeros where nobody noted it.
        aligned: The aligned image, which shows what lay there.
        matrix: 2x3, that frame -> aligned image; None where the aligned image is the whole frame.
    """

    shape: tuple[int, int]
    aligned: Path
    matrix: Matrix | None


@dataclass(frozen=True, eq=False)
class DstFace:
    """A face of dst that is to be replaced.

    Attributes:
        landmarks: (68, 2), (x, y) in pixels of the frame.
        mask: Its own mask; None without one.
        found_in: Where the frame has changed since the face was found: by what it is seen whether it still lies there.
        occlusion: The mask of what lies before it; None without one.
        motion: How far it moves in a frame's time, see `facewright.convert.motion`.
        outline: (n, 2) points of its mesh in the frame, for the hull, see `faces.mask.outline_of`; None without a mesh.
    """

    landmarks: Points
    mask: RecordMask | None = None
    found_in: FoundIn | None = None
    occlusion: RecordMask | None = None
    motion: Motion = (0.0, 0.0)
    outline: Points | None = None


class MaskProvider(Protocol):
    """Says where a face may be replaced."""

    def __call__(self, face: DstFace, matrix: Matrix, side: int) -> Mask | None:
        """Return a mask in the model's aligned image; None when there is none for this face.

        Args:
            face: The face.
            matrix: 2x3, frame -> the model's aligned image.
            side: Side of that image in pixels.

        Returns:
            (side, side) float32, 0..1.
        """


def hull_of(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """The hull of the landmarks, grown by about 1 % of the side: they lie on the inner edge of the jaw."""
    outline = None if face.outline is None else transform_points(face.outline, matrix)
    hull = hull_mask(transform_points(face.landmarks, matrix), (side, side), outline)
    return edge.erode(hull, -(2 * round(side * HULL_MARGIN) + 1))


def record_mask(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """The mask of the face's record; what the record's aligned image does not show is 0."""
    return _decoded(face.mask, matrix, side)


def predicted_mask(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """The same, where a mask model saw it."""
    return _decoded(face.mask, matrix, side) if face.mask and face.mask.predicted else None


def _decoded(kept: RecordMask | None, matrix: Matrix, side: int) -> Mask | None:
    return None if kept is None else moved_mask(kept.text, kept.size, kept.matrix, matrix, side)


def rect_of(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """The square from the brows to the chin that a half face shows: the mask of the first programs of this kind."""
    square = align_matrix(face.landmarks, FaceType.HALF, side)
    ones = np.ones((side, side), np.float32)
    return np.asarray(resample(ones, between(square, matrix), side, cv2.INTER_LINEAR), np.float32)


def hull_and_rect(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """Where both are."""
    hull, rect = hull_of(face, matrix, side), rect_of(face, matrix, side)
    return None if hull is None or rect is None else hull * rect


def uncovered(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """The hull without what the record says lies before the face: hands, hair, glasses."""
    covered = cover_of(face, matrix, side)
    hull = hull_of(face, matrix, side)
    return None if covered is None or hull is None else hull * (1 - covered)


def cover_of(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """Return what lies before a face, arguments and mask as a `MaskProvider`'s; None where its record does not say."""
    covered = _decoded(face.occlusion, matrix, side)
    return None if covered is None else np.clip(covered, 0, 1)


def everywhere(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """The model's own mask alone decides."""
    return np.ones((side, side), np.float32)


def teeth_mask(points: Points, image: Picture) -> Mask:
    """Return what is as light as skin in its darkest channel, between the lips; that of tongue and lips is low.

    Args:
        points: (68, 2) landmarks in the aligned image.
        image: (S, S, 3) BGR, 0..1.
    """
    size, darkest = image.shape[:2], image.min(axis=2)
    face = darkest[hull_mask(points, size) > 0.5]
    skin = float(np.median(face)) if face.size else 0.0
    low, high = (share * skin for share in TEETH)
    light = np.clip((darkest - low) / max(high - low, 1e-6), 0, 1)
    return np.asarray(mouth_opening_mask(points, size) * light, np.float32)


ZONES: Mapping[KeepZone, Callable[[Points, Picture], Mask]] = MappingProxyType(
    {
        KeepZone.EYES: lambda points, image: eyes_mask(points, image.shape[:2]),
        KeepZone.MOUTH: lambda points, image: mouth_opening_mask(points, image.shape[:2]),
        KeepZone.TEETH: teeth_mask,
    }
)

PROVIDERS: Mapping[MaskKind, MaskProvider] = MappingProxyType(
    {
        MaskKind.HULL: hull_of,
        MaskKind.RECORD: record_mask,
        MaskKind.MODEL: everywhere,
        MaskKind.RECT: rect_of,
        MaskKind.HULL_RECT: hull_and_rect,
        MaskKind.OCCLUSION: uncovered,
        MaskKind.PREDICTED: predicted_mask,
    }
)


def kept_mask(face: DstFace, matrix: Matrix, image: Picture, zones: Sequence[KeepZone]) -> Mask:
    """Return what stays of dst: 1 inside the zones, with a soft edge of about 1 % of the side; 0 without any.

    Args:
        face, matrix: As `MaskProvider` takes them.
        image: (S, S, 3) BGR, 0..1: the aligned image.
        zones: The parts that stay.

    Returns:
        (S, S).
    """
    points, side = transform_points(face.landmarks, matrix), len(image)
    mask = np.zeros((side, side), np.float32)
    for zone in zones:
        mask = np.maximum(mask, ZONES[zone](points, image))
    return edge.soften(mask, round(side * ZONE_EDGE)) if zones else mask


def allowed_mask(face: DstFace, matrix: Matrix, side: int, kinds: Sequence[MaskKind]) -> Mask:
    """Return where a face may be replaced, by the first of the kinds that has a mask for it.

    Args:
        face, matrix, side: As `MaskProvider` takes them.
        kinds: In order of preference.

    Raises:
        ValueError: None of the kinds has a mask.
    """
    for kind in kinds:
        mask = PROVIDERS[kind](face, matrix, side)
        if mask is not None:
            return mask
    raise ValueError(f"no mask among {', '.join(kinds)}")
