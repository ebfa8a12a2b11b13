"""Losses of the models, in keras.ops; images are (batch, h, w, c) in 0..1, results one number each."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03


@lru_cache(maxsize=16)
def gaussian_filter_matrix(size: int, window: int = WINDOW, sigma: float = SIGMA) -> NDArray[np.float32]:
    """Return the (size - window + 1, size) matrix that filters one axis with a Gaussian, valid part only.

    A product with a small dense matrix is several times faster, forwards and backwards, than the
    depthwise convolution it replaces, and gives the same numbers.
    """
    offsets = np.arange(window) - (window - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    matrix = np.zeros((size - window + 1, size), np.float32)
    for row in range(len(matrix)):
        matrix[row, row : row + window] = weights
    return matrix


def _smooth(planes: Any, filters: tuple[Any, Any]) -> Any:
    """Filter planes (n, h, w) along both axes: one product along h, one along w."""
    rows, columns = filters
    planes = ops.matmul(rows, planes)  # (n, h', w)
    _, h, w = planes.shape
    planes = ops.matmul(ops.reshape(planes, (-1, w)), columns)  # one product for all planes
    return ops.reshape(planes, (-1, h, columns.shape[1]))


def _planes(image: Any) -> Any:
    """Return the channels of (b, h, w, c) as (b c, h, w).

    Products with 3 columns each, image by image and row by row, took twice the time: SSIM forwards and backwards 53
    instead of 24 ms on a core (8 faces of 128 px), a step of QUICK 373 instead of 324.
    """
    _, h, w, _ = image.shape
    return ops.reshape(ops.transpose(image, (0, 3, 1, 2)), (-1, h, w))


def _image(planes: Any, channels: int) -> Any:
    """Return (b c, h, w) as (b, h, w, c)."""
    _, h, w = planes.shape
    return ops.transpose(ops.reshape(planes, (-1, channels, h, w)), (0, 2, 3, 1))


def ssim_map(target: Any, prediction: Any, window: int = WINDOW, every: int = 1) -> Any:
    """Structural similarity at every pixel whose window lies inside the image, or at some of them.

    SSIM as Wang et al. 2004: Gaussian window 11, sigma 1.5, k1 0.01, k2 0.03, range 1, valid windows.

    Args:
        target, prediction: (b, h, w, c) float32 in 0..1, h and w at least `window`.
        window: Its side; sigma stays.
        every: Pixels from one to the next, both ways. With 2, every pixel still counts as much as its neighbours, by
            the width of the window: the gradient of faces of 128 px has a cosine of 0.999 with that of all, and takes
            half the time.

    Returns:
        (b, h - window + 1, w - window + 1, c), h and w over `every` and rounded up; at most 1.
    """
    _, h, w, channels = target.shape
    rows, columns = (gaussian_filter_matrix(size, window)[::every] for size in (h, w))
    filters = ops.convert_to_tensor(rows), ops.convert_to_tensor(columns.T)
    c1, c2 = K1**2, K2**2
    target, prediction = _planes(target), _planes(prediction)
    mean_t = _smooth(target, filters)
    mean_p = _smooth(prediction, filters)
    product = mean_t * mean_p
    squares = ops.square(mean_t) + ops.square(mean_p)
    cross = _smooth(target * prediction, filters)
    power = _smooth(ops.square(target) + ops.square(prediction), filters)
    luminance = (2 * product + c1) / (squares + c1)
    contrast = (2 * (cross - product) + c2) / (power - squares + c2)
    return _image(luminance * contrast, channels)


def dssim(target: Any, prediction: Any, window: int = WINDOW) -> Any:
    """Structural dissimilarity (1 - SSIM) / 2, averaged over batch, pixels and channels.

    Args:
        target, prediction: (b, h, w, c) float32 in 0..1, h and w at least `window`.
        window: Side of SSIM's window.
    """
    return (1 - ops.mean(ssim_map(target, prediction, window))) / 2


def blurred(picture: Any, sigma: float, reach: int = 0) -> Any:
    """Blur (b, h, w, c) with a Gaussian of that sigma in pixels; outside the image all is 0.

    Args:
        picture: The images.
        sigma: In pixels.
        reach: Pixels after which the Gaussian is cut off on each side; 0 for three times sigma.
    """
    reach = reach or int(np.ceil(3 * sigma))
    sizes = picture.shape[1], picture.shape[2]
    rows, columns = (gaussian_filter_matrix(n + 2 * reach, 2 * reach + 1, sigma)[:, reach:-reach] for n in sizes)
    filters = ops.convert_to_tensor(rows), ops.convert_to_tensor(columns.T)
    return _image(_smooth(_planes(picture), filters), picture.shape[3])


def weighted_dssim(similarity: Any, weight: Any, every: int = 1) -> Any:
    """Structural dissimilarity averaged with a weight for each pixel.

    Args:
        similarity: (b, h - 10, w - 10, c), from `ssim_map`.
        weight: (b, h, w, 1), 0 or more; its border of half a window is not used.
        every: As there.
    """
    border = WINDOW // 2
    inner = weight[:, border:-border:every, border:-border:every]
    mean = ops.sum(inner * (1 - ops.mean(similarity, axis=-1, keepdims=True))) / (ops.sum(inner) + 1e-6)
    return mean / 2


def weighted_mae(target: Any, prediction: Any, weight: Any) -> Any:
    """Mean absolute error averaged with a weight for each pixel, (b, h, w, 1), 0 or more."""
    error = ops.mean(ops.abs(target - prediction), axis=-1, keepdims=True)
    return ops.sum(weight * error) / (ops.sum(weight) + 1e-6)


def masked_dssim(target: Any, prediction: Any, mask: Any) -> Any:
    """DSSIM of both images multiplied by the target's mask, so that the background costs nothing.

    Args:
        target, prediction: (b, h, w, c) float32 in 0..1.
        mask: (b, h, w, 1) float32 in 0..1.
    """
    return dssim(target * mask, prediction * mask)


def lsgan_real(scores: Any) -> Any:
    """Mean squared distance of a discriminator's scores from 1, the label of real images.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", ICCV 2017.
    """
    return ops.mean(ops.square(scores - 1))


def lsgan_fake(scores: Any) -> Any:
    """Mean squared distance of a discriminator's scores from 0, the label of generated images."""
    return ops.mean(ops.square(scores))


def called_real(scores: Any) -> Any:
    """Mean cross-entropy of logits of any shape, where 1 (real) is right: a discriminator's word on real ones."""
    return ops.mean(ops.softplus(-scores))


def called_made(scores: Any) -> Any:
    """Mean cross-entropy of logits of any shape, where 0 (made) is right."""
    return ops.mean(ops.softplus(scores))


def told_apart(real: Sequence[Any], made: Sequence[Any]) -> Any:
    """Return a discriminator's loss: how badly it tells real ones from made ones.

    Args:
        real, made: Its outputs, logits, for each; the losses of several outputs are added.
    """
    return sum((called_real(r) + called_made(m)) / 2 for r, m in zip(real, made, strict=True))


def style_distance(image: Any, like: Any) -> Any:
    """Squared differences of mean and standard deviation of each channel, both (b, h, w, c), averaged over all."""
    (mean, deviation), (like_mean, like_deviation) = _style(image), _style(like)
    differences = ops.square(mean - like_mean) + ops.square(deviation - like_deviation)
    return ops.mean(differences)


def _style(image: Any) -> tuple[Any, Any]:
    mean, variance = ops.moments(image, axes=(1, 2))
    return mean, ops.sqrt(variance + 1e-5)


def mae(target: Any, prediction: Any) -> Any:
    """Mean absolute error."""
    return ops.mean(ops.abs(target - prediction))


def mse(target: Any, prediction: Any) -> Any:
    """Mean squared error."""
    return ops.mean(ops.square(target - prediction))


def total_variation(image: Any) -> Any:
    """Squared differences of neighbouring pixels (b, h, w, c), summed over each image, averaged over the batch."""
    across, down = image[:, :, 1:] - image[:, :, :-1], image[:, 1:] - image[:, :-1]
    return ops.mean(sum(ops.sum(ops.square(step), axis=(1, 2, 3)) for step in (across, down)))


def dice(target: Any, prediction: Any, weight: Any) -> Any:
    """Soft Dice loss (Milletari et al., "V-Net", 3DV 2016): how little two areas overlap, however small they are.

    Args:
        target, prediction, weight: (b, h, w, 1) float32; the first two in 0..1, 1 inside of the area.

    Returns:
        Mean over the images, 0..1; an area of a hundredth of the weighted pixels is taken for none.
    """
    axes = (1, 2, 3)
    least = 0.01 * ops.sum(weight, axis=axes) + 1e-6
    both = ops.sum(weight * target * prediction, axis=axes)
    each = ops.sum(weight * (target + prediction), axis=axes)
    return ops.mean(1 - (2 * both + least) / (each + least))


def weighted_crossentropy(target: Any, prediction: Any, weight: Any) -> Any:
    """Binary cross-entropy averaged with a weight for each pixel.

    Args:
        target, prediction, weight: (b, h, w, 1) float32; the first two in 0..1, the weight 0 or more.
    """
    inside = ops.clip(prediction, 1e-4, 1 - 1e-4)
    entropy = -(target * ops.log(inside) + (1 - target) * ops.log(1 - inside))
    return ops.sum(weight * entropy) / (ops.sum(weight) + 1e-6)
