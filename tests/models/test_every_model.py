"""What every file in models/ must do, and the numbers of those whose network is fixed."""

import shutil

import keras
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.options import declared
from facewright.models import base, catalogue, trained
from facewright.nn import checkpoint, devices
from facewright.samples.sampler import Sampler
from facewright.training.session import Session
from training.tiny import Tiny, save_faces

NAMES = base.model_names()
PARAMETERS = {
    ("h64", False): {"encoder": 69_662_976, "decoder_src": 21_545_156, "decoder_dst": 21_545_156},
    ("h64", True): {"encoder": 29_151_744, "decoder_src": 7_677_700, "decoder_dst": 7_677_700},
}


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


def small_options(kind):
    """Return the smallest version of a model."""
    names = {spec.name for spec in declared(kind.Options)}
    return kind.Options(**{"light": "yes"} if "light" in names else {})


@pytest.mark.parametrize("name", NAMES)
def test_declaration(name):
    kind = base.model_class(name)
    assert kind.title == catalogue.model_titles()[name]
    assert kind.resolution % 16 == 0 and kind.default_batch > 0
    assert isinstance(kind.converter, base.ConverterDefaults)
    assert issubclass(kind.Options, base.ModelOptions)
    assert all(spec.help for spec in declared(kind.Options))


@pytest.mark.parametrize(("name", "light"), PARAMETERS)
def test_parameter_counts(name, light):
    kind = base.model_class(name)
    assert kind(kind.Options(light="yes" if light else "no")).count_params() == PARAMETERS[name, light]


@pytest.mark.parametrize("name", NAMES)
def test_trains_saves_and_comes_back(name, tmp_path):
    kind = base.model_class(name)
    model = kind(small_options(kind))
    batches = []
    for number, side in enumerate(("src", "dst")):
        paths = save_faces(tmp_path / side, 4, seed=10 * number, side=128)
        batches.append(Sampler(paths, model.samples(), np.random.default_rng(number), flip=model.flip).batch(4))
    for _ in range(2):
        losses = model.train_on(*batches)
        assert set(losses) == {"src", "dst"} and all(np.isfinite(v) for v in losses.values())
    side = model.resolution
    picture, mask = model.predict(batches[1]["target"])
    assert picture.shape == (4, side, side, 3) and mask.shape == (4, side, side, 1)
    assert picture.dtype == mask.dtype == np.float32
    assert min(picture.min(), mask.min()) >= 0 and max(picture.max(), mask.max()) <= 1
    rebuilt = model.rebuild(batches[0]["target"], batches[1]["target"])
    assert [r.shape for r in rebuilt] == [(4, side, side, 3)] * 3

    Session(name, model, tmp_path / "model", iteration=2).save()
    optimiser = [np.asarray(v).copy() for v in model.trainers[""].optimizer.variables]
    del model
    keras.backend.clear_session()
    loaded = trained.load_trained(tmp_path / "model")
    assert (loaded.name, loaded.iteration, loaded.resolution, loaded.face_type) == (name, 2, side, kind.face_type)
    again = loaded.predict(batches[1]["target"])
    np.testing.assert_allclose(again[0], picture, atol=1e-5)
    np.testing.assert_allclose(again[1], mask, atol=1e-5)
    session = Session(name, loaded.model, tmp_path / "model")
    session.resume(session.find().generation)
    for a, b in zip(optimiser, session.model.trainers[""].optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))
    shutil.rmtree(tmp_path / "model")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_learns_eight_faces_by_heart(name, tmp_path):
    kind = base.model_class(name)
    model = kind(small_options(kind))
    sources = [
        Sampler(
            save_faces(tmp_path / side, 4, seed=seed, side=128), model.samples(), np.random.default_rng(0), flip=False
        )
        for seed, side in enumerate(("src", "dst"))
    ]
    batches = [source.untouched([0, 1, 2, 3]) for source in sources]
    # The large models learn for days and step accordingly; here they may hurry.
    for trainer in model.trainers.values():
        trainer.optimizer.learning_rate = max(3e-4, float(np.asarray(trainer.optimizer.learning_rate)))
    first = last = sum(model.train_on(*batches).values())
    for _ in range(400):
        last = min(last, sum(model.train_on(*batches).values()))
        if last < first / 2:
            return
    pytest.fail(f"the loss fell from {first} to {last} only")


def test_no_such_model():
    with pytest.raises(UserError, match="no model 'nope'"):
        base.model_class("nope")


def test_a_file_without_title_is_named_by_its_docstring():
    assert catalogue.title_of('"""First line.\n\nMore."""') == "First line."
    assert catalogue.title_of('class A:\n    title = "of the class"') == "of the class"


class TestLoading:
    """With the tiny model in the place of a real one."""

    @pytest.fixture
    def model_dir(self, tmp_path, monkeypatch):
        monkeypatch.setattr(trained, "model_class", lambda name: Tiny)
        for iteration in (1, 2):
            Session("h64", Tiny(Tiny.Options(), seed=iteration), tmp_path, iteration=iteration).save()
        return tmp_path

    def test_fingerprint_and_iteration_are_those_of_the_newest(self, model_dir):
        loaded = trained.load_trained(model_dir)
        assert loaded.iteration == 2
        assert loaded.fingerprint == checkpoint.newest(model_dir / "h64").generation.fingerprint

    def test_damage_is_said_and_the_older_one_used(self, model_dir, capsys):
        newest = checkpoint.generations(model_dir / "h64")[0]
        (newest / "weights.safetensors").write_bytes(b"cut")
        assert trained.load_trained(model_dir).iteration == 1
        assert "generation_000002 of the model h64 is damaged" in capsys.readouterr().out

    def test_nothing_trained(self, tmp_path):
        with pytest.raises(UserError, match="no trained model") as caught:
            trained.load_trained(tmp_path)
        assert "6_train" in caught.value.fix

    def test_unknown_kind(self, model_dir):
        (model_dir / "h64").rename(model_dir / "nope")
        with pytest.raises(UserError, match="nope"):
            trained.load_trained(model_dir)

    def test_folder_of_another_model(self, model_dir):
        (model_dir / "h64").rename(model_dir / "quick")
        with pytest.raises(UserError, match="holds the model 'h64'"):
            trained.find_generation(model_dir, "quick")
