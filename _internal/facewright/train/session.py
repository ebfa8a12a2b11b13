"""A model in training: network, iteration, losses and random numbers, saved and resumed as one."""

import gc
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facewright import __version__
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.faces.hold_out import HoldOut
from facewright.models import registry
from facewright.models.base import Trainable
from facewright.models.spec import ModelOptions
from facewright.models.trained import (
    find_generation,
    has_grown,
    load_generation,
    model_arrays,
    option_values,
)
from facewright.nn import backups, checkpoint
from facewright.nn.checkpoint import Generation, ModelFolder
from facewright.train.history import MEASURES, LossHistory, saved_measures
from facewright.train.saver import Snapshot

MOST = 1e6  # times the model's own learning rate


@dataclass
class TrainingSession:
    """All that one generation on disk holds.

    Attributes:
        name: Name of the model: its folder.
        model: The network with its optimiser.
        model_dir: The workspace's model folder; generations are in its subfolder `name`.
        kind: Which network it is; "" where it is called like its network.
        iteration: Steps trained so far.
        samplers: Stream name -> state of its random draws.
        notes: What else is written into state.json (batch size, precision).
        keep: Whole generations that stay on the disk.
        rate: Learning rate as a multiple of the model's own; see `set_rate`.
        saved_iteration: Iteration of the last generation, -1 before the first.
        seconds: Time that its steps took so far, over all runs.
        hold_out: Faces that are never trained on.
        started_from: Saved state of the model from which a new one was started; empty where there is none.
        pretraining: Whether the network is pretrained: it is then built with the options of that.
        options: The model's options as the user chose them; these are saved.
        before_growth: The saved state from which the networks have grown and which is not backed up yet; or None.
        history: The losses of every iteration.
        measures: What was measured on the faces held out, a row per measurement.
    """

    name: str
    model: Trainable
    model_dir: Path
    kind: str = ""
    iteration: int = 0
    samplers: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    saved_iteration: int = -1
    keep: int = checkpoint.KEPT
    seconds: float = 0.0
    hold_out: HoldOut = field(default_factory=HoldOut)
    started_from: Mapping[str, Any] = field(default_factory=dict)
    pretraining: bool = False
    options: ModelOptions = field(init=False)
    before_growth: Path | None = field(default=None, init=False)
    rate: float = field(default=1.0, init=False)
    history: LossHistory = field(init=False)
    measures: LossHistory = field(init=False)

    def __post_init__(self) -> None:
        """Begin an empty history."""
        self.kind = self.kind or self.name
        self.options = self.model.options
        self.history = LossHistory(self.model.reported)
        self.measures = LossHistory(MEASURES)

    @property
    def folder(self) -> Path:
        """Where the generations are."""
        return self.model_dir / self.name

    def snapshot(self, *, backup: bool = False, preview: Path | None = None) -> Snapshot:
        """Return what a generation would hold now; its arrays are the live ones.

        Args:
            backup: Whether it is to be backed up too.
            preview: PNG that goes with the backup.
        """
        state = {
            "model": self.kind,
            "options": option_values(self.options),
            "iteration": self.iteration,
            "rate": self.rate,
            "losses": list(self.history.names),
            "samplers": self.samplers,
            **({"people": list(self.model.people)} if self.model.people else {}),
            "seconds": round(self.seconds, 1),
            "measures": list(self.measures.names),
            "hold_out": self.hold_out.to_data(),
            "program": __version__,
            "saved": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **self.notes,
        }
        history = {"losses": self.history.values, "measures": self.measures.values}
        files = {**model_arrays(self.model), "history": history}
        return Snapshot(self.folder, self.iteration, state, files, self.keep, backup, preview)

    def record_step(
        self, losses: Mapping[str, float], samplers: Mapping[str, dict[str, Any]], seconds: float = 0.0
    ) -> None:
        """Count an applied step.

        Args:
            losses: Its reported losses by name.
            samplers: Stream name -> state of its random draws after the step's batch.
            seconds: Its duration.
        """
        self.history.append(losses)
        self.iteration += 1
        self.seconds += seconds
        self.samplers = dict(samplers)

    def record_measures(self, measures: Mapping[str, float]) -> None:
        """Keep what was measured on the faces held out, by name as in `MEASURES`."""
        self.measures.append({"iteration": self.iteration, "seconds": self.seconds, **measures})

    @property
    def measured_at(self) -> int:
        """Iteration of the newest measurement, -1 before the first."""
        return int(self.measures.last().get("iteration", -1))

    @property
    def curve(self) -> LossHistory:
        """The measurements since the very faces are held out that are now."""
        return self.measures.since(self.hold_out.since)

    def save(self) -> Generation:
        """Save a generation; the training pauses meanwhile.

        Raises:
            UserError: The disk is full or the folder is read-only.
            FloatingPointError: A weight is not finite.
        """
        generation = self.snapshot().write()
        self.saved_iteration = self.iteration
        return generation

    def save_growth(self) -> None:
        """Back up the state from which the networks have grown, where they have, and save what they are now.

        Raises:
            UserError: The disk is full or the folder is read-only.
        """
        if self.before_growth:
            kept = backups.back_up(self.before_growth)
            self.save()
            self.before_growth = None
            console.say(
                f"The networks have grown to {self.model.resolution} px and draw what they drew before. The state "
                f"before that is kept in {kept}. To go back to it:{hint('restore --what model')}"
            )

    def find(self) -> ModelFolder | None:
        """Return the newest whole generation on disk; None before the first.

        Raises:
            UserError: None is whole.
        """
        return find_generation(self.model_dir, self.name)

    def resume(self, generation: Generation) -> None:
        """Go on from a generation: weights, optimiser, iteration, losses.

        Raises:
            UserError: It belongs to another network.
        """
        load_generation(self.model, generation)
        self.before_growth = generation.folder if has_grown(self.model, generation) else None
        wanted, self.rate = self.rate, _saved_rate(generation.state)
        self.set_rate(wanted)
        self.iteration = self.saved_iteration = int(generation.state.get("iteration", 0))
        kept = generation.arrays("history").as_dict() if generation.has("history") else {}
        self.history = _history(kept.get("losses"), generation.state.get("losses", self.history.names))
        self.measures = saved_measures(generation.state.get("measures", MEASURES), kept.get("measures"))
        self.seconds = float(generation.state.get("seconds", 0))
        samplers = generation.state.get("samplers")
        self.samplers = dict(samplers) if isinstance(samplers, dict) else {}

    def rescue(self) -> bool:
        """Save after an error that came inside a step; return whether what was trained is saved.

        A step that broke off half-way has moved some weights and others not, which harms nothing. On JAX it may have
        taken the arrays with it.
        """
        if self.iteration == self.saved_iteration:
            return True
        try:
            self.save()
        except Exception as problem:  # of any backend; the last saved state is whole
            console.note(f"Not saved after an error: {type(problem).__name__}: {problem}")
            return False
        return True

    def rebuild(self, options: ModelOptions, held: Collection[str]) -> None:
        """Build the network anew, and go on from the last saved state.

        Args:
            options: Its options; those that are fixed must be as they were.
            held: Names of the parts that stay as they are.

        Raises:
            UserError: No state is whole.
        """
        people = self.model.people
        del self.model  # first: the memory may not hold two
        gc.collect()
        kind = registry.trainable_class(self.kind)
        wanted = kind.for_pretraining(options) if self.pretraining else options
        self.model, self.options = kind(wanted, people=people) if people else kind(wanted), options
        self.model.hold(held)
        self.go_back()

    def go_back(self) -> None:
        """Go back to the last saved state.

        Raises:
            UserError: There is none, or none is whole.
        """
        found = self.find()
        if found is None:
            raise UserError(
                f"Nothing of {self.name} has been saved yet that the training could go back to.",
                "the state that is saved before the first step.",
                "start again; if the loss was no longer a number, with --precision float32.",
            )
        for path in found.damaged:
            checkpoint.set_aside(path)
        self.resume(found.generation)

    def recover(self) -> None:
        """Go back to the last saved state, with half of the learning rate that was in use.

        Raises:
            UserError: There is none.
        """
        rates = self.learning_rates
        self.go_back()
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            optimizer.set_learning_rate(rate / 2)

    @property
    def learning_rates(self) -> list[float]:
        """Learning rate of each optimizer, in the order of the training steps of an iteration."""
        return [optimizer.current_learning_rate() for optimizer in self._optimizers]

    def set_rate(self, rate: float) -> None:
        """Set the learning rate as a multiple of the model's own; what divergence took off it stays off.

        Args:
            rate: Above 0.
        """
        if rate != self.rate:
            self.scale_learning_rate(rate / self.rate)
        self.rate = rate

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of every optimizer; saved states hold it."""
        for optimizer in self._optimizers:
            optimizer.set_learning_rate(optimizer.current_learning_rate() * factor)

    @property
    def _optimizers(self) -> list[Any]:
        return [step.optimizer for step in self.model.steps.values()]


def _history(values: Any, names: Sequence[str]) -> LossHistory:
    return LossHistory(list(names), None if values is None else np.asarray(values, np.float32))


def _saved_rate(state: Mapping[str, Any]) -> float:
    """Return the multiple of the learning rate that a saved state has; 1 where it has none that can be."""
    rate = state.get("rate")
    return float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) and 0 < rate < MOST else 1.0
