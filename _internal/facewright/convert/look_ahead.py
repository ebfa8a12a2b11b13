"""Frames that will be looked at next are made beforehand, so that a step to them is at once."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

Task = Callable[[], object]


class LookAhead:
    """Does the newest tasks it was given, one after the other, in a thread that ends when nothing is left to do."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []
        self._lock = threading.Lock()
        self._works = self._closed = False
        self._thread: threading.Thread | None = None

    def want(self, tasks: Sequence[Task]) -> None:
        """Do these next; older ones that have not begun are dropped."""
        with self._lock:
            self._tasks = [] if self._closed else list(tasks)
            if self._tasks and not self._works:
                self._works = True
                self._thread = threading.Thread(target=self._work, name="facewright-look-ahead", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Begin nothing more, and wait for what is being done: a network that still runs may crash a program's end."""
        with self._lock:
            self._closed, self._tasks = True, []
        if self._thread:
            self._thread.join()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            with suppress(Exception):  # whoever goes there gets it
                task()

    def _next(self) -> Task | None:
        with self._lock:
            self._works = bool(self._tasks)
            return self._tasks.pop(0) if self._tasks else None
