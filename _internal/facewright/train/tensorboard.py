"""Losses for TensorBoard: an event file, written by tensorboardX, which needs neither TensorBoard nor TensorFlow."""

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary

from facewright.core.files import disk_errors, make_folder

STEPS_PER_VALUE = 10  # a value is the mean of this many iterations
FLUSH_SECONDS = 10.0


class LossWriter:
    """Writes the mean losses of every few iterations; a full disk ends it, not the training.

    tensorboardX's SummaryWriter is not used: it hands events to a thread through a queue of limited length. Where that
    thread dies of a full disk, the training would wait for it forever.

    Args:
        folder: Folder of the event files; created when absent. Each run writes a file of its own.

    Attributes:
        problem: Why no more is written; "" while all is well.

    Raises:
        UserError: The folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = make_folder(folder)
        self._recent: list[Mapping[str, float]] = []
        self._flushed_at = time.monotonic()
        self.problem = ""
        with disk_errors(folder):
            self._writer = EventsWriter(str(folder / "events"))
            self._writer.flush()

    def add(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Log the losses of an iteration."""
        self._recent.append(losses)
        if len(self._recent) < STEPS_PER_VALUE:
            return
        means = {name: sum(step[name] for step in self._recent) / STEPS_PER_VALUE for name in losses}
        self._recent.clear()
        self._write(iteration, "loss", means)

    def add_measures(self, iteration: int, measures: Mapping[str, float]) -> None:
        """Log what was measured on faces that were held out, by name."""
        self._write(iteration, "held_out", {name.replace(" ", "_"): value for name, value in measures.items()})

    def _write(self, iteration: int, group: str, named: Mapping[str, float]) -> None:
        values = [Summary.Value(tag=f"{group}/{name}", simple_value=value) for name, value in named.items()]
        event = Event(wall_time=time.time(), step=iteration, summary=Summary(value=values))
        self._attempt(event, flush=time.monotonic() - self._flushed_at >= FLUSH_SECONDS)

    def flush(self) -> None:
        """Write what is buffered into the file."""
        self._attempt(flush=True)

    def close(self) -> None:
        """Write what is buffered and close the file."""
        self.flush()
        if not self.problem:
            self._writer.close()

    def _attempt(self, event: Event | None = None, *, flush: bool) -> None:
        if self.problem:
            return
        try:
            if event is not None:
                self._writer.write_event(event)
            if flush:
                self._writer.flush()
                self._flushed_at = time.monotonic()
        except Exception as error:  # whatever it is, days of training must not end because of a log
            self.problem = str(error)
