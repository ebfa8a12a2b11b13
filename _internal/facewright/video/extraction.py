"""The frames of a workspace's video: written once, left alone afterwards, moved away when they are of another video."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash
from facewright.core.hints import again
from facewright.core.workspace import Side, Workspace
from facewright.video.filters import frame_bits
from facewright.video.frames import (
    NOT_NOTED,
    PARTIAL,
    FrameSettings,
    differing,
    expected_count,
    made_from,
    partial_made_from,
    write_frames,
)
from facewright.video.glued import warn_of_second_file
from facewright.video.named import side_video
from facewright.video.probe import VideoInfo, probe
from facewright.video.timing import Timing, read_timing

BITS = "they have {} bits a channel"
EIGHT_BITS = BITS.format(8)


@dataclass(frozen=True)
class ExtractFramesReport:
    """What an extraction of frames did.

    Attributes:
        frames_dir: Folder of the frames.
        video: The video.
        timing: The times of all its frames; None where frames.json was removed meanwhile.
        written: Frames written by this run.
        resumed: Frames that a broken-off run had left.
        frames: Frames that are in the folder now.
        promised: Frames that the file claims to hold where fewer could be decoded; else 0.
    """

    frames_dir: Path
    video: VideoInfo
    timing: Timing | None
    written: int
    resumed: int
    frames: int
    promised: int = 0

    def check_whole(self) -> None:
        """Check that the video holds what it claims; the next run takes the frames as complete.

        Raises:
            UserError: It does not.
        """
        if self.promised and self.timing is not None:
            raise UserError(
                f"{self.video.path.name} is damaged or cut off: {len(self.timing.pts)} of its "
                f"{console.counted(self.promised, 'frame')} "
                "could be decoded. They were kept.",
                "a video that can be decoded to its end.",
                "copy the video again; or, if these frames are enough, go on with the next step.",
            )


def extract_frames(
    workspace: Workspace, side: Side, settings: FrameSettings, *, redo: bool, deep: bool = False
) -> ExtractFramesReport:
    """Write the frames of one video and their times; do nothing when they are there already.

    Args:
        workspace: The project; frames of another video or of other settings move to its trash.
        side: Whose video.
        settings: What to take.
        redo: Move such frames away without asking.
        deep: Keep 16 bits a channel where the video has more than 8.

    Raises:
        UserError: No video, a full disk, or other frames and nobody who agrees that they are moved.
    """
    info = probe(side_video(side), Contents(workspace.root), track=settings.video_track)
    warn_of_second_file(info.path)
    settings = replace(settings, bits=frame_bits(info, settings.image_format)) if deep else settings
    with workspace.lock(side.name):
        found = differences(side, info, settings, redo=redo)
        if not found and side.timing_file.exists() and side.frames():
            # A run that was killed at its very end has left it.
            (side.frames_dir / PARTIAL).unlink(missing_ok=True)
            return ExtractFramesReport(side.frames_dir, info, read_timing(side.timing_file), 0, 0, len(side.frames()))
        if found:
            move_other_frames(workspace, side, info, "; ".join(found), redo=redo)
        total = expected_count(info, settings.fps) or None
        with console.progress_bar(total, title=f"Frames of {info.path.name}", unit="frames") as bar:
            report = write_frames(info, side.frames_dir, side.timing_file, settings, bar.update)
        frames = len(side.frames())
    return ExtractFramesReport(
        side.frames_dir, info, report.timing, report.written, report.resumed, frames, report.promised
    )


def differences(side: Side, info: VideoInfo, settings: FrameSettings, *, redo: bool) -> list[str]:
    """Return in words what differs from what the present frames were made of; empty when nothing does.

    Raises:
        UserError: frames.json is damaged, and `redo` does not say that its frames may go.
    """
    wanted = made_from(info, settings)
    try:
        timing = read_timing(side.timing_file)
    except UserError as error:
        if not redo:
            raise
        return [error.happened]
    if timing is not None:
        made_of: dict[str, Any] | None = {
            "name": timing.source_name,
            "bytes": timing.source_bytes,
            "content": timing.source_content,
            "fps": timing.fps,
            "image_format": timing.image_format,
            "video_track": timing.video_track,
            "bits": timing.bits,
        }
    else:
        made_of = partial_made_from(side.frames_dir)
    if made_of is None:
        return ["they were not made by this step (frames.json is missing)"] if side.frames() else []
    words = {"name": "the video was {}", "bytes": "the video had {} bytes", "fps": "the rate was {:g} fps"}
    words |= {"image_format": "the format was {}", "video_track": "the video track was {} (0 is the main one)"}
    words |= {"bits": BITS}
    made_of = {**NOT_NOTED, **made_of}
    found = [key for key in differing(made_of, wanted) if key in made_of]
    if found == ["content"]:
        return ["the video was another one of the same name and length"]
    return [words[key].format(made_of[key]) for key in found if key in words]


def move_other_frames(workspace: Workspace, side: Side, info: VideoInfo, reason: str, *, redo: bool) -> None:
    """Move frames of another origin, and what was made of them, to the trash.

    Raises:
        UserError: The user said no, or nobody could be asked.
    """
    question = f"{side.frames_dir} holds other frames ({reason}). Move them and the faces made of them to the trash?"
    if not redo and not console.confirm(question):
        problem = UserError(
            f"{side.frames_dir} holds other frames: {reason}.",
            f"no frames there, or those of {info.path.name} at the same settings.",
            f"move them, and the faces and results made of them, to the trash:{again('--redo')}",
        )
        if reason == EIGHT_BITS:
            problem.add_note(f"Or keep them as they are:{again('--depth', '8')}")
        raise problem
    # The whole folder in one rename: a kill cannot tear frames and faces apart.
    target = move_to_trash([side.frames_dir], workspace.trash, by="extract-frames")
    console.say(f"Moved the old frames and what was made of them to {target}.")
