"""Find out what of each face is seen: a model that learns masks, and puts them into the faces.

    edit     draw polygons around what belongs to the masks, and what covers it: in a window, or with --serve on a page
    train    learn on the faces of data_src and data_dst; labels are used where there are some, none are needed
    apply    put predicted masks into the faces of a side; --mask record then uses them
    remove   take predicted masks off again
    fetch    copy the labelled faces to a folder

Hands, hair, glasses and other things in front of a face are left out of the masks. The model is in model/mask; the
next training continues from there. Labels are polygons that you drew, or masks that came with imported faces.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from facewright.annotate.launch import AnnotationOptions
from facewright.annotate.masks import edit_masks
from facewright.core import console
from facewright.core.command import Command, MoreOptions
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.options import option
from facewright.core.workspace import FACES_OF_SIDES, Side, Workspace
from facewright.extract.side_run import open_side
from facewright.facesets.common import no_faces
from facewright.masks.applying import apply_masks, remove_masks
from facewright.masks.fetching import fetch_labelled
from facewright.masks.options import MaskApplyOptions, MaskTrainOptions
from facewright.masks.training import train_masks

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "edit": "draw polygons around what belongs to the masks, and what covers it",
        "train": "learn what of the faces is seen, on the faces of both sides",
        "apply": "put the model's masks into the faces",
        "remove": "take the model's masks off the faces",
        "fetch": "copy the labelled faces to a folder",
    }
)
OWN_OPTIONS: Mapping[str, type] = MappingProxyType(
    {"edit": AnnotationOptions, "train": MaskTrainOptions, "apply": MaskApplyOptions}
)

COVERED = "something lies before it"  # why the mask editor marks a face


@dataclass(frozen=True)
class Options:
    """What is done, and to whose faces."""

    action: str = option("", "What is done.", choices=ACTIONS, ask="What is to be done", remember=False)
    side: str = option("dst", "Whose faces; train takes those of both sides.", choices=FACES_OF_SIDES, remember=False)


@dataclass(frozen=True)
class MaskReport:
    """What was done.

    Attributes:
        action: What was asked for.
        faces: Faces whose mask was written or taken off, or that were copied.
        iteration: Of the mask model, after a training.
        folder: Where labelled faces were copied to.
    """

    action: str
    faces: int = 0
    iteration: int = 0
    folder: Path | None = None


def more_options(workspace: Workspace, options: Options) -> type | None:
    """Return what else the action wants to know."""
    return OWN_OPTIONS.get(options.action)


def run(workspace: Workspace, options: Options, more: Any = None) -> MaskReport:
    """Do it.

    Raises:
        UserError: No action is named, there are no faces, no model, or the disk is full.
    """
    if not options.action:
        raise UserError(
            "It is not said what is to be done with the masks.",
            f"one of {', '.join(ACTIONS)}.",
            f"name it, for example:{hint(f'mask --side {options.side} --action train')}",
        )
    side = workspace.side(options.side)
    if options.action == "edit":
        console.heading(f"Masks of {side.name}: {options.action}")
        return MaskReport(options.action, _edit(workspace, side, more or AnnotationOptions()))
    if options.action == "train":
        console.heading("Training of the mask model")
        iteration, _ = train_masks(workspace, more or MaskTrainOptions())
        lines = "".join(hint(f"mask --side {name} --action apply") for name in ("dst", "src"))
        console.say(f"Next, put its masks into the faces:{lines}")
        return MaskReport(options.action, iteration=iteration)
    console.heading(f"Masks of {side.name}: {options.action}")
    with workspace.lock(side.name):
        if options.action == "fetch":
            count, folder = fetch_labelled(workspace, side)
            return MaskReport(options.action, count, folder=folder)
        if options.action == "remove":
            return MaskReport(options.action, remove_masks(workspace, side).changed)
        return MaskReport(options.action, apply_masks(workspace, side, more or MaskApplyOptions()).changed)


def _edit(workspace: Workspace, side: Side, options: AnnotationOptions) -> int:
    """Open the mask editor over all faces of a side, in the order of their frames; return how many were changed."""
    with open_side(workspace, side) as side_run:
        faces = [face for files in side_run.faces.by_frame().values() for face in files]
        if not faces:
            raise no_faces(side, side_run.faces.bad)
        covered = {face.path.name: (COVERED,) for face in faces if face.record.occlusion}
        changed = len(edit_masks(side_run, faces, options, covered))
    if changed:
        console.say(f"Next, train the mask model on what was drawn:{side.hint('mask --action train')}")
    return changed


COMMAND = Command(__doc__, Options, run, MoreOptions("action", more_options))
