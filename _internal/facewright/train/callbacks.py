"""What happens around the training steps: one callback per subject, called by the loop in order.

A callback of one's own (a learning rate that falls on a plateau, say) subclasses `Callback`, overrides what it needs
and is handed to `loop.train_session` with `more_callbacks`.
"""

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facewright.core.errors import UserError
from facewright.nn import backups
from facewright.train.console_line import RECENT_STEPS, ConsoleLine, StepTimes, held_out_text, status_line
from facewright.train.facts import facts
from facewright.train.goal import REACHED, RESTART, Goal
from facewright.train.keys import CommandSource, TrainingCommand
from facewright.train.preview_writer import PreviewWriter
from facewright.train.saver import Saver, SaveReport, seconds_to_next
from facewright.train.session import TrainingSession
from facewright.train.signals import Signals
from facewright.train.status import RunState, StepStats, TrainingStatus


@dataclass(frozen=True)
class StepResult:
    """An iteration that was run.

    Attributes:
        iteration: Steps applied so far, this one included if it was.
        losses: Reported losses by name.
        applied: Whether the weights were changed: not where a loss is not finite.
    """

    iteration: int
    losses: Mapping[str, float]
    applied: bool


@dataclass
class TrainingRun:
    """State of a run, shared by the loop and its callbacks.

    Attributes:
        session: The model; callbacks may change and save it.
        callbacks: In the order in which they are called.
        sources: Where commands come from.
        status: What a page reads, or None without a page.
        console: Prints the status line and messages.
        saver: Saves in the background.
        signals: Signals that this process received.
        times: Durations of the recent iterations.
        steps: Iterations applied in this run.
        skipped: Iterations of this run that were not applied.
        goal: When it stops by itself.
        message: The newest message.
        advice: What the curves of the faces held out say; "" for nothing yet.
        stop_reason: Why the training stops: one of `REACHED`, `RESTART`, "key" or the name of a signal; "" while it
            goes on.
        leave_requested: Whether somebody wants to leave.
        restart_requested: Whether the training is to go on with other options: a round ends.
        stage: Which stage of its recipe runs and what comes next; "" without a recipe.
        since: Iteration at which that stage began: from there on the curves count.
        more_stages: Whether another one follows.
        unsafe_to_save: Whether the weights may be unusable: inside a step, or after it diverged for good.
    """

    session: TrainingSession
    callbacks: "Sequence[Callback]" = ()
    sources: Sequence[CommandSource] = ()
    status: TrainingStatus | None = None
    console: ConsoleLine = field(default_factory=ConsoleLine)
    saver: Saver = field(default_factory=Saver)
    signals: Signals = field(default_factory=Signals)
    times: StepTimes = field(default_factory=StepTimes)
    steps: int = 0
    skipped: int = 0
    goal: Goal = field(default_factory=Goal)
    message: str = ""
    advice: str = ""
    stop_reason: str = ""
    leave_requested: bool = False
    restart_requested: bool = False
    stage: str = ""
    since: int = 0
    more_stages: bool = False
    unsafe_to_save: bool = False

    @property
    def recent_losses(self) -> dict[str, float]:
        """Mean of the recent losses by name."""
        return self.session.history.mean(RECENT_STEPS)

    @property
    def line(self) -> str:
        """Text of the status line."""
        held_out = held_out_text(self.session.measures.last())
        line = status_line(self.session.iteration, self.recent_losses, self.times, self.seconds_left, held_out)
        return f"{line}  {self.stage.partition(';')[0]}" if self.stage else line

    @property
    def seconds_left(self) -> float | None:
        """Time until it stops by itself; None where that is not known."""
        return self.goal.seconds_left(self.session.iteration, self.times)

    @property
    def leaving(self) -> bool:
        """Whether the training ends without going back to it: on a key or a signal."""
        return self.stop_reason not in ("", RESTART, *REACHED)

    def say(self, text: str, *, attention: bool = False) -> None:
        """Print a message, and publish it for a page."""
        self.message = text.partition("\n")[0]
        if self.status:
            self.status.add_message(text, attention=attention)
        self.console.say(text, attention=attention)

    def apply_commands(self, *, ignored: Sequence[TrainingCommand] = ()) -> None:
        """Let the callbacks carry out the commands that came since the last call.

        Args:
            ignored: Commands that have no effect now.
        """
        commands = [c for source in self.sources for c in source.poll() if c not in ignored]
        self.leave_requested |= TrainingCommand.LEAVE in commands
        if commands:
            for callback in self.callbacks:
                callback.on_commands(self, commands)


class Callback:
    """Base class: every method does nothing.

    Per iteration the loop calls `on_step`, `on_commands` (if there are any), then `between_steps`, each for all
    callbacks in order. What a method raises ends the training, after `on_error`.
    """

    def on_start(self, run: TrainingRun) -> None:
        """Called before the first step."""

    def on_step(self, run: TrainingRun, step: StepResult) -> None:
        """Called after a step, applied or not."""

    def on_commands(self, run: TrainingRun, commands: Sequence[TrainingCommand]) -> None:
        """Called with what users pressed since the last step."""

    def between_steps(self, run: TrainingRun) -> None:
        """Called before the next step: the moment for what is due from time to time."""

    def on_save_end(self, run: TrainingRun, report: SaveReport) -> None:
        """Called when a save in the background has ended, well or not."""

    def on_broken_weights(self, run: TrainingRun) -> None:
        """Called when weights were found that are not finite."""

    def before_rollback(self, run: TrainingRun) -> None:
        """Called before the weights are replaced by those of the last saved state."""

    def can_leave(self, run: TrainingRun) -> bool:
        """Called when a key asks to leave; False lets the training go on."""
        return True

    def on_stop(self, run: TrainingRun) -> None:
        """Called when the training stops for `run.stop_reason`."""

    def on_error(self, run: TrainingRun) -> None:
        """Called before an error ends the training."""

    def on_end(self, run: TrainingRun) -> None:
        """Called once after the last stop, when everything is saved."""


class ConsoleProgress(Callback):
    """Prints the status line."""

    def on_step(self, run: TrainingRun, step: StepResult) -> None:
        """Print the line of an applied step."""
        if step.applied:
            self.print_status(run)

    def on_stop(self, run: TrainingRun) -> None:
        """Print the last line."""
        if run.stop_reason == "SIGINT":
            run.say("Stopping: the model is being saved. Ctrl-C once more leaves without saving.")
        self.print_status(run, now=True)

    def print_status(self, run: TrainingRun, *, now: bool = False) -> None:
        """Print the status line; where it cannot be rewritten in place only from time to time, or `now`."""
        run.console.show(run.line, now=now)


class LossLog(Callback):
    """Hands the losses of every applied step to a log.

    Args:
        add: Called with the iteration and its losses.
    """

    def __init__(self, add: Callable[[int, Mapping[str, float]], None]) -> None:
        self._add = add

    def on_step(self, run: TrainingRun, step: StepResult) -> None:
        """Log the losses of an applied step."""
        if step.applied:
            self._add(step.iteration, step.losses)


class PreviewUpdates(Callback):
    """Draws the preview on request, on saving, and from time to time.

    Args:
        writer: Draws it.
    """

    def __init__(self, writer: PreviewWriter) -> None:
        self._writer = writer

    def on_commands(self, run: TrainingRun, commands: Sequence[TrainingCommand]) -> None:
        """Show other faces or another range of the chart; many commands draw one preview."""
        for command in commands:
            if command is TrainingCommand.NEXT:
                self._writer.next_page()
            elif command is TrainingCommand.RANGE:
                self._writer.next_range()
        if {TrainingCommand.PREVIEW, TrainingCommand.NEXT, TrainingCommand.RANGE} & set(commands):
            self.refresh(run)

    def between_steps(self, run: TrainingRun) -> None:
        """Draw the preview when the last one is too old."""
        self._attempt(run, lambda: self._writer.refresh_if_due(lambda: facts(run)))
        self._attempt(run, self._writer.keep_history)

    def on_stop(self, run: TrainingRun) -> None:
        """Draw the faces of the final weights."""
        self.refresh(run)

    def refresh(self, run: TrainingRun) -> Path | None:
        """Draw the preview now; return its file, None where it cannot be written."""
        return self._writer.path if self._attempt(run, lambda: self._writer.refresh(facts(run))) else None

    def _attempt(self, run: TrainingRun, work: Callable[[], None]) -> bool:
        """A preview that cannot be written is no reason to stop: False then."""
        try:
            work()
        except UserError as problem:
            run.say(f"No preview, training continues. {problem}", attention=True)
            return False
        return True


class Autosave(Callback):
    """Saves in the background when it is due or requested, and before the training ends.

    Args:
        seconds: Longest time between two saves; those of a young run are closer.
        first_seconds: Time until the first save.
        retry_seconds: Time until the next attempt after one that failed.
        preview: Drawn on saving; or None.
    """

    def __init__(
        self,
        seconds: float,
        *,
        first_seconds: float = 60.0,
        retry_seconds: float = 60.0,
        preview: PreviewUpdates | None = None,
    ) -> None:
        self._seconds = seconds
        self._first_seconds = first_seconds
        self._retry_seconds = retry_seconds
        self._preview = preview
        self._backup_requested = False
        self._began = self._due = 0.0

    def request_backup(self) -> None:
        """Save as soon as possible, and back that state up."""
        self._backup_requested = True

    def on_start(self, run: TrainingRun) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        self._due = self._began + seconds_to_next(self._seconds, 0, self._first_seconds)

    def on_commands(self, run: TrainingRun, commands: Sequence[TrainingCommand]) -> None:
        """Save on request."""
        if TrainingCommand.SAVE in commands:
            self._due = 0.0

    def between_steps(self, run: TrainingRun) -> None:
        """Report the save that has ended, and start the next one when it is due."""
        self._report(run)
        if (time.monotonic() >= self._due or self._backup_requested) and not run.saver.busy:
            self._start(run)

    def before_rollback(self, run: TrainingRun) -> None:
        """Wait for a save in progress: the training goes back to what it saves."""
        self._wait(run)

    def can_leave(self, run: TrainingRun) -> bool:
        """Save; where that fails, somebody is there to make room, and nothing needs to be lost."""
        self._report(run, wait=True)
        session = run.session
        try:
            self._save(run)
        except UserError as problem:
            run.say(
                f"Not saved, so training continues: the last saved state is of iteration {session.saved_iteration}. "
                f"Leave again when that is fixed; Ctrl-C leaves in any case. {problem}",
                attention=True,
            )
            return False
        return True

    def on_stop(self, run: TrainingRun) -> None:
        """Save.

        Raises:
            UserError: The disk is full or the folder is read-only.
        """
        self._report(run, wait=True)
        session = run.session
        try:
            self._save(run)
        except UserError as problem:
            lost = f"What was trained after iteration {session.saved_iteration}, the last saved one, is lost."
            raise UserError(f"{problem.happened} {lost}", problem.expected, problem.fix) from problem

    def on_error(self, run: TrainingRun) -> None:
        """Save what was trained before the error."""
        self.save_after_error(run)

    def save_after_error(self, run: TrainingRun) -> None:
        """Save, unless the error came inside a step or the weights are broken."""
        self._wait(run)
        if not run.unsafe_to_save and run.session.iteration != run.session.saved_iteration:
            with contextlib.suppress(UserError, FloatingPointError):
                run.session.save()

    def _save(self, run: TrainingRun) -> None:
        """Save in this thread what is not saved yet."""
        if run.session.iteration == run.session.saved_iteration:
            return
        try:
            run.session.save()
        except FloatingPointError:
            _notify_broken_weights(run)

    def _start(self, run: TrainingRun) -> None:
        now = time.monotonic()
        self._due = now + seconds_to_next(self._seconds, now - self._began, self._first_seconds)
        backup, self._backup_requested = self._backup_requested, False
        if run.session.iteration == run.session.saved_iteration and not backup:
            return
        # The image in the model folder may be another model's: only one drawn just now is kept beside the backup.
        drawn = self._preview.refresh(run) if backup and self._preview else None
        run.saver.begin(run.session.snapshot(backup=backup, preview=drawn))

    def _wait(self, run: TrainingRun) -> None:
        """Wait for a save in progress, and say nothing about it."""
        report = run.saver.take(wait=True)
        if report:
            _notify_save_end(run, report)
            if report.problem is None:
                run.session.saved_iteration = report.snapshot.iteration

    def _report(self, run: TrainingRun, *, wait: bool = False) -> None:
        """Say how a save ended, if one did.

        Args:
            run: The run.
            wait: Wait for one that is in progress.
        """
        report = run.saver.take(wait=wait)
        if report is None:
            return
        _notify_save_end(run, report)
        if report.problem is None:
            run.say(_saved_text(run, report))
            run.session.saved_iteration = report.snapshot.iteration
            if self._preview:
                self._preview.refresh(run)
            if isinstance(report.unbacked, UserError):
                again = "it is tried again while the training continues"
                run.say(f"Saved, but not backed up; {again}. {report.unbacked}", attention=True)
            elif report.unbacked:
                raise report.unbacked
        elif isinstance(report.problem, FloatingPointError):
            _notify_broken_weights(run)
        elif isinstance(report.problem, UserError):
            # Training continues: space can be made meanwhile, and the next attempt comes soon.
            run.say(f"Not saved, training continues. {report.problem}", attention=True)
            self._due = time.monotonic() + min(self._seconds, self._retry_seconds)
        else:
            raise report.problem


def _notify_save_end(run: TrainingRun, report: SaveReport) -> None:
    for callback in run.callbacks:
        callback.on_save_end(run, report)


def _notify_broken_weights(run: TrainingRun) -> None:
    for callback in run.callbacks:
        callback.on_broken_weights(run)


def _saved_text(run: TrainingRun, report: SaveReport) -> str:
    session, snapshot = run.session, report.snapshot
    losses = session.history.mean(max(1, session.iteration - session.saved_iteration))
    mean = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    backup = " and backed up" if snapshot.backup and not report.unbacked else ""
    return (
        f"Saved{backup} iteration {snapshot.iteration} in {report.seconds:.1f} s; training paused for "
        f"{1000 * report.waited:.0f} ms of it. Mean since the last save: {mean}."
    )


class Backup(Callback):
    """Requests backups: on a key, and from time to time.

    Args:
        autosave: Makes them.
        seconds: Time between two backups; 0 for none but on request.
        retry_seconds: Time until the next attempt after one that failed.
    """

    def __init__(self, autosave: Autosave, seconds: float, *, retry_seconds: float = 60.0) -> None:
        self._retry_seconds = retry_seconds
        self._autosave = autosave
        self._seconds = seconds
        self._due = math.inf

    def on_start(self, run: TrainingRun) -> None:
        """Plan the first backup: the time that no training ran counts too."""
        if self._seconds:
            made = backups.backups(run.session.folder)
            age = time.time() - made[0].stat().st_mtime if made else 0.0
            self._due = time.monotonic() + max(0.0, self._seconds - age)

    def on_commands(self, run: TrainingRun, commands: Sequence[TrainingCommand]) -> None:
        """Back up on request."""
        if TrainingCommand.BACKUP in commands:
            self._autosave.request_backup()

    def between_steps(self, run: TrainingRun) -> None:
        """Back up when it is due."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + (self._seconds or math.inf)
            self._autosave.request_backup()

    def on_save_end(self, run: TrainingRun, report: SaveReport) -> None:
        """Try again soon where a backup was requested and not made."""
        if report.snapshot.backup and (report.problem or report.unbacked):
            self._due = min(self._due, time.monotonic() + self._retry_seconds)


class StatusUpdates(Callback):
    """Publishes the numbers of every step for a page."""

    def on_step(self, run: TrainingRun, step: StepResult) -> None:
        """Publish the numbers of an applied step."""
        if step.applied:
            self.publish_status(run)

    def on_stop(self, run: TrainingRun) -> None:
        """Publish the final numbers."""
        self.publish_status(run)

    def publish_status(self, run: TrainingRun) -> None:
        """Publish the numbers of this moment."""
        if run.status:
            session, times = run.session, run.times
            stats = StepStats(
                session.iteration,
                times.milliseconds,
                times.waiting,
                run.recent_losses,
                session.saved_iteration,
                run.saver.busy,
                run.skipped,
                run.seconds_left,
                run.goal.progress(session.iteration, times),
            )
            run.status.publish(stats, session.history, session.measures)
            run.status.advice = run.advice


class WaitForClose(Callback):
    """After the target, keeps showing previews until window and page are closed; nothing is trained or saved then.

    Args:
        writer: Knows whether a window or a page is open.
    """

    def __init__(self, writer: PreviewWriter) -> None:
        self._writer = writer

    def on_end(self, run: TrainingRun) -> None:
        """Wait, if the target was reached."""
        if run.stop_reason in REACHED and self._writer.open:
            self.wait_for_close(run)

    def wait_for_close(self, run: TrainingRun) -> None:
        """Carry out commands that concern the preview until somebody leaves."""
        run.say(f"{REACHED[run.stop_reason]} and everything is saved. Close window or page, or press Enter, to end.")
        if run.status:
            run.status.state = RunState.REACHED
        while not run.leave_requested and not run.signals.received and self._writer.open:
            run.apply_commands(ignored=(TrainingCommand.SAVE, TrainingCommand.BACKUP))
            time.sleep(0.05)
