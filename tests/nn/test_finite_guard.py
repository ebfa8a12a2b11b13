"""A step that breaks changes nothing."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from facewright.nn import devices, finite_guard
from facewright.nn.train_step import TrainStep, read
from train.tiny import Tiny


@pytest.fixture
def model():
    devices.precision("float32")
    return Tiny(Tiny.Options())


def batch(value=0.5, target=0.5):
    face = np.full((2, 16, 16, 3), value, np.float32)
    return {"warped": face, "target": np.full_like(face, target), "mask": np.ones((2, 16, 16, 1), np.float32)}


def everything(model):
    (trainer,) = model.steps.values()
    return [np.array(v) for part in model.parts.values() for v in part.variables] + [
        np.array(v) for v in trainer.optimizer.inner.variables
    ]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["input", "target"])
def test_a_loss_that_is_no_number_changes_nothing(model, bad, where):
    for _ in range(3):
        model.train_on({"src": batch(), "dst": batch()})
    before = everything(model)
    broken = batch(value=bad) if where == "input" else batch(target=bad)
    losses = model.train_on({"src": broken, "dst": batch()})
    assert not all(map(math.isfinite, losses.values()))
    assert same(before, everything(model))
    assert all(map(math.isfinite, model.train_on({"src": batch(), "dst": batch()}).values()))
    assert not same(before, everything(model))


def test_an_explosion_changes_nothing_and_the_limit_follows_the_losses(model):
    (trainer,) = model.steps.values()
    for _ in range(finite_guard.MIN_LOSSES + finite_guard.UPDATE_EVERY):
        model.train_on({"src": batch(), "dst": batch()})
    limit = float(np.asarray(trainer.limit.value))
    assert 0 < limit < 10 * 4
    before = everything(model)
    assert math.isnan(model.train_on({"src": batch(target=1000.0), "dst": batch()})["src"])
    assert same(before, everything(model))
    trainer.limit.value.assign(float("inf"))
    assert math.isfinite(model.train_on({"src": batch(target=1000.0), "dst": batch()})["src"])


def test_gradients_that_are_no_numbers_under_a_good_loss_change_nothing(model):
    def loss(src, dst, rebuilt):
        # The root has no slope at zero, but a value.
        gone = ops.sqrt(ops.sum(rebuilt["src"]) * 0.0)
        total = ops.mean(rebuilt["src"]) + gone
        return total, {"src": total, "dst": total}

    trainer = TrainStep("", model.parts, model.forward, loss, model.optimizer(), side=16)
    model.steps = {"": trainer}
    before = everything(model)
    assert math.isnan(model.train_on({"src": batch(), "dst": batch()})["src"])
    assert same(before, everything(model))
    assert int(ops.convert_to_numpy(trainer.optimizer.skipped)) == 1


def test_the_learning_rate_can_be_halved_and_is_saved(model):
    (trainer,) = model.steps.values()
    trainer.optimizer.set_learning_rate(trainer.optimizer.current_learning_rate() / 2)
    assert trainer.optimizer.current_learning_rate() == pytest.approx(5e-4)
    assert any(np.allclose(v, 5e-4) for v in map(np.asarray, trainer.optimizer.inner.variables) if v.ndim == 0)


def test_a_learning_rate_schedule_stays():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    optimizer = finite_guard.SkipNonFinite(keras.optimizers.Adam(schedule))
    optimizer.build([keras.Variable(np.zeros(3, np.float32))])
    optimizer.set_learning_rate(0.7)
    assert optimizer.current_learning_rate() == pytest.approx(0.1)


def test_a_frozen_part_takes_part_and_stays(model):
    frozen = {"decoder_dst": model.parts["decoder_dst"]}
    parts = {name: part for name, part in model.parts.items() if name not in frozen}
    step = TrainStep("", parts, model.forward, model.losses, model.optimizer(), side=16, frozen=frozen)
    before = {name: [np.array(v) for v in part.variables] for name, part in model.parts.items()}
    for _ in range(2):
        (numbers,) = read([step.start({"src": batch(target=0.9), "dst": batch(target=0.1)})])
        assert math.isfinite(step.finish(numbers)["dst"])
    for name, part in model.parts.items():
        kept = [np.array_equal(a, np.asarray(v)) for a, v in zip(before[name], part.variables, strict=True)]
        assert all(kept) if name in frozen else not all(kept), name
        assert all(v.trainable for v in part.variables)
