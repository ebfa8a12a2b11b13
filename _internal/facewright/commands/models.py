"""List the models of the workspace, or import models that DeepFaceLab saved.

Without a flag the models of model/ are listed, the one saved last first. `--import FOLDER` reads the models of a folder
of DeepFaceLab (SAEHD, AMP, Quick96, XSeg: files *_data.dat and *.npy) as plain data, without running anything in them:
they can be converted with, exported and trained on; an XSeg becomes the mask model.
"""

from dataclasses import dataclass, field

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import typed_path
from facewright.core.hints import hint
from facewright.core.names import printable
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.nn.saved_models import MASK_MODEL, list_saved_models


@dataclass(frozen=True)
class Options:
    """What to import."""

    import_: str = option("", "Import the models of this folder of DeepFaceLab.", remember=False)
    name: str = option("", "What the imported model is called here; without it as there.", remember=False)


@dataclass(frozen=True)
class ModelsResult:
    """What there is.

    Attributes:
        names: The models of the workspace, the one saved last first.
        imported: Names of those that this run imported.
    """

    names: tuple[str, ...]
    imported: tuple[str, ...] = field(default=())


def run(workspace: Workspace, options: Options) -> ModelsResult:
    """Import where that is asked for, else list.

    Raises:
        UserError: See `facewright.models.dfl_import.import_folder`.
    """
    return _import(workspace, options) if options.import_ else _list(workspace)


def _import(workspace: Workspace, options: Options) -> ModelsResult:
    from facewright.models.dfl_import import import_folder  # only now: it imports keras
    from facewright.nn import devices

    console.heading("Importing models")
    folder = typed_path(options.import_)
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "a model folder of DeepFaceLab.", "give its path.")
    with workspace.lock("model"):
        devices.start("float32")
        found = import_folder(folder, workspace.model_dir, options.name)
    for model in found:
        more = ", its optimiser goes on" if model.optimizer else ""
        console.say(f"{model.source} is now the model {model.name}: {model.kind}, iteration {model.iteration}{more}.")
        if model.dropped:
            console.say(f"Left behind: {'; '.join(model.dropped)}.")
        if model.kind == MASK_MODEL:
            console.say(f"To write its masks into the faces:{hint('mask --side dst --action apply')}")
        else:
            console.say(f"To train it on:{hint('train --name', model.name)}")
            console.say(f"To convert with it:{hint('convert --model', model.name)}")
    listed = tuple(model.name for model in list_saved_models(workspace.model_dir))
    return ModelsResult(listed, tuple(model.name for model in found))


def _list(workspace: Workspace) -> ModelsResult:
    found = list_saved_models(workspace.model_dir)
    for model in found:
        console.say(f"{printable(model.name)}: {printable(model.describe())}")
    if not found:
        console.say(f"There is no model in {workspace.model_dir} yet. To train one:{hint('train')}")
    return ModelsResult(tuple(model.name for model in found))


COMMAND = Command(__doc__, Options, run)
