"""Bring back what a step put into the trash, or an older state of a model.

Each step puts what it would have to delete into a dated folder of trash/, with a note on where it came from. The newest
such folder is taken unless --which names another; --list shows them. Nothing that is there now is overwritten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from facewright.core.command import Command
from facewright.core.options import option
from facewright.core.workspace import FACES_OF_SIDES, Workspace
from facewright.restore.choice import RestorableKind, RestoreReport, RestoreRequest
from facewright.restore.model_states import restore_model
from facewright.restore.trash import restore_faces, restore_files

# A new kind is a function in the package restore and a row here.
RESTORABLE: Mapping[str, RestorableKind] = MappingProxyType(
    {
        "faces": RestorableKind("faces of data_src or data_dst, back from the trash", restore_faces),
        "model": RestorableKind("an older saved state, or a backup, of a model", restore_model),
        "all": RestorableKind("all files of one folder of the trash, each to where it was", restore_files),
    }
)


@dataclass(frozen=True)
class Options:
    """What is brought back."""

    what: str = option(
        "faces", "What to bring back.", choices={name: kind.help for name, kind in RESTORABLE.items()}, ask="Bring back"
    )
    side: str = option(
        "src",
        "Whose faces.",
        choices=FACES_OF_SIDES,
        ask="Whose faces",
        applies_when=lambda values: values["what"] == "faces",
    )
    which: str = option(
        "", "Which one: its number in the list (1 is the newest) or its name. Empty asks, or takes 1.", remember=False
    )
    list: bool = option(False, "Show what there is and bring nothing back.", remember=False)


def run(workspace: Workspace, options: Options) -> RestoreReport:
    """Show the list, or bring one thing back.

    Raises:
        UserError: There is nothing of the kind, or none of that name.
    """
    side = workspace.side(options.side)
    return RESTORABLE[options.what].run(RestoreRequest(workspace, side, options.which, options.list))


COMMAND = Command(__doc__, Options, run)
