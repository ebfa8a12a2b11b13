"""Which landmarkers found the points of some faces: two in one faceset place the same face a little differently."""

from collections import Counter
from collections.abc import Iterable

from facewright.core import console
from facewright.faces.record import MANUAL_DETECTOR, FaceRecord

SMALL_FACE_PX = 25  # longer side of a face's box, below which landmarks are a guess, dlib's less than the mesh's
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


def say_small_faces(records: Iterable[FaceRecord], *, dlib: bool = True) -> None:
    """Count the faces that are too small for landmarks to be trusted.

    Args:
        records: Of all faces.
        dlib: Whether dlib's landmarks, which are steadier there than the mesh, may be used.
    """
    found_small = (record for record in records if record.detector != MANUAL_DETECTOR)
    small = [record for record in found_small if _side(record) < SMALL_FACE_PX]
    if small:
        found = f"{console.counted(len(small), 'face')} {'is' if len(small) == 1 else 'are'} under {SMALL_FACE_PX} px"
        steadier = any(record.landmarker == "mesh" for record in small) and dlib
        console.say(
            f"{found}: their landmarks are a guess, look at how they are cut. --min-face {SMALL_FACE_PX} leaves them "
            f"out{', --landmarker dlib is steadier there' if steadier else ''}."
        )


def _side(record: FaceRecord) -> float:
    left, top, right, bottom = record.rect
    return max(right - left, bottom - top)
