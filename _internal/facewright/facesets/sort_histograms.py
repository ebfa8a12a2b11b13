"""Methods that compare colour histograms: like next to like, doubles apart.

All three compare B, G and R of the whole image, as the program of 2018 did. Its last version took one grey histogram
inside the face's hull for hist-dissim; among faces of several people and lights, a third kept in that order left
out far more poses than with the colours (tests/benchmarks/thinning.py).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.facesets.distances import BINS, Histograms
from facewright.facesets.orders import chain, chain_of, groups_by_step, most_different_first
from facewright.facesets.sort_base import FaceToSort, sort_method
from facewright.facesets.sort_images import face_detail

COLOURS = 3 * BINS


def histograms(face: FaceToSort) -> NDArray[np.float32]:
    """Return (768,): how many pixels have each value of B, of G and of R."""
    parts = [cv2.calcHist([face.image], [channel], None, [BINS], [0, BINS]).ravel() for channel in range(3)]
    return np.concatenate(parts).astype(np.float32)


@sort_method("hist", "like next to like by colours: other people and other light form groups", chain(Histograms))
def hist(face: FaceToSort) -> NDArray[np.float32]:
    """Three histograms."""
    return histograms(face)


@sort_method("hist-dissim", "by colours, most unusual first: near doubles at the end", most_different_first(Histograms))
def hist_dissim(face: FaceToSort) -> NDArray[np.float32]:
    """Three histograms."""
    return histograms(face)


def sharpest_of_groups(measures: NDArray[np.float32]) -> list[int]:
    """Order by groups of like colours, sharpest first within each; the 1st, 3rd, ... group goes to the front.

    Args:
        measures: (n, 769): three histograms, then the sharpness.
    """
    order, steps = chain_of(measures[:, :COLOURS], Histograms)
    result: list[int] = []
    for number, group in enumerate(groups_by_step(order, steps)):
        sharpest_first = sorted(group, key=lambda index: -float(measures[index, COLOURS]))
        result = sharpest_first + result if number % 2 == 0 else result + sharpest_first
    return result


@sort_method("hist-blur", "groups of like colours, the sharpest of each first", sharpest_of_groups)
def hist_blur(face: FaceToSort) -> NDArray[np.float32]:
    """Three histograms, then the sharpness."""
    return np.append(histograms(face), np.float32(face_detail(face)))
