"""The network of XSeg: a U-Net that says which pixels of a face belong to it.

Convolutions are followed by Filter Response Normalisation and a thresholded linear unit (Singh and Krishnan, "Filter
Response Normalization Layer", CVPR 2020), images are halved behind a blur (Zhang, "Making Convolutional Networks
Shift-Invariant Again", ICML 2019). Layers carry the names of DeepFaceLab's file ("conv01-conv").

Images are (batch, h, w, c), channels last, BGR.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

SIDE = 256
WIDTHS = (32, 64, 128, 256, 256, 256)  # of the levels, 256 px down to 8 px
BLURS = (4, 3, 2, 2, 2, 2)  # sides of the kernels behind each level
DEPTHS = (2, 2, 2, 3, 3, 3)  # convolutions of each level
BOTTLENECK = 512
OLD_LEVELS = 5  # of the network until 2021-05
OLD_BLUR = 3
OLD_DEPTHS = (2, 2, 3, 3, 3)
WIDEST_UP = 128  # channels of what comes up from the level below
FLAT = (4, 4, 256)  # (h, w, c) of the map that is made flat, and of what is made of it
OLD_PART = "conv_center/conv/weight:0"  # which today's network does not have


@keras.saving.register_keras_serializable(package="facewright")
class FilterResponseNorm(layers.Layer):
    """x / sqrt(mean over the image of x^2 + |eps|), then a scale and a bias for each channel; eps is learned."""

    def build(self, shape: tuple[Any, ...]) -> None:
        """Make the three weights."""
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")
        self.bias = self.add_weight(shape=(shape[-1],), initializer="zeros", name="bias")
        self.eps = self.add_weight(shape=(1,), initializer=keras.initializers.Constant(1e-6), name="eps")

    def call(self, x: Any) -> Any:
        """Normalise (b, h, w, c)."""
        wide = ops.cast(x, "float32")  # a mean over a whole image is too much for sixteen bits
        square = ops.mean(ops.square(wide), axis=(1, 2), keepdims=True)
        size = ops.rsqrt(square + ops.abs(ops.cast(self.eps, "float32")))
        return x * ops.cast(size, x.dtype) * self.scale + self.bias


@keras.saving.register_keras_serializable(package="facewright")
class ThresholdedUnit(layers.Layer):
    """max(x, tau), tau learned for each channel."""

    def build(self, shape: tuple[Any, ...]) -> None:
        """Make the thresholds."""
        self.tau = self.add_weight(shape=(shape[-1],), initializer="zeros", name="tau")

    def call(self, x: Any) -> Any:
        """Compare (b, h, w, c)."""
        return ops.maximum(x, self.tau)


@keras.saving.register_keras_serializable(package="facewright")
class BlurPool(layers.Layer):
    """(b, h, w, c) -> (b, h / 2, w / 2, c), blurred before every second pixel is taken.

    Args:
        size: Side of the kernel, 2 to 4: an odd one is padded alike on both sides, an even one more at the end.
    """

    def __init__(self, size: int, **more: Any) -> None:
        super().__init__(**more)
        self.size = size

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer anew."""
        return {**super().get_config(), "size": self.size}

    @property
    def taps(self) -> Any:
        """The kernel along one axis, float32, sum 1."""
        line = {2: (1, 1), 3: (1, 2, 1), 4: (1, 3, 3, 1)}[self.size]
        return np.array(line, np.float32) / sum(line)

    def call(self, x: Any) -> Any:
        """Blur and halve."""
        before = (self.size - 1) // 2
        pad = (before, self.size - 1 - before)
        x = ops.pad(x, ((0, 0), pad, pad, (0, 0)))
        kernel = np.outer(self.taps, self.taps)[:, :, None, None] * np.ones((1, 1, x.shape[-1], 1), np.float32)
        return ops.depthwise_conv(x, ops.cast(kernel, x.dtype), strides=2, padding="valid")


def xseg(width: Callable[[int], int] = int) -> Any:
    """Return today's network: keras.Model (b, 256, 256, 3) in 0..1 -> logits (b, 256, 256, 1); sigmoid is the mask.

    Args:
        width: Channels as the network has them -> as they shall be: narrower, in tests.
    """

    def code(x: Any) -> Any:
        flat = layers.Dense(width(BOTTLENECK), name="dense1")(layers.Flatten()(x))
        side, _, channels = x.shape[1:]
        return layers.Reshape((side, side, channels))(layers.Dense(side * side * channels, name="dense2")(flat))

    return _u_net(DEPTHS, BLURS, code, width)


def xseg_of_2020(width: Callable[[int], int] = int) -> Any:
    """Return the network until May 2021, whose files have the same name; see `xseg`."""
    return _u_net(OLD_DEPTHS, (OLD_BLUR,) * OLD_LEVELS, _conv("conv_center", width(WIDTHS[OLD_LEVELS - 1])), width)


def _u_net(depths: Sequence[int], blurs: Sequence[int], middle: Any, width: Callable[[int], int]) -> Any:
    face = keras.Input((SIDE, SIDE, 3))
    x, across = face, []
    for level, (depth, blur) in enumerate(zip(depths, blurs, strict=True)):
        for number in range(1, depth + 1):
            x = _conv(f"conv{level}{number}", width(WIDTHS[level]))(x)
        across.append(x)
        x = BlurPool(blur)(x)
    x = middle(x)
    for level in reversed(range(len(depths))):
        x = _conv(f"up{level}", width(min(WIDTHS[level], WIDEST_UP)), layers.Conv2DTranspose)(x)
        x = layers.Concatenate()([x, across[level]])
        for number in range(depths[level], 0, -1):
            x = _conv(f"uconv{level}{number}", width(WIDTHS[level]))(x)
    return keras.Model(face, layers.Conv2D(1, 3, padding="same", name="out_conv")(x), name="network")


def _conv(name: str, filters: int, kind: Any = layers.Conv2D) -> Any:
    more = {"strides": 2} if kind is layers.Conv2DTranspose else {}
    layer = kind(filters, 3, padding="same", name=f"{name}-conv", **more)
    norm, unit = FilterResponseNorm(name=f"{name}-frn"), ThresholdedUnit(name=f"{name}-tlu")
    return lambda x: unit(norm(layer(x)))
