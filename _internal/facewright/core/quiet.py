"""Hush start-up notes that a C++ library writes straight to the process's stderr."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence

# TensorFlow writes these before its own log level is in force.
TENSORFLOW_NOTES = (b"oneDNN custom operations are on", b"before absl::InitializeLog()")


@contextlib.contextmanager
def without_notes(notes: Sequence[bytes] = TENSORFLOW_NOTES) -> Iterator[None]:
    """Drop the lines that hold one of the notes; all other lines of stderr come out at the end.

    Not for long stretches: what is written meanwhile is seen late.
    """
    try:
        sys.stderr.flush()
        real = os.dup(2)
    except (OSError, AttributeError):  # no stderr at all, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)
            caught.seek(0)
            for line in caught.read().splitlines(keepends=True):
                if not any(note in line for note in notes):
                    os.write(2, line)
