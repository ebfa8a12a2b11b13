"""What can be wrong with a frame, as scores: pure functions of what was measured on the faces of one chain.

A measure is held against the median of the frames around it, in units of their spread (median absolute deviation), so
that a drift is no fault and a dip is one. What stays wrong longer than those frames last is held against all the
frames of the chain, with twice the allowance. A severity of 1 and more needs a look.

Method: the modified z-score of Iglewicz and Hoaglin, "How to detect and handle outliers", 1993, over a moving window.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

REACH = 12  # frames on each side that a frame is held against: a second in all
FEWEST = 5  # faces of a chain from which on there is something to be held against
TO_DEVIATION = 1.4826  # of the median absolute deviation of normally distributed values
LIMIT = 6.0  # deviations that need a look
ALLOWANCE = 2.0  # times as many against the whole chain
MOTION_REACH = 5  # frames on each side that say where a face should be
HOLE_CHANGE = 0.25  # of a block's usual difference to dst: less is a hole
LEAST_CHANGE = 1.5  # levels: blocks that usually change less say nothing about holes


def deviations(values: Numbers, floor: float) -> Numbers:
    """Return how far each value lies from those around it, (n,), in units of `LIMIT` deviations, with its sign.

    Args:
        values: (n,) of successive frames; NaN where nothing was measured.
        floor: The least deviation, in the unit of the values: less is noise.
    """
    if np.isfinite(values).sum() < FEWEST:
        return np.zeros(len(values))
    near = _standardised(values, _level_windows(values), floor)
    whole = _standardised(values, np.broadcast_to(values, (1, len(values))), floor) / ALLOWANCE
    found = np.where(np.abs(near) >= np.abs(whole), near, whole)
    return np.asarray(np.nan_to_num(found) / LIMIT)


def _windows(values: Numbers) -> Numbers:
    """Return the values around each, (n, 25); NaN beyond the ends."""
    padded = np.pad(values, REACH, constant_values=np.nan)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1))


def _level_windows(values: Numbers) -> Numbers:
    """Return the values around each without their drift: the median slope between those before and those after."""
    windows, steps = _windows(values), np.arange(1, REACH + 1)
    slopes = (windows[:, REACH + steps] - windows[:, REACH - steps]) / (2 * steps)
    return np.asarray(windows - _median(slopes)[:, None] * np.arange(-REACH, REACH + 1))


def _standardised(values: Numbers, windows: Numbers, floor: float) -> Numbers:
    middle = _median(windows)
    distances: Numbers = np.abs(windows - middle[:, None])
    return np.asarray((values - middle) / np.maximum(TO_DEVIATION * _median(distances), floor))


def _median(rows: Numbers) -> Numbers:
    """Return the median of each row without its NaN; 0 for a row of nothing else."""
    empty = np.asarray(np.isnan(rows).all(axis=1))
    return np.asarray(np.nanmedian(np.where(empty[:, None], 0.0, rows), axis=1))


def jumps(points: Numbers, times: NDArray[np.int_]) -> Numbers:
    """Return how far each face lies from where its neighbours in time say that it should be, (n,), in its own size.

    On the line through a frame before and one after, or, at the ends, through two on one side, lies what is expected.
    The median over five such pairs passes over neighbours that are wrong themselves.

    Args:
        points: (n, 68, 2) landmarks in the frame, in order of time.
        times: (n,) numbers of the frames, rising.
    """
    size = max(float(np.median(np.sqrt(np.ptp(points, axis=1).prod(axis=1)))), 1e-6)
    found = np.zeros(len(points))
    for at in range(len(points)):
        expected = [_on_line(points, times, at, *pair) for pair in _pairs(at, len(points))]
        if expected:
            away = points[at] - np.median(expected, axis=0)
            found[at] = np.sqrt((away**2).sum(axis=1).mean()) / size
    return found


def _pairs(at: int, count: int) -> list[tuple[int, int]]:
    """Return indices of faces around one, or of those beside it where one side has fewer than three."""
    steps = range(1, MOTION_REACH + 1)
    around = [(at - step, at + step) for step in steps if at - step >= 0 and at + step < count]
    beside = [(at + sign * step, at + 2 * sign * step) for sign in (-1, 1) for step in steps]
    return around if len(around) >= 3 else [pair for pair in beside if min(pair) >= 0 and max(pair) < count]


def _on_line(points: Numbers, times: NDArray[np.int_], at: int, one: int, other: int) -> Numbers:
    share = (times[at] - times[one]) / (times[other] - times[one])
    return np.asarray(points[one] + share * (points[other] - points[one]))


def holes(changes: Numbers) -> Numbers:
    """Return the share of each face that is as good as dst's own although it is replaced in the frames around, (n,).

    Args:
        changes: (n, b) difference to dst in each block, levels; NaN outside of the face.
    """
    usual = np.stack([_around(column) for column in changes.T], axis=1)
    counted = np.isfinite(changes) & (usual >= LEAST_CHANGE)
    with np.errstate(invalid="ignore"):
        lacking = counted & (changes < HOLE_CHANGE * usual)
    return np.asarray(lacking.sum(axis=1) / np.maximum(counted.sum(axis=1), 1))


def _around(values: Numbers) -> Numbers:
    """Return the larger one of two medians: of the frames around each, and of all."""
    return np.asarray(np.maximum(_median(_windows(values)), _median(values[None])[0]))


def apart(embeddings: Numbers) -> Numbers:
    """Return the distance of each embedding to the median of those around it, (n,).

    Args:
        embeddings: (n, d); rows of NaN where a face has none.
    """
    found = np.full(len(embeddings), np.nan)
    for at, own in enumerate(embeddings):
        near = np.delete(embeddings[max(0, at - REACH) : at + REACH + 1], min(at, REACH), axis=0)
        near = near[np.isfinite(near).all(axis=1)]
        if len(near) >= FEWEST:
            found[at] = np.linalg.norm(own - np.median(near, axis=0))
    return found
