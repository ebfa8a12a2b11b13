"""The loop when something breaks: a loss, weights, a face, the program."""

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.nn import checkpoint
from facewright.train.divergence import DivergenceAction, DivergenceMonitor
from facewright.train.keys import TrainingCommand
from train.loop_runs import Commands, FaultyTiny, break_weights, new_session, train, weights
from train.tiny import save_faces

pytestmark = pytest.mark.usefixtures("full_precision")
SAVE, LEAVE = TrainingCommand.SAVE, TrainingCommand.LEAVE


def faulty_session(tmp_path, faces, fault):
    return new_session(tmp_path, faces, model=FaultyTiny(fault))


def test_a_step_that_diverges_is_skipped_and_said_once(tmp_path, faces, capsys):
    session, sources = faulty_session(tmp_path, faces, lambda step: "loss" if step in (3, 5) else None)
    result = train(session, sources, target=6)
    assert session.iteration == len(session.history) == result.steps == 6 and result.skipped == 2
    assert np.isfinite(session.history.values).all()
    assert capsys.readouterr().out.count("diverged") == 1


def test_an_image_that_is_not_finite_is_skipped_for_real(tmp_path, faces):
    class Holed:
        """A sampler whose third batch has a hole."""

        def __init__(self, sampler):
            self.sampler, self.calls = sampler, 0

        def batch(self, size):
            batch = self.sampler.batch(size)
            self.calls += 1
            if self.calls == 3:
                batch["warped"][0, 0, 0, 0] = np.nan
            return batch

        def state(self):
            return self.sampler.state()

    session, sources = new_session(tmp_path, faces)
    result = train(session, {**sources, "src": Holed(sources["src"])}, target=6)
    assert (result.skipped, session.iteration) == (1, 6)
    assert all(np.isfinite(w).all() for w in weights(session))


@pytest.mark.parametrize("steps", [(4, 5, 6, 7, 8), (4, 6, 9, 20, 25)])
def test_five_skipped_steps_roll_back_with_half_the_learning_rate(tmp_path, faces, capsys, steps):
    session, sources = faulty_session(tmp_path, faces, lambda step: "loss" if step in steps else None)
    before = session.learning_rates
    train(session, sources, commands=Commands(_2=SAVE), target=30)
    assert session.iteration == len(session.history) == 30
    assert "continues from the saved iteration 2" in capsys.readouterr().out
    assert session.learning_rates == pytest.approx([rate / 2 for rate in before])


def test_weights_that_break_again_and_again_abort_the_training(tmp_path, faces):
    session, sources = faulty_session(tmp_path, faces, lambda step: "weights" if step > 3 and step % 3 == 0 else None)
    with pytest.raises(UserError, match=r"(?s)iteration.*restore.* --what model"):
        train(session, sources, commands=Commands(_2=SAVE), target=900)
    assert checkpoint.newest(tmp_path / "tiny").generation.state["iteration"] == 2


def test_steps_that_diverge_for_ever_abort_the_training_and_nothing_new_is_saved(tmp_path, faces):
    session, sources = faulty_session(tmp_path, faces, lambda step: "loss" if step > 3 else None)
    with pytest.raises(UserError, match="2 rollbacks"):
        train(session, sources, target=900)
    assert session.model.calls == 3 + 3 * 5
    assert checkpoint.newest(tmp_path / "tiny").generation.state["iteration"] == 0


class Breaking(Commands):
    """Breaks the weights unseen before some polls."""

    def __init__(self, session, at, **commands):
        super().__init__(**commands)
        self.session, self.breaks = session, at

    def poll(self):
        if self.polls + 1 in self.breaks:
            break_weights(self.session.model)
        return super().poll()


def test_weights_that_are_not_finite_are_never_saved(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    train(session, sources, commands=Breaking(session, {4}, _2=SAVE, _4=SAVE), target=20)
    assert "continues from the saved iteration 2" in capsys.readouterr().out
    for path in checkpoint.generations(tmp_path / "tiny"):
        for array in checkpoint.check(path).arrays("weights").as_dict().values():
            assert np.isfinite(array).all()


def test_leaving_with_broken_weights_says_that_the_saved_state_stays(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    commands = Breaking(session, {5}, _2=SAVE, _5=LEAVE)
    assert train(session, sources, commands=commands).reason == "key"
    said = capsys.readouterr().out
    assert "after iteration 5: the model stays as saved at iteration 2" in said and "continues" not in said
    assert session.iteration == session.saved_iteration == 2 and np.isfinite(weights(session)[0]).all()


def test_weights_found_broken_at_the_target_are_trained_to_it_again(tmp_path, faces, capsys):
    session, sources = new_session(tmp_path, faces)
    result = train(session, sources, commands=Breaking(session, {6}, _2=SAVE), target=6)
    assert result.reason == "target" and session.iteration == session.saved_iteration == 6
    assert "continues from the saved iteration 2" in capsys.readouterr().out
    saved = checkpoint.newest(tmp_path / "tiny").generation.arrays("weights").as_dict()
    assert all(np.isfinite(array).all() for array in saved.values())


def test_skip_then_roll_back_then_abort():
    monitor = DivergenceMonitor()
    assert [monitor.count_step(applied=False) for _ in range(4)] == [DivergenceAction.SKIP] * 4
    assert monitor.count_step(applied=False) is DivergenceAction.ROLLBACK
    for _ in range(20):  # seldom enough to be skipped for ever
        for _ in range(60):
            assert monitor.count_step(applied=True) is None
        assert monitor.count_step(applied=False) is DivergenceAction.SKIP
    assert monitor.count_broken_weights() is DivergenceAction.ROLLBACK
    assert monitor.count_broken_weights() is DivergenceAction.ABORT


def test_a_face_that_goes_missing_ends_the_training_but_not_the_work(tmp_path, faces):
    src = save_faces(tmp_path / "src", 3)
    session, sources = new_session(tmp_path / "model", (src, faces[1]))
    src[1].write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"00001_0\.png"):
        train(session, sources, target=20)
    assert session.saved_iteration == session.iteration


def test_a_bug_beside_the_step_does_not_cost_the_work(tmp_path, faces):
    class Broken(Commands):
        def poll(self):
            super().poll()
            return 1 / 0 if self.polls == 3 else []

    session, sources = new_session(tmp_path, faces)
    with pytest.raises(ZeroDivisionError):
        train(session, sources, commands=Broken())
    assert session.saved_iteration == 3


def test_an_error_in_the_step_saves_nothing(tmp_path, faces):
    session, sources = faulty_session(tmp_path, faces, lambda step: ZeroDivisionError() if step == 3 else None)
    with pytest.raises(ZeroDivisionError):
        train(session, sources)
    assert session.saved_iteration == 0
