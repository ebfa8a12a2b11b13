"""A running mean of a network's weights: it predicts with less noise than the last weights do.

Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992, with an exponential
window, as it is usual for image networks.
"""

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

EVERY = 10  # steps between two updates: the mean moves slowly, and reading all weights takes time
WARM_UP = 10.0


class RunningMean:
    """Keeps networks whose weights are the running mean of other networks' weights.

    Args:
        source: Part name -> keras.Model that is trained.
        parts: The same, built anew; holds the mean.
        momentum: Share of the old mean that stays after one training step, 0..1.
    """

    def __init__(self, source: dict[str, Any], parts: dict[str, Any], momentum: float) -> None:
        self.parts = parts
        self._pairs = [
            (mean, variable)
            for name in source
            for mean, variable in zip(parts[name].variables, source[name].variables, strict=True)
        ]
        self._momentum = momentum
        self._steps = 0
        self._follow(0.0)

    def step(self) -> None:
        """Note one training step; the mean follows every few of them, quickly at first."""
        self._steps += 1
        if self._steps % EVERY == 0:
            updates = self._steps / EVERY
            self._follow(min(self._momentum**EVERY, updates / (updates + WARM_UP)))

    def state(self) -> dict[str, Any]:
        """Return what is to be saved: name -> variable or array."""
        saved: dict[str, Any] = {f"mean/{k:04d}": mean for k, (mean, _) in enumerate(self._pairs)}
        saved["steps"] = np.array([self._steps], np.int64)
        return saved

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `state` gave; without it the mean starts from the weights as they are.

        Raises:
            ValueError: An array has another shape than its variable.
        """
        if "steps" not in arrays:
            self._follow(0.0)
            return
        for k, (mean, _) in enumerate(self._pairs):
            mean.assign(arrays[f"mean/{k:04d}"])
        self._steps = int(arrays["steps"][0])

    def _follow(self, keep: float) -> None:
        for mean, variable in self._pairs:
            value = ops.convert_to_tensor(variable)
            # A copy: JAX takes a trained weight's memory back at the next step.
            mean.assign(ops.copy(value) if keep == 0 else mean + (1 - keep) * (value - mean))
