"""Ctrl-C, SIGTERM and a lost terminal, turned into a wish that the loop reads between two steps."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from facewright.core import console

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two exist on one kind of system each


class Signals:
    """While it is open, the first signal asks the loop to stop; the second Ctrl-C stops at once.

    Attributes:
        asked: Name of the signal that came, "" before.
    """

    def __init__(self) -> None:
        self.asked = ""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        """Install the handlers; elsewhere than in the main thread there is nothing to install."""
        if threading.current_thread() is threading.main_thread():
            for name in NAMES:
                number = getattr(signal, name, None)
                # What is ignored stays ignored: nohup asks for that.
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGHUP":  # nobody reads what is printed from now on, and printing would fail
            console.discard_output()
        if self.asked and name == "SIGINT":
            raise KeyboardInterrupt
        self.asked = self.asked or name
