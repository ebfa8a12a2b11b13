"""Colour transfers against their formulas, scipy's square roots, and what any transfer must do."""

import cv2
import numpy as np
import pytest
from scipy import linalg, stats

from facewright.faces.color_transfer import MASKED, METHODS, ColorTransfer, transfer

SIDE = 48
KINDS = [kind for kind in ColorTransfer if kind is not ColorTransfer.NONE]
ALL = np.ones((SIDE, SIDE), np.float32)
HALF = np.zeros((SIDE, SIDE), np.float32)
HALF[:, :24] = 1


def drawn(seed: int, mean: tuple[float, float, float], spread: float) -> np.ndarray:
    """An image of smooth, correlated colours well inside 0..1."""
    random = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(random.normal(size=(SIDE, SIDE, 3)), (0, 0), 2)
    noise = (noise - noise.mean((0, 1))) / noise.std((0, 1))
    mixing = np.eye(3) + random.uniform(-0.4, 0.4, (3, 3))
    return np.clip(np.float32(mean) + spread * (noise @ mixing), 0.02, 0.98).astype(np.float32)


IMAGE, LIKE = drawn(1, (0.4, 0.45, 0.6), 0.05), drawn(2, (0.3, 0.4, 0.5), 0.07)


def pixels(image: np.ndarray) -> np.ndarray:
    return image.reshape(-1, 3).astype(np.float64)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean Wasserstein distance of the three channels and of three mixtures of them."""
    axes = np.vstack((np.eye(3), [[1, -1, 0], [0, 1, -1], [1, 1, 1]]))
    found = [stats.wasserstein_distance(pixels(one) @ axis, pixels(other) @ axis) for axis in axes]
    return float(np.mean(found))


@pytest.mark.parametrize("kind", KINDS)
def test_the_colours_come_nearer_and_the_shape_stays(kind: ColorTransfer) -> None:
    done = transfer(kind, IMAGE, LIKE, ALL, ALL)
    assert done.shape == IMAGE.shape and done.dtype == np.float32 and done.min() >= 0 and done.max() <= 1
    assert apart(done, LIKE) < 0.25 * apart(IMAGE, LIKE)
    assert stats.spearmanr(IMAGE.sum(2).ravel(), done.sum(2).ravel()).statistic > 0.8
    np.testing.assert_array_equal(done, transfer(kind, IMAGE, LIKE, ALL, ALL))


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_that_has_the_colours_keeps_them(kind: ColorTransfer) -> None:
    assert np.abs(transfer(kind, IMAGE, IMAGE, ALL, ALL) - IMAGE).max() < 0.02


def test_none_changes_nothing_nor_does_a_mask_of_a_few_pixels() -> None:
    assert transfer(ColorTransfer.NONE, IMAGE, LIKE, ALL, ALL) is IMAGE
    few = np.zeros_like(ALL)
    few[0, :15] = 1
    for kind in MASKED:
        assert transfer(kind, IMAGE, LIKE, few, ALL) is IMAGE and transfer(kind, IMAGE, LIKE, ALL, few) is IMAGE


@pytest.mark.parametrize("kind", KINDS)
def test_masks_count_where_the_name_says_so(kind: ColorTransfer) -> None:
    other, like = IMAGE.copy(), LIKE.copy()
    other[:, 24:], like[:, 24:] = (0.9, 0.1, 0.1), (0.1, 0.9, 0.1)
    pure = transfer(kind, IMAGE, LIKE, HALF, HALF)
    difference = np.abs(transfer(kind, other, like, HALF, HALF) - pure)[:, :16].max()
    assert (difference < 1e-3) == (kind in MASKED)


def test_reinhard_gives_mean_and_deviation_in_lab() -> None:
    images = transfer(ColorTransfer.RCT, IMAGE, LIKE, ALL, ALL), LIKE
    done, wanted = (pixels(cv2.cvtColor(image, cv2.COLOR_BGR2Lab)) for image in images)
    np.testing.assert_allclose(done.mean(0), wanted.mean(0), atol=0.2)
    np.testing.assert_allclose(done.std(0), wanted.std(0), rtol=0.02)


@pytest.mark.parametrize("kind", [ColorTransfer.LCT, ColorTransfer.MKL])
def test_the_linear_maps_are_those_of_the_papers(kind: ColorTransfer) -> None:
    mine, theirs = pixels(IMAGE), pixels(LIKE)
    source, target = np.cov(mine, rowvar=False), np.cov(theirs, rowvar=False)
    if kind is ColorTransfer.LCT:
        step = linalg.sqrtm(target) @ np.linalg.inv(linalg.sqrtm(source))
    else:
        root = linalg.sqrtm(source)
        step = np.linalg.inv(root) @ linalg.sqrtm(root @ target @ root) @ np.linalg.inv(root)
        np.testing.assert_allclose(step, step.T, atol=1e-8)  # the gradient of a convex function: nothing moves less
    expected = (mine - mine.mean(0)) @ step.T + theirs.mean(0)
    np.testing.assert_allclose(pixels(transfer(kind, IMAGE, LIKE, ALL, ALL)), np.clip(expected, 0, 1), atol=2e-3)


@pytest.mark.parametrize("kind", [ColorTransfer.IDT, ColorTransfer.SOT_M])
def test_a_whole_distribution_is_met_where_mean_and_covariance_are_not_enough(kind: ColorTransfer) -> None:
    like = LIKE.copy()
    like[24:] = np.clip(like[24:] * 1.7, 0, 1)  # two heaps
    linear = apart(transfer(ColorTransfer.MKL, IMAGE, like, ALL, ALL), like)
    assert apart(transfer(kind, IMAGE, like, ALL, ALL), like) < 0.6 * linear


def test_grey_images_have_a_way_too() -> None:
    grey = np.repeat(IMAGE[..., :1], 3, axis=2)
    for kind in METHODS:
        for image, like in ((grey, LIKE), (IMAGE, grey), (grey * 0 + 0.5, LIKE)):
            assert np.isfinite(transfer(kind, image, like, ALL, ALL)).all()
