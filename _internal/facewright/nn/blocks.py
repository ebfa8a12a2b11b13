"""Building blocks shared by the networks. Images are (batch, h, w, c), channels last."""

from typing import Any

import keras
from keras import layers

from facewright.nn.conv import Conv2D

LEAK = 0.1
GLOROT = "glorot_uniform"
LEAST_SQUARE = 1e-6  # keeps a code of nothing but zeros from being divided by zero
# Keeps the size of the signal through LeakyReLU: He et al., "Delving Deep into Rectifiers", ICCV 2015.
HE = "he_normal"


def conv(
    filters: int,
    *,
    kernel: int = 5,
    strides: int = 2,
    init: str = GLOROT,
    leak: float = LEAK,
    name: str | None = None,
) -> Any:
    """Convolution and LeakyReLU; with the default stride it halves the image.

    Returns:
        A function (b, h, w, c) -> (b, h / strides, w / strides, filters).
    """
    layer = Conv2D(filters, kernel, strides=strides, padding="same", kernel_initializer=init, name=name)
    activation = layers.LeakyReLU(negative_slope=leak)
    return lambda x: activation(layer(x))


@keras.saving.register_keras_serializable(package="facewright")
class PixelShuffle(layers.Layer):
    """(b, h, w, 4 f) -> (b, 2 h, 2 w, f): channel index = (row, column, feature).

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network", CVPR 2016.
    """

    def call(self, x: Any) -> Any:
        """Rearrange the channels into space."""
        return keras.ops.depth_to_space(x, 2)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the doubled shape."""
        b, h, w, c = shape
        return (b, h and 2 * h, w and 2 * w, c // 4)


@keras.saving.register_keras_serializable(package="facewright")
class PixelNorm(layers.Layer):
    """Divide by the root mean square over all but the batch, so that a code's length says nothing.

    Source: Karras et al., "Progressive Growing of GANs", ICLR 2018 (there over the channels of each pixel).
    """

    def call(self, x: Any) -> Any:
        """Normalise (b, n)."""
        square = keras.ops.mean(keras.ops.square(keras.ops.cast(x, "float32")), axis=-1, keepdims=True)
        return x * keras.ops.cast(keras.ops.rsqrt(square + LEAST_SQUARE), x.dtype)


def upscale(filters: int, *, kernel: int = 3, init: str = GLOROT, name: str | None = None) -> Any:
    """Convolution to 4 x filters, LeakyReLU 0.1, pixel shuffle.

    Returns:
        A function (b, h, w, c) -> (b, 2 h, 2 w, filters).
    """
    layer = Conv2D(4 * filters, kernel, padding="same", kernel_initializer=init, name=name)
    activation = layers.LeakyReLU(negative_slope=LEAK)
    shuffle = PixelShuffle()
    return lambda x: shuffle(activation(layer(x)))


def output_layer(channels: int, *, kernel: int = 5, name: str | None = None) -> Any:
    """Sigmoid output in float32, also under mixed precision.

    Returns:
        A function (b, h, w, c) -> (b, h, w, channels) in 0..1.
    """
    layer = layers.Conv2D(channels, kernel, padding="same", name=name)
    sigmoid = layers.Activation("sigmoid", dtype="float32")
    return lambda x: sigmoid(layer(x))


def bottleneck(width: int, side: int, filters: int) -> Any:
    """Flatten, Dense to the code, Dense back to an image.

    Returns:
        A function (b, h, w, c) -> (b, side, side, filters).
    """
    narrow = layers.Dense(width)
    wide = layers.Dense(side * side * filters)

    def apply(x: Any) -> Any:
        return layers.Reshape((side, side, filters))(wide(narrow(layers.Flatten()(x))))

    return apply


def residual(filters: int, *, init: str = HE, leak: float = LEAK) -> Any:
    """Two 3x3 convolutions around which the image also goes unchanged.

    Returns:
        A function (b, h, w, filters) -> the same shape.
    """
    first = conv(filters, kernel=3, strides=1, init=init, leak=leak)
    second = Conv2D(filters, 3, padding="same", kernel_initializer=init)
    activation = layers.LeakyReLU(negative_slope=leak)
    return lambda x: activation(layers.Add()([x, second(first(x))]))
