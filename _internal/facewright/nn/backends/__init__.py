"""What keras does not offer for every backend: one module each, imported only when that backend is in use."""

import importlib
from typing import Any


def current() -> Any:
    """Return the module for the backend in use; `facewright.nn.devices.prepare` must have been called before."""
    import keras  # only now: its variables are set by then

    return importlib.import_module(f"{__name__}.{keras.backend.backend()}")
