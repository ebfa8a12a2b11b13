"""Orders from distances between faces: chains of the most alike, and the most different first.

The time grows with the square of the number of faces, the memory in proportion to it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.facesets.distances import MakeSpace

# A chain goes through the faces again and again; when this share of them has been used they are thrown out.
MAX_USED_SHARE = 1 / 8


def chain_of(measures: NDArray[Any], make: MakeSpace, *, farthest: bool = False) -> tuple[list[int], list[float]]:
    """Walk from the first face always to the nearest one that is left; of equally near ones to the earlier.

    Args:
        measures: (n, ...), n at least 1.
        make: Measures -> their space.
        farthest: Walk to the farthest instead.

    Returns:
        The order, and the n - 1 distances between neighbours in it.
    """
    space = make(measures)
    left = np.arange(len(measures))
    used = np.zeros(len(left), bool)
    order: list[int] = [0]
    steps: list[float] = []
    at = 0
    used[0] = True
    while len(order) < len(measures):
        if np.count_nonzero(used) - 1 > MAX_USED_SHARE * len(left):
            stay = ~used
            stay[at] = True
            space.keep(stay)
            at = int(np.count_nonzero(stay[:at]))
            left, used = left[stay], used[stay]
        distances = space.to(at)
        distances[used] = -np.inf if farthest else np.inf
        at = int(np.argmax(distances) if farthest else np.argmin(distances))
        used[at] = True
        order.append(int(left[at]))
        steps.append(float(distances[at]))
    return order, steps


def chain(make: MakeSpace) -> Callable[[NDArray[Any]], list[int]]:
    """Return the order that walks from the first face always to the nearest one that is left."""
    return lambda measures: chain_of(measures, make)[0]


def most_different_first(make: MakeSpace) -> Callable[[NDArray[Any]], list[int]]:
    """Return the order by the sum of the distances to all others, largest first: doubles come last."""
    # Rounded, for the sums of equal faces differ in their last digits: these keep their order.
    return lambda measures: np.argsort(-np.round(make(measures).sums(), 6), kind="stable").tolist()


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
