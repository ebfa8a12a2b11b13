"""The window on a virtual screen, driven by xdotool; skipped where the two are not installed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facewright.core.workspace import Workspace
from facewright.nn import checkpoint
from facewright.training import window
from training import tiny

REPOSITORY = Path(__file__).resolve().parents[2]
needs_screen = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool"
)


@pytest.fixture
def display():
    """Name of a virtual screen."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as file:
        name = f":{file.readline().strip()}"
    yield name
    server.terminate()
    server.wait()


def test_without_a_display_there_is_no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(window.sys, "platform", "linux")
    assert not window.screen_there()


def test_a_display_that_does_not_answer_is_no_screen(monkeypatch):
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":987")
    assert not window.screen_there()  # and the process lives


@needs_screen
def test_keys_of_the_window(display, tmp_path):
    workspace = Workspace(tmp_path)
    tiny.fill(workspace)
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    process = subprocess.Popen(
        [sys.executable, "-m", "training.tiny", str(tmp_path), "--window"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "DISPLAY": display},
    )
    shown = xdotool(display, "search", "--sync", "--onlyvisible", "--name", window.TITLE).split()
    assert shown, process.communicate()[0]
    before = (workspace.model_dir / "preview.png").stat().st_mtime_ns
    for key in ("s", "space", "p"):
        press(display, key)
        time.sleep(0.3)
    assert (workspace.model_dir / "preview.png").stat().st_mtime_ns > before
    assert checkpoint.newest(workspace.model_dir / "h64").generation.state["iteration"] > 0
    press(display, "Return")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert "Saved iteration" in said and "Stopped with a key. All is saved" in said


def press(display, key):
    xdotool(display, "search", "--name", window.TITLE, "windowfocus", "--sync", "key", key)


def xdotool(display, *arguments):
    done = subprocess.run(
        ["xdotool", *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, "DISPLAY": display}
    )
    return done.stdout
