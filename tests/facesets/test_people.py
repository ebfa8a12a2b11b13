"""Who is who, on made-up embeddings: people are points, their faces lie around them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from facewright.faces import grouping
from facewright.faces.grouping import keep_numbers, persons


def crowd(sizes: list[int], seed: int = 0, *, spread: float = 0.2, apart: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """People at about `apart` from each other, their faces about `spread` from them; who is who."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(sizes), 128)) / np.sqrt(128) * apart / np.sqrt(2)
    who = np.repeat(np.arange(len(sizes)), sizes)
    faces = centres[who] + rng.normal(size=(len(who), 128)) / np.sqrt(128) * spread
    return faces.astype(np.float32), who


def same_groups(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two numberings mean the same groups."""
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


def test_nobody_and_one_face() -> None:
    assert persons(np.zeros((0, 128), np.float32)).tolist() == []
    assert persons(np.ones((1, 128), np.float32)).tolist() == [1]
    assert persons(np.ones((5, 128), np.float32)).tolist() == [1] * 5


def test_the_most_frequent_person_is_number_one() -> None:
    faces, who = crowd([3, 40, 12, 1])
    assert {int(n): int(w) for n, w in zip(persons(faces), who, strict=True)} == {1: 1, 2: 2, 3: 0, 4: 3}


@hypothesis_settings(max_examples=25)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_faces_plays_no_role(sizes: list[int], seed: int, random: object) -> None:
    faces, who = crowd(sizes, seed)
    numbers = persons(faces)
    assert same_groups(numbers, who)
    counts = np.bincount(numbers)[1:].tolist()
    assert counts == sorted(counts, reverse=True)
    order = np.random.default_rng(seed).permutation(len(faces))
    assert same_groups(persons(faces[order]), numbers[order])


@pytest.mark.parametrize("at_once", [20, 60])
def test_many_faces_group_as_few_do(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    faces, who = crowd([150, 40, 5, 2, 1, 1], 3)
    monkeypatch.setattr(grouping, "MAX_COMPARED_FACES", at_once)
    assert same_groups(persons(faces), who)
    order = np.random.default_rng(1).permutation(len(faces))
    assert same_groups(persons(faces[order]), who[order])


@pytest.mark.parametrize("at_once", [20, 2000])
def test_how_far_a_person_spreads_counts(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Their faces are 0.3 from their middle; five others 0.41, each elsewhere: 0.51 from those on the average."""
    monkeypatch.setattr(grouping, "MAX_COMPARED_FACES", at_once)
    faces, who = crowd([60], 6, spread=0.3, apart=0.0)
    others = np.zeros((5, 128), np.float32)
    others[np.arange(5), np.arange(5)] = 0.41
    assert same_groups(persons(np.vstack([faces, others])), np.array([*who, 1, 2, 3, 4, 5]))


def test_more_people_than_are_compared_at_once_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MAX_COMPARED_FACES", 10)
    faces, who = crowd([1] * 45 + [2], 4)
    assert same_groups(persons(faces), who)


def test_two_in_one_frame_are_two_but_for_an_odd_frame() -> None:
    alike = np.zeros((2, 128), np.float32)
    alike[1, 0] = 0.4
    assert persons(alike).tolist() == [1, 1]
    assert persons(alike, frames=["1.png", "2.png"]).tolist() == [1, 1]
    assert persons(alike, frames=["1.png", "1.png"]).tolist() == [1, 2]
    faces, _ = crowd([60])
    frames = [f"{number}.png" for number in range(59)]
    assert set(persons(faces, frames=[*frames, "7.png"]).tolist()) == {1}


def test_ten_thousand_faces_need_little_memory() -> None:
    faces, who = crowd([5000, 3000, 1900, 60, 30, 10], 5)
    tracemalloc.start()
    numbers = persons(faces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert same_groups(numbers, who)
    assert peak < 300e6


def test_a_known_person_keeps_the_number() -> None:
    numbers = np.array([1, 1, 1, 1, 2, 2, 2, 3])
    assert keep_numbers(numbers, [None] * 8).tolist() == numbers.tolist()
    assert keep_numbers(numbers, [2, None, None, None, 1, 1, None, None]).tolist() == [2, 2, 2, 2, 1, 1, 1, 3]
    assert keep_numbers(numbers, [7, None, None, None, None, None, None, None]).tolist() == [7, 7, 7, 7, 8, 8, 8, 9]


def test_an_old_number_goes_to_whoever_has_most_of_its_faces() -> None:
    parted = np.array([1, 1, 1, 2, 2])
    assert keep_numbers(parted, [4, 4, 4, 4, 4]).tolist() == [4, 4, 4, 5, 5]
    joined = np.array([1, 1, 1, 1, 1])
    assert keep_numbers(joined, [3, 3, 2, 2, 2]).tolist() == [2] * 5


@given(st.lists(st.tuples(st.integers(1, 4), st.none() | st.integers(1, 6)), min_size=1, max_size=30))
def test_numbers_are_only_exchanged(faces: list[tuple[int, int | None]]) -> None:
    numbers = np.array([number for number, _ in faces])
    kept = keep_numbers(numbers, [known for _, known in faces])
    assert same_groups(kept, numbers) and kept.min() >= 1
    assert keep_numbers(numbers, kept.tolist()).tolist() == kept.tolist()
