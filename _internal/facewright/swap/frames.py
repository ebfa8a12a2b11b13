"""The frames of a swap: decoded, converted and handed to the encoder, a few of them in memory at a time."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from facewright.convert.masks import DstFace
from facewright.convert.matching import faces_there
from facewright.convert.pipeline import Predict
from facewright.convert.plan import Job, decoded_frame_key
from facewright.convert.stream import Converter, Done, convert_stream
from facewright.core import workers
from facewright.core.images import Image, single_threaded_opencv
from facewright.core.machine import cores
from facewright.video.encode import RAW, EncodeSettings, Feed, VideoSegment, encode_missing
from facewright.video.frame_io import Frame
from facewright.video.frames import VideoFrames
from facewright.video.probe import VideoInfo


class _Passing:
    """The images that are on their way, by number: a `FrameSink`, and where the conversion reads."""

    def __init__(self) -> None:
        self._images: dict[int, Image] = {}
        self._lock = threading.Lock()

    def write(self, frame: Frame, *, made: bool = True) -> None:
        """Take a frame, from the decoder or changed."""
        with self._lock:
            self._images[frame.index] = frame.image

    def copy(self, index: int, path: Path) -> None:
        """See `FrameSink`: the frame is there already."""

    def read(self, job: Job) -> Image:
        """Return the frame of a job."""
        with self._lock:
            return self._images[job.index]

    def take(self, index: int) -> bytes:
        """Return the bytes of a finished frame and forget it."""
        with self._lock:
            return self._images.pop(index).tobytes()


class SwappedFrames:
    """The frames of a video with other faces; see `facewright.video.encode.ResultFrames`.

    Args:
        info: The video.
        jobs: One per frame, from the first to the last.
        size: (h, w) of its frames.
        predict: Name of a model -> what predicts with it; needed to encode only.
        on_done: Called with each finished frame.
        looked_at: Number of a frame -> faces of which it is asked whether the frame shows them.
        bits: A channel of its frames, see `facewright.video.filters.frame_bits`.

    Attributes:
        shown: Of the frames that were looked at: whether they show one of their faces.
    """

    def __init__(
        self,
        info: VideoInfo,
        jobs: Sequence[Job],
        size: tuple[int, int],
        predict: Mapping[str, Predict],
        on_done: Callable[[Done], Any] = lambda done: None,
        looked_at: Mapping[int, Sequence[DstFace]] | None = None,
        bits: int = 8,
    ) -> None:
        self.shown: list[bool] = []
        self._info = info
        self._jobs = jobs
        self._size = size
        self._predict = predict
        self._on_done = on_done
        self._looked_at = looked_at or {}
        self._bits = bits

    def identities(self) -> list[Any]:
        """See `ResultFrames`: the video, the number, the faces and how they are replaced."""
        deep = [self._bits] if self._bits > 8 else []
        return [[decoded_frame_key(job, self._info.content), job.index, *deep] for job in self._jobs]

    def encode(
        self, segments: Sequence[VideoSegment], settings: EncodeSettings, on_progress: Callable[[int], Any]
    ) -> int:
        """See `ResultFrames`."""
        return encode_missing(segments, settings, self._size, self._feed, on_progress)

    def _feed(self, first: int, last: int) -> Feed:
        return RAW, self._converted(self._jobs[first:last])

    def _converted(self, jobs: Sequence[Job]) -> Iterator[bytes]:
        """Yield the finished frames of neighbouring jobs; the encoder's thread takes one after the other."""
        passing = _Passing()

        def decoded() -> Iterator[Job]:
            for job, frame in zip(jobs, self._frames(jobs[0].index), strict=False):
                passing.write(frame)
                self._look(frame)
                yield job

        converter = Converter(self._predict, passing, read=passing.read)
        with single_threaded_opencv(), workers.threads(cores()) as executor:
            for done in convert_stream(decoded(), converter, executor):
                self._on_done(done)
                yield passing.take(done.job.index)

    def _frames(self, first: int) -> VideoFrames:
        return VideoFrames(self._info, first=first, bits=self._bits)

    def _look(self, frame: Frame) -> None:
        faces = self._looked_at.get(frame.index)
        if faces:
            self.shown.append(bool(faces_there(frame.image, faces)))
