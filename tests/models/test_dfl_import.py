"""What a folder of DeepFaceLab becomes: the same numbers, the same iteration; or a sentence, and nothing changed."""

import os
import pickle
import re

import keras
import numpy as np
import pytest
from dfl_folder import OPTIONS, PlainSaehd, data_file, optimizer_of, write_amp, write_saehd

from facewright.core.errors import UserError
from facewright.core.hints import hints_of
from facewright.core.options import declared
from facewright.faces.dfl_crop import DflFaceType
from facewright.models import registry
from facewright.models.dfl_import import DROPPED, import_folder
from facewright.models.trained import build_options, load_trained, view_of
from facewright.nn import checkpoint, devices
from facewright.nn.saehd_shape import Architecture, count_parameters
from facewright.nn.saved_models import read_model_info
from facewright.train.options import TrainOptions
from facewright.train.session import TrainingSession

COLOURS = {"random_hsv_power": np.float64(0.05), "ct_mode": "lct"}
STYLES = {"face_style_power": np.float64(0.001), "bg_style_power": np.float64(2)}
CRITICS = {
    **{"gan_power": np.float64(0.2), "gan_patch_size": np.int64(8), "gan_dims": np.int64(4)},
    "true_face_power": np.float64(0.01),
}
CLOSE = 1e-4  # any wrong order, padding or slope gives 0.1 and more


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


@pytest.fixture
def model_dir(tmp_path):
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def built(model_dir, name="tiny"):
    """Return an imported model as a training begins with it: untrained."""
    state = read_model_info(model_dir, name).state
    return registry.model_class(state["model"])(build_options(state["model"], state["options"]), seed=5)


def write_optimizer(folder, start, state):
    (folder / f"{start}_src_dst_opt.npy").write_bytes(pickle.dumps(state, 4))
    return state


@pytest.mark.parametrize(("archi", "side"), [("df-ud", 64), ("liae", 96), ("liae-udtc", 64), ("df-t", 64)])
def test_the_same_faces_come_out(tmp_path, model_dir, archi, side):
    networks = write_saehd(tmp_path / "old", archi=archi, resolution=np.int64(side))
    (done,) = import_folder(tmp_path / "old", model_dir)
    assert (done.name, done.kind, done.iteration) == ("tiny", "saehd", 1234)
    (lost,) = done.dropped
    assert "GAN" in lost  # its power is there, its file is not
    model = load_trained(model_dir, "tiny")
    faces = np.random.default_rng(1).random((2, side, side, 3), np.float32)
    image, mask, own = model.predict_with_own_mask(faces)
    plain = PlainSaehd(archi, networks)
    for number, face in enumerate(faces):
        wanted_image, wanted_mask = plain.swap(face)
        assert np.ptp(wanted_image) > 0.1
        np.testing.assert_allclose(image[number], wanted_image, atol=CLOSE)
        np.testing.assert_allclose(mask[number], wanted_mask, atol=CLOSE)
        np.testing.assert_allclose(own[number], plain.rebuild(face)[1], atol=CLOSE)


def test_an_amp_gives_the_same_faces_at_every_share(tmp_path, model_dir):
    networks = write_amp(tmp_path / "old", face_type="wf")
    (done,) = import_folder(tmp_path / "old", model_dir)
    assert (done.kind, done.iteration, done.optimizer) == ("amp", 1234, False)
    assert ["GAN" in lost for lost in done.dropped] == [True]
    options = read_model_info(model_dir, "tiny").state["options"]
    assert options["morph_factor"] == 0.3 and not options["random_warp"] and options["face_type"] == "whole"
    assert options["masked_training"] and options["eyes_mouth_prio"] and options["optimizer"] == "adabelief"
    model = load_trained(model_dir, "tiny")
    face = np.random.default_rng(1).random((64, 64, 3), np.float32)
    plain = PlainSaehd("amp-udt", networks)
    for share, count in ((0.0, 0), (0.65, 6), (1.0, 10)):
        image, mask, own = model.morphed(share).predict_with_own_mask(face[None])
        wanted_image, wanted_mask = plain.morphed(face, count)
        np.testing.assert_allclose(image[0], wanted_image, atol=CLOSE)
        np.testing.assert_allclose(mask[0], wanted_mask, atol=CLOSE)
        np.testing.assert_allclose(own[0], plain.morphed(face, 0)[1], atol=CLOSE)


def test_an_amp_of_its_first_month(tmp_path, model_dir):
    """Its middle was as wide as the code is long, nothing was said of the morph, eyes and mouth were a choice."""
    write_amp(tmp_path / "old", inter_dims=None, morph_factor=None, masked_training=False, eyes_mouth_prio=False)
    import_folder(tmp_path / "old", model_dir)
    options = read_model_info(model_dir, "tiny").state["options"]
    assert options["inter_dims"] == 6 and options["morph_factor"] == 0.5
    assert not options["masked_training"] and not options["eyes_mouth_prio"]


@pytest.mark.parametrize("adabelief", [True, False])
def test_the_optimiser_goes_on(tmp_path, model_dir, adabelief):
    networks = write_saehd(tmp_path / "old", adabelief=adabelief)
    kept = ("ms", "vs") if adabelief else ("acc",)
    state = write_optimizer(tmp_path / "old", "tiny_SAEHD", optimizer_of(networks, kept))
    (done,) = import_folder(tmp_path / "old", model_dir)
    assert done.optimizer and ["GAN" in lost for lost in done.dropped] == [True]
    session = TrainingSession("tiny", built(model_dir), model_dir)
    session.resume(session.find().generation)
    optimizer = session.model.steps[""].optimizer.inner
    assert int(optimizer.iterations) == 777
    first = session.model.parts["encoder"].get_layer("down1-downs_0-conv1").kernel
    wanted = state[f"{kept[-1]}_encoder/down1/downs_0/conv1/weight_0:0"]
    np.testing.assert_allclose(np.asarray(optimizer.slots(first)["square"]), wanted / 2**2)  # a batch of two adds up
    inter = session.model.parts["inter"]
    rows, columns = inter.get_layer("dense1").kernel, inter.get_layer("dense2").bias
    wanted = state[f"{kept[0]}_inter/dense1/weight_0:0"].reshape(16, 4, 4, 6).transpose(1, 2, 0, 3).reshape(256, 6)
    factor = 2 if adabelief else 4
    np.testing.assert_allclose(np.asarray(next(iter(optimizer.slots(rows).values()))), wanted / factor)
    wanted = state[f"{kept[0]}_inter/dense2/bias_0:0"].reshape(6, 2, 2).transpose(1, 2, 0).ravel()
    np.testing.assert_allclose(np.asarray(next(iter(optimizer.slots(columns).values()))), wanted / factor)


def test_what_an_amp_never_trained_has_no_state(tmp_path, model_dir):
    networks = write_amp(tmp_path / "old")
    state = optimizer_of(networks, leave_out=("inter_src", "inter_dst"))
    write_optimizer(tmp_path / "old", "tiny_AMP", {**state, "iters:0": np.array([777])})  # as another program writes it
    (done,) = import_folder(tmp_path / "old", model_dir)
    assert done.optimizer
    saved = checkpoint.newest(model_dir / "tiny").generation.arrays("optimizer").as_dict()
    assert sum(bool(array.any()) for array in saved.values()) > 50


def spoiled_state(state, what):
    """Spoil what an optimiser's file holds; return a word that is told."""
    key = next(name for name in state if name.startswith("vs_"))
    if what == "another kind":
        return {
            f"acc{name[2:]}" if name.startswith("vs_") else name: a for name, a in state.items() if name[:2] != "ms"
        }
    if what == "a part":
        return {name: array for name, array in state.items() if name != key}
    if what == "squares below zero":
        return {**state, key: -1 - state[key]}
    if what == "steps of several lengths":
        return {**state, "iters:0": [[1], [2, 3]]}
    return {name: array for name, array in state.items() if name != "iters:0"}


STATES = ("another kind", "a part", "squares below zero", "no steps", "steps of several lengths")


@pytest.mark.parametrize("what", STATES)
def test_an_optimiser_that_does_not_fit_is_left_behind_alone(tmp_path, model_dir, what):
    networks = write_saehd(tmp_path / "old")
    write_optimizer(tmp_path / "old", "tiny_SAEHD", spoiled_state(optimizer_of(networks), what))
    (done,) = import_folder(tmp_path / "old", model_dir)
    assert not done.optimizer and "optimiser" in done.dropped[-1]
    assert not checkpoint.newest(model_dir / "tiny").generation.has("optimizer")


def test_options_come_along(tmp_path, model_dir):
    write_saehd(
        tmp_path / "old",
        face_type="wf",
        lr_dropout="cpu",
        archi="df-du",
        adabelief=False,
        clipgrad=True,
        **COLOURS,
        **STYLES,
    )
    import_folder(tmp_path / "old", model_dir, "anna")
    state = read_model_info(model_dir, "anna").state
    options = state["options"]
    assert options["archi"] == "df-ud" and options["optimizer"] == "rmsprop"
    assert options["eyes_mouth_prio"] and not options["random_warp"] and options["lr_dropout"] and options["clipgrad"]
    assert {name: options[name] for name in COLOURS | STYLES} == COLOURS | STYLES
    assert view_of(state).face_type is DflFaceType.WHOLE and view_of(state).resolution == 64
    assert state["settings"]["batch_size"] == 2


@pytest.mark.parametrize("spoiled", [False, True])
def test_discriminators_come_along(tmp_path, model_dir, spoiled):
    networks = write_saehd(tmp_path / "old", **CRITICS)
    write_optimizer(tmp_path / "old", "tiny_SAEHD", optimizer_of(networks))
    layers = {
        "GAN": {
            **{"in_conv": (1, 1, 3, 4), "convs_0": (3, 3, 4, 8), "convs_1": (3, 3, 8, 16), "center_out": (1, 1, 16, 1)},
            **{"center_conv": (1, 1, 16, 16), "upconvs_0": (3, 3, 8, 16), "upconvs_1": (3, 3, 4, 16)},
            "out_conv": (1, 1, 8, 1),
        },
        "code_discriminator": {"convs_0": (4, 4, 6, 256), "out_conv": (1, 1, 256, 1)},
    }
    for file, shapes in layers.items():
        made = {f"{name}/weight:0": np.full(shape, 0.25, np.float32) for name, shape in shapes.items()}
        # Kernels that go up have their outputs before their inputs.
        made |= {f"{n}/bias:0": np.zeros(s[2 if n.startswith("up") else 3], np.float32) for n, s in shapes.items()}
        if spoiled:
            made.pop("out_conv/bias:0")
        (tmp_path / "old" / f"tiny_SAEHD_{file}.npy").write_bytes(pickle.dumps(made, 4))
    for file, root in (("GAN_opt", "D_src"), ("D_code_opt", "dis")):
        weights = layers["GAN" if root == "D_src" else "code_discriminator"]
        shapes = {f"{name}/weight": shape for name, shape in weights.items()}
        shapes |= {f"{n}/bias": (s[2 if n.startswith("up") else 3],) for n, s in weights.items()}
        state = {f"{k}_{root}/{n}_0:0": np.full(s, 0.5, np.float32) for k in ("ms", "vs") for n, s in shapes.items()}
        state["iters:0"] = np.int64(55)
        if root == "dis":
            state = {}  # of which a word is said
        (tmp_path / "old" / f"tiny_SAEHD_{file}.npy").write_bytes(pickle.dumps(state, 4))
    (done,) = import_folder(tmp_path / "old", model_dir)
    assert ["optimiser" in lost for lost in done.dropped] == ([False, False] if spoiled else [True])
    slots = checkpoint.newest(model_dir / "tiny").generation.arrays("optimizer").as_dict()
    of_gan = [array for name, array in slots.items() if name.startswith("gan/") and array.ndim == 4]
    assert {float(np.unique(array).item()) for array in of_gan} == ({0.0} if spoiled else {0.5 / 2, 0.5 / 2**2})
    critics = checkpoint.newest(model_dir / "tiny").generation.arrays("critics").as_dict()
    kernels = {name: array for name, array in critics.items() if "kernel" in name}
    assert len(kernels) == 10 and all((array == 0.25).all() != spoiled for array in kernels.values())
    assert {name.partition("/")[0] for name in kernels} == {"gan", "code"}


def test_options_of_earlier_years(tmp_path, model_dir):
    old = {k: v for k, v in OPTIONS.items() if k not in ("eyes_mouth_prio", "adabelief")}
    write_saehd(tmp_path / "old")
    old |= {"eyes_prio": True, "random_flip": True, "lr_dropout": True}
    (tmp_path / "old" / "tiny_SAEHD_data.dat").write_bytes(data_file(old, protocol=3))
    import_folder(tmp_path / "old", model_dir)
    options = read_model_info(model_dir, "tiny").state["options"]
    assert options["eyes_mouth_prio"] and options["random_src_flip"] and options["random_dst_flip"]
    assert options["lr_dropout"] and options["optimizer"] == "rmsprop"


@pytest.mark.parametrize("archi", ["df", "df-ud", "liae-udt", "liae-d"])
def test_weights_are_counted_before_anything_is_built(archi):
    kind, _, flags = archi.partition("-")
    shape = Architecture(kind, flags, 64, 10, 4, 6, 2)
    options = registry.model_class("saehd").Options(
        resolution=64, archi=archi, ae_dims=10, e_dims=4, d_dims=6, d_mask_dims=2
    )
    built = registry.model_class("saehd")(options)
    assert count_parameters(shape) == sum(built.count_params().values())


def test_a_model_that_no_memory_holds_is_refused_before_it_is_built():
    options = registry.model_class("saehd").Options(resolution=640, archi="liae-ud", ae_dims=2048, e_dims=512)
    with pytest.raises(UserError, match="memory"):
        registry.model_class("saehd")(options)


def test_a_side_that_the_architecture_cannot_have():
    with pytest.raises(UserError) as caught:
        registry.model_class("saehd").settle(registry.model_class("saehd").Options(resolution=144, archi="df-d"))
    assert "--resolution 128" in caught.value.fix


def spoiled(folder, what):
    """Spoil a folder in one way; return a word that the error must have."""
    encoder, data = folder / "tiny_SAEHD_encoder.npy", folder / "tiny_SAEHD_data.dat"
    arrays = {"down1/downs_0/conv1/weight:0": np.zeros((5, 5, 3, 2), np.float32)}
    if what == "missing":
        encoder.unlink()
        return "missing"
    if what == "cut off":
        encoder.write_bytes(encoder.read_bytes()[:-9])
        return "encoder"
    if what == "other names":
        encoder.write_bytes(pickle.dumps(arrays, 4))
        return "missing"
    if what == "not finite":
        whole = pickle.loads(encoder.read_bytes())
        whole["down1/downs_0/conv1/bias:0"][0] = np.nan
        encoder.write_bytes(pickle.dumps(whole, 4))
        return "finite"
    if what == "code":
        encoder.write_bytes(b"cos\nsystem\n(S'touch " + str(folder / "ran").encode() + b"'\ntR.")
        return "system"
    if what == "huge":
        encoder.write_bytes(b"\x80\x04}\x8c\x01a\x8e" + (1 << 40).to_bytes(8, "little") + b"x")
        return "damaged"
    if what == "another face":
        data.write_bytes(data_file({**OPTIONS, "face_type": "bald"}))
        return "bald"
    if what == "too large":
        os.truncate(encoder, 1 << 42)  # with a hole: nothing of it may be read
        return "memory"
    if what == "old architecture":
        data.write_bytes(data_file({**OPTIONS, "archi": "dfhd"}))
        return "dfhd"
    changed, word = {"other colours": ({"ct_mode": "magic"}, "ct-mode"), "type": ({"ae_dims": "many"}, "ae-dims")}[what]
    data.write_bytes(data_file({**OPTIONS, **changed}))
    return word


SPOILS = (
    *(
        "missing",
        "cut off",
        "other names",
        "not finite",
        "code",
        "huge",
        "another face",
        "too large",
        "old architecture",
    ),
    *("other colours", "type"),
)


@pytest.mark.parametrize("what", SPOILS)
def test_what_cannot_be_imported_is_said(tmp_path, model_dir, what):
    write_saehd(tmp_path / "old")
    word = spoiled(tmp_path / "old", what)
    with pytest.raises(UserError, match=word):
        import_folder(tmp_path / "old", model_dir)
    assert not list(model_dir.iterdir()) and not (tmp_path / "old" / "ran").exists()


def aged(folder, what):
    """Let a folder be of an earlier year; return a word that the error must have."""
    data = folder / "tiny_SAEHD_data.dat"
    if what == "data of 2019":
        data.write_bytes(data_file({"archi": "df", "ae_dims": 512, "ed_ch_dims": 42, "learn_mask": True}, protocol=3))
        (folder / "tiny_SAEHD_encoder.h5").write_bytes(b"\x89HDF")
        return "2020"
    if what == "quick96 of spring 2020":
        (folder / "tiny_Quick96_data.dat").write_bytes(data_file({"batch_size": 4}))
        data.unlink()
        for part in ("encoder", "inter", "decoder_src", "decoder_dst"):
            array = {"res1/conv1/weight:0": np.zeros((3, 3, 2, 2), np.float32)}
            (folder / f"tiny_Quick96_{part}.npy").write_bytes(pickle.dumps(array, 4))
        return "encoder"
    data.unlink()
    (folder / "encoder.h5").write_bytes(b"\x89HDF")
    return "2020"


@pytest.mark.parametrize("what", ["2019", "data of 2019", "quick96 of spring 2020"])
def test_a_folder_of_earlier_years_is_known(tmp_path, model_dir, what):
    write_saehd(tmp_path / "old")
    word = aged(tmp_path / "old", what)
    with pytest.raises(UserError, match=word):
        import_folder(tmp_path / "old", model_dir)
    assert not list(model_dir.iterdir())


def test_a_save_that_was_cut_off_is_read_from_its_new_file(tmp_path, model_dir):
    write_saehd(tmp_path / "old")
    path = tmp_path / "old" / "tiny_SAEHD_inter.npy"
    path.rename(path.with_name(path.name + ".tmp"))
    assert import_folder(tmp_path / "old", model_dir)


def test_a_name_that_is_taken(tmp_path, model_dir):
    write_saehd(tmp_path / "old")
    import_folder(tmp_path / "old", model_dir)
    with hints_of(tmp_path, ("models", "--import", "old")), pytest.raises(UserError) as caught:
        import_folder(tmp_path / "old", model_dir)
    assert "--name NAME" in caught.value.fix
    for reserved in ("quick", "mask"):
        with pytest.raises(UserError):
            import_folder(tmp_path / "old", model_dir, reserved)
    assert import_folder(tmp_path / "old", model_dir, "other")[0].name == "other"
    assert checkpoint.newest(model_dir / "tiny") is not None


def test_the_flags_that_take_the_place_of_what_was_dropped_are_there():
    named = {flag for text in DROPPED.values() for flag in re.findall(r"--[\w-]+", text)}
    known = {spec.flag for spec in declared(TrainOptions)} | {
        spec.flag for spec in declared(registry.model_class("saehd").Options)
    }
    assert named and named <= known
