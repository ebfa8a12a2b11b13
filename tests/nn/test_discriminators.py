"""Discriminators against a sheet of facts and plain numpy."""

import numpy as np
import pytest

from facewright import nn
from facewright.nn import devices, discriminators, losses
from facewright.nn.dfl_weights import variables_of
from models.dfl_folder import conv

# Patch size -> strides, as measured on DeepFaceLab's.
STRIDES = {
    **{3: (2,), 5: (2,), 6: (2, 2), 8: (2, 2), 10: (2, 1, 2), 12: (2, 1, 2), 14: (2, 2, 2), 16: (2, 2, 2)},
    **{18: (2, 1, 2, 2), 20: (2, 1, 2, 2), 24: (2, 2, 1, 2), 28: (2, 1, 2, 1, 2), 32: (2, 2, 2, 2)},
    **{40: (2, 2, 1, 2, 2), 64: (2, 2, 2, 2, 2), 80: (2, 2, 2, 1, 2, 2), 100: (2, 1, 2, 2, 2, 1, 2)},
    **{128: (2,) * 6, 640: (2, 2, 2, 2, 2, 2, 1, 2, 2)},
}


@pytest.fixture(autouse=True)
def precise():
    devices.precision("float32")


@pytest.mark.parametrize(("patch", "strides"), STRIDES.items())
def test_strides_by_patch_size(patch, strides):
    assert discriminators.strides_for(patch) == strides


def test_the_layers_are_those_of_deepfacelab():
    """Its file for patches of 8 px and 4 channels: name -> kernel."""
    wanted = {
        **{"in_conv": (1, 1, 3, 4), "convs_0": (3, 3, 4, 8), "convs_1": (3, 3, 8, 16), "center_out": (1, 1, 16, 1)},
        **{"center_conv": (1, 1, 16, 16), "upconvs_0": (3, 3, 8, 16), "upconvs_1": (3, 3, 4, 16)},
        "out_conv": (1, 1, 8, 1),
    }
    network = discriminators.patch_discriminator(64, 8, 4)
    found = variables_of(network)
    assert {n.removesuffix("/weight:0"): tuple(v.shape) for n, v in found.items() if "weight" in n} == wanted
    assert network.count_params() == sum(np.prod(shape) for shape in wanted.values()) + 4 + 8 + 16 + 1 + 16 + 8 + 4 + 1
    widest = discriminators.patch_discriminator(64, 128, 64).layers
    assert max(layer.filters for layer in widest if hasattr(layer, "filters")) == 512


def test_any_side_will_do():
    of_patches, of_pixels = discriminators.patch_discriminator(80, 70, 4)(np.zeros((1, 80, 80, 3), np.float32))
    assert of_patches.shape[1:3] == (3, 3) and of_pixels.shape == (1, 80, 80, 1)


def arrays_of(network, seed):
    """Give a network random weights; return them by name."""
    rng, found = np.random.default_rng(seed), {}
    for name, variable in variables_of(network).items():
        found[name] = rng.uniform(-0.4, 0.4, variable.shape).astype(np.float32)
        variable.assign(found[name])
    return found


def leaky(x, leak=0.2):
    return np.where(x > 0, x, leak * x)


def up(part, name, x):
    """Spread each pixel over 3 x 3 of the double size; what comes beyond the end is cut off."""
    kernel, bias = part[f"{name}/weight:0"], part[f"{name}/bias:0"]
    height, width, _ = x.shape
    found = np.zeros((2 * height + 1, 2 * width + 1, len(bias)))
    for row in range(height):
        for column in range(width):
            found[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += np.einsum(
                "ijoc,c->ijo", kernel, x[row, column]
            )
    return found[:-1, :-1] + bias


def test_scores_of_patches_and_pixels():
    network = discriminators.patch_discriminator(16, 6, 4)
    part = arrays_of(network, 1)
    face = np.random.default_rng(2).random((16, 16, 3)).astype(np.float32)
    first = leaky(conv(part, "in_conv", face))
    second = leaky(conv(part, "convs_0", first, 2))
    x = leaky(conv(part, "convs_1", second, 2))
    of_patches, of_pixels = network(face[None])
    np.testing.assert_allclose(of_patches[0], conv(part, "center_out", x), atol=1e-5)
    x = leaky(conv(part, "center_conv", x))
    for name, beside in (("upconvs_0", second), ("upconvs_1", first)):
        x = np.concatenate([beside, leaky(up(part, name, x))], axis=-1)
    np.testing.assert_allclose(of_pixels[0], conv(part, "out_conv", x), atol=1e-5)


@pytest.mark.parametrize(("side", "widths"), [(4, [256]), (8, [256, 512])])
def test_scores_of_codes(side, widths):
    network = discriminators.code_discriminator((side, side, 3))
    part = arrays_of(network, 3)
    code = np.random.default_rng(4).random((side, side, 3)).astype(np.float32)
    x = code
    for level, width in enumerate(widths):
        x = leaky(conv(part, f"convs_{level}", x, 2), 0.1)
        assert x.shape[-1] == width and len(part[f"convs_{level}/weight:0"]) == (3 if level else 4)
    np.testing.assert_allclose(network(code[None])[0], conv(part, "out_conv", x), rtol=1e-3, atol=1e-4)


def test_losses_of_scores():
    real, made = np.float32([2, -1]), np.float32([0.5, -3])
    tensors = [nn.ops.convert_to_tensor(x) for x in (real, made)]
    of_real, of_made = np.log1p(np.exp(-real)).mean(), np.log1p(np.exp(made)).mean()
    assert float(losses.called_real(tensors[0])) == pytest.approx(of_real, rel=1e-5)
    assert float(losses.called_made(tensors[1])) == pytest.approx(of_made, rel=1e-5)
    twice = losses.told_apart([tensors[0]] * 2, [tensors[1]] * 2)
    assert float(twice) == pytest.approx(of_real + of_made, rel=1e-5)


def test_style_and_total_variation():
    a, b = np.random.default_rng(5).random((2, 3, 8, 8, 3)).astype(np.float32)
    b = b * 0.5 + 0.1
    mean = a.mean((1, 2)) - b.mean((1, 2))
    spread = np.sqrt(a.var((1, 2)) + 1e-5) - np.sqrt(b.var((1, 2)) + 1e-5)
    assert float(losses.style_distance(a, b)) == pytest.approx((mean**2 + spread**2).mean(), rel=1e-4)
    steps = [np.diff(a, axis=axis) ** 2 for axis in (1, 2)]
    assert float(losses.total_variation(a)) == pytest.approx(sum(s.sum() for s in steps) / 3, rel=1e-5)
