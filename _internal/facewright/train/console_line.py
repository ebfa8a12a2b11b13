"""The status line of a training, rewritten in place on a terminal, and the step times it shows."""

import contextlib
import math
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping

from facewright.core import console
from facewright.train.history import ERROR_TITLES

RECENT_STEPS = 50  # iterations that the means stand for
LONG_MS = 10_000  # from here on a time is shown in seconds
SECONDS_BETWEEN_LINES = 15.0  # where a line cannot be rewritten in place


class StepTimes:
    """Durations of the recent iterations."""

    def __init__(self) -> None:
        self._times: deque[tuple[float, float]] = deque(maxlen=RECENT_STEPS)
        self._steps = 0

    def add(self, seconds: float, waited: float) -> None:
        """Record an iteration.

        Args:
            seconds: Its duration, waiting included.
            waited: How much of that was spent waiting for data.
        """
        self._steps += 1
        if self._steps == 2:  # the first iteration compiled the step and says nothing about the others
            self._times.clear()
        self._times.append((seconds, waited))

    @property
    def milliseconds(self) -> float:
        """Mean duration of the recent iterations."""
        return 1000 * sum(seconds for seconds, _ in self._times) / max(len(self._times), 1)

    @property
    def waiting(self) -> float:
        """Share of the recent time that was spent waiting for data, 0..1."""
        return sum(waited for _, waited in self._times) / max(sum(seconds for seconds, _ in self._times), 1e-9)

    def seconds_left(self, iteration: int, target: int) -> float | None:
        """Return the time until the target at the pace of the recent iterations; None where that is not known."""
        if not target or self._steps < 2:
            return None
        return max(0, target - iteration) * self.milliseconds / 1000


class ConsoleLine:
    """Prints the status line, and messages above it. A lost terminal or pipe does not end the training."""

    def __init__(self) -> None:
        self._written = 0
        self._printed_at = -SECONDS_BETWEEN_LINES
        self._last = ""
        self._terminal = sys.stdout is not None and sys.stdout.isatty()

    def show(self, text: str, *, now: bool = False) -> None:
        """Print the line after the time of day; without a terminal only from time to time.

        Args:
            text: The line.
            now: Print it in any case, but never twice.
        """
        if console.quiet():
            return
        timed = f"{time.strftime('%H:%M:%S')}  {text}"
        with _tolerating_lost_output():
            if self._terminal:
                width = shutil.get_terminal_size().columns - 1
                sys.stdout.write("\r" + timed[:width].ljust(min(self._written, width)))
                sys.stdout.flush()
                self._written = len(timed)
            elif text != self._last and (now or time.monotonic() - self._printed_at >= SECONDS_BETWEEN_LINES):
                self._printed_at, self._last = time.monotonic(), text
                console.say(timed)

    def say(self, text: str, *, attention: bool = False) -> None:
        """Print a message above the status line."""
        self.clear()
        with _tolerating_lost_output():
            (console.warn if attention else console.say)(text)

    def clear(self) -> None:
        """Erase the line from the terminal."""
        if self._terminal and self._written:
            width = min(self._written, shutil.get_terminal_size().columns - 1)
            with _tolerating_lost_output():
                sys.stdout.write("\r" + " " * width + "\r")
                sys.stdout.flush()
            self._written = 0


@contextlib.contextmanager
def _tolerating_lost_output() -> Iterator[None]:
    """Continue, and print nothing from then on, when the terminal or the pipe behind the output is gone."""
    try:
        yield
    except OSError:
        console.discard_output()


def status_line(
    iteration: int, losses: Mapping[str, float], times: StepTimes, left: float | None = None, held_out: str = ""
) -> str:
    """Return the text of the line.

    Args:
        iteration: Steps so far.
        losses: Mean of the recent losses by name.
        times: Of the recent iterations.
        left: Seconds until the training stops; None where that is not known.
        held_out: What was last measured on faces held out, see `held_out_text`.
    """
    until = "" if left is None else f"{time_text(left)} left  "
    shown = "  ".join([*(f"{name} {value:.4f}" for name, value in losses.items()), *([held_out] if held_out else [])])
    return f"#{iteration:06d}  {duration(times.milliseconds):>9}  {until}data wait {times.waiting:4.1%}  {shown}"


def held_out_text(measures: Mapping[str, float]) -> str:
    """Say in a few words what was measured on faces held out: errors in percent; "" where nothing was."""
    known = [
        f"{title} {measures[name]:.2f}"
        for name, title in ERROR_TITLES.items()
        if math.isfinite(measures.get(name, math.nan))
    ]
    return f"held out {' '.join(known)} %" if known else ""


def duration(milliseconds: float) -> str:
    """Format the duration of an iteration: "200 ms", from ten seconds on "12.3 s"."""
    return f"{milliseconds:.0f} ms" if milliseconds < LONG_MS else f"{milliseconds / 1000:.1f} s"


def time_text(seconds: float) -> str:
    """Format a longer time, as the page does: "40 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    rounded = round(seconds)
    minutes = round(rounded / 60)
    hours = minutes // 60
    if rounded < 60:
        return f"{rounded} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
