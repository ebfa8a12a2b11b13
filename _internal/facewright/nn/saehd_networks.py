"""The networks of SAEHD, AMP and Quick96: an encoder, networks in its middle, and decoders of a face and its mask.

Widths and flags come from options, so one file describes every such network. Layers carry the names that
DeepFaceLab's files give them ("upscale0.conv1"), which is how its weights find their place; only where a map is made
flat, or a flat code a map, does the order of the numbers differ: here (row, column, channel).

Images are (batch, h, w, c), channels last, BGR.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import keras
from keras import layers

from facewright.nn import blocks
from facewright.nn.conv import Conv2D

RESIDUAL_LEAK = 0.2


@dataclass(frozen=True)
class Architecture:
    """What decides the shapes of the networks.

    Attributes:
        kind: "df": a decoder for each person. "liae": one decoder behind two networks in the middle.
        flags: Letters out of "udtc". u: the encoder's code is normalised. d: the decoders work at half the side, and
            their last layer gives four sub-pixels at once. t: one layer more, residual blocks in the encoder.
            c: x cos(x) takes the place of LeakyReLU.
        side: Side of the faces in pixels, a multiple of `step`.
        code: Length of the code in the middle.
        encoder, decoder, mask: Channels, of which the layers take multiples.
        inter: Channels that the middle gives the decoder; 0 for the code's length (df) or twice that (liae).
    """

    kind: str
    flags: str
    side: int
    code: int
    encoder: int
    decoder: int
    mask: int
    inter: int = 0

    def __post_init__(self) -> None:
        if self.side % self.step:
            raise ValueError(f"a side of {self.side} px is no multiple of {self.step}")

    @property
    def step(self) -> int:
        """Sides are multiples of this, in pixels."""
        return 32 if set(self.flags) & set("dt") else 16

    @property
    def downs(self) -> tuple[int, ...]:
        """Channels behind each halving of the encoder."""
        e = self.encoder
        return (e, 2 * e, 4 * e, 8 * e, 8 * e) if "t" in self.flags else (e, 2 * e, 4 * e, 8 * e)

    @property
    def image_ups(self) -> tuple[int, ...]:
        """Channels behind each doubling on the way to the face."""
        return tuple(n * self.decoder for n in self._multiples)

    @property
    def mask_ups(self) -> tuple[int, ...]:
        """Channels behind each doubling on the way to the mask, which has no sub-pixels at its end."""
        return tuple(n * self.mask for n in (*self._multiples, *((1,) if "d" in self.flags else ())))

    @property
    def _multiples(self) -> tuple[int, ...]:
        return (8, 8, 4, 2) if "t" in self.flags else (8, 4, 2)

    @property
    def encoded(self) -> tuple[int, int, int]:
        """(h, w, c) of the encoder's last map, before it is made flat."""
        side = self.side // (32 if "t" in self.flags else 16)
        return side, side, 8 * self.encoder

    @property
    def middle(self) -> tuple[int, int, int]:
        """(h, w, c) of the map that the network in the middle makes of the code."""
        side = self.side // (32 if "d" in self.flags else 16)
        return side, side, self.inter or self.code * (2 if self.kind == "liae" else 1)

    @property
    def latent(self) -> tuple[int, int, int]:
        """(h, w, c) of what a decoder takes."""
        side, _, channels = self.middle
        side *= 1 if "t" in self.flags else 2
        return side, side, channels * (2 if self.kind == "liae" else 1)


def count_parameters(shape: Architecture) -> int:
    """Return the number of weights of a whole model, before anything is built."""

    def conv(kernel: int, inputs: int, filters: int) -> int:
        return (kernel * kernel * inputs + 1) * filters

    e, wide = shape.encoder, "t" in shape.flags
    encoded = sum(conv(5, i, o) for i, o in pairwise((3, *shape.downs)))
    encoded += 2 * (conv(3, e, e) + conv(3, 8 * e, 8 * e)) if wide else 0
    middle, flat = math.prod(shape.middle), math.prod(shape.encoded)
    inter = (flat + 1) * shape.code + (shape.code + 1) * middle
    inter += 0 if wide else conv(3, shape.middle[2], 4 * shape.middle[2])
    image, mask = shape.image_ups, shape.mask_ups
    decoder = sum(conv(3, i, 4 * o) for way in (image, mask) for i, o in pairwise((shape.latent[2], *way)))
    decoder += sum(2 * conv(3, n, n) for n in image) + conv(1, image[-1], 3) + conv(1, mask[-1], 1)
    decoder += 3 * conv(3, image[-1], 3) if "d" in shape.flags else 0
    return encoded + (inter + 2 * decoder if shape.kind == "df" else 2 * inter + decoder)


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


def encoder(shape: Architecture, *, with_code: bool = False) -> Any:
    """Return keras.Model (b, S, S, 3) -> the flat last map, (b, n); with `with_code` the code, (b, shape.code)."""
    face = keras.Input((shape.side, shape.side, 3))
    e = shape.encoder
    if "t" in shape.flags:
        x = _residual("res1", e, shape)(_down("down1", e, shape)(face))
        for place, width in enumerate(shape.downs[1:], 2):
            x = _down(f"down{place}", width, shape)(x)
        x = _residual("res5", 8 * e, shape)(x)
    else:
        x = face
        for place, width in enumerate(shape.downs):
            x = _down(f"down1.downs_{place}", width, shape)(x)
    x = layers.Flatten()(x)
    if "u" in shape.flags:
        x = blocks.PixelNorm()(x)
    if with_code:
        x = layers.Dense(shape.code, name="dense1")(x)
    return keras.Model(face, x, name="encoder")


def inter(shape: Architecture, name: str, *, from_code: bool = False) -> Any:
    """Return keras.Model flat (b, n), or with `from_code` the code (b, shape.code) -> map (b, h, w, c)."""
    height, width, channels = shape.middle
    inputs = shape.code if from_code else shape.encoded[0] * shape.encoded[1] * shape.encoded[2]
    flat = keras.Input((inputs,))
    x = flat if from_code else layers.Dense(shape.code, name="dense1")(flat)
    x = layers.Reshape(shape.middle)(layers.Dense(height * width * channels, name="dense2")(x))
    if "t" not in shape.flags:
        x = _upscale("upscale1", channels, shape)(x)
    return keras.Model(flat, x, name=name)


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
    sigmoid = [layers.Activation("sigmoid", dtype="float32")(y) for y in (face, mask)]
    return keras.Model(latent, sigmoid, name=name)


def _activation(shape: Architecture, leak: float = blocks.LEAK) -> Any:
    return CosineGate() if "c" in shape.flags else layers.LeakyReLU(negative_slope=leak)


def _down(name: str, filters: int, shape: Architecture) -> Any:
    layer, activation = EvenConv2D(filters, 5, strides=2, name=f"{name}.conv1"), _activation(shape)
    return lambda x: activation(layer(x))


def _upscale(name: str, filters: int, shape: Architecture) -> Any:
    layer = Conv2D(4 * filters, 3, padding="same", name=f"{name}.conv1")
    activation, shuffle = _activation(shape), blocks.PixelShuffle()
    return lambda x: shuffle(activation(layer(x)))


def _residual(name: str, filters: int, shape: Architecture) -> Any:
    first, second = (Conv2D(filters, 3, padding="same", name=f"{name}.conv{n}") for n in (1, 2))
    inside, after = _activation(shape, RESIDUAL_LEAK), _activation(shape, RESIDUAL_LEAK)
    return lambda x: after(layers.Add()([x, second(inside(first(x)))]))
