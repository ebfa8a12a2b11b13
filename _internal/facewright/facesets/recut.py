"""The same face cut out again: at another size, or with more or less around it.

From its frame, or from the aligned image where that shows all that is wanted.
"""

import base64
from dataclasses import replace

import cv2
import numpy as np

from facewright.core.images import Image, encode
from facewright.faces.align import (
    FaceType,
    Matrix,
    align_matrix,
    between,
    cut,
    is_flat,
    resample,
    square_lies_inside,
    transform_points,
)
from facewright.faces.mask import decode_grey
from facewright.faces.record import FaceRecord

SAME_CUT_PX = 0.25  # pixels: a cut that lies nearer than this to another is the same
MAX_OVERHANG_PX = 1.0  # pixels of the old image that a cut may reach over its edge: they would be black


def is_cut_as(record: FaceRecord, kind: FaceType, size: int, *, level_eyes: bool = False) -> bool:
    """Say whether a face is cut as the extraction would cut it with this type, size and choice of level eyes."""
    wanted = 0 if kind is FaceType.MARK_ONLY else size
    if record.face_type is not kind or record.size != wanted or is_flat(record.matrix):
        return False
    corners = np.array([(0, 0), (size, 0), (0, size)], float)
    step = between(record.matrix, align_matrix(record.frame_landmarks, kind, size, level_eyes=level_eyes))
    return bool(np.abs(transform_points(corners, step) - corners).max() < SAME_CUT_PX)


def from_frame(
    frame: Image, record: FaceRecord, kind: FaceType, size: int, *, level_eyes: bool = False
) -> tuple[Image, FaceRecord]:
    """Cut a face out of its frame.

    Args:
        frame: (h, w, 3) uint8 BGR.
        record: What is known of the face.
        kind: What the image is to show.
        size: Its side in pixels; mark_only is the whole frame.
        level_eyes: See `align_matrix`.

    Returns:
        The image, and the record that belongs into it.
    """
    if kind is FaceType.MARK_ONLY:
        return frame, _placed(record, np.eye(2, 3), kind, frame.shape[:2])
    matrix = align_matrix(record.frame_landmarks, kind, size, level_eyes=level_eyes)
    return np.asarray(cut(frame, matrix, size), np.uint8), _placed(record, matrix, kind, (size, size))


def from_aligned_image(
    image: Image, record: FaceRecord, kind: FaceType, size: int, *, level_eyes: bool = False
) -> tuple[Image, FaceRecord] | None:
    """Cut a face out of its aligned image; None where that does not show all of the new square.

    Args:
        image: (side, side, 3) uint8 BGR.
        record: Its record.
        kind: What the new image is to show.
        size: Its side in pixels.
        level_eyes: See `align_matrix`.
    """
    if record.face_type is FaceType.MARK_ONLY:  # the image is the frame
        return from_frame(image, record, kind, size, level_eyes=level_eyes)
    if kind is FaceType.MARK_ONLY or is_flat(record.matrix):
        return None
    matrix = align_matrix(record.frame_landmarks, kind, size, level_eyes=level_eyes)
    if not square_lies_inside(between(matrix, record.matrix), size, image.shape[0], MAX_OVERHANG_PX):
        return None
    step = between(record.matrix, matrix)
    new = resample(image, step, size, cv2.INTER_LANCZOS4)
    return np.asarray(new, np.uint8), _placed(record, matrix, kind, (size, size))


def _placed(record: FaceRecord, matrix: Matrix, kind: FaceType, shape: tuple[int, ...]) -> FaceRecord:
    def moved(mask: str | None) -> str | None:
        if mask is None or is_flat(record.matrix):
            return None
        return move_mask(mask, between(record.matrix, matrix), (shape[0], shape[1]))

    return replace(
        record,
        face_type=kind,
        size=0 if kind is FaceType.MARK_ONLY else shape[0],
        landmarks=transform_points(record.frame_landmarks, matrix).astype(np.float32),
        matrix=matrix,
        mask=moved(record.mask),
        occlusion=moved(record.occlusion),
    )


def move_mask(mask: str, step: Matrix, size: tuple[int, int]) -> str | None:
    """Bring a record's mask into another image of the same face; what the old one did not show is 0.

    Args:
        mask: base64 of a PNG.
        step: 2x3, old image -> new image.
        size: (h, w) of the new image.

    Returns:
        The same form, None where the old one cannot be read.
    """
    grey = decode_grey(mask)
    if grey is None:
        return None
    moved = np.asarray(cv2.warpAffine(grey, step, size[::-1], flags=cv2.INTER_LINEAR), np.uint8)
    return base64.b64encode(encode(moved)).decode("ascii")
