"""Pictures of one size as a small video without sound: the previews of a training, say."""

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import ffmpeg

from facewright.core.errors import UserError
from facewright.core.files import disk_errors
from facewright.core.video import FfmpegRun, command
from facewright.core.video_segments import picture_size

CRF = 20


def write_timelapse(pictures: Sequence[Path], target: Path, rate: float) -> int:
    """Write JPEG pictures one after another as an mp4; pictures of another size than the last one are left out.

    Args:
        pictures: In the order of the video; at least one.
        target: The video; whole or not there.
        rate: Pictures per second.

    Returns:
        How many pictures it shows.

    Raises:
        UserError: A picture cannot be read, or the disk is full.
    """
    size = picture_size(_read(pictures[-1]), pictures[-1])
    shown = [path for path in pictures if picture_size(_read(path), path) == size]
    node = ffmpeg.input("pipe:0", format="image2pipe", **{"c:v": "mjpeg"}, framerate=f"{rate:g}").video
    node = node.filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2")
    node = node.filter("scale", in_range="pc", out_range="tv").filter("format", "yuv420p")
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.tmp")
    output = node.output(str(temporary), format="mp4", movflags="+faststart", crf=CRF, **{"c:v": "libx264"})
    try:
        with FfmpegRun(command(output), _feed(shown)) as run:
            run.stdout.read()
            run.finish(f"{target} could not be written")
        with disk_errors(target):
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return len(shown)


def _feed(pictures: Sequence[Path]) -> Iterator[bytes]:
    for path in pictures:
        yield _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}.", "a picture.", "delete it and run the step again."
        ) from error
