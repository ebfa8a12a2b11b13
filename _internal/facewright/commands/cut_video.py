"""Cut data_dst.* down to a part: from a time to a time, exact to the frame, with its audio.

The whole video moves to the trash; the cut takes the name data_dst.mp4.
"""

from dataclasses import dataclass
from fractions import Fraction

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.video.cut import CutReport, cut_dst, parse_time, show_time

END = "end"


def check_start(text: str) -> None:
    """Raise a UserError when the text is no time."""
    parse_time(text, "--start")


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
    video_track: int = option(
        0,
        "Number of the video track to keep where data_dst has several; 0 keeps the main one.",
        low=0,
        high=1000,
        remember=False,
    )


def run(workspace: Workspace, options: Options) -> CutReport:
    """Put a part of data_dst in its place.

    Raises:
        UserError: No video, times that do not fit it, or a full disk.
    """
    start, end = times(options)
    report = cut_dst(workspace, start, end, video_track=options.video_track)
    if report.frames:
        console.say(f"The whole video is now in {report.trash}.")
        until = show_time(end) if end is not None else "the end"
        frames = console.counted(report.frames, "frame")
        console.say(f"Wrote {frames}, from {show_time(start)} to {until}, to {report.video}.")
        if report.deinterlaced:
            console.say("They were deinterlaced, because the video is flagged as interlaced.")
        if workspace.dst.frames():
            console.warn("The frames in data_dst are those of the whole video: take them out again.")
        console.say(f"Next, its frames:{workspace.dst.hint('extract-frames')}")
    return report


def times(options: Options) -> tuple[Fraction, Fraction | None]:
    """Return the start and the end in seconds; None is the video's end.

    Raises:
        UserError: A time is none, or both an end and a length are given.
    """
    start, end = parse_time(options.start, "--start"), end_of(options.end)
    if options.length:
        if end is not None:
            raise UserError("Both --end and --length were given.", "one of them.", "leave one of them away.")
        end = start + parse_time(options.length, "--length")
    return start, end


def end_of(text: str) -> Fraction | None:
    """Return a typed end in seconds; None is the video's end."""
    return None if text.strip().lower() in ("", END) else parse_time(text, "--end")


COMMAND = Command(__doc__, Options, run)
