"""A model in training: network, iteration, losses and random numbers, saved and resumed as one."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facewright import __version__
from facewright.core.errors import UserError
from facewright.models.base import Trainable
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

    def recover(self) -> None:
        """Go back to the last generation, with half of the learning rate that was in use.

        Raises:
            UserError: There is none.
        """
        found = self.find()
        if found is None:
            raise UserError(
                "The loss is no longer a number, and nothing has been saved yet.",
                "a loss that falls.",
                "start again; if it happens again, use --precision float32.",
            )
        for path in found.damaged:
            checkpoint.set_aside(path)
        rates = self.learning_rates
        self.resume(found.generation)
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
