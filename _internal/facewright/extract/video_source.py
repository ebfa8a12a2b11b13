"""Frames of an extraction straight from the video, without image files between."""

from collections.abc import Callable, Collection, Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.images import Image, in_bytes
from facewright.core.workspace import Side
from facewright.extract.detection import READ_AHEAD, DecodedFrame
from facewright.extract.log import ExtractionLog
from facewright.extract.sources import Todo, video_identity
from facewright.video.filters import fitted_note, frame_bits
from facewright.video.frames import VideoFrames, expected_count
from facewright.video.glued import warn_of_second_file
from facewright.video.named import side_video
from facewright.video.probe import VideoInfo, probe
from facewright.video.timing import DIGITS, frame_digits, frame_number, frame_stem

MAX_PIXELS_AHEAD = 64_000_000  # of a video's frames, which all stay in memory until their faces are saved


@dataclass
class VideoSource:
    """Frames straight from the video, named as they would be as files."""

    side: Side
    fps: float = 0.0
    every: int = 1
    straight: bool = True
    video: str = ""
    ahead: int = READ_AHEAD

    def __post_init__(self) -> None:
        """Look into the video."""
        self._info: VideoInfo = probe(side_video(self.side), Contents(self.side.root))
        warn_of_second_file(self._info.path)
        if len(self._info.tracks) > 1:
            console.say(
                f"{self._info.path.name} has {console.counted(len(self._info.tracks), 'video track')}; "
                f"{self._info.track} is searched. "
                f"Another one can be taken out first:{self.side.hint('extract-frames')}"
            )
        self.video = video_identity(self._info.path.name, self._info.byte_count, self.fps, self._info.content)
        self.ahead = max(2, min(READ_AHEAD, MAX_PIXELS_AHEAD // max(1, self._info.size[0] * self._info.size[1])))
        self._digits = DIGITS
        self._last: int | None = None
        self._complaints = 0

    def todo(self, log: ExtractionLog, again: Container[str], leave: Container[str]) -> Todo:
        """See `SearchSource`. A video that was never read to its end is read on until it ends."""

        def waiting(number: int) -> bool:
            path = self._path(number)
            return path.stem not in leave and (path.name not in log.entries or path.name in again)

        self._last = log.last_frame(self.every)
        probably = self._last or expected_count(self._info, self.fps)
        known = [stem for name in log.entries if frame_number(stem := Path(name).stem)]
        self._digits = min(map(len, known), default=frame_digits(probably))
        grid = range(1, (self._last or max(probably, 0, *map(int, known))) + 1, self.every)
        missing = [number for number in grid if waiting(number)]
        before = len(grid) - len(missing)
        if self._last is None:
            frames = self._decoded(missing[0] if missing else len(grid) * self.every + 1, None, waiting)
            return Todo(frames, len(missing) if probably else None, (), before)
        if not missing:
            return Todo(before=before)
        return Todo(self._decoded(missing[0], missing[-1], waiting), len(missing), (), before)

    def images(self, names: Collection[str]) -> Iterator[tuple[Path, Image]]:
        """See `SearchSource`; they are decoded again."""
        numbers = {number for name in names if (number := frame_number(Path(name).stem)) is not None}
        if numbers:
            for frame in self._decoded(min(numbers), max(numbers), numbers.__contains__):
                yield frame.path, frame.image

    def names(self, log: ExtractionLog) -> set[str]:
        """See `SearchSource`."""
        return set(log.entries)

    def end(self) -> dict[str, list[int]]:
        """See `SearchSource`: the number of the last frame, as far as one of `every` tells."""
        return {} if self._last is None else {"end": [self.every, self._last]}

    def damage(self) -> UserError | None:
        """See `SearchSource`: it held less than it claims."""
        info = self._info
        missing = info.frame_count - (self._last or 0) - self.every
        if self._last is None or not self._complaints or not info.counted or self.fps or missing < 0:
            return None
        return UserError(
            f"{info.path.name} is damaged or cut off: about {self._last} of its "
            f"{console.counted(info.frame_count, 'frame')} could be "
            "decoded. Their faces were kept.",
            "a video that can be decoded to its end.",
            "copy the video again; or, if these faces are enough, go on with the next step.",
        )

    def _path(self, number: int) -> Path:
        return self.side.frames_dir / f"{frame_stem(number, self._digits)}.png"

    def _decoded(self, first: int, last: int | None, wanted: Callable[[int], bool]) -> Iterator[DecodedFrame]:
        """Yield the wanted frames from one number to another; None: to the end, which is then known."""
        bits = frame_bits(self._info) if self.side.name == "data_dst" else 8  # as their files have
        frames = VideoFrames(self._info, fps=self.fps, every=self.every, first=first, bits=bits)
        for frame in frames:
            if wanted(frame.index):
                yield DecodedFrame(self._path(frame.index), in_bytes(frame.image), self.video)
            if frame.index == last:
                return
        self._complaints = frames.decoder_errors
        if frames.sizes:
            console.warn(f"The frames were {fitted_note(self._info, frames.sizes)}.")
        self._last = max(frames.last, first - 1)
