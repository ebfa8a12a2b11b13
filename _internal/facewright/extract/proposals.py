"""What MediaPipe's detectors answer: a box and points around each anchor, with a score; several for each thing.

BlazeFace and the palm detector are networks of one kind (Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016).
Proposals that overlap are averaged, as in Bazarevsky et al., "BlazeFace", 2019: a box trembles less than the best one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_LOGIT = 80.0
# A proposal is its score and rows (x, y): the box's left top and right bottom corner, then its points.
Scores = NDArray[np.float64]  # (n,), 0..1
Corners = NDArray[np.float64]  # (n, 2 + points, 2)


def anchors(levels: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the middles (x, y) of the anchors, (n, 2), as shares of the input's side: cells row by row.

    Args:
        levels: How many cells each grid has in a row, and how many boxes a cell proposes.
    """
    found = []
    for cells, boxes in levels:
        middles = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), boxes, axis=0))
    return np.concatenate(found)


def decoded(
    raw: NDArray[np.float32], logits: NDArray[np.float32], middles: NDArray[np.float64], side: int, min_score: float
) -> tuple[Scores, Corners]:
    """Return the proposals of a network's outputs that are sure enough, as shares of the input's side, edges counted.

    Args:
        raw: (1, n, 4 + 2 * points): middle, size and points of each, in pixels of the input from its anchor.
        logits: (1, n, 1), of the scores.
        middles: (n, 2) of `anchors`.
        side: Of the input, in pixels.
        min_score: Score from which on a proposal counts, 0..1.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.ravel().astype(np.float64), -MAX_LOGIT, MAX_LOGIT)))
    sure = scores > min_score
    pairs = raw.reshape(len(middles), -1, 2)[sure].astype(np.float64) / side
    half, placed = pairs[:, 1:2] / 2, pairs + middles[sure][:, None]
    middle, points = placed[:, :1], placed[:, 2:]
    return scores[sure], np.concatenate([middle - half, middle + half, points], axis=1)


def merged(scores: Scores, corners: Corners, same: float) -> list[tuple[float, NDArray[np.float64]]]:
    """Return one proposal for each thing, the surest first: the average of those that overlap its best one.

    Args:
        scores, corners: The proposals; the average is weighted by the scores.
        same: Share of the area of two boxes together, from which on both mean the same thing.

    Returns:
        The best one's score, and the averaged corners, (2 + points, 2).
    """
    order = np.argsort(-scores, kind="stable")
    scores, corners = scores[order], corners[order]
    found = []
    while len(scores):
        one = overlaps(corners, corners[0]) > same
        one[0] = True
        found.append((float(scores[0]), np.average(corners[one], axis=0, weights=scores[one])))
        scores, corners = scores[~one], corners[~one]
    return found


def overlaps(corners: Corners, one: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the area together that each box, (n, 2 + points, 2), has in common with one, 0..1."""
    low, high = corners[:, 0], corners[:, 1]
    shared = np.clip(np.minimum(high, one[1]) - np.maximum(low, one[0]), 0, None).prod(axis=1)
    both = (high - low).prod(axis=1) + (one[1] - one[0]).prod() - shared
    return np.asarray(shared / np.maximum(both, 1e-12))
