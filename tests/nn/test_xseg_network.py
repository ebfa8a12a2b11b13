"""The layers of XSeg against plain numpy; the whole of it: tests/benchmarks/golden_models.py."""

import keras
import numpy as np
import pytest

from facewright.nn import xseg_network
from facewright.nn.dfl_weights import OtherNetwork, load_file, variables_of
from facewright.nn.xseg_network import BlurPool, FilterResponseNorm, ThresholdedUnit

IMAGE = np.random.default_rng(0).normal(0, 1, (2, 8, 6, 3)).astype(np.float32)


def test_norm_divides_by_the_root_mean_square_of_each_channel():
    layer = FilterResponseNorm()
    layer.build(IMAGE.shape)
    layer.set_weights([np.float32([2, 1, 1]), np.float32([0, 0, 5]), np.float32([-0.5])])
    scale = 1 / np.sqrt((IMAGE**2).mean((1, 2), keepdims=True) + 0.5)
    np.testing.assert_allclose(layer(IMAGE), IMAGE * scale * [2, 1, 1] + [0, 0, 5], atol=1e-5)


def test_unit_is_cut_off_at_its_threshold():
    layer = ThresholdedUnit()
    layer.build(IMAGE.shape)
    layer.set_weights([np.float32([-1, 0, 1])])
    np.testing.assert_array_equal(layer(IMAGE), np.maximum(IMAGE, np.float32([-1, 0, 1])))


@pytest.mark.parametrize(("size", "taps", "before"), [(2, (1, 1), 0), (3, (1, 2, 1), 1), (4, (1, 3, 3, 1), 1)])
def test_every_second_pixel_of_the_blurred_image(size, taps, before):
    padded = np.pad(IMAGE, ((0, 0), (before, size), (before, size), (0, 0)))
    kernel = np.outer(taps, taps) / sum(taps) ** 2
    wanted = np.zeros((2, 4, 3, 3))
    for row in range(4):
        for column in range(3):
            patch = padded[:, 2 * row : 2 * row + size, 2 * column : 2 * column + size]
            wanted[:, row, column] = np.einsum("bijc,ij->bc", patch, kernel)
    np.testing.assert_allclose(BlurPool(size)(IMAGE), wanted, atol=1e-5)


def test_the_numbers_of_weights_and_the_names_of_a_file():
    with keras.StatelessScope(initialize_variables=False):
        network, old = xseg_network.xseg(), xseg_network.xseg_of_2020()
    assert network.count_params() == 17_569_317 and len(variables_of(network)) == 222
    assert len(variables_of(old)) == 194 and "conv_center/conv/weight:0" in variables_of(old)
    assert tuple(variables_of(network)["up5/conv/weight:0"].shape) == (3, 3, 128, 256)
    with pytest.raises(OtherNetwork, match="conv01"):
        load_file(network, {})
