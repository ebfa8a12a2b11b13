"""Photos that OpenCV does not read and ffmpeg does: those of phones."""

from pathlib import Path

import ffmpeg

from facewright.core.images import MAX_PIXELS
from facewright.video.ffmpeg import FfmpegRun, command
from facewright.video.probe import file_url

READ_BLOCK = 1 << 20


def photo_as_png(path: Path) -> bytes:
    """Return a photo of any format that ffmpeg reads as a PNG of 8 bits, put together from its tiles and upright.

    Raises:
        UserError: It cannot be read.
    """
    # Without a choice of a stream: ffmpeg itself takes the image that the tiles of a HEIC make up.
    photo = ffmpeg.input(file_url(path), protocol_whitelist="file", max_pixels=MAX_PIXELS)
    output = photo.output("pipe:1", format="image2pipe", pix_fmt="rgb24", **{"frames:v": 1, "c:v": "png"})
    what = f"{path.name} could not be read"
    with FfmpegRun(command(output)) as run:
        data = b"".join(iter(lambda: run.stdout.read(READ_BLOCK), b""))
        run.finish(what)
        if not data:
            raise run.failure(what)
    return data
