"""How a face moves from frame to frame, seen from its landmarks in the frames before and after."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import Points
from facewright.faces.record import INNER

# Twice the spread of the inner landmarks is about half a face: what moved further is another face, or a cut.
FURTHEST = 2.0

Motion = tuple[float, float]  # (x, y) per frame, in spreads of the face


def spread(points: Points) -> float:
    """Return the root mean square distance of the inner landmarks from their middle, in pixels."""
    inner = np.asarray(points, np.float64)[INNER:]
    return float(np.sqrt(((inner - inner.mean(0)) ** 2).sum(1).mean()))


def in_pixels(motion: Motion, points: Points) -> tuple[float, float]:
    """Return a motion in pixels of the frame in which the face's landmarks are `points`."""
    unit = spread(points)
    return unit * motion[0], unit * motion[1]


def motion_of(points: Points, before: Sequence[Points], after: Sequence[Points]) -> Motion:
    """Return how far a face moves within a frame's time.

    It is measured in spreads of the face itself, so that it stays what it is where the frames are scaled.

    Args:
        points: (68, 2), its landmarks.
        before, after: Those of all faces of the frame before and of the next one; of each the nearest one counts.

    Returns:
        (x, y), the mean of the steps on both sides; (0, 0) where the face is on neither.
    """
    middle, unit = _middle(points), spread(points)
    steps = [step for step in (_step(middle, before, unit, -1), _step(middle, after, unit, 1)) if step is not None]
    if not steps or unit == 0:
        return 0.0, 0.0
    x, y = np.mean(steps, axis=0) / unit
    return float(x), float(y)


def _middle(points: Points) -> NDArray[np.float64]:
    return np.asarray(points, np.float64)[INNER:].mean(0)


def _step(
    middle: NDArray[np.float64], faces: Sequence[Points], unit: float, direction: int
) -> NDArray[np.float64] | None:
    """Return the way forward in time to, or from, the nearest of the faces; None when none is near."""
    steps = [direction * (_middle(points) - middle) for points in faces]
    nearest = min(steps, key=lambda step: float(np.hypot(*step)), default=None)
    return nearest if nearest is not None and float(np.hypot(*nearest)) <= FURTHEST * unit else None
