"""What an earlier run of the extraction did: its journal, one line for each searched frame.

A frame that stands in the journal is never searched again with the same settings, so a face that the user
deleted stays deleted. The first line holds the settings alone, under the empty name.
"""

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.journal import Journal, read_journal
from facewright.core.workspace import Side
from facewright.extract.pipeline import Outcome

Settings = dict[str, str | int | float]
Entry = dict[str, Any]


@dataclass(frozen=True)
class Searched:
    """The journal as it was read.

    Attributes:
        settings: Those of the earlier run; None when there was none.
        entries: By the frame's file name.
        header: The line that holds the settings, whole.
    """

    settings: Settings | None
    entries: dict[str, Entry]
    header: Entry = field(default_factory=dict)

    def faceless(self) -> list[str]:
        """Return the names of the searched frames in which no face was found, sorted.

        A face that was found and left out (too small, another person) is a face.
        """
        return sorted(
            name for name, entry in self.entries.items() if not entry.get("faces") and not entry.get("dropped")
        )

    def unturned(self, turns: Collection[float]) -> set[str]:
        """Return the names of the faceless frames that were not yet searched at all these angles."""
        return {name for name in self.unfinished() if not set(turns) <= set(self.entries[name].get("turns", ()))}

    def last(self, every: int) -> int | None:
        """Return the number of the last frame of the video, if the journal knows where a walk by `every` ends."""
        end = self.header.get("end")
        if isinstance(end, list) and len(end) == 2 and all(isinstance(number, int) for number in end):
            return end[1] if end[0] > 0 and every % end[0] == 0 else None
        return None

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


def frames_to_search(side: Side, *, or_video: bool = True) -> list[Path]:
    """Return the frames of a side, one per stem, because faces are named by it; the others are named aloud.

    Args:
        side: The side.
        or_video: Whether the step could read the video instead, and may say so.

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
        straight = or_video and side.name == "data_src" and side.videos()
        raise UserError(
            f"There are no frames in {side.frames_dir}.",
            "pictures such as 00001.png.",
            f"run {script} first" + (", or extract straight from the video: --from-video." if straight else "."),
        )
    return list(chosen.values())


def read_searched(side: Side) -> Searched:
    """Read the journal of a side; one that is absent is empty."""
    entries = read_journal(side.extract_journal, "frame")
    header = entries.pop("", {})
    settings = header.get("settings")
    return Searched(settings if isinstance(settings, dict) else None, entries, header)


def begin(journal: Journal, settings: Settings, **more: Any) -> None:
    """Write the line that says with what settings the frames are searched."""
    journal.add({"frame": "", "settings": settings, **more})


def note(journal: Journal, outcome: Outcome, settings: Settings, **more: Any) -> None:
    """Write a frame's line; its faces must be on disk."""
    if outcome.file is None:
        return
    file = outcome.file
    known: Entry = {"video": file.video} if file.video else {"size": file.size, "mtime": file.mtime, "crc": file.crc}
    dropped = [why.why for why in outcome.dropped if not why.no_face]
    if dropped:
        known["dropped"] = dropped
    journal.add({"frame": file.name, **known, "settings": settings, "faces": outcome.faces, **more})


def by_hand(entry: Entry) -> bool:
    """Whether a person finished this frame: it is not searched again and not offered again."""
    return entry.get("by") == "hand"


def _changed(path: Path, entry: Entry) -> bool:
    """Compare size and time first; a copied workspace has new times, its content decides then.

    A frame that was searched straight from the video counts as unchanged: whether the files come from that video
    is seen once for all of them.
    """
    if "video" in entry:
        return False
    try:
        status = path.stat()
        if status.st_size != entry.get("size"):
            return True
        return status.st_mtime_ns != entry.get("mtime") and zlib.crc32(path.read_bytes()) != entry.get("crc")
    except OSError:
        return False
