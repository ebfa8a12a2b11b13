"""A part of a video as a new mp4, cut on the exact frame, with its audio."""

import os
import re
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import ffmpeg
from av.error import FFmpegError

from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import disk_errors, move_to_trash, read_json, write_json
from facewright.core.safe_files import replacing
from facewright.core.workspace import Workspace
from facewright.video.audio import AudioStream, fits_aac, for_aac, mixed_down_note
from facewright.video.ffmpeg import FfmpegRun, command
from facewright.video.filters import deinterlaced
from facewright.video.named import side_video
from facewright.video.probe import VideoInfo, file_url, open_pipe, probe

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


def write_cut(
    info: VideoInfo, start: Fraction, end: Fraction | None, target: Path, on_progress: Callable[[int], Any]
) -> int:
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
    count = 0
    with disk_errors(target), ExitStack() as stack:
        temporary = stack.enter_context(replacing(target, durable=True))
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
    streams += [for_aac(source[str(audio.index)], audio) for audio in _tracks(info)]
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


def _tracks(info: VideoInfo) -> list[AudioStream]:
    """Return the audio tracks that can be read, the main one first: it is the main one of the cut too."""
    return sorted((audio for audio in info.audio_tracks if audio.readable), key=lambda audio: audio != info.audio)


STATE = ".cut_video.json"


@dataclass(frozen=True)
class CutReport:
    """What was cut.

    Attributes:
        video: The video that is in place now.
        frames: Frames written by this run; 0 where there was nothing to cut.
        trash: Where the whole video is now; None where it was not moved.
        deinterlaced: Whether the frames were deinterlaced.
    """

    video: Path
    frames: int
    trash: Path | None = None
    deinterlaced: bool = False


def cut_dst(workspace: Workspace, start: Fraction, end: Fraction | None) -> CutReport:
    """Put a part of data_dst in the place of the whole, which moves to the trash.

    Args:
        workspace: The project.
        start: Seconds after the beginning of the video.
        end: Likewise; None is its end.

    Raises:
        UserError: No video, times that do not fit it, or a full disk.
    """
    side = workspace.dst
    target = workspace.root / "data_dst.mp4"
    with workspace.lock(side.name):
        ready = workspace.root / f".{side.name}.cut.mp4"
        if _finish_killed_run(workspace, ready, target):
            return CutReport(target, 0)
        info = probe(side_video(side))
        if _is_cut(workspace, info.path, start, end):
            console.say(f"{info.path.name} was cut at these very times already; nothing to do.")
            return CutReport(info.path, 0)
        _check_times(info, start, end)
        if start == 0 and end is None:
            console.say("From the beginning to the end: nothing to cut.")
            return CutReport(info.path, 0)
        for audio in _tracks(info):
            if not fits_aac(audio):
                console.warn(mixed_down_note(audio))
        with console.progress_bar(_expected_frames(info, start, end), title="Cutting", unit="frames") as bar:
            count = write_cut(info, start, end, ready, bar.update)
        write_json(workspace.root / STATE, _state(ready, start, end, Contents(workspace.root)))
        trash = move_to_trash([info.path], workspace.trash, by="cut-video")
        os.replace(ready, target)
        return CutReport(target, count, trash, info.interlaced)


def _check_times(info: VideoInfo, start: Fraction, end: Fraction | None) -> None:
    if end is not None and end <= start:
        raise UserError(
            f"The part ends ({show_time(end)}) before it begins ({show_time(start)}).",
            "an end after the start.",
            "give another --end, or --length.",
        )
    if info.duration is not None and start >= info.duration:
        raise UserError(
            f"The part begins at {show_time(start)}, but {info.path.name} is {show_time(info.duration)} long.",
            "a start inside the video.",
            "give an earlier --start.",
        )


def _expected_frames(info: VideoInfo, start: Fraction, end: Fraction | None) -> int | None:
    if info.duration is None:
        return None
    return round(((min(end, info.duration) if end is not None else info.duration) - start) * info.average_rate) or None


def _state(video: Path, start: Fraction, end: Fraction | None, contents: Contents) -> dict[str, Any]:
    """Return what identifies the cut at these times."""
    content = contents.of(video)
    return {"bytes": video.stat().st_size, "content": content, "start": str(start), "end": str(end)}


def _is_cut(workspace: Workspace, video: Path, start: Fraction, end: Fraction | None) -> bool:
    """Whether a video is the last cut, made at these times; earlier programs noted no content."""
    state = read_json(workspace.root / STATE, {})
    if not isinstance(state, dict) or state.get("bytes") != video.stat().st_size:
        return False
    wanted = _state(video, start, end, Contents(workspace.root))
    return {"content": wanted["content"], **state} == wanted


def _finish_killed_run(workspace: Workspace, ready: Path, target: Path) -> bool:
    """Finish a run that was killed between moving the whole video away and naming the cut; return whether it was."""
    if not ready.exists():
        return False
    if workspace.dst.videos():
        ready.unlink()  # the whole video is still in its place: this run cuts it anew
        return False
    os.replace(ready, target)
    console.say("Finished the cut of the run before: data_dst.mp4 is in its place.")
    console.say(f"Next, its frames:{workspace.dst.hint('extract-frames')}")
    return True
