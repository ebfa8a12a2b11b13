"""The running mean of the weights follows inside the compiled training step, and not where a step is not applied."""

import keras
import numpy as np

from facewright.nn.ema import UPDATE_EVERY, WARM_UP
from train.tiny import Tiny


def test_a_training_step_takes_it_along_but_for_one_that_is_not_applied(full_precision):
    """45 steps of which the seventh breaks, and a part that is held: the average of still weights is the weights."""

    class Averaged(Tiny):
        ema = 0.9

    model, rng = Averaged(Averaged.Options(), seed=3), np.random.default_rng(0)
    model.hold(["decoder_dst"])

    def batch():
        return {s.name: rng.random((2, s.size, s.size, s.channels), np.float32) for s in model.samples("src")}

    trained, kept = (parts["encoder"].variables[0] for parts in (model.parts, model.average.parts))
    mean, applied = keras.ops.convert_to_numpy(trained).copy(), 0
    for step in range(45):
        batches = {"src": batch(), "dst": batch()}
        batches["src"]["warped"][:] *= np.nan if step == 6 else 1
        losses = model.train_on(batches)
        assert np.isnan(losses["src"]) == (step == 6)
        applied += step != 6
        if step != 6 and applied % UPDATE_EVERY == 0:
            updates = applied / UPDATE_EVERY
            keep = min(0.9**UPDATE_EVERY, updates / (updates + WARM_UP))
            mean = keep * mean + (1 - keep) * keras.ops.convert_to_numpy(trained)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(kept), mean, atol=1e-6)
    assert model.extra_state()["steps"].tolist() == [44]
    for one, other in zip(
        model.parts["decoder_dst"].variables, model.average.parts["decoder_dst"].variables, strict=True
    ):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other))
