"""AMP: what is mixed while it learns, and how much of src a conversion shows."""

import keras
import numpy as np
import pytest

from commands.convert_runs import fill
from facewright import cli, nn
from facewright.convert.engines import EngineModels
from facewright.convert.parameters import ConvertOptions
from facewright.core.images import read_image
from facewright.models import registry
from facewright.nn import devices
from facewright.nn.losses import total_variation
from facewright.nn.saehd_networks import ChannelMix
from facewright.train.session import TrainingSession

SMALL = {"resolution": 64, "face_type": "full", "ae_dims": 4, "inter_dims": 10, "e_dims": 2, "d_dims": 2}


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


@pytest.mark.parametrize(("share", "of_src"), [(0.5, 5), (0.39, 3), (0.0, 0), (1.0, 10)])
def test_channels_are_drawn_anew_for_each_face_and_number_always_the_same(share, of_src):
    mix = ChannelMix(share)
    src, dst = np.ones((6, 2, 2, 10), np.float32), np.zeros((6, 2, 2, 10), np.float32)
    made = np.asarray(mix([src, dst], training=True))
    np.testing.assert_array_equal(made, made[:, :1, :1] * np.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(made[:, 0, 0].sum(-1), of_src)
    if 0 < of_src < 10:
        assert len(np.unique(made[:, 0, 0], axis=0)) > 1
        assert (np.asarray(mix([src, dst], training=True)) != made).any()
    np.testing.assert_array_equal(np.asarray(mix([src, dst])), src)  # a preview shows all of src


def test_total_variation_adds_the_squared_steps_of_each_image():
    image = np.random.default_rng(0).random((2, 5, 4, 3), np.float32)
    wanted = (np.square(np.diff(image, axis=1)).sum() + np.square(np.diff(image, axis=2)).sum()) / 2
    assert float(total_variation(nn.ops.convert_to_tensor(image))) == pytest.approx(wanted, rel=1e-5)


def save(workspace, kind="amp", **options):
    """Save a model whose swap differs much from what it makes of dst; return it."""
    made = registry.model_class(kind)
    model = made(made.Options(**{**SMALL, **options}))
    rng = np.random.default_rng(1)
    for name in ("inter_src", "inter_dst", "decoder"):
        for weight in model.parts[name].weights:
            weight.assign(rng.normal(0, 0.6, weight.shape))
    TrainingSession("hero", model, workspace.model_dir, kind, 3).save()
    return model


def faces(workspace):
    return [read_image(workspace.dst.merged_dir / name) for name in ("00001.png", "00002.png")]


def convert(workspace, *words):
    command = ["convert", "--workspace", str(workspace.root), "--mode", "overlay", "--mask", "hull", "--yes"]
    assert cli.main([*command, *words]) == 0
    return np.stack(faces(workspace))


def test_a_conversion_is_told_how_much_of_src_it_shows(workspace, capsys):
    fill(workspace)
    save(workspace)
    whole = convert(workspace)
    capsys.readouterr()
    half = convert(workspace, "--morph", "50")
    said = capsys.readouterr().out
    assert "5 faces in 5 frames" in said and "50 %" in said
    assert np.abs(half.astype(int) - whole).max() > 8
    np.testing.assert_allclose(convert(workspace, "--morph", "50", "--engine", "onnx"), half, atol=1)
    assert "Done before" in capsys.readouterr().out, "both engines give the same"
    shown = convert(workspace, "--morph", "0", "--engine", "onnx")
    assert np.abs(shown.astype(int) - half).max() > 8
    convert(workspace, "--morph", "0")
    assert "Done before" in capsys.readouterr().out


def test_the_share_plays_no_part_where_nothing_is_morphed(workspace):
    save(workspace)

    def print_of(**options):
        models = EngineModels(workspace, ConvertOptions(**options))
        return models.newest(workspace.model_dir, "hero").fingerprint

    assert print_of(morph=100) != print_of(morph=99)
    assert print_of(morph=50, swap_model=True) == print_of(morph=80, swap_model=True) != print_of()
    options = {"archi": "df-udt", "resolution": 64, "ae_dims": 4, "e_dims": 2, "d_dims": 2, "d_mask_dims": 2}
    saehd = registry.model_class("saehd")
    TrainingSession("hero", saehd(saehd.Options(**options)), workspace.model_dir, "saehd", 4).save()
    assert print_of(morph=100) == print_of(morph=50)


def test_in_training_channels_are_mixed_and_both_networks_of_the_middle_learn():
    kind = registry.model_class("amp")
    model = kind(kind.Options(**SMALL, morph_factor=0.5), seed=1)
    rng = np.random.default_rng(0)
    batches = {
        side: {s.name: rng.random((2, s.size, s.size, s.channels), np.float32) for s in model.samples(side)}
        for side in ("src", "dst")
    }
    before = {name: part.get_weights() for name, part in model.parts.items() if name.startswith("inter")}
    model.steps[""].run_eagerly = True  # the graph takes longer to build
    model.steps[""].optimizer.learning_rate = 0.0
    first, second = model.train_on(batches), model.train_on(batches)
    assert first["dst"] == pytest.approx(second["dst"]) and abs(first["src"] - second["src"]) > 1e-6
    model.steps[""].optimizer.learning_rate = 1e-3
    model.train_on(batches)
    for name, weights in before.items():
        assert all((old != new).any() for old, new in zip(weights, model.parts[name].get_weights(), strict=True)), name
