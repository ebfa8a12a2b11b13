"""Work on a whole faceset: import or merge others, cut anew, recover names, save and restore the data of the faces.

    import            take in faces of DeepFaceLab (2018 and later) or FaceSwap
    merge             take in the src faces of another workspace
    remake            cut all faces again, at another size or face type
    recover-names     give the files the names of the extraction again
    save-metadata     before an edit in another program: keep the data of all faces
    restore-metadata  after it: put the data back into the edited images

What is replaced goes to the trash folder. Each action can be run again: it does only what is missing.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from facewright.core import console
from facewright.core.command import Command, MoreOptions
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.machine import cores
from facewright.core.options import option
from facewright.core.workers import threads
from facewright.core.workspace import FACES_OF_SIDES, Workspace
from facewright.facesets.face_names import recover_names
from facewright.facesets.import_faces import ImportOptions, import_faces
from facewright.facesets.merge import MergeOptions, merge
from facewright.facesets.metadata import RestoreOptions, restore_metadata, save_metadata
from facewright.facesets.remake import RemakeOptions, remake


@dataclass(frozen=True)
class Action:
    """Something that can be done to a faceset.

    Attributes:
        help: One line.
        run: Does it: workspace, "src" or "dst", the action's own options, threads.
        options: The class of the action's own options, or None.
    """

    help: str
    run: Callable[[Workspace, str, Any, Executor], None]
    options: type | None = None


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "import": Action("take in faces that DeepFaceLab or FaceSwap cut out", import_faces, ImportOptions),
        "merge": Action("take in the src faces of another workspace", merge, MergeOptions),
        "remake": Action("cut all faces again, at another size or face type", remake, RemakeOptions),
        "recover-names": Action(
            "rename the files after their frames, as the extraction called them",
            lambda workspace, side, options, executor: recover_names(workspace, side),
        ),
        "save-metadata": Action(
            "keep the data of all faces, before an edit in another program",
            lambda workspace, side, options, executor: save_metadata(workspace, side, executor),
        ),
        "restore-metadata": Action(
            "put the data back into the edited images",
            lambda workspace, side, options, executor: restore_metadata(workspace, side, options),
            RestoreOptions,
        ),
    }
)


@dataclass(frozen=True)
class Options:
    """What is done, and to whose faces."""

    action: str = option(
        "",
        "What is done.",
        choices={name: action.help for name, action in ACTIONS.items()},
        ask="What is to be done",
        remember=False,
    )
    side: str = option(
        "src",
        "Whose faces.",
        choices=FACES_OF_SIDES,
        ask="Whose faces",
    )


@dataclass(frozen=True)
class FacesetReport:
    """What was done.

    Attributes:
        action: What was asked for.
        aligned_dir: Folder of the aligned faces.
        faces: Files of faces that are in it now.
    """

    action: str
    aligned_dir: Path
    faces: int


def more_options(workspace: Workspace, options: Options) -> type | None:
    """Return what else the action wants to know."""
    return ACTIONS[options.action].options if options.action else None


def run(workspace: Workspace, options: Options, more: Any) -> FacesetReport:
    """Do it.

    Raises:
        UserError: No action is named, there are no faces, or what the action needs is not there.
    """
    if not options.action:
        raise UserError(
            "It is not said what is to be done with the faces.",
            f"one of {', '.join(ACTIONS)}.",
            f"name it, for example:{hint('faceset --action recover-names')}",
        )
    side = workspace.side(options.side)
    console.heading(f"Faces of {side.name}: {options.action}")
    with workspace.lock(side.name), threads(cores()) as executor:
        ACTIONS[options.action].run(workspace, options.side, more, executor)
    return FacesetReport(options.action, side.aligned_dir, len(side.aligned()))


COMMAND = Command(__doc__, Options, run, MoreOptions("action", more_options))
