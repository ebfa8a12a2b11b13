"""Make the finished video: data_dst/merged/*.png + the times and the audio of data_dst -> result.mp4 or result.avi.

Every frame is shown when it was shown in data_dst, also at a variable rate. A run that was broken off goes on after
the last whole segment of two seconds; a second run with the same frames, settings and audio does nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.core.workspace import Side, Workspace

if TYPE_CHECKING:
    from facewright.video.probe import AudioStream
    from facewright.video.result import Result, ResultPlan


MAX_NAMED = 10  # frames named in a message
CONTAINERS = {"mp4": "result.mp4, plays everywhere", "avi": "result.avi, for older editors; its audio is PCM"}


@dataclass(frozen=True)
class Options:
    """Settings of this step."""

    bitrate: float = option(
        0.0,
        "Megabits per second of the video; 0 keeps an even quality instead, given by --crf.",
        ask="Bitrate in Mbit/s (0 = even quality)",
        low=0,
        high=1000,
    )
    crf: int = option(
        16,
        "Quality of H.264: 0 is lossless and huge, 16 looks like the frames, 23 is small, 51 is the worst.",
        ask="Quality (CRF)",
        low=0,
        high=51,
        applies_when=lambda values: not values["bitrate"],
    )
    container: str = option("mp4", "Kind of file.", choices=CONTAINERS, remember=False)
    fill_missing: bool = option(
        False, "Take the untouched frame of data_dst where a converted one is missing.", remember=False
    )


def run(workspace: Workspace, options: Options) -> None:
    """Write result.mp4 or result.avi.

    Raises:
        UserError: No converted frames, some missing, no video for the audio, or a full disk.
    """
    from facewright.marking.provenance import container_tags
    from facewright.video.result import Result, ResultSettings

    side = workspace.dst
    target = workspace.result.with_suffix(f".{options.container}")
    with workspace.lock("result"):
        plan, source, audio = gather(side, options)
        say_plan(plan, audio)
        settings = ResultSettings(options.crf, options.bitrate, options.container)
        result = Result(target, plan, settings, source, audio, container_tags(), workspace.trash)
        if result.finished():
            console.say(f"{target} is made of these very frames and settings already; nothing to do.")
            return
        make(result, plan, target)


def gather(side: Side, options: Options) -> "tuple[ResultPlan, Path | None, AudioStream | None]":
    """Return the frames with their times, the file with the audio, and the audio.

    Raises:
        UserError: Frames are missing, or the video is not the one that the frames were made of.
    """
    from facewright.video.probe import probe
    from facewright.video.result import plan_from_timing, plan_from_video
    from facewright.video.timing import read_timing

    timing = read_timing(side.timing_file)
    if timing is None:
        info = probe(side.video())
        console.warn(f"{side.timing_file} is missing: the times are taken from {info.path.name}.")
        return plan_from_video(info, side.merged_dir), info.path, info.audio
    plan = plan_from_timing(timing, side.frames_dir, side.merged_dir, fill_missing=options.fill_missing)
    if timing.audio is None:
        return plan, None, None
    info = probe(side.video())
    if (info.path.name, info.byte_count) != (timing.source_name, timing.source_bytes):
        raise UserError(
            f"{info.path.name} ({info.byte_count} bytes) is not the video that the frames were made of "
            f"({timing.source_name}, {timing.source_bytes} bytes), so its audio would not fit.",
            "the same video as in 3_extract_png_from_dst.",
            "put that video back, or run 3_extract_png_from_dst and the steps after it again.",
        )
    return plan, info.path, info.audio


def say_plan(plan: "ResultPlan", audio: "AudioStream | None") -> None:
    """Tell what is unusual about the frames; nothing is filled or left out in silence."""

    def names(stems: Sequence[str]) -> str:
        return console.listed(stems, MAX_NAMED)

    if plan.filled:
        console.warn(f"{len(plan.filled)} frames are untouched ones (--fill-missing): {names(plan.filled)}.")
    if plan.repeated:
        console.warn(
            f"{len(plan.repeated)} frames are neither in data_dst nor in merged; "
            f"the frame before stays on the screen: {names(plan.repeated)}."
        )
    if plan.orphans:
        console.warn(f"{len(plan.orphans)} images in merged belong to no frame, left out: {names(plan.orphans)}.")
    if audio is None:
        console.say("data_dst has no audio; the result is silent.")


def make(result: "Result", plan: "ResultPlan", target: Path) -> None:
    """Encode with a bar, then tell what was written."""
    from facewright.video.encode import image_size

    height, width = image_size(plan.frames[0].read_bytes(), plan.frames[0])
    if height % 2 or width % 2:
        console.say(
            f"The frames are {width}x{height}; H.264 needs even sizes, "
            f"so the last column or row is doubled: {width + width % 2}x{height + height % 2}."
        )
    if target.suffix == ".avi" and any(b - a != plan.timeline.tick for a, b in pairwise(plan.timeline.timestamps)):
        console.warn("AVI knows no variable rate: the times are rounded to 1/240 second. result.mp4 keeps them exact.")
    with console.progress_bar(len(plan.frames), title=f"Encoding {target.name}", unit="frames") as bar:
        kept = result.make(bar.update)
    console.say(
        f"Wrote {target}: {len(plan.frames)} frames, {float(plan.timeline.rate):.6g} per second, "
        f"{float(plan.timeline.end - plan.timeline.timestamps[0]):.2f} s."
    )
    if kept:
        console.say(f"Skipped {kept} frames that the run before had encoded.")
    console.say("Next: watch it. To change it, run 7_convert with other settings and this step again.")


COMMAND = Command(__doc__, Options, run)
