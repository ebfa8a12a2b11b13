"""Ctrl-C, SIGTERM and a lost terminal as requests to stop, which the loop reads between two steps."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from facewright.core import console

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two exist on one kind of system each


class Signals:
    """A context manager: the first signal asks the loop to stop; a second Ctrl-C stops at once.

    Attributes:
        received: Name of the first signal that came, "" before.
    """

    def __init__(self) -> None:
        self.received = ""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        """Install the handlers; outside of the main thread none can be installed."""
        if threading.current_thread() is threading.main_thread():
            for name in STOP_SIGNALS:
                number = getattr(signal, name, None)
                # What is ignored stays ignored: nohup asks for that.
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGHUP":  # the terminal is gone: printing would fail from now on
            console.discard_output()
        if self.received and name == "SIGINT":
            raise KeyboardInterrupt
        self.received = self.received or name
