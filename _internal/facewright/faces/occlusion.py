"""What lies in front of a face: the mask of it that a record carries, and how much of the face it covers."""

from collections.abc import Iterable

from facewright.faces.align import FaceType, Matrix, align_matrix, transform_points
from facewright.faces.faceset import FaceFile
from facewright.faces.mask import Mask, encode_mask, hull_mask, moved_mask
from facewright.faces.record import FaceRecord

NOTHING = ""  # of a record that was looked at: nothing lies in front of the face
# Share of the hull from which on a face counts as covered. In clips of sign language faces with a finger at the chin
# have 2 to 5 %, masks that are wrong (a shaded jaw) up to 1 %.
COVERED_SHARE = 0.02
MEASURED_SIDE = 128  # px
VISIBLE = 8 / 255  # what a stored mask shows less is nothing


def occlusion_text(mask: Mask) -> str:
    """Return a mask, (h, w) in 0..1, as a record keeps it: base64 of a grey PNG; `NOTHING` where it is empty."""
    if mask.max(initial=0) < VISIBLE:
        return NOTHING
    return encode_mask(mask)


def occlusion_of(record: FaceRecord, matrix: Matrix, side: int) -> Mask | None:
    """Return the mask of what lies in front of a face, None where the record carries none that can be read.

    Args:
        record: The face.
        matrix: 2x3, frame -> the image that the mask is for.
        side: Side of that image in pixels.

    Returns:
        (side, side), 0..1.
    """
    return moved_mask(record.occlusion, record.size, record.matrix, matrix, side)


def covered_share(record: FaceRecord) -> float:
    """Return which share of a face's hull is covered, 0..1."""
    if not record.occlusion:
        return 0.0
    matrix = align_matrix(record.frame_landmarks, FaceType.FULL, MEASURED_SIDE)
    covered = occlusion_of(record, matrix, MEASURED_SIDE)
    if covered is None:
        return 0.0
    hull = hull_mask(transform_points(record.frame_landmarks, matrix), (MEASURED_SIDE, MEASURED_SIDE))
    return float((hull * covered).sum() / max(float(hull.sum()), 1e-6))


def is_covered(record: FaceRecord) -> bool:
    """Whether so much lies in front of a face that training should do without it."""
    return covered_share(record) >= COVERED_SHARE


def covered_faces(faces: Iterable[FaceFile]) -> list[FaceFile]:
    """Return the faces that are covered, in their order."""
    return [face for face in faces if is_covered(face.record)]
