"""Take the frames out of a video: data_src.* or data_dst.* -> 00001.png ... with every frame's time.

A run that was broken off goes on after its last whole frame; a finished one does nothing. If the video or the
settings are not those that the frames were made of, the old frames move to the trash, after a question.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facewright.core import console
from facewright.core.command import Command
from facewright.core.files import list_files
from facewright.core.hints import again, hint
from facewright.core.options import PromptPlan, option
from facewright.core.workspace import Workspace
from facewright.video.extraction import ExtractFramesReport, extract_frames
from facewright.video.frames import FrameSettings
from facewright.video.probe import VideoInfo
from facewright.video.timing import Timing

SIDE_CHOICES = {"src": "data_src, the face to take", "dst": "data_dst, the video to change (always every frame)"}
FORMAT_CHOICES = {"png": "exact, larger", "jpg": "a third of the size, not quite exact"}
DEPTH_CHOICES = {
    "video": "PNG of 16 bits, about three times as large, where the video has more than 8",
    "8": "8 bits, whatever the video has",
}


@dataclass(frozen=True)
class Options:
    """Settings of this step."""

    side: str = option("src", "Which video.", choices=SIDE_CHOICES, ask="Video", remember=False)
    fps: float = option(
        0.0,
        "Frames per second to take from data_src; 0 takes every frame. Real frames are picked, none is doubled.",
        ask="FPS (0 = every frame)",
        low=0,
        high=1000,
        applies_when=lambda values: values["side"] == "src",
    )
    image_format: str = option("png", "Format of the frames.", choices=FORMAT_CHOICES)
    depth: str = option(
        "video",
        "Bits a channel of data_dst's frames. Those of data_src have 8, for the training takes no more.",
        choices=DEPTH_CHOICES,
        applies_when=lambda values: values["side"] == "dst" and values["image_format"] == "png",
    )
    video_track: int = option(
        0,
        "Number of the video track to take where the file has several; 0 takes the main one.",
        low=0,
        high=1000,
        remember=False,
    )
    redo: bool = option(
        False, "Move frames of another video or of other settings to the trash without asking.", remember=False
    )


def find_video(workspace: Workspace, flags: Mapping[str, Any]) -> PromptPlan:
    """Look for the video before anything is asked about it.

    Raises:
        UserError: It is not there.
    """
    if side := flags.get("side"):
        workspace.side(side).video()
    return PromptPlan()


def run(workspace: Workspace, options: Options) -> ExtractFramesReport:
    """Write the frames of one video and their times.

    Raises:
        UserError: No video, a damaged one (what can be decoded of it is kept), a full disk, or old frames without
            --redo.
    """
    side = workspace.side(options.side)
    fps = options.fps if options.side == "src" else 0.0
    deep = options.side == "dst" and options.depth == "video"
    settings = FrameSettings(fps, options.image_format, options.video_track)
    report = extract_frames(workspace, side, settings, redo=options.redo, deep=deep)
    say_report(report, options.side)
    report.check_whole()
    if options.side == "src":
        console.say(f"Next, the frames of data_dst:{hint('extract-frames --side dst')}")
    else:
        console.say(f"Next, the faces of data_src:{hint('extract --side src')}")
    return report


def say_report(report: ExtractFramesReport, side: str) -> None:
    """Print what was written and what was done to the frames."""
    info, timing = report.video, report.timing
    known = len(timing.pts) if timing else 0
    if not report.written and not report.resumed:
        console.say(f"The frames of {info.path.name} are in {report.frames_dir} already; nothing to do.")
        if known > report.frames:
            console.say(f"{known - report.frames} of them were deleted since; they stay deleted.")
        return
    say_tracks(info)
    if timing is None:
        return
    height, width = timing.size
    console.say(
        f"Wrote {console.counted(report.written, 'frame')} of {width}x{height} to {report.frames_dir} "
        f"({float(timing.rate):.6g} frames per second, {'constant' if timing.constant else 'variable'} rate)."
    )
    if timing.bits > 8:
        taken = sum(path.stat().st_size for path in list_files(report.frames_dir, (".png",)))
        console.say(
            f"They have {timing.bits} bits a channel, for {info.path.name} has more than 8, and take "
            f"{taken / 1e6:.0f} MB; with --depth 8 it would be about a third."
        )
    if report.resumed:
        console.say(f"There from the run before: {console.counted(report.resumed, 'frame')}.")
    for change in timing.changes:
        console.say(f"The frames were {change}.")
    if side == "dst":
        say_source_audio(info, timing)


def say_tracks(info: VideoInfo) -> None:
    """Say which of several video tracks was taken."""
    if len(info.tracks) > 1:
        console.say(
            f"{info.path.name} has {console.counted(len(info.tracks), 'video track')}: "
            f"{', '.join(map(str, info.tracks))}."
        )
        other = next(track.track for track in info.tracks if track != info.track)
        console.say(
            f"These are the frames of {info.track}. To take another:{again('--redo', f'--video-track={other}')}"
        )


def say_source_audio(info: VideoInfo, timing: Timing) -> None:
    """Say which audio the result will get."""
    tracks, audio = info.audio_tracks, info.audio
    if not tracks:
        console.say("It has no audio.")
    elif audio is None:
        console.warn("ffmpeg cannot read its audio (unknown codec): the result will be silent.")
    elif len(tracks) == 1:
        console.say(f"Its audio ({audio.codec}) is noted.")
    else:
        console.say(f"It has {console.counted(len(tracks), 'audio track')}: {', '.join(map(str, tracks))}.")
        console.say(f"The result will get the main one, {audio.track}.")
        other = next((track.track for track in tracks if track.readable and track.track != audio.track), None)
        if other is not None:
            console.say(f"To take another in the end:{hint(f'make-video --audio-track {other}')}")
    if timing.audio is not None and timing.audio.breaks:
        console.say(f"Its time stamps do not run on either (breaks: {timing.audio.breaks}): it moves with the frames.")


COMMAND = Command(__doc__, Options, run, plan=find_video)
