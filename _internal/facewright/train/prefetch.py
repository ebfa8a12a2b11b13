"""Batches made ahead by a thread, so that the network never waits for pictures."""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

from facewright.data.sample import Batch

DEPTH = 3  # batches made ahead, where they are not huge
ROOM = 256 << 20  # bytes that the batches made ahead may take; one is always made


class Source(Protocol):
    """What a feed draws from: a `samples.sampler.Sampler`, or a stand-in."""

    def batch(self, size: int) -> Batch:
        """Return the next batch."""

    def state(self) -> dict[str, Any]:
        """Return where the draws stand."""


class Feed:
    """Makes batches in a thread of its own, at most `DEPTH` ahead and as far as `ROOM` reaches.

    Args:
        source: The sampler; the thread alone draws batches from it.
        size: Faces per batch.
    """

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._size = size
        self._stop = threading.Event()
        self._queue: queue.Queue[tuple[Batch, dict[str, Any]] | BaseException] = queue.Queue(DEPTH)
        self._thread = threading.Thread(target=self._work, name="facewright-feed", daemon=True)
        self.state: dict[str, Any] = source.state()

    def get(self) -> Batch:
        """Return the next batch; `state` then says where the draws stood after it.

        Raises:
            Whatever the sampler raised.
        """
        item = self._queue.get()
        if isinstance(item, BaseException):
            raise item
        batch, self.state = item
        return batch

    def __enter__(self) -> "Feed":
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the thread."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                batch, state = self._source.batch(self._size), self._source.state()
                self._await_room(sum(array.nbytes for array in batch.values()))
                self._put((batch, state))
        except BaseException as error:  # handed to the training thread, which raises it
            self._put(error)

    def _await_room(self, size: int) -> None:
        while (waiting := self._queue.qsize()) and (waiting + 1) * size > ROOM:
            if self._stop.wait(0.005):
                return

    def _put(self, item: "tuple[Batch, dict[str, Any]] | BaseException") -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.2)
                return
            except queue.Full:
                continue


NAMES = ("ResourceExhaustedError", "OutOfMemoryError")
WORDS = ("RESOURCE_EXHAUSTED", "out of memory", "OOM when allocating", "DefaultCPUAllocator: can't allocate")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of any backend says that the memory is full."""
    if isinstance(error, MemoryError) or type(error).__name__ in NAMES:
        return True
    return any(word in str(error)[:4000] for word in WORDS)


def fitting_batch(train_on: Callable[[Batch, Batch], object], src: Source, dst: Source, failed: int) -> int:
    """Return the largest batch below one that failed with which a step runs; 0 when not even one face fits.

    Halves until a step runs, then looks once between that and the one that failed last. The weights change.

    Args:
        train_on: The model's step.
        src, dst: The samplers.
        failed: The batch that was too large.
    """

    def fits(size: int) -> bool:
        try:
            train_on(src.batch(size), dst.batch(size))
        except Exception as error:
            if not out_of_memory(error):
                raise
            return False
        return True

    size = failed // 2
    while size and not fits(size):
        failed, size = size, size // 2
    between = (size + failed) // 2
    return between if size and between > size and fits(between) else size
