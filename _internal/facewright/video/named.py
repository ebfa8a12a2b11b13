"""The video of a side, also where it has another name."""

import os
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import disk_errors
from facewright.core.workspace import Side


def side_video(side: Side) -> Path:
    """Return the one video of a side; where the only one in the workspace has another name, offer to rename it.

    Raises:
        UserError: There is none, or more than one.
    """
    try:
        return side.video()
    except UserError:
        others = side.other_videos()
        if side.videos() or len(others) != 1:
            raise
        named = side.root / f"{side.name}{others[0].suffix.lower()}"
        question = f"There is no video {side.name}.*. Rename {others[0].name} to {named.name} and use it?"
        if not console.interactive() or not console.confirm(question, default=True):
            raise
        with disk_errors(named):
            os.rename(others[0], named)
        return named
