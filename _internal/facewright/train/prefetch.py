"""Batches prepared ahead by a thread per data stream, so that the network does not wait for images.

Where a GPU computes, they lie in its memory by the time that it needs them: the same thread sends them. So faces that
its memory does not hold all at once stream through it in the order in which they are drawn.
"""

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol

from facewright.data.sample import Batch

Entry = tuple[Mapping[str, Any], dict[str, Any]]  # a batch, and the state after it
MAX_BATCHES = 3  # prepared ahead per stream
MAX_BYTES = 256 << 20  # that the batches prepared ahead may take per stream; one is always prepared


class BatchSource(Protocol):
    """Where the batches of a data stream come from: a `data.sampler.Sampler`, as a rule."""

    def batch(self, size: int) -> Batch:
        """Return the next batch."""

    def state(self) -> dict[str, Any]:
        """Return the state of the random draws, JSON-able."""


class Prefetcher:
    """Prepares the batches of all data streams ahead; a context manager.

    Args:
        sources: Stream name -> where its batches come from; only the stream's thread draws from it.
        batch_size: Samples per stream and batch.
        send: Sends a batch to where it is needed; called in the stream's thread.
    """

    def __init__(
        self,
        sources: Mapping[str, BatchSource],
        batch_size: int,
        send: Callable[[Batch], Mapping[str, Any]] = lambda batch: batch,
    ) -> None:
        self._streams = {name: _StreamThread(name, source, batch_size, send) for name, source in sources.items()}
        self._stack = ExitStack()

    def get(self) -> dict[str, Mapping[str, Any]]:
        """Return the next batch of every stream, as `send` gave it; `states` then belongs to it.

        Raises:
            Whatever a source raised.
        """
        return {name: stream.get() for name, stream in self._streams.items()}

    @property
    def states(self) -> dict[str, dict[str, Any]]:
        """Stream name -> state of its source after the batch that was returned last."""
        return {name: stream.state for name, stream in self._streams.items()}

    def __enter__(self) -> "Prefetcher":
        """Start the threads."""
        for stream in self._streams.values():
            stream.start()
            self._stack.callback(stream.stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the threads."""
        self._stack.close()


class _StreamThread:
    """Prepares the batches of one stream, at most `MAX_BATCHES` ahead and as far as `MAX_BYTES` allows."""

    def __init__(
        self, name: str, source: BatchSource, batch_size: int, send: Callable[[Batch], Mapping[str, Any]]
    ) -> None:
        self._source = source
        self._batch_size = batch_size
        self._send = send
        self._stopped = threading.Event()
        self._queue: queue.Queue[Entry | BaseException] = queue.Queue(MAX_BATCHES)
        self._thread = threading.Thread(target=self._work, name=f"facewright-prefetch-{name}", daemon=True)
        self.state: dict[str, Any] = source.state()

    def get(self) -> Mapping[str, Any]:
        entry = self._queue.get()
        if isinstance(entry, BaseException):
            raise entry
        batch, self.state = entry
        return batch

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        try:
            while not self._stopped.is_set():
                batch, state = self._source.batch(self._batch_size), self._source.state()
                self._wait_for_memory(sum(array.nbytes for array in batch.values()))
                self._put((self._send(batch), state))
        except BaseException as error:  # handed to the training thread, which raises it
            self._put(error)

    def _wait_for_memory(self, size: int) -> None:
        while (waiting := self._queue.qsize()) and (waiting + 1) * size > MAX_BYTES:
            if self._stopped.wait(0.005):
                return

    def _put(self, entry: Entry | BaseException) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=0.2)
                return
            except queue.Full:
                continue
