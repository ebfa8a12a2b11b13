"""A screen that nobody sees (Xvfb), on which xdotool presses keys."""

import os
import subprocess


def start() -> tuple[subprocess.Popen[bytes], str]:
    """Start a screen of 1280x1024; return its server and its name for DISPLAY."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as file:
        return server, f":{file.readline().strip()}"
