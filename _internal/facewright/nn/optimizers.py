"""Optimizers that keras does not bring, or not as fast.

Each finds its slots by `_get_variable_index`, as keras' own documentation of custom optimizers does
(https://keras.io/api/optimizers/).
"""

import math
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


class DroppedOptimizer(keras.optimizers.Optimizer):
    """An optimizer that updates a random share of the weights at each step, as DeepFaceLab does.

    Source: Lin et al., "Learning Rate Dropout", arXiv 1912.00144. The moments follow every gradient, only the update
    is dropped. Which weights move is a function of the iteration, so a resumed training goes on as it would have.

    Args:
        keep: Share of the weights that are updated, 0..1; 1 for all.
        period: Iterations in which the learning rate goes down to nothing and back, as a cosine; 0 for a steady rate.
    """

    def __init__(self, learning_rate: float, *, keep: float = 1.0, period: int = 0, **more: Any) -> None:
        super().__init__(learning_rate=learning_rate, **more)
        self.keep, self.period = keep, period

    def slots(self, variable: Any) -> dict[str, Any]:
        """Return what is kept of a variable's gradients, once it is built: "square", and with AdaBelief "mean"."""
        raise NotImplementedError

    def assign_sub(self, variable: Any, value: Any) -> None:
        """Subtract a step from a variable, or from those of its weights that are drawn.

        keras' optimizers move weights by this, and change what they remember in other ways.
        """
        step = value
        if self.period:
            turn = ops.cast(self.iterations, variable.dtype) * (2 * math.pi / self.period)
            step = step * (ops.cos(turn) + 1) / 2
        if self.keep < 1:
            seed = _StepSeed(self._get_variable_index(variable) * SEED_STRIDE, self.iterations)
            drawn = keras.random.uniform(ops.shape(variable), dtype=variable.dtype, seed=seed)
            step = ops.where(drawn < self.keep, step, ops.zeros_like(step))
        super().assign_sub(variable, step)


class AdaBelief(DroppedOptimizer):
    """AdaBelief without bias correction, epsilon outside the root, as DeepFaceLab has it: its first steps are longer.

    Source: Zhuang et al., "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients", NeurIPS 2020.

    Args:
        learning_rate: Step size of the update.
        beta_1: Decay of the mean of the gradients.
        beta_2: Decay of the mean of the squares of what a gradient differs from that.
        epsilon: Added to the root of the latter.
        more: See `DroppedOptimizer`, and keras' optimizers.
    """

    def __init__(
        self,
        learning_rate: float = 5e-5,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        **more: Any,
    ) -> None:
        super().__init__(learning_rate, name="adabelief", **more)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables: list[Any]) -> None:
        """Create both moments of each variable."""
        if not self.built:
            super().build(variables)
            self._moments, self._squares = self.add_optimizer_variables(variables, ["mean", "square"])

    def slots(self, variable: Any) -> dict[str, Any]:
        """See `DroppedOptimizer`."""
        index = self._get_variable_index(variable)
        return {"mean": self._moments[index], "square": self._squares[index]}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)
        moment, square = self._moments[index], self._squares[index]
        gradient = ops.cast(gradient, variable.dtype)
        mean = self.beta_1 * moment + (1 - self.beta_1) * gradient
        spread = self.beta_2 * square + (1 - self.beta_2) * ops.square(gradient - mean)
        self.assign(moment, mean)
        self.assign(square, spread)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * mean / (ops.sqrt(spread) + self.epsilon))


class DroppedRMSprop(DroppedOptimizer):
    """RMSprop that updates a random share of the weights at each step, as DeepFaceLab's Quick96 does.

    Args:
        learning_rate: Step size of the update.
        rho: Momentum of the squared gradients.
        epsilon: Added to the root, so that the first steps stay finite.
        more: See `DroppedOptimizer`, and keras' optimizers.
    """

    def __init__(self, learning_rate: float = 2e-4, rho: float = 0.9, epsilon: float = 1e-6, **more: Any) -> None:
        super().__init__(learning_rate, name="dropped_rmsprop", **more)
        self.rho, self.epsilon = rho, epsilon

    def build(self, variables: list[Any]) -> None:
        """Make a mean of squares for each variable."""
        if not self.built:
            super().build(variables)
            self._squares = self.add_optimizer_variables(variables, "square")

    def slots(self, variable: Any) -> dict[str, Any]:
        """See `DroppedOptimizer`."""
        return {"square": self._squares[self._get_variable_index(variable)]}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)
        squares = self._squares[index]
        gradient = ops.cast(gradient, variable.dtype)
        self.assign(squares, self.rho * squares + (1 - self.rho) * ops.square(gradient))
        self.assign_sub(
            variable, ops.cast(learning_rate, variable.dtype) * gradient / (ops.sqrt(squares) + self.epsilon)
        )


class DroppedAdam(DroppedOptimizer, keras.optimizers.Adam):
    """keras' Adam, which may update a random share of the weights; its slots are those of `Adam`."""


class DroppedLion(DroppedOptimizer, keras.optimizers.Lion):
    """keras' Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023), likewise.

    It remembers half of what Adam does. Each weight moves by the whole learning rate, up or down, so that this must be
    three to ten times smaller than Adam's.
    """


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
