"""The measure of trembling: what it sees and what it does not."""

import numpy as np
import pytest

from faces.test_smooth import resting
from faces.test_tracks import points
from facewright.faces.smoothing import compare_tracks, second_differences


def test_even_motion_has_no_second_difference() -> None:
    track = np.array([points(100 + 3 * t, 200 - t) for t in range(20)], float)
    assert second_differences(track).max() < 1e-4


def test_the_second_difference_of_noise() -> None:
    """1, -2, 1 times independent normal numbers: 6 times the variance; the mean length in a plane is 1.253 sigma."""
    noise = np.random.default_rng(0).normal(0, 1, (4000, 3, 2))
    assert second_differences(noise).mean() == pytest.approx(np.sqrt(6) * 1.2533, rel=0.02)


def test_half_the_noise_is_half_the_trembling() -> None:
    calm, loud = resting(200, 0.1), resting(200, 0.2)
    figures = compare_tracks(loud, calm)
    assert figures is not None and figures.at_rest > 150
    assert figures.gain == pytest.approx(50, abs=3)
    assert figures.points[1] / figures.points[0] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("late", [0.0, 0.3, -0.5])
def test_the_lag_is_told_in_frames(late: float) -> None:
    time = np.arange(80.0)

    def track(shift: float) -> np.ndarray:
        return np.array([points(200 + 40 * np.sin((t - shift) / 8)) for t in time], float)

    figures = compare_tracks(track(0), track(late))
    assert figures is not None and figures.lag == pytest.approx(late, abs=0.01)
    assert figures.at_rest < 30


def test_a_face_that_never_rests_and_one_too_short() -> None:
    moving = np.array([points(100 + 5 * t) for t in range(40)], float)
    figures = compare_tracks(moving, moving)
    assert figures is not None and figures.at_rest == 0 and np.isnan(figures.gain)
    assert compare_tracks(moving[:10], moving[:10]) is None


def test_a_face_that_does_not_move_has_no_lag() -> None:
    still = np.repeat(points(100)[None].astype(float), 20, axis=0)
    figures = compare_tracks(still, still)
    assert figures is not None and (figures.speed, figures.deviation, figures.lag) == (0, 0, 0)
