"""The convolution by one product against keras' own: values, gradients, and when it is taken."""

import keras
import numpy as np
import pytest
from keras import ops

from facewright.nn import conv
from facewright.nn.conv import Conv2D, convolve_by_product


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "channels", "filters"),
    [
        ((4, 4), (3, 3), (1, 1), 8, 16),
        ((8, 8), (5, 5), (2, 2), 6, 12),
        ((7, 5), (5, 3), (2, 1), 3, 4),  # odd sizes: more is padded after than before
        ((6, 9), (4, 2), (1, 3), 2, 5),
        ((3, 3), (1, 1), (2, 2), 2, 3),
        ((2, 2), (5, 5), (1, 1), 2, 3),  # the kernel is larger than the picture
    ],
)
def test_the_product_is_the_convolution(size, kernel, strides, channels, filters):
    rng = np.random.default_rng(0)
    picture = rng.standard_normal((2, *size, channels)).astype(np.float32)
    weights = rng.standard_normal((*kernel, channels, filters)).astype(np.float32)
    expected = ops.conv(picture, weights, strides=strides, padding="same")
    found = convolve_by_product(ops.convert_to_tensor(picture), ops.convert_to_tensor(weights), strides)
    assert found.shape == expected.shape
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected), rtol=1e-5, atol=1e-5)


def trained(rich, monkeypatch):
    """Return the weights of two layers after five steps of descent."""
    monkeypatch.setattr(conv, "RICH", rich)
    keras.utils.set_random_seed(0)
    face = keras.Input((8, 8, 4))
    network = keras.Model(face, Conv2D(2, 3, padding="same")(Conv2D(64, 5, strides=2, padding="same")(face)))
    network.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    rng = np.random.default_rng(1)
    for _ in range(5):
        batch = (3, 8, 8, 4), (3, 4, 4, 2)
        network.train_on_batch(*(rng.standard_normal(shape).astype(np.float32) for shape in batch))
    return [ops.convert_to_numpy(weight) for weight in network.weights]


def test_training_is_the_same_either_way(monkeypatch):
    for product, own in zip(trained(0, monkeypatch), trained(10**9, monkeypatch), strict=True):
        np.testing.assert_allclose(product, own, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "filters", "on_processor", "product"),
    [
        (4, 512, True, True),
        (4, 511, True, False),
        (8, 1024, True, False),
        (8, 2048, True, True),
        (4, 512, False, False),
    ],
)
def test_small_rich_pictures_on_processors_alone(side, filters, on_processor, product, monkeypatch):
    taken = []
    monkeypatch.setattr(conv, "on_processor", lambda: on_processor)
    monkeypatch.setattr(
        conv, "convolve_by_product", lambda x, *_: taken.append(side) or ops.zeros((1, side, side, filters))
    )
    Conv2D(filters, 1, padding="same")(np.zeros((1, side, side, 1), np.float32))
    assert bool(taken) == product


@pytest.mark.parametrize("other", [{"padding": "valid"}, {"groups": 2}, {"dilation_rate": 2}])
def test_other_convolutions_are_left_to_keras(other, monkeypatch):
    monkeypatch.setattr(conv, "convolve_by_product", None)
    layer = Conv2D(1024, 3, **{"padding": "same", **other})
    assert layer(np.zeros((1, 5, 5, 2), np.float32)).shape[-1] == 1024


def test_the_exporters_know_it_by_the_name_of_keras_layer():
    assert Conv2D.__name__ == keras.layers.Conv2D.__name__
