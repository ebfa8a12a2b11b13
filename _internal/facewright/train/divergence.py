"""What to do about steps that diverge: skip one, roll back after several, abort where that does not help."""

from collections import deque
from enum import Enum

from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.train.callbacks import Callback, StepResult, TrainingRun

SKIPS_TO_ROLLBACK, SKIP_WINDOW = 5, 50  # this many skipped steps of this many: the weights themselves went astray
ROLLBACKS_TO_ABORT, ROLLBACK_WINDOW = 3, 5000  # this many rollbacks within this many steps: they do not help


class DivergenceAction(Enum):
    """What is done about a step that diverged."""

    SKIP = "skip"
    ROLLBACK = "rollback"
    ABORT = "abort"


class DivergenceMonitor(Callback):
    """Watches for losses and weights that are not finite or explode.

    The step itself leaves the weights as they were then; see `nn.finite_guard`.
    """

    def __init__(self) -> None:
        self._step = 0
        self._skips: deque[int] = deque(maxlen=SKIPS_TO_ROLLBACK)
        self._rollbacks: deque[int] = deque(maxlen=ROLLBACKS_TO_ABORT)

    def count_step(self, *, applied: bool) -> DivergenceAction | None:
        """Count a step; return what is to be done, None after an applied one."""
        self._step += 1
        if applied:
            return None
        self._skips.append(self._step)
        if len(self._skips) < SKIPS_TO_ROLLBACK or self._step - self._skips[0] >= SKIP_WINDOW:
            return DivergenceAction.SKIP
        return self.count_broken_weights()

    def count_broken_weights(self) -> DivergenceAction:
        """Count weights that are unusable; return what is to be done."""
        self._skips.clear()
        self._rollbacks.append(self._step)
        stuck = len(self._rollbacks) == ROLLBACKS_TO_ABORT and self._step - self._rollbacks[0] < ROLLBACK_WINDOW
        return DivergenceAction.ABORT if stuck else DivergenceAction.ROLLBACK

    def on_step(self, run: TrainingRun, step: StepResult) -> None:
        """Handle a step that was not applied."""
        action = self.count_step(applied=step.applied)
        if action:
            self.handle_divergence(run, action)

    def on_broken_weights(self, run: TrainingRun) -> None:
        """Handle weights that are not finite."""
        self.handle_divergence(run, self.count_broken_weights())

    def handle_divergence(self, run: TrainingRun, action: DivergenceAction) -> None:
        """Do what was decided.

        Raises:
            UserError: The training is aborted.
        """
        at = run.session.iteration
        if action is DivergenceAction.SKIP:
            if run.skipped == 1:
                run.say(
                    f"The step after iteration {at} diverged: its loss is not finite, or more than ten times the "
                    "usual. It was not applied, the weights are as before.",
                    attention=True,
                )
            return
        for callback in run.callbacks:
            callback.before_rollback(run)
        if action is DivergenceAction.ABORT:
            run.unsafe_to_save = True
            raise UserError(
                f"The training diverged again at iteration {at}, after {ROLLBACKS_TO_ABORT - 1} rollbacks to a saved "
                "state.",
                "a loss that falls.",
                "the last saved state is usable. Look for damaged faces, try --precision float32 or a larger "
                f"--batch-size, or go back further:{hint('view --side src')}{hint('restore --what model')}",
            )
        run.session.recover()
        saved = run.session.iteration
        run.say(
            f"The weights are not finite after iteration {at}: the model stays as saved at iteration {saved}."
            if run.leaving
            else f"The training diverged after iteration {at}; it continues from the saved iteration {saved} with half "
            "the learning rate.",
            attention=True,
        )
