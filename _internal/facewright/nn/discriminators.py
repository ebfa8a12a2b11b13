"""Networks that tell what is real from what was made: faces in patches of a wished size, and codes.

Both are those of DeepFaceLab's SAEHD and AMP, and carry its layer names. The first is a U-Net that judges each patch
and each pixel (Schönfeld, Schiele and Khoreva, "A U-Net Based Discriminator for Generative Adversarial Networks", CVPR
2020; patches: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017).

Images are (batch, h, w, c), channels last. Scores are logits: above 0 for real.
"""

from functools import cache
from itertools import product
from typing import Any

import keras
from keras import layers

from facewright.nn.saehd_networks import EvenConv2D

MOST_LAYERS = 9
WIDEST = 512
LEAK, CODE_LEAK = 0.2, 0.1
CODE_WIDTH, CODE_WIDEST = 256, 2048


@cache
def strides_for(patch: int) -> tuple[int, ...]:
    """Return the strides of the 3x3 convolutions that see a patch next to that many pixels wide, the first one first.

    Of layers that see as much the fewest are taken, and of these the ones with the most strides of 2.
    """
    choices = [(2, *more) for count in range(MOST_LAYERS) for more in product((1, 2), repeat=count)]
    return min(choices, key=lambda s: (abs(receptive_field(s) - patch), receptive_field(s), len(s), -sum(s)))


def receptive_field(strides: tuple[int, ...]) -> int:
    """Return the pixels that 3x3 convolutions with these strides see."""
    field, step = 1, 1
    for stride in strides:
        field, step = field + 2 * step, step * stride
    return field


def patch_discriminator(side: int, patch: int, width: int) -> Any:
    """Return keras.Model (b, side, side, 3) -> scores of patches (b, h, w, 1), and of pixels (b, side, side, 1).

    Args:
        side: Of the faces in pixels. One that the strides do not divide is fine: what comes up is cut to size, where
            DeepFaceLab breaks off.
        patch: Side of a patch in pixels; what comes next to it is taken, see `strides_for`.
        width: Channels of the first layer, doubled by each further one up to 512.
    """
    strides = strides_for(patch)
    widths = [min(width << level, WIDEST) for level in range(len(strides) + 1)]
    face = keras.Input((side, side, 3))
    x, across = _leaky(layers.Conv2D(width, 1, name="in_conv"))(face), []
    for level, stride in enumerate(strides):
        across.append(x)
        x = _leaky(EvenConv2D(widths[level + 1], 3, strides=stride, name=f"convs_{level}"))(x)
    of_patches = layers.Conv2D(1, 1, name="center_out", dtype="float32")(x)
    x = _leaky(layers.Conv2D(widths[-1], 1, name="center_conv"))(x)
    for number, level in enumerate(reversed(range(len(strides)))):
        up = {"strides": strides[level], "padding": "same", "name": f"upconvs_{number}"}
        x = _leaky(layers.Conv2DTranspose(widths[level], 3, **up))(x)
        beside = across[level]
        x = layers.Concatenate()([beside, x[:, : beside.shape[1], : beside.shape[2]]])
    of_pixels = layers.Conv2D(1, 1, name="out_conv", dtype="float32")(x)
    return keras.Model(face, [of_patches, of_pixels], name="gan")


def code_discriminator(shape: tuple[int, int, int]) -> Any:
    """Return keras.Model code as a map (b, h, w, c) -> scores (b, h', w', 1).

    Args:
        shape: (h, w, c) of the map; for each 8 pixels of its height there is a layer more.
    """
    code = keras.Input(shape)
    x = code
    for level in range(1 + shape[0] // 8):
        width = min(CODE_WIDTH << level, CODE_WIDEST)
        x = _leaky(EvenConv2D(width, 3 if level else 4, strides=2, name=f"convs_{level}"), CODE_LEAK)(x)
    return keras.Model(code, layers.Conv2D(1, 1, name="out_conv", dtype="float32")(x), name="code_discriminator")


def _leaky(layer: Any, leak: float = LEAK) -> Any:
    activation = layers.LeakyReLU(negative_slope=leak)
    return lambda x: activation(layer(x))
