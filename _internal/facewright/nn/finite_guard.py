"""A training step that breaks is not applied: weights, optimiser and running means stay as they were.

Two parts work together inside the compiled step, so that nothing is copied and nothing is undone:
* `cut_off` turns a loss that is not a number, or above a limit, into one that is not a number. Its gradients are
  then none either, in every layer.
* `guard` makes an optimiser apply a step only when the gradients are numbers. It looks at the small ones (the
  biases and their like): what breaks a gradient reaches the bias of its layer and of all layers below, and to
  look at the large ones would cost as much as a part of the step itself.

The limit follows the median of the losses of late: a loss of ten times as much is no outlier but an explosion.
"""

from collections import deque
from typing import Any

import keras
import numpy as np
from keras import ops

SMALL = 1 << 16  # numbers; larger gradients are not looked at
TIMES = 10.0  # a loss above this times the median is an explosion
KEPT = 500  # losses that the median is of
LEAST = 100  # losses before which there is no limit
EVERY = 25  # steps between two looks at the median


def cut_off(total: Any, limit: Any) -> Any:
    """Return the loss, or not a number where it is not finite or above the limit.

    Args:
        total: Scalar loss.
        limit: Scalar; infinity for none.
    """
    good = ops.logical_and(ops.isfinite(total), total <= ops.cast(limit, total.dtype))
    return total * ops.stop_gradient(ops.where(good, ops.ones_like(total), ops.full_like(total, float("nan"))))


def guard(optimizer: Any) -> Any:
    """Let an optimiser apply only steps whose gradients are numbers; returns the same optimiser.

    It then has a variable `skipped`, the number of steps that were not applied; the variable is not saved.

    Args:
        optimizer: A keras optimiser that is not built yet.
    """
    kind = type(optimizer)
    if not issubclass(kind, _Guarded):
        # A class made on the spot, so that any optimiser can be guarded with all of its own settings.
        object.__setattr__(optimizer, "__class__", type(f"Guarded{kind.__name__}", (_Guarded, kind), {}))
        skipped = keras.Variable(0, dtype="int32", trainable=False, name="skipped")
        optimizer.skipped = skipped
        if all(v is not skipped for v in optimizer._variables):
            optimizer._track_variable(skipped)
    return optimizer


def saved_variables(optimizer: Any) -> list[Any]:
    """Return the variables of an optimiser that are worth saving, in the order in which it made them."""
    return [v for v in optimizer.variables if v is not getattr(optimizer, "skipped", None)]


def step_size(optimizer: Any) -> float:
    """Return the step size in use (its learning rate)."""
    return float(ops.convert_to_numpy(optimizer.learning_rate))


def set_step_size(optimizer: Any, size: float) -> None:
    """Change the step size; one that follows a schedule of its own stays."""
    if isinstance(getattr(optimizer, "_learning_rate", None), keras.Variable):
        optimizer.learning_rate = size


class LossWatch:
    """The limit of a loss, from its median of late.

    Attributes:
        limit: Scalar keras variable; infinity at the start.
    """

    def __init__(self) -> None:
        self.limit = keras.Variable(float("inf"), dtype="float32", trainable=False, name="loss_limit")
        self._recent: deque[float] = deque(maxlen=KEPT)
        self._steps = 0

    def note(self, total: float) -> None:
        """Note the loss of a step; one that was cut off is passed over."""
        if not np.isfinite(total):
            return
        self._recent.append(total)
        self._steps += 1
        if len(self._recent) >= LEAST and self._steps % EVERY == 0:
            median = float(np.median(self._recent))
            # Losses near or below zero have no meaningful "ten times as much".
            self.limit.assign(TIMES * median if median > 0 else float("inf"))


class _Guarded:
    """Comes before an optimiser's own class."""

    skipped: Any

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        grads, variables = list(grads), None if trainable_variables is None else list(trainable_variables)
        if keras.backend.backend() == "jax":  # there `stateless_apply` decides
            super().apply(grads, variables)  # type: ignore[misc]
            return
        ops.cond(
            _finite(grads),
            lambda: self._do(grads, variables),
            lambda: self._skip(),
        )

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        wanted, state = super().stateless_apply(  # type: ignore[misc]
            optimizer_variables, grads, trainable_variables
        )
        finite = _finite(grads)
        kept = [ops.where(finite, a, b) for a, b in zip(wanted, trainable_variables, strict=True)]
        old = [ops.where(finite, a, b) for a, b in zip(state, optimizer_variables, strict=True)]
        place = next(k for k, v in enumerate(self.variables) if v is self.skipped)  # type: ignore[attr-defined]
        old[place] = optimizer_variables[place] + ops.cast(ops.logical_not(finite), "int32")
        return kept, old

    def _do(self, grads: Any, variables: Any) -> Any:
        super().apply(grads, variables)  # type: ignore[misc]
        return ops.convert_to_tensor(0)

    def _skip(self) -> Any:
        self.skipped.assign_add(1)
        return ops.convert_to_tensor(0)


def _finite(grads: Any) -> Any:
    """Whether the small gradients are numbers; all of them where none is small."""
    given = [g for g in grads if g is not None]
    small = [g for g in given if int(np.prod(g.shape)) <= SMALL] or given
    total = sum(ops.sum(ops.cast(g, "float32") * 0.0) for g in small)
    return ops.equal(total, 0.0)
