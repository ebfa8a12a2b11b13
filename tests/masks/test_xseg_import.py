"""An XSeg of DeepFaceLab in the place of the mask model: imported, trained on, applied."""

import pickle

import keras
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.data.mask_sampler import MaskSampler
from facewright.faces.dfl_crop import DflFaceType
from facewright.faces.faceset import load_faceset
from facewright.faces.mask import decode_mask
from facewright.masks.applying import apply_masks, load_mask_network
from facewright.masks.options import MaskApplyOptions
from facewright.models.dfl_import import import_folder
from facewright.models.mask import FaceMask
from facewright.models.registry import trainable_class
from facewright.nn import checkpoint, devices
from masks.labelled import drawn_faces, left_covered
from models.dfl_folder import data_file, write_saehd

OPTIONS = {"face_type": "wf", "pretrain": False, "batch_size": np.int64(4)}
WIDTHS = (32, 64, 128, 256, 256, 256)


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


def kernels(*, old=False):
    """Return layer -> shape of its kernel, as the sheet of facts has them; a transposed one is (h, w, out, in)."""
    depths, found, channels = (2, 2, 3, 3, 3) if old else (2, 2, 2, 3, 3, 3), {}, 3
    for level, depth in enumerate(depths):
        for number in range(1, depth + 1):
            found[f"conv{level}{number}"] = (3, 3, channels, WIDTHS[level])
            channels = WIDTHS[level]
    if old:
        found["conv_center"] = (3, 3, 256, 256)
    for level in reversed(range(len(depths))):
        up = min(WIDTHS[level], 128)
        found[f"up{level}"] = (3, 3, up, channels)
        channels = up + WIDTHS[level]
        for number in range(depths[level], 0, -1):
            found[f"uconv{level}{number}"] = (3, 3, channels, WIDTHS[level])
            channels = WIDTHS[level]
    return found


def weights(*, old=False):
    """Return a file's arrays, drawn by chance."""
    rng, found = np.random.default_rng(3), {}

    def add(name, *shape, scale=0.3, shift=0.0):
        found[name] = (rng.uniform(-scale, scale, shape) + shift).astype(np.float32)

    for layer, shape in kernels(old=old).items():
        width = shape[2] if layer.startswith("up") else shape[3]
        add(f"{layer}/conv/weight:0", *shape, scale=(3 / np.prod(shape[:3])) ** 0.5)
        add(f"{layer}/conv/bias:0", width)
        add(f"{layer}/frn/weight:0", width, shift=1)
        add(f"{layer}/frn/bias:0", width)
        add(f"{layer}/frn/eps:0", 1, scale=5e-7, shift=1e-6)
        add(f"{layer}/tlu/tau:0", width, shift=-0.1)
    for layer, inputs, outputs in () if old else (("dense1", 4096, 512), ("dense2", 512, 4096)):
        add(f"{layer}/weight:0", inputs, outputs, scale=(3 / inputs) ** 0.5)
        add(f"{layer}/bias:0", outputs)
    add("out_conv/weight:0", 3, 3, 32, 1)
    add("out_conv/bias:0", 1)
    return found


def write(folder, arrays, **changed):
    folder.mkdir(exist_ok=True)
    (folder / "XSeg_data.dat").write_bytes(data_file({**OPTIONS, **changed}, iteration=9000))
    (folder / "XSeg_256.npy").write_bytes(pickle.dumps(arrays, 4))
    return arrays


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True])
def test_it_becomes_the_mask_model(workspace, tmp_path, old):
    arrays = write(tmp_path / "old", weights(old=old))
    acc = {f"acc_XSeg/{name.replace(':', '_')}:0": np.square(array) for name, array in arrays.items()}
    (tmp_path / "old" / "XSeg_256_opt.npy").write_bytes(pickle.dumps({"iters:0": np.int64(5), **acc}, 4))
    workspace.model_dir.mkdir()
    (done,) = import_folder(tmp_path / "old", workspace.model_dir)
    assert (done.name, done.kind, done.iteration, done.optimizer, done.dropped) == ("mask", "mask", 9000, True, ())
    network = load_mask_network(workspace)
    assert (network.model.resolution, network.model.face_type, network.outside) == (256, DflFaceType.WHOLE, True)
    layer = network.model.parts["network"].get_layer
    np.testing.assert_array_equal(np.asarray(layer("uconv01-conv").kernel), arrays["uconv01/conv/weight:0"])
    np.testing.assert_array_equal(np.asarray(layer("up2-tlu").tau), arrays["up2/tlu/tau:0"])
    if not old:
        wanted = arrays["dense1/weight:0"].reshape(256, 4, 4, 512).transpose(1, 2, 0, 3).reshape(4096, 512)
        np.testing.assert_array_equal(np.asarray(layer("dense1").kernel), wanted)
    saved = checkpoint.newest(workspace.model_dir / "mask").generation.arrays("optimizer").as_dict()
    wanted = np.square(arrays["conv01/conv/weight:0"]) / 4**2
    assert any(a.shape == wanted.shape and np.allclose(a, wanted) for a in saved.values())

    drawn_faces(workspace.dst.aligned_dir, 2)
    assert apply_masks(workspace, workspace.dst, MaskApplyOptions()).changed == 2
    record = load_faceset(workspace.dst.aligned_dir).faces[0].record
    assert record.mask_source == "predicted" and decode_mask(record.mask).shape == (64, 64)
    with pytest.raises(UserError, match="already"):
        import_folder(tmp_path / "old", workspace.model_dir)


def test_it_trains_on(tmp_path):
    kind = trainable_class("mask")
    model = kind(FaceMask.Options(network="xseg", face_type="dfl-whole"), scale=1 / 16)
    faces = drawn_faces(tmp_path, 2, occlusion=left_covered())
    batch = MaskSampler(faces, model.samples(), np.random.default_rng(0)).batch(2)
    assert batch["warped"].shape == (2, 256, 256, 3)
    (step,) = model.steps.values()
    step.optimizer.learning_rate = 2e-2
    step.optimizer.inner.keep = 1.0
    step.run_eagerly = True  # the graph takes longer to build
    losses = [model.train_on({"faces": batch})["mask"] for _ in range(4)]
    assert losses[-1] < 0.95 * losses[0]
    mask = model.predict(batch["warped"])
    assert mask.shape == (2, 256, 256) and 0 <= mask.min() < mask.max() <= 1


def test_what_cannot_be_a_mask_model_is_said(tmp_path):
    (tmp_path / "model").mkdir()
    for word, arrays, changed in (
        ("pretrained", {}, {"pretrain": True}),
        ("bald", {}, {"face_type": "bald"}),
        ("missing", {"conv01/conv/weight:0": np.zeros((3, 3, 3, 32), np.float32)}, {}),
    ):
        write(tmp_path / "old", arrays, **changed)
        with pytest.raises(UserError, match=word):
            import_folder(tmp_path / "old", tmp_path / "model")
    (tmp_path / "old" / "XSeg_256.npy").unlink()
    with pytest.raises(UserError, match=r"XSeg_256\.npy is missing"):
        import_folder(tmp_path / "old", tmp_path / "model")
    with pytest.raises(UserError, match="name"):
        import_folder(tmp_path / "old", tmp_path / "model", "hero")
    assert not list((tmp_path / "model").iterdir())


def test_beside_a_mask_model_it_stays_where_it_is(tmp_path, capsys):
    write_saehd(tmp_path / "old")
    write(tmp_path / "old", {})
    model_dir = tmp_path / "model"
    (model_dir / "mask").mkdir(parents=True)
    assert [done.name for done in import_folder(tmp_path / "old", model_dir, "anna")] == ["anna"]
    assert "XSeg" in capsys.readouterr().out
