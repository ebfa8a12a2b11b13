"""Gradients that are clipped to what was usual so far."""

from typing import Any

import numpy as np
from keras import ops

from facewright.nn.wrapped_optimizer import WrappedOptimizer

MEMORY = 1000  # norms that are remembered
SHARE = 0.1  # of the norms so far that are shorter than the longest one allowed
UNKNOWN = float(np.finfo(np.float32).max)  # a norm that was not measured yet; files hold finite numbers only


class AutoClip(WrappedOptimizer):
    """Wraps an optimizer: gradients longer than the tenth percentile of the last norms are shortened to that.

    Source: Seetharaman et al., "AutoClip: Adaptive Gradient Clipping for Source Separation Networks", MLSP 2020, which
    remembers every norm; keras has no such thing.

    Attributes:
        norms: (MEMORY,) float32 variable, the last norms of all gradients together; saved behind what the inner
            optimizer saves.

    Args:
        inner: An optimizer that is not built yet.
        share: Of the last norms, those that are not clipped, 0..1.
    """

    def __init__(self, inner: Any, share: float = SHARE) -> None:
        super().__init__(inner, "auto_clip")
        self.share = share

    def build(self, variables: list[Any]) -> None:
        """Create the norms, too."""
        if not self.built:
            self.norms = self.add_variable(shape=(MEMORY,), dtype="float32", initializer="zeros", name="norms")
            self.norms.assign(np.full(MEMORY, UNKNOWN, np.float32))
        super().build(variables)

    @property
    def variables(self) -> list[Any]:
        """Those of the inner optimizer, then the norms."""
        return [*self.inner.variables, self.norms]

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Note the norm, clip, apply."""
        grads = list(grads)
        norm = ops.sqrt(sum(ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads if g is not None))
        place = ops.mod(ops.cast(self.iterations, "int32"), MEMORY)
        # As a tensor: JAX's `where` takes what a variable was when the step was compiled.
        before = ops.convert_to_tensor(self.norms)
        norms = ops.where(ops.equal(ops.arange(MEMORY, dtype="int32"), place), norm, before)
        self.norms.assign(norms)
        known = ops.sum(ops.cast(norms < UNKNOWN, "float32"))
        longest = ops.take(ops.sort(norms), ops.cast(self.share * (known - 1), "int32"))
        scale = ops.minimum(1.0, longest / ops.maximum(norm, 1e-12))
        clipped = [None if g is None else g * ops.cast(scale, g.dtype) for g in grads]
        self.inner.apply(clipped, trainable_variables)
