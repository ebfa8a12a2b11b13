"""Faces that do not fit their neighbours in time: turned, sized, placed or shaped otherwise, or somebody else.

Where a face should be is told by the lines through a face before and one after it; the median over several such pairs
passes over neighbours that are wrong themselves, so landmarks that flip for two or three frames are all found. A
track that trembles all along gets more leeway, by its own median; so does a face whose neighbours were deleted, for
what lies far in time says little. One that has none near is not judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import MEAN_FACE, invert, similarity, transform_points
from facewright.faces.pose import head_pose
from facewright.faces.record import INNER
from facewright.faces.tracks import Sighting

Numbers = NDArray[np.float64]

PAIRS = 6  # faces on each side that say how the middle one should be, and frames that they are away at most
AROUND, LINES = 5, 3  # pairs on both sides, fewer of which are not enough alone; lines of any kind that it takes
FEWEST = 5  # faces of a track that can be judged
# What true faces in seven clips never reached, hands before them and fast turns among them: middle in sides,
# logarithm of the size, degrees, root mean square of the shape in sides, distance of embeddings.
LIMITS = {"place": 0.35, "size": 0.18, "roll": 12.0, "yaw": 20.0, "pitch": 20.0, "shape": 0.06, "likeness": 0.6}
SMALL = 30.0  # side of the mean face's square in pixels, below which landmarks tremble more
LEEWAY = 6.0  # times the median of the track
FLAT = 1e-6


@dataclass(frozen=True)
class OddFace:
    """A face that does not fit its track.

    Attributes:
        index: Of its sighting.
        severity: How much, from 1 for what true faces never reach.
        words: What is odd, the worst first.
        misplaced: Whether its landmarks are wrong, rather than who it is.
    """

    index: int
    severity: float
    words: tuple[str, ...]
    misplaced: bool


def odd_faces(faces: Sequence[Sighting], tracks: Sequence[Sequence[int]]) -> list[OddFace]:
    """Return the faces that do not fit their tracks, the worst first; none that a person placed.

    Args:
        faces: All.
        tracks: Indices of `faces`, each track in order of time.
    """
    found = [odd for track in tracks if len(track) >= FEWEST for odd in _odd_in_track(faces, track)]
    return sorted(found, key=lambda odd: -odd.severity)


def _odd_in_track(faces: Sequence[Sighting], track: Sequence[int]) -> list[OddFace]:
    sided, shares = _deviations([faces[index] for index in track])
    found = []
    for at, index in enumerate(track):
        worst = sorted(((float(shares[name][at]), name) for name in LIMITS if shares[name][at] >= 1), reverse=True)
        if worst and not faces[index].fixed and not faces[index].made:
            words = tuple(_words(name, float(sided[name][at])) for _, name in worst)
            found.append(OddFace(index, worst[0][0], words, any(name != "likeness" for _, name in worst)))
    return found


def _deviations(track: Sequence[Sighting]) -> tuple[dict[str, Numbers], dict[str, Numbers]]:
    """Return by how much each face departs from what its neighbours say, (n,) each, and the same in limits."""
    times = np.array([face.time for face in track], np.float64)
    measured, side = _measures(track)
    off = {name: values - expected(values, times) for name, values in measured.items()}
    sided = {name: off[name][:, 0] for name in ("size", "roll", "yaw", "pitch")}
    sided["place"] = np.linalg.norm(off["place"], axis=1)
    sided["shape"] = np.sqrt((off["shape"] ** 2).mean(axis=1) * 2)
    sided["likeness"] = _unlike(track)
    tremble = max(1.0, SMALL / side) * _apart(times)
    shares = {}
    for name, limit in LIMITS.items():
        size = np.abs(sided[name])
        own = LEEWAY * float(np.median(size))
        shares[name] = size / (limit if name == "likeness" else np.maximum(limit * tremble, own))
    return sided, shares


def _apart(times: Numbers) -> Numbers:
    """Return how many frames it takes around each face to find the next one, (n,): 1 where none is missing."""
    low, high = np.maximum(times - 2 * PAIRS, times[0]), np.minimum(times + 2 * PAIRS, times[-1])
    steps = np.searchsorted(times, high, side="right") - np.searchsorted(times, low) - 1
    return (high - low) / np.maximum(steps, 1)


def _measures(track: Sequence[Sighting]) -> tuple[dict[str, Numbers], float]:
    """Return what is compared with the neighbours, (n, d) each, and the usual side in pixels."""
    points = np.array([face.points for face in track], np.float64)
    to_mean = [similarity(one[INNER:], MEAN_FACE) for one in points]
    placed = np.array([invert(matrix)[:, 0] for matrix in to_mean]) @ (1, 1j)  # side and roll as one complex number
    side = max(float(np.median(np.abs(placed))), FLAT)
    poses = np.array([head_pose(one)[:2] for one in points])
    shapes = np.array([transform_points(one, matrix) for one, matrix in zip(points, to_mean, strict=True)])
    measured = {
        "place": points[:, INNER:].mean(axis=1) / side,
        "size": np.log(np.abs(placed))[:, None],
        "roll": np.degrees(np.unwrap(np.angle(placed)))[:, None],
        "yaw": poses[:, :1],
        "pitch": poses[:, 1:],
        "shape": shapes[:, INNER:].reshape(len(track), -1),
    }
    return measured, side


def _unlike(track: Sequence[Sighting]) -> Numbers:
    """Return the distance of each embedding to the track's median one, (n,); 0 where not known."""
    known = [at for at, face in enumerate(track) if face.embedding is not None]
    found = np.zeros(len(track))
    if len(known) >= FEWEST:
        vectors = np.array([track[at].embedding for at in known], np.float64)
        found[known] = np.linalg.norm(vectors - np.median(vectors, axis=0), axis=1)
    return found


def expected(values: Numbers, times: Numbers) -> Numbers:
    """Return what the neighbours in time let expect of each value, (n, d).

    Args:
        values: (n, d) along a track.
        times: (n,) rising.
    """
    steps = range(1, PAIRS + 1)
    around = [_on_lines(values, times, -step, step, PAIRS) for step in steps]
    # What lies on one side only says little, and nothing where faces are missing in between.
    beside = [_on_lines(values, times, way * step, 2 * way * step, 2 * step) for way in (-1, 1) for step in steps]
    found, lines = _median(np.array(around))
    all_found, all_lines = _median(np.array([*around, *beside]))
    few = lines < AROUND
    found[few] = all_found[few]
    judged = ~few | (all_lines >= LINES)
    return np.where(judged[:, None] & np.isfinite(found), found, values)


def _on_lines(values: Numbers, times: Numbers, one: int, other: int, reach: int) -> Numbers:
    """Return what lies on the line through the values so many places away, (n, d).

    NaN where there are none, or one is farther away than `reach` frames.
    """
    at = np.arange(len(values))
    inside = (np.minimum(at + one, at + other) >= 0) & (np.maximum(at + one, at + other) < len(values))
    near = [np.abs(times[np.where(inside, at + step, at)] - times) <= reach for step in (one, other)]
    inside &= near[0] & near[1]
    found = np.full(values.shape, np.nan)
    here, first, second = at[inside], at[inside] + one, at[inside] + other
    share = (times[here] - times[first]) / (times[second] - times[first])
    found[inside] = values[first] + share[:, None] * (values[second] - values[first])
    return found


def _median(stack: Numbers) -> tuple[Numbers, NDArray[np.int_]]:
    """Return the median of the first axis without NaN, NaN where there is nothing else; and of how many numbers."""
    ordered = np.sort(stack, axis=0)  # NaN come last
    count = np.isfinite(ordered).sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    picked = [np.take_along_axis(ordered, np.minimum(at, len(stack) - 1)[None], axis=0)[0] for at in (low, high)]
    return np.where(count > 0, (picked[0] + picked[1]) / 2, np.nan), count[:, 0]


def _words(name: str, off: float) -> str:
    """Say what is odd."""
    match name:
        case "roll":
            return f"turned by {abs(off):.0f} degrees"
        case "yaw":
            return f"looks {abs(off):.0f} degrees aside"
        case "pitch":
            return f"looks {abs(off):.0f} degrees {'up' if off > 0 else 'down'}"
        case "size":
            return f"{np.exp(off):.2f} times as large"
        case "place":
            return f"{off:.0%} of its size off"
        case "shape":
            return "odd features"
    return "looks like somebody else"
