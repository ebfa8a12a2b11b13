"""A conversion in a thread of its own, while somebody goes on looking at the preview."""

import contextvars
import threading
from collections.abc import Callable
from enum import StrEnum

from facewright.convert.session import ConvertReport, Progress
from facewright.core.console import counted
from facewright.core.errors import UserError


class Work(StrEnum):
    """What the thread is doing."""

    IDLE = "idle"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Stopped(Exception):
    """The conversion was told to stop between two frames."""


class BackgroundConversion:
    """Converts all frames on request; one conversion at a time.

    Args:
        convert: Converts, and tells each time how many frames are done and how many there are to do.

    Attributes:
        work: What it is doing.
        done, total: Frames of the conversion that is running, or ran last.
        problem: Why it failed.
        report: What the last finished one did.
    """

    def __init__(self, convert: Callable[[Progress], ConvertReport]) -> None:
        self.work = Work.IDLE
        self.done = self.total = 0
        self.problem: Exception | None = None
        self.report: ConvertReport | None = None
        self._convert = convert
        # That of the command, for its messages name the workspace by it; a request of the page comes in another one.
        self._context = contextvars.copy_context()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> bool:
        """Begin; return False where one is running."""
        if self.work is Work.RUNNING:
            return False
        self.work, self.done, self.total, self.problem = Work.RUNNING, 0, 0, None
        run = self._context.copy().run
        self._thread = threading.Thread(target=run, args=(self._run,), name="facewright-convert", daemon=True)
        self._thread.start()
        return True

    def wait(self) -> None:
        """Wait until it has ended; in short waits, so that Ctrl-C is heard on every system."""
        while self._thread and self._thread.is_alive():
            self._thread.join(0.2)

    def stop(self) -> None:
        """End it after the frames that are in work; what is converted stays."""
        self._stop.set()
        self.wait()
        self._stop.clear()

    def _run(self) -> None:
        try:
            self.report = self._convert(self._note)
            self.work = Work.DONE
        except Stopped:
            self.work = Work.IDLE
        except Exception as problem:  # who waits for it gets it
            self.problem, self.work = problem, Work.FAILED

    def _note(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self._stop.is_set():
            raise Stopped

    @property
    def sentence(self) -> str:
        """What to tell who is looking."""
        match self.work:
            case Work.RUNNING:
                return (
                    f"Converting: {self.done} of {counted(self.total, 'frame')}."
                    if self.total
                    else "Converting: looking at frames."
                )
            case Work.DONE if self.report:
                return f"Converted: {counted(self.report.written, 'frame')} made, {self.report.up_to_date} up to date."
            case Work.FAILED:
                happened = self.problem.happened if isinstance(self.problem, UserError) else repr(self.problem)
                return f"The conversion failed: {happened}"
        return ""
