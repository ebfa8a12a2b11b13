"""Saving while the training continues: the arrays are copied between two steps, a thread writes the copy.

The loop waits for the copy only (a memory copy of weights and optimiser), not for hashing and the disk.
"""

import dataclasses
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.core import machine
from facewright.nn import backups, checkpoint
from facewright.nn.safetensors_file import header_of

COPY_MEMORY_FACTOR = 1.2  # a copy is made where this many times its size is free


def seconds_to_next(interval: float, trained: float, first: float = 60.0) -> float:
    """Return when the next autosave is due: a crash costs no more than half of the
    training, and no more than `interval`.

    Args:
        interval: The longest time between two, in seconds.
        trained: Seconds since the run began.
        first: Seconds after which a run is saved for the first time.

    Returns:
        Seconds from now; with 600: saved 1, 2, 4, 8, 16 and then 26, 36 ... minutes after the start.
    """
    return min(interval, max(first, trained))


@dataclass(frozen=True)
class Snapshot:
    """What a generation will hold.

    Attributes:
        folder: Folder of the model.
        iteration: Steps trained so far.
        state: JSON-able state.
        files: File name -> name -> array or keras variable.
        keep: Whole generations that stay.
        backup: Whether the generation is to be backed up too.
        preview: PNG that goes with a backup.
    """

    folder: Path
    iteration: int
    state: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    keep: int = checkpoint.KEPT
    backup: bool = False
    preview: Path | None = None

    def write(self) -> checkpoint.Generation:
        """Write the generation; the backup is made by the saver, so that the one may fail without the other.

        Raises:
            UserError: The disk is full or the folder is read-only.
            FloatingPointError: A weight is not finite; nothing is written.
        """
        return checkpoint.save(self.folder, self.state, self.files, keep=self.keep)

    def copied(self, free: int | None = None) -> "Snapshot | None":
        """Return a copy that the training cannot change any more; None where the memory does not hold one.

        Args:
            free: Bytes of memory that are free for use; None asks the system.
        """
        size = sum(header_of(arrays)[1] for arrays in self.files.values() if arrays)
        free = machine.memory().available if free is None else free
        if free < COPY_MEMORY_FACTOR * size:
            return None
        try:
            files = {name: _copied(arrays) for name, arrays in self.files.items()}
        except MemoryError:
            return None
        return dataclasses.replace(self, state=dict(self.state), files=files)


@dataclass(frozen=True)
class SaveReport:
    """How a save ended.

    Attributes:
        snapshot: What was to be saved; without its arrays.
        seconds: How long it took.
        waited: How long of that the training paused.
        problem: Why nothing was saved, or None.
        unbacked: Why what was saved was not backed up too, or None.
    """

    snapshot: Snapshot
    seconds: float
    waited: float
    problem: Exception | None = None
    unbacked: Exception | None = None


class Saver:
    """Writes one snapshot at a time, in a thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._report: SaveReport | None = None

    @property
    def busy(self) -> bool:
        """Whether a save is in progress, or its report was not taken yet."""
        return self._thread is not None

    def begin(self, snapshot: Snapshot) -> None:
        """Start saving; where the memory holds no copy, the save has ended when this returns.

        Args:
            snapshot: Its arrays may be the live ones.
        """
        if self._thread is not None:
            raise RuntimeError("a save is in progress")
        began = time.monotonic()
        copy = snapshot.copied()
        waited = None if copy is None else time.monotonic() - began
        self._thread = threading.Thread(
            target=self._work, args=(copy or snapshot, began, waited), name="facewright-save", daemon=True
        )
        self._thread.start()
        if copy is None:
            self._thread.join()

    def take(self, *, wait: bool = False) -> SaveReport | None:
        """Return the report of a save that has ended, once; None while there is none.

        Args:
            wait: Wait for a save that is in progress.
        """
        if self._thread is None or (self._thread.is_alive() and not wait):
            return None
        self._thread.join()
        self._thread = None
        report, self._report = self._report, None
        return report

    def _work(self, snapshot: Snapshot, began: float, waited: float | None) -> None:
        problem: Exception | None = None
        unbacked: Exception | None = None
        try:
            generation = snapshot.write()
        except Exception as error:  # reported to the training thread
            problem = error
        else:
            unbacked = _back_up(generation, snapshot)
        seconds = time.monotonic() - began
        bare = dataclasses.replace(snapshot, files={})
        self._report = SaveReport(bare, seconds, seconds if waited is None else waited, problem, unbacked)


def _back_up(generation: checkpoint.Generation, snapshot: Snapshot) -> Exception | None:
    """Back up what was saved where that is wanted; return what went wrong."""
    if snapshot.backup:
        try:
            backups.back_up(generation.folder, snapshot.preview)
        except Exception as error:  # reported to the training thread
            return error
    return None


def _copied(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(np.asarray(array)) for name, array in arrays.items()}
