"""One optimiser step on any backend; an iteration of a model runs one or several of them in turn."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from facewright.core.workspace import SIDES
from facewright.nn.finite_guard import LossWatch, cut_off, guard


@dataclass(frozen=True)
class Phase:
    """What one step does.

    Attributes:
        name: "" where an iteration has one phase only; else it begins the names of the optimiser's saved arrays.
        parts: Name -> keras.Model that is trained.
        forward: The warped faces of `sides`, (b, S, S, 3) each -> what `loss` takes as its last argument.
        loss: The batch of each side (name -> tensor), then what `forward` gave -> total and reported losses.
        optimizer: A fresh optimiser.
        sides: Whose batches it takes.
        reports: Names of the reported losses.
        fixed: Name -> keras.Model that takes part and stays as it is.
        steady: Whether a loss of many times the usual is an explosion; that of a critic moves about by nature.
    """

    name: str
    parts: Mapping[str, Any]
    forward: Callable[..., Any]
    loss: Callable[..., tuple[Any, dict[str, Any]]]
    optimizer: Any
    sides: tuple[str, ...] = SIDES
    reports: tuple[str, ...] = SIDES
    fixed: Mapping[str, Any] | None = None
    steady: bool = True


class PhaseTrainer(keras.Model):
    """A phase as a compiled keras.Model: forward, losses, gradients, optimiser.

    What is trained is said by the four properties below, not by `layer.trainable`: a network can so be trained in
    one phase and stay as it is in another, on every backend. (To freeze a layer and compile has no effect on a
    model that was compiled before.)

    Args:
        phase: What it does.
        side: Side of the warped faces in pixels.
    """

    def __init__(self, phase: Phase, side: int) -> None:
        super().__init__(name=phase.name or "trainer")
        self._phase = phase
        self._skipped = 0
        self._trained = {id(v) for part in phase.parts.values() for v in part.trainable_variables}
        for name, part in {**phase.parts, **(phase.fixed or {})}.items():
            setattr(self, f"part_{name}", part)
        for name in phase.reports:
            setattr(self, f"report_{name}", keras.metrics.Mean(name=name))
        self.watch = LossWatch()
        self.loss_limit = self.watch.limit
        # Every variable exists before the first step, so that a checkpoint can be read into a fresh model.
        self([keras.ops.zeros((1, side, side, 3)) for _ in phase.sides])
        self.compile(optimizer=guard(phase.optimizer), jit_compile="auto")
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    @property
    def trainable_variables(self) -> list[Any]:
        """What this phase trains."""
        return [v for v in self.variables if id(v) in self._trained]

    @property
    def non_trainable_variables(self) -> list[Any]:
        """All else that takes part."""
        return [v for v in self.variables if id(v) not in self._trained]

    @property
    def trainable_weights(self) -> list[Any]:
        """What this phase trains."""
        return [v for v in self.weights if id(v) in self._trained]

    @property
    def non_trainable_weights(self) -> list[Any]:
        """All other weights that take part."""
        return [v for v in self.weights if id(v) not in self._trained]

    def arguments(self, batches: Mapping[str, Mapping[str, Any]]) -> tuple[list[Any], dict[str, Any]]:
        """Return the x and y of `train_on_batch` for the batches of "src" and "dst"."""
        sides = self._phase.sides
        wanted = {side: {k: v for k, v in batches[side].items() if k != "warped"} for side in sides}
        return [batches[side]["warped"] for side in sides], wanted

    def step(self, batches: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
        """Train one step; return the reported losses by name.

        They are not numbers where the step was not applied: its loss or its gradients were none, or the loss was
        many times the usual. Weights and optimiser are then as before.
        """
        self.reset_metrics()
        logs = self.train_on_batch(*self.arguments(batches), return_dict=True)
        total = float(logs["loss"])
        if self._phase.steady:
            self.watch.note(total)
        skipped = int(keras.ops.convert_to_numpy(self.optimizer.skipped))
        applied, self._skipped = skipped == self._skipped and math.isfinite(total), skipped
        return {name: float(logs[name]) if applied else math.nan for name in self._phase.reports}

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Run the phase's `forward` on the warped faces, one (b, S, S, 3) per side."""
        return self._phase.forward(*inputs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the phase's total loss and note the reported ones."""
        y = keras.tree.map_structure(keras.ops.convert_to_tensor, y)
        total, reported = self._phase.loss(*(y[side] for side in self._phase.sides), y_pred)
        for name in self._phase.reports:
            getattr(self, f"report_{name}").update_state(reported[name])
        return cut_off(total, self.loss_limit)
