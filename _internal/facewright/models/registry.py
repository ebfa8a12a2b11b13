"""Which models there are: one file in this folder each, with one model class. No import of keras."""

import importlib
from functools import cache
from pathlib import Path
from typing import Any

from facewright.core.console import counted
from facewright.core.errors import UserError
from facewright.models.base import FaceModel, Trainable
from facewright.nn.saved_models import MASK_MODEL

FOLDER = Path(__file__).parent
SHARED = (
    "base",
    "dfl_import",
    "dfm",
    "dfm_check",
    "dfm_export",
    "layouts",
    "mask",
    "onnx_engine",
    "people",
    "registry",
    "saehd_losses",
    "spec",
    "super_resolution",
    "trained",
)  # files here that are no models


@cache
def model_names() -> list[str]:
    """Return the names of all models, sorted: those of their files."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py") if path.stem not in SHARED)


def model_classes() -> dict[str, type[FaceModel]]:
    """Return every model by its name; what a class declares is in `facewright.models.spec.ModelSpec`."""
    return {name: model_class(name) for name in model_names()}


def model_class(name: str) -> type[FaceModel]:
    """Import one model file and return its model.

    Raises:
        UserError: There is no such model.
        TypeError: The file does not hold exactly one model.
    """
    if name not in model_names():
        raise UserError(
            f"There is no model {name!r}.", f"one of {', '.join(model_names())}.", "give one of them with --model."
        )
    found: type[FaceModel] = _only_class(name, FaceModel)
    return found


def trainable_class(name: str) -> type[Trainable]:
    """Return a model, or the mask model, which swaps no faces.

    Raises:
        UserError, TypeError: As `model_class`.
    """
    if name != MASK_MODEL:
        return model_class(name)
    found: type[Trainable] = _only_class(name, Trainable)
    return found


def _only_class(name: str, kind: type) -> Any:
    module = importlib.import_module(f"facewright.models.{name}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, kind) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"models/{name}.py holds {counted(len(found), 'model')}; one file holds exactly one")
    return found[0]
