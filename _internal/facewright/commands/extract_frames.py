"""Take the frames out of a video: data_src.* or data_dst.* -> 00001.png ... with every frame's time.

A run that was broken off goes on after its last whole frame; a finished one does nothing. If the video or the
settings are not those that the frames were made of, the old frames move to the trash, after a question.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash
from facewright.core.options import option
from facewright.core.workspace import Side, Workspace

if TYPE_CHECKING:
    from facewright.video.frames import FrameReport, FrameSettings
    from facewright.video.probe import VideoInfo


SIDES = {"src": "data_src, the face to take", "dst": "data_dst, the video to change (always every frame)"}
FORMATS = {"png": "exact, larger", "jpg": "a third of the size, not quite exact"}


@dataclass(frozen=True)
class Options:
    """Settings of this step."""

    side: str = option("src", "Which video.", choices=SIDES, ask="Video", remember=False)
    fps: float = option(
        0.0,
        "Frames per second to take from data_src; 0 takes every frame. Real frames are picked, none is doubled.",
        ask="FPS (0 = every frame)",
        low=0,
        high=1000,
        applies_when=lambda values: values["side"] == "src",
    )
    image_format: str = option("png", "Format of the frames.", choices=FORMATS)
    redo: bool = option(
        False, "Move frames of another video or of other settings to the trash without asking.", remember=False
    )


def run(workspace: Workspace, options: Options) -> None:
    """Write the frames of one video and their times.

    Raises:
        UserError: No video, a damaged one (what can be decoded of it is kept), a full disk, or old frames without
            --redo.
    """
    from facewright.video.frames import FrameSettings, split
    from facewright.video.probe import probe

    side = workspace.side(options.side)
    info = probe(side.video())
    settings = FrameSettings(options.fps if options.side == "src" else 0.0, options.image_format)
    with workspace.lock(side.name):
        if finished(side, info, settings):
            say_finished(side, info)
            say_next(options.side)
            return
        make_way(workspace, side, info, settings, redo=options.redo)
        total = expected(info, settings)
        with console.progress_bar(total, title=f"Frames of {info.path.name}", unit="frames") as bar:
            report = split(info, side.frames_dir, side.timing_file, settings, bar.update)
    say_report(side, info, report)
    if report.promised:
        raise cut_off(info, report)
    say_next(options.side)


def cut_off(info: "VideoInfo", report: "FrameReport") -> UserError:
    """Say that the video is shorter than it claims to be; the next run takes the frames as complete."""
    return UserError(
        f"{info.path.name} is damaged or cut off: {len(report.timing.pts)} of its {report.promised} frames could be "
        "decoded. They were kept.",
        "a video that can be decoded to its end.",
        "copy the video again; or, if these frames are enough, go on with the next step.",
    )


def finished(side: Side, info: "VideoInfo", settings: "FrameSettings") -> bool:
    """Whether the frames of this very video with these settings were written to the end, and some are left."""
    return side.timing_file.exists() and bool(side.frames()) and not differences(side, info, settings)


def say_finished(side: Side, info: "VideoInfo") -> None:
    """Tell that there is nothing to do."""
    from facewright.video.timing import read_timing

    timing = read_timing(side.timing_file)
    gone = (len(timing.pts) if timing else 0) - len(side.frames())
    console.say(f"The frames of {info.path.name} are in {side.frames_dir} already; nothing to do.")
    if gone > 0:
        console.say(f"{gone} of them were deleted since; they stay deleted.")


def differences(side: Side, info: "VideoInfo", settings: "FrameSettings") -> list[str]:
    """Name what differs from what the present frames were made of; empty when nothing does."""
    from facewright.video.frames import made_from, partial_made_from
    from facewright.video.timing import read_timing

    wanted = made_from(info, settings)
    timing = read_timing(side.timing_file)
    if timing is not None:
        made_of: dict[str, Any] | None = {
            "name": timing.source_name,
            "bytes": timing.source_bytes,
            "fps": timing.fps,
            "image_format": timing.image_format,
        }
    else:
        made_of = partial_made_from(side.frames_dir)
    if made_of is None:
        return ["they were not made by this step (frames.json is missing)"] if side.frames() else []
    words = {"name": "the video was {}", "bytes": "the video had {} bytes", "fps": "the rate was {:g} fps"}
    words["image_format"] = "the format was {}"
    return [words[k].format(made_of[k]) for k in wanted if made_of.get(k) != wanted[k] and k in made_of]


def make_way(workspace: Workspace, side: Side, info: "VideoInfo", settings: "FrameSettings", *, redo: bool) -> None:
    """Move frames of another origin, and what was made of them, to the trash.

    Raises:
        UserError: The user said no, or nobody could be asked.
    """
    try:
        found = differences(side, info, settings)
    except UserError as error:
        if not redo:
            raise
        found = [error.happened]
    if not found:
        return
    reason = "; ".join(found)
    question = f"{side.frames_dir} holds other frames ({reason}). Move them and the faces made of them to the trash?"
    if not redo and not console.confirm(question):
        raise UserError(
            f"{side.frames_dir} holds other frames: {reason}.",
            f"no frames there, or those of {info.path.name} at the same settings.",
            "add --redo to move them, and the faces and results made of them, to the trash.",
        )
    # The whole folder in one rename: a kill cannot tear frames and faces apart.
    target = move_to_trash([side.frames_dir], workspace.trash, by=COMMAND.name)
    console.say(f"Moved the old frames and what was made of them to {target}.")


def expected(info: "VideoInfo", settings: "FrameSettings") -> int | None:
    """Return the probable number of frames, for the bar."""
    count = info.frame_count
    if settings.fps and info.average_rate > settings.fps:
        count = round(float(count * settings.fps / info.average_rate))
    return count or None


def say_report(side: Side, info: "VideoInfo", report: "FrameReport") -> None:
    """Tell what was written and what was done to the frames."""
    timing = report.timing
    kind = "constant" if timing.constant else "variable"
    height, width = timing.size
    console.say(
        f"Wrote {report.written} frames of {width}x{height} to {side.frames_dir} "
        f"({float(timing.rate):.6g} frames per second, {kind} rate)."
    )
    if report.resumed:
        console.say(f"Skipped {report.resumed} frames that were there from the run before.")
    for change in timing.changes:
        console.say(f"The frames were {change}.")
    if side.name == "data_dst":
        console.say("It has no audio." if timing.audio is None else f"Its audio ({timing.audio.codec}) is noted.")
    if info.audio_count > 1:
        console.say(f"It has {info.audio_count} audio tracks; the result will get the main one.")


def say_next(side: str) -> None:
    """Tell what to run next."""
    following = "3_extract_png_from_dst" if side == "src" else "4_src_extract_faces"
    console.say(f"Next: {following}.")


COMMAND = Command(__doc__, Options, run)
