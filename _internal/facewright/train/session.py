"""A model in training: network, iteration, losses and random numbers, saved and resumed as one."""

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facewright import __version__
from facewright.core import console
from facewright.core.errors import UserError
from facewright.models import registry
from facewright.models.base import Trainable
from facewright.models.spec import ModelOptions
from facewright.models.trained import find_generation, load_generation, model_arrays, option_values
from facewright.nn import checkpoint
from facewright.nn.checkpoint import Generation, ModelFolder
from facewright.train.history import LossHistory
from facewright.train.saver import Snapshot


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
        saved_iteration: Iteration of the last generation, -1 before the first.
        history: The losses of every iteration.
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
    history: LossHistory = field(init=False)

    def __post_init__(self) -> None:
        """Begin an empty history."""
        self.kind = self.kind or self.name
        self.history = LossHistory(self.model.reported)

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
            "options": option_values(self.model.options),
            "iteration": self.iteration,
            "losses": list(self.history.names),
            "samplers": self.samplers,
            "program": __version__,
            "saved": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **self.notes,
        }
        files = {**model_arrays(self.model), "history": {"losses": self.history.values}}
        return Snapshot(self.folder, self.iteration, state, files, self.keep, backup, preview)

    def record_step(self, losses: Mapping[str, float], samplers: Mapping[str, dict[str, Any]]) -> None:
        """Count an applied step.

        Args:
            losses: Its reported losses by name.
            samplers: Stream name -> state of its random draws after the step's batch.
        """
        self.history.append(losses)
        self.iteration += 1
        self.samplers = dict(samplers)

    def save(self) -> Generation:
        """Save a generation; the training pauses meanwhile.

        Raises:
            UserError: The disk is full or the folder is read-only.
            FloatingPointError: A weight is not finite.
        """
        generation = self.snapshot().write()
        self.saved_iteration = self.iteration
        return generation

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
        self.iteration = self.saved_iteration = int(generation.state.get("iteration", 0))
        values = generation.arrays("history").as_dict().get("losses") if generation.has("history") else None
        names = [str(name) for name in generation.state.get("losses", self.history.names)]
        self.history = LossHistory(names, None if values is None else np.asarray(values, np.float32))
        kept = generation.state.get("samplers")
        self.samplers = dict(kept) if isinstance(kept, dict) else {}

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

    def rebuild(self, options: ModelOptions) -> None:
        """Build the network anew, and go on from the last saved state.

        Args:
            options: Its options; those that are fixed must be as they were.

        Raises:
            UserError: No state is whole.
        """
        del self.model  # first: the memory may not hold two
        gc.collect()
        self.model = registry.trainable_class(self.kind)(options)
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

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate of every optimizer; saved states hold it."""
        for optimizer in self._optimizers:
            optimizer.set_learning_rate(optimizer.current_learning_rate() * factor)

    @property
    def _optimizers(self) -> list[Any]:
        return [step.optimizer for step in self.model.steps.values()]
