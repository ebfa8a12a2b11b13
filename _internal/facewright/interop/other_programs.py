"""Faces that other programs cut out: what is known of each, checked, and as a record of ours.

DeepFaceLab writes a pickled dictionary: in 2018 into a PNG chunk `fcWp`, later into a JPEG's APP15. FaceSwap writes
the text form of a dictionary into a PNG's `iTXt`. Both are read without running anything of theirs
(`core/plain_pickle.py`, `core/literals.py`).

Their pictures show a square of their own around the face. The pixels stay as they are: the record's matrix says where
the square lies, and its face type is the largest of ours that lies wholly inside.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image, decode, encode, encoded_size
from facewright.core.jpeg import START, DamagedJpeg, app_segments
from facewright.core.png import SIGNATURE, DamagedPng, get_chunk, get_text
from facewright.faces.align import (
    MEAN_FACE,
    FaceType,
    Matrix,
    align_matrix,
    between,
    similarity,
    transform_points,
)
from facewright.faces.pose import head_pose
from facewright.faces.record import KEYWORD, LARGEST, BadRecord, FaceRecord, parse_record
from facewright.interop.safe_literal import BadLiteral, read_literal
from facewright.interop.safe_pickle import PickleRefused, read_pickle

DFL, FACESWAP = "deepfacelab", "faceswap"
LARGEST_FILE = 256 << 20
MOST_PIXELS = 100_000_000
FACESWAP_HEAD = 1 - 0.625  # side of the mean face's square in a head-centred picture of FaceSwap
WORST_FIT = 0.03  # of the picture's side: landmarks of picture and frame that differ more do not belong together
STICKS_OUT = 0.03  # of the picture's side: how far our square may leave theirs, and be black there
LONGEST_MASK = 300_000  # bytes

# What DeepFaceLab calls it -> the largest type of ours that such a picture can be.
DFL_TYPES: Mapping[str, FaceType] = MappingProxyType(
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

# Finds the 68 landmarks of the face in the middle of a picture: (68, 2), (x, y) in its pixels.
Look = Callable[[Image], NDArray[np.float32]]


class NotImportable(ValueError):
    """A file that holds no face of another program, or one that cannot be used; the text says why."""


@dataclass(frozen=True)
class Foreign:
    """What another program wrote about a face.

    Attributes:
        program: Which one.
        frame: Bare name of the frame.
        frame_landmarks: (68, 2) float64, (x, y) in the frame.
        landmarks: (68, 2) float64 in the picture; None where the program does not say.
        rect: (left, top, right, bottom) of the detector's box in the frame.
        largest: The largest face type of ours that the picture can be.
        mask: A mask as the bytes of a picture, or None.
        lost: What it holds that our record has no place for, in words.
    """

    program: str
    frame: str
    frame_landmarks: NDArray[np.float64]
    landmarks: NDArray[np.float64] | None
    rect: tuple[float, float, float, float]
    largest: FaceType
    mask: bytes | None = None
    lost: tuple[str, ...] = ()


def read_foreign(data: bytes) -> Foreign:
    """Read what a file says about its face; the picture is not decoded.

    Args:
        data: A PNG or JPEG file.

    Raises:
        NotImportable: Damaged, not a face of such a program, or with more in it than plain data.
    """
    try:
        if data[:2] == START:
            _check_size(data)
            parts = app_segments(data, 15)
            if not parts:
                raise NotImportable("it holds no data of DeepFaceLab")
            return from_deepfacelab(read_pickle(parts[0]))
        if data[:8] == SIGNATURE:
            _check_size(data)
            return _from_png(data)
    except (DamagedPng, DamagedJpeg) as error:
        raise NotImportable(f"it is damaged: {error}") from error
    except PickleRefused as error:
        raise NotImportable(f"its pickled data was refused, nothing of it was run: {error}") from error
    except BadLiteral as error:
        raise NotImportable(f"its data was refused: {error}") from error
    raise NotImportable("it is neither PNG nor JPEG")


def _from_png(data: bytes) -> Foreign:
    pickled = get_chunk(data, b"fcWp")
    if pickled is not None:
        return from_deepfacelab(read_pickle(pickled))
    text = get_text(data, "faceswap")
    if text is not None:
        return from_faceswap(read_literal(text))
    if get_text(data, KEYWORD) is not None:
        raise NotImportable("it is a face of facewright already: merge such sets")
    raise NotImportable("it holds no data of DeepFaceLab or FaceSwap")


def _check_size(data: bytes) -> None:
    height, width = encoded_size(data)
    if not 0 < height * width <= MOST_PIXELS:
        raise NotImportable(f"its picture has {width}x{height} pixels")


def from_deepfacelab(value: Any) -> Foreign:
    """Check DeepFaceLab's dictionary, of any year.

    Raises:
        NotImportable: A part is missing or no such thing.
    """
    if not isinstance(value, dict):
        raise NotImportable("its data is no dictionary")
    kind = value.get("face_type", "full_face")
    if not isinstance(kind, str) or kind not in DFL_TYPES:
        raise NotImportable(f"its face type {str(kind)[:30]!r} is unknown")
    points = _points(value.get("source_landmarks"), "landmarks in the frame")
    mask = value.get("xseg_mask")
    lost = ["drawn polygons"] if _has_polygons(value.get("seg_ie_polys")) else []
    return Foreign(
        DFL,
        _frame(value.get("source_filename")),
        points,
        _points(value.get("landmarks"), "landmarks"),
        _rect(value.get("source_rect"), points),
        DFL_TYPES[kind],
        mask=np.asarray(mask, np.uint8).tobytes() if _is_mask(mask) else None,
        lost=tuple(lost),
    )


def _has_polygons(value: Any) -> bool:
    polygons = value.get("polys") if isinstance(value, dict) else value
    return isinstance(polygons, list) and bool(polygons)


def _is_mask(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype == np.uint8 and 0 < value.size <= LONGEST_MASK
    return isinstance(value, bytes) and 0 < len(value) <= LONGEST_MASK


def from_faceswap(value: Any) -> Foreign:
    """Check FaceSwap's dictionary.

    Raises:
        NotImportable: A part is missing or no such thing.
    """
    face = value.get("alignments") if isinstance(value, dict) else None
    source = value.get("source") if isinstance(value, dict) else None
    if not isinstance(face, dict) or not isinstance(source, dict):
        raise NotImportable("its data is not FaceSwap's")
    points = _points(face.get("landmarks_xy"), "landmarks")
    left, top, width, height = (_number(face.get(name)) for name in ("x", "y", "w", "h"))
    lost = [name for name, key in (("masks", "mask"), ("identity vectors", "identity")) if face.get(key)]
    return Foreign(
        FACESWAP,
        _frame(source.get("source_filename")),
        points,
        None,
        (left, top, left + width, top + height),
        FaceType.FULL,
        lost=tuple(lost),
    )


def _frame(value: Any) -> str:
    name = PureWindowsPath(value).name if isinstance(value, str) else ""
    if not name or len(name) > 255:
        raise NotImportable("it does not name its frame")
    return name


def _points(value: Any, what: str) -> NDArray[np.float64]:
    try:
        points = np.asarray(value)
        right = points.shape == (68, 2) and points.dtype.kind in "iuf"
    except (ValueError, OverflowError):
        right = False
    if not right:
        raise NotImportable(f"its {what} are not 68 points")
    points = points.astype(np.float64)
    if not np.isfinite(points).all() or np.abs(points).max() > LARGEST or not np.ptp(points[17:], axis=0).any():
        raise NotImportable(f"its {what} are not finite, out of range or all at one place")
    return points


def _number(value: Any) -> float:
    right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    if not right:
        raise NotImportable("its box is not four numbers")
    return float(value)


def _rect(value: Any, points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    if value is None:
        return (*points.min(0).tolist(), *points.max(0).tolist())
    sides = list(value) if isinstance(value, list | tuple | np.ndarray) else []
    if len(sides) != 4:
        raise NotImportable("its box is not four numbers")
    left, top, right, bottom = (_number(side.item() if isinstance(side, np.generic) else side) for side in sides)
    return left, top, right, bottom


def to_record(foreign: Foreign, data: bytes, look: Look | None = None) -> tuple[Image, FaceRecord]:
    """Return picture and record of a foreign face.

    Args:
        foreign: What `read_foreign` said.
        data: The file.
        look: Finds landmarks in a picture; needed for FaceSwap's faces, which do not say where their square lies.

    Raises:
        NotImportable: The picture is damaged, or does not fit what is said about it.
    """
    try:
        image = decode(data, "its picture")
    except UserError as error:
        raise NotImportable("its picture is damaged") from error
    mark_only = foreign.largest is FaceType.MARK_ONLY
    if not mark_only and image.shape[0] != image.shape[1]:
        raise NotImportable(f"its picture is no square but {image.shape[1]}x{image.shape[0]} pixels")
    side = image.shape[0]
    matrix = np.eye(2, 3) if mark_only else _matrix(foreign, image, look)
    kind = FaceType.MARK_ONLY if mark_only else _largest_inside(foreign, matrix, side)
    record = FaceRecord(
        face_type=kind,
        size=0 if mark_only else side,
        landmarks=transform_points(foreign.frame_landmarks, matrix).astype(np.float32),
        frame_landmarks=foreign.frame_landmarks.astype(np.float32),
        frame=foreign.frame,
        detector=foreign.program,
        score=1.0,
        rect=foreign.rect,
        matrix=matrix,
        pose=head_pose(foreign.frame_landmarks),
        mask=None if foreign.mask is None or mark_only else _mask(foreign.mask, side),
    )
    try:
        return image, parse_record(record.to_json())
    except BadRecord as error:
        raise NotImportable(str(error)) from error


def _matrix(foreign: Foreign, image: Image, look: Look | None) -> Matrix:
    """Return 2x3, frame -> picture."""
    side = image.shape[0]
    points = foreign.landmarks
    if points is not None:
        matrix = similarity(foreign.frame_landmarks, points)
    elif look is not None:
        # Turn and scale follow from the landmarks; where the square lies does not, so it is measured.
        linear = similarity(foreign.frame_landmarks[17:], MEAN_FACE)[:, :2] * side * FACESWAP_HEAD
        turned = foreign.frame_landmarks @ linear.T
        points = look(image).astype(np.float64)
        matrix = np.column_stack([linear, np.median(points[17:] - turned[17:], axis=0)])
    else:
        raise NotImportable("where its square lies in the frame is not said")
    spread = transform_points(foreign.frame_landmarks, matrix)[17:] - points[17:]
    if np.sqrt((spread**2).sum(1).mean()) > WORST_FIT * side:
        raise NotImportable("its landmarks in picture and frame do not belong together")
    return matrix


def _largest_inside(foreign: Foreign, matrix: Matrix, side: int) -> FaceType:
    """Return the largest face type of ours that the picture holds."""
    order = [FaceType.HALF, FaceType.FULL, FaceType.HEAD, FaceType.AVATAR]
    for kind in reversed(order[: order.index(foreign.largest) + 1]):
        ours = align_matrix(foreign.frame_landmarks, kind, side)
        if inside(between(ours, matrix), side, side, STICKS_OUT * side):
            return kind
    raise NotImportable("its landmarks lie outside of its picture")


def inside(matrix: Matrix, size: int, side: int, slack: float) -> bool:
    """Say whether a square picture lies inside another one.

    Args:
        matrix: 2x3, inner picture -> outer picture.
        size: Side of the inner picture in pixels.
        side: Side of the outer one.
        slack: How many of the outer one's pixels it may stick out.
    """
    corners = np.array([(0, 0), (size, 0), (size, size), (0, size)], float) - 0.5
    there = transform_points(corners, matrix)
    return bool(there.min() >= -0.5 - slack and there.max() <= side - 0.5 + slack)


def _mask(data: bytes, side: int) -> str | None:
    """Return a learned mask as our record keeps it: base64 of a grey PNG of the picture's size."""
    try:
        _check_size(data)
        grey = cv2.cvtColor(decode(data, "mask"), cv2.COLOR_BGR2GRAY)
    except (UserError, NotImportable, DamagedPng, DamagedJpeg):
        return None
    fitted = np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
    text = base64.b64encode(encode(fitted)).decode("ascii")
    return text if len(text) <= 400_000 else None
