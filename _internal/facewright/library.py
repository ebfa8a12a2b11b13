"""The commands as functions, for programs: `from facewright import Workspace, extract_faces`.

Each takes a workspace and the options of its subcommand by name, and returns the subcommand's report. Nobody is asked:
what needs a decision (moving faces of other settings away, say) is refused with a `UserError` unless an option
decides it. Answers that a person typed in earlier runs do not count; what is not named has its default.

The names are longer than the subcommands', because facewright.extract, facewright.train and facewright.convert are
packages.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facewright.core import console
from facewright.core.command import CommandPackage, OptionValue
from facewright.core.errors import UserError as UserError
from facewright.core.workspace import Workspace as Workspace

if TYPE_CHECKING:  # a subcommand is imported when it is called
    from facewright.convert.session import ConvertReport
    from facewright.extract.report import ExtractionReport
    from facewright.swap.session import SwapReport
    from facewright.train.pipeline import TrainingReport
    from facewright.video.extraction import ExtractFramesReport
    from facewright.video.result import MakeVideoReport


def extract_frames(workspace: Workspace, side: str = "src", **options: OptionValue) -> "ExtractFramesReport":
    """Write the frames of data_src.* or data_dst.* as image files; see `run_command`."""
    return run_command("extract-frames", workspace, side=side, **options)


def extract_faces(workspace: Workspace, side: str = "src", **options: OptionValue) -> "ExtractionReport":
    """Find the faces in the frames of a side and save them aligned; see `run_command`."""
    return run_command("extract", workspace, side=side, **options)


def train_model(
    workspace: Workspace, model: str = "quick", *, target_iter: int, **options: OptionValue
) -> "TrainingReport":
    """Train a network on the faces of both sides until an iteration; see `run_command`.

    Ctrl-C saves the model, then raises KeyboardInterrupt.
    """
    return run_command("train", workspace, model=model, target_iter=target_iter, **options)


def convert_frames(workspace: Workspace, **options: OptionValue) -> "ConvertReport":
    """Replace the faces in the frames of data_dst with those of the trained model; see `run_command`."""
    return run_command("convert", workspace, **options)


def make_video(workspace: Workspace, **options: OptionValue) -> "MakeVideoReport":
    """Encode the converted frames with the times and the sound of data_dst; see `run_command`."""
    return run_command("make-video", workspace, **options)


def swap_video(workspace: Workspace, video: str | Path, result: str | Path, **options: OptionValue) -> "SwapReport":
    """Make a video with other faces, straight from a video; see `run_command`.

    Args:
        workspace: Holds the trained models.
        video: The video, anywhere.
        result: The file to make of it.
        options: Those of the subcommand swap.
    """
    report: SwapReport = run_command("swap", workspace, files=[str(video), str(result)], **options).videos[0]
    return report


def run_command(name: str, workspace: Workspace, **options: OptionValue) -> Any:
    """Run any subcommand.

    Args:
        name: As typed on the command line: "sort", "extract-frames".
        workspace: The project's folder.
        options: The subcommand's options, by the names of their flags with underscores in place of dashes. An option
            that may be given several times takes a list.

    Returns:
        The subcommand's report, a frozen dataclass of paths and counts.

    Raises:
        KeyError: There is no such subcommand.
        TypeError: It has no such option.
        UserError: A mistake that its message explains: a value out of range, a missing file, a full disk.
        KeyboardInterrupt: It was stopped; what was done is kept, and the next call goes on from there.
    """
    return CommandPackage().load(name).run_by_name(workspace, options, console.Answers.DEFAULTS, use_answers=False)
