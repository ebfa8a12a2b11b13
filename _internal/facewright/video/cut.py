"""A part of a video as a new mp4, cut on the exact frame, with its audio."""

import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import ffmpeg
from av.error import FFmpegError

from facewright.core.errors import UserError
from facewright.core.files import disk_errors
from facewright.video.encode import image_size
from facewright.video.ffmpeg import FfmpegRun, command
from facewright.video.filters import deinterlaced
from facewright.video.probe import VideoInfo, file_url, open_pipe

CRF = 16
AUDIO_BITRATE = "256k"
TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)")


def parse_time(text: str, what: str) -> Fraction:
    """Turn "1:02:03.5", "2:03" or "123.5" into seconds.

    Args:
        text: What was typed.
        what: The flag, for the message.

    Raises:
        UserError: It is no time.
    """
    found = TIME.fullmatch(text.strip())
    if not found:
        raise UserError(
            f"{text.strip()!r} is not a time ({what}).",
            "hours:minutes:seconds, minutes:seconds or seconds, with a fraction if you like.",
            f"give for example {what} 0:01:23.5 or {what} 83.5.",
        )
    hours, minutes, seconds = found.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds.replace(",", ".").rstrip("."))


def show_time(seconds: Fraction) -> str:
    """Write seconds as hours:minutes:seconds.milliseconds."""
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"


def cut(info: VideoInfo, start: Fraction, end: Fraction | None, target: Path, on_progress: Callable[[int], Any]) -> int:
    """Write a part of a video to an mp4.

    Args:
        info: The video.
        start: Seconds after its beginning.
        end: Seconds after its beginning; None is its end.
        target: The file to write; it is there only when it is whole.
        on_progress: Called with the number of frames just written.

    Returns:
        The number of frames.

    Raises:
        UserError: Nothing lies between the times, the video cannot be decoded, or the disk is full.
    """
    temporary = target.with_name(f".{target.name.lstrip('.')}.tmp")
    count = 0
    with disk_errors(target), ExitStack() as stack:
        stack.callback(temporary.unlink, missing_ok=True)
        run = stack.enter_context(FfmpegRun(_command(info, start, end)))
        try:
            given = stack.enter_context(closing(open_pipe(run.stdout, "mp4")))
        except FFmpegError:
            run.finish(f"{info.path.name} could not be cut")
            raise _nothing(info, start, end) from None
        options = {"movflags": "+faststart"}
        out = stack.enter_context(closing(av.open(f"file:{temporary.resolve()}", "w", format="mp4", options=options)))
        streams = {s.index: out.add_stream_from_template(s) for s in given.streams}
        for packet in run.checked(given.demux()):
            if not packet.size or packet.dts is None:
                continue
            packet.stream = streams[packet.stream_index]
            if packet.stream.type == "video":
                count += 1
                on_progress(1)
            out.mux_one(packet)
        run.finish(f"{info.path.name} could not be cut")
        if not count:
            raise _nothing(info, start, end)
        out.close()
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    return count


def _nothing(info: VideoInfo, start: Fraction, end: Fraction | None) -> UserError:
    until = show_time(end) if end is not None else "the end"
    length = f" (it is {show_time(info.duration)} long)" if info.duration else ""
    return UserError(
        f"No frame of {info.path.name} lies between {show_time(start)} and {until}{length}.",
        "a start before the end, both inside the video.",
        "give other times.",
    )


def _command(info: VideoInfo, start: Fraction, end: Fraction | None) -> list[str]:
    limits: dict[str, Any] = {"ss": f"{float(start):.6f}"}
    if end is not None:
        limits["t"] = f"{float(end - start):.6f}"
    source = ffmpeg.input(file_url(info.path), protocol_whitelist="file", **limits)
    streams = [deinterlaced(source[str(info.index)], info)]
    if info.audio is not None:
        streams.append(source[str(info.audio.index)])
    # Full colour resolution where halving it would lose something: odd sizes, RGB.
    odd = info.size[0] % 2 or info.size[1] % 2
    layout = ("yuv444p" if odd or info.rgb or "444" in info.pixel_format else "yuv420p") + ("10le" if info.deep else "")
    output = ffmpeg.output(
        *streams,
        "pipe:1",
        format="mp4",
        movflags="frag_keyframe+delay_moov",
        fps_mode="passthrough",
        enc_time_base="filter",
        pix_fmt=layout,
        crf=CRF,
        **{"c:v": "libx264", "c:a": "aac", "b:a": AUDIO_BITRATE},
    )
    return command(output, "-max_error_rate", "1")


TIMELAPSE_CRF = 20


def write_timelapse(images: Sequence[Path], target: Path, rate: float) -> int:
    """Write JPEG images one after another as an mp4; images of another size than the last one are left out.

    Args:
        images: In the order of the video; at least one.
        target: The video; whole or not there.
        rate: Pictures per second.

    Returns:
        How many images it shows.

    Raises:
        UserError: An image cannot be read, or the disk is full.
    """
    size = image_size(_read(images[-1]), images[-1])
    shown = [path for path in images if image_size(_read(path), path) == size]
    node = ffmpeg.input("pipe:0", format="image2pipe", **{"c:v": "mjpeg"}, framerate=f"{rate:g}").video
    node = node.filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2")
    node = node.filter("scale", in_range="pc", out_range="tv").filter("format", "yuv420p")
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.tmp")
    output = node.output(str(temporary), format="mp4", movflags="+faststart", crf=TIMELAPSE_CRF, **{"c:v": "libx264"})
    try:
        with FfmpegRun(command(output), _feed(shown)) as run:
            run.stdout.read()
            run.finish(f"{target} could not be written")
        with disk_errors(target):
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return len(shown)


def _feed(images: Sequence[Path]) -> Iterator[bytes]:
    for path in images:
        yield _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}.", "an image.", "delete it and run the step again."
        ) from error
