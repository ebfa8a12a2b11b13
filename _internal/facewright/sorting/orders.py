"""Orders from distances between faces: chains of the most alike, and the most different first.

A distance takes one measure and many, and returns one number for each of the many. Memory stays in
proportion to the number of faces; the time grows with its square.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
# (one measure (d,), measures (n, d)) -> (n,) distances
Distance = Callable[[Numbers, Numbers], Numbers]


def bhattacharyya(one: Numbers, many: Numbers) -> Numbers:
    """Sum over three channels of the Bhattacharyya distance of histograms, 0..3.

    Args:
        one: (768,) square roots of three histograms of 256 bins, each with the sum 1.
        many: (n, 768) of the same kind.
    """
    alike = np.stack([many[:, c : c + 256] @ one[c : c + 256] for c in (0, 256, 512)])
    return np.asarray(np.sqrt(np.clip(1 - alike, 0, 1)).sum(axis=0), np.float32)


def city_block(one: Numbers, many: Numbers) -> Numbers:
    """Sum of absolute differences."""
    return np.asarray(np.abs(many - one).sum(axis=1), np.float32)


def chain_of(measures: Numbers, distance: Distance) -> tuple[list[int], list[float]]:
    """Walk from the first face always to the nearest one that is left.

    Args:
        measures: (n, d).
        distance: See the module.

    Returns:
        The order, and the n - 1 distances between neighbours in it.
    """
    left = np.arange(len(measures))
    rest = measures.copy()
    order: list[int] = []
    steps: list[float] = []
    at, count = 0, len(measures)
    while count:
        order.append(int(left[at]))
        here = rest[at].copy()
        # Close the gap with a shift, so that of equal distances the earlier file wins.
        rest[at : count - 1] = rest[at + 1 : count]
        left[at : count - 1] = left[at + 1 : count]
        count -= 1
        if count:
            distances = distance(here, rest[:count])
            at = int(np.argmin(distances))
            steps.append(float(distances[at]))
    return order, steps


def chain(distance: Distance) -> Callable[[Numbers], list[int]]:
    """Return the order that walks from the first face always to the nearest one that is left."""
    return lambda measures: chain_of(measures, distance)[0]


def most_different_first(distance: Distance) -> Callable[[Numbers], list[int]]:
    """Return the order by the sum of the distances to all others, largest first: doubles come last."""

    def order(measures: Numbers) -> list[int]:
        sums = np.array([distance(one, measures).sum(dtype=np.float64) for one in measures])
        return np.argsort(-sums, kind="stable").tolist()

    return order


def groups_by_step(order: Sequence[int], steps: Sequence[float]) -> list[list[int]]:
    """Cut a chain where a step is at least the mean step (twice the mean when that is below the longest)."""
    groups = [[order[0]]] if order else []
    limit = float(np.mean(steps)) if steps else 0.0
    if steps and 2 * limit < max(steps):
        limit *= 2
    for index, step in zip(order[1:], steps, strict=True):
        if step >= limit:
            groups.append([])
        groups[-1].append(index)
    return groups
