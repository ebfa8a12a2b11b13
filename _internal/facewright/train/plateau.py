"""Whether a training still improves: its curves in the last window against those in the window before."""

import math

import numpy as np
from numpy.typing import NDArray

from facewright.train.history import Losses

WINDOW_ITERATIONS, WINDOW_MINUTES = 1000, 10.0  # a window is as long as the longer of the two
LEAST_GAIN = 0.01  # a curve that falls by less than this share from window to window has come to rest
BLOCKS = 10  # of a window; their middle mean is what counts, so that a few wild steps do not


def plateau(values: Losses, window: int, least_gain: float = LEAST_GAIN) -> bool:
    """Whether no curve has fallen from the window before the last one to the last one.

    Args:
        values: (n, curves) float32, lower is better: a row per iteration of a loss, or one per measurement of an
            error on faces held out. What is not finite is passed over.
        window: Rows of a window, 1 or more; with fewer than two windows nothing has come to rest.
        least_gain: Share of its value, 0..1, by which a curve must fall to count as falling.
    """
    if len(values) < 2 * window:
        return False
    before, last = _smoothed(values[-2 * window : -window]), _smoothed(values[-window:])
    gains = (before - last) / np.maximum(np.abs(before), 1e-9)
    known = gains[np.isfinite(gains)]
    return bool(known.size) and bool((known < least_gain).all())


def plateau_window(milliseconds: float) -> int:
    """Return how many iterations a window of the losses has.

    Args:
        milliseconds: Mean duration of an iteration.
    """
    return max(WINDOW_ITERATIONS, math.ceil(WINDOW_MINUTES * 60_000 / max(milliseconds, 1e-3)))


def _smoothed(values: Losses) -> NDArray[np.float64]:
    """Return the middle of the means of a window's blocks, per curve; not a number where none is finite."""
    clean = np.ma.masked_invalid(np.asarray(values, np.float64))
    blocks = [np.ma.mean(block, axis=0) for block in np.array_split(clean, min(BLOCKS, len(clean)))]
    return np.ma.filled(np.ma.median(np.ma.stack(blocks), axis=0), np.nan)
