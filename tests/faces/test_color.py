"""Histogram matching is quantile mapping on each channel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.faces.color import apply_curves, grey, match_histogram, matching_curve, matching_curves


def picture(seed, low=0.0, high=1.0, side=32):
    return np.random.default_rng(seed).uniform(low, high, (side, side, 3)).astype(np.float32)


def test_the_result_has_the_templates_distribution():
    source, template = picture(0, 0.1, 0.4), picture(1, 0.3, 0.9) ** 2
    result = match_histogram(source, template)
    for channel in range(3):
        wanted = np.quantile(template[..., channel], [0.05, 0.25, 0.5, 0.75, 0.95])
        np.testing.assert_allclose(np.quantile(result[..., channel], [0.05, 0.25, 0.5, 0.75, 0.95]), wanted, atol=2e-3)


def test_the_order_of_the_values_is_kept():
    source = picture(2)
    result = match_histogram(source, picture(3, 0.2, 0.3))
    order = np.argsort(source[..., 0], axis=None)
    assert (np.diff(result[..., 0].reshape(-1)[order]) >= 0).all()


def test_a_picture_matched_to_itself_stays():
    source = picture(4)
    np.testing.assert_allclose(match_histogram(source, source), source, atol=1e-6)


@pytest.mark.parametrize("power", [1, 4, 0.25])
def test_many_values_go_through_the_curve_as_few_do(power):
    """Also where the curve is steep, beyond its ends and in another shape."""
    random = np.random.default_rng(7)
    source, template = random.uniform(0.1, 0.7, 3000) ** power, random.normal(0.5, 0.1, 500)
    curve = matching_curve(source, template)
    values = random.uniform(-0.1, 1.1, (400, 300)).astype(np.float32)
    one_by_one = np.concatenate([curve(row) for row in values]).reshape(values.shape)
    difference = np.abs(curve(values) - one_by_one)
    assert difference.max() < 0.6 / 255 and difference.mean() < 1e-5


def test_a_hand_made_example():
    curve = matching_curve(np.float32([0, 0, 1, 1]), np.float32([10, 20]))
    np.testing.assert_allclose(curve(np.float32([0, 1])), [10, 20])


def test_a_value_stands_at_the_middle_of_its_share():
    """Three zeros of four share the quantiles 0 to 3/4, whose middle is where the template has 20."""
    curve = matching_curve(np.float32([0, 0, 0, 1]), np.float32([10, 20, 30, 40]))
    np.testing.assert_allclose(curve(np.float32([0, 1])), [20, 40])


def test_masks_measure_inside_only():
    source, template = picture(5, 0.2, 0.4), picture(6, 0.5, 0.7)
    mask = np.zeros((32, 32), np.float32)
    mask[8:24, 8:24] = 1
    spoiled_source, spoiled_template = source.copy(), template.copy()
    spoiled_source[mask == 0] = 0
    spoiled_template[mask == 0] = 1
    clean = match_histogram(source, template, mask, mask)
    spoiled = match_histogram(spoiled_source, spoiled_template, mask, mask)
    np.testing.assert_allclose(spoiled[8:24, 8:24], clean[8:24, 8:24])
    assert clean[8:24, 8:24].min() >= 0.5 - 1e-6


def test_too_small_a_mask_changes_nothing():
    mask = np.zeros((32, 32), np.float32)
    mask[0, :3] = 1
    source = picture(7)
    assert matching_curves(source, picture(8), mask, mask) is None
    assert match_histogram(source, picture(8), mask, mask) is source


def test_values_beyond_the_measured_ones_keep_their_distance():
    curve = matching_curve(np.float32([0.4, 0.5]), np.float32([0.6, 0.7]))
    np.testing.assert_allclose(curve(np.float32([0.3, 0.6])), [0.5, 0.8], atol=1e-6)


@given(st.integers(0, 50), st.floats(0, 1), st.floats(0, 1))
def test_nothing_leaves_the_range(seed, a, b):
    source, template = picture(seed, 0, 1, 8), np.clip(picture(seed + 1, min(a, b), max(a, b) + 0.01, 8), 0, 1)
    curves = matching_curves(source, template)
    result = apply_curves(source, curves)
    assert result.dtype == np.float32 and result.min() >= 0 and result.max() <= 1


def test_grey_has_three_equal_channels():
    result = grey(picture(9))
    assert result.shape == (32, 32, 3)
    assert (result[..., 0] == result[..., 1]).all() and (result[..., 1] == result[..., 2]).all()
    assert grey(np.ones((2, 2, 3), np.float32))[0, 0, 0] == pytest.approx(1)
