"""Which landmarkers found the points of some faces: two in one faceset place the same face a little differently."""

from collections import Counter
from collections.abc import Iterable

from facewright.core import console
from facewright.faces.record import MANUAL_DETECTOR, FaceRecord

SMALL_FACE_PX = 25  # longer side of a face's box, below which dlib's landmarks are steadier than the mesh
USUAL = "dlib"  # of records that do not say: those of earlier versions, and those of other programs


def landmarkers_of(records: Iterable[FaceRecord]) -> Counter[str]:
    """Return how many faces each landmarker placed; those that a person placed by hand are not counted."""
    return Counter(
        record.landmarker or USUAL for record in records if record.landmarker or record.detector != MANUAL_DETECTOR
    )


def warn_of_mixed_landmarkers(what: str, records: Iterable[FaceRecord], fix: str) -> None:
    """Say a word where faces that belong together have landmarks of two landmarkers.

    Args:
        what: Whose faces: "data_src/aligned".
        records: Of all of them.
        fix: What to do about it.
    """
    found = landmarkers_of(records)
    if len(found) > 1:
        parts = " and ".join(f"{count} of {name}" for name, count in found.most_common())
        console.warn(
            f"The landmarks of {what} come from two landmarkers, {parts}: they place brows and eyes a little "
            f"differently, and the swap may tremble where they change. {fix}"
        )


def say_small_faces(records: Iterable[FaceRecord], advice: str = "") -> None:
    """Count the faces that are too small for the mesh that found their landmarks.

    Args:
        records: Of all faces.
        advice: What else could find them, where it may be used.
    """
    sides = (
        max(right - left, bottom - top)
        for left, top, right, bottom in (record.rect for record in records if record.landmarker == "mesh")
    )
    small = sum(side < SMALL_FACE_PX for side in sides)
    if small:
        console.say(
            f"Faces below {SMALL_FACE_PX} px: {small}. There dlib's landmarks are steadier than the mesh{advice}."
        )
