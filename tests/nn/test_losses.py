import keras
import numpy as np
import pytest

from facewright.nn import losses


def pictures(seed=0, shape=(2, 24, 20, 3)):
    rng = np.random.default_rng(seed)
    return rng.random(shape, np.float32), rng.random(shape, np.float32)


def reference_dssim(a, b):
    """SSIM window by window, as Wang et al. wrote it."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line)[..., None] / line.sum() ** 2
    values = []
    for n in range(len(a)):
        for y in range(a.shape[1] - 10):
            for x in range(a.shape[2] - 10):
                p, q = (v[n, y : y + 11, x : x + 11].astype(np.float64) for v in (a, b))
                mp, mq = (p * window).sum((0, 1)), (q * window).sum((0, 1))
                vp, vq = (window * (p - mp) ** 2).sum((0, 1)), (window * (q - mq) ** 2).sum((0, 1))
                cov = (window * (p - mp) * (q - mq)).sum((0, 1))
                c1, c2 = 0.01**2, 0.03**2
                values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return (1 - np.mean(values)) / 2


def test_dssim_equals_the_formula():
    a, b = pictures()
    assert float(losses.dssim(a, b)) == pytest.approx(reference_dssim(a, b), abs=2e-6)


def test_dssim_equals_tensorflow():
    tf = pytest.importorskip("tensorflow")
    a, b = pictures(1, (3, 64, 64, 3))
    b = 0.7 * a + 0.3 * b
    expected = (1 - float(tf.reduce_mean(tf.image.ssim(a, b, 1.0)))) / 2
    assert float(losses.dssim(keras.ops.convert_to_tensor(a), keras.ops.convert_to_tensor(b))) == pytest.approx(
        expected, abs=2e-6
    )


def test_dssim_of_the_same_is_zero():
    a, _ = pictures()
    assert float(losses.dssim(a, a)) == pytest.approx(0, abs=1e-6)


def test_masked_dssim_does_not_see_the_background():
    a, b = pictures(2)
    mask = np.zeros((2, 24, 20, 1), np.float32)
    mask[:, 6:18, 6:14] = 1
    changed = np.where(mask > 0, b, 1 - b)
    assert float(losses.masked_dssim(a, changed, mask)) == pytest.approx(
        float(losses.masked_dssim(a, b, mask)), abs=1e-7
    )


def test_mean_errors_equal_numpy():
    a, b = pictures(3)
    assert float(losses.mae(a, b)) == pytest.approx(np.abs(a - b).mean(), rel=1e-5)
    assert float(losses.mse(a, b)) == pytest.approx(((a - b) ** 2).mean(), rel=1e-5)
