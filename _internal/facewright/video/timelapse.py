"""The previews that a training kept, as a video."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av
import ffmpeg
from av.error import FFmpegError

from facewright.core.errors import UserError
from facewright.core.files import disk_errors, list_files
from facewright.core.hints import hint
from facewright.core.images import read_encoded
from facewright.core.safe_files import remove_leftovers, replacing
from facewright.video.encode import image_size
from facewright.video.ffmpeg import FfmpegRun, command
from facewright.video.probe import open_pipe

CRF = 20


@dataclass(frozen=True)
class TimelapseReport:
    """What a time-lapse shows.

    Attributes:
        video: The video.
        frames: Previews in it.
        previews: Previews in the folder.
    """

    video: Path
    frames: int
    previews: int


def make_timelapse(folder: Path, seconds: float, rate: float, tags: Mapping[str, str]) -> TimelapseReport:
    """Write timelapse.mp4 of the previews that a model's folder keeps, evenly spread where there are many.

    Args:
        folder: Of the model; its previews are JPEG files in history/, named by their iteration.
        seconds: Longest duration of the video.
        rate: Frames per second.
        tags: Metadata of the video.

    Raises:
        UserError: There are no previews, one cannot be read, or the disk is full.
    """
    images = list_files(folder / "history", (".jpg",))
    if not images:
        raise UserError(
            f"There are no previews in {folder / 'history'}.",
            "the images that a training keeps, unless --no-write-preview-history switched that off.",
            f"train on, then run this step again:{hint('train --write-preview-history')}",
        )
    wanted = max(1, round(seconds * rate))
    chosen = [images[k * len(images) // wanted] for k in range(wanted)] if len(images) > wanted else images
    target = folder / "timelapse.mp4"
    remove_leftovers(folder)
    count = write_timelapse([*chosen[:-1], images[-1]], target, rate, tags)
    return TimelapseReport(target, count, len(images))


def write_timelapse(images: Sequence[Path], target: Path, rate: float, tags: Mapping[str, str]) -> int:
    """Write JPEG images one after another as an mp4; each is fitted into the size of the last one, as networks grow.

    Args:
        images: In the order of the video; at least one.
        target: The video; whole or not there.
        rate: Images per second.
        tags: Metadata of the video.

    Returns:
        How many images it shows.

    Raises:
        UserError: An image cannot be read, or the disk is full.
    """
    height, width = image_size(read_encoded(images[-1]), images[-1])
    even = width + width % 2, height + height % 2
    node = ffmpeg.input("pipe:0", format="image2pipe", **{"c:v": "mjpeg"}, framerate=f"{rate:g}").video
    node = node.filter("scale", width, height, force_original_aspect_ratio="decrease")
    node = node.filter("pad", *even, "(ow-iw)/2", "(oh-ih)/2")
    node = node.filter("scale", in_range="pc", out_range="tv").filter("format", "yuv420p")
    # Through a pipe: ffmpeg outlives a killed run for a moment, and would make its file again.
    output = node.output("pipe:1", format="mp4", movflags="frag_keyframe+delay_moov", crf=CRF, **{"c:v": "libx264"})
    with disk_errors(target), replacing(target) as temporary, FfmpegRun(command(output), _feed(images)) as run:
        try:
            given = open_pipe(run.stdout, "mp4")
        except FFmpegError as error:
            raise run.failure(f"{target} could not be written") from error
        options = {"movflags": "+faststart+use_metadata_tags"}
        with closing(given), closing(av.open(f"file:{temporary.resolve()}", "w", "mp4", options=options)) as video:
            video.metadata.update(tags)
            stream = video.add_stream_from_template(given.streams.video[0])
            for packet in run.checked(given.demux()):
                if packet.size:
                    packet.stream = stream
                    video.mux_one(packet)
        run.finish(f"{target} could not be written")
    return len(images)


def _feed(images: Sequence[Path]) -> Iterator[bytes]:
    for path in images:
        yield read_encoded(path)
