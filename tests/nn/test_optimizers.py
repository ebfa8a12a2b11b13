"""Optimisers of our own against numpy."""

from itertools import pairwise

import keras
import numpy as np
import pytest

from facewright.nn import optimizers
from facewright.nn.clipping import AutoClip
from facewright.nn.finite_guard import SkipNonFinite
from facewright.nn.optimizers import Adam, DroppedRMSprop


def run(keep, steps=3, start=None, seed=0):
    rng = np.random.default_rng(seed)
    variable = keras.Variable(np.zeros((50, 40), np.float32) if start is None else start)
    optimizer = DroppedRMSprop(learning_rate=0.1, rho=0.9, keep=keep)
    optimizer.build([variable])
    gradients = [rng.standard_normal((50, 40)).astype(np.float32) for _ in range(steps)]
    history = [np.asarray(variable).copy()]
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        history.append(np.asarray(variable).copy())
    return gradients, history


def test_all_kept_is_rmsprop():
    gradients, history = run(keep=1.0)
    squares = expected = np.zeros((50, 40))
    for gradient, after in zip(gradients, history[1:], strict=True):
        squares = 0.9 * squares + 0.1 * gradient.astype(np.float64) ** 2
        expected = expected - 0.1 * gradient / (np.sqrt(squares) + 1e-6)
        np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-5)


def test_three_in_ten_move_others_each_time_and_the_same_in_every_run():
    _, history = run(keep=0.3)
    _, again = run(keep=0.3)
    _, whole = run(keep=1.0)
    moved = [before != after for before, after in pairwise(history)]
    assert all(0.25 < m.mean() < 0.35 for m in moved)
    assert 0.05 < (moved[0] & moved[1]).mean() < 0.13
    for one, two in zip(history, again, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(history[1][moved[0]], whole[1][moved[0]], rtol=1e-6)


def test_two_weights_of_one_shape_do_not_move_together():
    variables = [keras.Variable(np.zeros((60, 60), np.float32)) for _ in range(2)]
    optimizer = DroppedRMSprop(keep=0.5)
    optimizer.build(variables)
    optimizer.apply([keras.ops.ones((60, 60))] * 2, variables)
    one, two = (np.asarray(v) != 0 for v in variables)
    assert (one == two).mean() == pytest.approx(0.5, abs=0.05)


def adam(kind, **settings):
    """Return the weights after five steps, the last of which is broken, and the optimiser."""
    rng = np.random.default_rng(0)
    variables = [
        keras.Variable(rng.standard_normal(shape).astype(np.float32), name=name)
        for name, shape in (("kernel", (30, 20)), ("bias", (7,)))
    ]
    optimizer = SkipNonFinite(kind(learning_rate=0.01, beta_1=0.5, **settings))
    optimizer.build(variables)
    for step in range(5):
        broken = np.float32("nan") if step == 4 else np.float32(1)
        gradients = [broken * rng.standard_normal(v.shape).astype(np.float32) for v in variables]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    return [np.asarray(v) for v in variables], optimizer


@pytest.mark.parametrize("settings", [{}, {"global_clipnorm": 1.0}, {"epsilon": 1e-3}])
def test_adam_in_one_pass_is_keras_adam(settings):
    (found, ours), (expected, theirs) = adam(Adam, **settings), adam(keras.optimizers.Adam, **settings)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for one, other in zip(ours.inner.variables, theirs.inner.variables, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-4, atol=1e-7)


def test_adam_of_plain_operations_is_keras_adam(monkeypatch):
    expected, _ = adam(keras.optimizers.Adam)
    monkeypatch.setattr(optimizers, "adam_step", lambda *_: False)
    for one, other in zip(adam(Adam)[0], expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# Measured on DeepFaceLab's own optimizers: weights after each of three steps at the rate 0.1.
MOVED = {
    "AdaBelief": [
        (0.6487592, -1.6486975, 0.1486770, 0),
        (0.1919845, -1.5281544, -0.0340715, -0.3513025),
        (0.3005187, -1.7355562, -0.2978008, -0.8081518),
    ],
    "DroppedRMSprop": [
        (0.6837822, -1.6837772, 0.1837755, 0),
        (0.5363446, -1.8312171, 0.2886030, -0.3162228),
        (0.8181986, -2.0929267, 0.1842901, -0.4636626),
    ],
}
GRADIENTS = [(0.1, -0.2, 0.3, 0), (0.05, 0.1, -0.1, 0.2), (-0.2, 0.3, 0.1, 0.1)]


@pytest.mark.parametrize("name", MOVED)
def test_steps_are_those_of_deepfacelab(name):
    weight = keras.Variable(np.float32([1, -2, 0.5, 0]))
    optimizer = getattr(optimizers, name)(0.1)
    optimizer.build([weight])
    for gradient, wanted in zip(GRADIENTS, MOVED[name], strict=True):
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(np.float32(gradient)), weight)])
        np.testing.assert_allclose(np.asarray(weight), wanted, atol=1e-6)


def test_the_rate_goes_down_and_up_again_and_gradients_have_a_longest():
    weight = keras.Variable(np.zeros(2, np.float32))
    optimizer = optimizers.AdaBelief(0.1, period=8, global_clipnorm=0.3)
    optimizer.build([weight])
    steps = []
    for _ in range(9):
        before = np.asarray(weight).copy()
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(np.float32([3, 4])), weight)])
        steps.append(np.abs(np.asarray(weight) - before).max())
    assert np.argmin(steps) == 4 and steps[4] < 1e-6 < steps[3] < steps[2]
    moment = next(v for v in optimizer.variables if "mean" in v.path)
    assert float(np.linalg.norm(np.asarray(moment))) < 0.3


def steps_of(optimizer, gradients=GRADIENTS):
    """Return the weights after each step, from (1, -2, 0.5, 0) on."""
    weight = keras.Variable(np.float32([1, -2, 0.5, 0]))
    optimizer.build([weight])
    found = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(np.float32(gradient))], [weight])
        found.append(np.asarray(weight).copy())
    return found


def test_lion_moves_by_signs():
    weight, mean, wanted = np.array([1, -2, 0.5, 0.0]), np.zeros(4), []
    for gradient in np.array(GRADIENTS):
        weight = weight - 0.01 * np.sign(0.9 * mean + 0.1 * gradient)
        mean = 0.99 * mean + 0.01 * gradient
        wanted.append(weight)
    np.testing.assert_allclose(steps_of(optimizers.DroppedLion(0.01)), wanted, atol=1e-6)


def test_an_adam_that_drops_nothing_is_adam_and_their_states_are_alike():
    dropping, plain = optimizers.DroppedAdam(0.01), Adam(0.01)
    np.testing.assert_allclose(steps_of(dropping), steps_of(plain), atol=1e-6)
    assert [v.shape for v in dropping.variables] == [v.shape for v in plain.variables]
    for one, other in zip(dropping.variables, plain.variables, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-4)


@pytest.mark.parametrize("name", ["DroppedAdam", "DroppedLion"])
def test_three_weights_in_ten_move_by_keras_optimizers_too(name):
    weight = keras.Variable(np.zeros((50, 40), np.float32))
    optimizer = getattr(optimizers, name)(0.1, keep=0.3)
    optimizer.build([weight])
    optimizer.apply([keras.ops.ones((50, 40))], [weight])
    moved = np.asarray(weight) != 0
    assert 0.25 < moved.mean() < 0.35
    assert all((np.asarray(v) != 0).all() for v in optimizer.variables if v.shape == weight.shape)


def test_gradients_are_clipped_to_what_was_usual_and_a_broken_one_counts_for_nothing():
    optimizer = SkipNonFinite(AutoClip(keras.optimizers.SGD(1.0), share=0.5))
    lengths, gradients = [4, 2, np.nan, 6, 1], []
    for length in lengths:
        gradients.append(np.array([0.6, 0, -0.8, 0]) * length)
    found = [np.array([1, -2, 0.5, 0]), *steps_of(optimizer, gradients)]
    moved = [np.linalg.norm(after - before) for before, after in pairwise(found)]
    assert moved == pytest.approx([4, 2, 0, 4, 1], abs=1e-5)  # the medians of 4; 2, 4; 2, 4, 6
    assert optimizer.inner.variables[-1].shape == (1000,) and np.isfinite(optimizer.inner.variables[-1]).all()
