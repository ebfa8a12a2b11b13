"""What an earlier run of the extraction did: its journal, one line for each searched frame.

A frame that stands in the journal is never searched again with the same settings, so a face that the user
deleted stays deleted. The first line holds the settings alone, under the empty name.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.journal import Journal, read_journal
from facewright.core.workspace import Side
from facewright.detect.extraction import Outcome

Settings = dict[str, str | int | float]
Entry = dict[str, Any]


@dataclass(frozen=True)
class Searched:
    """The journal as it was read.

    Attributes:
        settings: Those of the earlier run; None when there was none.
        entries: By the frame's file name.
    """

    settings: Settings | None
    entries: dict[str, Entry]

    def faceless(self) -> list[str]:
        """Return the names of the searched frames in which no face was found, sorted."""
        return sorted(name for name, entry in self.entries.items() if not entry.get("faces"))

    def unfinished(self) -> list[str]:
        """Return those of the faceless frames that no person said are right without a face, sorted."""
        return [name for name in self.faceless() if not by_hand(self.entries[name])]

    def split(self, frames: Sequence[Path]) -> tuple[list[Path], list[Path]]:
        """Return the frames that were never searched, and those that were and have changed since."""
        new = [path for path in frames if path.name not in self.entries]
        changed = [path for path in frames if path.name in self.entries and _changed(path, self.entries[path.name])]
        return new, changed

    def gone(self, frames: Sequence[Path]) -> list[str]:
        """Return the names of frames that were searched and are no longer there."""
        return sorted(set(self.entries) - {path.name for path in frames})


def frames_to_search(side: Side) -> list[Path]:
    """Return the frames of a side, one per stem, because faces are named by it; the others are named aloud.

    Raises:
        UserError: There are none.
    """
    chosen: dict[str, Path] = {}
    for path in side.frames():
        if path.stem in chosen:
            console.warn(f"{path.name} is skipped: {chosen[path.stem].name} has the same name but for its ending.")
        else:
            chosen[path.stem] = path
    if not chosen:
        script = "2_extract_png_from_src" if side.name == "data_src" else "3_extract_png_from_dst"
        raise UserError(
            f"There are no frames in {side.frames_dir}.",
            "pictures such as 00001.png.",
            f"run {script} first.",
        )
    return list(chosen.values())


def read_searched(side: Side) -> Searched:
    """Read the journal of a side; one that is absent is empty."""
    entries = read_journal(side.extract_journal, "frame")
    header = entries.pop("", {})
    settings = header.get("settings")
    return Searched(settings if isinstance(settings, dict) else None, entries)


def begin(journal: Journal, settings: Settings) -> None:
    """Write the line that says with what settings the frames are searched."""
    journal.add({"frame": "", "settings": settings})


def note(journal: Journal, outcome: Outcome, settings: Settings, **more: str) -> None:
    """Write a frame's line; its faces must be on disk."""
    if outcome.file is None:
        return
    file = outcome.file
    journal.add(
        {
            "frame": file.name,
            "size": file.size,
            "mtime": file.mtime,
            "crc": file.crc,
            "settings": settings,
            "faces": outcome.faces,
            **more,
        }
    )


def by_hand(entry: Entry) -> bool:
    """Whether a person finished this frame: it is not searched again and not offered again."""
    return entry.get("by") == "hand"


def _changed(path: Path, entry: Entry) -> bool:
    """Compare size and time first; a copied workspace has new times, its content decides then."""
    try:
        status = path.stat()
        if status.st_size != entry.get("size"):
            return True
        return status.st_mtime_ns != entry.get("mtime") and zlib.crc32(path.read_bytes()) != entry.get("crc")
    except OSError:
        return False
