"""Make a video of a training's previews, from the first iteration to the last.

Reads model/<name>/history/, which 6_train --write-preview-history fills, and writes model/<name>/timelapse.mp4.
"""

from dataclasses import dataclass

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.nn.saved_models import shelf


@dataclass(frozen=True)
class Options:
    """Which training, and how fast."""

    name: str = option("", "Which model; without it the one that was saved last.")
    seconds: float = option(20.0, "Length of the video; of many previews every so many are shown.", low=1, high=3600)
    fps: float = option(25.0, "Pictures per second.", low=1, high=120)


def run(workspace: Workspace, options: Options) -> None:
    """Write the video.

    Raises:
        UserError: There are no previews, or the disk is full.
    """
    from facewright.video.cut import write_timelapse  # it loads the video library

    names = [options.name] if options.name else [model.name for model in shelf(workspace.model_dir)]
    folder = workspace.model_dir / names[0] if names else workspace.model_dir
    images = sorted(list_files(folder / "history", (".jpg",)), key=lambda path: (len(path.stem), path.stem))
    if not images:
        raise UserError(
            f"There are no previews in {folder / 'history'}.",
            "the images that 6_train keeps every 10 iterations when it is told to.",
            "train with --write-preview-history, then run this step again.",
        )
    wanted = max(1, round(options.seconds * options.fps))
    chosen = [images[k * len(images) // wanted] for k in range(wanted)] if len(images) > wanted else images
    target = folder / "timelapse.mp4"
    count = write_timelapse([*chosen[:-1], images[-1]], target, options.fps)
    console.say(f"{count} of {len(images)} previews, {count / options.fps:.1f} s: {target}")
    if count < len(chosen):
        console.say(f"{len(chosen) - count} previews of another size were left out.")


COMMAND = Command(__doc__, Options, run)
