"""More people than src in one model: trained, resumed, drawn in conversion; a tiny model stands for h64."""

import shutil

import keras
import numpy as np
import pytest

from commands.train_runs import run
from facewright import cli
from facewright.convert.session import SavedModels
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType
from facewright.models import onnx_engine, registry, trained
from facewright.models.layouts import SharedEncoder
from facewright.models.people import parse_more_src
from facewright.models.spec import ConverterDefaults
from facewright.nn import checkpoint
from facewright.nn.blocks import conv, output_layer, upscale
from facewright.nn.onnx_file import OnnxFile
from facewright.train.options import TrainOptions
from facewright.train.session import TrainingSession
from facewright.train.setup import find_saved_state, open_session
from facewright.train.transfer import begin_from
from train import tiny

FACES = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)


class Several(SharedEncoder):
    """16 px, one convolution each way, averaged weights."""

    title = "for tests"
    resolution = 16
    face_type = FaceType.FULL
    converter = ConverterDefaults(erode=0, blur=0)
    default_batch = 2
    seconds = 0.01
    ema = 0.9

    def build(self):
        face, code = keras.Input((16, 16, 3)), keras.Input((8, 8, 4))
        drawn = {name: [output_layer(3)(upscale(4)(code)), output_layer(1)(upscale(2)(code))] for name in self.decoders}
        return {
            "encoder": keras.Model(face, conv(4)(face)),
            **{name: keras.Model(code, outputs) for name, outputs in drawn.items()},
        }


@pytest.fixture
def tiny_kind(monkeypatch):
    """h64 stands for the tiny model."""
    tiny.use_tiny(monkeypatch.setattr, Several)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A workspace with a model of anna, too: trained to 6, stopped, trained on to 11; its state at 6 lies beside it."""
    workspace = Workspace(tmp_path_factory.mktemp("people"))
    tiny.fill(workspace, 60)
    tiny.save_faces(workspace.root / "anna, the second", 5, seed=300)
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_tiny(patch.setattr, Several)
        run(workspace, target_iter=6, more_src=more_src(workspace), preview=False)
        shutil.copytree(workspace.model_dir, workspace.root / "at 6")
        run(workspace, target_iter=11, more_src=more_src(workspace))
    return workspace


def more_src(workspace):
    return f"anna={workspace.root / 'anna, the second'}"


def newest(workspace, name="h64"):
    return checkpoint.newest(workspace.model_dir / name).generation


def of_everyone(model):
    return {name: {"target": FACES} for name in model.streams}


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(people, tiny_kind, capsys):
    run(people, name="at once", target_iter=11, more_src=more_src(people), preview=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "src, dst, anna per iteration" in said and "8 of 60 src faces and 8 of 60 dst faces, in runs" in said
    then, at_once = newest(people), newest(people, "at once")
    shutil.move(people.model_dir / "at once", people.root / "at once")
    for file in ("weights", "optimizer", "extra"):
        one, other = then.arrays(file).as_dict(), checkpoint.newest(people.root / "at once").generation.arrays(file)
        assert {name: pytest.approx(array, abs=1e-5) for name, array in other.as_dict().items()} == one
    assert at_once.state["people"] == ["anna"] and at_once.state["losses"] == ["src", "dst", "anna"]
    assert list(at_once.state["hold_out"]["runs"]) == ["src", "dst"]  # faces of more people are all learned
    assert then.arrays("history").as_dict()["measures"].size
    first = checkpoint.newest(people.root / "at 6" / "h64").generation
    before, after = first.arrays("weights").as_dict(), then.arrays("weights").as_dict()
    changed = {name.partition("/")[0] for name in before if (before[name] != after[name]).any()}
    assert changed == {"encoder", "decoder_src", "decoder_dst", "decoder_anna"}
    averages = [one.arrays("extra").as_dict() for one in (first, then)]
    assert averages[1]["steps"] == 11  # iterations, not steps of the optimisers
    assert all((averages[0][name] != averages[1][name]).any() for name in averages[0])
    slots = then.arrays("optimizer").as_dict()
    assert {name.partition("/")[0] for name in slots if "/" in name} == {"decoder_anna"}


def test_the_preview_shows_everyone(people, tiny_kind):
    model = trained.load_trained(people.model_dir).model
    columns = model.preview(of_everyone(model))
    assert list(columns)[5:] == ["anna", "dst as anna"]
    assert (columns["dst as src"] != columns["dst as anna"]).any()


def test_who_takes_the_place_of_src_is_said_with_the_models_name(people, tiny_kind):
    model = trained.load_trained(people.model_dir).model
    columns = model.preview(of_everyone(model))
    for name, person in (("h64", "src"), ("h64:anna", "anna")):
        loaded, wanted = trained.load_trained(people.model_dir, name), columns[f"dst as {person}"]
        assert loaded.name == name
        np.testing.assert_allclose(loaded.predict(FACES)[0], wanted, atol=1e-5)
        by_onnx = onnx_engine.load_saved(people.model_dir, name, "cpu")
        np.testing.assert_allclose(by_onnx.predict(FACES)[0], wanted, atol=1e-4)
        known = SavedModels().newest(people.model_dir, name)
        assert by_onnx.fingerprint == loaded.fingerprint == known.fingerprint
    models = SavedModels()
    assert models.names(people.model_dir) == ["h64", "h64:anna"]
    assert len({models.newest(people.model_dir, name).fingerprint for name in models.names(people.model_dir)}) == 2
    for wrong in ("h64:carl", "h64:", "h64:src"):
        with pytest.raises(UserError, match="knows nobody called"):
            trained.find_trained(people.model_dir, wrong, ())


def test_a_file_for_live_video_of_each(people, tiny_kind):
    model = trained.load_trained(people.model_dir).model
    assert cli.main(["export", "--workspace", str(people.root), "--model", "h64:anna"]) == 0
    made = OnnxFile(people.model_dir / "h64+anna_model.dfm").run(FACES)
    np.testing.assert_allclose(made[1], model.preview(of_everyone(model))["dst as anna"], atol=1e-4)
    assert cli.main(["export", "--workspace", str(people.root), "--model", "h64:carl"]) == 1


def test_they_are_fixed_and_a_new_model_takes_more(people, tiny_kind):
    more = f"{more_src(people)}, ben={people.root / 'anna, the second'}"
    with pytest.raises(UserError, match="created with these people beside src: anna; now they are anna, ben") as one:
        run(people, target_iter=12, more_src=more, preview=False)
    assert "anna=FOLDER" in one.value.fix and "--start-from h64" in one.value.fix
    with pytest.raises(UserError, match="now they are nobody"):
        run(people, target_iter=12, preview=False)
    model, old = Several(Several.Options(), people=("anna", "ben")), newest(people)
    begin_from(model, old)
    new, kept = trained.weights_of(model), old.arrays("weights").as_dict()
    for name, array in kept.items():  # one whom the other model does not know begins as its src
        np.testing.assert_array_equal(new[name], array)
        np.testing.assert_array_equal(new[name.replace("_src", "_ben", 1)], array)


def test_the_order_in_which_they_are_named_does_not_matter(tiny_kind, tmp_path):
    workspace, model = Workspace(tmp_path), Several(Several.Options(), people=("anna", "ben"))
    TrainingSession("h64", model, workspace.model_dir, "h64", 5).save()
    options = TrainOptions(model="h64", name="h64", more_src="ben=x, anna=y")
    again = open_session(workspace, options, None, find_saved_state(workspace, "h64", "h64", pretrain=False)).model
    assert again.people == ("anna", "ben")
    for name in model.parts:
        for one, other in zip(model.average.parts[name].variables, again.average.parts[name].variables, strict=True):
            np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("src=x", "cannot be the name"),
        ("../up=x", "cannot be the name"),
        ("a.b=x", "cannot be the name"),
        ("anna=x, Anna=y", "named twice"),
        (",".join(f"p{k}=x" for k in range(9)), "9 people"),
        ("anna", "does not say whose faces"),
        ("anna=", "does not say whose faces"),
        ("=x", "does not say whose faces"),
    ],
)
def test_names_and_folders_that_do_not_fit(text, said):
    with pytest.raises(UserError, match=said):
        parse_more_src(text)


def test_the_home_of_nobody_is_a_folder_that_is_not_there(people, tiny_kind):
    with pytest.raises(UserError, match="no aligned faces of anna"):
        run(people, name="none", more_src="anna=~nobody_at_all/faces")


def test_what_does_not_go_together_is_refused_before_anything_is_written(people, monkeypatch):
    tiny.use_tiny(monkeypatch.setattr)  # which has no decoder for more people
    with pytest.raises(UserError, match="no aligned faces of anna"):
        run(people, name="none", more_src=f"anna={people.root / 'nowhere'}")
    with pytest.raises(UserError, match="--pretrain learns faces in general"):
        run(people, name="none", more_src=more_src(people), pretrain=str(people.src.aligned_dir))
    with pytest.raises(UserError, match="no decoder for each person"):
        run(people, name="none", more_src=more_src(people))
    assert not (people.model_dir / "none").exists()


def test_people_of_a_state_that_a_stranger_wrote(people, tiny_kind, tmp_path):
    generation = newest(people)
    arrays = {name: generation.arrays(name).as_dict() for name in ("weights", "extra")}
    checkpoint.save(tmp_path / "bad", {**generation.state, "people": ["../../up", "x" * 1000]}, arrays)
    checkpoint.save(tmp_path / "other", {**generation.state, "people": ["carl"]}, arrays)
    for name in ("bad", "other"):
        (tmp_path / name).rename(tmp_path / f"h64 {name}")
    assert {"h64 bad", "h64 other", "h64 other:carl"} == set(trained.names_with_people(tmp_path))
    with pytest.raises(UserError, match="cannot be the name of a person"):
        trained.load_trained(tmp_path, "h64 bad")
    with pytest.raises(UserError, match="belong to another network"):
        trained.load_trained(tmp_path, "h64 other")


def test_which_networks_have_a_decoder_for_each():
    with pytest.raises(UserError, match="no decoder for each person"):
        registry.model_class("liaef128")(registry.model_class("liaef128").Options(), people=("anna",), scale=1 / 64)
    options = {"saehd": {"archi": "df-ud", "resolution": 64}}
    for name in ("original", "h64", "h128", "df", "quick", "quick96", "saehd"):
        kind = registry.model_class(name)
        model = object.__new__(kind)  # the networks alone, without numbers
        model.options, model.scale, model.people = kind.Options(**options.get(name, {})), 1 / 16, ("anna",)
        model.streams, model.resolution = ("src", "dst", "anna"), kind.resolution
        with keras.StatelessScope(initialize_variables=False):
            model.parts = model.build()
        assert "decoder_anna" in model.trained_by("anna") and "decoder_anna" not in model.of_both
        assert not {"decoder_src", "decoder_dst"} & set(model.trained_by("anna"))
