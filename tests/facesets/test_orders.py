"""Orders from distances, against the plain definition in double loops."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.options import declared
from facewright.facesets.distances import BINS, CityBlock, Histograms, Similarity
from facewright.facesets.orders import chain, chain_of, groups_by_step, most_different_first
from facewright.facesets.sort_base import Sorted, ascending, descending, methods
from facewright.facesets.sort_histograms import sharpest_of_groups

WANTED = (
    "absdiff black blur brightness coverage covered dedup face face-dissim face-pitch face-source-rect-size face-yaw "
    "final final-fast hist hist-blur hist-dissim hue match-dst motion-blur oneface origname ssim uncovered "
    "upscale-factor"
)


def test_every_method_is_there_with_a_line_of_help() -> None:
    assert set(methods()) >= set(WANTED.split())
    for method in methods().values():
        assert 10 < len(method.help) < 100, method.name
    assert {name for name, method in methods().items() if method.rejects} == {
        *("dedup", "oneface", "final", "final-fast", "uncovered")
    }
    with_options = {name: [o.name for o in declared(m.options)] for name, m in methods().items() if m.options}
    assert with_options == {"absdiff": ["follow"], "dedup": ["alike"], "final": ["keep"], "final-fast": ["keep"]}


def test_no_faces_is_no_order() -> None:
    for method in methods().values():
        assert method.arrange(np.array([])) == Sorted([])


@given(st.lists(st.integers(0, 5), max_size=12))
def test_orders_are_stable_permutations(values: list[int]) -> None:
    array = np.array(values)
    assert ascending(array) == sorted(range(len(values)), key=lambda i: values[i])
    assert descending(array) == sorted(range(len(values)), key=lambda i: -values[i])


def pictures(seed: int, count: int = 60, *, doubles: bool = True) -> list[np.ndarray]:
    """Noise of different levels, some of it twice."""
    random = np.random.default_rng(seed)
    made = [random.normal(random.uniform(40, 200, 3), random.uniform(5, 40), (32, 32, 3)) for _ in range(count)]
    if doubles:
        made[count // 3] = made[2]
        made[count // 2] = made[2]
        made[count - 1] = made[0]
    return [np.clip(picture, 0, 255).astype(np.uint8) for picture in made]


def counts_of(images: list[np.ndarray]) -> np.ndarray:
    rows = [[cv2.calcHist([image], [c], None, [BINS], [0, BINS]).ravel() for c in range(3)] for image in images]
    return np.array(rows, np.float32).reshape(len(images), -1)


def opencv_distances(images: list[np.ndarray]) -> np.ndarray:
    """The plain way: OpenCV's own comparison for every pair and channel."""
    histograms = counts_of(images).reshape(len(images), 3, BINS)
    return np.array(
        [
            [
                sum(cv2.compareHist(x, y, cv2.HISTCMP_BHATTACHARYYA) for x, y in zip(a, b, strict=True))
                for b in histograms
            ]
            for a in histograms
        ]
    )


def plain_chain(distances: np.ndarray, *, farthest: bool = False) -> list[int]:
    order, left = [0], list(range(1, len(distances)))
    while left:
        best = (max if farthest else min)(left, key=lambda i: round(float(distances[order[-1], i]), 6))
        order.append(best)
        left.remove(best)
    return order


def plain_dissimilarity(distances: np.ndarray) -> list[int]:
    return sorted(range(len(distances)), key=lambda i: -round(float(distances[i].sum()), 5))


@pytest.mark.parametrize("seed", range(4))
def test_histograms_give_the_order_of_opencvs_double_loop(seed: int) -> None:
    images = pictures(seed)
    plain = opencv_distances(images)
    assert chain(Histograms)(counts_of(images)) == plain_chain(plain)
    assert most_different_first(Histograms)(counts_of(images)) == plain_dissimilarity(plain)


def test_histogram_distances_are_opencvs() -> None:
    images = pictures(7, 21)
    plain = opencv_distances(images)
    space = Histograms(counts_of(images), block=300)  # several blocks
    for row in range(21):
        np.testing.assert_allclose(space.to(row), plain[row], atol=1e-6)
    np.testing.assert_allclose(space.sums(), plain.sum(axis=1), atol=1e-4)


@pytest.mark.parametrize("farthest", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_city_block_is_the_plain_one(kind: type, farthest: bool) -> None:
    measures = np.random.default_rng(5).integers(0, 40, (50, 30)).astype(kind)
    measures[20] = measures[3]
    plain = np.abs(measures[:, None].astype(float) - measures[None]).sum(axis=2)
    assert chain_of(measures, CityBlock, farthest=farthest)[0] == plain_chain(plain, farthest=farthest)
    np.testing.assert_allclose(CityBlock(measures).sums(), plain.sum(axis=1))
    assert most_different_first(CityBlock)(measures) == plain_dissimilarity(plain)


def plain_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """The mean over the windows, as the paper writes it."""
    values = []
    for x, y in zip(a.astype(float), b.astype(float), strict=True):
        shared = ((x - x.mean()) * (y - y.mean())).mean()
        light = (2 * x.mean() * y.mean() + 6.5025) / (x.mean() ** 2 + y.mean() ** 2 + 6.5025)
        values.append(light * (2 * shared + 58.5225) / (x.var() + y.var() + 58.5225))
    return float(np.mean(values))


def test_similarity_is_the_papers() -> None:
    windows = np.random.default_rng(2).integers(0, 256, (30, 16, 64)).astype(np.uint8)
    windows[7] = windows[1]
    plain = np.array([[1 - plain_ssim(a, b) for b in windows] for a in windows])
    space = Similarity(windows)
    for row in range(30):
        np.testing.assert_allclose(space.to(row), plain[row], atol=1e-4)
    np.testing.assert_allclose(space.sums(), plain.sum(axis=1), atol=1e-3)
    assert chain(Similarity)(windows) == plain_chain(plain)


def test_chain_leaves_its_measures_alone_and_tells_its_steps() -> None:
    measures = np.random.default_rng(1).normal(size=(40, 6)).astype(np.float32)
    before = measures.copy()
    order, steps = chain_of(measures, CityBlock)
    assert (measures == before).all()
    assert sorted(order) == list(range(40))
    walked = np.abs(np.diff(measures[order], axis=0)).sum(axis=1)
    np.testing.assert_allclose(steps, walked, rtol=1e-5)


@pytest.mark.parametrize("make", [CityBlock, Histograms])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_equal_faces_keep_their_order(make: type, count: int) -> None:
    equal = np.repeat(np.arange(768, dtype=np.float32)[None], count, axis=0)
    assert chain(make)(equal) == list(range(count))
    assert most_different_first(make)(equal) == list(range(count))


def test_most_different_counts_all_others_not_the_later_ones() -> None:
    """In 2018 a face was compared with the files after it only: the last one always came last."""
    points = np.array([[0.0], [0.1], [0.2], [9.0]], np.float32)
    assert most_different_first(CityBlock)(points)[0] == 3


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
