"""What a training puts down for a page, and what the page makes it do."""

import math
import time

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.data.sampler import Sampler
from facewright.nn import devices
from facewright.train import preview_writer as views
from facewright.train.keys import Command
from facewright.train.loop import Loop, Plan
from facewright.train.preview_writer import View
from facewright.train.session import Session
from facewright.train.status import Board, Phase, Standing
from train.tiny import Tiny, save_faces


@pytest.fixture
def training(tmp_path):
    devices.precision("float32")
    session = Session("tiny", Tiny(Tiny.Options(), seed=0), tmp_path)
    session.save()
    sources = tuple(
        Sampler(save_faces(tmp_path / name, 3, seed), session.model.samples(), np.random.default_rng(seed), flip=True)
        for name, seed in (("src", 1), ("dst", 50))
    )
    return session, sources, Board(session.history, Standing(0))


def test_the_board_knows_what_the_training_knows(training, monkeypatch):
    session, sources, board = training
    step, calls = session.model.train_on, []

    def breaking(src, dst):
        calls.append(1)
        return {"src": math.nan, "dst": 0.5} if len(calls) == 4 else step(src, dst)

    monkeypatch.setattr(session.model, "train_on", breaking)
    board.press(Command.SAVE)
    Loop(session, sources, Plan(2, 9), [board], View(session, sources, board=board), board=board).run()
    standing = board.standing
    assert (standing.iteration, standing.saved, standing.skipped, standing.saving) == (9, 9, 1, False)
    assert standing.losses == session.history.mean(50) and standing.milliseconds > 0
    assert board.phase is Phase.TRAINING and len(board.history) == 9
    assert (board.shown.iteration, board.shown.titles[-1]) == (9, "dst as src")
    assert board.shown.picture.shape == (512, 640, 3)
    warnings = [message.text for message in board.messages() if message.attention]
    assert len(warnings) == 1 and "The step after iteration 3 broke" in warnings[0]
    assert "Saved iteration 1" in board.messages()[-1].text


def test_a_way_back_is_told_and_the_history_of_before_is_shown(training, monkeypatch):
    session, sources, board = training
    step, calls = session.model.train_on, []

    def breaking(src, dst):
        calls.append(1)
        return {"src": math.nan, "dst": 0.5} if 4 <= len(calls) < 9 else step(src, dst)

    monkeypatch.setattr(session.model, "train_on", breaking)
    Loop(session, sources, Plan(2, 5), [board], board=board).run()
    assert any("going on from the saved iteration 0" in message.text for message in board.messages())
    assert board.history is session.history and len(board.history) == 5


def test_leaving_from_the_page_saves(training):
    session, sources, board = training
    board.press(Command.LEAVE)
    outcome = Loop(session, sources, Plan(2), [board], board=board).run()
    assert (outcome.reason, session.saved_iteration) == ("key", 1)


def test_leaving_with_a_full_disk_goes_on_until_there_is_room(training, monkeypatch):
    session, sources, board = training
    save, tries = session.save, []

    def full_twice():
        tries.append(session.iteration)
        if len(tries) < 3:
            raise UserError("The disk is full.", "space", "make some")
        return save()

    class Impatient:
        polls = 0

        def poll(self):
            self.polls += 1
            return [Command.LEAVE] if self.polls in (2, 4, 6) else []

    monkeypatch.setattr(session, "save", full_twice)
    outcome = Loop(session, sources, Plan(2), [Impatient()], board=board).run()
    assert tries == [2, 4, 6] and (outcome.reason, session.saved_iteration) == ("key", 6)
    warnings = [message.text for message in board.messages() if message.attention]
    assert len(warnings) == 2 and "the last saved state is of iteration 0" in warnings[0]
    assert "The disk is full." in warnings[0]


def test_a_target_with_a_full_disk_says_what_is_lost(training, monkeypatch):
    session, sources, board = training

    def full():
        raise UserError("The disk is full.", "space", "make some")

    monkeypatch.setattr(session, "save", full)
    with pytest.raises(UserError, match=r"full\. What was trained after iteration 0, the last saved one, is lost"):
        Loop(session, sources, Plan(2, 3), board=board).run()


def test_many_buttons_draw_one_picture(training):
    session, sources, board = training
    view = View(session, sources, board=board)
    view.refresh()
    version = board.shown.version
    for command in (Command.NEXT, Command.NEXT, Command.PREVIEW, Command.RANGE):
        board.press(command)
    board.press(Command.LEAVE)
    Loop(session, sources, Plan(2), [board], view, board=board).run()
    assert board.shown.version == version + 2  # one for the buttons, one at the end


def test_previews_come_sooner_while_a_page_is_open(training, monkeypatch):
    session, sources, board = training
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    view = View(session, sources, board=board)
    drawn = []
    for watched in (False, True):
        for _ in range(120):
            clock[0] += 1
            before = board.shown
            if watched:
                board.asked()
            view.refresh_if_due("")
            drawn.append(board.shown is not before)
    assert sum(drawn[:120]) == 120 // views.AT_LEAST_EVERY
    assert sum(drawn[120:]) == 120 // views.WATCHED_EVERY


def test_drawing_that_is_dear_is_seldom_even_then(training, monkeypatch):
    session, sources, board = training
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    view = View(session, sources, board=board)
    preview = session.model.preview

    def slow(src, dst):
        clock[0] += 2
        return preview(src, dst)

    monkeypatch.setattr(session.model, "preview", slow)
    began, spent = clock[0], 0.0
    while clock[0] < began + 1000:
        clock[0] += 1
        board.asked()
        before = clock[0]
        view.refresh_if_due("")
        spent += clock[0] - before
    assert 0.01 * 1000 < spent <= views.SMALL_SHARE * 1000 + 2


def test_a_full_disk_does_not_make_it_draw_all_the_time(training, monkeypatch):
    session, sources, board = training
    view = View(session, sources, board=board)
    tries = []

    def full(path, picture):
        tries.append(path)
        raise UserError("The disk is full.", "space", "make some")

    monkeypatch.setattr(views, "write_image", full)
    Loop(session, sources, Plan(2, 30), view=view, board=board).run()
    assert len(tries) == 2  # the first, and the one at the end
    assert any("No preview, training goes on" in message.text for message in board.messages())


def test_after_the_target_the_open_page_still_gets_previews(training):
    session, sources, board = training

    class Page:
        """Asks at every poll; other faces, then a saving that comes too late, then the end."""

        def __init__(self):
            self.polls = 0

        def poll(self):
            board.asked()
            self.polls += 1
            if board.phase is not Phase.REACHED:
                return []
            self.later = getattr(self, "later", 0) + 1
            return {1: [Command.NEXT], 2: [Command.SAVE], 3: [Command.LEAVE]}.get(self.later, [])

    page = Page()
    outcome = Loop(session, sources, Plan(2, 3, linger=True), [page], View(session, sources, board=board), board=board)
    assert outcome.run().reason == "target"
    assert page.later == 3 and session.iteration == 3 and board.phase is Phase.REACHED
    assert "The target is reached and all is saved" in board.messages()[0].text
