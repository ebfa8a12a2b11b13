"""One optimizer step on any backend; an iteration of a model runs one or several of them in turn."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from facewright.core.workspace import SIDES
from facewright.nn import backends
from facewright.nn.ema import PartAverage, WeightEMA
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
        members: Names of the parts that its optimizer knows, in the order of their weights there.
        trained: Names of those with weights that it trains, unless they are held.
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
        still: The same for those that the model itself leaves as they are: nobody needs to hold them.
        stable: Whether a loss of many times the median is an explosion; that of a discriminator varies by nature.
        makers: Stream -> what makes its samples inside the step; without them the batches bring images.
        average: The moving average of the parts, which follows them inside the step.
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
        still: Collection[str] = (),
        stable: bool = True,
        makers: Mapping[str, SampleMaker] | None = None,
        average: WeightEMA | PartAverage | None = None,
    ) -> None:
        # Places of pixels need all of float32's bits; the parts cast what they are given.
        super().__init__(name=key or "trainer", autocast=False)
        self.key, self.streams, self.reports, self.stable = key, streams, reports, stable
        self.forward_pass, self.loss_function = forward, loss
        self.members = tuple(parts)
        self.trained = tuple(name for name, part in parts.items() if part.trainable_variables and name not in still)
        self._frozen = list((frozen or {}).values())
        self._skipped = 0.0
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
            self.compile(optimizer=SkipNonFinite(optimizer, average), jit_compile="auto")
            backends.current().spread(self)
            self.optimizer.build(self.trainable_variables)
        self._frozen += [parts[name] for name in parts if name in held or name in still]
        with self._only_own_parts_trainable():
            self.optimizer.moved = self.trainable_variables

    def build(self, *shapes: Any) -> None:
        """Nothing: the parts are built, and the makers are when it is known what they make."""

    def start(self, batches: Mapping[str, Mapping[str, Any]]) -> list[Any]:
        """Start one step on a batch of each stream, and do not wait for its end.

        Returns:
            Scalars that lie on the device, for `read` and then `finish`.
        """
        x, y = self.arguments(batches)
        with self._only_own_parts_trainable():
            if self.train_function is None:  # the first one builds what the next ones run
                logs = self.train_on_batch(x, y, return_dict=True)
            else:
                self.reset_metrics()
                logs = backends.current().train_on(self, x, y)
        skipped = keras.ops.copy(keras.ops.convert_to_tensor(self.optimizer.skipped))  # the next step changes it
        return [logs["loss"], skipped, *(logs[name] for name in self.reports)]

    def finish(self, numbers: Sequence[float]) -> dict[str, float]:
        """Return the reported losses by name, of the numbers of a step in the order of the steps.

        They are NaN where the step was not applied: its loss or its gradients were not finite, or the loss was many
        times the median. Weights and optimizer state are then as before.
        """
        total, skipped, *reported = numbers
        if self.stable:
            self.limit.update(total)
        applied, self._skipped = skipped == self._skipped and math.isfinite(total), skipped
        return {name: value if applied else math.nan for name, value in zip(self.reports, reported, strict=True)}

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


def read(started: Sequence[Sequence[Any]]) -> list[list[float]]:
    """Wait for steps and bring their numbers here, all in one copy.

    Args:
        started: What `TrainStep.start` gave.
    """
    flat = [keras.ops.cast(number, "float32") for of_step in started for number in of_step]
    numbers = iter(keras.ops.convert_to_numpy(keras.ops.stack(flat)).tolist())
    return [[next(numbers) for _ in of_step] for of_step in started]
