"""Parts that stay as they are, and the learning rate of a run; the tiny model stands for h64."""

import numpy as np
import pytest

from commands.train_runs import run
from facewright.core.errors import UserError
from facewright.nn import checkpoint
from facewright.train.session import TrainingSession
from train.tiny import Tiny


def arrays(workspace, file, name="h64"):
    return checkpoint.newest(workspace.model_dir / name).generation.arrays(file).as_dict()


def moved(before, after):
    return {name.partition("/")[0] for name in before if not np.array_equal(before[name], after[name])}


class TestFrozenParts:
    """--frozen."""

    def test_they_stay_and_learn_on_later(self, filled, capsys):
        run(filled, target_iter=2, preview=False)
        first, slots = arrays(filled, "weights"), arrays(filled, "optimizer")
        run(filled, target_iter=4, frozen="encoder, decoder_dst", preview=False)
        assert "decoder_dst, encoder: they stay" in capsys.readouterr().out
        second = arrays(filled, "weights")
        assert moved(first, second) == {"decoder_src"}
        kept = arrays(filled, "optimizer")
        assert kept.keys() == slots.keys()  # a later run trains them on with what the optimizer knew
        run(filled, target_iter=6, preview=False)
        assert moved(second, arrays(filled, "weights")) == {"encoder", "decoder_src", "decoder_dst"}

    def test_a_step_with_nothing_to_train_is_refused(self, filled):
        with pytest.raises(UserError, match="all of it is frozen"):
            run(filled, frozen="encoder,decoder_src,decoder_dst", preview=False)
        assert not (filled.model_dir / "h64").exists()

    def test_a_part_that_is_not_there(self, filled):
        with pytest.raises(UserError, match="no part 'decoder_scr'") as caught:
            run(filled, frozen="decoder_scr", preview=False)
        assert "--frozen decoder_src?" in caught.value.fix


class TestLearningRate:
    """--learning-rate."""

    def rate(self, workspace):
        return float(arrays(workspace, "optimizer")["0001"])

    def test_a_multiple_of_the_models_own(self, filled):
        run(filled, target_iter=1, learning_rate=0.5, preview=False)
        assert self.rate(filled) == pytest.approx(5e-4)
        run(filled, target_iter=2, learning_rate=2.0, preview=False)  # of its own, not of the last
        assert self.rate(filled) == pytest.approx(2e-3)

    def test_what_divergence_took_off_stays_off(self, tmp_path):
        session = TrainingSession("tiny", Tiny(Tiny.Options()), tmp_path)
        session.set_rate(0.5)
        session.save()
        session.recover()  # halves it
        session.save()
        session.set_rate(1.0)
        assert session.learning_rates == pytest.approx([5e-4])
        session.go_back()
        assert session.learning_rates == pytest.approx([5e-4])
