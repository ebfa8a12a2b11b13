"""Landmarks smoothed over time, against their jitter; nothing lags, for the future is known.

A face's points are split into where it lies (middle, size, roll: the similarity that places it) and its shape, which
is what the mean face's square shows. The place is smoothed strongly, the shape lightly and part by part, so that
speech and blinks stay as they are.

Each value is the middle of a line fitted to the frames around it (Cleveland, "Robust locally weighted regression",
JASA 1979). How many frames: as many as a longer line still agrees with all shorter ones, within what jitter alone
explains (Lepski 1990; Goldenshluger and Nemirovski, "On spatially adaptive estimation", 1997). So a head at
rest is averaged over a second, and one that turns, a blink, an opening mouth over a frame or two, or not at all.
The jitter is measured on each track, by third differences, which no even motion has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from facewright.faces.align import MEAN_FACE, invert, similarity, transform_points
from facewright.faces.record import INNER
from facewright.faces.tracks import Sighting, join_tracks, square

REACHES = (1, 2, 3, 4, 6, 8, 12)  # frames on each side of the middle one
# The parts of a face that move as one: jaw, brows, nose, eyes, mouth.
PARTS = tuple(slice(*ends) for ends in ((0, 17), (17, 22), (22, 27), (27, 36), (36, 42), (42, 48), (48, 68)))
MANUAL_WEIGHT = 4.0  # weight of a manually placed face, for its neighbours
# No more than this is taken for jitter, in sides of the mean face's square: measured were 0.0007 to 0.003 in seven
# clips. Where frames lie far apart in time, true motion would otherwise look like it.
MAX_JITTER = 0.003
MAX_JITTER_PX = 0.15  # or this, where the face is small
# Jitter of the place above this many times that of the shape is the video itself (a shaking camera, frames that a
# coder repeats or moves in steps): middle in sides, logarithm of the size, roll in radians.
CENTER_RATIO, SIZE_RATIO, ROLL_RATIO = 0.8, 2.5, 1.4
MIN_DIFFERENCES = 5  # third differences from which jitter is measured: eight frames
# A choice of frames does not change from frame to frame, which would be seen itself.
EVEN_FRAMES = 2


@dataclass(frozen=True)
class Strength:
    """How strongly is smoothed.

    Attributes:
        reach: Frames on each side that count at most, for the place.
        tolerance: A line is too long when it departs this many times the jitter from a shorter one.
        shape_reach, shape_tolerance: The same for the shape.
    """

    reach: int
    tolerance: float
    shape_reach: int
    shape_tolerance: float


STRENGTHS: Mapping[str, Strength] = MappingProxyType(
    {
        "low": Strength(4, 2.0, 2, 1.5),
        "medium": Strength(12, 3.0, 3, 2.0),
        "high": Strength(12, 4.0, 4, 2.5),
    }
)


def smooth_faces(
    faces: Sequence[Sighting], strength: Strength, tracks: Sequence[Sequence[int]] | None = None
) -> list[NDArray[np.float32]]:
    """Return the landmarks of each face, (68, 2) float32, smoothed along its track.

    Args:
        faces: As they were found, in any order. Fixed ones come back as they are and count more than the others; so do
            those that were made from the faces around, which do not count.
        strength: How strongly.
        tracks: Of `join_tracks`; None finds them.
    """
    smoothed = [np.asarray(face.points, np.float32) for face in faces]
    for track in join_tracks(faces) if tracks is None else tracks:
        if len(track) < MIN_DIFFERENCES + 3:
            continue
        along = [faces[index] for index in track]
        for index, points in zip(track, smooth_track(along, strength), strict=True):
            if not (faces[index].fixed or faces[index].made):
                smoothed[index] = points.astype(np.float32)
    return smoothed


def smooth_track(faces: Sequence[Sighting], strength: Strength) -> NDArray[np.float64]:
    """Return the landmarks of one track, (n, 68, 2).

    Args:
        faces: One face through n frames, in order of time.
        strength: How strongly.
    """
    points = np.array([face.points for face in faces], np.float64)
    times = np.array([face.time for face in faces]) - faces[0].time
    weights = np.zeros(times[-1] + 1)
    weights[times] = [0.0 if face.made else MANUAL_WEIGHT if face.fixed else 1.0 for face in faces]
    to_mean = [similarity(p[INNER:], MEAN_FACE) for p in points]
    shapes = np.array([transform_points(p, matrix) for p, matrix in zip(points, to_mean, strict=True)])
    linear = np.array([invert(matrix)[:, 0] for matrix in to_mean]) @ (1, 1j)  # side and roll as one complex number
    middles = points[:, INNER:].mean(1)
    side = float(np.median(np.abs(linear)))
    largest = max(MAX_JITTER, MAX_JITTER_PX / side)

    def dense(values: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = np.zeros((len(weights), values[0].size))
        rows[times] = values.reshape(len(values), -1)
        return rows

    def along(values: NDArray[np.float64], most: float, reach: int, tolerance: float) -> NDArray[np.float64]:
        rows = dense(values)
        jitter = min(_jitter(rows, weights), most)
        return _steady(rows, weights, jitter, reach, tolerance)[times].reshape(values.shape)

    in_shape = min(float(np.median([_jitter(dense(shapes[:, part]), weights) for part in PARTS])), largest)
    # Sizes and distances are taken as logarithms and in sides: then it does not matter how large the face is.
    centre = along(middles / side, CENTER_RATIO * in_shape, strength.reach, strength.tolerance) * side
    size = along(np.log(np.abs(linear)), SIZE_RATIO * in_shape, strength.reach, strength.tolerance)
    roll = along(np.unwrap(np.angle(linear)), ROLL_RATIO * in_shape, strength.reach, strength.tolerance)
    for part in PARTS:
        shapes[:, part] = along(shapes[:, part], largest, strength.shape_reach, strength.shape_tolerance)
    placed = np.exp(size + 1j * roll)
    # Far from all that was seen nothing is known of a face that was made, which stays as it is in any case.
    composed = zip(faces, points, shapes, centre, placed, strict=True)
    return np.array([own if face.made else _compose(*parts) for face, own, *parts in composed])


def _compose(shape: NDArray[np.float64], centre: NDArray[np.float64], placed: complex) -> NDArray[np.float64]:
    """Put a shape into the frame, so that its alignment is the given place exactly."""
    upright = transform_points(shape, similarity(shape[INNER:], MEAN_FACE)) - MEAN_FACE.mean(0)
    turn = np.array([[placed.real, placed.imag], [-placed.imag, placed.real]])
    return upright @ turn + centre


def _steady(
    values: NDArray[np.float64], weights: NDArray[np.float64], jitter: float, reach: int, tolerance: float
) -> NDArray[np.float64]:
    """Smooth vectors over time.

    Args:
        values: (n, d), one row per frame; anything where the weight is 0.
        weights: (n,), 0 where the face was not seen.
        jitter: Standard deviation of what is taken for jitter, in the units of the values.
        reach: Frames on each side at most.
        tolerance: See `Strength`.
    """
    reaches = [r for r in REACHES if r <= reach]
    around = sliding_window_view(np.pad(weights, reach), 2 * reach + 1)
    near = sliding_window_view(np.pad(values, ((reach, reach), (0, 0))), 2 * reach + 1, axis=0)
    shares = [_line(around, r) for r in (0, *reaches)]
    fits = [np.einsum("nw,ndw->nd", share, near) for share in shares]
    chosen = np.zeros(len(values), int)
    agrees = np.ones(len(values), bool)
    for long in range(1, len(fits)):
        for short in range(long):
            departs = ((fits[long] - fits[short]) ** 2).mean(1)
            explained = ((shares[long] - shares[short]) ** 2 / np.maximum(around, 1e-9)).sum(1) * jitter**2
            agrees &= departs <= tolerance**2 * explained + 1e-18
        chosen[agrees] = long
    chosen[weights == 0] = len(fits) - 1  # has no say
    level = _even(chosen)
    low = level.astype(int)
    high = np.minimum(low + 1, len(fits) - 1)
    rows = np.arange(len(values))
    stack = np.array(fits)
    part = (level - low)[:, None]
    return np.asarray(stack[low, rows] * (1 - part) + stack[high, rows] * part)


def _jitter(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the standard deviation of the jitter, per number; 0 where too few frames follow each other."""
    if len(values) < 4:
        return 0.0
    whole = sliding_window_view(weights > 0, 4).all(1)
    jerks = (np.diff(values, 3, axis=0)[whole] ** 2).mean(1)
    if len(jerks) < MIN_DIFFERENCES:
        return 0.0
    # A third difference of independent numbers has 1 + 9 + 9 + 1 times their variance. The median of a mean of d
    # squares lies below its mean (Wilson and Hilferty 1931).
    return float(np.sqrt(np.median(jerks) / 20 / (1 - 2 / (9 * values.shape[1])) ** 3))


def _line(around: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return with what share each frame around enters a fitted line's middle, (n, w); rows sum to 1.

    Args:
        around: (n, w) weights of the frames around each frame.
        reach: The line goes so many frames to each side, fading out (tricube); 0 is the frame itself.
    """
    steps = np.arange(around.shape[1]) - around.shape[1] // 2
    fade = np.clip(1 - np.abs(steps / (reach + 1)) ** 3, 0, None) ** 3
    counted = around * fade
    moments = [(counted * steps**power).sum(1, keepdims=True) for power in range(3)]
    spread = moments[0] * moments[2] - moments[1] ** 2
    sloped = counted * (moments[2] - moments[1] * steps)
    total = np.where(spread > 1e-9, spread, np.maximum(moments[0], 1e-9))
    return np.asarray(np.where(spread > 1e-9, sloped, counted) / total)


def _even(chosen: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return numbers that change slowly over time and nowhere exceed the chosen ones."""
    least = sliding_window_view(np.pad(chosen, EVEN_FRAMES, mode="edge"), 2 * EVEN_FRAMES + 1).min(1)
    return np.asarray(sliding_window_view(np.pad(least, EVEN_FRAMES, mode="edge"), 2 * EVEN_FRAMES + 1).mean(1))


SPEED_SPAN = 4  # frames before and after, over which the speed is measured
MAX_REST_SPEED = 0.3  # per cent of the eyes' distance per frame


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
        """By how many per cent the square's jitter fell; NaN where the face never rests."""
        return 100 * (1 - self.square[1] / self.square[0]) if self.square[0] > 0 else float("nan")


def compare_tracks(before: NDArray[np.floating], after: NDArray[np.floating]) -> Steadiness | None:
    """Compare two versions of a track; None for one that is too short.

    Args:
        before: (n, 68, 2) landmarks in n successive frames, as they were found.
        after: (n, 68, 2), smoothed.
    """
    if len(before) < 2 * SPEED_SPAN + 3:
        return None
    eyes = float(np.linalg.norm(before[:, 36] - before[:, 45], axis=1).mean()) / 100
    one, two = (np.array([square(points) for points in track]) / eyes for track in (before, after))
    slow = (
        np.linalg.norm(two[2 * SPEED_SPAN :] - two[: -2 * SPEED_SPAN], axis=2).mean(1) / (2 * SPEED_SPAN)
        < MAX_REST_SPEED
    )
    rest = np.zeros(len(before), bool)
    rest[SPEED_SPAN:-SPEED_SPAN] = slow
    velocity = (one[2:] - one[:-2]) / 2
    speed = np.linalg.norm(velocity, axis=2).mean(1)
    fast = speed >= np.quantile(speed, 0.9)
    apart = (two - one)[1:-1]
    return Steadiness(
        frames=len(before),
        at_rest=int(rest.sum()),
        square=(_jitter_at_rest(one, rest), _jitter_at_rest(two, rest)),
        points=(_jitter_at_rest(before[:, INNER:] / eyes, rest), _jitter_at_rest(after[:, INNER:] / eyes, rest)),
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


def _jitter_at_rest(track: NDArray[np.floating], rest: NDArray[np.bool_]) -> float:
    lengths = second_differences(track)[rest[1:-1]]
    return float(np.median(lengths)) if len(lengths) else float("nan")
