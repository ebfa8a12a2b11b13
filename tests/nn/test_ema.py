"""The running mean of weights against numpy."""

import keras
import numpy as np
import pytest

from facewright.nn.ema import UPDATE_EVERY, WARM_UP, WeightEMA


class Part:
    """What the mean knows of a network: its variables."""

    def __init__(self, *values: np.ndarray) -> None:
        self.variables = [keras.Variable(value.astype(np.float32)) for value in values]

    def set(self, value: float) -> None:
        for variable in self.variables:
            variable.assign(np.full(variable.shape, value, np.float32))

    def value(self) -> float:
        (number,) = {float(x) for variable in self.variables for x in np.ravel(keras.ops.convert_to_numpy(variable))}
        return number


@pytest.fixture
def pair():
    source, kept = Part(np.zeros((2, 3)), np.zeros(4)), Part(np.ones((2, 3)), np.ones(4))
    return source, kept, WeightEMA({"decoder": source}, {"decoder": kept}, 0.9)


def written_out(values, momentum):
    """The mean that a step on each of the values gives, from 0."""
    mean = 0.0
    for step, value in enumerate(values, 1):
        if step % UPDATE_EVERY == 0:
            updates = step / UPDATE_EVERY
            keep = min(momentum**UPDATE_EVERY, updates / (updates + WARM_UP))
            mean = keep * mean + (1 - keep) * value
    return mean


def train(source, mean, values):
    for value in values:
        source.set(value)
        mean.follow(source.variables)


def test_it_begins_with_the_weights(pair):
    _, kept, _ = pair
    assert kept.value() == 0


def test_it_follows_as_written_out_quickly_at_first(pair):
    source, kept, mean = pair
    values = np.random.default_rng(0).standard_normal(12 * UPDATE_EVERY)
    train(source, mean, values)
    assert kept.value() == pytest.approx(written_out(values, 0.9), rel=1e-5)


def test_the_mean_of_still_weights_is_those_weights(pair):
    source, kept, mean = pair
    train(source, mean, [3.0] * 40 * UPDATE_EVERY)
    assert kept.value() == pytest.approx(3, rel=1e-4)


def test_it_is_quieter_than_the_weights(pair):
    source, kept, _ = pair
    slow = WeightEMA({"decoder": source}, {"decoder": kept}, 0.99)
    means = []
    rng = np.random.default_rng(1)
    for value in 5 + rng.standard_normal(60 * UPDATE_EVERY):
        train(source, slow, [value])
        means.append(kept.value())
    assert np.std(means[30 * UPDATE_EVERY :]) < 0.5
    assert np.mean(means[30 * UPDATE_EVERY :]) == pytest.approx(5, abs=0.5)


def test_what_is_saved_goes_on_as_if_nothing_had_happened(pair):
    source, kept, mean = pair
    values = np.random.default_rng(2).standard_normal(6 * UPDATE_EVERY + 3)
    train(source, mean, values[: 2 * UPDATE_EVERY + 1])
    saved = {name: np.array(keras.ops.convert_to_numpy(value)) for name, value in mean.state().items()}
    source.set(77.0)
    later = WeightEMA({"decoder": source}, {"decoder": kept}, 0.9)
    later.load(saved)
    train(source, later, values[2 * UPDATE_EVERY + 1 :])
    assert kept.value() == pytest.approx(written_out(values, 0.9), rel=1e-5)


def test_nothing_saved_begins_with_the_weights_as_they_are(pair):
    source, kept, mean = pair
    source.set(8.0)
    mean.load({})
    assert kept.value() == 8


def test_a_saved_state_that_tells_of_fewer_steps_than_none_leaves_numbers(pair):
    source, kept, mean = pair
    saved = {name: np.array(keras.ops.convert_to_numpy(value)) for name, value in mean.state().items()}
    saved["steps"] = np.array([-int(WARM_UP * UPDATE_EVERY) - UPDATE_EVERY])
    mean.load(saved)
    train(source, mean, [3.0] * 2 * UPDATE_EVERY)
    assert 0 < kept.value() <= 3
