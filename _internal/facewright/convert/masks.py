"""Where a face of dst may be replaced: everywhere the model's own mask reaches, in the hull, or in the record's mask.

A provider takes a face and the place of its aligned image, and returns a mask or None, when it has none for that
face; the next one is then asked. The model's own mask always counts; what a provider returns limits it further.
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
from facewright.faces.align import Matrix, Points, between, resample, transform_points
from facewright.faces.mask import Mask, decode_mask, eyes_mask, hull_mask, mouth_opening_mask

HULL_MARGIN = 1 / 128  # share of the side
ZONE_EDGE = 1 / 64  # share of the side


class MaskKind(StrEnum):
    """Which mask of dst limits the replaced area."""

    HULL = "hull"
    RECORD = "record"
    MODEL = "model"


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


@dataclass(frozen=True)
class RecordMask:
    """The mask that a face record carries.

    Attributes:
        text: base64 of a grey PNG, in the aligned image of the record.
        matrix: 2x3, frame -> that aligned image.
    """

    text: str
    matrix: Matrix


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
    """

    landmarks: Points
    mask: RecordMask | None = None
    found_in: FoundIn | None = None


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
    hull = hull_mask(transform_points(face.landmarks, matrix), (side, side))
    return edge.erode(hull, -(2 * round(side * HULL_MARGIN) + 1))


def record_mask(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """The mask of the face's record; what the record's aligned image does not show is 0."""
    mask = None if face.mask is None else decode_mask(face.mask.text)
    if face.mask is None or mask is None:
        return None
    return np.asarray(resample(mask, between(face.mask.matrix, matrix), side, cv2.INTER_LINEAR), np.float32)


def everywhere(face: DstFace, matrix: Matrix, side: int) -> Mask | None:
    """The model's own mask alone decides."""
    return np.ones((side, side), np.float32)


ZONES: Mapping[KeepZone, Callable[[Points, tuple[int, int]], Mask]] = MappingProxyType(
    {KeepZone.EYES: eyes_mask, KeepZone.MOUTH: mouth_opening_mask}
)

PROVIDERS: Mapping[MaskKind, MaskProvider] = MappingProxyType(
    {MaskKind.HULL: hull_of, MaskKind.RECORD: record_mask, MaskKind.MODEL: everywhere}
)


def kept_mask(face: DstFace, matrix: Matrix, side: int, zones: Sequence[KeepZone]) -> Mask:
    """Return what stays of dst: 1 inside the zones, with a soft edge of about 1 % of the side; 0 without any.

    Args:
        face, matrix, side: As `MaskProvider` takes them.
        zones: The parts that stay.

    Returns:
        (side, side).
    """
    points = transform_points(face.landmarks, matrix)
    mask = np.zeros((side, side), np.float32)
    for zone in zones:
        mask = np.maximum(mask, ZONES[zone](points, (side, side)))
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
