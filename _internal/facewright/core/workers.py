"""Ordered parallel map: results come in the order of the items, look-ahead is bounded.

The executor is the caller's: threads, processes, or anything else with `submit` (a cluster's client, say).
"""

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from facewright.core.errors import UserError
from facewright.core.hints import RUN, Run

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextlib.contextmanager
def threads(count: int) -> Iterator[Executor]:
    """Open a pool of threads: for OpenCV, files and whatever else lets go of Python's lock.

    On leaving, waiting items are dropped and running ones are awaited.
    """
    pool = _Threads(max(1, count))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Threads(ThreadPoolExecutor):
    """Threads that know what the submitting one knows: whose run it is, how much is printed."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start a call in a copy of this context."""
        return super().submit(copy_context().run, fn, *args, **kwargs)


@contextlib.contextmanager
def processes(count: int, start: Callable[..., object] | None = None, *arguments: Any) -> Iterator[Executor]:
    """Open a pool of fresh processes ("spawn": safe beside TensorFlow, the same on every system).

    On leaving, waiting items are dropped and running ones are awaited.

    Args:
        count: Number of processes.
        start: Called once in every new process, with the arguments; it must be importable.
        arguments: For `start`; they must survive pickling.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        max(1, count), mp_context=context, initializer=_begin, initargs=(RUN.get(), start, arguments)
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(run: Run, start: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    RUN.set(run)  # so that hints name its workspace here, too
    # Ctrl-C reaches the whole group; the parent alone decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if start is not None:
        start(*arguments)


class OrderedTasks(Generic[Result]):
    """Calls running in an executor, whose results are taken in the order in which the calls were submitted.

    As a context manager it cancels on leaving what has not started. It does not limit anything itself: its length
    tells how many results are outstanding, and the caller submits no more than the memory allows.

    Args:
        executor: From `threads` or `processes`, or a cluster's.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._futures: deque[Future[Result]] = deque()

    def submit(self, function: Callable[..., Result], *arguments: Any) -> None:
        """Start a call.

        Args:
            function: For processes it must be importable, and its arguments picklable.
            arguments: For `function`.

        Raises:
            UserError: A worker process died (killed by the system, as a rule for lack of memory).
        """
        try:
            self._futures.append(self._executor.submit(function, *arguments))
        except BrokenExecutor as error:
            raise _worker_died() from error

    def next(self) -> Result:
        """Wait for the oldest call and return its result, or raise what it raised.

        Raises:
            UserError: A worker process died.
            IndexError: Nothing is outstanding.
        """
        try:
            return self._futures.popleft().result()
        except BrokenExecutor as error:
            raise _worker_died() from error

    def ready(self) -> bool:
        """Whether `next` would return at once."""
        return bool(self._futures) and self._futures[0].done()

    def __len__(self) -> int:
        return len(self._futures)

    def __enter__(self) -> "OrderedTasks[Result]":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel what has not started; what runs is not waited for."""
        for future in self._futures:
            future.cancel()
        self._futures.clear()


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], executor: Executor, *, ahead: int
) -> Iterator[Result]:
    """Yield function(item) for every item, in the order of the items.

    Items are taken from the iterable in the calling thread, only as they are needed. An exception of the
    function or of the iterable comes out at its place in the order; leaving the loop early drops what waits.

    Args:
        function: Called in the executor; for processes it must be importable and its items picklable.
        items: May be endless or slow.
        executor: From `threads` or `processes`, or a cluster's.
        ahead: How many items may be outstanding at once, at least 1: this bounds the memory.

    Raises:
        UserError: A worker process died (killed by the system, as a rule for lack of memory).
    """
    source = iter(items)
    more = True
    failed: Exception | None = None
    with OrderedTasks[Result](executor) as tasks:
        while more or tasks:
            while more and len(tasks) < max(1, ahead):
                try:
                    item = next(source)
                except StopIteration:
                    more = False
                    break
                except Exception as error:
                    # What was started before the source broke is finished and handed out first.
                    more, failed = False, error
                    break
                tasks.submit(function, item)
            if tasks:
                yield tasks.next()
        if failed is not None:
            raise failed


def _worker_died() -> UserError:
    return UserError(
        "A worker process ended without a word; the system does that when memory runs out.",
        "enough free memory for all workers.",
        "close other programs and run the same step again: it goes on where it was.",
    )
