"""Sampling strategies, which face comes next: shuffled, yaw-balanced, pose-matched, or identity pairs.

Directions are yaws in degrees, as `faces.pose` gives them. A strategy takes its random numbers from the generator
that it is handed, and its state is JSON-able.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

BINS = 64
MAX_YAW = 64.0  # degrees: the first and the last bin hold whatever looks further aside
FIRST_RIGHT_BIN = BINS // 2

Choice = tuple[int, bool]


class SamplingStrategy(Protocol):
    """Says which face comes next, and whether it is mirrored."""

    def next(self, rng: np.random.Generator) -> Choice:
        """Return the index of a face, and whether to mirror it."""

    def state(self) -> dict[str, Any]:
        """Return its state, JSON-able."""

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; start over when that was another strategy or other faces."""


class Shuffled:
    """Every face once per round, shuffled anew in every round.

    Args:
        count: Number of faces.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._left: list[int] = []

    def next(self, rng: np.random.Generator) -> Choice:
        """Return the next face; it is never mirrored."""
        return _drawn(self._left, self._count, rng), False

    def state(self) -> dict[str, Any]:
        """Return what is left of the round."""
        return {"faces": self._count, "order": list(self._left)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue a round; a new one starts when the number of faces has changed, or they were drawn by yaw."""
        same = state.get("faces") == self._count and "groups" not in state
        self._left = _indices(state.get("order"), self._count) if same else []


class YawBalanced:
    """Every group of faces is drawn equally often: groups in shuffled rounds, and so the faces within a group.

    Args:
        groups: The members of each yaw bin; empty ones are passed over.
    """

    def __init__(self, groups: Sequence[Sequence[Choice]]) -> None:
        self._groups = [list(group) for group in groups if group]
        if not self._groups:
            raise ValueError("no group has a face")
        self._left: list[int] = []
        self._left_inside: list[list[int]] = [[] for _ in self._groups]

    def next(self, rng: np.random.Generator) -> Choice:
        """Return the next face of the next group."""
        number = _drawn(self._left, len(self._groups), rng)
        group = self._groups[number]
        return group[_drawn(self._left_inside[number], len(group), rng)]

    def state(self) -> dict[str, Any]:
        """Return what is left of the rounds."""
        sizes = [len(group) for group in self._groups]
        return {"groups": sizes, "order": list(self._left), "inside": [list(left) for left in self._left_inside]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue the rounds; new ones start when the groups have changed."""
        sizes = [len(group) for group in self._groups]
        inside = state.get("inside")
        if state.get("groups") != sizes or not isinstance(inside, list) or len(inside) != len(sizes):
            inside, state = [()] * len(sizes), {}
        self._left = _indices(state.get("order"), len(sizes))
        self._left_inside = [_indices(left, size) for left, size in zip(inside, sizes, strict=True)]


class IdentityPairs:
    """Two samplers that draw in step get two people at random, never the same one where there are two.

    Every person comes once per round; the faces of a person are yaw-balanced.

    Args:
        people: The faces of each person, as a strategy that draws among them.
        side: 0 or 1. The other sampler is given the other number and the same seed.
        seed: Of the order of the people.
    """

    def __init__(self, people: Sequence[YawBalanced], side: int, seed: int) -> None:
        self._people = list(people)
        self._side = side
        self._seed = seed
        self._drawn = 0
        self._round, self._order = -1, [0]

    def next(self, rng: np.random.Generator) -> Choice:
        """Return a face of the next person."""
        number, place = divmod(self._drawn, len(self._people))
        if number != self._round:
            self._round = number
            self._order = np.random.default_rng([self._seed, number]).permutation(len(self._people)).tolist()
        self._drawn += 1
        # The second sampler is one person ahead in the same round.
        return self._people[self._order[(place + self._side) % len(self._order)]].next(rng)

    def state(self) -> dict[str, Any]:
        """Return how many were drawn, and the state of each person's strategy."""
        return {"drawn": self._drawn, "people": [order.state() for order in self._people]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue; start over when these are other people."""
        people, drawn = state.get("people"), state.get("drawn")
        same = isinstance(people, list) and len(people) == len(self._people) and isinstance(drawn, int) and drawn >= 0
        if not same or not all(isinstance(saved, dict) for saved in people or ()):
            people, drawn = [{}] * len(self._people), 0
        self._drawn = drawn or 0
        for order, saved in zip(self._people, people or (), strict=True):
            order.set_state(saved)


def identity_pairs(people: Sequence[str], yaws: Sequence[float], side: int, seed: int) -> IdentityPairs:
    """Return the strategy in which src and dst are two people at random.

    Args:
        people: Whose each face is.
        yaws: Of each face, in degrees.
        side: 0 for src, 1 for dst.
        seed: The same for both.
    """
    bins = yaw_bins(yaws)
    groups: dict[str, dict[int, list[Choice]]] = {}
    for index, (person, number) in enumerate(zip(people, bins, strict=True)):
        groups.setdefault(person, {}).setdefault(number, []).append((index, False))
    return IdentityPairs([YawBalanced(list(of_person.values())) for _, of_person in sorted(groups.items())], side, seed)


def yaw_balanced(yaws: Sequence[float]) -> YawBalanced:
    """Return the strategy in which every yaw bin has the same weight.

    Args:
        yaws: Of each face, in degrees.
    """
    groups: list[list[Choice]] = [[] for _ in range(BINS)]
    for index, number in enumerate(yaw_bins(yaws)):
        groups[number].append((index, False))
    return YawBalanced(groups)


def pose_matched(src: Sequence[float], dst: Sequence[float]) -> YawBalanced:
    """Return the strategy that gives src's faces the yaws of dst, every bin of dst with the same weight.

    For each bin of dst the nearest bin of src is taken; faces that look to the other side are mirrored.

    Args:
        src, dst: Yaws of each side's faces, in degrees.
    """
    of_src: list[list[int]] = [[] for _ in range(BINS)]
    for index, number in enumerate(yaw_bins(src)):
        of_src[number].append(index)
    groups: list[list[Choice]] = []
    for wanted in sorted(set(yaw_bins(dst))):
        found = nearest_bin(wanted, [bool(faces) for faces in of_src])
        mirrored = (found < FIRST_RIGHT_BIN) != (wanted < FIRST_RIGHT_BIN)
        groups.append([(index, mirrored) for index in of_src[found]])
    return YawBalanced(groups)


def yaw_bins(yaws: Sequence[float]) -> list[int]:
    """Return the bin of each yaw in degrees: 0..63 of 2 degrees each, the outer ones open to the outside."""
    shares = (np.asarray(yaws, np.float64) + MAX_YAW) / (2 * MAX_YAW)
    bins: list[int] = np.clip(np.floor(shares * BINS), 0, BINS - 1).astype(int).tolist()
    return bins


def nearest_bin(wanted: int, there: Sequence[bool]) -> int:
    """Return the bin to take for a wanted one: itself, its mirror image, their neighbours, and so on outwards.

    Args:
        wanted: 0..63.
        there: For each bin, whether it has faces.

    Raises:
        ValueError: No bin has faces.
    """
    mirror = BINS - 1 - wanted
    for i in range(BINS):
        for candidate in (wanted - i, mirror - i, wanted + i, mirror + i):
            if 0 <= candidate < BINS and there[candidate]:
                return candidate
    raise ValueError("no bin has faces")


def _drawn(left: list[int], count: int, rng: np.random.Generator) -> int:
    if not left:
        left.extend(rng.permutation(count).tolist())
    return left.pop()


def _indices(values: Any, count: int) -> list[int]:
    """Return a saved list; none at all when it holds anything that is no index."""
    if not isinstance(values, list | tuple):
        return []
    right = all(isinstance(v, int) and 0 <= v < count for v in values)
    return list(values) if right else []
