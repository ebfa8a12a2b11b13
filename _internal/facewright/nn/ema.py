"""An exponential moving average (EMA) of a network's weights: it predicts with less noise than the last weights.

Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992, with an exponential
window, as it is usual for image networks.
"""

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

UPDATE_EVERY = 10  # steps: the average moves slowly, and reading all weights takes time
WARM_UP = 10.0  # updates; until then the average follows the weights faster


class WeightEMA:
    """Keeps networks whose weights are the EMA of other networks' weights.

    Args:
        source: Part name -> keras.Model that is trained.
        parts: The same, built anew; holds the average.
        decay: Share of the old average that stays after one training step, 0..1.
    """

    def __init__(self, source: dict[str, Any], parts: dict[str, Any], decay: float) -> None:
        self.parts = parts
        self._pairs = [
            (average, variable)
            for name in source
            for average, variable in zip(parts[name].variables, source[name].variables, strict=True)
        ]
        self._decay = decay
        self._steps = 0
        self._follow(0.0)

    def update(self) -> None:
        """Take one training step into account; the average follows every few of them, faster at first."""
        self._steps += 1
        if self._steps % UPDATE_EVERY == 0:
            updates = self._steps / UPDATE_EVERY
            self._follow(min(self._decay**UPDATE_EVERY, updates / (updates + WARM_UP)))

    def state(self) -> dict[str, Any]:
        """Return what is to be saved: name -> variable or array."""
        saved: dict[str, Any] = {f"mean/{k:04d}": average for k, (average, _) in enumerate(self._pairs)}
        saved["steps"] = np.array([self._steps], np.int64)
        return saved

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `state` gave; without it the average starts from the weights as they are.

        Raises:
            ValueError: An array has another shape than its variable.
        """
        if "steps" not in arrays:
            self._follow(0.0)
            return
        for k, (average, _) in enumerate(self._pairs):
            average.assign(arrays[f"mean/{k:04d}"])
        self._steps = int(arrays["steps"][0])

    def _follow(self, keep: float) -> None:
        for average, variable in self._pairs:
            value = ops.convert_to_tensor(variable)
            # A copy: JAX takes a trained weight's memory back at the next step.
            average.assign(ops.copy(value) if keep == 0 else average + (1 - keep) * (value - average))
