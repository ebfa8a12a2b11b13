"""A stage of a recipe that raises the resolution: the networks grow, and go on from what they could draw."""

import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from commands.train_runs import run
from facewright.core.errors import UserError
from facewright.models import registry, trained
from facewright.models.onnx_engine import swap_bytes
from facewright.nn import backups, checkpoint, devices
from facewright.nn.onnx_file import OnnxFile
from facewright.nn.saehd_shape import count_parameters
from facewright.train.recipe import parse_recipe
from facewright.train.session import TrainingSession
from facewright.train.stages import check_parts
from facewright.train.transfer import begin_from, leave_pretraining
from train import tiny

SMALL = {"resolution": 64, "ae_dims": 8, "e_dims": 4, "d_dims": 8, "d_mask_dims": 4}
RECIPE = """
[[stage]]
name = "small"
[[stage]]
name = "large"
begins = "after 2 iterations"
[stage.saehd]
resolution = RESOLUTION
"""


def recipe(resolution):
    return RECIPE.replace("RESOLUTION", str(resolution))


@pytest.fixture(autouse=True)
def full_precision():
    devices.precision("float32")


def enlarged(image):
    """Return an image (s, s, c) in 0..1 at twice its side, as it is before its sigmoid."""
    image = np.clip(image, 1e-6, 1 - 1e-6)
    before = np.log(image / (1 - image))
    larger = cv2.resize(before, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    return 1 / (1 + np.exp(-larger.reshape(*larger.shape[:2], -1)))


def stir(model):
    """Add noise to the weights, so that what is drawn is more than grey."""
    rng = np.random.default_rng(0)
    for part in model.parts.values():
        for weight in part.trainable_variables:
            size = 0.5 / np.sqrt(np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
            weight.assign(weight + rng.normal(0, size, weight.shape).astype(np.float32))


def remembered(model):
    """Return what the optimizers know of each weight: network and layer -> an array for each slot."""
    networks = {**model.parts, **model.critics}
    return {
        (name, layer.name, weight.name): [slot.numpy().copy() for slot in step.optimizer.inner.slots(weight).values()]
        for step in model.steps.values()
        for name in step.members
        for layer in networks[name].layers
        for weight in layer.trainable_variables
    }


def remember(model):
    """Let the optimizers know something of each weight."""
    rng = np.random.default_rng(1)
    for step in model.steps.values():
        inner = step.optimizer.inner
        inner.iterations.assign(7)
        for weight in step.optimizer.known:
            for slot in inner.slots(weight).values():
                slot.assign(rng.random(slot.shape, np.float32))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("saehd", {"archi": "df-ud", "gan_power": 0.1, "gan_patch_size": 8, "gan_dims": 4}),
        ("saehd", {"archi": "liae-t", "optimizer": "rmsprop"}),
        ("amp", {"inter_dims": 8, "face_type": "full"}),
    ],
    ids=lambda value: str(value),
)
def test_networks_that_have_grown_draw_what_they_drew(name, more, tmp_path):
    kind = registry.model_class(name)
    session = TrainingSession("hero", kind(kind.Options(**{**SMALL, **more}), seed=3), tmp_path, name, 5)
    stir(session.model)
    remember(session.model)
    session.save()
    learned = remembered(session.model)
    face = np.random.default_rng(0).random((1, 4, 4, 3), np.float32).repeat(16, axis=1).repeat(16, axis=2)
    before = session.model.predict(face)
    critics = {critic: np.asarray(weight) for critic, weight in trained.critics_of(session.model).items()}
    session.rebuild(kind.switched(session.options, {"resolution": 128}), ())
    for critic, weight in trained.critics_of(session.model).items():  # what they learned is not lost
        np.testing.assert_array_equal(weight, critics[critic])
    now = remembered(session.model)
    assert learned.keys() < now.keys()
    for weight, slots in now.items():  # the optimizer knows what it knew, and nothing yet of what is new
        np.testing.assert_array_equal(slots, learned.get(weight, np.zeros_like(slots)))
    assert {int(step.optimizer.iterations) for step in session.model.steps.values()} == {7}
    session.save_growth()
    model, large = session.model, face.repeat(2, axis=1).repeat(2, axis=2)
    after = model.predict(large)
    assert after[0].shape == (1, 128, 128, 3) and after[1].shape == (1, 128, 128, 1)
    for one, other in zip(before, after, strict=True):
        assert np.abs(enlarged(one[0]) - other[0]).max() < 1e-3 < 0.01 < one.std()
    assert sum(model.count_params().values()) == count_parameters(model.shape)
    loaded = trained.load_trained(tmp_path)
    assert (loaded.resolution, loaded.iteration) == (128, 5)
    np.testing.assert_allclose(loaded.predict(large)[0], after[0], atol=1e-6)
    if name == "saehd":
        np.testing.assert_allclose(OnnxFile(swap_bytes(loaded)).run(large)[0], after[0], atol=1e-5)
    (kept,) = backups.backups(session.folder)
    assert checkpoint.check(kept).state["options"]["resolution"] == 64
    again = kind.switched(session.options, {"resolution": 256})  # once more: the blocks that are there stay
    session.rebuild(again, ())
    assert (again.resolution, again.inner_resolution) == (256, 64)
    twice = session.model.predict(large.repeat(2, axis=1).repeat(2, axis=2))[0]
    assert np.abs(enlarged(after[0][0]) - twice[0]).max() < 1e-3


def test_a_pretrained_network_may_grow_as_it_begins_with_its_people(tmp_path):
    kind = registry.model_class("saehd")
    options = kind.Options(**SMALL, archi="df")
    pretrained = TrainingSession("hero", kind(kind.for_pretraining(options), seed=3), tmp_path, "saehd", 5).save()
    grown = kind(kind.switched(options, {"resolution": 128}), seed=4)
    assert leave_pretraining(TrainingSession("hero", grown, tmp_path, "saehd", 5), pretrained) == ["inter"]
    kept, now = pretrained.arrays("weights").as_dict(), trained.weights_of(grown)
    for name, array in kept.items():
        if name.startswith("encoder/"):
            np.testing.assert_array_equal(now[name], array)


def test_a_new_network_of_the_grown_form_starts_from_a_plain_one(tmp_path):
    kind = registry.model_class("saehd")
    small = kind.Options(**SMALL, archi="df-t")
    plain = TrainingSession("hero", kind(small, seed=3), tmp_path, "saehd", 5)
    saved = plain.save()
    model = kind(replace(small, resolution=128, inner_resolution=64), seed=4)
    start = begin_from(model, saved)
    assert start.parts["encoder"] == (len(model.parts["encoder"].weights),) * 2
    loaded, all_ = start.parts["decoder_src"]
    assert loaded == len(plain.model.parts["decoder_src"].weights) < all_
    for name, part in plain.model.parts.items():
        for layer in part.layers:
            if layer.weights:
                now = model.parts[name].get_layer(layer.name)
                np.testing.assert_array_equal(layer.kernel, now.kernel)


class TestRecipe:
    """The key resolution."""

    @pytest.mark.parametrize(("wanted", "fits"), [(64, True), (128, True), (256, True), (192, False), (512, False)])
    def test_twice_or_four_times(self, wanted, fits):
        kind = registry.model_class("saehd")
        model = object.__new__(kind)
        model.options = kind.Options(**SMALL)
        found = parse_recipe(recipe(wanted), "saehd", "a.toml")
        if fits:
            check_parts(found, model)
        else:
            with pytest.raises(UserError, match="cannot grow"):
                check_parts(found, model)

    @pytest.mark.parametrize(("now", "offered"), [(64, ["128"]), (128, ["256"]), (256, [])])
    def test_the_fix_names_a_side_that_is_taken(self, now, offered):
        kind = registry.model_class("saehd")
        options = kind.Options(**{**SMALL, "resolution": now, "inner_resolution": 64})
        with pytest.raises(UserError) as refused:
            kind.switched(options, {"resolution": 512})
        assert re.findall(r"resolution = (\d+)", refused.value.fix) == offered
        for side in offered:
            assert kind.switched(options, {"resolution": int(side)}).resolution == int(side)

    def test_no_side_is_offered_that_no_model_has(self):
        kind = registry.model_class("saehd")
        with pytest.raises(UserError) as refused:
            kind.switched(kind.Options(**{**SMALL, "resolution": 352}), {"resolution": 512})
        assert "704" not in refused.value.fix

    def test_other_models_do_not_grow(self):
        assert "resolution" not in parse_recipe(recipe(128), "quick", "a.toml").stages[1].values
        for wrong in ("63", "6400", "'a'", "1e9"):
            with pytest.raises(UserError, match="resolution"):
                parse_recipe(recipe(wrong), "saehd", "a.toml")

    def test_it_never_shrinks(self):
        kind = registry.model_class("saehd")
        options = kind.Options(**{**SMALL, "resolution": 128})
        assert kind.switched(options, {"resolution": 64}) == options

    def test_sides_that_do_not_fit(self):
        kind = registry.model_class("saehd")
        for inner in (96, 48, 16):
            with pytest.raises(UserError, match="cannot make faces of 128 px"):
                kind.settle(kind.Options(resolution=128, inner_resolution=inner))


@pytest.mark.slow
def test_a_training_grows_in_its_stage_and_again_after_a_kill_in_the_switch(workspace, tmp_path, capsys):
    tiny.fill(workspace, 60)
    kind = registry.model_class("saehd")
    path = tmp_path / "grow.toml"
    path.write_text(recipe(128), encoding="utf-8")
    given = {"model": "saehd", "recipe": str(path), "keep": 9, "batch_size": 2}
    run(workspace, kind.Options(**SMALL, archi="df"), **given, target_iter=3)
    folder = workspace.model_dir / "saehd"

    def states():
        found = [checkpoint.check(one) for one in checkpoint.generations(folder)]
        sides = [(one.state["iteration"], one.state["options"]["resolution"]) for one in reversed(found)]
        return [side for side in sides if side != (1, 64)]  # an autosave, on a busy machine

    assert states() == [(0, 64), (2, 64), (2, 128), (3, 128)]
    newest = checkpoint.newest(folder).generation
    assert newest.arrays("history").as_dict()["losses"].shape[0] == 3  # which go on
    assert newest.arrays("history").as_dict()["measures"].size  # of faces held out, at the new side
    assert "have grown to 128 px" in capsys.readouterr().out
    for one in checkpoint.generations(folder)[:2]:
        shutil.rmtree(one)  # as if it had been killed between the end of the stage and the growth
    run(workspace, **given, target_iter=3, preview=False)
    assert states() == [(0, 64), (2, 64), (2, 128), (3, 128)]
    assert [checkpoint.check(one).state["options"]["resolution"] for one in backups.backups(folder)] == [64]
    assert trained.load_trained(workspace.model_dir).resolution == 128
