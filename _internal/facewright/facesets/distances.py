"""Distances between many faces, as matrix products where that is exact.

A space holds the measures of n faces in the layout that its arithmetic wants. Memory stays in proportion to n: no
n x n matrix is ever made.
"""

from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.floating[Any]]
BINS = 256  # of a histogram
BLOCK = 1 << 20  # numbers of a block of pairs: 8 MB, which stays in the processor's cache
# The sum of 256 products of doubles is right to about this; below it two histograms are equal.
MAX_ROUNDING = 1e-13


class Space(Protocol):
    """Faces with a distance between any two."""

    def to(self, row: int) -> Distances:
        """Return the distances of face `row` to all that are left, (n,), its own included."""

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Leave out the faces whose row is False; the others move up."""

    def sums(self) -> Distances:
        """Return each face's sum of distances to all others, (n,)."""


MakeSpace = Callable[[NDArray[Any]], Space]


class Histograms:
    """The Bhattacharyya distances of histograms, summed over their channels.

    As OpenCV's HISTCMP_BHATTACHARYYA (the Hellinger distance): sqrt(1 - sum(sqrt(p q))) for each channel, where p and
    q have the sum 1. With the square roots taken beforehand the inner sum is a matrix product.

    Args:
        counts: (n, c * 256), pixels per bin of c channels.
        block: How many distances are computed at once.
    """

    def __init__(self, counts: NDArray[Any], block: int = BLOCK) -> None:
        self._block = block
        channels = counts.reshape(len(counts), -1, BINS).transpose(1, 0, 2)
        # (c, n, 256), each channel in one piece: slices of rows would cost ten times as much.
        self._roots = np.array(channels, np.float64, order="C")
        totals = self._roots.sum(axis=2, keepdims=True)
        self._roots /= np.maximum(totals, 1)
        np.sqrt(self._roots, out=self._roots)

    def to(self, row: int) -> Distances:
        """See `Space`; 0..c."""
        # Not "@": for so small products OpenBLAS' threads wait for each other more than they work, and on a busy
        # machine ten times as long.
        alike = np.stack([np.vecdot(channel, channel[row]) for channel in self._roots])
        return np.asarray(np.sqrt(_differing(alike)).sum(axis=0))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """See `Space`."""
        self._roots = self._roots[:, rows]

    def sums(self) -> Distances:
        """See `Space`: block after block of pairs."""
        count = self._roots.shape[1]
        result = np.zeros(count)
        step = max(1, self._block // max(1, count))
        for start in range(0, count, step):
            rows = slice(start, min(start + step, count))
            for channel in self._roots:
                # The distance is the same both ways: pairs right of the diagonal's block count for both faces.
                pairs = np.sqrt(_differing(channel[rows] @ channel[start:].T))
                result[rows] += pairs.sum(axis=1)
                result[rows.stop :] += pairs[:, rows.stop - start :].sum(axis=0)
        return result


def _differing(alike: Distances) -> Distances:
    """Return 1 - alike in place; what is 0 but for rounding becomes 0, so that equal faces keep their order."""
    np.subtract(1, alike, out=alike)
    alike[alike < MAX_ROUNDING] = 0
    return alike


class CityBlock:
    """Sums of absolute differences.

    Args:
        measures: (n, d) uint8 or float32.
    """

    def __init__(self, measures: NDArray[Any]) -> None:
        self._rows = np.ascontiguousarray(measures)

    def to(self, row: int) -> Distances:
        """See `Space`."""
        kind = cv2.CV_32S if self._rows.dtype == np.uint8 else cv2.CV_32F
        # The nearest of one is that one: this asks OpenCV for the distances themselves, on all cores.
        found, _ = cv2.batchDistance(self._rows, self._rows[row : row + 1], kind, normType=cv2.NORM_L1, K=1)
        return found[:, 0].astype(np.float32)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """See `Space`."""
        self._rows = self._rows[rows]

    def sums(self) -> Distances:
        """See `Space`.

        In sorted order the absolute values fall away: the k-th of n values is larger than k others and smaller than
        the rest. So the sum over all pairs needs no pairs.
        """
        count = len(self._rows)
        result = np.zeros(count)
        larger = 2 * np.arange(count) - count + 1
        for column in self._rows.T.astype(np.float64):
            order = np.argsort(column, kind="stable")
            ranked = column[order]
            below = np.cumsum(ranked) - ranked
            result[order] += ranked * larger + ranked.sum() - ranked - 2 * below
        return result


class Similarity:
    """One minus the structural similarity (SSIM) of small grey images, the mean over their windows; 0..2.

    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    IEEE Transactions on Image Processing 13, 2004, with its constants. The windows are squares that do not overlap:
    then the covariance of two images in a window is a product of vectors.

    Args:
        windows: (n, w, p) uint8: p grey values of each of w windows.
    """

    C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def __init__(self, windows: NDArray[Any]) -> None:
        values = np.array(windows.transpose(1, 0, 2), np.float32, order="C")  # (w, n, p)
        means = values.mean(axis=2, dtype=np.float32, keepdims=True)
        values -= means
        self._values, self._means = values, means[..., 0]  # (w, n, p), (w, n)
        self._variances = np.einsum("wnp,wnp->wn", values, values) / values.shape[2]

    def to(self, row: int) -> Distances:
        """See `Space`."""
        shared = np.stack([np.vecdot(window, window[row]) for window in self._values]) / self._values.shape[2]
        means, variances = self._means, self._variances
        mean, variance = means[:, row : row + 1], variances[:, row : row + 1]
        light = (2 * means * mean + self.C1) / (means**2 + mean**2 + self.C1)
        structure = (2 * shared + self.C2) / (variances + variance + self.C2)
        return np.asarray(1 - (light * structure).mean(axis=0))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """See `Space`."""
        self._values, self._means = self._values[:, rows], self._means[:, rows]
        self._variances = self._variances[:, rows]

    def sums(self) -> Distances:
        """See `Space`."""
        return np.array([self.to(row).sum(dtype=np.float64) for row in range(self._means.shape[1])])
