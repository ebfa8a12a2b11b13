"""The training loop: run a step, let the callbacks work, stop for a reason."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from facewright.nn import backends
from facewright.train.callbacks import (
    Autosave,
    Backup,
    Callback,
    ConsoleProgress,
    PreviewUpdates,
    StatusUpdates,
    StepResult,
    TrainingRun,
    WaitForClose,
)
from facewright.train.divergence import DivergenceMonitor
from facewright.train.goal import REACHED, RESTART, Goal
from facewright.train.keys import CommandSource
from facewright.train.prefetch import BatchSource, Prefetcher
from facewright.train.preview_writer import PreviewWriter
from facewright.train.session import TrainingSession
from facewright.train.status import TrainingStatus

READ_EVERY = 10  # iterations on a GPU
MOST_MILLISECONDS = 500  # between two looks at commands and signals


@dataclass(frozen=True)
class LoopSettings:
    """How a training runs.

    Attributes:
        batch_size: Samples per stream and iteration.
        goal: When it stops by itself; its time counts from the first round that it is given to.
        save_seconds: Longest time between two autosaves; those of a young run are closer.
        backup_seconds: Time between two backups; 0 for none.
        first_save_seconds: Time until the first autosave.
        retry_seconds: Time until the next attempt after a save or a backup that failed.
        wait_for_close: Whether window and page stay open for previews when the target is reached.
        read_every: Iterations after which the losses are read: a device works on while nobody reads. Saving, previews
            and commands have their turn then; so it is less where iterations take long.
    """

    batch_size: int
    goal: Goal = field(default_factory=Goal)
    save_seconds: float = 600.0
    backup_seconds: float = 0.0
    first_save_seconds: float = 60.0
    retry_seconds: float = 60.0
    wait_for_close: bool = False
    read_every: int = 1


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended.

    Attributes:
        reason: "target", "time", "plateau", "key", the name of a signal, or `RESTART`.
        steps: Iterations of this run.
        milliseconds: Mean duration of the last iterations.
        waiting: Share of it spent waiting for data, 0..1.
        skipped: Steps that diverged and were not applied.
    """

    reason: str
    steps: int
    milliseconds: float
    waiting: float
    skipped: int = 0


def train_session(
    session: TrainingSession,
    sources: Mapping[str, BatchSource],
    settings: LoopSettings,
    *,
    commands: Sequence[CommandSource] = (),
    preview: PreviewWriter | None = None,
    status: TrainingStatus | None = None,
    more_callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """Train with the usual callbacks: console line, autosave and backups, rollback on divergence, page, preview.

    Args:
        session: The model; it is changed and saved.
        sources: Stream name -> where its batches come from.
        settings: How long, and how often it is saved.
        commands: Where commands come from: the terminal, the window, the page.
        preview: Draws the preview, or None.
        status: What a page reads, or None.
        more_callbacks: Called before the autosave.

    Raises:
        UserError: A face cannot be read (the model is saved first), the training diverges again and again, or the
            last save fails.
    """
    updates = PreviewUpdates(preview) if preview else None
    autosave = Autosave(
        settings.save_seconds,
        first_seconds=settings.first_save_seconds,
        retry_seconds=settings.retry_seconds,
        preview=updates,
    )
    callbacks: list[Callback] = [
        DivergenceMonitor(),
        ConsoleProgress(),
        *more_callbacks,
        Backup(autosave, settings.backup_seconds, retry_seconds=settings.retry_seconds),
        autosave,
        StatusUpdates(),
    ]
    if updates:
        callbacks.append(updates)
    if preview and settings.wait_for_close:
        callbacks.append(WaitForClose(preview))
    run = TrainingRun(session, callbacks, commands, status, goal=settings.goal)
    return TrainingLoop(run, sources, settings.batch_size, settings.read_every).train()


class TrainingLoop:
    """Trains until the goal, a key or a signal.

    Args:
        run: The session, the goal and the callbacks.
        sources: Stream name -> where its batches come from.
        batch_size: Samples per stream and iteration.
        read_every: See `LoopSettings`.
    """

    def __init__(
        self, run: TrainingRun, sources: Mapping[str, BatchSource], batch_size: int, read_every: int = 1
    ) -> None:
        self._run = run
        self._read_every = read_every
        self._batches = Prefetcher(sources, batch_size, backends.current().sent)

    def train(self) -> TrainingResult:
        """Train; the callbacks have saved the model when this returns.

        Raises:
            UserError: A face cannot be read, or a callback ended the training.
        """
        run = self._run
        with ExitStack() as stack:
            stack.enter_context(run.signals)
            stack.enter_context(self._batches)
            stack.callback(run.console.clear)
            run.goal.start()
            for callback in run.callbacks:
                callback.on_start(run)
            while True:
                self._train_until_stopped()
                for callback in run.callbacks:
                    callback.on_stop(run)
                # Weights found broken on saving are rolled back, to before the target.
                if run.stop_reason not in REACHED or run.goal.reason(run.session.iteration):
                    break
            for callback in run.callbacks:
                callback.on_end(run)
        return TrainingResult(run.stop_reason, run.steps, run.times.milliseconds, run.times.waiting, run.skipped)

    def _train_until_stopped(self) -> None:
        run = self._run
        run.stop_reason = ""
        try:
            while not run.stop_reason:
                for step in self._steps():
                    for callback in run.callbacks:
                        callback.on_step(run, step)
                    if run.session.iteration != step.iteration:
                        break  # rolled back: the steps after it are as if they had not been
                run.apply_commands()
                for callback in run.callbacks:
                    callback.between_steps(run)
                run.stop_reason = self._stop_reason()
                if run.stop_reason == "key" and not all(callback.can_leave(run) for callback in run.callbacks):
                    run.leave_requested, run.stop_reason = False, ""
        except Exception:
            for callback in run.callbacks:
                callback.on_error(run)
            raise

    def _steps(self) -> Iterator[StepResult]:
        """Run some steps, then give the result of each."""
        run, model, began, waited = self._run, self._run.session.model, time.monotonic(), 0.0
        count, started, states = self._steps_at_once(), [], []
        run.unsafe_to_save = True  # an error inside a step may leave half of it applied
        for _ in range(count):
            asked = time.monotonic()
            batches = self._batches.get()
            waited += time.monotonic() - asked
            states.append(self._batches.states)
            if count > 1:
                started.append(model.start(batches))
        losses = model.finish(started) if count > 1 else [model.train_on(batches)]
        run.unsafe_to_save = False
        seconds = (time.monotonic() - began) / count
        for of_step, state in zip(losses, states, strict=True):
            yield self._recorded(of_step, state, seconds, waited / count)

    def _recorded(
        self, losses: Mapping[str, float], states: Mapping[str, dict[str, Any]], seconds: float, waited: float
    ) -> StepResult:
        run, session = self._run, self._run.session
        applied = all(math.isfinite(value) for value in losses.values())
        if applied:
            session.record_step(losses, states, seconds)
            run.steps += 1
            run.times.add(seconds, waited)
        else:
            run.skipped += 1
        return StepResult(session.iteration, losses, applied)

    def _steps_at_once(self) -> int:
        """Return how many steps run before their losses are read: the first ones alone, none after the target."""
        run = self._run
        if run.steps < 2:  # the times of the first one are those of its compilation
            return 1
        left = run.goal.iteration - run.session.iteration if run.goal.iteration else self._read_every
        soon = int(MOST_MILLISECONDS / max(run.times.milliseconds, 1e-3))
        return max(1, min(self._read_every, left, soon))

    def _stop_reason(self) -> str:
        if self._run.signals.received:
            return self._run.signals.received
        if self._run.leave_requested:
            return "key"
        return self._run.goal.reason(self._run.session.iteration) or (RESTART if self._run.restart_requested else "")
