"""Gradient checkpointing: the same losses, with maps that are made twice instead of being kept."""

import keras
import numpy as np
import pytest

from facewright import cli
from facewright.models import registry
from facewright.nn import devices
from facewright.nn.recompute import Recomputed
from facewright.train.batch_size import nothing_fits
from train import tiny

SMALL = {"resolution": 64, "ae_dims": 8, "e_dims": 8, "d_dims": 8, "d_mask_dims": 4}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("saehd", {"archi": "df-ud"}),
        pytest.param("amp", {"inter_dims": 8, "face_type": "full"}, marks=pytest.mark.slow),
    ],
)
def test_losses_and_steps_are_the_same(name, options):
    devices.precision("float32")
    kind, found = registry.model_class(name), []
    for wanted in (False, True):
        model = kind(kind.Options(**SMALL, **options, gradient_checkpointing=wanted), seed=3)
        rng = np.random.default_rng(0)
        batches = {
            side: {s.name: rng.random((2, s.size, s.size, s.channels), np.float32) for s in model.samples(side)}
            for side in model.streams
        }
        losses = [model.train_on(batches) for _ in range(2)]
        found.append([list(each.values()) for each in losses])
        assert losses[1] != losses[0]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


class Counted(keras.layers.Dense):
    """A layer that counts how often it runs."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return super().call(x)


def test_inner_maps_are_made_twice_and_what_is_kept_once():
    given = keras.Input((16,))
    layers = [Counted(width) for width in (64, 64, 8, 4)]
    x = given
    for layer in layers:
        x = layer(x)
    network = keras.Model(given, x)
    recomputed = Recomputed(network)

    class Training(keras.Model):
        def __init__(self):
            super().__init__()
            self.network = network

        def call(self, x):
            return recomputed(x)

    training = Training()
    training.compile("sgd", "mse", run_eagerly=True)
    faces, wanted = np.ones((2, 16), np.float32), np.zeros((2, 4), np.float32)
    training.train_on_batch(faces, wanted)
    before = [layer.calls for layer in layers]
    weights = network.get_weights()
    training.train_on_batch(faces, wanted)
    assert [layer.calls - count for layer, count in zip(layers, before, strict=True)] == [2, 2, 2, 2]
    assert all((now != old).any() for now, old in zip(network.get_weights(), weights, strict=True))
    made = [keras.ops.convert_to_numpy(run(keras.ops.ones((2, 16)))) for run in (recomputed, network)]
    np.testing.assert_allclose(*made, rtol=1e-6)


def test_a_memory_that_holds_no_batch_is_answered_with_it():
    kind = registry.model_class("saehd")
    assert "--gradient-checkpointing" in nothing_fits(4, kind.Options()).fix
    for options in (kind.Options(gradient_checkpointing=True), registry.model_class("quick").Options()):
        assert "--gradient-checkpointing" not in nothing_fits(4, options).fix


def test_a_model_that_does_not_know_it_refuses_it(workspace, capsys):
    tiny.fill(workspace, 2)
    words = ["train", "--workspace", str(workspace.root), "--yes", "--model", "quick", "--gradient-checkpointing"]
    assert cli.main(words) != 0
    assert "--gradient-checkpointing" in capsys.readouterr().err
