import os
import threading
import time

import cv2
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.nn import backups, checkpoint, devices
from facewright.train import loop, saver
from facewright.train.keys import Command
from facewright.train.loop import Loop, Plan
from facewright.train.preview_writer import View
from train.loop_runs import Typing, new_session, train, weights

pytestmark = pytest.mark.usefixtures("full_precision")


def test_trains_to_the_target_and_saves(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    outcome = train(session, sources, target=12)
    assert (outcome.reason, outcome.steps, session.iteration, len(session.history)) == ("target", 12, 12, 12)
    assert 0 <= outcome.waiting <= 1 and outcome.milliseconds > 0
    assert session.history.values[-3:].mean() < session.history.values[:3].mean()
    state = checkpoint.newest(tmp_path / "tiny").generation.state
    assert (state["iteration"], state["model"]) == (12, "tiny")
    assert "#000012" in capsys.readouterr().out


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, faces):
    whole, sources = new_session(tmp_path / "a", faces)
    train(whole, sources, target=9)
    first, sources = new_session(tmp_path / "b", faces)
    train(first, sources, target=4)
    second, sources = new_session(tmp_path / "b", faces, seed=0)
    assert second.iteration == 4
    train(second, sources, target=9)
    np.testing.assert_allclose(second.history.values, whole.history.values, rtol=1e-4)
    for a, b in zip(weights(whole), weights(second), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_a_model_goes_on_under_another_precision(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    train(session, sources, target=2)
    devices.precision("bfloat16")
    other, sources = new_session(tmp_path, faces)
    assert all((a == b).all() for a, b in zip(weights(session), weights(other), strict=True))
    train(other, sources, target=4)
    assert other.iteration == 4 and np.isfinite(other.history.values).all()


def test_keys_save_and_leave(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    outcome = train(session, sources, keys=Typing(_3=Command.SAVE, _5=Command.LEAVE))
    assert (outcome.reason, session.iteration) == ("key", 5)
    saved = [checkpoint.check(p).state["iteration"] for p in checkpoint.generations(tmp_path / "tiny")]
    assert saved == [5, 3]


def test_previews_and_their_history(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    view = View(session, sources, write_history=True)
    train(session, sources, view=view, keys=Typing(_2=Command.NEXT, _3=Command.PREVIEW), target=11)
    assert cv2.imread(str(tmp_path / "preview.png")).shape[1] == 640
    assert [p.name for p in (tmp_path / "tiny" / "history").iterdir()] == ["000010.jpg"]


def test_the_terminal_gets_the_faces_that_were_asked_for(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    drawn = []
    view = View(session, sources, terminal=lambda picture: drawn.append((session.iteration, picture.shape)))
    train(session, sources, view=view, keys=Typing(_2=Command.NEXT, _4=Command.PREVIEW), target=6)
    assert drawn == [(2, (512, 640, 3)), (4, (512, 640, 3)), (6, (512, 640, 3))]  # keys, and the end


def test_autosave_by_time(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    train(session, sources, target=3, save_seconds=0.0)
    saved = [checkpoint.check(p).state["iteration"] for p in checkpoint.generations(tmp_path / "tiny")]
    assert saved[0] == 3 and saved[1] in (1, 2)


def test_a_young_run_is_saved_before_its_interval_is_over(tmp_path, faces, monkeypatch):
    session, sources = new_session(tmp_path, faces)
    monkeypatch.setattr(saver, "FIRST", 0.0)
    train(session, sources, target=3, save_seconds=1e6)
    assert len(checkpoint.generations(tmp_path / "tiny")) == 2  # within the run, and at its end


def test_a_failed_autosave_does_not_stop_the_training(tmp_path, faces, monkeypatch, capsys):
    session, sources = new_session(tmp_path, faces)
    save, attempts = checkpoint.save, []

    def full_once(folder, state, files, **more):
        attempts.append(state["iteration"])
        if len(attempts) == 1:
            raise UserError("The disk is full.", "space", "make some")
        return save(folder, state, files, **more)

    monkeypatch.setattr(checkpoint, "save", full_once)
    train(session, sources, target=30, save_seconds=0.0)
    assert attempts[0] == 1 and session.saved_iteration == 30
    assert "Not saved, training goes on. The disk is full." in capsys.readouterr().out


def test_saving_goes_on_beside_the_training(tmp_path, faces, monkeypatch):
    session, sources = new_session(tmp_path, faces)
    save, gate = checkpoint.save, threading.Event()

    def slow(folder, state, files, **more):
        assert gate.wait(60)
        return save(folder, state, files, **more)

    monkeypatch.setattr(checkpoint, "save", slow)

    class Opening(Typing):
        def poll(self):
            if self.polls == 6:
                assert session.saved_iteration == 0  # five steps were trained since the key
                gate.set()
            return super().poll()

    train(session, sources, keys=Opening(_1=Command.SAVE), target=9)
    first, last = (checkpoint.check(p) for p in reversed(checkpoint.generations(tmp_path / "tiny")))
    assert (first.state["iteration"], last.state["iteration"]) == (1, 9)
    assert len(first.arrays("history").as_dict()["losses"]) == 1


def test_backups_by_key_and_by_time(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    train(session, sources, keys=Typing(_2=Command.BACKUP), target=4)
    (made,) = backups.backups(tmp_path / "tiny")
    assert checkpoint.check(made).state["iteration"] == 2
    train(session, sources, target=5, backup_seconds=3600.0)
    assert len(backups.backups(tmp_path / "tiny")) == 1
    long_ago = time.time() - 7200
    os.utime(made, (long_ago, long_ago))
    train(session, sources, target=7, backup_seconds=3600.0)
    assert [checkpoint.check(p).state["iteration"] for p in backups.backups(tmp_path / "tiny")] == [6, 2]


@pytest.mark.parametrize("preview", [True, False])
def test_a_backup_holds_the_preview_of_its_own_model_only(tmp_path, faces, preview):
    session, sources = new_session(tmp_path, faces)
    (tmp_path / "preview.png").write_bytes(b"of another model")
    view = View(session, sources) if preview else None
    train(session, sources, view=view, keys=Typing(_2=Command.BACKUP), target=3)
    (made,) = backups.backups(tmp_path / "tiny")
    kept = [cv2.imread(str(path)) is not None for path in made.glob("preview.png")]
    assert kept == ([True] if preview else [])


def test_a_backup_that_fails_is_told_apart_from_the_saving_and_tried_again(tmp_path, faces, monkeypatch, capsys):
    session, sources = new_session(tmp_path, faces)
    back_up, attempts = backups.back_up, []

    def full_once(generation, preview):
        attempts.append(checkpoint.check(generation).state["iteration"])
        if len(attempts) == 1:
            raise UserError("The disk is full.", "space", "make some")
        return back_up(generation, preview)

    monkeypatch.setattr(backups, "back_up", full_once)
    monkeypatch.setattr(loop, "RETRY_SECONDS", 0.0)
    train(session, sources, keys=Typing(_2=Command.BACKUP), target=40)
    said = capsys.readouterr().out
    assert (
        "Saved iteration 2 in" in said
        and "not backed up; it is tried again while the training goes on. The disk is full." in said
    )
    assert "Not saved" not in said and len(attempts) == 2
    (made,) = backups.backups(tmp_path / "tiny")
    assert checkpoint.check(made).state["iteration"] == attempts[1] > 2


def test_listeners_get_every_step(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    heard = []
    Loop(session, sources, Plan(2, 4), listeners=[lambda iteration, losses: heard.append((iteration, *losses))]).run()
    assert heard == [(k, "src", "dst") for k in range(1, 5)]


def test_the_window_stays_after_the_target_until_it_is_closed(tmp_path, faces):
    class Fake:
        shown, polls, open = 0, 0, True

        def show(self, picture):
            self.shown += 1

        def poll(self):
            self.polls += 1
            return {4: [Command.NEXT], 5: [Command.SAVE], 6: [Command.LEAVE]}.get(self.polls, [])

    session, sources = new_session(tmp_path, faces)
    window = Fake()
    outcome = Loop(session, sources, Plan(2, 3, linger=True), [window], View(session, sources, window)).run()
    assert (outcome.reason, window.polls, session.iteration) == ("target", 6, 3)
    assert len(checkpoint.generations(tmp_path / "tiny")) == 2


def test_a_preview_that_cannot_be_written_stops_nothing(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    view = View(session, sources)

    def full(status):
        raise UserError("The disk is full.", "space", "make some")

    view.refresh = full
    assert train(session, sources, view=view, target=3).reason == "target"
    assert "No preview, training goes on. The disk is full." in capsys.readouterr().out


def test_the_window_gets_previews_and_gives_keys(tmp_path, faces):
    class Fake:
        shown = 0

        def show(self, picture):
            self.shown += 1

        def poll(self):
            return [Command.LEAVE] if self.shown else []

    session, sources = new_session(tmp_path, faces)
    window = Fake()
    outcome = Loop(session, sources, Plan(2), [window], View(session, sources, window)).run()
    assert (outcome.reason, window.shown) == ("key", 2)


def test_workspace_model_folder_is_the_parent(tmp_path, faces):
    workspace = Workspace(tmp_path)
    session, _ = new_session(workspace.model_dir, faces)
    assert session.folder == tmp_path / "model" / "tiny"
