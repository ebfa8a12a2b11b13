"""The door to TensorFlow for what searches and compares faces."""

import importlib
import os
from typing import Any

from facewright.core.errors import UserError
from facewright.core.quiet import without_notes
from facewright.detect.base import REMAKE


def load_tensorflow(without: str) -> Any:
    """Import TensorFlow without its start-up notes; errors stay visible.

    Args:
        without: What can be done without it, for the message: "use --detector dlib-hog".

    Raises:
        UserError: It cannot be loaded.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a card's memory is shared with other programs
    try:
        with without_notes():
            return importlib.import_module("tensorflow")
    except ImportError as error:
        raise UserError(
            f"TensorFlow could not be loaded: {error}.",
            "the environment that quickstart makes.",
            f"{REMAKE}; or {without}.",
        ) from error
