"""Cut data_dst.* down to a part: from a time to a time, exact to the frame, with its audio.

The whole video moves to the trash; the cut takes the name data_dst.mp4.
"""

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash, read_json, write_json
from facewright.core.options import option
from facewright.core.workspace import Workspace

if TYPE_CHECKING:
    from facewright.video.probe import VideoInfo


END = "end"
STATE = ".cut_video.json"


def check_start(text: str) -> None:
    """Raise a UserError when the text is no time."""
    time_of(text, "--start")


def check_end(text: str) -> None:
    """Raise a UserError when the text is neither a time nor the word for the end."""
    end_of(text)


@dataclass(frozen=True)
class Options:
    """Settings of this step."""

    start: str = option(
        "0",
        "Where the part begins: hours:minutes:seconds.fraction or seconds.",
        ask="From",
        remember=False,
        check=check_start,
    )
    end: str = option(
        END,
        "Where it ends, counted from the beginning of the video; end is its end.",
        ask="To",
        remember=False,
        check=check_end,
    )
    length: str = option("", "How long it is, in place of --end.", remember=False)


def run(workspace: Workspace, options: Options) -> None:
    """Put a part of data_dst in its place.

    Raises:
        UserError: No video, times that do not fit it, or a full disk.
    """
    from facewright.video.cut import cut, show_time
    from facewright.video.probe import probe

    side = workspace.dst
    with workspace.lock(side.name):
        ready = workspace.root / f".{side.name}.cut.mp4"
        if take_over(workspace, ready):
            return
        info = probe(side.video())
        start, end = times(options)
        if done_before(workspace, info, start, end):
            console.say(f"{info.path.name} was cut at these very times already; nothing to do.")
            return
        fit(info, start, end)
        if start == 0 and end is None:
            console.say("From the beginning to the end: nothing to cut.")
            return
        total = frames_between(info, start, end)
        with console.progress_bar(total, title="Cutting", unit="frames") as bar:
            count = cut(info, start, end, ready, bar.update)
        until = show_time(end) if end is not None else "the end"
        write_json(workspace.root / STATE, state(ready, start, end))
        put_in_place(workspace, info.path, ready)
        console.say(f"Wrote {count} frames, from {show_time(start)} to {until}, to {workspace.root / 'data_dst.mp4'}.")
        if info.interlaced:
            console.say("They were deinterlaced, because the video is flagged as interlaced.")
        if side.frames():
            console.warn("The frames in data_dst are those of the whole video: run 3_extract_png_from_dst again.")
        console.say("Next: 3_extract_png_from_dst.")


def times(options: Options) -> tuple[Fraction, Fraction | None]:
    """Return the start and the end in seconds; None is the video's end.

    Raises:
        UserError: A time is none, or both an end and a length are given.
    """
    start, end = time_of(options.start, "--start"), end_of(options.end)
    if options.length:
        if end is not None:
            raise UserError("Both --end and --length were given.", "one of them.", "leave one of them away.")
        end = start + time_of(options.length, "--length")
    return start, end


def time_of(text: str, flag: str) -> Fraction:
    """Return a typed time in seconds.

    Raises:
        UserError: It is none.
    """
    from facewright.video.cut import parse_time

    return parse_time(text, flag)


def end_of(text: str) -> Fraction | None:
    """Return a typed end in seconds; None is the video's end."""
    return None if text.strip().lower() in ("", END) else time_of(text, "--end")


def fit(info: "VideoInfo", start: Fraction, end: Fraction | None) -> None:
    """Check the times.

    Raises:
        UserError: They do not fit the video or each other.
    """
    from facewright.video.cut import show_time

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


def frames_between(info: "VideoInfo", start: Fraction, end: Fraction | None) -> int | None:
    """Return the probable number of frames, for the bar."""
    if info.duration is None:
        return None
    return round(((min(end, info.duration) if end is not None else info.duration) - start) * info.average_rate) or None


def state(cut_file: Path, start: Fraction, end: Fraction | None) -> dict[str, Any]:
    """Return what tells that a video is the cut at these times."""
    return {"bytes": cut_file.stat().st_size, "start": str(start), "end": str(end)}


def done_before(workspace: Workspace, info: "VideoInfo", start: Fraction, end: Fraction | None) -> bool:
    """Whether the present video came out of the same cut."""
    return bool(read_json(workspace.root / STATE, {}) == state(info.path, start, end))


def put_in_place(workspace: Workspace, old: Path, ready: Path) -> None:
    """Move the whole video to the trash and give its name to the cut."""
    target = move_to_trash([old], workspace.trash, by=COMMAND.name)
    os.replace(ready, workspace.root / "data_dst.mp4")
    console.say(f"The whole video is now in {target}.")


def take_over(workspace: Workspace, ready: Path) -> bool:
    """Finish a run that was killed between moving the whole video away and naming the cut.

    Returns:
        Whether that was the case.
    """
    if not ready.exists():
        return False
    if workspace.dst.videos():
        ready.unlink()  # the whole video is still in its place: this run cuts it anew
        return False
    os.replace(ready, workspace.root / "data_dst.mp4")
    console.say("Finished the cut of the run before: data_dst.mp4 is in its place. Next: 3_extract_png_from_dst.")
    return True


COMMAND = Command(__doc__, Options, run)
