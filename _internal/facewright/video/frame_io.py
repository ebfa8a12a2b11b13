"""Frames from anywhere to anywhere: what a source of frames gives, what a sink takes, and the sink of image files."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from facewright.core.files import write_bytes
from facewright.core.images import Image, decode, encode, picture_of, read_encoded


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        index: Its number from 1, in the order of the video.
        time: Presentation timestamp in seconds, on the video's clock; None where frames.json holds it.
        image: (h, w, 3) uint8 BGR, upright, with square pixels; of a result also (h, w, 4) with alpha, or (h, w) grey,
            and uint16 where the frame was.
    """

    index: int
    time: Fraction | None
    image: Image


class FrameSource(Protocol):
    """Frames one after another, from wherever they come."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames with rising indices; each call starts anew.

        Raises:
            UserError: The source cannot be read to its end.
        """


class FrameSink(Protocol):
    """Takes the frames of a result, each index once.

    Several threads may call it at once. Indices come nearly in order: a sink that needs the exact order keeps the few
    frames that came too early.
    """

    def write(self, frame: Frame, *, made: bool = True) -> None:
        """Take a changed frame.

        Args:
            frame: The frame.
            made: Whether a network made a part of it, so that it is to be marked.

        Raises:
            UserError: It cannot be stored.
        """

    def copy(self, index: int, path: Path) -> None:
        """Take an unchanged frame.

        Args:
            index: Its number.
            path: Its image file.

        Raises:
            UserError: The file is no image, or the frame cannot be stored.
        """


class ImageFileSink:
    """Writes each frame to an image file, whole or not at all.

    Args:
        targets: Index -> file; its suffix decides the format.
        mark: (encoded image, suffix) -> the same with the mark of its origin; for changed frames only.
        before: Called with index and bytes just before a file is written.
    """

    def __init__(
        self,
        targets: Mapping[int, Path],
        mark: Callable[[bytes, str], bytes],
        before: Callable[[int, bytes], Any] = lambda index, data: None,
    ) -> None:
        self._targets = dict(targets)
        self._mark = mark
        self._before = before

    def write(self, frame: Frame, *, made: bool = True) -> None:
        """See `FrameSink`."""
        suffix = self._targets[frame.index].suffix
        data = encode(frame.image, suffix)
        self._write(frame.index, self._mark(data, suffix) if made else data)

    def copy(self, index: int, path: Path) -> None:
        """See `FrameSink`: the bytes of the file, or its pixels where they cannot stay. Nothing is marked."""
        suffix, data = self._targets[index].suffix, read_encoded(path)
        image = decode(data, str(path))
        try:
            picture = picture_of(data, suffix)
        except ValueError:  # cut off, but OpenCV made something of it
            picture = None
        self._write(index, picture or encode(image, suffix))

    def _write(self, index: int, data: bytes) -> None:
        self._before(index, data)
        write_bytes(self._targets[index], data)
