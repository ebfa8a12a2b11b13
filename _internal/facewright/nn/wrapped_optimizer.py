"""An optimizer around another one, which does the work: what both share."""

from typing import Any

import keras


class WrappedOptimizer(keras.optimizers.Optimizer):
    """Passes on what is asked of it; a subclass does something to the gradients before.

    Attributes:
        inner: The wrapped optimizer.

    Args:
        inner: An optimizer that is not built yet.
        name: Of this one.
    """

    def __init__(self, inner: Any, name: str) -> None:
        super().__init__(learning_rate=0.0, name=name)
        self.inner = inner

    def build(self, variables: list[Any]) -> None:
        """Create the variables of the inner optimizer."""
        if not self.built:
            self.inner.build(variables)
            super().build(variables)

    @property
    def variables(self) -> list[Any]:
        """Those of the inner optimizer."""
        return list(self.inner.variables)

    @property
    def iterations(self) -> Any:
        """Steps that were applied."""
        return self.inner.iterations

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's."""
        return self.inner.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner.learning_rate = value

    def finalize_variable_values(self, var_list: Any) -> None:
        """See `keras.optimizers.Optimizer`."""
        self.inner.finalize_variable_values(var_list)
