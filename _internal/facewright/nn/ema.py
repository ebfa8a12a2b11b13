"""An exponential moving average (EMA) of a network's weights: it predicts with less noise than the last weights.

Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992, with an exponential
window, as it is usual for image networks.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from facewright.nn import backends

UPDATE_EVERY = 10  # steps: the average moves slowly, and reading all weights takes time
MOST_STEPS = 2**31 - 2  # that a saved state may tell of
WARM_UP = 10.0  # updates; until then the average follows the weights faster


class WeightEMA:
    """Keeps networks whose weights are the EMA of other networks' weights.

    Weights are followed inside the training step (`follow`), so that they are read while they lie at hand.

    Attributes:
        parts: Part name -> keras.Model with the averaged weights.
        steps: int32 scalar variable, the training steps that were followed.

    Args:
        source: Part name -> keras.Model that is trained.
        parts: The same, built anew; holds the average.
        decay: Share of the old average that stays after one training step, 0..1.
    """

    def __init__(self, source: dict[str, Any], parts: dict[str, Any], decay: float) -> None:
        self.parts = parts
        self.steps = keras.Variable(0, dtype="int32", trainable=False, name="ema_steps")
        self._pairs = {name: list(zip(parts[name].variables, source[name].variables, strict=True)) for name in source}
        self._of = {id(variable): average for average, variable in self._all()}
        self._decay = decay
        self._held: frozenset[str] = frozenset()
        self._start(self._pairs)

    @property
    def variables(self) -> list[Any]:
        """What a training step changes here."""
        return [self.steps, *self._of.values()]

    def hold(self, names: Collection[str]) -> None:
        """Let parts that are not trained any more stand for themselves: the average of still weights."""
        self._held = frozenset(names)
        self._start(self._held)

    def follow(self, moved: Sequence[Any]) -> None:
        """Take one training step into account, inside of it; every few of them the average moves, faster at first.

        Args:
            moved: The variables that the step has moved.
        """
        self.steps.assign_add(1)
        self.move(moved)

    def move(self, moved: Sequence[Any]) -> None:
        """Let the average follow variables, where the step that was counted last is one in which it does."""
        updates = ops.cast(self.steps, "float32") / UPDATE_EVERY
        keep = ops.minimum(self._decay**UPDATE_EVERY, updates / (updates + WARM_UP))
        due = ops.equal(ops.mod(self.steps, UPDATE_EVERY), 0)

        def change(share: Any) -> Any:
            for variable in moved:
                average = self._of.get(id(variable))
                if average is not None:
                    average.assign(average + share * (variable - average))
            return ops.convert_to_tensor(0)

        if backends.current().BRANCHES:
            ops.cond(due, lambda: change(1 - keep), lambda: ops.convert_to_tensor(0))
        else:
            change(ops.where(due, 1 - keep, 0.0))

    def part(self, name: str) -> "PartAverage":
        """Return what a later step of the same iteration follows: one part, and no step is counted."""
        return PartAverage(self, [average for average, _ in self._pairs[name]], [v for _, v in self._pairs[name]])

    def state(self) -> dict[str, Any]:
        """Return what is to be saved: name -> variable or array."""
        saved: dict[str, Any] = {f"mean/{k:04d}": average for k, (average, _) in enumerate(self._all())}
        saved["steps"] = np.array([ops.convert_to_numpy(self.steps)], np.int64)
        return saved

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `state` gave; without it the average starts from the weights as they are.

        Raises:
            ValueError: An array has another shape than its variable.
        """
        if "steps" not in arrays:
            self._start(self._pairs)
            return
        for k, (average, _) in enumerate(self._all()):
            average.assign(arrays[f"mean/{k:04d}"])
        self.steps.assign(np.clip(arrays["steps"][0], 0, MOST_STEPS).astype(np.int32))
        self._start(self._held)

    def _all(self) -> list[tuple[Any, Any]]:
        return [pair for pairs in self._pairs.values() for pair in pairs]

    def _start(self, names: Iterable[str]) -> None:
        for name in names:
            for average, variable in self._pairs[name]:
                # A copy: JAX takes a trained weight's memory back at the next step.
                average.assign(ops.copy(ops.convert_to_tensor(variable)))


class PartAverage:
    """The average of one part, for a step that trains it beside what another step of the iteration has moved.

    Args:
        whole: The average of all.
        averages, trained: The variables of the part: averaged, and as they are trained.
    """

    def __init__(self, whole: WeightEMA, averages: Sequence[Any], trained: Sequence[Any]) -> None:
        self._whole, self._averages, self._trained = whole, averages, {id(variable) for variable in trained}

    @property
    def variables(self) -> list[Any]:
        """What a training step reads or changes here."""
        return [self._whole.steps, *self._averages]

    def follow(self, moved: Sequence[Any]) -> None:
        """As `WeightEMA.follow`, of the part alone."""
        self._whole.move([variable for variable in moved if id(variable) in self._trained])
