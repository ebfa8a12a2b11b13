"""Where the frames of an extraction come from; here: files in the frames' folder."""

import re
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from facewright.core.errors import UserError
from facewright.core.images import Image, read_image
from facewright.core.workspace import Side
from facewright.extract.detection import READ_AHEAD, FrameInput
from facewright.extract.log import ExtractionLog, frames_to_search

CHECKSUM = re.compile(r" \(checksum [0-9a-f]{8}\)")


@dataclass(frozen=True)
class Todo:
    """What is left to be searched.

    Attributes:
        frames: In order; a video is decoded while they are taken.
        count: How many there probably are, None where nobody knows.
        changed: Those among them that are others now than when they were searched.
        before: How many of the chosen frames need no search.
    """

    frames: Iterable[FrameInput] = ()
    count: int | None = 0
    changed: Sequence[Path] = ()
    before: int = 0


class SearchSource(Protocol):
    """Frames of one side.

    Attributes:
        video: What tells the video that they come from; empty where that is not known.
        straight: Whether they come straight from it.
        ahead: How many may be in memory before the search.
    """

    video: str
    straight: bool
    ahead: int

    def todo(self, log: ExtractionLog, again: Container[str], leave: Container[str]) -> Todo:
        """Return what is to be searched.

        Args:
            log: What was searched.
            again: Names of frames to be searched though they were.
            leave: Stems of frames not to be searched at all.
        """
        ...

    def images(self, names: Collection[str]) -> Iterator[tuple[Path, Image]]:
        """Yield each frame whose name is among these, in order, with its image; what is not an image is passed over."""
        ...

    def names(self, log: ExtractionLog) -> set[str]:
        """Return the names of the frames that are there, as far as they are known."""
        ...

    def end(self) -> dict[str, list[int]]:
        """Return what the journal is to remember once all was searched."""
        ...

    def damage(self) -> UserError | None:
        """Return what was wrong with the source as a whole."""
        ...


@dataclass
class FolderSource:
    """Frames on disk.

    Attributes:
        listed: All of them, where they were listed already: what is left out was named then.
        frames: The chosen ones.
    """

    side: Side
    every: int = 1
    straight: bool = False
    ahead: int = READ_AHEAD
    video: str = ""
    listed: Sequence[Path] | None = None
    frames: Sequence[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        """List the frames."""
        self._all = frames_to_search(self.side) if self.listed is None else self.listed
        self.frames = self._all[:: self.every]
        self.video = video_of_frames(self.side)

    def todo(self, log: ExtractionLog, again: Container[str], leave: Container[str]) -> Todo:
        """See `SearchSource`."""
        chosen = [path for path in self.frames if path.stem not in leave]
        new, changed = log.split(chosen)
        search = {*new, *changed, *(path for path in chosen if path.name in again)}
        wanted = [path for path in chosen if path in search]
        return Todo(wanted, len(wanted), changed, len(self.frames) - len(wanted))

    def images(self, names: Collection[str]) -> Iterator[tuple[Path, Image]]:
        """See `SearchSource`."""
        for path in self._all:
            if path.name in names:
                try:
                    yield path, read_image(path)
                except UserError:
                    continue  # the search named it

    def names(self, log: ExtractionLog) -> set[str]:
        """See `SearchSource`."""
        return {path.name for path in self._all}

    def end(self) -> dict[str, list[int]]:
        """See `SearchSource`: the folder tells by itself."""
        return {}

    def damage(self) -> UserError | None:
        """See `SearchSource`: each file was named on its own."""
        return None


def video_of_frames(side: Side) -> str:
    """Return what tells the video that the frames on disk were made of; empty where that is not known."""
    from facewright.video.timing import read_timing  # it leads to the libraries for videos

    try:
        timing = read_timing(side.timing_file)
    except UserError:  # the step that needs the times will tell
        return ""
    if timing is None or not side.frames():
        return ""
    return video_identity(timing.source_name, timing.source_bytes, timing.fps, timing.source_content)


def video_identity(name: str, size: int, fps: float, content: str = "") -> str:
    """Tell a video, thinned out to a rate, from another.

    Args:
        name: Of the file.
        size: Its bytes.
        fps: The rate, 0 for all frames.
        content: See `facewright.core.contents`; "" where it is not known.
    """
    checksum = f" (checksum {content.partition(':')[2]})" if content else ""
    return f"{name}, {size} bytes{checksum}" + (f", {fps:g} frames per second" if fps else "")


def same_video(one: str, other: str) -> bool:
    """Whether two identities are of one video; earlier programs noted no checksum."""
    if not (CHECKSUM.search(one) and CHECKSUM.search(other)):
        one, other = CHECKSUM.sub("", one), CHECKSUM.sub("", other)
    return one == other
