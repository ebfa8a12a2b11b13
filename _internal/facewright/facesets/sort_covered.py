"""Sorts by what lies in front of the face."""

import numpy as np
from numpy.typing import NDArray

from facewright.faces.occlusion import COVERED_SHARE, covered_share
from facewright.facesets.sort_base import FaceToSort, Sorted, descending, sort_method


def uncovered_only(shares: NDArray[np.floating]) -> Sorted:
    """Keep the faces that are not covered, in their order; the covered ones go, the most covered first."""
    kept = np.flatnonzero(shares < COVERED_SHARE).tolist()
    return Sorted(kept, [index for index in descending(shares) if shares[index] >= COVERED_SHARE])


@sort_method("covered", "most covered first (by hands, as the extraction found them)", descending)
def covered(face: FaceToSort) -> float:
    """Share of the hull that is covered, 0..1."""
    return covered_share(face.record)


@sort_method("uncovered", "as they are; the covered faces go to the trash", uncovered_only, rejects=True)
def uncovered(face: FaceToSort) -> float:
    """Share of the hull that is covered, 0..1."""
    return covered_share(face.record)
