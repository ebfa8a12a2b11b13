"""Methods that compare colour histograms: like next to like, doubles apart."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.sorting.base import Face, sort_method
from facewright.sorting.orders import bhattacharyya, chain, chain_of, groups_by_step, most_different_first
from facewright.sorting.pictures import blur


def roots_of_histograms(face: Face) -> NDArray[np.float32]:
    """Return (768,) square roots of the histograms of B, G and R, each with the sum 1."""
    parts = [cv2.calcHist([face.image], [channel], None, [256], [0, 256]).ravel() for channel in range(3)]
    return np.sqrt(np.concatenate(parts) / (face.image.shape[0] * face.image.shape[1])).astype(np.float32)


@sort_method("hist", "like next to like by colours: other people and other light form groups", chain(bhattacharyya))
def hist(face: Face) -> NDArray[np.float32]:
    """Roots of three histograms."""
    return roots_of_histograms(face)


@sort_method(
    "hist-dissim", "by colours, most unusual first: near doubles at the end", most_different_first(bhattacharyya)
)
def hist_dissim(face: Face) -> NDArray[np.float32]:
    """Roots of three histograms."""
    return roots_of_histograms(face)


def sharpest_of_groups(measures: NDArray[np.float32]) -> list[int]:
    """Order by groups of like colours, sharpest first within each; the 1st, 3rd, ... group goes to the front.

    Args:
        measures: (n, 769): roots of three histograms, then the sharpness.
    """
    order, steps = chain_of(measures[:, :768], bhattacharyya)
    result: list[int] = []
    for number, group in enumerate(groups_by_step(order, steps)):
        sharpest_first = sorted(group, key=lambda index: -float(measures[index, 768]))
        result = sharpest_first + result if number % 2 == 0 else result + sharpest_first
    return result


@sort_method("hist-blur", "groups of like colours, the sharpest of each first", sharpest_of_groups)
def hist_blur(face: Face) -> NDArray[np.float32]:
    """Roots of three histograms, then the sharpness."""
    return np.append(roots_of_histograms(face), np.float32(blur(face)))
