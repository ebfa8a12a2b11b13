"""The system's own viewer for a folder or a file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from facewright.ui.window import has_screen


def open_in_viewer(path: Path) -> bool:
    """Show a folder or a file on the screen; return False without a screen, or without a program for it.

    The viewer runs by itself: nobody waits for it.
    """
    command = {"win32": "explorer", "darwin": "open"}.get(sys.platform) or shutil.which("xdg-open")
    if command is None or not has_screen():
        return False
    subprocess.Popen(
        [command, os.fspath(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return True
