"""What the curves of the faces held out say, in plain words, and what to do next."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facewright.core.hints import hint
from facewright.core.workspace import SIDES
from facewright.train.callbacks import Callback, TrainingRun
from facewright.train.console_line import time_text
from facewright.train.history import LossHistory
from facewright.train.plateau import LEAST_GAIN, WINDOW_MINUTES, plateau, plateau_window
from facewright.train.session import TrainingSession

SECONDS_BETWEEN = 600.0  # two words of advice in the terminal, at least
LOOK_SECONDS = 30.0  # between two looks at the losses, where no faces are held out
WINDOW = 60 * WINDOW_MINUTES
LEAST_ROWS, LEAST_SECONDS = 4, 120.0  # measurements and time that say anything
ROWS_OF_WINDOW = 3
WORSE = 0.02  # share by which an error must rise to count as rising
BROKEN = 2.0  # times the best error: no longer the same network
ALIKE, DIFFERENT = 0.3, 0.6  # of `variety`: faces that come out alike, and those that do not
MIXED = 0.3  # of `like src`: below it the swap is dst rather than src
SHARP = 0.8  # of the original's detail: as good as most models become
BY_HEART = 1.5  # times the error of the faces trained on
PARTS = {"face": "", "eyes": " eyes", "mouth": " mouth"}  # -> what is behind the side's name in a column
LONGEST = 86_400.0

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Advice:
    """What to do next.

    Attributes:
        kind: "early" (nothing can be said yet), "improves", "plateau", "overfit", "collapse" or "mixed".
        text: In words; "" where nothing can be said.
        seconds_left: Training that is still worth it; None where that is not known.
    """

    kind: str
    text: str = ""
    seconds_left: float | None = None

    @property
    def bad(self) -> bool:
        """Whether training on as before does harm, or nothing good."""
        return self.kind in ("overfit", "collapse", "mixed")

    @property
    def harmful(self) -> bool:
        """Whether training on as before makes it worse."""
        return self.kind in ("overfit", "collapse")


def advise(curve: LossHistory) -> Advice:
    """Return what the measurements say.

    Args:
        curve: Of the same faces held out, as `TrainingSession.curve`.
    """
    seconds = curve.column("seconds")
    if len(curve) < LEAST_ROWS or seconds[-1] - seconds[0] < LEAST_SECONDS:
        return Advice("early")
    for look in (_collapse, _mixed, _overfit, _plateau):
        found = look(curve)
        if found:
            return found
    return _improves(curve)


def at_rest(session: TrainingSession, milliseconds: float, since: int = 0) -> bool:
    """Whether nothing improves any more: on the faces held out, or where there are none in the losses.

    Args:
        session: The model in training.
        milliseconds: Mean duration of an iteration.
        since: Iteration from which the curves count: that at which a stage began.
    """
    if session.hold_out:
        return _plateau(session.curve.since(since)) is not None
    losses = session.history.values[-max(1, session.iteration - since) :]
    return plateau(losses, plateau_window(milliseconds))


class Coach(Callback):
    """Gives advice: in the terminal from time to time, for the page whenever something was measured.

    Args:
        clock: Seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._measured = -1
        self._said = self._looked = float("-inf")
        self._kind = ""

    def on_start(self, run: TrainingRun) -> None:
        """Begin: the first advice comes after some minutes."""
        self._said = self._looked = self._clock()

    def between_steps(self, run: TrainingRun) -> None:
        """Look at what was measured since the last step."""
        now, session = self._clock(), run.session
        if session.hold_out:
            if session.measured_at != self._measured:
                self._measured = session.measured_at
                self._advise(run, now)
        elif run.goal.plateau and now - self._looked >= LOOK_SECONDS:
            self._looked = now
            run.goal.rested = _rested(run)

    def _advise(self, run: TrainingRun, now: float) -> None:
        found = advise(run.session.curve)
        if found.kind == "plateau" and run.more_stages:
            found = replace(found, text=f"{_rests()}; the next stage of the recipe is still to come.")
        run.advice = found.text
        run.goal.rested = found.harmful or _rested(run)
        run.goal.estimate = None if run.more_stages else found.seconds_left
        news = found.bad and found.kind != self._kind
        if found.text and (news or now - self._said >= SECONDS_BETWEEN):
            self._said, self._kind = now, found.kind
            run.say(found.text, attention=found.bad)


def _rested(run: TrainingRun) -> bool:
    """Whether nothing improves any more, and no stage of a recipe is to come that may change that."""
    return not run.more_stages and at_rest(run.session, run.times.milliseconds, run.since)


def _collapse(curve: LossHistory) -> Advice | None:
    """All faces come out alike, or the error is far above what it was."""
    known = curve.column("variety")
    alike = bool((known[-2:] < ALIKE).all()) and bool((known[:-2] > DIFFERENT).any())
    errors = np.nanmean([curve.column(side) for side in SIDES], axis=0)
    best = int(np.argmin(errors))
    broken = bool((errors[-2:] > BROKEN * errors[best]).all())
    if not alike and not broken:
        return None
    what = "all faces come out alike" if alike else f"the error is {errors[-1] / errors[best]:.1f} times its best"
    at = int(curve.column("iteration")[int(np.nanargmax(known)) if alike else best])
    return Advice(
        "collapse",
        f"The network has collapsed: {what}. It was well at iteration {at}. Stop, go back to a state of before, and "
        f"train on with a smaller learning rate or without GAN:{hint('restore --what model')}",
    )


def _mixed(curve: LossHistory) -> Advice | None:
    """The decoder of src draws dst."""
    rows = _window(curve, WINDOW)
    share = float(np.nanmean(curve.column("like src")[-rows:])) if rows >= ROWS_OF_WINDOW else 1.0
    if not share < MIXED:
        return None
    return Advice(
        "mixed",
        f"The swap looks like dst rather than src ({share:.0%} of the way from dst to src): who it is goes through the "
        "shared code, and more training seldom mends that. A model with a decoder per person and a narrow code helps "
        "(quick, df), and so do faces of src that look where dst looks.",
    )


def _overfit(curve: LossHistory) -> Advice | None:
    """Faces held out get worse while those trained on get better."""
    window = _window(curve, WINDOW)
    if len(curve) < 2 * window or window < ROWS_OF_WINDOW:
        return None
    for side in SIDES:
        held, trained = (_gain(curve.column(name), window) for name in (side, f"{side} trained"))
        if held < -WORSE and trained > LEAST_GAIN:
            return Advice(
                "overfit",
                f"It learns {side}'s faces by heart: in the last {time_text(WINDOW)} those it trains on got "
                f"{trained:.0%} better, those it never sees {-held:.0%} worse. Training on makes the swap worse. More "
                f"varied faces of {side} help; a state of before is among the backups.",
            )
    return None


def _plateau(curve: LossHistory) -> Advice | None:
    """Nothing improves any more."""
    if not len(curve):
        return None
    window = _window(curve, WINDOW)
    values = np.stack([curve.column(side + part) for side in SIDES for part in PARTS.values()], axis=1)
    if window < ROWS_OF_WINDOW or not plateau(values, window):
        return None
    return Advice("plateau", f"{_rests()}: {_next(curve)}", 0.0)


def _rests() -> str:
    return f"Nothing improved for {time_text(2 * WINDOW)} on the faces held out"


def _next(curve: LossHistory) -> str:
    last = curve.last()
    sharp = min(last[f"{side} sharp"] for side in SIDES)
    gap = max(last[side] / max(last[f"{side} trained"], 1e-6) for side in SIDES)
    if gap > BY_HEART:
        return "faces it trains on are much better, so more varied faces help, more time does not. Else convert."
    if sharp < SHARP:
        return (
            f"the faces have {sharp:.2f} of the original's detail. A larger model, or a stage with GAN, makes them "
            "sharper; more time does not. Else convert."
        )
    return "it is done. Convert."


def _improves(curve: LossHistory) -> Advice:
    """What improves most, and for how long it will."""
    seconds = curve.column("seconds")
    span = min(WINDOW, max(LEAST_SECONDS, float(seconds[-1] - seconds[0]) / 2))
    window = max(_window(curve, span), 1)
    gains = {
        f"{side}'s {name}": _gain(curve.column(side + part), min(window, len(curve) // 2))
        for side in SIDES
        for name, part in PARTS.items()
    }
    most = max(gains, key=lambda name: gains[name] if np.isfinite(gains[name]) else -1.0)
    if not gains[most] > 0:
        return Advice("improves", f"Nothing improved in the last {time_text(span)}; that may be chance: train on.")
    verb = "improve" if most.endswith("s") else "improves"
    said = f"{most[0].upper()}{most[1:]} still {verb}, by {gains[most]:.0%} in the last {time_text(span)}"
    left_of_all = [_seconds_left(curve, side + part) for side in SIDES for part in PARTS.values()]
    known = [left for left in left_of_all if left is not None]
    if seconds[-1] - seconds[0] < 2 * WINDOW or not known:
        return Advice("improves", f"{said}: train on.")
    left = min(max(known), LONGEST)
    more = "a day and more" if left == LONGEST else f"about {time_text(_rounded(left))} more"
    return Advice("improves", f"{said}: {more} before nothing does.", left)


def _seconds_left(curve: LossHistory, name: str) -> float | None:
    """Return how long an error goes on to fall by `LEAST_GAIN` per window; None where too little is known.

    It falls as c n^-p with the iterations n, which is fitted to the later two thirds; with the time it does not, where
    something else slowed the machine down for a while. The pace is that of the last window.
    """
    at, seconds, errors = (curve.column(column).astype(float) for column in ("iteration", "seconds", name))
    late = (at > at[-1] / 3) & np.isfinite(errors) & (errors > 0)
    rows = max(2, _window(curve, WINDOW))
    pace = (at[-1] - at[-rows]) / max(seconds[-1] - seconds[-rows], 1e-9)
    if late.sum() < ROWS_OF_WINDOW or not pace > 0:
        return None
    power = -float(np.polyfit(np.log(at[late]), np.log(errors[late]), 1)[0])
    return max(0.0, power * WINDOW / LEAST_GAIN - at[-1] / pace)


def _window(curve: LossHistory, span: float) -> int:
    """Return how many of the newest measurements lie within so many seconds."""
    seconds = curve.column("seconds")
    return int((seconds > seconds[-1] - span).sum())


def _gain(values: Values, window: int) -> float:
    """Return the share by which the mean fell from the window before the last one to the last one."""
    before, last = (float(np.nanmean(part)) for part in (values[-2 * window : -window], values[-window:]))
    return (before - last) / max(before, 1e-9)


def _rounded(seconds: float) -> float:
    """Return a time as somebody would say it: to five minutes below an hour, else to half an hour."""
    step = 60 if seconds < 600 else 300 if seconds < 3600 else 1800
    return max(60.0, step * round(seconds / step))
