"""When a training stops by itself: at an iteration, after some time, at a time of day, or when nothing improves any
more; and how far it is.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from facewright.core.errors import UserError
from facewright.train.console_line import StepTimes, time_text

# Reasons for which a training stops by itself.
REACHED = MappingProxyType(
    {"target": "The target is reached", "time": "The time is over", "plateau": "Nothing improves any more"}
)
PLATEAU = "plateau"
RESTART = "restart"  # the reason for which a round of a training ends and another begins
SPAN = re.compile(r"(?:(\d{1,3})\s*d)?\s*(?:(\d{1,4}(?:\.\d+)?)\s*h)?\s*(?:(\d{1,5})\s*m(?:in)?)?\s*(?:(\d{1,6})\s*s)?")
DAY_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def parse_span(text: str) -> float:
    """Turn "10m", "1h30m", "1.5h", "2d" or "90s" into seconds; "" into 0.

    Raises:
        UserError: It is no length of time.
    """
    found = SPAN.fullmatch(text.strip().lower())
    days, hours, minutes, seconds = (float(part or 0) for part in (found.groups() if found else (None,) * 4))
    span = 86_400 * days + 3600 * hours + 60 * minutes + seconds
    if text.strip() and not span:
        raise UserError(
            f"{text.strip()!r} is no length of time (--for).",
            "days, hours, minutes or seconds with their letter.",
            "give for example --for 10m, --for 1h30m or --for 2d.",
        )
    return span


def parse_time_of_day(text: str, now: datetime | None = None) -> float:
    """Turn "07:00" into the next moment at which the clock shows that, in seconds since 1970; "", "plateau" into 0.

    Raises:
        UserError: It is no time of day.
    """
    if text.strip().lower() in ("", PLATEAU):
        return 0.0
    found = DAY_TIME.fullmatch(text.strip())
    if not found:
        raise UserError(
            f"{text.strip()!r} is no time of day (--until).",
            "hours and minutes, from 00:00 to 23:59; or plateau.",
            "give for example --until 07:00, --until 22:30 or --until plateau.",
        )
    now = now or datetime.now()
    moment = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    return (moment if moment > now else moment + timedelta(days=1)).timestamp()


@dataclass
class Goal:
    """What a training aims at; what comes first ends it.

    Attributes:
        iteration: At which it stops; 0 for none.
        seconds: How long it trains in this run; 0 for as long as it likes.
        at: Moment at which it stops, in seconds since 1970; 0 for none.
        plateau: Whether it stops when nothing improves any more.
        rested: Whether nothing does: set by who looks at the curves.
        estimate: Time that is still worth training, by the curves; None where not known.
        clock: Seconds that never run backwards.
        wall: Seconds since 1970.
        began: When its time began to count, by the clock; None before.
    """

    iteration: int = 0
    seconds: float = 0.0
    at: float = 0.0
    plateau: bool = False
    rested: bool = False
    estimate: float | None = None
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    began: float | None = None

    def start(self) -> None:
        """Begin a round: the first one begins to count the time; what came to rest may move again."""
        self.began = self.clock() if self.began is None else self.began
        self.rested, self.estimate = False, None

    def __bool__(self) -> bool:
        return bool(self.iteration or self.seconds or self.at or self.plateau)

    def describe(self) -> str:
        """Say it in a few words."""
        said = [f"iteration {self.iteration}"] if self.iteration else []
        said += [f"{time_text(self.seconds)} of training"] if self.seconds else []
        said += [f"at {datetime.fromtimestamp(self.at):%H:%M}"] if self.at else []
        said += ["when nothing improves any more"] if self.plateau else []
        if not said:
            return "none: it trains until you stop it"
        return " or ".join(said) + (", whichever comes first" if len(said) > 1 else "")

    def reason(self, iteration: int) -> str:
        """Return why to stop at an iteration, one of `REACHED`; "" where there is no reason."""
        if 0 < self.iteration <= iteration:
            return "target"
        if self._time_left() == 0:
            return "time"
        return PLATEAU if self.plateau and self.rested else ""

    def seconds_left(self, iteration: int, times: StepTimes) -> float | None:
        """Return the time until it stops, the iterations at the pace of the recent ones; None where not known."""
        estimate = self.estimate if self.plateau else None
        left = [times.seconds_left(iteration, self.iteration), self._time_left(), estimate]
        return min((value for value in left if value is not None), default=None)

    def progress(self, iteration: int, times: StepTimes) -> float | None:
        """Return how much of the way is done, 0..1: of the iterations, or of the time that this run has."""
        left, until = self._time_left(), times.seconds_left(iteration, self.iteration)
        if left is not None and (until is None or left < until):
            done = self._done()
            return done / max(done + left, 1e-9)
        return min(1.0, iteration / self.iteration) if self.iteration else None

    def _time_left(self) -> float | None:
        left = [self.seconds - self._done()] if self.seconds else []
        left += [self.at - self.wall()] if self.at else []
        return max(0.0, min(left)) if left else None

    def _done(self) -> float:
        return 0.0 if self.began is None else self.clock() - self.began
