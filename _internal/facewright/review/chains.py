"""The faces of a video as chains: one face followed through a shot, with the frames in between in which it is missing.

A chain is a track of `facewright.faces.tracks` in which what is wrong stays visible: a face that was placed elsewhere
for a frame or three, which the track leaves out, and frames without the face between those with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facewright.faces.tracks import Sighting, join_tracks, square

SHORT = 3  # faces of a track that may be one face that jumped
MAX_MISSING = 50  # frames without a face that are still missing ones: two seconds
NEAR = 1.0  # sides of the face between its places before and after such frames
GROWTH = 1.6  # times as large or as small meanwhile


@dataclass
class Chain:
    """One face through a shot.

    Attributes:
        faces: Indices of its sightings, in order of time.
        jumped: Those of them that lie where the face cannot have moved.
        missing: Times without the face, between others with it.
    """

    faces: list[int]
    jumped: set[int] = field(default_factory=set)
    missing: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    middle: NDArray[np.float64]
    side: float


def find_chains(sightings: Sequence[Sighting]) -> list[Chain]:
    """Return the chains; every sighting is in one.

    Args:
        sightings: All faces of a video, in any order.
    """
    tracks = sorted(join_tracks(sightings), key=lambda track: (-len(track), sightings[track[0]].time))
    chains: list[Chain] = []
    for track in tracks:
        home = next((chain for chain in chains if _fills_gap(sightings, track, chain)), None)
        if len(track) <= SHORT and home is not None:
            home.faces = sorted([*home.faces, *track], key=lambda index: sightings[index].time)
            home.jumped |= set(track)
        else:
            chains.append(Chain(list(track)))
    _find_missing(sightings, chains)
    return chains


def _fills_gap(sightings: Sequence[Sighting], track: Sequence[int], chain: Chain) -> bool:
    """Whether a chain lacks a face just where a track has its own, and at no other time."""
    times = {sightings[index].time for index in chain.faces}
    own = [sightings[index].time for index in track]
    persons = {sightings[index].person for index in (*track, *chain.faces)} - {None}
    around = own[0] - 1 in times and own[-1] + 1 in times
    return around and times.isdisjoint(own) and len(persons) < 2


def _find_missing(sightings: Sequence[Sighting], chains: Sequence[Chain]) -> None:
    """Note the frames in which a chain's face is missing: within it, or before another one that begins there."""
    present = {sighting.time for sighting in sightings}
    starts = {chain.faces[0]: sightings[chain.faces[0]] for chain in chains}
    for chain in chains:
        times = [sightings[index].time for index in chain.faces]
        for before, after in pairwise(times):
            chain.missing += range(before + 1, after)
        last = sightings[chain.faces[-1]]
        following = [one for one in starts.values() if 1 < one.time - last.time <= MAX_MISSING + 1]
        successor = min(following, key=lambda one: one.time, default=None)
        if successor is not None and _same_face(last, successor):
            between = range(last.time + 1, successor.time)
            chain.missing += [time for time in between if time not in present]


def _same_face(one: Sighting, other: Sighting) -> bool:
    places = [_place(sighting) for sighting in (one, other)]
    if places[0] is None or places[1] is None:
        return False
    first, second = places[0], places[1]
    apart = float(np.linalg.norm(first.middle - second.middle)) / np.sqrt(first.side * second.side)
    return apart < NEAR and 1 / GROWTH < second.side / first.side < GROWTH


def _place(sighting: Sighting) -> _Place | None:
    try:
        corners = square(sighting.points)
    except ValueError:  # all points at one place
        return None
    return _Place(corners.mean(0), float(np.linalg.norm(corners[1] - corners[0])))
