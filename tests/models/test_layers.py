"""Layer by layer, what parameter counts cannot see: kernels, strides, pools, slopes, activations, dropout, order.

The numbers are those of the workflow of 2018 (H64 to AVATAR), of FaceSwap's first model and of Quick96. Channels are
narrow here, as the model itself narrows them; their full numbers stand in test_every_model.
"""

import keras
import numpy as np
import pytest

from facewright.models import registry
from facewright.nn.blocks import PixelNorm, PixelShuffle

SCALE = 1 / 128


def down(*channels):
    """Return convolutions 5x5 with stride 2, each with LeakyReLU 0.1."""
    return [layer for c in channels for layer in (("conv", c, 5, 2), ("leaky", 0.1))]


def up(*channels):
    """Return convolutions 3x3 to four times the channels, LeakyReLU 0.1, pixel shuffle."""
    return [layer for c in channels for layer in (("conv", 4 * c, 3, 1), ("leaky", 0.1), ("shuffle",))]


def head(channels, kernel=5):
    """Return a convolution with sigmoid."""
    return [("conv", channels, kernel, 1), ("sigmoid",)]


def code(width, side, channels, out):
    """Return two Dense without activation, and one doubling."""
    return [("dense", width), ("dense", side * side * channels), ("reshape", (side, side, channels)), *up(out)]


def residual(channels, slope):
    """Return two convolutions 3x3 beside which the picture goes unchanged."""
    first, second = ("conv", channels, 3, 1), ("conv", channels, 3, 1)
    return [first, ("leaky", slope), second, ("add",), ("leaky", slope)]


def avatar(w):
    convs = []
    for channels, kernel in ((90, 5), (180, 3), (360, 3)):
        convs += 2 * [("conv", w(channels), kernel, 1)] + [("pool", 3, 2)]
    mixed = [("dense", w(1024)), ("leaky", 0.1), ("dropout", 0.5)]
    face = [[*convs, *mixed, *mixed, ("flatten",), ("dense", 64)]]

    def decoder(side, *channels):
        sizes = (side, side, w(720))
        return [[("dense", int(np.prod(sizes))), ("reshape", sizes), *up(*map(w, channels)), *head(3)]]

    small = decoder(8, 360, 180, 90)
    return {
        "encoder64": face,
        "decoder64_src": small,
        "decoder64_dst": small,
        "encoder256": face,
        "decoder256": decoder(16, 720, 360, 180, 90),
    }


def two_decoders(w, filters, inner, picture, mask):
    """H64, H128, DF and ORIGINAL: one encoder, and a decoder each."""
    decoder = [[*up(*map(w, picture)), *head(3)]]
    if mask:
        decoder.append([*up(*map(w, mask)), *head(1)])
    width, side, channels, out = inner
    face = [[*down(*map(w, filters)), ("flatten",), *code(w(width), side, w(channels), w(out))]]
    return {"encoder": face, "decoder_src": decoder, "decoder_dst": decoder}


def liaef(w):
    inter = [code(w(256), 8, w(512), w(512))]
    branch = up(*map(w, (512, 256, 128)))
    face = [[*down(*map(w, (128, 256, 512, 1024))), ("flatten",)]]
    return {"encoder": face, "inter_b": inter, "inter_ab": inter, "decoder": [[*branch, *head(3)], [*branch, *head(1)]]}


def miaef(w):
    inter = [code(w(256), 8, w(512), w(512))]
    common = [up(*map(w, (512, 256, 128))), up(*map(w, (256, 128, 64)))]
    return {
        "encoder": liaef(w)["encoder"],
        "inter_a": inter,
        "inter_b": inter,
        "common_a": common,
        "common_b": common,
        "head_rgb": [head(3)],
        "head_bw": [head(1)],
        "head_mask": [head(1)],
    }


def quick96(w):
    face = [[*down(*map(w, (64, 128, 256, 512))), ("flatten",), ("norm",), *code(w(128), 3, w(128), w(128))]]
    doubled = [layer for c in (512, 256, 128) for layer in (*up(w(c)), *residual(w(c), 0.2))]
    picture = [*doubled, ("conv", 3, 1, 1), ("beside", (1, 3, 3, 3)), ("shuffle",), ("sigmoid",)]
    decoder = [picture, [*up(*map(w, (128, 64, 32, 16))), *head(1, kernel=1)]]
    return {"encoder": face, "decoder_src": decoder, "decoder_dst": decoder}


FULL, WIDE, NARROW = (128, 256, 512, 1024), (512, 256, 128), (256, 128, 64)
LAYERS = {
    "avatar": avatar,
    "df": lambda w: two_decoders(w, FULL, (512, 8, 512, 512), WIDE, WIDE),
    "h64": lambda w: two_decoders(w, FULL, (1024, 4, 1024, 512), WIDE, NARROW),
    "h64 light": lambda w: two_decoders(w, (128, 256, 512, 768), (512, 4, 512, 256), NARROW, NARROW),
    "h128": lambda w: two_decoders(w, FULL, (512, 8, 512, 512), WIDE, WIDE),
    "h128 light": lambda w: two_decoders(w, FULL, (256, 8, 256, 256), NARROW, NARROW),
    "liaef128": liaef,
    "liaef128yaw": liaef,
    "miaef128": miaef,
    "original": lambda w: two_decoders(w, FULL, (1024, 4, 1024, 512), NARROW, ()),
    "quick96": quick96,
}


def described(layer, made_by):
    """Return a layer as the tables above have it."""
    if isinstance(layer, keras.layers.Conv2D):
        assert layer.activation is keras.activations.linear and layer.use_bias
        assert layer.padding == "same" or layer.kernel_size == (1, 1)
        assert layer.dilation_rate == (1, 1) and len(set(layer.kernel_size)) == len(set(layer.strides)) == 1
        return "conv", layer.filters, layer.kernel_size[0], layer.strides[0]
    if isinstance(layer, keras.layers.Dense):
        assert layer.activation is keras.activations.linear and layer.use_bias
        return "dense", layer.units
    if isinstance(layer, keras.layers.MaxPooling2D):
        assert layer.padding == "same"
        return "pool", layer.pool_size[0], layer.strides[0]
    if isinstance(layer, keras.layers.Activation):
        return (layer.activation.__name__,)
    if isinstance(layer, keras.layers.Concatenate):
        return "beside", tuple(described(one, made_by)[2] for one in before(layer, made_by))
    kinds = {
        keras.layers.LeakyReLU: lambda x: ("leaky", pytest.approx(x.negative_slope)),
        keras.layers.Dropout: lambda x: ("dropout", x.rate),
        keras.layers.Reshape: lambda x: ("reshape", x.target_shape),
        keras.layers.Flatten: lambda x: ("flatten",),
        keras.layers.Add: lambda x: ("add",),
        PixelShuffle: lambda x: ("shuffle",),
        PixelNorm: lambda x: ("norm",),
    }
    return kinds[type(layer)](layer)


def makers(network):
    """Return which layer made a tensor: id of the tensor -> layer."""
    return {id(tensor): layer for layer in network.layers for tensor in keras.tree.flatten(layer.output)}


def before(layer, made_by):
    """Return the layers whose results a layer takes."""
    return [made_by[id(tensor)] for tensor in keras.tree.flatten(layer.input)]


def chain(tensor, made_by):
    """Return the layers from the input of a network to one of its outputs, by the longest way."""
    layer, found = made_by[id(tensor)], []
    while not isinstance(layer, keras.layers.InputLayer):
        if not (isinstance(layer, keras.layers.Flatten) and len(layer.input.shape) == 2):  # what is flat stays so
            found.append(described(layer, made_by))
        # Beside a residual's two convolutions the picture goes unchanged: its layer is the one that comes earlier.
        layer = max(before(layer, made_by), key=lambda one: depth(one, made_by))
    return found[::-1]


def depth(layer, made_by):
    """Return the number of layers on the longest way to a layer."""
    count = 0
    while not isinstance(layer, keras.layers.InputLayer):
        count, layer = count + 1, before(layer, made_by)[-1]
    return count


def test_every_model_with_fixed_numbers_is_here():
    ours = {"gan", "quick"}  # their networks follow no other program's
    numbers = {"amp", "saehd"}  # compared with plain numpy, number by number: test_dfl_import, test_amp
    assert {name.split()[0] for name in LAYERS} == set(registry.model_names()) - ours - numbers


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_those_of_the_facts(name):
    kind = registry.model_class(name.split()[0])
    light = {"light": "yes" if "light" in name else "no"} if len(kind.parameters) > 1 else {}
    model = kind(kind.Options(**light), scale=SCALE)
    expected = LAYERS[name](model.width)
    assert set(expected) == set(model.parts)
    for part, outputs in expected.items():
        made_by = makers(model.parts[part])
        found = [chain(tensor, made_by) for tensor in model.parts[part].outputs]
        assert found == outputs, part
    for part in model.parts.values():
        for layer in part.layers:
            if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
                assert isinstance(layer.kernel_initializer, keras.initializers.GlorotUniform), layer.name
                assert isinstance(layer.bias_initializer, keras.initializers.Zeros)
