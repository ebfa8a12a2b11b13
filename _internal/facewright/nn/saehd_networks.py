"""The networks of SAEHD, AMP and Quick96: an encoder, networks in its middle, and decoders of a face and its mask.

Widths and flags come from options, so one file describes every such network. Layers carry the names that
DeepFaceLab's files give them (upscale0/conv1 as "upscale0-conv1": keras takes no slash, torch no dot), which is how its
weights find their place; only where a map is made flat, or a flat code a map, does the order of the numbers differ:
here (row, column, channel).

Images are (batch, h, w, c), channels last, BGR.
"""

import math
from typing import Any

import keras
from keras import layers

from facewright.nn import blocks
from facewright.nn.conv import Conv2D
from facewright.nn.saehd_shape import Architecture

RESIDUAL_LEAK = 0.2


@keras.saving.register_keras_serializable(package="facewright")
class CosineGate(layers.Layer):
    """x cos(x)."""

    def call(self, x: Any) -> Any:
        """Multiply with the cosine."""
        return x * keras.ops.cos(x)


@keras.saving.register_keras_serializable(package="facewright")
class EvenConv2D(layers.Conv2D):
    """A convolution (b, h, w, c) -> (b, h', w', filters) that pads all four sides by half its kernel.

    That differs from keras' "same" where the stride is 2: there the end gets one more.
    """

    def call(self, x: Any) -> Any:
        """Pad, then convolve the valid part."""
        down, across = (size // 2 for size in self.kernel_size)
        return super().call(keras.ops.pad(x, ((0, 0), (down, down), (across, across), (0, 0))))

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the shape of what `call` gives."""
        padded = [n and n + size // 2 * 2 for n, size in zip(shape[1:3], self.kernel_size, strict=True)]
        found: tuple[Any, ...] = super().compute_output_shape((shape[0], *padded, shape[3]))
        return found


@keras.saving.register_keras_serializable(package="facewright")
class ChannelMix(layers.Layer):
    """[src map, dst map] (b, h, w, c) -> in training some channels of src's, drawn anew for each face, else src's.

    Args:
        share: How many of the channels are src's, 0..1; rounded down.
    """

    def __init__(self, share: float, **more: Any) -> None:
        super().__init__(**more)
        self.share = share
        self.seed = keras.random.SeedGenerator()

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer anew."""
        return {**super().get_config(), "share": self.share}

    def call(self, maps: Any, training: bool = False) -> Any:
        """Mix them."""
        src, dst = maps
        channels = src.shape[-1]
        count = int(channels * self.share)
        if not training or count == channels:
            return src
        if count == 0:
            return dst
        drawn = keras.random.uniform((keras.ops.shape(src)[0], channels), seed=self.seed)
        least = keras.ops.top_k(drawn, count)[0][:, -1:]  # of those that are src's
        return keras.ops.where((drawn >= least)[:, None, None, :], src, dst)

    def compute_output_shape(self, maps_shape: Any) -> Any:
        """Return the shape of both."""
        return maps_shape[0]


@keras.saving.register_keras_serializable(package="facewright")
class Morph(layers.Layer):
    """[src map, dst map] (b, h, w, c), share (b) or (1) -> so many of the first channels src's, rounded down."""

    def call(self, maps: Any, share: Any) -> Any:
        """Put them together."""
        src, dst = maps
        channels = src.shape[-1]
        count = keras.ops.floor(keras.ops.cast(share, "float32") * channels)
        count = keras.ops.reshape(count, (-1, *[1] * (len(src.shape) - 1)))
        return keras.ops.where(keras.ops.arange(channels, dtype="float32") < count, src, dst)

    def compute_output_shape(self, maps_shape: Any, share_shape: Any) -> Any:
        """Return the shape of both."""
        return maps_shape[0]


def encoder(shape: Architecture) -> Any:
    """Return keras.Model (b, S, S, 3) -> the flat last map, (b, n); for amp the code, (b, shape.code)."""
    face = keras.Input((shape.face_side, shape.face_side, 3))
    e = shape.encoder
    seen = layers.AveragePooling2D(1 << shape.grown)(face) if shape.grown else face
    if "t" in shape.flags:
        x = _residual("res1", e, shape)(_down("down1", e, shape)(seen))
        for place, width in enumerate(shape.downs[1:], 2):
            x = _down(f"down{place}", width, shape)(x)
        x = _residual("res5", 8 * e, shape)(x)
    else:
        x = seen
        for place, width in enumerate(shape.downs):
            x = _down(f"down1-downs_{place}", width, shape)(x)
    x = layers.Flatten()(x)
    if "u" in shape.flags:
        x = blocks.PixelNorm()(x)
    if shape.kind == "amp":
        x = layers.Dense(shape.code, name="dense1")(x)
    return keras.Model(face, x, name="encoder")


def inter(shape: Architecture, name: str) -> Any:
    """Return keras.Model what the encoder gives, (b, n) -> map (b, h, w, c)."""
    coded = shape.kind == "amp"
    flat = keras.Input((shape.code if coded else math.prod(shape.encoded),))
    x = flat if coded else layers.Dense(shape.code, name="dense1")(flat)
    x = layers.Reshape(shape.middle)(layers.Dense(math.prod(shape.middle), name="dense2")(x))
    if "t" not in shape.flags:
        x = _upscale("upscale1", shape.middle[2], shape)(x)
    return keras.Model(flat, x, name=name)


def channel_mix(shape: Architecture, share: float) -> Any:
    """Return keras.Model [src map, dst map] -> `shape.latent`; see `ChannelMix`."""
    maps = [keras.Input(shape.latent) for _ in range(2)]
    return keras.Model(maps, ChannelMix(share, name="mix")(maps), name="mix")


def decoder(shape: Architecture, name: str) -> Any:
    """Return keras.Model `shape.latent` -> [face (b, S, S, 3), mask (b, S, S, 1)], both in 0..1."""
    latent = keras.Input(shape.latent)
    x = m = latent
    for place, width in enumerate(shape.image_ups):
        x = _upscale(f"upscale{place}", width, shape)(x)
        x = _residual(f"res{place}", width, shape)(x)
    for place, width in enumerate(shape.mask_ups):
        m = _upscale(f"upscalem{place}", width, shape)(m)
    face = layers.Conv2D(3, 1, padding="same", name="out_conv")(x)
    if "d" in shape.flags:
        corners = [face, *(layers.Conv2D(3, 3, padding="same", name=f"out_conv{n}")(x) for n in (1, 2, 3))]
        face = blocks.PixelShuffle()(layers.Concatenate()(corners))
    mask = layers.Conv2D(1, 1, padding="same", name="out_convm")(m)
    for place in range(shape.grown):
        face, x = _enlarged(f"grown{place}", face, x, shape.grown_image[place], shape)
        mask, m = _enlarged(f"grownm{place}", mask, m, shape.grown_mask[place], shape)
    sigmoid = [layers.Activation("sigmoid", dtype="float32")(y) for y in (face, mask)]
    return keras.Model(latent, sigmoid, name=name)


def _enlarged(name: str, image: Any, x: Any, filters: int, shape: Architecture) -> tuple[Any, Any]:
    """Enlarge an image before its sigmoid to twice its side, and add what a block more makes of the features.

    The block adds nothing at first, so that a network that has grown draws what it drew before (Karras et al.,
    "Progressive Growing of GANs", ICLR 2018, fade their blocks in instead). Sums are in float32: a coarse image
    carries the colour.

    Args:
        name: Of the block.
        image: (b, h, w, 3 or 1).
        x: Features of which it was made, (b, h, w, c), or half that side where the last layer gave four sub-pixels.
        filters: Channels of the block.
        shape: Of the network.

    Returns:
        The image (b, 2 h, 2 w, 3 or 1), and the features of the block.
    """
    channels = image.shape[-1]
    x = _upscale(name, filters, shape)(x)
    if channels == 3:
        x = _residual(f"{name}-res", filters, shape)(x)
    shuffled = x.shape[1] < 2 * image.shape[1]
    detail = layers.Conv2D(
        (4 if shuffled else 1) * channels, 3, padding="same", kernel_initializer="zeros", name=f"{name}-detail"
    )(x)
    detail = blocks.PixelShuffle()(detail) if shuffled else detail
    larger = layers.UpSampling2D(2, interpolation="bilinear", dtype="float32")(image)
    return layers.Add(dtype="float32")([larger, detail]), x


def _activation(shape: Architecture, leak: float = blocks.LEAK) -> Any:
    return CosineGate() if "c" in shape.flags else layers.LeakyReLU(negative_slope=leak)


def _down(name: str, filters: int, shape: Architecture) -> Any:
    layer, activation = EvenConv2D(filters, 5, strides=2, name=f"{name}-conv1"), _activation(shape)
    return lambda x: activation(layer(x))


def _upscale(name: str, filters: int, shape: Architecture) -> Any:
    layer = Conv2D(4 * filters, 3, padding="same", name=f"{name}-conv1")
    activation, shuffle = _activation(shape), blocks.PixelShuffle()
    return lambda x: shuffle(activation(layer(x)))


def _residual(name: str, filters: int, shape: Architecture) -> Any:
    first, second = (Conv2D(filters, 3, padding="same", name=f"{name}-conv{n}") for n in (1, 2))
    inside, after = _activation(shape, RESIDUAL_LEAK), _activation(shape, RESIDUAL_LEAK)
    return lambda x: after(layers.Add()([x, second(inside(first(x)))]))
