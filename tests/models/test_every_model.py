"""What every file in models/ must do, and the numbers of those whose network is fixed."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.options import declared
from facewright.data.sampler import Sampler
from facewright.models import registry, spec, trained
from facewright.models.spec import ConverterDefaults, ModelOptions
from facewright.nn import checkpoint, devices
from facewright.train.session import TrainingSession
from train.tiny import Tiny, save_faces

INTERNAL = Path(registry.__file__).resolve().parents[2]
NAMES = registry.model_names()
PARAMETERS = {
    ("amp", "full"): {
        "encoder": 22_076_928,
        "inter_src": 12_895_232,
        "inter_dst": 12_895_232,
        "mix": 0,
        "decoder": 53_477_803,
    },
    ("avatar", "full"): {
        "encoder64": 8_011_142,
        "decoder64_src": 15_251_673,
        "decoder64_dst": 15_251_673,
        "encoder256": 8_011_142,
        "decoder256": 42_902_553,
    },
    ("df", "full"): {"encoder": 77_018_880, "decoder_src": 30_690_820, "decoder_dst": 30_690_820},
    ("gan", "full"): {
        "encoder": 69_662_976,
        "decoder_src": 12_470_148,
        "decoder_dst": 12_470_148,
        "critic_src": 1_031_553,
        "critic_dst": 1_031_553,
    },
    ("h64", "full"): {"encoder": 69_662_976, "decoder_src": 21_545_156, "decoder_dst": 21_545_156},
    ("h64", "light"): {"encoder": 29_151_744, "decoder_src": 7_677_700, "decoder_dst": 7_677_700},
    ("h128", "full"): {"encoder": 77_018_880, "decoder_src": 30_690_820, "decoder_dst": 30_690_820},
    ("h128", "light"): {"encoder": 40_563_200, "decoder_src": 7_677_700, "decoder_dst": 7_677_700},
    ("liaef128", "full"): {
        "encoder": 17_214_720,
        "inter_b": 34_638_080,
        "inter_ab": 34_638_080,
        "decoder": 49_565_188,
    },
    ("miaef128", "full"): {
        "encoder": 17_214_720,
        "inter_a": 34_638_080,
        "inter_b": 34_638_080,
        "common_a": 35_689_728,
        "common_b": 35_689_728,
        "head_rgb": 19_203,
        "head_bw": 6_401,
        "head_mask": 3_201,
    },
    ("original", "full"): {"encoder": 69_662_976, "decoder_src": 6_199_747, "decoder_dst": 6_199_747},
    ("quick", "full"): {"encoder": 5_858_288, "decoder_src": 983_256, "decoder_dst": 983_256},
    ("saehd", "full"): {
        "encoder": 4_306_560,
        "inter_ab": 19_933_440,
        "inter_b": 19_933_440,
        "decoder": 38_203_115,
    },
    ("quick96", "full"): {"encoder": 7_404_928, "decoder_src": 15_444_701, "decoder_dst": 15_444_701},
}
PARAMETERS["liaef128yaw", "full"] = PARAMETERS["liaef128", "full"]
SCALE = 1 / 8
# Where the options decide it.
SMALL = {"saehd": {"resolution": 64, "ae_dims": 64, "e_dims": 32, "d_dims": 32}}
SMALL["amp"] = {**SMALL["saehd"], "inter_dims": 512, "face_type": "full"}


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


def narrow(name):
    """Return a model with an eighth of its channels, so that a test takes seconds."""
    kind = registry.model_class(name)

    class Narrow(kind):
        def __init__(self, options, *, seed=0):
            super().__init__(options, seed=seed, scale=SCALE)

    return Narrow


def batches_of(model, folder, *, rng=None):
    """Return a batch of 4 drawn faces for each person, warped where `rng` is given."""
    found = {}
    for number, side in enumerate(("src", "dst")):
        paths = save_faces(folder / side, 4, seed=10 * number, side=128)
        sampler = Sampler(paths, model.samples(side), rng or np.random.default_rng(0), flip=model.flip)
        found[side] = sampler.batch(4) if rng else sampler.untouched([0, 1, 2, 3])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_declaration(name):
    kind = registry.model_class(name)
    assert kind.name() == name and kind.title and kind.memory
    assert kind.resolution % 16 == 0 and kind.default_batch > 0
    assert isinstance(kind.converter, ConverterDefaults)
    assert issubclass(kind.Options, ModelOptions)
    assert all(spec.help for spec in declared(kind.Options))
    assert kind.matching in ("shuffled", "yaw")
    assert list(kind.batches.values()) == sorted(kind.batches.values())


def test_declarations_are_read_without_keras():
    program = (
        "from facewright.models.registry import model_classes; import sys; "
        "print(len(model_classes()), 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=INTERNAL)
    assert done.stdout.split() == [str(len(NAMES)), "False"]


def test_a_file_that_holds_no_model_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "model_names", lambda: ["layouts"])
    with pytest.raises(TypeError, match="layouts"):
        registry.model_class("layouts")


class TestBatchForMemory:
    @pytest.mark.parametrize(("memory", "batch"), [(1.5, 2), (2.5, 8), (3.0, 8), (7.9, 48), (8.0, 48), (80.0, 48)])
    def test_the_first_entry_that_is_not_smaller(self, memory, batch):
        assert registry.model_class("h64").batch_for(memory) == batch

    def test_too_little(self):
        with pytest.raises(UserError, match=r"the model df needs 4\.5") as caught:
            registry.model_class("df").batch_for(4.0)
        assert "--batch-size" in caught.value.fix

    def test_without_a_table(self):
        assert registry.model_class("quick96").batch_for(0.5) == 4


class TestLightOrFull:
    @pytest.mark.parametrize(("memory", "light"), [(3.9, "yes"), (4.0, "no"), (24.0, "no")])
    def test_auto_is_decided_once_by_the_memory(self, monkeypatch, memory, light):
        monkeypatch.setattr(spec, "device_memory", lambda: memory)
        kind = registry.model_class("h64")
        settled = kind.settle(kind.Options())
        assert settled.light == light
        monkeypatch.setattr(spec, "device_memory", lambda: 1000.0)
        assert kind.settle(settled) == settled

    def test_what_is_saved_is_what_was_decided(self, monkeypatch):
        monkeypatch.setattr(spec, "device_memory", lambda: 1.0)
        model = narrow("h64")(spec.LightOptions())
        assert trained.option_values(model.options) == {"light": "yes"} and model.light

    def test_models_saved_before_there_was_auto(self):
        assert trained.build_options("h64", {"light": True}).light == "yes"
        assert trained.build_options("h64", {"light": False}).light == "no"


def test_every_version_is_counted():
    declared_ = {(name, version) for name in NAMES for version in registry.model_class(name).parameters}
    assert declared_ == set(PARAMETERS)


@pytest.mark.parametrize(("name", "version"), PARAMETERS, ids=lambda value: value)
def test_parameter_counts(name, version):
    kind = registry.model_class(name)
    light = {"light": "yes" if version == "light" else "no"} if len(kind.parameters) > 1 else {}
    model = object.__new__(kind)  # the networks alone, and of these no numbers: both take memory and time
    model.options, model.scale = kind.Options(**light), 1.0
    with keras.StatelessScope(initialize_variables=False):
        model.parts = model.build()
    assert model.count_params() == PARAMETERS[name, version]
    assert sum(model.count_params().values()) == kind.parameters[version]


@pytest.mark.parametrize("name", NAMES)
def test_trains_saves_comes_back_and_learns(name, tmp_path, monkeypatch):
    kind = narrow(name)
    model = kind(kind.Options(**SMALL.get(name, {})))
    # torch refuses to build a layer with a dot in its name.
    assert not any("." in layer.name for part in model.parts.values() for layer in part.layers)
    batches = batches_of(model, tmp_path, rng=np.random.default_rng(1))
    for _ in range(3):
        losses = model.train_on(batches)
        assert tuple(losses) == model.reported and all(np.isfinite(v) for v in losses.values())
    side = model.output or model.resolution
    picture, mask = model.predict(batches["dst"]["target"])
    assert picture.shape == (4, side, side, 3) and mask.shape == (4, side, side, 1)
    assert picture.dtype == mask.dtype == np.float32
    assert min(picture.min(), mask.min()) >= 0 and max(picture.max(), mask.max()) <= 1
    *same, own = model.predict_with_own_mask(batches["dst"]["target"])
    np.testing.assert_allclose(same[0], picture, atol=1e-5)
    np.testing.assert_allclose(same[1], mask, atol=1e-5)
    assert (own is None) == (not model.learns_mask) and (own is None or own.shape == (4, side, side, 1))
    columns = model.preview(batches)
    assert list(columns)[:5] == ["src", "src rebuilt", "dst", "dst rebuilt", "dst as src"]
    assert all(c.shape == (4, c.shape[1], c.shape[1], 3) and c.dtype == np.float32 for c in columns.values())

    TrainingSession(name, model, tmp_path / "model", iteration=3).save()
    saved = {key: np.asarray(v).copy() for key, v in trained.model_arrays(model)["optimizer"].items()}
    following, resolution = model.train_on(batches), model.resolution
    del model
    keras.backend.clear_session()
    monkeypatch.setattr(registry, "model_class", lambda wanted: kind)
    loaded = trained.load_trained(tmp_path / "model")
    assert (loaded.name, loaded.iteration, loaded.resolution) == (name, 3, resolution)
    again = loaded.predict(batches["dst"]["target"])
    np.testing.assert_allclose(again[0], picture, atol=1e-5)
    np.testing.assert_allclose(again[1], mask, atol=1e-5)
    session = TrainingSession(name, loaded.model, tmp_path / "model")
    session.resume(session.find().generation)
    for key, value in trained.model_arrays(session.model)["optimizer"].items():
        np.testing.assert_array_equal(saved[key], np.asarray(value))
    # The next iteration is the one that would have come, dropped weights and all.
    assert session.model.train_on(batches) == pytest.approx(following, rel=1e-4)
    shutil.rmtree(tmp_path / "model")
    check_learning(session.model, batches)


def check_learning(model, batches):
    """Check that eight faces are learnt by heart."""
    # The large models learn fine textures for days; here faces are patches of colour and the steps larger.
    rng = np.random.default_rng(3)
    for side, batch in batches.items():
        for sample in model.samples(side):
            for picture in batch[sample.name] if sample.kind == "image" else ():
                patches = rng.random((4, 4, 1 if sample.colour == "grey" else 3), np.float32)
                large = cv2.resize(patches, picture.shape[:2], interpolation=cv2.INTER_CUBIC)
                picture[...] = np.atleast_3d(large).clip(0, 1)
        batch["warped"] = batch["target"]
    for trainer in model.steps.values():
        trainer.optimizer.learning_rate = max(1e-3, float(np.asarray(trainer.optimizer.learning_rate)))

    def step():
        losses = model.train_on(batches)
        return sum(value for loss, value in losses.items() if loss != "critics")

    first = last = step()
    for _ in range(400):
        last = min(last, step())
        if last < first / 2:
            return
    pytest.fail(f"the loss fell from {first} to {last} only")


@pytest.mark.parametrize("name", ["quick", "liaef128"])  # EMA and one encoder, two paths
def test_backwards_a_face_takes_the_path_of_dst(name):
    kind = narrow(name)
    model = kind(kind.Options(), seed=3)
    faces = np.random.default_rng(0).random((2, model.resolution, model.resolution, 3), np.float32)
    columns = model.preview({"src": {"target": faces}, "dst": {"target": faces}})
    image, mask = model.predict(faces, backwards=True)
    assert np.abs(image - columns["dst rebuilt"]).max() < 1e-4 < np.abs(image - columns["dst as src"]).max()
    again, same, own = model.predict_with_own_mask(faces, backwards=True)
    assert np.abs(again - image).max() < 1e-4 and np.abs(same - mask).max() < 1e-4
    assert own is None or np.abs(own - model.predict(faces)[1]).max() < 1e-4  # the mask of whom it was


def test_no_such_model():
    with pytest.raises(UserError, match="no model 'nope'"):
        registry.model_class("nope")


class TestLoading:
    """With the tiny model in the place of a real one."""

    @pytest.fixture
    def model_dir(self, tmp_path, monkeypatch):
        monkeypatch.setattr(registry, "model_class", lambda name: Tiny)
        for iteration in (1, 2):
            TrainingSession("h64", Tiny(Tiny.Options(), seed=iteration), tmp_path, iteration=iteration).save()
        return tmp_path

    def test_fingerprint_and_iteration_are_those_of_the_newest(self, model_dir):
        loaded = trained.load_trained(model_dir)
        assert loaded.iteration == 2
        assert loaded.fingerprint == checkpoint.newest(model_dir / "h64").generation.fingerprint

    def test_optimisers_are_built_for_training_only(self, model_dir):
        model = trained.load_trained(model_dir).model
        model.predict(np.zeros((1, 16, 16, 3), np.float32))
        model.preview({side: {"target": np.zeros((1, 16, 16, 3), np.float32)} for side in model.streams})
        assert model.live_network() and model.reported == ("src", "dst")
        assert "steps" not in vars(model)
        session = TrainingSession("h64", model, model_dir)
        session.resume(session.find().generation)
        assert list(vars(model)["steps"]) == [""]

    def test_a_model_that_works_backwards_is_another_one_to_the_converter(self, model_dir):
        loaded = trained.load_trained(model_dir)
        backwards, faces = loaded.reversed(), np.full((1, 16, 16, 3), 0.5, np.float32)
        assert backwards.fingerprint != loaded.fingerprint
        assert (backwards.predict(faces)[0] == loaded.model.predict(faces, backwards=True)[0]).all()
        assert (backwards.predict(faces)[0] != loaded.predict(faces)[0]).any()

    def test_damage_is_said_and_the_older_one_used(self, model_dir, capsys):
        newest = checkpoint.generations(model_dir / "h64")[0]
        (newest / "weights.safetensors").write_bytes(b"cut")
        assert trained.load_trained(model_dir).iteration == 1
        assert "generation_000002 of the model h64 is damaged" in capsys.readouterr().out

    def test_nothing_trained(self, tmp_path):
        with pytest.raises(UserError, match="no trained model") as caught:
            trained.load_trained(tmp_path)
        assert "6_train" in caught.value.fix

    def test_unknown_kind(self, tmp_path):
        TrainingSession("mine", Tiny(Tiny.Options()), tmp_path, kind="nope").save()
        with pytest.raises(UserError, match=r"of a known kind \(mine\)"):
            trained.load_trained(tmp_path)
        with pytest.raises(UserError, match="holds the model 'nope'"):
            trained.load_trained(tmp_path, "mine")

    def test_a_name_of_its_own(self, model_dir):
        (model_dir / "h64").rename(model_dir / "The hero")
        loaded = trained.load_trained(model_dir, "The hero")
        assert (loaded.name, loaded.kind, loaded.iteration) == ("The hero", "h64", 2)

    def test_folder_of_another_model(self, model_dir):
        (model_dir / "h64").rename(model_dir / "quick")
        with pytest.raises(UserError, match="holds the model 'h64'"):
            trained.find_generation(model_dir, "quick")
