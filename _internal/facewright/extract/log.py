"""What earlier runs of the extraction did: the journal of a side, one line for each frame that was searched.

A frame that stands in the journal is never searched again with the same settings, so a face that the user
deleted stays deleted. The first line holds the settings alone, under the empty name.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from facewright.core.contents import Contents, content_text
from facewright.core.errors import UserError
from facewright.core.files import natural
from facewright.core.hints import again
from facewright.core.journal import Journal, read_journal
from facewright.core.json_data import Schema, dict_of, either, flag, list_of, number, text, whole
from facewright.core.left_out import warn_of_left_out_frames
from facewright.core.workspace import Side
from facewright.extract.phone_photos import make_pngs
from facewright.extract.pipeline import ExtractedFrame
from facewright.faces.shots import as_text

LoggedSettings = dict[str, str | int | float]
Entry = dict[str, Any]
# The fields of an entry that are more than compared.
ENTRY_SCHEMA: Mapping[str, Schema] = MappingProxyType(
    {
        "crc": whole(0, 0xFFFFFFFF),
        "settings": dict_of(either(text, flag, number)),
        "faces": list_of(text),
        "dropped": list_of(text),
        "boxes": list_of(list_of(number)),
        "turns": list_of(number),
        "tried": text,
        "round": whole(1, 10**9),
        "made": list_of(text),
        "repaired": list_of(text),
        "video": text,
    }
)
FINISHED_MANUALLY = "hand"  # what stands under "by" in the entry of a frame that a person finished


class ExtractionLog:
    """The journal of a side: read once, and kept as the file is while a command adds to it.

    Attributes:
        entries: By the frame's file name.
        header: The line that holds the settings, whole; empty when there was no extraction.
    """

    def __init__(self, side: Side, entries: dict[str, Entry] | None = None, header: Entry | None = None) -> None:
        self._side = side
        self.entries = entries or {}
        self.header = header or {}
        self._journal: Journal | None = None

    @classmethod
    def read(cls, side: Side) -> "ExtractionLog":
        """Read the journal of a side; one that is absent is empty."""
        entries = read_journal(side.extract_journal, "frame", ENTRY_SCHEMA)
        header = entries.pop("", {})
        return cls(side, entries, header)

    @property
    def settings(self) -> LoggedSettings | None:
        """Those of the earlier run; None when there was none."""
        settings = self.header.get("settings")
        return settings if isinstance(settings, dict) else None

    def only_made_with(self, settings: LoggedSettings) -> "ExtractionLog":
        """Return the log as if only the frames had been searched that were with these settings."""
        same = {name: entry for name, entry in self.entries.items() if entry.get("settings") == settings}
        return ExtractionLog(self._side, same, self.header)

    @contextlib.contextmanager
    def writing(self) -> Iterator["ExtractionLog"]:
        """Open the file, so that entries can be added."""
        with Journal(self._side.extract_journal) as journal:
            self._journal = journal
            try:
                yield self
            finally:
                self._journal = None

    def begin(self, settings: LoggedSettings, **more: Any) -> None:
        """Write the line that says with what settings the frames are searched."""
        self.header = {"frame": "", "settings": settings, **more}
        self._add(self.header)

    def note(self, result: ExtractedFrame, settings: LoggedSettings, **more: Any) -> None:
        """Write a frame's line; its faces must be on disk. One that could not be read gets none."""
        if result.file is None:
            return
        file = result.file
        known: Entry = (
            {"video": file.video} if file.video else {"size": file.size, "mtime": file.mtime, "crc": file.crc}
        )
        if any(file.shape):
            known["shape"] = list(file.shape)
        if file.look:
            known["look"] = as_text(file.look)
        if result.boxes:
            known["boxes"] = [[round(side) for side in box] for box in result.boxes]
        dropped = [rejection.reason for rejection in result.rejections if not rejection.not_a_face]
        if dropped:
            known["dropped"] = dropped
        entry = {"frame": file.name, **known, "settings": settings, "faces": result.faces, **more}
        self._add(entry)
        self.entries[file.name] = entry

    def note_more(self, name: str, **more: Any) -> None:
        """Write more about a frame that stands in the journal."""
        entry = {**self.entries[name], **more}
        self._add(entry)
        self.entries[name] = entry

    @property
    def round(self) -> int:
        """The number of the last mending of gaps that was begun; 0 where none was, see `mend_side`."""
        number = self.header.get("round", 0)
        return number if isinstance(number, int) else 0

    @property
    def in_round(self) -> bool:
        """Whether that mending did not come to its end."""
        return self.header.get("in_round") is True

    def begin_round(self) -> None:
        """Say that gaps are mended from now on."""
        self.header = {**self.header, "round": self.round + 1, "in_round": True}
        self._add(self.header)

    def end_round(self) -> None:
        """Say that all that was begun is done, or taken back."""
        self.header = {**self.header, "in_round": False}
        self._add(self.header)

    def tried(self, name: str) -> list[str]:
        """Return which further searches a frame went through: `second_search` and `mend_side` write their names."""
        return [word for word in str(self.entries.get(name, {}).get("tried", "")).split(",") if word]

    def _add(self, entry: Entry) -> None:
        if self._journal is None:
            raise ValueError("the log is not open for writing")
        self._journal.add(entry)

    def faceless(self) -> list[str]:
        """Return the names of the searched frames in which no face was found, sorted.

        A face that was found and left out (too small, another person) is a face.
        """
        without = (name for name, entry in self.entries.items() if not entry.get("faces") and not entry.get("dropped"))
        return sorted(without, key=natural)

    def unfinished(self) -> list[str]:
        """Return those of the faceless frames that no person said are right without a face, sorted."""
        return [name for name in self.faceless() if not finished_manually(self.entries[name])]

    def not_rotated(self, angles: Collection[float]) -> set[str]:
        """Return the names of the unfinished frames that were not yet searched at all these angles."""
        return {name for name in self.unfinished() if not set(angles) <= set(self.entries[name].get("turns", ()))}

    def last_frame(self, every: int) -> int | None:
        """Return the number of the last frame of the video that a walk by `every` reaches, if the journal knows it."""
        end = self.header.get("end")
        if isinstance(end, list) and len(end) == 2 and all(isinstance(number, int) for number in end):
            return end[1] if end[0] > 0 and every % end[0] == 0 else None
        return None

    def split(self, frames: Sequence[Path]) -> tuple[list[Path], list[Path]]:
        """Return the frames that were never searched, and those that were and have changed since."""
        contents = Contents(self._side.root)
        new = [path for path in frames if path.name not in self.entries]
        old = [path for path in frames if path.name in self.entries]
        changed = [path for path in old if _changed(path, self.entries[path.name], contents)]
        return new, changed


def finished_manually(entry: Entry) -> bool:
    """Whether a person finished this frame: it is not searched again and not offered again."""
    return entry.get("by") == FINISHED_MANUALLY


def frames_to_search(side: Side, *, or_video: bool = True) -> list[Path]:
    """Return the frames of a side, one per stem.

    Args:
        side: The side.
        or_video: Whether the command could read the video instead, and may say so.

    Raises:
        UserError: There are none.
    """
    make_pngs(side)
    warn_of_left_out_frames(side)
    straight = or_video and side.name == "data_src" and side.videos()
    return side.distinct_frames(otherwise=again("--from-video") if straight else "")


def _changed(path: Path, entry: Entry, contents: Contents) -> bool:
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
        if status.st_mtime_ns == entry.get("mtime"):
            return False
        return contents.of(path) != content_text(status.st_size, entry.get("crc", 0))
    except (OSError, UserError):
        return False
