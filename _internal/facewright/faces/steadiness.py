"""How much landmarks tremble: the second difference over time, where the face is at rest.

A point that rests or moves evenly has none. Lengths are in per cent of the distance between the outer corners of the
eyes, so that they can be compared between clips.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewright.faces.record import INNER
from facewright.faces.tracks import square

SPAN = 4  # frames before and after, over which the speed is measured
AT_REST = 0.3  # per cent of the eyes' distance per frame


@dataclass(frozen=True)
class Steadiness:
    """One face through successive frames, before and after smoothing.

    Attributes:
        frames: How many.
        at_rest: How many of them are at rest.
        square: Median second difference of the corners of the mean face's square at rest: what places a face.
        points: That of the landmarks without the jaw.
        speed: Mean speed of the square in the fastest tenth of the frames, per frame.
        deviation: Mean distance of the squares there.
        lag: How many frames the smoothed square is behind there (below 0: ahead).
    """

    frames: int
    at_rest: int
    square: tuple[float, float]
    points: tuple[float, float]
    speed: float
    deviation: float
    lag: float

    @property
    def gain(self) -> float:
        """By how many per cent the square's trembling fell; NaN where the face never rests."""
        return 100 * (1 - self.square[1] / self.square[0]) if self.square[0] > 0 else float("nan")


def measure(before: NDArray[np.floating], after: NDArray[np.floating]) -> Steadiness | None:
    """Compare two versions of a track; None for one that is too short.

    Args:
        before: (n, 68, 2) landmarks in n successive frames, as they were found.
        after: (n, 68, 2), smoothed.
    """
    if len(before) < 2 * SPAN + 3:
        return None
    eyes = float(np.linalg.norm(before[:, 36] - before[:, 45], axis=1).mean()) / 100
    one, two = (np.array([square(points) for points in track]) / eyes for track in (before, after))
    slow = np.linalg.norm(two[2 * SPAN :] - two[: -2 * SPAN], axis=2).mean(1) / (2 * SPAN) < AT_REST
    rest = np.zeros(len(before), bool)
    rest[SPAN:-SPAN] = slow
    velocity = (one[2:] - one[:-2]) / 2
    speed = np.linalg.norm(velocity, axis=2).mean(1)
    fast = speed >= np.quantile(speed, 0.9)
    apart = (two - one)[1:-1]
    return Steadiness(
        frames=len(before),
        at_rest=int(rest.sum()),
        square=(_trembling(one, rest), _trembling(two, rest)),
        points=(_trembling(before[:, INNER:] / eyes, rest), _trembling(after[:, INNER:] / eyes, rest)),
        speed=float(speed[fast].mean()),
        deviation=float(np.linalg.norm(apart, axis=2).mean(1)[fast].mean()),
        # After = before(t - lag): to first order it departs by -lag times the velocity.
        lag=float(-(apart * velocity)[fast].sum() / max(float((velocity[fast] ** 2).sum()), 1e-12)),
    )


def second_differences(track: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean length of the second difference of the points of a track, (n - 2,).

    Args:
        track: (n, k, 2).
    """
    return np.asarray(np.linalg.norm(np.diff(np.asarray(track, np.float64), 2, axis=0), axis=2).mean(1))


def _trembling(track: NDArray[np.floating], rest: NDArray[np.bool_]) -> float:
    lengths = second_differences(track)[rest[1:-1]]
    return float(np.median(lengths)) if len(lengths) else float("nan")
