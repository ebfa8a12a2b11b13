"""A JSONL journal: which items of a step are done, readable after a kill at any byte."""

import errno
import json
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import disk_errors
from facewright.core.json_data import BadJson, Schema, fields, parse_json, text
from facewright.core.safe_files import open_append, open_regular

LONGEST_LINE = 1 << 20  # bytes
LONGEST_FILE = 4 << 30  # bytes: some hundred for each of ten million frames


def read_journal(path: Path, key: str, optional: Mapping[str, Schema] | None = None) -> dict[str, dict[str, Any]]:
    """Return the last entry of every item; lines that were cut off by a kill, or do not fit, are passed over.

    Args:
        path: The journal; an absent one is empty.
        key: The field that names the item.
        optional: Schemas of other fields, which an entry may lack.

    Raises:
        UserError: It cannot be read, or is no file: a link or a pipe, say.
    """
    entries: dict[str, dict[str, Any]] = {}
    try:
        opened = open_regular(path)
        if os.fstat(opened.fileno()).st_size > LONGEST_FILE:
            opened.close()
            raise OSError(errno.EFBIG, f"it has more than {LONGEST_FILE >> 20} MiB")
    except (FileNotFoundError, NotADirectoryError):
        return entries
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}.",
            "the list of what this step has done, as the step wrote it.",
            "move it away and run the step again.",
        ) from error
    schema = fields({key: text}, optional)
    with opened as file:
        # A longer line is none of ours: it is read in pieces, which fit no schema.
        for line in iter(lambda: file.readline(LONGEST_LINE), b""):
            try:
                entry = parse_json(line, schema)
            except BadJson:
                continue
            entries[entry[key]] = entry
    return entries


def as_lines(entries: Iterable[dict[str, Any]]) -> bytes:
    """Return entries as they are written."""
    return b"".join(json.dumps(entry, ensure_ascii=False).encode("utf-8") + b"\n" for entry in entries)


class Journal:
    """Appends entries; each is on its way to the disk before `add` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with disk_errors(path):
            # Unbuffered: nothing is left to be written when the disk is full and the file is closed.
            self._file = open_append(path)
        # A kill may have left half a line: the next entry starts on a fresh one.
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._write(b"\n")

    def add(self, *entries: dict[str, Any]) -> None:
        """Append entries; several threads may do so at once.

        Raises:
            UserError: The disk is full.
        """
        self._write(as_lines(entries))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        with self._lock, disk_errors(self._path):
            while view:
                view = view[self._file.write(view) :]

    def __enter__(self) -> "Journal":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()
