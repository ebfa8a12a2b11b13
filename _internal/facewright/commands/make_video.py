"""Make the finished video: data_dst/merged/*.png + the times and the audio of data_dst -> result.mp4, mov, mkv or avi.

Every frame is shown when it was shown in data_dst, also at a variable rate. A run that was broken off goes on after
the last whole segment of two seconds; a second run with the same frames, settings and audio does nothing.
"""

from dataclasses import dataclass

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.marking.provenance import container_tags
from facewright.video.codecs import CODECS
from facewright.video.result import MakeVideoReport, ResultSettings, make_video

CONTAINER_CHOICES = {
    "auto": "the usual one of the codec (default)",
    "mp4": "result.mp4, plays everywhere",
    "mov": "result.mov, for editors",
    "mkv": "result.mkv; it keeps times to a millisecond",
    "avi": "result.avi, for older editors; its audio is PCM",
}


@dataclass(frozen=True)
class EncodeOptions:
    """How a video is encoded, and which audio it gets."""

    codec: str = option(
        "h264", "How the video is encoded.", choices={name: kind.title for name, kind in CODECS.items()}, remember=False
    )
    bitrate: float = option(
        0.0,
        "Megabits per second of the video; 0 keeps an even quality instead, given by --crf.",
        ask="Bitrate in Mbit/s (0 = even quality)",
        low=0,
        high=1000,
        applies_when=lambda values: CODECS[values["codec"]].has_quality,
    )
    crf: int = option(
        16,
        "Quality of H.264 and H.265: 0 is lossless, huge and unknown to many players, 16 looks like the frames, 23 is "
        "small, 51 is the worst.",
        ask="Quality (CRF)",
        low=0,
        high=51,
        applies_when=lambda values: CODECS[values["codec"]].has_quality and not values["bitrate"],
    )
    hardware: bool = option(
        False,
        "Let the graphics chip encode H.264 or H.265, where one of its encoders works here; it is said which one does.",
        remember=False,
    )
    audio: bool = option(
        True, "Give the result the audio of the video it is made of; --no-audio makes a silent one.", remember=False
    )
    audio_track: int = option(
        0,
        "Number of the audio track to take where the video has several; 0 takes the main one.",
        low=0,
        high=1000,
        remember=False,
        applies_when=lambda values: values["audio"],
    )


@dataclass(frozen=True)
class Options(EncodeOptions):
    """Settings of this step."""

    container: str = option("auto", "Kind of file.", choices=CONTAINER_CHOICES, remember=False)
    fill_missing: bool = option(
        False, "Take the untouched frame of data_dst where a converted one is missing.", remember=False
    )
    only_merged: bool = option(
        False,
        "Leave out, with their sound, the frames of which there is no converted one; where every nth frame was "
        "converted, each stays until the next.",
        remember=False,
    )
    masks: bool = option(
        False,
        "Make result_mask of the masks in data_dst/merged_mask, without sound, in place of result.",
        remember=False,
    )


def run(workspace: Workspace, options: Options) -> MakeVideoReport:
    """Write result.mp4, or the file of another container.

    Raises:
        UserError: As `facewright.video.result.make_video` says.
    """
    if options.fill_missing and options.only_merged:
        raise UserError(
            "--fill-missing takes untouched frames for those that are missing, --only-merged leaves them out.",
            "one of the two.",
            "leave out one of them.",
        )
    if options.fill_missing and options.masks:
        raise UserError(
            "--fill-missing takes untouched frames for those that are missing, which are no masks.",
            "--masks with a mask for each frame, or with --only-merged.",
            f"make the missing masks:{hint('convert --mask-only')}",
        )
    report = make_video(workspace, ResultSettings(**vars(options)), container_tags())
    if not report.written:
        console.say(f"{report.video} is made of these very frames and settings already; nothing to do.")
        return report
    frames = console.counted(report.frames, "frame")
    console.say(
        f"Wrote {report.video}: {frames}, {report.rate:.6g} per second, {report.seconds:.2f} s, encoded with "
        f"{report.encoder}."
    )
    if report.resumed:
        console.say(f"Encoded by the run before: {console.counted(report.resumed, 'frame')}.")
    console.say(f"Next, watch it. To change it, convert with other settings and run this step again:{hint('convert')}")
    return report


COMMAND = Command(__doc__, Options, run)
