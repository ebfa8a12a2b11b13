"""The window on a virtual screen, driven by xdotool."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotate.sessions import WIDTH, fill
from facewright.annotate.desk import PANEL
from facewright.annotate.window import TITLE
from facewright.core.workspace import Workspace
from facewright.faces.record import load_record
from facewright.ui import window
from facewright.ui.events import Do, Event, event_of
from needs import needs_screen_and_tk

REPOSITORY = Path(__file__).resolve().parents[2]
SCALE = 2  # the frames of 320 px are shown 640 px wide


class Screen:
    """A session in a window, and the person who works in it, in pixels of the frame."""

    def __init__(self, display: str, workspace: Workspace) -> None:
        self._environment = {**os.environ, "DISPLAY": display}
        paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "annotate.sessions", str(workspace.root), "--window"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**self._environment, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
        )
        self.window = self.xdotool("search", "--sync", "--onlyvisible", "--name", TITLE).split()[0]
        self.wait_for_title("00001.png")
        wait_for(lambda: f"{WIDTH * SCALE + PANEL}x" in self.xdotool("getwindowgeometry", self.window))

    def xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], capture_output=True, text=True, timeout=60, env=self._environment
        )
        return done.stdout

    def wait_for_title(self, text: str) -> None:
        wait_for(lambda: text in self.xdotool("getwindowname", self.window))

    def to(self, x: float, y: float) -> None:
        place = map(str, (round((x + 0.5) * SCALE), round((y + 0.5) * SCALE)))
        self.xdotool("mousemove", "--window", self.window, *place)
        time.sleep(0.1)

    def key(self, *names: str) -> None:
        self.xdotool("windowfocus", "--sync", self.window, "key", *names)


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@needs_screen_and_tk
def test_faces_placed_in_the_window_are_saved(display: str, workspace: Workspace) -> None:
    fill(workspace.dst)
    aligned = workspace.dst.aligned_dir
    screen = Screen(display, workspace)
    try:
        screen.to(100, 90)
        screen.xdotool("click", "5", "click", "5", "click", "4", "click", "5")  # the wheel: 80 72 65 71 64
        screen.xdotool("click", "1")
        screen.to(250, 100)
        screen.xdotool("mousedown", "3")
        screen.to(250, 110)
        screen.to(250, 140)
        screen.xdotool("mouseup", "3")
        screen.key("Return")
        wait_for((aligned / "00001_1.png").exists)
        screen.wait_for_title("00002.png")
        screen.key("space")
        screen.wait_for_title("00003.png")
        screen.to(160, 120)
        screen.xdotool("click", "1")
        screen.key("comma")
        screen.wait_for_title("00002.png")
        screen.key("q")
        said = screen.process.communicate(timeout=60)[0]
    finally:
        screen.process.kill()
    assert screen.process.returncode == 0, said
    assert "manual annotation: 2 (00001.png, 00003.png)" in said
    assert [path.name for path in workspace.dst.aligned()] == ["00001_0.png", "00001_1.png", "00003_0.png"]
    first = load_record(aligned / "00001_0.png")
    assert first.rect == pytest.approx((100 - 64, 90 - 64, 100 + 64, 90 + 64), abs=1.5)
    second = load_record(aligned / "00001_1.png")
    assert second.frame_landmarks[30] == pytest.approx((250, 100), abs=1)
    assert second.frame_landmarks[8] == pytest.approx((250, 140), abs=1)
    lines = map(json.loads, workspace.dst.extract_journal.read_text().splitlines())
    assert [entry["frame"] for entry in lines if entry.get("by") == "hand"] == ["00001.png", "00003.png"]


@needs_screen_and_tk
def test_closing_the_window_ends_the_work(display: str, workspace: Workspace) -> None:
    fill(workspace.dst)
    screen = Screen(display, workspace)
    try:
        screen.key("Return")
        screen.wait_for_title("00002.png")
        screen.xdotool("windowclose", screen.window)
        said = screen.process.communicate(timeout=60)[0]
    finally:
        screen.process.kill()
    assert screen.process.returncode == 0, said
    assert "manual annotation: 1 (00001.png)" in said and "Frames not looked at: 2" in said


def test_without_a_display_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(window.sys, "platform", "linux")
    assert window.open_window("none") is None and not window.has_screen()


def test_a_display_that_does_not_answer_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":987")
    assert window.open_window("none") is None


def test_words_of_the_window() -> None:
    assert event_of("move 0.5 0.25") == Event(Do.MOVE, 0.5, 0.25)
    assert event_of("down right 0.5 1") == Event(Do.DOWN, 0.5, 1.0, "right")
    assert event_of("wheel -1 0 0") == Event(Do.WHEEL, steps=-1)
    assert event_of("key .") == Event(Do.KEY, what=".")
    assert event_of("closed") is event_of("ready 5 5") is event_of("key") is None
