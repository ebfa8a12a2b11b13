"""Which frame a file was when faces were searched in it: known by its content, whatever it is called now."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.contents import Contents, content_text
from facewright.core.files import natural
from facewright.core.journal import read_journal
from facewright.core.json_data import list_of, whole
from facewright.core.workspace import Side

NOTED = {"size": whole(0), "crc": whole(0, 0xFFFFFFFF), "shape": list_of(whole(1, 1 << 20), 2)}


class FrameOrigins:
    """Compares frames with what the extraction of their faces has noted.

    Attributes:
        noted: Stem then -> the journal's entry.
        was: Stem then -> content then, see `facewright.core.contents`; empty where nothing was noted.
        now: Stem of each frame -> its content; empty likewise.
        renamed: Names of the frames that had other names then.

    Args:
        frames: One per stem.
        side: Whose frames.
        contents: Those of the workspace.
    """

    def __init__(self, frames: Sequence[Path], side: Side, contents: Contents) -> None:
        entries = read_journal(side.extract_journal, "frame", NOTED)
        self.noted: dict[str, dict[str, Any]] = {Path(name).stem: entry for name, entry in entries.items()}
        self.was = {
            stem: content_text(entry["size"], entry["crc"])
            for stem, entry in self.noted.items()
            if {"size", "crc"} <= entry.keys()
        }
        self._stems = {content: stem for stem, content in self.was.items()}
        if self.was:
            contents.look_through(frames, title="Looking at the frames")
        self.now = {frame.stem: contents.of(frame) for frame in frames} if self.was else {}
        self.renamed = [frame.name for frame in frames if self._is_renamed(frame.stem)]

    def changed(self, stem: str) -> bool:
        """Whether a frame is not what was noted under its name."""
        return bool(self.was) and self.was.get(stem) != self.now[stem]

    def origin(self, stem: str) -> str | None:
        """Return the stem that a changed frame had then; None where its content was not seen."""
        return self._stems.get(self.now[stem])

    def _is_renamed(self, stem: str) -> bool:
        origin = self.origin(stem) if self.changed(stem) else None
        if origin is None:
            return False
        copied, same_number = self.now.get(origin) == self.now[stem], natural(stem)[0] == natural(origin)[0]
        return not (copied or same_number)


def warn_of_renamed(renamed: Sequence[str], side: Side) -> None:
    """Say that frames have other names than those by which frames.json knows when they are shown."""
    if renamed and side.timing_file.exists():
        console.warn(
            f"{console.counted(len(renamed), 'frame')} with another name than when its face was extracted: "
            f"{console.listed(renamed)}. frames.json knows when they are shown by their old names: give them those "
            "before you make the video, or its frames and its audio run apart."
        )
