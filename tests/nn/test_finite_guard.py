"""A step that breaks changes nothing."""

import math

import numpy as np
import pytest
from keras import ops

from facewright.nn import devices, finite_guard
from facewright.nn.train_step import Phase, PhaseTrainer
from train.tiny import Tiny


@pytest.fixture
def model():
    devices.precision("float32")
    return Tiny(Tiny.Options())


def batch(value=0.5, target=0.5):
    face = np.full((2, 16, 16, 3), value, np.float32)
    return {"warped": face, "target": np.full_like(face, target), "mask": np.ones((2, 16, 16, 1), np.float32)}


def everything(model):
    (trainer,) = model.trainers.values()
    return [np.array(v) for part in model.parts.values() for v in part.variables] + [
        np.array(v) for v in finite_guard.saved_variables(trainer.optimizer)
    ]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["input", "target"])
def test_a_loss_that_is_no_number_changes_nothing(model, bad, where):
    for _ in range(3):
        model.train_on(batch(), batch())
    before = everything(model)
    broken = batch(value=bad) if where == "input" else batch(target=bad)
    losses = model.train_on(broken, batch())
    assert not all(map(math.isfinite, losses.values()))
    assert same(before, everything(model))
    assert all(map(math.isfinite, model.train_on(batch(), batch()).values()))
    assert not same(before, everything(model))


def test_an_explosion_changes_nothing_and_the_limit_follows_the_losses(model):
    (trainer,) = model.trainers.values()
    for _ in range(finite_guard.LEAST + finite_guard.EVERY):
        model.train_on(batch(), batch())
    limit = float(np.asarray(trainer.watch.limit))
    assert 0 < limit < 10 * 4
    before = everything(model)
    assert math.isnan(model.train_on(batch(target=1000.0), batch())["src"])
    assert same(before, everything(model))
    trainer.loss_limit.assign(float("inf"))
    assert math.isfinite(model.train_on(batch(target=1000.0), batch())["src"])


def test_gradients_that_are_no_numbers_under_a_good_loss_change_nothing(model):
    def loss(src, dst, rebuilt):
        # The root has no slope at zero, but a value.
        gone = ops.sqrt(ops.sum(rebuilt["src"]) * 0.0)
        total = ops.mean(rebuilt["src"]) + gone
        return total, {"src": total, "dst": total}

    trainer = PhaseTrainer(Phase("", model.parts, model.forward, loss, model.optimizer()), 16)
    model.trainers = {"": trainer}
    before = everything(model)
    assert math.isnan(model.train_on(batch(), batch())["src"])
    assert same(before, everything(model))
    assert int(ops.convert_to_numpy(trainer.optimizer.skipped)) == 1


def test_the_step_size_can_be_halved_and_is_saved(model):
    (trainer,) = model.trainers.values()
    finite_guard.set_step_size(trainer.optimizer, finite_guard.step_size(trainer.optimizer) / 2)
    assert finite_guard.step_size(trainer.optimizer) == pytest.approx(5e-4)
    assert any(
        np.allclose(v, 5e-4) for v in map(np.asarray, finite_guard.saved_variables(trainer.optimizer)) if v.ndim == 0
    )


def test_what_the_guard_keeps_is_not_saved(model):
    (trainer,) = model.trainers.values()
    optimizer = trainer.optimizer
    assert len(finite_guard.saved_variables(optimizer)) == len(optimizer.variables) - 1
    kind = type(optimizer)
    assert finite_guard.guard(optimizer) is optimizer and type(optimizer) is kind
