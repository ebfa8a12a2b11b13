"""Faces of DeepFaceLab: a pickled dictionary, in 2018 in a PNG chunk `fcWp`, later in a JPEG's APP15."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.jpeg import START, app_segments
from facewright.core.png import get_chunk
from facewright.faces.align import FaceType
from facewright.faces.polygons import Polygon, polygons_of
from facewright.interop.foreign_face import ForeignFace, NotImportable, Rect, box_number, frame_name, landmarks
from facewright.interop.safe_pickle import read_pickle

PROGRAM = "DeepFaceLab"
MAX_MASK_BYTES = 300_000
POLYGON_KINDS: Mapping[int, str] = MappingProxyType({0: "exclude", 1: "include"})
MIN_CORNERS = 3  # its editor also keeps polygons that were begun and not finished

# What DeepFaceLab calls it -> the largest type of ours that such an image can be.
FACE_TYPES: Mapping[str, FaceType] = MappingProxyType(
    {
        "half_face": FaceType.HALF,
        "midfull_face": FaceType.HALF,
        "full_face": FaceType.FULL,
        "full_face_no_align": FaceType.FULL,
        "whole_face": FaceType.FULL,
        "head": FaceType.HEAD,
        "head_no_align": FaceType.HEAD,
        "avatar": FaceType.AVATAR,
        "mark_only": FaceType.MARK_ONLY,
    }
)


def read_deepfacelab(data: bytes) -> ForeignFace | None:
    """Read what a file says about its face; None where DeepFaceLab wrote nothing into it.

    Args:
        data: A PNG or JPEG file.

    Raises:
        NotImportable: A part is missing or of another kind.
        PickleRefused: There is more in it than plain data.
        ValueError: The file is damaged.
    """
    parts = app_segments(data, 15)[:1] if data.startswith(START) else [get_chunk(data, b"fcWp")]
    pickled = parts[0] if parts else None
    return None if pickled is None else _face(read_pickle(pickled))


def _face(value: Any) -> ForeignFace:
    """Check the dictionary, of any year."""
    if not isinstance(value, dict):
        raise NotImportable("its data is no dictionary")
    kind = value.get("face_type", "full_face")
    if not isinstance(kind, str) or kind not in FACE_TYPES:
        shown = kind[:30] if isinstance(kind, str) else type(kind).__name__
        raise NotImportable(f"its face type {shown!r} is unknown")
    points = landmarks(value.get("source_landmarks"), "landmarks in the frame")
    polygons = _polygons(value.get("seg_ie_polys"))
    return ForeignFace(
        PROGRAM,
        frame_name(value.get("source_filename")),
        points,
        landmarks(value.get("landmarks"), "landmarks"),
        _box(value.get("source_rect"), points),
        FACE_TYPES[kind],
        mask=_mask(value.get("xseg_mask")),
        polygons=polygons or (),
        lost=("drawn polygons",) if polygons is None else (),
    )


def _polygons(value: Any) -> tuple[Polygon, ...] | None:
    """Read the polygons of XSeg's editor; None where there are some that cannot be used."""
    parts = value.get("polys") if isinstance(value, dict) else value
    if parts is None:
        return ()
    try:
        return polygons_of([_polygon(part) for part in parts if len(part["pts"]) >= MIN_CORNERS])
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def _polygon(part: Any) -> dict[str, Any]:
    kind = POLYGON_KINDS[part["type"]]
    return {"kind": kind, "points": part["pts"]}


def _mask(value: Any) -> bytes | None:
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        value = value.tobytes()
    return value if isinstance(value, bytes) and 0 < len(value) <= MAX_MASK_BYTES else None


def _box(value: Any, points: NDArray[np.float64]) -> Rect:
    if value is None:
        return (*points.min(0).tolist(), *points.max(0).tolist())
    value = value.tolist() if isinstance(value, np.ndarray) else value
    sides = value if isinstance(value, list | tuple) else ()
    if len(sides) != 4:
        raise NotImportable("its box is not four numbers")
    left, top, right, bottom = (box_number(side) for side in sides)
    return left, top, right, bottom
