"""Write the trained model as a .dfm file for DeepFaceLive: the swap as ONNX, checked against the network itself.

Reads model/<name>/, writes model/<name>_model.dfm. The file is compared with the trained network on faces of data_dst
before it takes its place; an older one goes to the trash. docs/deepfacelive.md tells how to use it.
"""

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facewright.core import console
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.options import option
from facewright.core.workspace import Workspace

if TYPE_CHECKING:
    from facewright.models.dfm_export import ExportReport

NEEDED = ("onnx", "onnxruntime")


@dataclass(frozen=True)
class Options:
    """Which model, and where to."""

    model: str = option(
        "", "Which trained model; without it you are asked, or it is the one that was saved last.", remember=False
    )
    out: str = option(
        "", "A folder, or a file that ends with .dfm. Without it model/NAME_model.dfm in the workspace.", remember=False
    )


def run(workspace: Workspace, options: Options) -> "ExportReport":
    """Write the file, unless it is there already.

    Raises:
        UserError: See `facewright.models.dfm_export.export`; or a package is missing.
    """
    console.heading("Exporting for DeepFaceLive")
    check_packages()
    from facewright.models.dfm_export import export  # only now: it imports the packages

    return export(workspace, options.model, options.out)


def check_packages() -> None:
    """Check that the packages of the export are installed.

    Raises:
        UserError: One is missing.
    """
    missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"The environment lacks {' and '.join(missing)}.",
            "the packages of _internal/requirements.txt.",
            f"run the script, which completes the environment:{hint('export')}",
        )


COMMAND = Command(__doc__, Options, run)
