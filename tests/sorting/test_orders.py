"""Orders from distances, against the plain definition."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.sorting.base import ascending, descending, methods
from facewright.sorting.histograms import sharpest_of_groups
from facewright.sorting.orders import (
    bhattacharyya,
    chain,
    chain_of,
    city_block,
    groups_by_step,
    most_different_first,
)


def test_every_method_is_there_with_a_line_of_help() -> None:
    wanted = "blur brightness hue black face-yaw face-pitch face-source-rect-size hist hist-dissim hist-blur face"
    wanted += " face-dissim origname"
    assert set(methods()) == set(wanted.split())
    for method in methods().values():
        assert 10 < len(method.help) < 100


@given(st.lists(st.integers(0, 5), max_size=12))
def test_orders_are_stable_permutations(values: list[int]) -> None:
    array = np.array(values)
    assert ascending(array) == sorted(range(len(values)), key=lambda i: values[i])
    assert descending(array) == sorted(range(len(values)), key=lambda i: -values[i])


def _plain_chain(points: np.ndarray) -> list[int]:
    order, left = [0], list(range(1, len(points)))
    while left:
        nearest = min(left, key=lambda i: np.abs(points[i] - points[order[-1]]).sum())
        order.append(nearest)
        left.remove(nearest)
    return order


@pytest.mark.parametrize("seed", range(5))
def test_chain_is_the_greedy_one(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(40, 6)).astype(np.float32)
    before = points.copy()
    order = chain(city_block)(points)
    assert order == _plain_chain(points)
    assert (points == before).all()
    again, steps = chain_of(points, city_block)
    assert again == order and len(steps) == 39


def test_chain_of_equal_faces_keeps_their_order() -> None:
    assert chain(city_block)(np.zeros((5, 3), np.float32)) == [0, 1, 2, 3, 4]


def test_most_different_counts_all_others_not_the_later_ones() -> None:
    """In 2018 a face was compared with the files after it only: the last one always came last."""
    points = np.array([[0.0], [0.1], [0.2], [9.0]], np.float32)
    assert most_different_first(city_block)(points)[0] == 3


def test_bhattacharyya_is_opencvs() -> None:
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (2, 40, 40, 3), np.uint8)
    images[1] //= 2
    wanted = 0.0
    roots = []
    for image in images:
        parts = [cv2.calcHist([image], [c], None, [256], [0, 256]).ravel() for c in range(3)]
        roots.append(np.sqrt(np.concatenate(parts) / 1600).astype(np.float32))
    for c in range(3):
        one, two = (cv2.calcHist([image], [c], None, [256], [0, 256]) for image in images)
        wanted += cv2.compareHist(one, two, cv2.HISTCMP_BHATTACHARYYA)
    assert bhattacharyya(roots[0], np.stack(roots))[1] == pytest.approx(wanted, rel=1e-4)
    assert bhattacharyya(roots[0], np.stack(roots))[0] == pytest.approx(0, abs=5e-3)


def test_groups_are_cut_at_long_steps() -> None:
    assert groups_by_step([4, 2, 7, 1], [1.0, 9.0, 1.0]) == [[4, 2], [7, 1]]
    assert groups_by_step([5], []) == [[5]]
    assert groups_by_step([], []) == []


def test_groups_go_to_front_and_end_by_turns_sharpest_first() -> None:
    measures = np.zeros((6, 769), np.float32)
    for index, level in enumerate((0, 0, 100, 100, 200, 200)):
        measures[index, [level, 256 + level, 512 + level]] = 1
    measures[:, 768] = [1, 2, 3, 4, 5, 6]
    # Groups in the chain: 0 1 | 2 3 | 4 5; the first and third go to the front, the second to the end.
    assert sharpest_of_groups(measures) == [5, 4, 1, 0, 3, 2]
