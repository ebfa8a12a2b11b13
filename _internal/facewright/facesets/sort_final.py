"""The best faces: so many as are asked for, spread evenly over all directions, the others into the trash.

The plan is that of DeepFaceLab's sorts of the same names: shares over the yaw, the sharpest (or largest) of each share,
spread over the pitch and over the colours. Here the shares always add up to the number asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from facewright.core.options import option
from facewright.faces.faceset import ENOUGH_FACES
from facewright.faces.occlusion import is_covered
from facewright.facesets.distances import Histograms
from facewright.facesets.orders import most_different_first
from facewright.facesets.sort_base import FaceToSort, Sorted, sort_method
from facewright.facesets.sort_histograms import histograms
from facewright.facesets.sort_images import face_detail
from facewright.facesets.sort_records import source_area
from facewright.ui.contact_sheet import evenly

YAW_BINS = 128
YAW_RANGE = float(np.degrees(1.2))  # bins from minus this to this; faces beyond go to the end bins
CANDIDATES = 10  # faces of the best quality that are looked at for each one kept
YAW, PITCH, QUALITY, COVERED, COLOURS = range(5)  # columns of the measures; the histograms go to the end


@dataclass(frozen=True)
class Keep:
    """Options of final and final-fast."""

    keep: int = option(
        ENOUGH_FACES, "How many faces to keep; the others go to the trash.", low=1, ask="How many faces to keep"
    )


def shares(counts: Sequence[int], wanted: int) -> list[int]:
    """Divide a number as evenly as the bins' contents allow.

    Args:
        counts: Faces per bin.
        wanted: Faces in all.

    Returns:
        Faces to take from each bin; their sum is `wanted`, or all there are.
    """
    given = [0] * len(counts)
    left = min(wanted, sum(counts))
    while left:
        open_bins = [bin for bin, count in enumerate(counts) if given[bin] < count]
        each = left // len(open_bins)
        # Too few for one more each: the rest is spread over the range.
        takers = open_bins if each else [open_bins[place] for place in evenly(len(open_bins), left)]
        for bin in takers:
            more = min(max(each, 1), counts[bin] - given[bin])
            given[bin] += more
            left -= more
    return given


def best_of_all_directions(measures: NDArray[np.float32], settings: Keep) -> Sorted:
    """Keep the best faces, from looking left to looking right; covered ones behind them, where the others are too few.

    Args:
        measures: (n, 4 + 768): yaw and pitch in degrees, quality, whether covered, three histograms.
        settings: How many.
    """
    kept: list[int] = []
    for covered in (False, True):
        faces = np.flatnonzero((measures[:, COVERED] > 0) == covered)
        kept += _of_all_directions(measures, faces, settings.keep - len(kept))
    return Sorted(kept, sorted(set(range(len(measures))) - set(kept)))


def _of_all_directions(measures: NDArray[np.float32], faces: NDArray[np.intp], wanted: int) -> list[int]:
    """Choose the best of some faces, evenly over their yaws."""
    place = (measures[faces, YAW] + YAW_RANGE) / (2 * YAW_RANGE) * YAW_BINS
    bins = np.clip(place, 0, YAW_BINS - 1).astype(int)
    members = [faces[bins == bin] for bin in reversed(range(YAW_BINS))]
    quotas = shares([len(some) for some in members], wanted)
    return [index for some, quota in zip(members, quotas, strict=True) for index in _best(measures, some, quota)]


def _best(measures: NDArray[np.float32], faces: NDArray[np.intp], quota: int) -> list[int]:
    """Choose `quota` of the faces that look the same way: good ones, spread over pitch and colours."""
    if not quota:
        return []
    by_quality = faces[np.argsort(-measures[faces, QUALITY], kind="stable")]
    good = np.sort(by_quality[: CANDIDATES * quota])
    pitch = measures[good, PITCH]
    # Over the pitches that there are: over all that could be, most faces would fall into a few bins.
    low, span = pitch.min(), max(float(np.ptp(pitch)), 1e-6)
    bins = np.minimum((pitch - low) / span * quota, quota - 1).astype(int)
    different_first = most_different_first(Histograms)
    stacks = []
    for bin in reversed(range(quota)):
        stack = good[bins == bin]
        if len(stack):
            stacks.append([int(index) for index in stack[different_first(measures[stack, COLOURS:])]])
    dealt = chain.from_iterable(zip_longest(*stacks))
    return [index for index in dealt if index is not None][:quota]


@sort_method(
    "final",
    "the best of all directions, sharp and varied, covered ones last; the others go to the trash",
    best_of_all_directions,
    options=Keep,
    rejects=True,
)
def final(face: FaceToSort) -> NDArray[np.float32]:
    """Yaw, pitch, sharpness, whether covered, histograms."""
    return _measures(face, face_detail(face))


@sort_method(
    "final-fast",
    "as final, with the largest in the frame for the sharpest",
    best_of_all_directions,
    options=Keep,
    rejects=True,
)
def final_fast(face: FaceToSort) -> NDArray[np.float32]:
    """Yaw, pitch, area in the frame, whether covered, histograms."""
    return _measures(face, source_area(face))


def _measures(face: FaceToSort, quality: float) -> NDArray[np.float32]:
    yaw, pitch, _ = face.record.pose
    return np.concatenate([np.array([yaw, pitch, quality, is_covered(face.record)], np.float32), histograms(face)])
