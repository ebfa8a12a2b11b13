"""The page in Chromium without a screen, with real mouse and keys; and what it answers to what it did not ask for."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

import browser
from annotate.sessions import HEIGHT, WIDTH, fill, open_session
from browser import Browser, down, to, up
from facewright.annotate import page
from facewright.annotate.face import NOSE
from facewright.annotate.page import PageServer, read_events
from facewright.annotate.storage import FaceStorage
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.faces.record import load_record
from facewright.ui.events import Do, Event
from facewright.ui.page import Page, PageRequest
from needs import needs_browser

REPOSITORY = Path(__file__).resolve().parents[2]


def serve(workspace: Workspace) -> tuple[subprocess.Popen[str], str]:
    """Start a session with a page; return its process and its address."""
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    process = subprocess.Popen(
        [sys.executable, "-m", "annotate.sessions", str(workspace.root), "--serve"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            return process, found[0]
    raise AssertionError("no address")


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Person:
    """Works in the browser, in pixels of the frame."""

    def __init__(self, shown: Browser) -> None:
        self.shown = shown
        wait_for(lambda: self.title().startswith("00001.png"))
        ask = "const r = document.getElementById('frame').getBoundingClientRect(); return [r.left, r.top, r.width]"
        self.left, self.top, width = shown.script(ask)
        self.scale = width / WIDTH

    def title(self) -> str:
        return self.shown.script("return document.title")

    def to(self, x: float, y: float) -> dict:
        return to(self.left + (x + 0.5) * self.scale, self.top + (y + 0.5) * self.scale)

    def click(self, x: float, y: float) -> None:
        self.shown.mouse(self.to(x, y), down(), up())

    def wheel(self, x: float, y: float, delta: int) -> None:
        self.shown.wheel(round(self.left + x * self.scale), round(self.top + y * self.scale), delta)


@needs_browser
def test_faces_placed_on_the_page_are_saved(workspace: Workspace) -> None:
    fill(workspace.dst)
    aligned = workspace.dst.aligned_dir
    process, address = serve(workspace)
    try:
        with browser.browser() as shown:
            shown.open(address)
            person = Person(shown)
            shown.mouse(person.to(100, 90))
            for delta in (120, 120, -120, 120):  # 80 72 65 71 64
                person.wheel(100, 90, delta)
            person.click(100, 90)
            shown.mouse(person.to(250, 100), down(2), person.to(250, 110), person.to(250, 140), up(2))
            shown.mouse(person.to(250, 100), down(), person.to(255, 96), person.to(262, 93), up())
            shown.key("Enter")
            wait_for((aligned / "00001_1.png").exists)
            wait_for(lambda: person.title().startswith("00002.png"))
            shown.key(" ")
            wait_for(lambda: person.title().startswith("00003.png"))
            picture = cv2.imdecode(np.frombuffer(shown.screenshot(), np.uint8), cv2.IMREAD_COLOR)
            assert picture.std() > 20  # the frame of noise is seen
            shown.key("q")
            wait_for(lambda: person.title() == "All done")
            said = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "manual annotation: 1 (00001.png)" in said and "Frames not looked at: 1" in said
    first, second = (load_record(aligned / f"00001_{number}.png") for number in (0, 1))
    assert first.rect == pytest.approx((100 - 64, 90 - 64, 100 + 64, 90 + 64), abs=1.5)
    assert second.frame_landmarks[NOSE] == pytest.approx((262, 93), abs=1.5)
    assert second.frame_landmarks[8] == pytest.approx((250, 140), abs=1.5)


@needs_browser
def test_the_page_works_with_fingers_buttons_and_slider(workspace: Workspace) -> None:
    """On a phone: a face placed by two taps, zoomed with two fingers, the reason read, frames left by the slider."""
    fill(workspace.dst, 5)
    session = open_session(workspace, workspace.dst.frames()[:2], reasons={"00001.png": ("low score",)})
    with Page(PageServer(session).answer) as served, browser.browser() as shown:
        shown.look(390, 844, "dark")
        shown.open(served.address)
        person = Person(shown)
        assert "low score" in shown.script("return document.getElementById('why').textContent")
        shown.touch([[person.to(100, 90)]])
        wait_for(lambda: session.state.grabbed is None)
        assert session.state.faces[0].square.x == pytest.approx(100, abs=1.5)
        ends = [person.to(110, 120), person.to(230, 120)], [person.to(150, 120), person.to(170, 120)]
        shown.touch([[ends[1][0], ends[0][0]], [ends[1][1], ends[0][1]]])  # apart: nearer
        wait_for(lambda: session.eye.port.zoom > 2)
        assert len(session.state.faces) == 1, "two fingers place nothing"
        shown.tap("[data-key='n']")
        wait_for(lambda: len(session.state.faces) == 2)
        wait_for(lambda: shown.script("return document.querySelectorAll('#thumbs img').length") >= 2)
        shown.script("const s = document.getElementById('slider'); s.value = 4; s.dispatchEvent(new Event('input'))")
        wait_for(lambda: session.facts().at == 4)
        assert shown.script("return document.documentElement.scrollWidth") <= 390
        assert not shown.errors()
    assert [path.name for path in workspace.dst.aligned()] == ["00001_0.png"], "what was put down is on the disk"


@needs_browser
def test_a_button_in_focus_takes_enter_for_itself(workspace: Workspace) -> None:
    fill(workspace.dst)
    session = open_session(workspace)
    with Page(PageServer(session).answer) as served, browser.browser() as shown:
        shown.open(served.address)
        Person(shown)
        shown.key("n")  # a key was pressed: focus is shown from now on
        shown.script("document.querySelector('[data-key=\"h\"]').focus()")
        shown.key("Enter")
        wait_for(lambda: "h" not in session.facts().pressed)
        assert session.accepted == []


def test_thumbnails_of_the_page(workspace: Workspace) -> None:
    frames = fill(workspace.dst, 2)
    server = PageServer(open_session(workspace))
    answer = server.answer(PageRequest("GET", "thumb.jpg", "at=1"))
    assert cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR).shape == (84, 112, 3)
    frames[0].write_bytes(b"no picture")
    for query in ("at=0", "at=2", "at=-1", "at=", "", "at=1e9", "at=99999999999999999999", "at=١"):
        assert server.answer(PageRequest("GET", "thumb.jpg", query)).status == 404


@needs_browser
def test_the_page_says_when_the_program_is_gone(workspace: Workspace) -> None:
    fill(workspace.dst)
    process, address = serve(workspace)
    try:
        with browser.browser() as shown:
            shown.open(address)
            Person(shown)
            process.kill()
            process.wait()
            shown.key("n")
            wait_for(lambda: shown.script("return document.getElementById('lost').className") == "shown")
    finally:
        process.kill()


@needs_browser
def test_the_page_says_what_ended_the_work(workspace: Workspace) -> None:
    fill(workspace.dst)
    session = open_session(workspace)
    workspace.dst.aligned_dir.write_text("in the way")
    with Page(PageServer(session).answer) as served, browser.browser() as shown:
        shown.open(served.address)
        Person(shown)
        shown.key("Enter")
        wait_for(
            lambda: shown.script("return document.getElementById('lost').textContent").startswith(
                str(workspace.dst.aligned_dir)
            )
        )


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_the_page_and_says_what_was_done(workspace: Workspace) -> None:
    fill(workspace.dst)
    process, address = serve(workspace)
    post(address + "events", {"events": [{"do": "key", "what": "Enter"}]})
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 0 and "manual annotation: 1 (00001.png)" in said
    assert "Frames not looked at: 2" in said and "Traceback" not in said


def post(address: str, value: object) -> tuple[int, bytes]:
    request = urllib.request.Request(address, json.dumps(value).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_request_gets_the_newest_picture(workspace: Workspace) -> None:
    fill(workspace.dst)
    counter = PageServer(open_session(workspace))
    with Page(counter.answer) as served:
        with urllib.request.urlopen(served.address, timeout=10) as answer:
            assert b"<script>" in answer.read()
        sizes = []
        for fine in (False, True):
            status, data = post(served.address + "events", {"events": [], "fine": fine})
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert status == 200 and picture.shape == (HEIGHT, WIDTH, 3)
            sizes.append(len(data))
        assert sizes[0] < sizes[1]
        assert post(served.address + "else", {})[0] == 404
        keys = [{"do": "key", "what": name} for name in ("Delete", "Enter", "Space", "q", "Enter")]
        assert post(served.address + "events", {"events": keys})[0] == 200
    assert counter.ended.is_set() and counter.problem is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no json", b"[]", b"{}", b'{"events": 5}', b'{"events": [5]}', b'{"events": [{"do": "jump"}]}',
        b'{"events": [{"do": "move", "x": "1"}]}', b'{"events": [{"do": "move", "x": null}]}',
        b'{"events": [{"do": "move", "x": 1e300}]}', b'{"events": [{"do": "move", "x": NaN}]}',
        b'{"events": [{"do": ["move"]}]}', b"[" * 100_000, b'{"events": [{"do": "move", "x": 1.01}]}',
        b'{"events": [{"do": "down", "y": -0.1}]}', b'{"events": [{"do": "wheel", "steps": 1e400}]}',
        b'{"events": [{"do": "key", "what": "\\ud800"}]}', b'{"events": [], "fine": "yes"}',
        b'{"events": [], "aim": 0}', b'{"events": [], "aim": 1e9}', b'{"events": [], "aim": "far"}',
        b'{"events": [{"do": "go", "steps": 1e9}]}',
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(workspace: Workspace, body: bytes) -> None:
    fill(workspace.dst, 1)
    counter = PageServer(open_session(workspace))
    answer = counter.answer(PageRequest("POST", "events", "", body))
    assert answer.status == 400 and not counter.ended.is_set()


def test_events_are_read() -> None:
    value = {"events": [{"do": "down", "x": 0.5, "y": 1, "what": "right"}, {"do": "wheel", "steps": -1}], "fine": True}
    events, fine, aim = read_events(json.dumps(value).encode())
    assert fine and aim == 1 and events == [Event(Do.DOWN, 0.5, 1.0, "right"), Event(Do.WHEEL, steps=-1)]


def test_an_error_while_saving_ends_the_page_with_it(workspace: Workspace, monkeypatch) -> None:
    fill(workspace.dst)
    session = open_session(workspace)
    monkeypatch.setattr(page, "LAST_LOOK", 0.0)

    def full(*_: object) -> None:
        raise UserError("The disk is full.", "a", "b")

    monkeypatch.setattr(FaceStorage, "save", full)
    monkeypatch.setattr("facewright.ui.page.Page", lambda answer, port: Pressing(answer))
    with pytest.raises(UserError, match="disk is full"):
        page.serve_session(session, 0)


class Pressing(Page):
    """A page on which somebody presses Enter at once."""

    def __init__(self, answer) -> None:
        super().__init__(answer)
        assert post(self.address + "events", {"events": [{"do": "key", "what": "Enter"}]})[0] == 500
