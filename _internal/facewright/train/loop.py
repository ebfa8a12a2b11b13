"""The training loop: step, tell, look at the keys, save in time, stop cleanly."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from facewright.core.errors import UserError
from facewright.nn import backups
from facewright.train.console_line import RECENT, Status
from facewright.train.divergence import RETURNS, Answer, Trouble
from facewright.train.keys import Command, Keys
from facewright.train.prefetch import Feed, Source
from facewright.train.preview_writer import View
from facewright.train.saver import Report, Saver, seconds_to_next
from facewright.train.session import Session
from facewright.train.signals import Signals
from facewright.train.status import Board, Phase, Standing

RETRY_SECONDS = 60.0  # until the next attempt after a saving or a backup that failed


@dataclass(frozen=True)
class Plan:
    """What the user asked for.

    Attributes:
        batch: Faces per side and iteration.
        target: Iteration at which to stop; 0 for none.
        save_seconds: Longest time between two autosaves; those of a young run are closer.
        backup_seconds: Time between two backups; 0 for none.
        linger: Whether the window stays open for previews when the target is reached.
    """

    batch: int
    target: int = 0
    save_seconds: float = 600.0
    backup_seconds: float = 0.0
    linger: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        reason: "target", "key", or the name of a signal.
        steps: Iterations of this run.
        skipped: Steps that broke and were not applied.
        milliseconds: Mean time of the last iterations.
        waiting: Share of it spent waiting for data, 0..1.
    """

    reason: str
    steps: int
    milliseconds: float
    waiting: float
    skipped: int = 0


class Loop:
    """Trains a session until the target, a key or a signal; then saves.

    Args:
        session: The model; it is changed and saved.
        sources: Samplers of src and dst.
        plan: What the user asked for.
        keys: Where keys come from: the terminal, the window, the page.
        view: The preview, or None.
        listeners: Called with the iteration and its losses after each step (a log, say).
        board: Where a page finds how the training stands, or None.
    """

    def __init__(
        self,
        session: Session,
        sources: tuple[Source, Source],
        plan: Plan,
        keys: Sequence[Keys] = (),
        view: View | None = None,
        listeners: Sequence[Callable[[int, Mapping[str, float]], None]] = (),
        board: Board | None = None,
    ) -> None:
        self._session = session
        self._sources = sources
        self._plan = plan
        self._keys = keys
        self._view = view
        self._listeners = listeners
        self._board = board
        self._status = Status(board)
        self._saver = Saver()
        self._trouble = Trouble()
        self._steps = 0
        self._leaving = False
        self._spoiled = False
        self._wants_backup = False
        self._told = session.iteration
        self._began = now = time.monotonic()
        self._save_due = now + seconds_to_next(plan.save_seconds, 0)
        self._backup_due = now + _until_backup(session, plan.backup_seconds)

    def run(self) -> Outcome:
        """Train.

        Returns:
            How it ended; the model is saved then.

        Raises:
            UserError: A face cannot be read (the model is saved first), the loss breaks again and again, or the
                last saving fails.
        """
        with ExitStack() as stack:
            signals = stack.enter_context(Signals())
            src, dst = (stack.enter_context(Feed(source, self._plan.batch)) for source in self._sources)
            stack.callback(self._status.clear)
            while True:
                reason = self._train(src, dst, signals)
                if reason == "SIGINT":
                    self._status.say("Stopping: the model is being saved. Ctrl-C once more leaves without saving.")
                self._finish(leaving=reason != "target")
                # Weights that broke unseen are found when they are saved; the way back leads before the target.
                if reason != "target" or self._session.iteration >= self._plan.target:
                    break
            if reason == "target" and self._plan.linger and self._view and self._view.open:
                self._linger(signals)
        skipped = self._trouble.skipped
        return Outcome(reason, self._steps, self._status.milliseconds, self._status.waiting, skipped)

    def _train(self, src: Feed, dst: Feed, signals: Signals) -> str:
        """Train until there is a reason to stop; return it."""
        reason = ""
        try:
            while not reason:
                self._iterate(src, dst)
                self._after_step()
                reason = self._leave_because(signals)
                if reason == "key" and not self._saved():
                    self._leaving, reason = False, ""
        except Exception:
            self._rescue()
            raise
        return reason

    def _iterate(self, src: Feed, dst: Feed) -> None:
        began = time.monotonic()
        batches = src.get(), dst.get()
        waited = time.monotonic() - began
        self._spoiled = True
        losses = self._session.model.train_on(*batches)
        self._spoiled = False
        if not all(math.isfinite(value) for value in losses.values()):
            self._answer(self._trouble.bad())
            return
        self._trouble.good()
        session = self._session
        session.history.append(losses)
        session.iteration += 1
        session.samplers = {"src": src.state, "dst": dst.state}
        self._steps += 1
        self._status.add(time.monotonic() - began, waited)
        self._tell()
        for listener in self._listeners:
            listener(session.iteration, losses)

    def _after_step(self) -> None:
        self._obey([command for keys in self._keys for command in keys.poll()])
        now = time.monotonic()
        self._take_report()
        if now >= self._backup_due:
            self._backup_due = now + (self._plan.backup_seconds or math.inf)
            self._wants_backup = True
        if (now >= self._save_due or self._wants_backup) and not self._saver.busy:
            self._begin_saving()
        if self._view:
            self._draw(lambda view: view.refresh_if_due(self._line()))
            self._draw(View.keep_history)

    def _obey(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if command is Command.LEAVE:
                self._leaving = True
            elif command is Command.SAVE:
                self._save_due = 0.0
            elif command is Command.BACKUP:
                self._wants_backup = True
            elif self._view and command is Command.NEXT:
                self._view.next_page()
            elif self._view and command is Command.RANGE:
                self._view.next_range()
        if any(command in (Command.PREVIEW, Command.NEXT, Command.RANGE) for command in commands):
            self._refresh()

    def _leave_because(self, signals: Signals) -> str:
        if signals.asked:
            return signals.asked
        if self._leaving:
            return "key"
        reached = self._plan.target and self._session.iteration >= self._plan.target
        return "target" if reached else ""

    def _begin_saving(self) -> None:
        now = time.monotonic()
        self._save_due = now + seconds_to_next(self._plan.save_seconds, now - self._began)
        backup, self._wants_backup = self._wants_backup, False
        if self._session.iteration == self._session.saved_iteration and not backup:
            return
        # The picture in the model folder may be another model's: only one drawn just now is kept beside the backup.
        drawn = self._view.path if backup and self._view and self._refresh() else None
        self._saver.begin(self._session.content(backup=backup, preview=drawn))

    def _take_report(self, *, wait: bool = False, leaving: bool = False) -> None:
        """Tell how a saving ended, when one did.

        Args:
            wait: Wait for one that is under way.
            leaving: Whether the training ends now.
        """
        report = self._saver.take(wait=wait)
        if report is None:
            return
        self._plan_backup(report)
        if report.problem is None:
            self._session.saved_iteration = report.content.iteration
            self._status.say(self._saved_words(report))
            self._refresh()
            if isinstance(report.unbacked, UserError):
                again = "it is tried again while the training goes on"
                self._status.say(f"Saved, but not backed up; {again}. {report.unbacked}", attention=True)
            elif report.unbacked:
                raise report.unbacked
        elif isinstance(report.problem, FloatingPointError):
            self._answer(self._trouble.broken(), leaving=leaving)
        elif isinstance(report.problem, UserError):
            # Training goes on: space can be made while it does, and the next attempt comes soon.
            self._status.say(f"Not saved, training goes on. {report.problem}", attention=True)
            self._save_due = time.monotonic() + min(self._plan.save_seconds, RETRY_SECONDS)
        else:
            raise report.problem

    def _plan_backup(self, report: Report) -> None:
        """Try soon again where a backup was wanted and not made."""
        if report.content.backup and (report.problem or report.unbacked):
            self._backup_due = min(self._backup_due, time.monotonic() + RETRY_SECONDS)

    def _saved_words(self, report: Report) -> str:
        iteration = report.content.iteration
        losses = self._session.history.mean(max(1, self._session.iteration - self._told))
        self._told = self._session.iteration
        mean = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        backup = " and backed up" if report.content.backup and not report.unbacked else ""
        return (
            f"Saved{backup} iteration {iteration} in {report.seconds:.1f} s; training stood still for "
            f"{1000 * report.waited:.0f} ms of it. Mean since the last time: {mean}."
        )

    def _rescue(self) -> None:
        """Save what was trained before an error, unless it came in the middle of a step or the weights are broken."""
        self._await_saving()
        if not self._spoiled and self._session.iteration != self._session.saved_iteration:
            with contextlib.suppress(UserError, FloatingPointError):
                self._session.save()

    def _await_saving(self) -> None:
        """Wait for a saving that is under way: what it saves is what the training goes back to."""
        report = self._saver.take(wait=True)
        if report:
            self._plan_backup(report)
        if report and report.problem is None:
            self._session.saved_iteration = report.content.iteration

    def _answer(self, answer: Answer, *, leaving: bool = False) -> None:
        """Do something about a step that broke, or about weights that are no numbers.

        Args:
            answer: What is to be done.
            leaving: Whether the training ends now: it does not go on from the saved state then.
        """
        at = self._session.iteration
        if answer is Answer.PASS:
            if self._trouble.skipped == 1:
                self._status.say(
                    f"The step after iteration {at} broke: its loss is no number, or more than ten times the usual. "
                    "It was not applied, the weights are as before.",
                    attention=True,
                )
            return
        self._await_saving()
        if answer is Answer.GIVE_UP:
            self._spoiled = True
            raise UserError(
                f"The training broke again at iteration {at}, after {RETURNS - 1} ways back to a saved state.",
                "a loss that falls.",
                "the last saved state is whole. Look for damaged faces with 4.1_src_view_faces, try "
                "--precision float32 or a larger --batch-size, or go back further with "
                "main.py restore --what model.",
            )
        self._session.recover()
        self._told = min(self._told, self._session.iteration)
        saved = self._session.iteration
        self._status.say(
            f"The weights are no numbers any more after iteration {at}: the model stays as saved at iteration {saved}."
            if leaving
            else f"The training broke after iteration {at}; going on from the saved iteration {saved} with half the "
            "step size.",
            attention=True,
        )

    def _saved(self) -> bool:
        """Save before leaving; where that fails somebody is there to make room, and nothing needs to be lost."""
        self._take_report(wait=True, leaving=True)
        session = self._session
        try:
            if session.iteration != session.saved_iteration:
                session.save()
        except FloatingPointError:
            self._answer(self._trouble.broken(), leaving=True)
        except UserError as problem:
            self._status.say(
                f"Not saved, so training goes on: the last saved state is of iteration {session.saved_iteration}. "
                f"Leave again when that is mended; Ctrl-C leaves all the same. {problem}",
                attention=True,
            )
            return False
        return True

    def _finish(self, *, leaving: bool) -> None:
        self._tell(now=True)
        self._take_report(wait=True, leaving=leaving)
        session = self._session
        if session.iteration != session.saved_iteration:
            try:
                session.save()
            except FloatingPointError:
                self._answer(self._trouble.broken(), leaving=leaving)
            except UserError as problem:
                lost = f"What was trained after iteration {session.saved_iteration}, the last saved one, is lost."
                raise UserError(f"{problem.happened} {lost}", problem.expected, problem.fix) from problem
        self._stand()
        self._refresh()

    def _linger(self, signals: Signals) -> None:
        """Show previews until the window is closed; nothing is trained or saved any more."""
        self._status.say("The target is reached and all is saved. Close window or page, or press Enter, to end.")
        if self._board:
            self._board.phase = Phase.REACHED
        while not self._leaving and not signals.asked and self._view and self._view.open:
            pressed = [command for keys in self._keys for command in keys.poll()]
            self._obey([command for command in pressed if command not in (Command.SAVE, Command.BACKUP)])
            time.sleep(0.05)

    def _refresh(self) -> bool:
        return self._draw(lambda view: view.refresh(self._line()))

    def _draw(self, work: Callable[[View], None]) -> bool:
        """Do something with the preview; a picture that cannot be written is no reason to stop: False then."""
        if self._view:
            try:
                work(self._view)
            except UserError as problem:
                self._status.say(f"No preview, training goes on. {problem}", attention=True)
                return False
        return True

    def _line(self) -> str:
        return self._status.line(self._session.iteration, self._session.history.mean(RECENT))

    def _tell(self, *, now: bool = False) -> None:
        """Say on the terminal how the training stands, and put it down for a page."""
        self._status.show(self._line(), now=now)
        self._stand()

    def _stand(self) -> None:
        if self._board:
            session, status = self._session, self._status
            standing = Standing(
                session.iteration,
                status.milliseconds,
                status.waiting,
                session.history.mean(RECENT),
                session.saved_iteration,
                self._saver.busy,
                self._trouble.skipped,
            )
            self._board.stand(standing, session.history)


def _until_backup(session: Session, every: float) -> float:
    """Return the seconds until the next backup is due: the time that no training ran counts too."""
    if not every:
        return math.inf
    made = backups.backups(session.folder)
    age = time.time() - made[0].stat().st_mtime if made else 0.0
    return max(0.0, every - age)
