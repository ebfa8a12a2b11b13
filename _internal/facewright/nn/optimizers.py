"""Optimizers that keras does not bring, or not as fast.

Each finds its slots by `_get_variable_index`, as keras' own documentation of custom optimizers does
(https://keras.io/api/optimizers/).
"""

from typing import Any

import keras
from keras import ops

from facewright.nn import backends

adam_step = backends.current().adam_step

SEED_STRIDE = 1_000_003  # between the seeds of two variables: more than the iterations of a training


class Adam(keras.optimizers.Optimizer):
    """Adam in one pass over the weights where the backend has such an operation.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015. The same numbers, slots and names
    as keras' Adam, which takes a dozen passes; with 80 million weights those were a third of a training step on two
    cores.

    Args:
        learning_rate: Step size of the update.
        beta_1: Decay of the mean of the gradients.
        beta_2: Decay of the mean of their squares.
        epsilon: Added to the root of the latter.
        global_clipnorm: Largest norm of all gradients together; None for no limit.
    """

    def __init__(
        self,
        learning_rate: float,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate=learning_rate, global_clipnorm=global_clipnorm, name="adam")
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables: list[Any]) -> None:
        """Create both moments of each variable."""
        if not self.built:
            super().build(variables)
            self._moments, self._squares = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)
        moment, square = self._moments[index], self._squares[index]
        rate, beta_1, beta_2, epsilon, step = (
            ops.cast(x, variable.dtype)
            for x in (learning_rate, self.beta_1, self.beta_2, self.epsilon, self.iterations + 1)
        )
        gradient = ops.cast(gradient, variable.dtype)
        power_1, power_2 = ops.power(beta_1, step), ops.power(beta_2, step)
        if adam_step(variable, (moment, square), gradient, rate, (beta_1, beta_2, epsilon, power_1, power_2)):
            return
        alpha = rate * ops.sqrt(1 - power_2) / (1 - power_1)
        self.assign_add(moment, (gradient - moment) * (1 - beta_1))
        self.assign_add(square, (ops.square(gradient) - square) * (1 - beta_2))
        self.assign_sub(variable, moment * alpha / (ops.sqrt(square) + epsilon))


class DroppedRMSprop(keras.optimizers.Optimizer):
    """RMSprop that updates a random share of the weights at each step, as DeepFaceLab's Quick96 does.

    Source: Lin et al., "Learning Rate Dropout", arXiv 1912.00144. The mean of squares follows every gradient, only
    the update is dropped. Which weights move is a function of the iteration, so a resumed training goes on as it
    would have.

    Args:
        learning_rate: Step size of the update.
        rho: Momentum of the squared gradients.
        keep: Share of the weights that are updated, 0..1; 1 for all.
        epsilon: Added to the root, so that the first steps stay finite.
    """

    def __init__(self, learning_rate: float = 2e-4, rho: float = 0.9, keep: float = 1.0, epsilon: float = 1e-6) -> None:
        super().__init__(learning_rate=learning_rate, name="dropped_rmsprop")
        self.rho, self.keep, self.epsilon = rho, keep, epsilon

    def build(self, variables: list[Any]) -> None:
        """Make a mean of squares for each variable."""
        if not self.built:
            super().build(variables)
            self._squares = self.add_optimizer_variables(variables, "square")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)
        squares = self._squares[index]
        gradient = ops.cast(gradient, variable.dtype)
        self.assign(squares, self.rho * squares + (1 - self.rho) * ops.square(gradient))
        step = ops.cast(learning_rate, variable.dtype) * gradient / (ops.sqrt(squares) + self.epsilon)
        if self.keep < 1:
            seed = _StepSeed(index * SEED_STRIDE, self.iterations)
            drawn = keras.random.uniform(ops.shape(variable), dtype=variable.dtype, seed=seed)
            step = ops.where(drawn < self.keep, step, ops.zeros_like(step))
        self.assign_sub(variable, step)


class _StepSeed(keras.random.SeedGenerator):
    """A seed that is a function of the iteration: nothing to save, the same on every run."""

    def __init__(self, first: int, iteration: Any) -> None:
        # The state that the parent would make is a variable, and none may be made inside a compiled step.
        self._first, self._iteration = first, iteration

    def next(self, ordered: bool = True) -> Any:
        """Return the seed of this step, two integers."""
        kind = "uint32" if keras.backend.backend() == "jax" else "int32"
        second = ops.cast(self._iteration, kind)
        return ops.stack([ops.full_like(second, self._first), second])
