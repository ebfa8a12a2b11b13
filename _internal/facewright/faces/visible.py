"""What of a face is seen, and where that is known: the labels of the mask model.

Masks are (side, side) float32, 0..1, in the aligned image at another size.
"""

import cv2
import numpy as np

from facewright.faces.align import Matrix, Points, similarity, transform_points
from facewright.faces.mask import Mask, automatic_mask, decode_mask, hull_mask, outline_of, with_polygons
from facewright.faces.occlusion import COVERED_SHARE
from facewright.faces.record import FaceRecord

MARGIN = 1 / 128  # share of the side: landmarks lie on the inner edge of the jaw
KNOWN_MARGIN = 1 / 32  # share of the side: a network that is asked up to its hull's edge must learn past it
JUDGED_SIDE = 64  # px at which shares of many faces are measured
OWN_SOURCES = ("painted", "imported")  # masks that a person made, or another program: labels


def sized_matrix(record: FaceRecord, side: int) -> Matrix:
    """Return 2x3, frame -> the aligned image at another size."""
    share = side / record.size if record.size else 1.0
    matrix = record.matrix * share
    matrix[:, 2] += (share - 1) / 2  # pixels are named by their middle
    return matrix


def sized_landmarks(record: FaceRecord, side: int) -> Points:
    """Return the (68, 2) landmarks in the aligned image at another size."""
    return (record.landmarks + 0.5) * (side / max(record.size, 1)) - 0.5


def record_hull(record: FaceRecord, landmarks: Points, side: int) -> Mask:
    """Return the hull of a face, which follows the edge of the head where the record holds a mesh.

    Args:
        record: The face.
        landmarks: Its (68, 2) landmarks, in pixels of the wanted image.
        side: Side of that image in pixels.
    """
    outline = outline_of(record)
    if outline is not None:
        outline = transform_points(outline, similarity(record.frame_landmarks, landmarks))
    return hull_mask(landmarks, (side, side), outline)


def grown_hull(record: FaceRecord, landmarks: Points, side: int, margin: float = MARGIN) -> Mask:
    """Return the hull, grown by a share of the side.

    Args:
        record, landmarks, side: As for `record_hull`.
        margin: See above.
    """
    reach = 2 * round(side * margin) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(record_hull(record, landmarks, side), kernel), np.float32)


def mask_with_polygons(record: FaceRecord, side: int) -> Mask | None:
    """Return the mask that a face carries, with what a person drew added and taken away; None where it has neither.

    Where polygons are all there is, they change the hull, without what covers it.

    Args:
        record: The face.
        side: Side of the result in pixels: the aligned image at that size.
    """
    if not record.polygons:
        return _sized(record.mask, side)
    matrix = sized_matrix(record, side)
    base = automatic_mask(record, matrix, side)
    return with_polygons(base if record.mask is not None else uncovered(record, base), record.polygons, matrix)


def has_predicted_mask(record: FaceRecord) -> bool:
    """Whether the mask that a face carries is what a trained mask model saw."""
    return record.mask is not None and record.mask_source == "predicted"


def uncovered(record: FaceRecord, mask: Mask) -> Mask:
    """Return a mask without what the record says lies before the face.

    Args:
        record: The face.
        mask: (side, side), 0..1: the aligned image at that size.
    """
    covered = _sized(record.occlusion, mask.shape[0])
    return mask if covered is None else mask * (1 - covered)


def has_own_mask(record: FaceRecord) -> bool:
    """Whether a face carries a mask that a person or another program made."""
    return record.mask is not None and record.mask_source in OWN_SOURCES


def is_labelled(record: FaceRecord) -> bool:
    """Whether somebody said what of the face is seen: by polygons, or by a mask that is no prediction."""
    return bool(record.polygons) or has_own_mask(record)


def visible_mask(record: FaceRecord, side: int) -> Mask:
    """Return 1 where the face is seen, as far as its record tells.

    Where the hull would be the mask, it is 1 outside of it too: the label says what covers the face, not where it ends.
    """
    matrix = sized_matrix(record, side)
    if says_its_edge(record):
        return with_polygons(automatic_mask(record, matrix, side), record.polygons, matrix)
    return with_polygons(uncovered(record, np.ones((side, side), np.float32)), record.polygons, matrix)


def known_mask(record: FaceRecord, landmarks: Points, side: int) -> Mask:
    """Return 1 where `visible_mask` may be believed: about the hull, or everywhere where the label reaches out of that.

    Args:
        record: Of the face.
        landmarks: (68, 2), in pixels of the image of that side.
        side: Side of the image in pixels.
    """
    if not says_its_edge(record):
        return grown_hull(record, landmarks, side, KNOWN_MARGIN)
    if reaches_out(record, landmarks, side):
        return np.ones((side, side), np.float32)
    return record_hull(record, landmarks, side)


def reaches_out(record: FaceRecord, landmarks: Points, side: int) -> bool:
    """Whether the label of a face goes beyond the hull: over the forehead, say.

    Args:
        record, landmarks, side: As for `known_mask`.
    """
    if not is_labelled(record):
        return False
    hull = grown_hull(record, landmarks, side, KNOWN_MARGIN)
    matrix = sized_matrix(record, side)
    drawn = automatic_mask(record, matrix, side) if has_own_mask(record) else np.zeros_like(hull)
    drawn = with_polygons(drawn, record.polygons, matrix)
    return float((drawn * (1 - hull)).sum()) > COVERED_SHARE * float(hull.sum())


def unseen_share(record: FaceRecord, landmarks: Points, side: int) -> float:
    """Return how much of the hull is not seen as far as the record tells, by all its masks and polygons, 0..1.

    Args:
        record, landmarks, side: As for `known_mask`.
    """
    hull = record_hull(record, landmarks, side)
    return float((hull * (1 - visible_mask(record, side))).sum() / max(float(hull.sum()), 1.0))


def says_its_edge(record: FaceRecord) -> bool:
    """Whether the label of a face says by itself where the face ends: a mask of its own, or outlines."""
    predicted = has_predicted_mask(record) and bool(record.polygons)
    return has_own_mask(record) or predicted or any(polygon.kind == "outline" for polygon in record.polygons)


def _sized(text: str | None, side: int) -> Mask | None:
    """Return a mask that a record carries at another size; None where there is none that can be read."""
    mask = decode_mask(text) if text else None
    if mask is None:
        return None
    interpolation = cv2.INTER_AREA if mask.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask, (side, side), interpolation=interpolation), np.float32)
