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

from facewright.marking.origin import origin_of_image
from facewright.train.history import MEASURES, LossHistory
from facewright.train.keys import TrainingCommand
from facewright.train.page import CURVE_COLUMNS, TrainingPage, curves, held_out
from facewright.train.recipe import load_recipe
from facewright.train.status import MAX_MESSAGES, MAX_PENDING, OPEN_SECONDS, RunState, StepStats, TrainingStatus
from facewright.ui.page import PageAnswer, PageRequest


@pytest.fixture
def status() -> TrainingStatus:
    history = LossHistory(("src", "dst"))
    history.append({"src": 0.5, "dst": float("nan")})
    return TrainingStatus(history, StepStats(1, 20.0, 0.01, {"src": 0.5, "dst": float("nan")}, saved=0))


@pytest.fixture
def page(status: TrainingStatus, tmp_path: Path) -> TrainingPage:
    return TrainingPage(status, "quick", tmp_path, target=9)


def state(page: TrainingPage) -> dict[str, Any]:
    return json.loads(page.answer(PageRequest("GET", "state")).body)


def press(page: TrainingPage, body: bytes) -> int:
    return int(page.answer(PageRequest("POST", "press", "", body)).status)


def test_the_state_holds_everything(status: TrainingStatus, page: TrainingPage) -> None:
    status.add_message("Saved.")
    status.add_message("Broke.", attention=True)
    status.publish_preview(np.zeros((8, 10, 3), np.uint8), ("a", "b"), 1)
    told = state(page)
    assert (told["name"], told["iteration"], told["target"], told["phase"]) == ("quick", 1, 9, "starting")
    assert told["losses"] == [["src", 0.5], ["dst", None]]
    assert (told["saved_ago"], told["backup_ago"]) == (None, None)
    assert told["picture"]["titles"] == ["a", "b"] and told["picture"]["size"] == [10, 8]
    assert [(m["text"], m["attention"]) for m in told["messages"]] == [("Broke.", True), ("Saved.", False)]


def test_faces_held_out_have_numbers_and_curves(status: TrainingStatus, page: TrainingPage) -> None:
    assert state(page)["held_out"] == [] and "held" not in json.loads(
        page.answer(PageRequest("GET", "curves", "last=0")).body
    )
    measures = LossHistory(MEASURES)
    for iteration in range(1, 1001):
        measures.append({"iteration": iteration, "src": 40 / iteration, "dst": float("nan"), "dst sharp": 0.5})
    status.publish(status.stats, status.history, measures)
    assert ["Held out: src", 0.04] in state(page)["held_out"] and ["Sharpness of dst", 0.5] in state(page)["held_out"]
    drawn = held_out(measures, 1000, 0)["held"]
    assert [curve["name"] for curve in drawn["curves"]] == ["src", "dst", "round trip"]
    points = drawn["curves"][0]["points"]
    assert len(points) == CURVE_COLUMNS and points[0] == [1, 40.0] and points[-1] == [1000, 0.04]
    assert {value for _, value in drawn["curves"][1]["points"]} == {None}
    assert drawn["top"] < 1, "the first measurements leave the chart"
    assert held_out(measures, 1000, 100)["held"]["first"] == 900


def test_a_recipe_is_shown_and_changed(status: TrainingStatus, page: TrainingPage) -> None:
    def send(body: bytes) -> PageAnswer:
        return page.answer(PageRequest("POST", "recipe", "", body))

    assert state(page)["recipe"] is None and page.answer(PageRequest("GET", "recipe")).status == 404
    assert send(b"").status == 404
    recipe = load_recipe("first-look", "quick")
    status.publish_stage(recipe, 1, "it is the last")
    told = state(page)["recipe"]
    assert told["now"] == 1 and told["next"] == "it is the last" and told["stages"][1].startswith("2 detail, ")
    written = page.answer(PageRequest("GET", "recipe")).body
    assert written.decode() == recipe.text
    wrong = send(written.replace(b"learning-rate", b"learning-rat"))
    assert wrong.status == 400 and b"learning-rate" in wrong.body and status.take_recipe() is None
    assert send(written.replace(b"learning-rate = 2", b"learning-rate = 3")).status == 200
    sent = status.take_recipe()
    assert sent and sent.stages[0].values["learning_rate"] == 3 and status.take_recipe() is None


def test_ages_come_from_the_disk(page: TrainingPage, tmp_path: Path) -> None:
    for folder, age in (("generation_000002", 60), ("backups/generation_000001", 7200)):
        (tmp_path / folder).mkdir(parents=True)
        os.utime(tmp_path / folder, (time.time() - age, time.time() - age))
    told = state(page)
    assert told["saved_ago"] == pytest.approx(60, abs=5) and told["backup_ago"] == pytest.approx(7200, abs=5)


def test_many_messages_do_not_push_out_a_warning(status: TrainingStatus) -> None:
    status.add_message("Broke.", attention=True)
    for number in range(100):
        status.add_message(f"Saved {number}.")
    assert len(status.messages()) == MAX_MESSAGES + 1
    assert status.messages()[0].text == "Saved 99." and status.messages()[-1].text == "Broke."


def test_it_counts_as_open_for_some_seconds(tmp_path: Path) -> None:
    now = [1000.0]
    status = TrainingStatus(LossHistory(("src",)), StepStats(0), clock=lambda: now[0])
    page = TrainingPage(status, "quick", tmp_path)
    assert not status.page_open
    page.answer(PageRequest("GET", ""))
    assert not status.page_open
    state(page)
    now[0] += OPEN_SECONDS - 0.1
    assert status.page_open
    now[0] += 0.2
    assert not status.page_open


@pytest.mark.parametrize("command", list(TrainingCommand))
def test_buttons(status: TrainingStatus, page: TrainingPage, command: TrainingCommand) -> None:
    assert press(page, json.dumps({"press": command}).encode()) == 200
    assert status.poll() == [command] and status.poll() == []


def test_a_button_that_is_hammered_counts_once_but_other_faces_do_not(
    status: TrainingStatus, page: TrainingPage
) -> None:
    for _ in range(500):
        press(page, b'{"press": "preview"}')
    for _ in range(3):
        press(page, b'{"press": "next"}')
    assert status.poll() == [TrainingCommand.PREVIEW, *[TrainingCommand.NEXT] * 3]
    for _ in range(500):
        press(page, b'{"press": "next"}')
    assert len(status.poll()) == MAX_PENDING


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no json", b"[]", b"5", b"null", b"{}", b'{"press": "jump"}', b'{"press": ["save"]}', b"[" * 100_000,
        b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_button_is_refused(status: TrainingStatus, page: TrainingPage, body: bytes) -> None:
    assert press(page, body) == 400
    assert status.poll() == []


@pytest.mark.parametrize("path", ["else", "state/", "../../etc/passwd", "page.html", "press", "preview.png"])
def test_other_paths_are_not_there(page: TrainingPage, path: str) -> None:
    assert page.answer(PageRequest("GET", path)).status == 404


def test_after_the_end_nothing_is_pressed(status: TrainingStatus, page: TrainingPage) -> None:
    status.finish("The target is reached.")
    assert press(page, b'{"press": "save"}') == 409
    assert state(page)["end"] == "The target is reached." and state(page)["phase"] == "over"


def test_the_end_waits_for_an_open_page_only(status: TrainingStatus) -> None:
    status = TrainingStatus(status.history, status.stats, fetch_seconds=0.3)
    began = time.monotonic()
    status.finish("Over.")
    assert time.monotonic() - began < 0.2
    status.note_request()
    status.finish("Over.")
    assert 0.3 <= time.monotonic() - began < 2


def test_the_end_waits_no_longer_than_until_it_was_seen(status: TrainingStatus) -> None:
    status.note_request()
    status.finish("Over.")  # nobody looks
    status.note_end_seen()
    began = time.monotonic()
    status.finish("Over.")
    assert time.monotonic() - began < 2


def test_a_preview_is_encoded_once(status: TrainingStatus, page: TrainingPage) -> None:
    assert page.answer(PageRequest("GET", "preview.jpg")).status == 404
    for level in (10, 200):
        status.publish_preview(np.full((8, 10, 3), level, np.uint8), ("a",), 1)
        first = page.answer(PageRequest("GET", "preview.jpg", "7")).body
        image = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (8, 10, 3) and abs(int(image.mean()) - level) < 3
        origin = origin_of_image(first)
        assert origin is not None and origin.made_with_network
        assert page.answer(PageRequest("GET", "preview.jpg", "8")).body is first


def test_curves_are_computed_seldom(status: TrainingStatus, page: TrainingPage) -> None:
    before = {query: page.answer(PageRequest("GET", "curves", query)) for query in ("last=0", "last=5000", "")}
    assert all(answer.status == 200 for answer in before.values())
    status.history.append({"src": 1.0, "dst": 1.0})
    for query, answer in before.items():
        assert page.answer(PageRequest("GET", "curves", query)).body is answer.body
    status.finish("Over.")  # the last curves are complete
    assert json.loads(page.answer(PageRequest("GET", "curves", "last=0")).body)["of"] == 2


@pytest.mark.parametrize("query", ["last=-1", "last=7", "last=x", "last=" + "9" * 5000])
def test_other_spans_are_refused(page: TrainingPage, query: str) -> None:
    assert page.answer(PageRequest("GET", "curves", query)).status == 400


ROWS = arrays.arrays(np.float32, st.tuples(st.integers(0, 900), st.just(2)), elements=st.floats(0, 5, width=32))


@given(ROWS, st.sampled_from([0, 1, 40, 5000]))
def test_curves_are_least_mean_and_greatest_of_each_part(values: np.ndarray, last: int) -> None:
    found = curves(("src", "dst"), values, last)
    shown = values[-last:] if last else values
    width = min(CURVE_COLUMNS, len(shown))
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


def test_states_follow_each_other(status: TrainingStatus) -> None:
    assert status.state is RunState.STARTING
    status.publish(StepStats(2), status.history)
    assert status.state is RunState.TRAINING
    status.state = RunState.REACHED
    status.publish(StepStats(3), status.history)
    assert status.state is RunState.REACHED
