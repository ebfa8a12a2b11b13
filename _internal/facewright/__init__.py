"""facewright: a face-replacement workshop run as numbered scripts; its commands are functions too (docs/library.md)."""

import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = (
    "UserError",
    "Workspace",
    "convert_frames",
    "extract_faces",
    "extract_frames",
    "make_video",
    "run_command",
    "swap_video",
    "train_model",
)

# Pixels of the largest image that is decoded; a file of some kilobytes may claim any number. OpenCV reads this once,
# when it is loaded, and looks at the header of every format before it takes memory (core/images.py).
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 28))

if TYPE_CHECKING:
    from facewright.library import (
        UserError,
        Workspace,
        convert_frames,
        extract_faces,
        extract_frames,
        make_video,
        run_command,
        swap_video,
        train_model,
    )


def __getattr__(name: str) -> Any:
    """Import the functions when they are asked for: the bootstrap and `--help` need the version alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import facewright.library as library  # late: see above

    return getattr(library, name)
