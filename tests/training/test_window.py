"""The window on a virtual screen, driven by xdotool; skipped where the two are not installed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
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
    server = start_screen(write)
    yield name_of_screen(read)
    server.terminate()
    server.wait()


def start_screen(write):
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    return server


def name_of_screen(read):
    with os.fdopen(read) as file:
        return f":{file.readline().strip()}"


def test_without_a_display_there_is_no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(window.sys, "platform", "linux")
    assert window.open_window() is None


def test_a_display_that_does_not_answer_is_no_screen(monkeypatch):
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":987")
    assert window.open_window() is None  # and the process lives


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
    preview = workspace.model_dir / "preview.png"
    try:
        assert xdotool(display, "search", "--sync", "--onlyvisible", "--name", window.TITLE)
        wait_for(preview.exists)
        for key in ("s", "space", "p"):
            before = preview.stat().st_mtime_ns
            press(display, key)
            wait_for(lambda: len(checkpoint.generations(workspace.model_dir / "h64")) > 1)
            wait_for(lambda: key == "s" or preview.stat().st_mtime_ns > before)  # noqa: B023 - called at once
        press(display, "Return")
        said = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "Saved iteration" in said and "Stopped with a key. All is saved" in said
    assert checkpoint.newest(workspace.model_dir / "h64").generation.state["iteration"] > 0


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@needs_screen
def test_a_lost_screen_closes_the_window_alone(tmp_path, monkeypatch, capsys):
    read, write = os.pipe()
    server = start_screen(write)
    monkeypatch.setenv("DISPLAY", name_of_screen(read))
    opened = window.open_window()
    opened.show(np.zeros((60, 80, 3), np.uint8))
    time.sleep(0.2)
    server.kill()
    server.wait()
    opened._process.wait(timeout=20)
    time.sleep(0.2)
    opened.show(np.zeros((60, 80, 3), np.uint8))
    assert opened.poll() == []
    assert "Training goes on" in capsys.readouterr().out
    opened.close()


def press(display, key):
    xdotool(display, "search", "--name", window.TITLE, "windowfocus", "--sync", "key", key)


def xdotool(display, *arguments):
    done = subprocess.run(
        ["xdotool", *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, "DISPLAY": display}
    )
    return done.stdout
