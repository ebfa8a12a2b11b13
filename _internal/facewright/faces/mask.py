"""Masks drawn from the 68 landmarks (the hull of the face, the eyes, the mouth), and what a record carries of them.

Landmarks are (68, 2), (x, y) in pixels of the image the mask belongs to, iBUG-68 order. Sizes are (h, w).
Masks are (h, w) float32, 1 inside, 0 outside, with an anti-aliased edge.
"""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import decode, encode
from facewright.faces.align import Matrix, Points, between, invert, is_flat, resample, transform_points
from facewright.faces.landmarks import IBUG68
from facewright.faces.mesh import OUTLINE
from facewright.faces.polygons import MAX_POINTS, SHIFT, Kind, Polygon, draw_areas, draw_polygons
from facewright.faces.record import FaceRecord

Mask = NDArray[np.float32]

_GROUPS = IBUG68.groups
JAW, RIGHT_EYE, LEFT_EYE = _GROUPS["jaw"], _GROUPS["right eye"], _GROUPS["left eye"]
BROWS = (*_GROUPS["right brow"], *_GROUPS["left brow"])
MOUTH = (*_GROUPS["outer lips"], *_GROUPS["inner lips"])

# The face is the union of three convex hulls: cheeks and chin, the nose's ridge, the brows.
FACE_HULLS: tuple[tuple[int, ...], ...] = (
    (*JAW, *MOUTH),
    (27, 28, 29, 30, 33),
    (*BROWS, 0, 27, 16, 33),
)

MAX_MASK_PIXELS = 1 << 24  # of a mask in a record: 4096 x 4096
CONTOUR = 4  # a mask is drawn at so many times its size before its contour is followed
SIMPLIFIED, SPECK, MAX_CONTOURS = 0.004, 0.02, 12  # shares of the image's side; contours, the largest first


def hull_mask(landmarks: Points, size: tuple[int, int], outline: Points | None = None) -> Mask:
    """Return the mask of the face from brows to chin (the forehead is not part of it).

    Args:
        landmarks: (68, 2) points; they may lie outside the image.
        size: (h, w) of the image.
        outline: (n, 2) further points between the ears' height and the chin, see `outline_of`: the jaw points of a mesh
            stick to the skin, so on a turned head the far edge of the face lies beyond them.

    Raises:
        ValueError: Not (68, 2) finite numbers.
    """
    if outline is None:
        return _fill(landmarks, FACE_HULLS, size)
    points = np.concatenate([np.asarray(landmarks, np.float64), np.asarray(outline, np.float64)])
    cheeks, *others = FACE_HULLS
    return _fill(points, ((*cheeks, *range(len(landmarks), len(points))), *others), size)


def outline_of(record: FaceRecord) -> NDArray[np.float64] | None:
    """Return the points of a face's mesh that can lie on its edge, (n, 2) in the frame; None without a mesh."""
    mesh = record.placed_mesh
    return None if mesh is None else mesh[OUTLINE, :2]


def eyes_mask(landmarks: Points, size: tuple[int, int]) -> Mask:
    """Return the mask of both eyes, lid to lid.

    Args:
        landmarks: (68, 2) points.
        size: (h, w) of the image.
    """
    return _fill(landmarks, (tuple(RIGHT_EYE), tuple(LEFT_EYE)), size)


def mouth_mask(landmarks: Points, size: tuple[int, int]) -> Mask:
    """Return the mask of the mouth with its lips.

    Args:
        landmarks: (68, 2) points.
        size: (h, w) of the image.
    """
    return _fill(landmarks, (tuple(MOUTH),), size)


def mouth_opening_mask(landmarks: Points, size: tuple[int, int]) -> Mask:
    """Return the mask of what lies between the lips: nothing where they are shut.

    Args:
        landmarks: (68, 2) points.
        size: (h, w) of the image.
    """
    return _fill(landmarks, (tuple(_GROUPS["inner lips"]),), size)


def decode_mask(text: str) -> Mask | None:
    """Return the mask that a face record carries, see `FaceRecord.mask`.

    Args:
        text: base64 of a grey PNG.

    Returns:
        (h, w), None where it cannot be read.
    """
    grey = decode_grey(text)
    return None if grey is None else np.asarray(grey, np.float32) / np.float32(255)


def decode_grey(text: str) -> NDArray[np.uint8] | None:
    """Return the mask of a record as it is stored, (h, w) uint8; None where it cannot be read."""
    try:
        picture = decode(base64.b64decode(text), "mask", most=MAX_MASK_PIXELS)
    except (UserError, ValueError):
        return None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def encode_mask(mask: Mask) -> str:
    """Return a mask as a record carries it: (h, w), 0..1 -> base64 of a grey PNG."""
    return base64.b64encode(encode(np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8))).decode("ascii")


def record_plane(text: str | None, size: int) -> Mask | None:
    """Return a mask that a record carries, in pixels of its aligned image.

    Args:
        text: See `decode_mask`; None for none.
        size: Side of the aligned image; a mask of another one is scaled. 0: the mask is as large as its image.

    Returns:
        (size, size), 0..1; None where it cannot be read.
    """
    mask = decode_mask(text) if text else None
    if mask is None or not size or mask.shape == (size, size):
        return mask
    return np.asarray(cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def moved_mask(text: str | None, size: int, stored: Matrix, wanted: Matrix, side: int) -> Mask | None:
    """Return a mask that a record carries in another image of the face.

    Args:
        text, size: As for `record_plane`.
        stored: 2x3, frame -> the aligned image of the record.
        wanted: 2x3, frame -> the other image.
        side: Side of the other image in pixels.

    Returns:
        (side, side), 0..1; None where it cannot be read, or `stored` has no way back.
    """
    plane = record_plane(text, size)
    if plane is None or is_flat(stored):
        return None
    return np.asarray(resample(plane, between(stored, wanted), side, cv2.INTER_LINEAR), np.float32)


def automatic_mask(record: FaceRecord, matrix: Matrix, side: int) -> Mask:
    """Return a face's mask as the program knows it: the one that the record carries, else the hull.

    Args:
        record: The face.
        matrix: 2x3, frame -> the image that the mask is for.
        side: Side of that image in pixels.
    """
    own = moved_mask(record.mask, record.size, record.matrix, matrix, side)
    if own is not None:
        return own
    outline = outline_of(record)
    return hull_mask(
        transform_points(record.frame_landmarks, matrix),
        (side, side),
        None if outline is None else transform_points(outline, matrix),
    )


def with_polygons(mask: Mask, polygons: Sequence[Polygon], matrix: Matrix) -> Mask:
    """Return a mask with what a person drew: outlines in its place, and what is included, without what is excluded.

    Args:
        mask: (h, w), 0..1.
        polygons: Those of the face's record.
        matrix: 2x3, frame -> the mask's image.
    """
    if not polygons:
        return mask

    def drawn(kind: Kind) -> Mask:
        return draw_polygons(polygons, kind, matrix, (mask.shape[0], mask.shape[1]))

    outlined = any(polygon.kind == "outline" for polygon in polygons)
    base = drawn("outline") if outlined else mask
    return np.asarray(np.maximum(base, drawn("include")) * (1 - drawn("exclude")), np.float32)


def polygons_around(mask: Mask, matrix: Matrix) -> tuple[Polygon, ...]:
    """Return a mask as polygons that a person can edit: outlines, and what is excluded for its holes.

    Specks are left out, and a contour is simplified until it leaves the mask's edge by no more than about a two
    hundredth of the image's side (`cv2.approxPolyDP`: Douglas and Peucker, 1973).

    Args:
        mask: (h, w), 0..1.
        matrix: 2x3, frame -> the mask's image.
    """
    side, back = max(mask.shape), invert(matrix)
    # Drawn larger, since contours run through the middles of the pixels on the edge.
    large = cv2.resize(mask, None, fx=CONTOUR, fy=CONTOUR, interpolation=cv2.INTER_LINEAR)
    contours, tree = cv2.findContours((large > 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    polygons = []
    for number in sorted(range(len(contours)), key=lambda n: -cv2.contourArea(contours[n]))[:MAX_CONTOURS]:
        if cv2.contourArea(contours[number]) < (CONTOUR * side * SPECK) ** 2:
            break
        corners = cv2.approxPolyDP(contours[number], CONTOUR * side * SIMPLIFIED, closed=True)[:MAX_POINTS, 0]
        if len(corners) >= 3:
            points = transform_points((corners + 0.5) / CONTOUR - 0.5, back).astype(np.float32)
            polygons.append(Polygon("outline" if tree[0, number, 3] < 0 else "exclude", points))
    return tuple(polygons)


def label_mask(record: FaceRecord, matrix: Matrix, side: int) -> Mask:
    """Return the mask of a face with all that is known of it: the automatic one, with the polygons of a person.

    Args:
        record: The face.
        matrix: 2x3, frame -> the image that the mask is for.
        side: Side of that image in pixels.

    Returns:
        (side, side), 0..1.
    """
    return with_polygons(automatic_mask(record, matrix, side), record.polygons, matrix)


def _fill(landmarks: Points, hulls: Sequence[tuple[int, ...]], size: tuple[int, int]) -> Mask:
    points = np.asarray(landmarks, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < IBUG68.count or not np.isfinite(points).all():
        raise ValueError(f"landmarks must be (68, 2) finite numbers, not {points.shape}")
    return draw_areas([points[list(hull)] for hull in hulls], size, _fill_hull)


def _fill_hull(canvas: NDArray[np.uint8], points: Points) -> None:
    fixed = np.rint(cv2.convexHull(points.astype(np.float32)) * (1 << SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(canvas, fixed, 255, lineType=cv2.LINE_8, shift=SHIFT)


SWAPPED = IBUG68.mirror


def mirror_landmarks(landmarks: NDArray[np.floating], width: int) -> NDArray[np.float32]:
    """Mirror 68 landmarks left to right.

    Args:
        landmarks: (68, 2) points (x, y) in pixels.
        width: Width of the image in pixels; x becomes width - 1 - x.

    Returns:
        (68, 2) float32, with left and right points exchanged.
    """
    mirrored = np.asarray(landmarks, np.float32)[SWAPPED].copy()
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    return mirrored
