"""The convolution of all networks: keras' own, or on processors a matrix product where that is faster."""

import math
from typing import Any

import keras
from keras import ops

from facewright.nn.devices import on_processor

RICH = 32  # channels per pixel of the result from which the product is faster; see `Conv2D`


class Conv2D(keras.layers.Conv2D):
    """A convolution (b, h, w, c) -> (b, h', w', filters), padding "same", with the weights of keras' own.

    Small images of many channels have more weights than pixels. A processor then spends most of its time on laying
    the weights out for the convolution and on their gradient, which TensorFlow's library computes badly. One product of
    all patches with all weights gives the same numbers, up to rounding: on two cores, with the 1024 -> 2048 channels at
    4 x 4 of H64's code, forwards and backwards took 0.26 times the time in bfloat16 and 0.43 times in float32.
    On GPUs, and where images are large, keras' own is faster.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve, before the bias."""
        _, height, width, _ = inputs.shape
        if self._is_product(height, width):
            return convolve_by_product(inputs, kernel, self.strides)
        return super().convolution_op(inputs, kernel)

    def _is_product(self, height: int | None, width: int | None) -> bool:
        if not height or not width or self.padding != "same" or self.groups != 1 or set(self.dilation_rate) != {1}:
            return False
        pixels = -(-height // self.strides[0]) * -(-width // self.strides[1])
        return bool(RICH * pixels <= self.filters and on_processor())


def convolve_by_product(picture: Any, kernel: Any, strides: tuple[int, int]) -> Any:
    """Convolve with padding "same" by one matrix product.

    Args:
        picture: (b, h, w, c), h and w known.
        kernel: (kh, kw, c, filters).
        strides: Down and across.

    Returns:
        (b, ceil(h / strides[0]), ceil(w / strides[1]), filters).
    """
    filters = kernel.shape[-1]
    rows, above, below = _span(picture.shape[1], kernel.shape[0], strides[0])
    columns, left, right = _span(picture.shape[2], kernel.shape[1], strides[1])
    padded = ops.pad(picture, ((0, 0), (above, below), (left, right), (0, 0)))
    down, across = (rows - 1) * strides[0] + 1, (columns - 1) * strides[1] + 1
    # Columns first, then rows: so the channels come in the order of the kernel, with few slices.
    wide = [padded[:, :, column : column + across : strides[1]] for column in range(kernel.shape[1])]
    beside = ops.concatenate(wide, axis=-1)
    shifted = [beside[:, row : row + down : strides[0]] for row in range(kernel.shape[0])]
    patches = ops.reshape(ops.concatenate(shifted, axis=-1), (-1, math.prod(kernel.shape[:3])))
    product = ops.matmul(patches, ops.reshape(kernel, (-1, filters)))
    return ops.reshape(product, (-1, rows, columns, filters))


def _span(size: int, kernel: int, stride: int) -> tuple[int, int, int]:
    """Return the size of the result, and how much is padded before and after, along one axis."""
    result = -(-size // stride)
    padding = max((result - 1) * stride + kernel - size, 0)
    return result, padding // 2, padding - padding // 2
