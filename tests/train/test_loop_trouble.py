"""The loop when something breaks: a loss, weights, a face, the program."""

import math

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.nn import checkpoint, finite_guard
from facewright.train.divergence import Answer, Trouble
from facewright.train.keys import Command
from train.loop_runs import Typing, new_session, train, weights
from train.tiny import save_faces

pytestmark = pytest.mark.usefixtures("full_precision")


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
    assert finite_guard.step_size(trainer.optimizer) == pytest.approx(5e-4)


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


def test_trouble_counts():
    trouble = Trouble()
    assert [trouble.bad() for _ in range(4)] == [Answer.PASS] * 4
    assert trouble.bad() is Answer.GO_BACK
    for _ in range(20):
        for _ in range(60):
            trouble.good()
        assert trouble.bad() is Answer.PASS
    assert trouble.broken() is Answer.GO_BACK and trouble.broken() is Answer.GIVE_UP


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
