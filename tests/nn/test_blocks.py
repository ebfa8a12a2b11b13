import keras
import numpy as np
import pytest

from facewright.nn import blocks, devices


@pytest.fixture(autouse=True)
def full_precision():
    devices.precision("float32")
    yield
    devices.precision("float32")


def test_pixel_shuffle_puts_row_column_feature():
    b, h, w, f = 2, 3, 5, 4
    x = np.random.default_rng(0).random((b, h, w, 4 * f), np.float32)
    y = np.asarray(blocks.PixelShuffle()(x))
    assert y.shape == (b, 2 * h, 2 * w, f)
    for row in range(2):
        for column in range(2):
            start = (2 * row + column) * f
            np.testing.assert_array_equal(y[:, row::2, column::2], x[..., start : start + f])


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        (blocks.conv(6), (None, 4, 4, 6)),
        (blocks.upscale(6), (None, 16, 16, 6)),
        (blocks.output_layer(3), (None, 8, 8, 3)),
        (blocks.bottleneck(5, 2, 7), (None, 2, 2, 7)),
    ],
)
def test_shapes(block, shape):
    assert block(keras.Input((8, 8, 4))).shape == shape


def test_head_is_float32_under_mixed_precision():
    devices.precision("bfloat16")
    face = keras.Input((8, 8, 4))
    model = keras.Model(face, blocks.output_layer(3)(blocks.conv(4, strides=1)(face)))
    assert keras.backend.standardize_dtype(model(np.ones((1, 8, 8, 4), np.float32)).dtype) == "float32"
    assert all(v.dtype == "float32" for v in model.variables)


def test_pixel_norm_makes_the_mean_square_one():
    x = np.random.default_rng(0).normal(3, 5, (4, 100)).astype(np.float32)
    y = np.asarray(blocks.PixelNorm()(x))
    np.testing.assert_allclose((y**2).mean(-1), 1, rtol=1e-4)
    np.testing.assert_allclose(y, x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6), rtol=1e-5)
    assert not np.isnan(np.asarray(blocks.PixelNorm()(np.zeros((1, 8), np.float32)))).any()
