"""Work on a whole faceset: import or merge others, cut anew, recover names, save and restore the data of the faces.

    import            take in faces of DeepFaceLab (2018 and later) or FaceSwap
    merge             take in the src faces of another workspace
    remake            cut all faces again, at another size or face type
    recover-names     give the files the names of the extraction again
    save-metadata     before an edit in another program: keep the data of all faces
    restore-metadata  after it: put the data back into the edited pictures

What is replaced goes to the trash folder. Each action can be run again: it does only what is missing.
"""

from dataclasses import dataclass
from typing import Any

from facewright.core import console
from facewright.core.command import Command, MoreOptions
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.facesets.import_faces import ImportOptions, import_faces
from facewright.facesets.merge import MergeOptions, merge
from facewright.facesets.metadata import RestoreOptions, restore_metadata, save_metadata
from facewright.facesets.recover_names import recover_names
from facewright.facesets.remake import RemakeOptions, remake


@dataclass(frozen=True)
class Options:
    """What is done, and to whose faces."""

    action: str = option(
        "recover-names",
        "What is done.",
        choices={
            "import": "take in faces that DeepFaceLab or FaceSwap cut out",
            "merge": "take in the src faces of another workspace",
            "remake": "cut all faces again, at another size or face type",
            "recover-names": "rename the files after their frames, as the extraction called them",
            "save-metadata": "keep the data of all faces, before an edit in another program",
            "restore-metadata": "put the data back into the edited pictures",
        },
        ask="What is to be done",
    )
    side: str = option(
        "src",
        "Whose faces.",
        choices={"src": "faces of data_src", "dst": "faces of data_dst"},
        ask="Whose faces",
    )


def more_options(workspace: Workspace, options: Options) -> type | None:
    """Return what else the action wants to know."""
    return {
        "import": ImportOptions,
        "merge": MergeOptions,
        "remake": RemakeOptions,
        "restore-metadata": RestoreOptions,
    }.get(options.action)


def run(workspace: Workspace, options: Options, more: Any) -> None:
    """Do it.

    Raises:
        UserError: There are no faces, or what the action needs is not there.
    """
    side = workspace.side(options.side)
    console.heading(f"Faces of {side.name}: {options.action}")
    with workspace.lock(side.name):
        if options.action == "import":
            import_faces(workspace, options.side, more)
        elif options.action == "merge":
            merge(workspace, options.side, more)
        elif options.action == "remake":
            remake(workspace, options.side, more)
        elif options.action == "recover-names":
            recover_names(workspace, options.side)
        elif options.action == "save-metadata":
            save_metadata(workspace, options.side)
        else:
            restore_metadata(workspace, options.side, more)


COMMAND = Command(__doc__, Options, run, MoreOptions("action", more_options))
