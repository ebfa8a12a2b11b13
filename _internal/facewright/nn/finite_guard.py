"""A training step that breaks is not applied: weights, optimizer state and EMA stay as they were.

Two parts work together inside the compiled step, so that nothing is copied and nothing is undone:

* `invalidate_above` turns a loss that is not finite, or above a limit, into NaN. All gradients are then NaN too.
* `SkipNonFinite` wraps an optimizer and applies a step only when the gradients are finite. It checks the small
  gradients (biases and the like): what breaks a gradient reaches the bias of its layer and of all layers below, and
  checking the large ones would cost as much as a part of the step itself.

The limit follows the median of the recent losses: a loss ten times as large is no outlier but an explosion.
"""

import contextlib
from collections import deque
from typing import Any

import keras
import numpy as np
from keras import ops

from facewright.nn.ema import PartAverage, WeightEMA
from facewright.nn.wrapped_optimizer import WrappedOptimizer

MAX_CHECKED_SIZE = 1 << 16  # elements; larger gradients are not checked
EXPLOSION_FACTOR = 10.0  # a loss above this times the median is an explosion
MEDIAN_WINDOW = 500  # recent losses
MIN_LOSSES = 100  # losses before there is a limit
UPDATE_EVERY = 25  # steps between two updates of the limit


def invalidate_above(total: Any, limit: Any) -> Any:
    """Return the loss, or NaN where it is not finite or above the limit.

    Args:
        total: Scalar loss.
        limit: Scalar; infinity for none.
    """
    valid = ops.logical_and(ops.isfinite(total), total <= ops.cast(limit, total.dtype))
    return total * ops.stop_gradient(ops.where(valid, 1.0, float("nan")))


class SkipNonFinite(WrappedOptimizer):
    """Wraps an optimizer: a step whose gradients are not finite changes nothing but a counter.

    Attributes:
        inner: The wrapped optimizer; its variables are what a checkpoint saves.
        skipped: int32 scalar variable, the number of steps that were not applied; not saved.
        known: The variables that the inner optimizer was built on.
        moved: Those whose gradients it gets: all of them, or some.

    Args:
        inner: An optimizer that is not built yet.
        average: The moving average of what it moves; it follows in the same pass. None for none.
    """

    def __init__(self, inner: Any, average: WeightEMA | PartAverage | None = None) -> None:
        super().__init__(inner, "skip_non_finite")
        self._average = average

    def build(self, variables: list[Any]) -> None:
        """Create the counter, too."""
        if not self.built:
            self.skipped = self.add_variable(shape=(), dtype="int32", initializer="zeros", name="skipped")
        super().build(variables)
        self.known, self.moved = list(variables), list(variables)

    @property
    def variables(self) -> list[Any]:
        """The counter, the average, then the variables of the inner optimizer."""
        return [self.skipped, *(self._average.variables if self._average else []), *self.inner.variables]

    def _apply_and_follow(self, grads: Any, variables: Any) -> None:
        self.inner.apply(grads, variables)
        if self._average:
            self._average.follow(self.moved)

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Apply the step, or count it as skipped (TensorFlow and torch)."""
        grads, variables = list(grads), None if trainable_variables is None else list(trainable_variables)

        def apply_step() -> Any:
            self._apply_and_follow(grads, variables)
            return ops.convert_to_tensor(0)

        def skip_step() -> Any:
            self.skipped.assign_add(1)
            return ops.convert_to_tensor(0)

        ops.cond(_all_finite(grads), apply_step, skip_step)

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        """Return the weights and the optimizer state after the step (JAX)."""
        skipped, *state = optimizer_variables
        finite = _all_finite(grads)
        others = self.variables[1:]
        values = [*zip(self.moved, trainable_variables, strict=True), *zip(others, state, strict=True)]
        # keras' own method takes gradients of all variables only.
        with keras.StatelessScope(state_mapping=values) as scope:
            self._apply_and_follow(grads, self.moved)
        new_weights, new_state = ([scope.get_current_value(v) for v in variables] for variables in (self.moved, others))

        def keep_finite(new: list[Any], old: list[Any]) -> list[Any]:
            return [ops.where(finite, a, b) for a, b in zip(new, old, strict=True)]

        counter = skipped + ops.cast(ops.logical_not(finite), "int32")
        return keep_finite(new_weights, trainable_variables), [counter, *keep_finite(new_state, state)]

    def current_learning_rate(self) -> float:
        """Return the learning rate in use."""
        return float(ops.convert_to_numpy(self.inner.learning_rate))

    def set_learning_rate(self, rate: float) -> None:
        """Change the learning rate; one that follows a schedule stays."""
        with contextlib.suppress(TypeError):  # what keras raises for a schedule
            self.inner.learning_rate = rate


class LossLimit:
    """The loss above which a step counts as an explosion, from the median of the recent losses.

    Attributes:
        value: Scalar keras variable; infinity at first.
    """

    def __init__(self) -> None:
        self.value = keras.Variable(float("inf"), dtype="float32", trainable=False, name="loss_limit")
        self._recent: deque[float] = deque(maxlen=MEDIAN_WINDOW)
        self._steps = 0

    def update(self, total: float) -> None:
        """Take the loss of a step into account; one that is not finite is ignored."""
        if not np.isfinite(total):
            return
        self._recent.append(total)
        self._steps += 1
        if len(self._recent) >= MIN_LOSSES and self._steps % UPDATE_EVERY == 0:
            median = float(np.median(self._recent))
            # Losses near or below zero have no meaningful "ten times as much".
            self.value.assign(EXPLOSION_FACTOR * median if median > 0 else float("inf"))


def _all_finite(grads: Any) -> Any:
    """Whether the small gradients are finite; all of them where none is small."""
    given = [g for g in grads if g is not None]
    small = [g for g in given if int(np.prod(g.shape)) <= MAX_CHECKED_SIZE] or given
    total = sum(ops.sum(ops.cast(g, "float32") * 0.0) for g in small)
    return ops.equal(total, 0.0)
