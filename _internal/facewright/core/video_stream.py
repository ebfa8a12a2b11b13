"""The pictures of a video one after the other, as numbers in memory: what the frames on disk would show, without them.

ffmpeg decodes in its own process, as far ahead as its pipe holds and no further, so memory does not grow with
the video. The chain of filters is that of `video_split`: the pictures are equal to the PNG frames to the bit.
"""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from typing import Any

import ffmpeg
import numpy as np
from av.error import FFmpegError

from facewright.core.images import Image
from facewright.core.video import FfmpegRun, command
from facewright.core.video_pictures import chosen, deinterlaced, to_picture
from facewright.core.video_probe import VideoInfo, open_pipe, url

READ_BLOCK = 1 << 20
# Ask the demuxer for nothing but the stream's header: it is complete in NUT.
QUICK_OPEN = {"probesize": "32", "analyzeduration": "0", "fflags": "+noparse"}


class VideoPictures:
    """Walks through a video once, or through a part of it.

    Args:
        info: The video.
        fps: Rate to thin out to, as `video_split.SplitOrder` has it; 0 takes every picture.
        every: Of those, take every so-many-th, from the first on.
        first: Number of the first wanted picture, from 1; those before it are decoded and thrown away.

    Attributes:
        last: Number of the last picture that was handed out; 0 before the first.
        complaints: How often the decoder complained, once all is read.
    """

    def __init__(self, info: VideoInfo, *, fps: float = 0.0, every: int = 1, first: int = 1) -> None:
        self._info = info
        self._fps = fps
        self._every = every
        self._first = first + (1 - first) % every
        self.last = 0
        self.complaints = 0

    def __iter__(self) -> Iterator[tuple[int, Image]]:
        """Yield (number from 1, (h, w, 3) uint8 BGR); numbers are those of the frames on disk.

        Raises:
            UserError: ffmpeg breaks off.
        """
        number = self._first - self._every
        with FfmpegRun(self._command()) as run:
            for picture in self._pictures(run):
                number += self._every
                self.last = number
                yield number, picture
            run.finish(f"{self._info.path.name} could not be decoded to its end")
            self.complaints = run.error_count

    def _command(self) -> list[str]:
        info = self._info
        node = ffmpeg.input(url(info.path), protocol_whitelist="file")[str(info.index)]
        if info.start < 0:
            node = node.filter("setpts", f"PTS+{-info.start}")
        node = chosen(deinterlaced(node, info), self._fps, None)
        if self._first > 1 or self._every > 1:
            node = node.filter("select", f"gte(n,{self._first - 1})*not(mod(n,{self._every}))")
        node = to_picture(node, info, "png").filter("format", "bgr24")
        raw: dict[str, Any] = {"c:v": "rawvideo", "fps_mode": "passthrough", "enc_time_base": "filter"}
        return command(node.output("pipe:1", format="nut", **raw), "-copyts", "-max_error_rate", "1")

    def _pictures(self, run: FfmpegRun) -> Iterator[Image]:
        try:
            container = open_pipe(run.stdout, "nut", READ_BLOCK, QUICK_OPEN)
        except FFmpegError:  # nothing was written; `finish` tells why, or there was no picture
            return
        with closing(container):
            context = container.streams.video[0].codec_context
            shape = (context.height, context.width, 3)
            for packet in run.checked(container.demux(video=0)):
                if packet.size:
                    yield np.frombuffer(bytes(packet), np.uint8).reshape(shape)


def expected_count(info: VideoInfo, fps: float) -> int:
    """Return how many pictures a video probably has at a rate (0: all); 0 when that is not known."""
    if fps and info.average_rate > fps:
        return round(info.frame_count * Fraction(fps) / info.average_rate)
    return info.frame_count
