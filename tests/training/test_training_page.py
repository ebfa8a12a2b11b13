"""The page of the training: what it answers, what it does to a training, and how it goes in a real browser."""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import browser
from browser import Browser
from facewright.core.page import LARGEST_BODY, Request
from facewright.core.workspace import Workspace
from facewright.nn import backups, checkpoint
from facewright.training import board as boards
from facewright.training import page
from facewright.training.board import Board, Phase, Standing
from facewright.training.history import LossHistory
from facewright.training.keys import Command
from facewright.training.page import Counter, curves
from training import tiny

REPOSITORY = Path(__file__).resolve().parents[2]
needs_browser = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing())


@pytest.fixture
def board() -> Board:
    history = LossHistory(("src", "dst"))
    history.append({"src": 0.5, "dst": float("nan")})
    return Board(history, Standing(1, 20.0, 0.01, {"src": 0.5, "dst": float("nan")}, saved=0))


@pytest.fixture
def counter(board: Board, tmp_path: Path) -> Counter:
    return Counter(board, "quick", tmp_path, target=9)


def state(counter: Counter) -> dict[str, Any]:
    return json.loads(counter.answer(Request("GET", "state")).body)


def press(counter: Counter, body: bytes) -> int:
    return int(counter.answer(Request("POST", "press", "", body)).status)


def test_the_state_tells_all(board: Board, counter: Counter) -> None:
    board.note("Saved.")
    board.note("Broke.", attention=True)
    board.show(np.zeros((8, 10, 3), np.uint8), ("a", "b"), 1)
    told = state(counter)
    assert (told["name"], told["iteration"], told["target"], told["phase"]) == ("quick", 1, 9, "starting")
    assert told["losses"] == [["src", 0.5], ["dst", None]]
    assert (told["saved_ago"], told["backup_ago"]) == (None, None)
    assert told["picture"]["titles"] == ["a", "b"] and told["picture"]["size"] == [10, 8]
    assert [(m["text"], m["attention"]) for m in told["messages"]] == [("Broke.", True), ("Saved.", False)]


def test_ages_come_from_the_disk(counter: Counter, tmp_path: Path) -> None:
    for folder, age in (("generation_000002", 60), ("backups/generation_000001", 7200)):
        (tmp_path / folder).mkdir(parents=True)
        os.utime(tmp_path / folder, (time.time() - age, time.time() - age))
    told = state(counter)
    assert told["saved_ago"] == pytest.approx(60, abs=5) and told["backup_ago"] == pytest.approx(7200, abs=5)


def test_many_messages_do_not_push_out_a_warning(board: Board) -> None:
    board.note("Broke.", attention=True)
    for number in range(100):
        board.note(f"Saved {number}.")
    assert len(board.messages()) == boards.KEPT + 1
    assert board.messages()[0].text == "Saved 99." and board.messages()[-1].text == "Broke."


def test_it_counts_as_watched_for_some_seconds(board: Board, counter: Counter, monkeypatch) -> None:
    assert not board.watched
    counter.answer(Request("GET", ""))
    assert not board.watched
    state(counter)
    assert board.watched
    monkeypatch.setattr(boards, "WATCHED_SECONDS", 0.0)
    assert not board.watched


@pytest.mark.parametrize("command", list(Command))
def test_buttons(board: Board, counter: Counter, command: Command) -> None:
    assert press(counter, json.dumps({"press": command}).encode()) == 200
    assert board.poll() == [command] and board.poll() == []


def test_a_button_that_is_hammered_counts_once_but_other_faces_go_on(board: Board, counter: Counter) -> None:
    for _ in range(500):
        press(counter, b'{"press": "preview"}')
    for _ in range(3):
        press(counter, b'{"press": "next"}')
    assert board.poll() == [Command.PREVIEW, *[Command.NEXT] * 3]
    for _ in range(500):
        press(counter, b'{"press": "next"}')
    assert len(board.poll()) == boards.MOST_PRESSED


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no json", b"[]", b"5", b"null", b"{}", b'{"press": "jump"}', b'{"press": ["save"]}', b"[" * 100_000,
        b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_button_is_refused(board: Board, counter: Counter, body: bytes) -> None:
    assert press(counter, body) == 400
    assert board.poll() == []


@pytest.mark.parametrize("path", ["else", "state/", "../../etc/passwd", "page.html", "press", "preview.png"])
def test_other_paths_are_not_there(counter: Counter, path: str) -> None:
    assert counter.answer(Request("GET", path)).status == 404


def test_after_the_end_nothing_is_pressed(board: Board, counter: Counter) -> None:
    board.finish("The target is reached.")
    assert press(counter, b'{"press": "save"}') == 409
    assert state(counter)["end"] == "The target is reached." and state(counter)["phase"] == "over"


def test_the_end_waits_for_an_open_page_only(board: Board, monkeypatch) -> None:
    monkeypatch.setattr(boards, "LAST_LOOK", 0.3)
    monkeypatch.setattr(boards, "OTHER_PAGES", 0.0)
    began = time.monotonic()
    board.finish("Over.")
    assert time.monotonic() - began < 0.2
    board.asked()
    board.finish("Over.")
    assert 0.3 <= time.monotonic() - began < 2
    board.seen()
    began = time.monotonic()
    board.finish("Over.")
    assert time.monotonic() - began < 0.2


def test_a_picture_is_encoded_once_and_only_when_asked_for(board: Board, counter: Counter, monkeypatch) -> None:
    encoded = []
    encode = page.encode
    monkeypatch.setattr(page, "encode", lambda *a, **k: encoded.append(1) or encode(*a, **k))
    assert counter.answer(Request("GET", "preview.jpg")).status == 404
    for level in (10, 200):
        board.show(np.full((8, 10, 3), level, np.uint8), ("a",), 1)
        for _ in range(3):
            data = counter.answer(Request("GET", "preview.jpg", "7")).body
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert picture.shape == (8, 10, 3) and abs(int(picture.mean()) - level) < 3
    assert len(encoded) == 2


def test_curves_are_reckoned_seldom(board: Board, counter: Counter, monkeypatch) -> None:
    reckoned = []
    monkeypatch.setattr(page, "curves", lambda *a: reckoned.append(a[2]) or {})
    for _ in range(5):
        for query in ("last=0", "last=5000", ""):
            assert counter.answer(Request("GET", "curves", query)).status == 200
    assert reckoned == [0, 5000]


@pytest.mark.parametrize("query", ["last=-1", "last=7", "last=x", "last=" + "9" * 5000])
def test_other_spans_are_refused(counter: Counter, query: str) -> None:
    assert counter.answer(Request("GET", "curves", query)).status == 400


ROWS = arrays.arrays(np.float32, st.tuples(st.integers(0, 900), st.just(2)), elements=st.floats(0, 5, width=32))


@given(ROWS, st.sampled_from([0, 1, 40, 5000]))
def test_curves_are_least_mean_and_greatest_of_each_part(values: np.ndarray, last: int) -> None:
    found = curves(("src", "dst"), values, last)
    shown = values[-last:] if last else values
    width = min(page.COLUMNS, len(shown))
    assert (found["iterations"], found["of"]) == (len(shown), len(values))
    edges = [i * len(shown) // width for i in range(width)] + [len(shown)] if width else [0]
    for index, loss in enumerate(found["losses"]):
        parts = [shown[a:b, index].astype(np.float64) for a, b in itertools.pairwise(edges)]
        for word, of in (("low", np.min), ("mean", np.mean), ("high", np.max)):
            np.testing.assert_allclose(loss[word], [of(part) for part in parts], rtol=1e-3, atol=1e-30)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_curves_have_gaps_where_there_is_no_number() -> None:
    values = np.array([[0.5, np.nan], [np.inf, np.nan]], np.float32)
    src, dst = curves(("src", "dst"), values, 0)["losses"]
    assert src["mean"] == [0.5, None] and dst["high"] == [None, None]
    assert src["hue"] != dst["hue"]


def test_curves_of_a_long_history_are_small_and_quick() -> None:
    values = np.random.default_rng(0).random((1_000_000, 2), np.float32)
    began = time.monotonic()
    assert len(json.dumps(curves(("src", "dst"), values, 0))) < 20_000
    assert time.monotonic() - began < 5


# A real training with a page.


class Training:
    """The tiny model in a process of its own, with a page."""

    def __init__(self, root: Path, *flags: str) -> None:
        self.workspace = Workspace(root)
        tiny.fill(self.workspace)
        paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "training.tiny", str(root), "--serve", *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
        )
        assert self.process.stdout is not None
        lines = iter(self.process.stdout)
        self.address = next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))

    def saved(self) -> int:
        found = checkpoint.newest(self.workspace.model_dir / "h64")
        return int(found.generation.state["iteration"]) if found else -1

    def end(self) -> str:
        said = self.process.communicate(timeout=60)[0]
        assert self.process.returncode == 0, said
        return str(said)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Training]]:
    started: list[Training] = []

    def begin(*flags: str) -> Training:
        started.append(Training(tmp_path, *flags))
        return started[-1]

    yield begin
    for training in started:
        training.process.kill()


def wait_for(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def ask(address: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_bad_requests_and_lost_browsers_do_not_disturb_the_training(start) -> None:
    training = start()
    port = urlsplit(training.address).port
    path = urlsplit(training.address).path
    stranger = f"http://127.0.0.1:{port}/{'x' * 32}/"
    for name, body in (("state", None), ("press", b'{"press": "leave"}'), ("preview.jpg", None)):
        assert ask(stranger + name, body)[0] == 403
    assert ask(training.address + "press", b'{"press": "leave"}', Origin="https://evil.example")[0] == 403
    assert ask(training.address + "press", b"x" * 5000)[0] == 400
    for text in (
        f"POST {path}press HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n",
        f"POST {path}press HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nhalf",
        f"GET {path}preview.jpg HTTP/1.1\r\nHost: loc",
        "\x00\xff rubbish\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(text.encode("latin-1"))
    before = json.loads(ask(training.address + "state")[1])["iteration"]
    wait_for(lambda: json.loads(ask(training.address + "state")[1])["iteration"] > before)
    assert ask(training.address + "press", b'{"press": "leave"}')[0] == 200
    said = training.end()
    assert "Traceback" not in said and "Stopped with a key. All is saved" in said
    assert training.saved() > before


class Reader:
    """A person before the page."""

    def __init__(self, shown: Browser, training: Training) -> None:
        self.shown = shown
        self.training = training
        shown.open(training.address)
        wait_for(lambda: self.fact("Iteration"))

    def text(self, selector: str) -> str:
        return str(self.shown.script("return document.querySelector(arguments[0])?.innerText || ''", selector))

    def fact(self, name: str) -> str:
        find = "return [...document.querySelectorAll('dt')].find(d => d.innerText === arguments[0])"
        return str(self.shown.script(f"{find}?.nextElementSibling.innerText || ''", name))

    def iteration(self) -> int:
        return int(self.fact("Iteration").split()[0].replace(",", ""))

    def picture(self) -> str:
        return str(self.shown.script("return document.getElementById('picture').src"))

    def changes_picture(self, act: Callable[[], None]) -> None:
        wait_for(lambda: not self.shown.script("return document.querySelector('[data-press=next]').disabled"))
        before = self.picture()
        act()
        wait_for(lambda: self.picture() != before)

    def button(self, name: str) -> None:
        self.shown.tap(f"[data-press={name}]")


@needs_browser
def test_the_page_in_a_browser(start) -> None:
    training = start()
    folder = training.workspace.model_dir / "h64"
    with browser.browser() as shown:
        shown.open(training.address.replace(urlsplit(training.address).path, f"/{'a' * 32}/"))
        assert "token" in shown.script("return document.body.innerText")
        assert not shown.script("return document.querySelectorAll('button').length")
        shown.errors()
        reader = Reader(shown, training)
        at = reader.iteration()
        wait_for(lambda: reader.iteration() > at + 5)
        assert "ms per iteration" in reader.fact("Speed") and reader.fact("Last backup") == "none"
        wait_for(lambda: reader.picture().startswith("blob:") and "src 0." in reader.text("#legend"))
        assert shown.script("return document.getElementById('picture').naturalWidth") == 640
        assert "dst as src" in reader.text("#titles")

        for width, scheme in ((360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")):
            shown.look(width, 800, scheme)
            assert shown.script("return document.documentElement.scrollWidth") <= width
            dark = shown.script("return getComputedStyle(document.body).backgroundColor") != "rgb(244, 244, 242)"
            assert dark == (scheme == "dark")

        for act in (
            lambda: reader.button("preview"),
            lambda: shown.key("p"),
            lambda: reader.button("next"),
            lambda: shown.key(" "),
        ):
            reader.changes_picture(act)
        for save in (lambda: reader.button("save"), lambda: shown.key("s")):
            before = training.saved()
            save()
            wait_for(lambda: training.saved() > before)  # noqa: B023 - called at once
        wait_for(lambda: "Saved iteration" in reader.text("#log"))
        for count, back_up in enumerate((lambda: reader.button("backup"), lambda: shown.key("B")), 1):
            back_up()
            wait_for(lambda: len(backups.backups(folder)) == count)  # noqa: B023 - called at once
        wait_for(lambda: reader.fact("Last backup") == "just now")
        shown.key("l")
        assert reader.text("#span option:checked") == "the last 5,000"

        reader.button("leave")
        assert "Sure?" in reader.text("[data-press=leave]")
        time.sleep(0.5)
        assert training.process.poll() is None
        reader.button("leave")
        wait_for(lambda: "All is saved" in reader.text("#end"))
        last = reader.iteration()
        assert "Stopped with a key. All is saved" in training.end()
        assert training.saved() == last
        time.sleep(1.5)  # the program is gone: the page does not complain, for it knows
        assert not reader.text("#lost") and reader.text("#phase") == "ended"
        assert shown.script("return [...document.querySelectorAll('button')].every(b => b.disabled)")
        assert shown.errors() == []


@needs_browser
def test_enter_on_the_page_saves_and_stops_and_a_program_that_vanished_is_told(start) -> None:
    with browser.browser() as shown:
        training = start()
        reader = Reader(shown, training)
        wait_for(lambda: reader.iteration() > 3)
        shown.key("Enter")
        assert "All is saved" in training.end()
        again = start("--target-iter", "100000000")
        reader = Reader(shown, again)
        assert reader.iteration() >= training.saved()
        assert shown.script("return document.getElementById('progress').hidden") is False
        wait_for(lambda: "about" in reader.fact("Time left"))
        again.process.kill()
        wait_for(lambda: "does not answer" in reader.text("#lost"))


def test_phases_follow_each_other(board: Board) -> None:
    assert board.phase is Phase.STARTING
    board.stand(Standing(2), board.history)
    assert board.phase is Phase.TRAINING
    board.phase = Phase.REACHED
    board.stand(Standing(3), board.history)
    assert board.phase is Phase.REACHED
