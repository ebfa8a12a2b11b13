"""The loss of SAEHD on faces drawn by chance, term by term in plain numpy."""

import numpy as np
import pytest

from facewright import nn
from facewright.models import registry
from facewright.models.saehd_losses import blurred_outside, gaussian_blur, reconstruction_loss

SIDE = 64
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE] - 31.5
DISC = (np.hypot(ROWS, COLUMNS) < 24).astype(np.float32)[None, :, :, None]


def test_the_soft_mask_is_that_of_deepfacelab():
    """Measured there: row 32, columns 4 to 9, and the sum."""
    blurred = np.asarray(gaussian_blur(nn.ops.convert_to_tensor(DISC), 2))[0, :, :, 0]
    wanted = (0.027631, 0.093913, 0.217744, 0.397918, 0.602082, 0.782256)
    np.testing.assert_allclose(blurred[32, 4:10], wanted, atol=1e-5)
    assert blurred.sum() == pytest.approx(1804.000, abs=0.01)


def test_outside_the_mask_the_outside_alone_is_blurred():
    face = np.random.default_rng(0).random((1, SIDE, SIDE, 3)).astype(np.float32)
    made = np.asarray(blurred_outside(nn.ops.convert_to_tensor(face), nn.ops.convert_to_tensor(DISC)))
    np.testing.assert_array_equal(made[:, 20:40, 20:40], face[:, 20:40, 20:40])
    assert made[0, 2:10, 2:10].std() < 0.9 * face[0, 2:10, 2:10].std()


def test_terms():
    rng = np.random.default_rng(1)
    target, image = (rng.random((1, SIDE, SIDE, 3)).astype(np.float32) for _ in range(2))
    mask, focus = rng.random((1, SIDE, SIDE, 1)).astype(np.float32), DISC
    face = {k: nn.ops.convert_to_tensor(v) for k, v in {"target": target, "mask": DISC, "focus": focus}.items()}
    options = registry.model_class("saehd").Options

    def loss(**changed):
        chosen = options(resolution=SIDE, masked_training=False, **changed)
        return float(reconstruction_loss(face, nn.ops.convert_to_tensor(image), nn.ops.convert_to_tensor(mask), chosen))

    dssim = float(nn.losses.dssim(face["target"], nn.ops.convert_to_tensor(image), 5))
    wanted = 10 * (dssim + ((target - image) ** 2).mean() + ((DISC - mask) ** 2).mean())
    assert loss() == pytest.approx(wanted, rel=1e-4)
    priority = 300 * np.abs((target - image) * focus).mean()
    assert loss(eyes_mouth_prio=True) - loss() == pytest.approx(priority, rel=1e-3)
