"""What lies in the trash, and the way back.

Each folder of the trash is a batch: what one step put away at one time. Its note (core/files.py) names the origins:

    {"by": "sort --by final", "files": {"00012.png": "data_src/aligned/00012.png"}}
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import NOTE, read_json

STAMP = re.compile(r"(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)(?:_(\d+))?")


@dataclass(frozen=True)
class Item:
    """A file in the trash.

    Attributes:
        path: Where it lies now.
        origin: Where it was; None when nobody noted it.
    """

    path: Path
    origin: Path | None


@dataclass(frozen=True)
class Batch:
    """One dated folder of the trash.

    Attributes:
        folder: The folder.
        when: Date and time, to be read by people.
        by: The step that filled it; empty when unknown.
        items: Its files, those in sub-folders too, sorted by where they lie.
    """

    folder: Path
    when: str
    by: str
    items: tuple[Item, ...]


def batches(trash: Path) -> list[Batch]:
    """Return all batches with something in them, the newest first; origins lie in the folder that holds `trash`."""
    if not trash.is_dir():
        return []
    folders = [path for path in trash.iterdir() if path.is_dir() and STAMP.fullmatch(path.name)]
    found = [_read(folder, trash.parent) for folder in sorted(folders, key=_age, reverse=True)]
    return [batch for batch in found if batch.items]


def _age(folder: Path) -> tuple[str, int]:
    match = STAMP.fullmatch(folder.name)
    assert match is not None
    return folder.name[:19], int(match[5] or 1)


def _read(folder: Path, root: Path) -> Batch:
    match = STAMP.fullmatch(folder.name)
    assert match is not None
    try:
        note = read_json(folder / NOTE, {})
    except UserError:
        note = {}
    note = note if isinstance(note, dict) else {}
    files = note.get("files")
    files = files if isinstance(files, dict) else {}
    items = []
    for path in _files_below(folder):
        first, *rest = path.relative_to(folder).parts
        start = _inside(files.get(first), root)
        items.append(Item(path, None if start is None else start.joinpath(*rest)))
    by = note.get("by")
    return Batch(
        folder, f"{match[1]} {match[2]}:{match[3]}:{match[4]}", by if isinstance(by, str) else "", tuple(items)
    )


def _files_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not (name == NOTE and Path(place) == folder):
                yield Path(place, name)


def _inside(origin: Any, root: Path) -> Path | None:
    """Return the noted origin where it is one below the workspace: a note may have been written by anybody."""
    if not isinstance(origin, str) or "\0" in origin:
        return None
    parts = PurePosixPath(origin).parts
    plain = parts and not any(part in ("/", "..") or "\\" in part or ":" in part for part in parts)
    return root.joinpath(*parts) if plain else None


class FreeNames:
    """Finds free names in a folder: the same name with a higher number at its end.

    00012.png -> 00013.png, 00012_0.png -> 00012_1.png, b.png -> b_1.png. What it has given counts as taken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Windows and macOS take A.png and a.png for the same file.
        self._taken = {name.lower() for name in os.listdir(folder)}
        self._last: dict[tuple[str, int, str], int] = {}

    def find(self, name: str) -> Path:
        """Return the path of that name where it is free, else with the next free number."""
        if name.lower() in self._taken:
            name = self._numbered(Path(name))
        self._taken.add(name.lower())
        return self._folder / name

    def _numbered(self, old: Path) -> str:
        match = re.fullmatch(r"(.*?)([0-9]*)", old.stem, re.DOTALL)
        assert match is not None
        start, digits = (match[1], match[2]) if match[2] else (f"{match[1]}_", "0")
        kind = (start, len(digits), old.suffix)
        number = max(int(digits), self._last.get(kind, 0)) + 1
        while (name := f"{start}{number:0{len(digits)}d}{old.suffix}").lower() in self._taken:
            number += 1
        self._last[kind] = number
        return name


def tidy(batch: Batch) -> None:
    """Remove the folder of a batch that has been emptied, with its note."""
    if any(_files_below(batch.folder)):
        return
    with suppress(OSError):  # somebody put something there meanwhile
        for place, _, _ in os.walk(batch.folder, topdown=False):
            if Path(place) == batch.folder:
                (batch.folder / NOTE).unlink(missing_ok=True)
            os.rmdir(place)
