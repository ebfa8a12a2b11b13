"""Programs of the system that some tests need: where one is absent a developer's run skips them and says why; CI fails.

A test names them with one of the marks below; `conftest.py` looks at the marks before the test's fixtures run.
"""

import importlib.util
import os
import shutil

import pytest

from facewright.extract.tflite import FOLDER

# What a test asks for -> the names under which systems have it.
PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "chromedriver": ("chromedriver",),
    "Xvfb": ("Xvfb",),
    "xdotool": ("xdotool",),
}

needs_chromium = pytest.mark.needs("chromium")
needs_browser = pytest.mark.needs("chromium", "chromedriver")
needs_screen = pytest.mark.needs("Xvfb", "xdotool")
# MediaPipe's networks: the set-up fetches them, unless there was no network then.
needs_networks = pytest.mark.needs("MediaPipe's networks")
needs_screen_and_tk = pytest.mark.needs("Xvfb", "xdotool", "Tk")


def in_ci() -> bool:
    """Whether this run decides if a change lands: `.ci/run` sets CI, as the well-known services do."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


def program(name: str) -> str | None:
    """Return the path of a program of the table above; None where it is absent."""
    return next(filter(None, map(shutil.which, PROGRAMS[name])), None)


def is_there(name: str) -> bool:
    """Whether this machine has a program of the table, Tk, or MediaPipe's networks."""
    if name == "MediaPipe's networks":
        return (FOLDER / "face_landmark.tflite").is_file()
    return importlib.util.find_spec("_tkinter") is not None if name == "Tk" else program(name) is not None


def check(item: pytest.Item) -> None:
    """Skip a test whose programs are absent, or fail it in CI."""
    absent = [name for mark in item.iter_markers("needs") for name in mark.args if not is_there(name)]
    if absent:
        reason = f"needs {', '.join(absent)}"
        if in_ci():
            pytest.fail(f"{reason}: install it; only outside CI is the test skipped", pytrace=False)
        pytest.skip(reason)
