"""The window on a virtual screen, driven by xdotool."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import virtual_screen
from facewright.core.workspace import Workspace
from facewright.nn import checkpoint
from facewright.train import window
from facewright.train.keys import TrainingCommand
from facewright.ui import window as core_window
from facewright.ui import window_cv
from needs import needs_screen
from train import tiny

SAVE, BACKUP, LEAVE = TrainingCommand.SAVE, TrainingCommand.BACKUP, TrainingCommand.LEAVE
NEXT, PREVIEW = TrainingCommand.NEXT, TrainingCommand.PREVIEW
REPOSITORY = Path(__file__).resolve().parents[2]


def test_without_a_display_there_is_no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(core_window.sys, "platform", "linux")
    assert window.open_preview_window() is None


def test_a_display_that_does_not_answer_is_no_screen(monkeypatch):
    monkeypatch.setattr(core_window.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":987")
    assert window.open_preview_window() is None  # and the process lives


@needs_screen
def test_keys_of_the_window(display, tmp_path):
    workspace = Workspace(tmp_path)
    tiny.fill(workspace)
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    process = subprocess.Popen(
        [sys.executable, "-m", "train.tiny", str(tmp_path), "--window"],
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
    assert "Saved iteration" in said and "Stopped with a key. Everything is saved" in said
    assert checkpoint.newest(workspace.model_dir / "h64").generation.state["iteration"] > 0


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@needs_screen
def test_a_lost_screen_closes_the_window_alone(tmp_path, monkeypatch, capsys):
    server, name = virtual_screen.start()
    monkeypatch.setenv("DISPLAY", name)
    opened = window.open_preview_window()
    opened.show(np.zeros((60, 80, 3), np.uint8))
    time.sleep(0.2)
    server.kill()
    server.wait()
    wait_for(lambda: not opened.open)
    opened.show(np.zeros((60, 80, 3), np.uint8))
    assert opened.poll() == []
    assert "model/preview.png" in capsys.readouterr().out
    opened.close()


class Words:
    """A window that says what it is told to."""

    open = True

    def __init__(self, *words):
        self.words = words

    def words_so_far(self):
        words, self.words = self.words, ()
        return list(words)


@pytest.mark.parametrize(
    ("words", "pressed", "told"),
    [
        (["key s", "key B", "key x", "key Space", "key Enter"], [SAVE, BACKUP, NEXT, LEAVE], False),
        (["closed", "gone"], [LEAVE], False),
        (["key p", "gone"], [PREVIEW], True),
        ([], [], False),
    ],
)
def test_closing_it_means_to_leave_and_losing_it_does_not(words, pressed, told, capsys):
    shown = window.PreviewWindow(Words(*words))
    assert shown.poll() == pressed and shown.poll() == []
    assert ("model/preview.png" in capsys.readouterr().out) == told


@pytest.mark.parametrize(
    ("code", "name"), [(13, "Enter"), (10, "Enter"), (32, "Space"), (ord("s"), "s"), (-1, ""), (0, "")]
)
def test_names_of_opencvs_keys(code, name):
    assert window_cv.key_name(code) == name
    assert window_cv.key_name(code | 0x100000 if code > 0 else code) == name  # with Num Lock


def press(display, key):
    xdotool(display, "search", "--name", window.TITLE, "windowfocus", "--sync", "key", key)


def xdotool(display, *arguments):
    done = subprocess.run(
        ["xdotool", *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, "DISPLAY": display}
    )
    return done.stdout
