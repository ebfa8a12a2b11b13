"""Where the frames of a result come from: a folder of images, a video, or dst itself after one encoding."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Protocol

from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import IMAGE_EXTENSIONS, list_files, make_folder
from facewright.core.hints import hint
from facewright.core.images import Image, in_bytes, read_image
from facewright.core.names import MAX_FRAME_NAME
from facewright.evaluate.subject import Subject
from facewright.ui.contact_sheet import evenly
from facewright.video.encode import EncodeSettings, VideoSegment, encode_segments, plan_segments
from facewright.video.filters import frame_bits
from facewright.video.frames import VideoFrames
from facewright.video.probe import Colour, VideoInfo, probe

Loaded = tuple[int, Callable[[], Image]]  # index of a frame, and what reads it
FLOOR_CRF = 18  # of x264: what most people call visually lossless
FLOOR_SEGMENTS = 10  # parts of dst, of two seconds each, that are encoded at most
# Tagged, so that they are decoded as they were encoded, whatever dst itself says.
COLOUR = Colour("bt709", "bt709", "bt709", "tv")
SETTINGS = EncodeSettings(FLOOR_CRF, 0.0, True, Fraction(25), COLOUR, "bt709")


class ResultSource(Protocol):
    """Frames that can be held against those of dst."""

    @property
    def name(self) -> str:
        """For the report."""

    def keys(self) -> dict[int, str]:
        """Return what is in each frame that is there: index of the frame of dst -> a text that changes with it."""

    def read(self, wanted: Sequence[int]) -> Iterator[Loaded]:
        """Yield the wanted frames in their order; what is yielded may be called in a thread.

        Raises:
            UserError: A frame cannot be read.
        """


@dataclass(frozen=True)
class FolderResult:
    """A folder of images that are called like the frames of dst.

    Attributes:
        name: For the report.
        files: Index of the frame of dst -> its image.
        contents: Those of the workspace.
    """

    name: str
    files: dict[int, Path]
    contents: Contents

    def keys(self) -> dict[int, str]:
        """See `ResultSource`."""
        self.contents.look_through(self.files.values(), title=f"Looking at {self.name}")
        return {index: self.contents.of(path) for index, path in self.files.items()}

    def read(self, wanted: Sequence[int]) -> Iterator[Loaded]:
        """See `ResultSource`."""
        for index in wanted:
            yield index, partial(read_image, self.files[index])


@dataclass(frozen=True)
class VideoResult:
    """A video that has one frame for each of dst.

    Attributes:
        name: For the report.
        info: The video.
        frames: How many frames dst has.
    """

    name: str
    info: VideoInfo
    frames: int

    def keys(self) -> dict[int, str]:
        """See `ResultSource`."""
        return {index: f"{self.info.content}#{index}" for index in range(self.frames)}

    def read(self, wanted: Sequence[int]) -> Iterator[Loaded]:
        """See `ResultSource`."""
        left = set(wanted)
        for frame in VideoFrames(self.info, first=min(left) + 1, bits=frame_bits(self.info)):
            if frame.index - 1 in left:
                left.discard(frame.index - 1)
                yield frame.index - 1, partial(in_bytes, frame.image)
            if not left:
                return
        if left:
            raise UserError(
                f"{self.info.path.name} ends before its frame {min(left) + 1} of {self.frames}.",
                "a video that can be decoded to its end.",
                "make the video again, or give the folder of its frames instead.",
            )


def _given(image: Image) -> Image:
    return image


@dataclass(frozen=True)
class EncodedDst:
    """Parts of dst as they come out of x264: what one encoding alone does to every measure.

    Attributes:
        subject: Dst.
        folder: Where the encoded parts lie; what is there from an earlier run is used again.
        contents: Those of the workspace.
    """

    subject: Subject
    folder: Path
    contents: Contents
    name: str = field(default=f"dst, encoded once (x264, crf {FLOOR_CRF})", init=False)

    def keys(self) -> dict[int, str]:
        """See `ResultSource`."""
        return {
            index: f"{segment.path.stem}#{index}"
            for segment in self._segments()
            for index in range(segment.first, segment.first + segment.count)
        }

    def read(self, wanted: Sequence[int]) -> Iterator[Loaded]:
        """See `ResultSource`."""
        segments = {index: segment for segment in self._segments() for index in _range(segment)}
        make_folder(self.folder)
        for segment, group in groupby(wanted, lambda index: segments[index]):
            indices = set(group)
            encode_segments(self.subject.frames, [segment], SETTINGS, lambda done: None)
            for frame in VideoFrames(probe(segment.path)):
                index = segment.first + frame.index - 1
                if index in indices:
                    yield index, partial(_given, frame.image)

    def _segments(self) -> list[VideoSegment]:
        planned = plan_segments(self.subject.frames, SETTINGS, self.folder, self.contents)
        shown = {face.frame for face in self.subject.faces}
        with_faces = [segment for segment in planned if not shown.isdisjoint(_range(segment))]
        return [with_faces[index] for index in evenly(len(with_faces), FLOOR_SEGMENTS)]


def _range(segment: VideoSegment) -> range:
    return range(segment.first, segment.first + segment.count)


def open_result(subject: Subject, given: str, contents: Contents) -> ResultSource:
    """Return where the frames of a result come from.

    Args:
        subject: Dst.
        given: A folder of images or a video; "" is data_dst/merged.
        contents: Those of the workspace.

    Raises:
        UserError: There is nothing, or it does not fit dst.
    """
    path = Path(given) if given else subject.side.merged_dir
    if path.is_dir() or not given:
        return _open_folder(subject, path, contents)
    if not path.is_file():
        raise UserError(f"There is no {path}.", "a video, or a folder of images.", "check the path.")
    info = probe(path, contents)
    if info.counted and info.frame_count != len(subject.frames):
        raise UserError(
            f"{path.name} has {console.counted(info.frame_count, 'frame')}, dst has {len(subject.frames)}.",
            "one frame for each of dst, in the same order.",
            "give the folder of the converted frames instead, or the video that was made of all of them.",
        )
    return VideoResult(path.name, info, len(subject.frames))


def _open_folder(subject: Subject, folder: Path, contents: Contents) -> FolderResult:
    by_stem = {path.stem: path for path in list_files(folder, IMAGE_EXTENSIONS, longest=MAX_FRAME_NAME)}
    files = {index: by_stem[frame.stem] for index, frame in enumerate(subject.frames) if frame.stem in by_stem}
    if not files:
        raise UserError(
            f"{folder} holds no image that is called like a frame of dst.",
            f"converted frames such as {subject.frames[0].stem}.png.",
            f"convert first:{hint('convert')}",
        )
    return FolderResult(folder.name, files, contents)
