"""dlib and its model files: what its detectors, its landmarker and its embedding network share."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError

# What repairs a missing library or weight file inside a package: the quick check at every start sees whole packages.
REINSTALL = "rename or delete the folder _internal/env and start any numbered script: it makes the environment anew"


def load_dlib() -> Any:
    """Import dlib.

    Raises:
        UserError: It is not installed.
    """
    try:
        return importlib.import_module("dlib")
    except ImportError as error:
        raise UserError(
            f"dlib could not be loaded: {error}.",
            "the environment that quickstart makes.",
            f"{REINSTALL}.",
        ) from error


def model_file(name: str) -> Path:
    """Return the path of one of dlib's model files; their package is not imported: it needs setuptools of old.

    Raises:
        UserError: The file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    path = Path(spec.origin).parent / "models" / name if spec and spec.origin else Path(name)
    if not path.is_file():
        raise UserError(
            f"dlib's model {path} is missing.",
            "the environment that quickstart makes.",
            f"{REINSTALL}.",
        )
    return path
