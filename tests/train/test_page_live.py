"""A real training with a page, asked by programs and looked at in a real browser."""

import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import browser
from browser import Browser
from commands.train_runs import launch
from facewright.core.workspace import Workspace
from facewright.nn import backups, checkpoint
from facewright.train.history import LossHistory
from facewright.train.page import TrainingPage
from facewright.train.status import StepStats, TrainingStatus
from facewright.ui.page import MAX_BODY_BYTES, Page
from needs import needs_browser
from train import tiny


class Training:
    """The tiny model in a process of its own, with a page."""

    def __init__(self, root: Path, *flags: str) -> None:
        self.workspace = Workspace(root)
        tiny.fill(self.workspace)
        self.process = launch(self.workspace, "--serve", *flags)
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
        f"POST {path}press HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n",
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
    assert "Traceback" not in said and "Stopped with a key. Everything is saved" in said
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
        wait_for(lambda: "Everything is saved" in reader.text("#end"))
        last = reader.iteration()
        assert "Stopped with a key. Everything is saved" in training.end()
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
        assert "Everything is saved" in training.end()
        again = start("--target-iter", "100000000")
        reader = Reader(shown, again)
        assert reader.iteration() >= training.saved()
        # From the first iteration on: before it nothing is measured.
        wait_for(lambda: shown.script("return document.getElementById('progress').hidden") is False)
        wait_for(lambda: "about" in reader.fact("Time left"))
        again.process.kill()
        wait_for(lambda: "does not answer" in reader.text("#lost"))


@needs_browser
def test_a_training_until_the_plateau_tells_the_time_left(tmp_path: Path) -> None:
    status = TrainingStatus(LossHistory(("src",)), StepStats(1, 20.0, 0.0, {"src": 0.5}, seconds_left=600.0))
    status.publish(status.stats, status.history)
    with Page(TrainingPage(status, "quick", tmp_path).answer) as served, browser.browser() as shown:
        shown.open(served.address)
        rows = (
            "return [...document.querySelectorAll('dt')].map(d => `${d.innerText}: ${d.nextElementSibling.innerText}`)"
        )
        wait_for(lambda: any(row.startswith("Time left: about 10 min") for row in shown.script(rows)))
