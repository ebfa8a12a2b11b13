"""One optimizer step on any backend; an iteration of a model runs one or several of them in turn."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from facewright.core.workspace import SIDES
from facewright.nn.finite_guard import LossLimit, SkipNonFinite, invalidate_above
from facewright.nn.sample_maker import SampleMaker


class TrainStep(keras.Model):
    """Forward pass, losses, gradients and optimizer as one compiled step.

    A part may be trained in one step and only take part in another (a discriminator, say): the `frozen` ones are
    marked as not trainable while this step runs, on every backend. (Freezing a part once and compiling has no effect
    on a model that was compiled before.)

    Attributes:
        key: "" where an iteration has one step only; else the prefix of the optimizer's saved arrays.
        streams: Whose batches it takes.
        reports: Names of the losses it returns.
        trained: Names of the parts that it trains, unless they are held.
        limit: The loss above which the step is not applied.
        forward_pass, loss_function: See `forward` and `loss`.

    Args:
        key: See above.
        parts: Name -> keras.Model that is trained.
        forward: The warped faces of `streams`, (b, S, S, 3) each -> what `loss` takes as its last argument.
        loss: The batch of each stream (name -> tensor), then what `forward` gave -> total and reported losses.
        optimizer: A fresh optimizer.
        side: Side S of the warped faces in pixels.
        streams: See above.
        reports: See above.
        frozen: Name -> keras.Model that takes part and is not trained.
        held: Names of `parts` that are not trained now. They keep their places in the optimizer's state, so that a
            later run can train them on; one part is left.
        stable: Whether a loss of many times the median is an explosion; that of a discriminator varies by nature.
        makers: Stream -> what makes its samples inside the step; without them the batches bring images.
    """

    def __init__(
        self,
        key: str,
        parts: Mapping[str, Any],
        forward: Callable[..., Any],
        loss: Callable[..., tuple[Any, dict[str, Any]]],
        optimizer: Any,
        *,
        side: int,
        streams: tuple[str, ...] = SIDES,
        reports: tuple[str, ...] = SIDES,
        frozen: Mapping[str, Any] | None = None,
        held: Collection[str] = (),
        stable: bool = True,
        makers: Mapping[str, SampleMaker] | None = None,
    ) -> None:
        # Places of pixels need all of float32's bits; the parts cast what they are given.
        super().__init__(name=key or "trainer", autocast=False)
        self.key, self.streams, self.reports, self.stable = key, streams, reports, stable
        self.forward_pass, self.loss_function = forward, loss
        self.trained = tuple(parts)
        self._frozen = list((frozen or {}).values())
        self._skipped = 0
        for name, part in {**parts, **(frozen or {})}.items():
            setattr(self, f"part_{name}", part)  # tracked: its variables take part in the step
        self.makers = {name: maker for name, maker in (makers or {}).items() if name in streams}  # tracked too
        for name in reports:
            setattr(self, f"report_{name}", keras.metrics.Mean(name=name))
        self.limit = LossLimit()
        self.limit_value = self.limit.value  # tracked
        with self._only_own_parts_trainable():
            # Every variable exists before the first step, so that a checkpoint can be read into a fresh model.
            self([keras.ops.zeros((1, side, side, 3)) for _ in streams])
            self.compile(optimizer=SkipNonFinite(optimizer), jit_compile="auto")
            self.optimizer.build(self.trainable_variables)
        self._frozen += [parts[name] for name in parts if name in held]
        with self._only_own_parts_trainable():
            self.optimizer.moved = self.trainable_variables

    def build(self, *shapes: Any) -> None:
        """Nothing: the parts are built, and the makers are when it is known what they make."""

    def run(self, batches: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
        """Train one step on a batch of each stream; return the reported losses by name.

        They are NaN where the step was not applied: its loss or its gradients were not finite, or the loss was many
        times the median. Weights and optimizer state are then as before.
        """
        self.reset_metrics()
        with self._only_own_parts_trainable():
            logs = self.train_on_batch(*self.arguments(batches), return_dict=True)
        total = float(logs["loss"])
        if self.stable:
            self.limit.update(total)
        skipped = int(keras.ops.convert_to_numpy(self.optimizer.skipped))
        applied, self._skipped = skipped == self._skipped and math.isfinite(total), skipped
        return {name: float(logs[name]) if applied else math.nan for name in self.reports}

    def arguments(self, batches: Mapping[str, Mapping[str, Any]]) -> tuple[list[Any], dict[str, Any] | None]:
        """Return the x and y of `train_on_batch`: the warped faces and the rest; or the numbers of a draw, and None."""
        if any("warped" not in batches[name] for name in self.streams):
            return [dict(batches[name]) for name in self.streams], None
        targets = {name: {k: v for k, v in batches[name].items() if k != "warped"} for name in self.streams}
        return [batches[name]["warped"] for name in self.streams], targets

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Run `forward` on the warped faces, one (b, S, S, 3) per stream.

        Where the streams bring numbers (see `nn.sample_maker`), make their samples first: returned with the rest.
        """
        if not isinstance(inputs[0], dict):
            return self.forward_pass(*inputs)
        made = {name: self.makers[name](numbers) for name, numbers in zip(self.streams, inputs, strict=True)}
        warped = [made[name].pop("warped") for name in self.streams]
        return made, self.forward_pass(*warped)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the total loss and record the reported ones."""
        if y is None:
            y, y_pred = y_pred
        y = keras.tree.map_structure(keras.ops.convert_to_tensor, y)
        total, reported = self.loss_function(*(y[name] for name in self.streams), y_pred)
        for name in self.reports:
            getattr(self, f"report_{name}").update_state(reported[name])
        return invalidate_above(total, self.limit_value)

    @contextmanager
    def _only_own_parts_trainable(self) -> Iterator[None]:
        before = [part.trainable for part in self._frozen]
        for part in self._frozen:
            part.trainable = False
        try:
            yield
        finally:
            for part, trainable in zip(self._frozen, before, strict=True):
                part.trainable = trainable
