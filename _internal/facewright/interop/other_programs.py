"""Faces that other programs cut out, as a face record of ours.

What DeepFaceLab and FaceSwap write is read without running any of it (`safe_pickle.py`, `safe_literal.py`).

Their images show a square of their own around the face. The pixels stay as they are: the record's matrix says where
the square is, and its face type is the largest of ours that is wholly inside.
"""

import base64
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image, decode, encode, encoded_size
from facewright.core.jpeg import START, DamagedJpeg
from facewright.core.png import SIGNATURE, DamagedPng, get_text
from facewright.faces.align import (
    MEAN_FACE,
    FaceType,
    Matrix,
    align_matrix,
    between,
    invert,
    similarity,
    square_lies_inside,
    transform_points,
)
from facewright.faces.landmarks import IBUG68
from facewright.faces.mask import MAX_MASK_PIXELS
from facewright.faces.polygons import Polygon
from facewright.faces.pose import head_pose
from facewright.faces.record import KEYWORD, BadRecord, FaceRecord, parse_record
from facewright.interop.deepfacelab_faces import read_deepfacelab
from facewright.interop.faceswap_faces import HEAD_SCALE, read_faceswap
from facewright.interop.foreign_face import ForeignFace, NotImportable
from facewright.interop.safe_literal import BadLiteral
from facewright.interop.safe_pickle import PickleRefused

MAX_FILE_BYTES = 256 << 20
MAX_PIXELS = 100_000_000
MAX_FIT_ERROR = 0.03  # of the image's side: landmarks of image and frame that differ more do not belong together
MAX_OVERHANG = 0.03  # of the image's side: how far our square may leave theirs, and be black there

# Finds the 68 landmarks of the face in the middle of an image: (68, 2) float32, (x, y) in its pixels.
LandmarkFinder = Callable[[Image], NDArray[np.float32]]


def read_face(data: bytes) -> ForeignFace:
    """Read what a file says about its face; the image is not decoded.

    Args:
        data: A PNG or JPEG file.

    Raises:
        NotImportable: Damaged, not a face of such a program, or with more in it than plain data.
    """
    if not data.startswith((START, SIGNATURE)):
        raise NotImportable("it is neither PNG nor JPEG")
    try:
        height, width = encoded_size(data)
        if not 0 < height * width <= MAX_PIXELS:
            raise NotImportable(f"its image has {width}x{height} pixels")
        face = read_deepfacelab(data) or read_faceswap(data)
        if face is None and data.startswith(SIGNATURE) and get_text(data, KEYWORD) is not None:
            raise NotImportable("it is a face of facewright already: merge such sets")
    except (DamagedPng, DamagedJpeg) as error:
        raise NotImportable(f"it is damaged: {error}") from error
    except PickleRefused as error:
        raise NotImportable(f"its pickled data was refused, nothing of it was run: {error}") from error
    except BadLiteral as error:
        raise NotImportable(f"its data was refused: {error}") from error
    if face is None:
        raise NotImportable("it holds no data of DeepFaceLab or FaceSwap")
    return face


def to_record(
    foreign: ForeignFace, data: bytes, find_landmarks: LandmarkFinder | None = None
) -> tuple[Image, FaceRecord]:
    """Return image and record of a foreign face.

    Args:
        foreign: What `read_face` returned.
        data: The file.
        find_landmarks: Needed for FaceSwap's faces, which do not say where their square lies.

    Raises:
        NotImportable: The image is damaged, or does not fit what is said about it.
    """
    try:
        image = decode(data, "its image")
    except UserError as error:
        raise NotImportable("its image is damaged") from error
    mark_only = foreign.largest is FaceType.MARK_ONLY
    if not mark_only and image.shape[0] != image.shape[1]:
        raise NotImportable(f"its image is not square but {image.shape[1]}x{image.shape[0]} pixels")
    side = image.shape[0]
    matrix = np.eye(2, 3) if mark_only else _matrix(foreign, image, find_landmarks)
    kind = FaceType.MARK_ONLY if mark_only else _largest_inside(foreign, matrix, side)
    record = FaceRecord(
        face_type=kind,
        size=0 if mark_only else side,
        landmarks=transform_points(foreign.frame_landmarks, matrix).astype(np.float32),
        frame_landmarks=foreign.frame_landmarks.astype(np.float32),
        frame=foreign.frame,
        detector=foreign.program.lower(),
        score=1.0,
        rect=foreign.rect,
        matrix=matrix,
        pose=head_pose(foreign.frame_landmarks),
        mask=None if foreign.mask is None or mark_only else _mask(foreign.mask, side),
        polygons=_in_frame(foreign.polygons, matrix),
    )
    try:
        return image, parse_record(record.to_json())
    except BadRecord as error:
        raise NotImportable(str(error)) from error


def _matrix(foreign: ForeignFace, image: Image, find_landmarks: LandmarkFinder | None) -> Matrix:
    """Return 2x3, frame -> image."""
    side = image.shape[0]
    points = foreign.landmarks
    if points is not None:
        matrix = similarity(foreign.frame_landmarks, points)
    elif find_landmarks is not None:
        # Rotation and scale follow from the landmarks; where the square lies does not, so it is measured.
        linear = similarity(foreign.frame_landmarks[IBUG68.inner :], MEAN_FACE)[:, :2] * side * HEAD_SCALE
        rotated = foreign.frame_landmarks @ linear.T
        points = find_landmarks(image).astype(np.float64)
        matrix = np.column_stack([linear, np.median(points[IBUG68.inner :] - rotated[IBUG68.inner :], axis=0)])
    else:
        raise NotImportable("it does not say where its square is in the frame")
    spread = transform_points(foreign.frame_landmarks, matrix)[IBUG68.inner :] - points[IBUG68.inner :]
    if np.sqrt((spread**2).sum(1).mean()) > MAX_FIT_ERROR * side:
        raise NotImportable("its landmarks in image and frame do not belong together")
    return matrix


def _largest_inside(foreign: ForeignFace, matrix: Matrix, side: int) -> FaceType:
    """Return the largest face type of ours that the image shows."""
    order = [FaceType.HALF, FaceType.FULL, FaceType.HEAD, FaceType.AVATAR]
    for kind in reversed(order[: order.index(foreign.largest) + 1]):
        ours = align_matrix(foreign.frame_landmarks, kind, side)
        if square_lies_inside(between(ours, matrix), side, side, MAX_OVERHANG * side):
            return kind
    raise NotImportable("its landmarks lie outside of its image")


def _in_frame(polygons: tuple[Polygon, ...], matrix: Matrix) -> tuple[Polygon, ...]:
    """Move polygons from the image to the frame."""
    back = invert(matrix)
    return tuple(
        replace(polygon, points=transform_points(polygon.points, back).astype(np.float32)) for polygon in polygons
    )


def _mask(data: bytes, side: int) -> str | None:
    """Return a learned mask as our record keeps it: base64 of a grey PNG of the image's size."""
    try:
        grey = cv2.cvtColor(decode(data, "mask", most=MAX_MASK_PIXELS), cv2.COLOR_BGR2GRAY)
    except UserError:
        return None
    fitted = np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
    text = base64.b64encode(encode(fitted)).decode("ascii")
    return text if len(text) <= 400_000 else None
