"""Layers as ONNX nodes, each against keras; what is not known is named."""

import keras
import numpy as np
import onnx
import pytest
from keras import layers, ops

from facewright.nn import devices
from facewright.nn.blocks import PixelNorm, PixelShuffle
from facewright.nn.onnx_file import OnnxFile, read_tags
from facewright.nn.onnx_graph import OPSET, build_onnx, set_tags
from facewright.nn.saehd_networks import Morph


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


def written(network, folder, constants=None, names=None):
    names = names or [f"out{number}" for number in range(len(network.outputs))]
    proto = build_onnx(
        network, input_names=["in", "share"][: len(network.inputs)], output_names=names, constants=constants or {}
    )
    set_tags(proto, {"name": "näme"}, version="1")
    path = folder / "network.onnx"
    path.write_bytes(proto.SerializeToString())
    onnx.checker.check_model(str(path), full_check=True)
    return path, proto


def agrees(network, folder, atol=1e-5):
    for variable in network.variables:  # a bias begins as zero, which would hide a mistake
        variable.assign(np.random.default_rng(len(variable.shape)).normal(0, 0.3, variable.shape))
    path, proto = written(network, folder)
    pictures = np.random.default_rng(1).random((3, *network.inputs[0].shape[1:]), np.float32)
    made = OnnxFile(path).run(pictures)
    wanted = network.predict_on_batch(pictures)
    for one, other in zip(made, wanted if isinstance(wanted, list) else [wanted], strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=atol)
    return proto


@pytest.mark.parametrize("side", [5, 8, 9, 16])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (5, 1), (3, 2), (5, 2), (4, 2), (2, 3)])
def test_convolutions_pad_as_keras_does(tmp_path, side, kernel, stride):
    face = keras.Input((side, side + 3, 2))
    agrees(keras.Model(face, layers.Conv2D(3, kernel, strides=stride, padding="same")(face)), tmp_path)


LAYERS = {
    "leaky": lambda x: layers.LeakyReLU(negative_slope=0.3)(layers.Conv2D(2, 1)(x)),
    "sigmoid inside": lambda x: layers.Conv2D(2, 3, padding="same", activation="sigmoid")(x),
    "no padding needed": lambda x: layers.Conv2D(2, 1)(x),
    "linear": lambda x: layers.Activation("linear")(x),
    "shuffle": lambda x: PixelShuffle()(x),
    "shuffle twice": lambda x: PixelShuffle()(PixelShuffle()(layers.Conv2D(32, 3, padding="same")(x))),
    "flat": lambda x: layers.Dense(5, activation="sigmoid")(layers.Flatten()(layers.Conv2D(3, 3, padding="same")(x))),
    "there and back": lambda x: layers.Conv2D(2, 3, padding="same")(
        layers.Reshape((2, 3, 4))(layers.Dense(24)(layers.Flatten()(x)))
    ),
    "norm": lambda x: PixelNorm()(layers.Dense(6)(layers.Flatten()(x))),
    "add": lambda x: layers.Add()([x, layers.Conv2D(4, 3, padding="same")(x), layers.Activation("sigmoid")(x)]),
    "side by side": lambda x: layers.Concatenate()([x, layers.Conv2D(3, 3, padding="same")(x)]),
    "operation": lambda x: ops.concatenate([layers.Conv2D(3, 3, padding="same")(x), x], axis=-1),
    "flat side by side": lambda x: layers.Concatenate()([layers.Flatten()(x), layers.Dense(2)(layers.Flatten()(x))]),
    "larger": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
    "much larger": lambda x: layers.UpSampling2D((2, 3), interpolation="bilinear")(layers.Conv2D(2, 1)(x)),
    "first channels": lambda x: layers.Conv2D(4, 3, padding="same")(x)[..., :3],
    "last channels": lambda x: x[..., -1:],
    "split": lambda x: ops.split(layers.Conv2D(6, 3, padding="same")(x), [1, 4], axis=-1)[1],
    "split of what came in": lambda x: ops.split(x, [3], axis=-1)[1],
    "largest": lambda x: layers.MaxPooling2D(3, strides=2, padding="same")(x),
    "pixel by pixel": lambda x: layers.Dense(3)(layers.Conv2D(5, 3, padding="same")(x)),
    "dropped in training": lambda x: layers.Dropout(0.5)(layers.Conv2D(5, 3, padding="same")(x)),
    "ones": lambda x: ops.ones_like(layers.Conv2D(5, 3, padding="same")(x)[..., :1]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_answers_as_in_keras(tmp_path, name):
    face = keras.Input((6, 8, 4))
    agrees(keras.Model(face, LAYERS[name](face)), tmp_path)


@pytest.mark.parametrize("shape", [(6, 8, 5), (5,)])
def test_a_share_of_the_channels(tmp_path, shape):
    given, share = keras.Input(shape), keras.Input(())
    images = len(shape) == 3
    maps = [layers.Conv2D(5, 3, padding="same")(given), given] if images else [layers.Dense(5)(given), given]
    network = keras.Model([given, share], Morph()(maps, share))
    path, _ = written(network, tmp_path)
    file = OnnxFile(path)
    assert file.inputs[1] == ("share", (1,))
    values = np.random.default_rng(1).random((3, *shape), np.float32)
    for part in (0.0, 0.5, 0.99, 1.0):
        wanted = np.asarray(network([values, np.float32([part])]))
        np.testing.assert_allclose(file.run(values, np.float32([part]))[0], wanted, atol=1e-5)
        assert np.array_equal(wanted[..., -1], values[..., -1]) == (part < 1)


def test_networks_inside_networks_and_several_outputs(tmp_path):
    code = keras.Input((6, 6, 2))
    inner = keras.Model(code, [layers.Conv2D(3, 3, padding="same")(code), layers.Conv2D(1, 3, padding="same")(code)])
    face = keras.Input((6, 6, 2))
    first, second = inner(face)
    again, _ = inner(layers.Activation("sigmoid")(face))
    agrees(keras.Model(face, [again, second, first]), tmp_path)


def test_only_what_is_needed_is_written_and_only_once(tmp_path):
    code = keras.Input((6, 6, 2))
    inner = keras.Model(code, [layers.Conv2D(3, 3, padding="same")(code), layers.Conv2D(64, 3, padding="same")(code)])
    face = keras.Input((6, 6, 2))
    proto = agrees(keras.Model(face, [inner(face)[0], inner(face)[0]]), tmp_path)
    assert [node.op_type for node in proto.graph.node].count("Conv") == 1
    assert sum(np.prod(array.dims) for array in proto.graph.initializer) == 3 * 3 * 2 * 3 + 3


def test_a_constant_output_is_there_for_every_picture(tmp_path):
    face = keras.Input((6, 6, 2))
    network = keras.Model(face, layers.Activation("sigmoid")(face))
    mask = np.random.default_rng(0).random((6, 6, 1), np.float32)
    path, _ = written(network, tmp_path, {"mask": mask}, ["mask", "picture"])
    file = OnnxFile(path)
    assert [name for name, _ in file.outputs] == ["mask", "picture"]
    for count in (1, 4):
        masks, pictures = file.run(np.zeros((count, 6, 6, 2), np.float32))
        assert pictures.shape == (count, 6, 6, 2)
        np.testing.assert_array_equal(masks, np.broadcast_to(mask, (count, 6, 6, 1)))


def test_what_the_file_says_of_itself(tmp_path):
    face = keras.Input((6, 8, 2))
    path, proto = written(keras.Model(face, layers.Conv2D(3, 3, padding="same")(face)), tmp_path)
    file = OnnxFile(path)
    assert file.inputs == (("in", ("batch", 6, 8, 2)),) and file.outputs == (("out0", ("batch", 6, 8, 3)),)
    assert file.tags == read_tags(path) == {"name": "näme"}
    assert [opset.version for opset in proto.opset_import] == [OPSET] and proto.ir_version == 7


UNKNOWN = {
    "layer ZeroPadding2D": lambda x: layers.ZeroPadding2D()(x),
    "without padding": lambda x: layers.MaxPooling2D()(x),
    "other than a plain convolution": lambda x: layers.Conv2D(2, 3)(x),
    "activation relu": lambda x: layers.Conv2D(2, 3, padding="same", activation="relu")(x),
    "interpolation nearest": lambda x: layers.UpSampling2D()(x),
    "another axis": lambda x: layers.Concatenate(axis=1)([x, x]),
    "run of channels": lambda x: x[:, 1:],
    "leaves channels out": lambda x: x[..., ::2],
    "into runs of channels": lambda x: ops.split(x, 2, axis=1)[0],
    "of images": lambda x: PixelNorm()(x),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_not_known_is_named(tmp_path, what):
    face = keras.Input((6, 8, 4))
    with pytest.raises(NotImplementedError, match=what):
        written(keras.Model(face, UNKNOWN[what](face)), tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_file_that_is_not_whole(tmp_path, cut):
    face = keras.Input((6, 8, 2))
    path, _ = written(keras.Model(face, layers.Conv2D(30, 3, padding="same")(face)), tmp_path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"network\.onnx"):
        OnnxFile(path)
    if cut:  # nothing at all says nothing of itself
        with pytest.raises(ValueError, match=r"network\.onnx"):
            read_tags(path)
