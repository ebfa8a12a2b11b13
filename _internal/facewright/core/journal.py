"""A JSONL journal: which items of a step are done, readable after a kill at any byte."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from facewright.core.files import disk_errors
from facewright.core.json_data import BadJson, Schema, fields, parse_json, text


def read_journal(path: Path, key: str, optional: Mapping[str, Schema] | None = None) -> dict[str, dict[str, Any]]:
    """Return the last entry of every item; lines that were cut off by a kill, or do not fit, are passed over.

    Args:
        path: The journal; an absent one is empty.
        key: The field that names the item.
        optional: Schemas of other fields, which an entry may lack.
    """
    entries: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return entries
    schema = fields({key: text}, optional)
    with open(path, "rb") as file:
        for line in file:
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
        with disk_errors(path):
            # Unbuffered: nothing is left to be written when the disk is full and the file is closed.
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed in __exit__
        # A kill may have left half a line: the next entry starts on a fresh one.
        if self._file.tell() and not _ends_with_newline(path):
            self._write(b"\n")

    def add(self, *entries: dict[str, Any]) -> None:
        """Append entries.

        Raises:
            UserError: The disk is full.
        """
        self._write(as_lines(entries))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        with disk_errors(self._path):
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


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
