"""The page of the training: what it answers, and what a button asks of the training."""

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from facewright.train import page
from facewright.train import status as boards
from facewright.train.history import LossHistory
from facewright.train.keys import Command
from facewright.train.page import Counter, curves
from facewright.train.status import Board, Phase, Standing
from facewright.ui.page import Request


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


def test_phases_follow_each_other(board: Board) -> None:
    assert board.phase is Phase.STARTING
    board.stand(Standing(2), board.history)
    assert board.phase is Phase.TRAINING
    board.phase = Phase.REACHED
    board.stand(Standing(3), board.history)
    assert board.phase is Phase.REACHED
