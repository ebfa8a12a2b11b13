"""One line that tells how the training stands, rewritten in place on a terminal."""

import contextlib
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping

from facewright.core import console
from facewright.train.status import Board

RECENT = 50  # iterations that the means stand for
LONG_MS = 10_000  # from here on a time is said in seconds
QUIET_SECONDS = 15.0  # between two lines where nothing can be rewritten


class Status:
    """Times of the recent iterations, and the line.

    Args:
        board: Where what is said is put down too, for a page.
    """

    def __init__(self, board: Board | None = None) -> None:
        self._board = board
        self._times: deque[tuple[float, float]] = deque(maxlen=RECENT)
        self._steps = 0
        self._written = 0
        self._said = -QUIET_SECONDS
        self._last = ""
        self._terminal = sys.stdout is not None and sys.stdout.isatty()

    def add(self, seconds: float, waited: float) -> None:
        """Note an iteration.

        Args:
            seconds: What it took, waiting included.
            waited: How long of that it waited for data.
        """
        self._steps += 1
        if self._steps == 2:  # the first iteration built the network's program and says nothing of the others
            self._times.clear()
        self._times.append((seconds, waited))

    @property
    def milliseconds(self) -> float:
        """Mean time of the recent iterations."""
        return 1000 * sum(t for t, _ in self._times) / max(len(self._times), 1)

    @property
    def waiting(self) -> float:
        """Share of the recent time that was spent waiting for data, 0..1."""
        return sum(w for _, w in self._times) / max(sum(t for t, _ in self._times), 1e-9)

    def line(self, iteration: int, losses: Mapping[str, float]) -> str:
        """Return the line.

        Args:
            iteration: Steps so far.
            losses: Mean of the recent losses by name.
        """
        shown = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        return f"#{iteration:06d}  {duration(self.milliseconds):>9}  data wait {self.waiting:4.1%}  {shown}"

    def show(self, text: str, *, now: bool = False) -> None:
        """Write the line behind the time of day; without a terminal only from time to time.

        Args:
            text: The line.
            now: Write it in any case, but never twice.
        """
        timed = f"{time.strftime('%H:%M:%S')}  {text}"
        with _whether_heard_or_not():
            if self._terminal:
                width = shutil.get_terminal_size().columns - 1
                sys.stdout.write("\r" + timed[:width].ljust(min(self._written, width)))
                sys.stdout.flush()
                self._written = len(timed)
            elif text != self._last and (now or time.monotonic() - self._said >= QUIET_SECONDS):
                self._said, self._last = time.monotonic(), text
                console.say(timed)

    def say(self, text: str, *, attention: bool = False) -> None:
        """Print a line of its own above the status line."""
        if self._board:
            self._board.note(text, attention=attention)
        self.clear()
        with _whether_heard_or_not():
            (console.warn if attention else console.say)(text)

    def clear(self) -> None:
        """Wipe the line from the terminal."""
        if self._terminal and self._written:
            width = min(self._written, shutil.get_terminal_size().columns - 1)
            with _whether_heard_or_not():
                sys.stdout.write("\r" + " " * width + "\r")
                sys.stdout.flush()
            self._written = 0


def duration(milliseconds: float) -> str:
    """Say how long an iteration takes: "200 ms", from ten seconds on "12.3 s"."""
    return f"{milliseconds:.0f} ms" if milliseconds < LONG_MS else f"{milliseconds / 1000:.1f} s"


@contextlib.contextmanager
def _whether_heard_or_not() -> Iterator[None]:
    """Fall silent when the terminal or the pipe is gone: training goes on without them."""
    try:
        yield
    except OSError:
        console.discard_output()
