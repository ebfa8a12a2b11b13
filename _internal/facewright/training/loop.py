"""The training loop: step, tell, look at the keys, save in time, stop cleanly."""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from facewright.core.errors import UserError
from facewright.training.feed import Feed, Source
from facewright.training.keys import Command, Keys
from facewright.training.session import Session
from facewright.training.signals import Signals
from facewright.training.status import RECENT, Status
from facewright.training.view import View

RETRY_SECONDS = 60.0  # until the next attempt after an autosave that failed


@dataclass(frozen=True)
class Plan:
    """What the user asked for.

    Attributes:
        batch: Faces per side and iteration.
        target: Iteration at which to stop; 0 for none.
        save_seconds: Time between two autosaves.
    """

    batch: int
    target: int = 0
    save_seconds: float = 600.0


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        reason: "target", "key", or the name of a signal.
        steps: Iterations of this run.
        milliseconds: Mean time of the last iterations.
        waiting: Share of it spent waiting for data, 0..1.
    """

    reason: str
    steps: int
    milliseconds: float
    waiting: float


class Loop:
    """Trains a session until the target, a key or a signal; then saves.

    Args:
        session: The model; it is changed and saved.
        sources: Samplers of src and dst.
        plan: What the user asked for.
        keys: Where keys come from: the terminal, the window.
        view: The preview, or None.
    """

    def __init__(
        self,
        session: Session,
        sources: tuple[Source, Source],
        plan: Plan,
        keys: Sequence[Keys] = (),
        view: View | None = None,
    ) -> None:
        self._session = session
        self._sources = sources
        self._plan = plan
        self._keys = keys
        self._view = view
        self._status = Status()
        self._steps = 0
        self._recovered = False
        self._leaving = False
        self._mid_step = False
        self._save_due = time.monotonic() + plan.save_seconds

    def run(self) -> Outcome:
        """Train.

        Returns:
            How it ended; the model is saved then.

        Raises:
            UserError: A face cannot be read (the model is saved first), the loss breaks twice, or the last
                saving fails.
        """
        with ExitStack() as stack:
            signals = stack.enter_context(Signals())
            src, dst = (stack.enter_context(Feed(source, self._plan.batch)) for source in self._sources)
            stack.callback(self._status.clear)
            reason = ""
            try:
                while not reason:
                    self._iterate(src, dst)
                    reason = self._leave_because(signals)
            except Exception:
                self._rescue()
                raise
            if reason == "SIGINT":
                self._status.say("Stopping: the model is being saved. Ctrl-C once more leaves without saving.")
            self._finish()
        return Outcome(reason, self._steps, self._status.milliseconds, self._status.waiting)

    def _iterate(self, src: Feed, dst: Feed) -> None:
        began = time.monotonic()
        batches = src.get(), dst.get()
        waited = time.monotonic() - began
        self._mid_step = True
        losses = self._session.model.train_on(*batches)
        self._mid_step = False
        if not all(math.isfinite(value) for value in losses.values()):
            self._recover()
            return
        session = self._session
        session.history.append(losses)
        session.iteration += 1
        session.samplers = {"src": src.state, "dst": dst.state}
        self._steps += 1
        self._status.add(time.monotonic() - began, waited)
        self._status.show(self._line())
        self._after_step()

    def _after_step(self) -> None:
        for command in [command for keys in self._keys for command in keys.poll()]:
            self._obey(command)
        if time.monotonic() >= self._save_due:
            self._autosave()
            self._refresh()
        if self._view:
            self._draw(lambda view: view.refresh_if_due(self._line()))
            self._draw(View.keep_history)

    def _obey(self, command: Command) -> None:
        if command is Command.LEAVE:
            self._leaving = True
        elif command is Command.SAVE:
            self._autosave()
        elif self._view:
            if command is Command.NEXT:
                self._view.next_page()
            self._refresh()

    def _leave_because(self, signals: Signals) -> str:
        if signals.asked:
            return signals.asked
        if self._leaving:
            return "key"
        reached = self._plan.target and self._session.iteration >= self._plan.target
        return "target" if reached else ""

    def _autosave(self) -> None:
        self._save_due = time.monotonic() + self._plan.save_seconds
        try:
            began = time.monotonic()
            self._save_if_changed()
        except UserError as problem:
            # Training goes on: space can be made while it does, and the next attempt comes soon.
            self._status.say(f"Not saved, training goes on. {problem}", attention=True)
            self._save_due = time.monotonic() + min(self._plan.save_seconds, RETRY_SECONDS)
            return
        self._status.say(f"Saved iteration {self._session.iteration} in {time.monotonic() - began:.1f} s.")

    def _rescue(self) -> None:
        """Save what was trained before an error, unless the error came in the middle of a step."""
        if not self._mid_step:
            with contextlib.suppress(UserError):
                self._save_if_changed()

    def _save_if_changed(self) -> None:
        if self._session.iteration == self._session.saved_iteration:
            return
        try:
            self._session.save()
        except FloatingPointError:
            self._recover()

    def _recover(self) -> None:
        """Go back to the last saved state once; the second time give up."""
        broken = self._session.iteration
        if self._recovered:
            raise UserError(
                f"The loss is no longer a number at iteration {broken}, for the second time.",
                "a loss that falls.",
                "start again: the last saved state is whole. --precision float32 or a larger --batch-size may help.",
            )
        self._recovered = True
        self._session.recover()
        self._status.say(
            f"The loss was no longer a number after iteration {broken}; going on from the saved iteration "
            f"{self._session.iteration}.",
            attention=True,
        )

    def _finish(self) -> None:
        self._status.show(self._line(), now=True)
        self._save_if_changed()
        self._refresh()

    def _refresh(self) -> None:
        self._draw(lambda view: view.refresh(self._line()))

    def _draw(self, work: Callable[[View], None]) -> None:
        """Do something with the preview; a picture that cannot be written is no reason to stop."""
        if self._view:
            try:
                work(self._view)
            except UserError as problem:
                self._status.say(f"No preview, training goes on. {problem}", attention=True)

    def _line(self) -> str:
        return self._status.line(self._session.iteration, self._session.history.mean(RECENT))
