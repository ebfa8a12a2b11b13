"""Which faces of successive frames are one and the same face, from where they lie.

A track is a face followed through the frames. A frame or two without it do not end its track, a longer gap does, and
so does a cut: where a face jumps alone, its neighbours in time at rest, it is another shot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facewright.faces.align import MEAN_FACE, Matrix, Points, invert, similarity, transform_points
from facewright.faces.record import INNER

MAX_GAP = 2  # frames without the face that do not end its track
# From one frame to the next, no head moves, grows or tilts faster than this.
MAX_SHIFT = 0.5  # of the side of the mean face's square
MAX_SIZE_CHANGE = 0.22  # of the logarithm of its size
MAX_TILT_CHANGE = 25.0  # degrees
# A jump is a cut when it is this much larger than each step of the frames around it, and no smaller than that share
# of the side. Where every second frame repeats the one before, the steps around are as large.
CUT_RATIO = 4.0
MIN_CUT = 0.05
CUT_NEIGHBOURS = 3  # frames
CORNERS = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


@dataclass(frozen=True)
class Sighting:
    """A face in a frame.

    Attributes:
        time: Number of the frame; successive frames have successive numbers.
        points: (68, 2) landmarks in the frame.
        person: Who it is, None where that is not known. Two persons are never one track.
        fixed: Whether a person placed it: it is right as it is.
    """

    time: int
    points: NDArray[np.floating] = field(repr=False)
    person: int | None = None
    fixed: bool = False


@dataclass(frozen=True)
class _Place:
    """Where the mean face's square lies: middle (x, y), side in pixels, roll in degrees."""

    middle: NDArray[np.float64]
    side: float
    roll: float


def square(points: Points) -> NDArray[np.float64]:
    """Return the corners of the mean face's square in the frame, (4, 2): what decides where a face is put.

    Args:
        points: (68, 2) landmarks in the frame, not all at one place.
    """
    return transform_points(CORNERS, _from_mean(points))


def _from_mean(points: Points) -> Matrix:
    return invert(similarity(np.asarray(points, np.float64)[INNER:], MEAN_FACE))


def join_tracks(faces: Sequence[Sighting]) -> list[list[int]]:
    """Return the tracks, each as the indices of its faces in order of time; every face is in one.

    Args:
        faces: In any order; several of one frame are different faces.
    """
    places = [_place(face.points) for face in faces]
    tracks: list[list[int]] = []
    live: list[list[int]] = []
    for time, here in _by_time(faces):
        live = [track for track in live if time - faces[track[-1]].time <= MAX_GAP + 1]
        near = sorted(
            (apart, number, index)
            for number, track in enumerate(live)
            for index in here
            if (apart := _apart(faces, places, track[-1], index)) is not None
        )
        grown: set[int] = set()
        placed: set[int] = set()
        for _, number, index in near:
            if number not in grown and index not in placed:
                live[number].append(index)
                grown.add(number)
                placed.add(index)
        fresh = [[index] for index in here if index not in placed]
        tracks += fresh
        live += fresh
    return [shot for track in tracks for shot in _shots(faces, track)]


def _by_time(faces: Sequence[Sighting]) -> Iterator[tuple[int, list[int]]]:
    groups: dict[int, list[int]] = {}
    for index, face in enumerate(faces):
        groups.setdefault(face.time, []).append(index)
    yield from sorted(groups.items())


def _place(points: NDArray[np.floating]) -> _Place | None:
    """None for landmarks that are all at one place."""
    try:
        matrix = _from_mean(points)
    except ValueError:
        return None
    side = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    roll = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return _Place(transform_points(np.array([[0.5, 0.5]]), matrix)[0], side, roll)


def _apart(faces: Sequence[Sighting], places: Sequence[_Place | None], before: int, after: int) -> float | None:
    """Return how far two faces lie apart, in sides; None when they are not the same face."""
    one, two = places[before], places[after]
    if one is None or two is None:
        return None
    persons = {faces[before].person, faces[after].person} - {None}
    frames = faces[after].time - faces[before].time
    distance = float(np.linalg.norm(one.middle - two.middle)) / np.sqrt(one.side * two.side)
    growth = abs(np.log(two.side / one.side))
    tilt = abs((two.roll - one.roll + 180) % 360 - 180)
    same = (
        distance < MAX_SHIFT * frames
        and growth < MAX_SIZE_CHANGE * frames
        and tilt < MAX_TILT_CHANGE * frames
        and len(persons) < 2
    )
    return distance if same else None


def _shots(faces: Sequence[Sighting], track: list[int]) -> list[list[int]]:
    """Split a track at its cuts."""
    if len(track) < 3:
        return [track]
    squares = np.array([square(faces[index].points) for index in track])
    sides = np.linalg.norm(squares[:, 1] - squares[:, 0], axis=1)
    frames = np.diff([faces[index].time for index in track])
    steps = np.linalg.norm(np.diff(squares, axis=0), axis=2).mean(1) / np.sqrt(sides[1:] * sides[:-1]) / frames
    cuts = []
    for number, step in enumerate(steps):
        others = np.concatenate(
            [steps[max(0, number - CUT_NEIGHBOURS) : number], steps[number + 1 : number + 1 + CUT_NEIGHBOURS]]
        )
        if step > MIN_CUT and step > CUT_RATIO * others.max():
            cuts.append(number + 1)
    return [track[start:end] for start, end in zip([0, *cuts], [*cuts, len(track)], strict=True)]
