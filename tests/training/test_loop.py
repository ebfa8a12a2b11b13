import math
import os
import threading
import time

import cv2
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.nn import backups, checkpoint, devices, guard
from facewright.samples.sampler import Sampler
from facewright.training import loop, saver
from facewright.training.keys import Command
from facewright.training.loop import Loop, Plan
from facewright.training.session import Session
from facewright.training.trouble import Answer, Trouble
from facewright.training.view import View
from training.tiny import Tiny, save_faces


class Typing:
    """Keys pressed at given polls."""

    def __init__(self, **at):
        self.at = {int(n[1:]): command for n, command in at.items()}
        self.polls = 0

    def poll(self):
        self.polls += 1
        return [self.at[self.polls]] if self.polls in self.at else []


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    return save_faces(folder / "src", 5, seed=1), save_faces(folder / "dst", 4, seed=50)


@pytest.fixture(autouse=True)
def full_precision():
    devices.precision("float32")


def new_session(folder, faces, seed=0):
    session = Session("tiny", Tiny(Tiny.Options(), seed=seed), folder)
    sources = tuple(
        Sampler(paths, session.model.samples(), np.random.default_rng([seed, number]), flip=True)
        for number, paths in enumerate(faces)
    )
    found = session.find()
    if found:
        session.resume(found.generation)
        for source, name in zip(sources, ("src", "dst"), strict=True):
            source.set_state(session.samplers[name])
    else:
        session.save()
    return session, sources


def train(session, sources, *, keys=None, view=None, **plan):
    return Loop(session, sources, Plan(2, **plan), [keys] if keys else [], view).run()


def weights(session):
    return [np.asarray(v) for part in session.model.parts.values() for v in part.variables]


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


class Breaking:
    """The model's step with broken losses at some calls; `weights` says whether the weights break too."""

    def __init__(self, session, monkeypatch, when, *, weights=False):
        self.step, self.calls, self.when, self.weights = session.model.train_on, 0, when, weights
        self.session = session
        monkeypatch.setattr(session.model, "train_on", self)

    def __call__(self, src, dst):
        self.calls += 1
        if not self.when(self.calls):
            return self.step(src, dst)
        if self.weights:
            for variable in self.session.model.parts["encoder"].variables:
                variable.assign(np.full(variable.shape, np.nan))
        return {"src": math.nan, "dst": 0.5}


def test_a_broken_step_is_passed_over_and_told_once(tmp_path, faces, monkeypatch, capsys):
    session, sources = new_session(tmp_path, faces)
    Breaking(session, monkeypatch, lambda call: call in (3, 5))
    outcome = train(session, sources, target=6)
    assert session.iteration == len(session.history) == outcome.steps == 6 and outcome.skipped == 2
    assert np.isfinite(session.history.values).all()
    assert capsys.readouterr().out.count("broke") == 1


def test_a_picture_that_is_no_number_is_passed_over_for_real(tmp_path, faces):
    session, sources = new_session(tmp_path, faces)
    batch, calls = sources[0].batch, []

    def with_a_hole(size):
        made = batch(size)
        calls.append(1)
        if len(calls) == 3:
            made["warped"][0, 0, 0, 0] = np.nan
        return made

    sources[0].batch = with_a_hole
    outcome = train(session, sources, target=6)
    assert (outcome.skipped, session.iteration) == (1, 6)
    assert all(np.isfinite(w).all() for w in weights(session))


def test_broken_weights_go_back_to_the_last_saved_state_with_half_the_step(tmp_path, faces, monkeypatch, capsys):
    session, sources = new_session(tmp_path, faces)
    Breaking(session, monkeypatch, lambda call: call == 4, weights=True)
    train(session, sources, keys=Typing(_2=Command.SAVE), target=6)
    assert session.iteration == len(session.history) == 6
    assert all(np.isfinite(w).all() for w in weights(session))
    assert "going on from the saved iteration 2" in capsys.readouterr().out
    (trainer,) = session.model.trainers.values()
    assert guard.step_size(trainer.optimizer) == pytest.approx(5e-4)


def test_weights_that_break_again_and_again_stop_the_training(tmp_path, faces, monkeypatch):
    session, sources = new_session(tmp_path, faces)
    Breaking(session, monkeypatch, lambda call: call > 3 and call % 3 == 0, weights=True)
    with pytest.raises(UserError, match=r"(?s)The training broke again at iteration.*restore --what model"):
        train(session, sources, keys=Typing(_2=Command.SAVE), target=900)
    assert checkpoint.newest(tmp_path / "tiny").generation.state["iteration"] == 2


def test_steps_that_break_for_ever_stop_the_training_and_nothing_new_is_saved(tmp_path, faces, monkeypatch):
    session, sources = new_session(tmp_path, faces)
    Breaking(session, monkeypatch, lambda call: call > 3)
    with pytest.raises(UserError, match="after 2 ways back"):
        train(session, sources, target=900)
    assert checkpoint.newest(tmp_path / "tiny").generation.state["iteration"] == 0


def test_weights_that_are_no_numbers_are_never_saved(tmp_path, faces, monkeypatch, capsys):
    session, sources = new_session(tmp_path, faces)

    class Spoil(Typing):
        def poll(self):
            if self.polls == 3:  # behind the guard's back, just before it is saved
                variable = session.model.parts["encoder"].variables[0]
                variable.assign(np.full(variable.shape, np.inf))
            return super().poll()

    train(session, sources, keys=Spoil(_2=Command.SAVE, _4=Command.SAVE), target=20)
    assert "going on from the saved iteration 2" in capsys.readouterr().out
    for path in checkpoint.generations(tmp_path / "tiny"):
        for array in checkpoint.check(path).arrays("weights").as_dict().values():
            assert np.isfinite(array).all()


class Spoiling(Typing):
    """Breaks the weights behind the guard's back before some polls."""

    def __init__(self, session, at, **keys):
        super().__init__(**keys)
        self.session, self.spoil = session, at

    def poll(self):
        if self.polls + 1 in self.spoil:
            variable = self.session.model.parts["encoder"].variables[0]
            variable.assign(np.full(variable.shape, np.inf))
        return super().poll()


def test_leaving_with_broken_weights_says_that_the_saved_state_stays(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    keys = Spoiling(session, {5}, _2=Command.SAVE, _5=Command.LEAVE)
    assert train(session, sources, keys=keys).reason == "key"
    said = capsys.readouterr().out
    assert "after iteration 5: the model stays as saved at iteration 2" in said and "going on" not in said
    assert session.iteration == session.saved_iteration == 2 and np.isfinite(weights(session)[0]).all()


def test_weights_found_broken_at_the_target_are_trained_to_it_again(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    outcome = train(session, sources, keys=Spoiling(session, {6}, _2=Command.SAVE), target=6)
    assert outcome.reason == "target" and session.iteration == session.saved_iteration == 6
    assert "The training broke after iteration 6; going on from the saved iteration 2" in capsys.readouterr().out
    assert np.isfinite(checkpoint.newest(tmp_path / "tiny").generation.arrays("weights").as_dict().popitem()[1]).all()


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


def test_trouble_counts():
    trouble = Trouble()
    assert [trouble.bad() for _ in range(4)] == [Answer.PASS] * 4
    assert trouble.bad() is Answer.GO_BACK
    for _ in range(20):
        for _ in range(60):
            trouble.good()
        assert trouble.bad() is Answer.PASS
    assert trouble.broken() is Answer.GO_BACK and trouble.broken() is Answer.GIVE_UP


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


def test_a_face_that_goes_missing_ends_the_training_but_not_the_work(tmp_path, faces):
    src = save_faces(tmp_path / "src", 3)
    session, sources = new_session(tmp_path / "model", (src, faces[1]))
    src[1].write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"00001_0\.png"):
        train(session, sources, target=20)
    assert session.saved_iteration == session.iteration


def test_a_bug_beside_the_step_does_not_cost_the_work(tmp_path, faces):
    class Broken(Typing):
        def poll(self):
            super().poll()
            return 1 / 0 if self.polls == 3 else []

    session, sources = new_session(tmp_path, faces)
    with pytest.raises(ZeroDivisionError):
        train(session, sources, keys=Broken())
    assert session.saved_iteration == 3


def test_an_error_in_the_step_saves_nothing(tmp_path, faces, monkeypatch):
    session, sources = new_session(tmp_path, faces)
    step = session.model.train_on
    monkeypatch.setattr(session.model, "train_on", lambda a, b: 1 / 0 if session.iteration == 2 else step(a, b))
    with pytest.raises(ZeroDivisionError):
        train(session, sources)
    assert session.saved_iteration == 0


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
