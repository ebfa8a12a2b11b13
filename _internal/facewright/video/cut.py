"""A part of data_dst in the place of the whole."""

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash, read_json, write_json
from facewright.core.json_data import fields
from facewright.core.workspace import Workspace
from facewright.video.audio import fits_aac, mixed_down_note
from facewright.video.glued import warn_of_second_file
from facewright.video.named import side_video
from facewright.video.part import Part, choose_part, write_part
from facewright.video.probe import probe

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


def _nothing(part: Part) -> UserError:
    until = show_time(part.end) if part.end is not None else "the end"
    return UserError(
        f"No frame of {part.info.path.name} lies between {show_time(part.start)} and {until} "
        f"(it is {show_time(part.duration)} long).",
        "a start before the end, both inside the video.",
        "give other times.",
    )


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


def cut_dst(workspace: Workspace, start: Fraction, end: Fraction | None, *, video_track: int = 0) -> CutReport:
    """Put a part of data_dst in the place of the whole, which moves to the trash.

    Args:
        workspace: The project.
        start: Seconds after the beginning of the video.
        end: Likewise; None is its end.
        video_track: Number of the video track, from 1; 0 is the main one.

    Raises:
        UserError: No video, times that do not fit it, or a full disk.
    """
    side = workspace.dst
    target = workspace.root / "data_dst.mp4"
    with workspace.lock(side.name):
        ready = workspace.root / f".{side.name}.cut.mp4"
        if _finish_killed_run(workspace, ready, target):
            return CutReport(target, 0)
        info = probe(side_video(side), track=video_track)
        if len(info.tracks) > 1:
            console.warn(f"Of the video tracks {', '.join(map(str, info.tracks))} the cut holds {info.track} alone.")
        warn_of_second_file(info.path)
        if _is_cut(workspace, info.path, start, end):
            console.say(f"{info.path.name} was cut at these very times already; nothing to do.")
            return CutReport(info.path, 0)
        _check_times(start, end)
        if start == 0 and end is None:
            console.say("From the beginning to the end: nothing to cut.")
            return CutReport(info.path, 0)
        part = choose_part(info, start, end)
        if not part.count:
            raise _nothing(part)
        for change in part.times.frames.changes:
            console.say(f"The frames of {info.path.name} are {change}.")
        for audio in info.audio_tracks:
            if audio not in part.tracks:
                console.warn(f"Audio track {audio} is left out: nothing of it is heard in this part.")
            elif not fits_aac(audio):
                console.warn(mixed_down_note(audio))
        with console.progress_bar(part.count, title="Cutting", unit="frames") as bar:
            part = write_part(part, ready, bar.update)
        write_json(workspace.root / STATE, _state(ready, start, end, Contents(workspace.root)))
        trash = move_to_trash([info.path], workspace.trash, by="cut-video")
        os.replace(ready, target)
        return CutReport(target, part.count, trash, info.interlaced)


def _check_times(start: Fraction, end: Fraction | None) -> None:
    if end is not None and end <= start:
        raise UserError(
            f"The part ends ({show_time(end)}) before it begins ({show_time(start)}).",
            "an end after the start.",
            "give another --end, or --length.",
        )


def _state(video: Path, start: Fraction, end: Fraction | None, contents: Contents) -> dict[str, Any]:
    """Return what identifies the cut at these times."""
    content = contents.of(video)
    return {"bytes": video.stat().st_size, "content": content, "start": str(start), "end": str(end)}


def _is_cut(workspace: Workspace, video: Path, start: Fraction, end: Fraction | None) -> bool:
    """Whether a video is the last cut, made at these times; earlier programs noted no content."""
    state = read_json(workspace.root / STATE, {}, schema=fields({}))
    if state.get("bytes") != video.stat().st_size:
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
