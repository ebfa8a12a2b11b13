"""Every model that replaces faces as a .dfm file: names, order, shapes, and keras' own answers."""

import keras
import numpy as np
import onnx
import pytest

from facewright.models import base, dfm, onnx_engine, registry
from facewright.models.registry import model_class
from facewright.models.trained import keras_model
from facewright.nn import devices
from facewright.nn.onnx_file import OnnxFile

NAMES = [name for name in registry.model_names() if not model_class(name).portrait and not model_class(name).morphs]
SCALE = 1 / 8


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


def trained(name, scale=SCALE, **options):
    """Return a narrow model whose weights, also the biases, are not what they begin as."""
    kind = registry.model_class(name)

    class Narrow(kind):
        def phases(self):
            return ()  # no optimisers: they would take most of the time

    model = Narrow(kind.Options(**options), scale=scale)
    rng = np.random.default_rng(3)
    for part in model.parts.values():
        for variable in part.variables:
            size = 0.1 if variable.name == "bias" else 1.3 * np.std(np.asarray(variable))
            variable.assign(rng.normal(0, size, variable.shape))
    return keras_model("hero", name, 7, "f1", model)


def exported(model, folder):
    path = folder / "hero_model.dfm"
    path.write_bytes(dfm.dfm_bytes(model, {"more": "text"}))
    return OnnxFile(path), path


def faces(model, count):
    return np.random.default_rng(5).random((count, model.resolution, model.resolution, 3), np.float32)


def as_deepfacelive_does(file, pictures):
    """What DeepFaceLive's reader asks of a file: the input's name and sides, three outputs in their order."""
    ((name, shape),) = file.inputs
    assert name == "in_face:0" and all(isinstance(side, int) for side in shape[1:3])
    mask, face, face_mask = file.run(pictures)
    return mask, face, face_mask


@pytest.mark.parametrize("name", NAMES)
def test_the_file_answers_as_keras_does(tmp_path, name):
    model = trained(name)
    file, path = exported(model, tmp_path)
    side = model.resolution
    assert file.inputs == (("in_face:0", ("batch", side, side, 3)),)
    assert file.outputs == (
        ("out_face_mask:0", ("batch", side, side, 1)),
        ("out_celeb_face:0", ("batch", side, side, 3)),
        ("out_celeb_face_mask:0", ("batch", side, side, 1)),
    )
    onnx.checker.check_model(str(path), full_check=True)
    for count in (1, 3):
        pictures = faces(model, count)
        made = as_deepfacelive_does(file, pictures)
        picture, mask = model.predict(pictures)
        if model.model.learns_mask:
            with model.model.averaged():
                own = base.to_numpy(model.model.forward(pictures, pictures)["dst_mask"])
        else:
            own = mask = np.broadcast_to(dfm.plain_mask(side), (count, side, side, 1))
        for one, wanted in zip(made, (own, picture, mask), strict=True):
            np.testing.assert_allclose(one, wanted, atol=1e-4)
            assert wanted.std() > 1e-3, "a flat answer would agree with anything"
        for one, wanted in zip(dfm.wanted(model, pictures), (own, picture, mask), strict=True):
            np.testing.assert_allclose(one, wanted, atol=1e-5)
    answers_as_conversion_does(model)


def answers_as_conversion_does(model):
    """The network as the engine of the conversion has it: the swap alone, its mask as in keras."""
    pictures = faces(model, 2)
    made = OnnxFile(onnx_engine.swap_bytes(model)).run(pictures)
    for one, wanted in zip(made, model.predict(pictures), strict=True):
        np.testing.assert_allclose(one, wanted, atol=1e-4)


def test_one_that_morphs_is_told_how_much(tmp_path):
    model = trained("amp", scale=1 / 16, resolution=64, inter_dims=160)
    file, path = exported(model, tmp_path)
    assert [name for name, _ in file.inputs] == ["in_face:0", "morph_value:0"] and file.inputs[1][1] == (1,)
    onnx.checker.check_model(str(path), full_check=True)
    pictures = faces(model, 3)
    seen = []
    for share in (0.0, 0.35, 1.0):  # of ten channels none, three, all
        morphed = model.morphed(share)
        assert (morphed.fingerprint == model.fingerprint) == (share == 1.0)
        for one, wanted in zip(file.run(pictures, np.float32([share])), dfm.wanted(morphed, pictures), strict=True):
            np.testing.assert_allclose(one, wanted, atol=1e-4)
        seen.append(morphed.predict(pictures)[0])
    rebuilt, whole = (
        base.to_numpy(model.model.decode(side, model.model.parts["encoder"](pictures))[0]) for side in ("dst", "src")
    )
    for one, wanted in ((seen[0], rebuilt), (seen[2], whole)):
        np.testing.assert_allclose(one, wanted, atol=1e-4)
    assert min(np.abs(seen[1] - other).max() for other in (rebuilt, whole)) > 1e-2
    opened = onnx_engine.open_dfm(onnx_engine.read_dfm(path), model.face_type, 0.35, "cpu", "f")
    np.testing.assert_allclose(opened.predict(pictures)[0], seen[1], atol=1e-4)


def test_portraits_are_converted_by_the_engine_too():
    answers_as_conversion_does(trained("avatar"))


def test_the_light_version_too(tmp_path):
    model = trained("h64", light="yes")
    file, _ = exported(model, tmp_path)
    np.testing.assert_allclose(file.run(faces(model, 2))[1], model.predict(faces(model, 2))[0], atol=1e-4)


def test_the_running_mean_is_what_is_exported(tmp_path):
    model = trained("quick")
    first = exported(model, tmp_path)[0].run(faces(model, 1))
    for part in model.model.parts.values():
        for variable in part.variables:
            variable.assign(np.zeros(variable.shape))
    for one, other in zip(exported(model, tmp_path)[0].run(faces(model, 1)), first, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_same_weights_give_the_same_bytes(tmp_path):
    model = trained("original")
    assert dfm.dfm_bytes(model, {"b": "2", "a": "1"}) == dfm.dfm_bytes(model, {"a": "1", "b": "2"})


def test_what_the_file_says_of_itself(tmp_path):
    tags = exported(trained("original"), tmp_path)[0].tags
    assert tags == {
        "name": "hero",
        "model": "original",
        "iteration": "7",
        "resolution": "64",
        "face_type": "half",
        "masks": "ellipse",
        "more": "text",
    }
    assert exported(trained("h64"), tmp_path)[0].tags["masks"] == "learned"


def test_the_mask_of_a_model_without_one_is_a_round_one():
    mask = dfm.plain_mask(64)
    assert mask.shape == (64, 64, 1) and mask.dtype == np.float32
    assert mask[0, 0] == mask[0, 63] == mask[63, 0] == 0 and mask[32, 32] == mask[32, 4] == mask[60, 32] == 1
    np.testing.assert_array_equal(mask, mask[::-1, ::-1])
    assert set(np.unique(mask)) > {0.0, 1.0}, "its edge is smooth"


def test_which_models_learn_masks():
    assert {name for name in registry.model_names() if not trained(name).model.learns_mask} == {"avatar", "original"}
