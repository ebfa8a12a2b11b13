"""Make a video of a training's previews, from the first iteration to the last.

Reads model/<name>/history/, which the training fills, and writes model/<name>/timelapse.mp4.
"""

from dataclasses import dataclass

from facewright.core import console
from facewright.core.command import Command
from facewright.core.links import check_links
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.marking.provenance import container_tags
from facewright.nn.saved_models import check_chosen, list_saved_models
from facewright.video.timelapse import TimelapseReport, make_timelapse


@dataclass(frozen=True)
class Options:
    """Which training, and how fast."""

    name: str = option("", "Which model; without it the one that was saved last.", check=check_chosen)
    seconds: float = option(20.0, "Length of the video; of many previews every nth is shown.", low=1, high=3600)
    fps: float = option(25.0, "Frames per second.", low=1, high=120)


def run(workspace: Workspace, options: Options) -> TimelapseReport:
    """Write the video.

    Raises:
        UserError: There are no previews, the disk is full, or the model is behind a link that is not to be followed.
    """
    names = [options.name] if options.name else [model.name for model in list_saved_models(workspace.model_dir)]
    folder = workspace.model_dir / names[0] if names else workspace.model_dir
    check_links([folder])
    report = make_timelapse(folder, options.seconds, options.fps, container_tags())
    seconds = report.frames / options.fps
    console.say(f"{report.frames} of {console.counted(report.previews, 'preview')}, {seconds:.1f} s: {report.video}")
    return report


COMMAND = Command(__doc__, Options, run)
