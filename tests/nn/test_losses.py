import keras
import numpy as np
import pytest

from facewright.nn import losses
from nn import plain_losses


def pictures(seed=0, shape=(2, 24, 20, 3)):
    rng = np.random.default_rng(seed)
    return rng.random(shape, np.float32), rng.random(shape, np.float32)


@pytest.mark.parametrize("window", [11, 8])
def test_dssim_equals_the_formula(window):
    a, b = pictures()
    assert float(losses.dssim(a, b, window)) == pytest.approx(plain_losses.dssim(a, b, window), abs=2e-6)


def test_dssim_equals_tensorflow():
    tf = pytest.importorskip("tensorflow")
    a, b = pictures(1, (3, 64, 64, 3))
    b = 0.7 * a + 0.3 * b
    expected = (1 - float(tf.reduce_mean(tf.image.ssim(a, b, 1.0)))) / 2
    assert float(losses.dssim(keras.ops.convert_to_tensor(a), keras.ops.convert_to_tensor(b))) == pytest.approx(
        expected, abs=2e-6
    )


# Made with scikit-image 0.26.0 and numpy 2.4.6, for each of `pictures(seed, shape)`, where b is mixed with a:
# _, whole = skimage.metrics.structural_similarity(
#     a[n], b[n], channel_axis=-1, full=True, data_range=1.0,
#     gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
# )
# There the window goes beyond the picture; it does not in whole[5:-5, 5:-5], whose mean over n is the SSIM.
SCIKIT_IMAGE = [
    (4, (1, 40, 36, 3), 0.0, 0.50147643),
    (5, (2, 64, 64, 3), 0.7, 0.05807679),
    (6, (1, 33, 128, 1), 0.95, 0.00132058),
    (7, (2, 16, 16, 3), 0.5, 0.17863605),
]


@pytest.mark.parametrize(("seed", "shape", "share", "expected"), SCIKIT_IMAGE)
def test_dssim_equals_scikit_image(seed, shape, share, expected):
    a, b = pictures(seed, shape)
    b = np.float32(share) * a + np.float32(1 - share) * b
    assert float(losses.dssim(a, b)) == pytest.approx(expected, abs=1e-6)


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


def test_weighted_errors_equal_numpy():
    a, b = pictures(5)
    weight = np.random.default_rng(6).random((2, 24, 20, 1), np.float32)
    expected = (weight * np.abs(a - b).mean(-1, keepdims=True)).sum() / weight.sum()
    assert float(losses.weighted_mae(a, b, weight)) == pytest.approx(expected, rel=1e-5)
    similarity = np.asarray(losses.ssim_map(a, b))
    inner = weight[:, 5:-5, 5:-5]
    expected = (inner * (1 - similarity.mean(-1, keepdims=True))).sum() / inner.sum() / 2
    assert float(losses.weighted_dssim(similarity, weight)) == pytest.approx(expected, rel=1e-5)
    some, beside = losses.ssim_map(a, b, every=2), weight[:, 5:-5:2, 5:-5:2]
    np.testing.assert_allclose(some, similarity[:, ::2, ::2], atol=1e-6)
    expected = (beside * (1 - similarity[:, ::2, ::2].mean(-1, keepdims=True))).sum() / beside.sum() / 2
    assert float(losses.weighted_dssim(some, weight, every=2)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.masked_dssim(a, b, weight)) == pytest.approx(
        plain_losses.dssim(a * weight, b * weight), abs=2e-6
    )


def test_critics_losses_equal_numpy():
    scores = np.random.default_rng(7).normal(size=(2, 8, 8, 1)).astype(np.float32)
    assert float(losses.lsgan_real(scores)) == pytest.approx(((scores - 1) ** 2).mean(), rel=1e-5)
    assert float(losses.lsgan_fake(scores)) == pytest.approx((scores**2).mean(), rel=1e-5)


def test_blur_equals_opencv_and_keeps_the_sum_inside():
    picture = np.zeros((1, 48, 40, 1), np.float32)
    picture[0, 20:28, 16:24] = np.random.default_rng(8).random((8, 8, 1))
    blurred = np.asarray(losses.blurred(picture, 3.0))
    np.testing.assert_allclose(blurred, plain_losses.blur(picture, 3.0), atol=2e-6)
    assert blurred.sum() == pytest.approx(picture.sum(), rel=1e-4)
    # At the border nothing comes in from outside.
    edge = np.ones((1, 40, 40, 1), np.float32)
    assert float(np.asarray(losses.blurred(edge, 3.0))[0, 0, 20, 0]) == pytest.approx(0.566, abs=0.01)


def test_dice_tells_how_well_areas_are_met_however_small_they_are():
    weight = np.ones((1, 20, 20, 1), np.float32)
    large, small, none = (np.zeros_like(weight) for _ in range(3))
    large[:, :10], small[:, :4, :4] = 1, 1

    def loss(target, found):
        return float(losses.dice(target, found, weight))

    assert loss(large, large) == loss(none, none) == pytest.approx(0, abs=1e-6)
    # 16 of 400 pixels, a hundredth of the image taken for none: 1 - 4 / (16 + 4)
    assert loss(small, none) == pytest.approx(0.8, abs=1e-4)
    assert loss(large, none) == pytest.approx(1 - 4 / 204, abs=1e-4)
    assert float(losses.dice(small, none, weight * (1 - small))) == pytest.approx(0, abs=1e-6)  # nobody knows there
