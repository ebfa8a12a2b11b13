"""When a training counts as having come to rest."""

import numpy as np
import pytest

from facewright.train.plateau import plateau, plateau_window


def curve(first, last, count=2000, noise=0.2, seed=0):
    """A loss that falls evenly, as noisy as the losses of single batches are."""
    rng = np.random.default_rng(seed)
    return (np.linspace(first, last, count) * rng.normal(1, noise, count)).astype(np.float32)[:, None]


class TestPlateau:
    """Two windows of 1000 iterations."""

    def test_a_falling_loss_has_not_come_to_rest(self):
        assert not plateau(curve(1.0, 0.8), 1000)

    @pytest.mark.parametrize("last", [1.0, 1.2])
    def test_a_level_or_rising_one_has(self, last):
        assert plateau(curve(1.0, last, noise=0.05), 1000)

    def test_one_curve_that_falls_is_enough(self):
        level = curve(1.0, 1.0, noise=0.05)
        assert plateau(np.hstack([level, level]), 1000)
        assert not plateau(np.hstack([level, curve(1.0, 0.8)]), 1000)

    def test_a_few_wild_steps_do_not_count(self):
        wild = curve(1.0, 0.8)
        wild[-50:] = 100.0
        wild[5] = np.nan
        assert not plateau(wild, 1000)

    def test_too_little_to_tell(self):
        assert not plateau(curve(1.0, 1.0, 1999), 1000)
        assert not plateau(np.zeros((0, 2), np.float32), 1000)
        assert not plateau(np.full((2000, 1), np.nan, np.float32), 1000)

    def test_a_few_measurements_on_held_out_faces(self):
        assert plateau(np.float32([[0.5], [0.4], [0.41], [0.4], [0.405]]), 2)
        assert not plateau(np.float32([[0.5], [0.4], [0.41], [0.3], [0.31]]), 2)


def test_a_window_is_long_in_iterations_and_in_time():
    assert plateau_window(50.0) == 12_000  # ten minutes
    assert plateau_window(5000.0) == 1000
