"""What counts as the same image."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from facewright.core.images import Image
from facewright.faces.likeness import alike


def drawn(seed: int = 0, side: int = 128) -> Image:
    patches = np.random.default_rng(seed).integers(40, 216, (side // 8, side // 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(patches, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def painted(image: Image) -> Image:
    image[:60, :100] = (0, 255, 0)
    return image


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: np.uint8(image * 0.3 + 20),
        lambda image: np.uint8(255 * (image / 255) ** 2),
        lambda image: cv2.resize(image, (300, 300), interpolation=cv2.INTER_CUBIC),
        lambda image: cv2.GaussianBlur(image, (0, 0), 1.5),
        painted,
    ],
    ids=["same", "darker", "gamma", "larger", "softer", "painted"],
)
def test_the_same(change: Callable[[Image], Image]) -> None:
    assert alike(drawn(), np.asarray(change(drawn()), np.uint8))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: drawn(1),
        lambda image: image[:, ::-1],
        lambda image: image[::-1],
        lambda image: 255 - image,
        lambda image: np.roll(image, 13, axis=1),
        lambda image: image[32:96, 32:96],
        np.zeros_like,
    ],
    ids=["another", "mirrored", "upside down", "negative", "moved", "crop", "black"],
)
def test_something_else(change: Callable[[Image], Image]) -> None:
    assert not alike(drawn(), np.ascontiguousarray(change(drawn())))


def test_plain_images() -> None:
    grey = np.full((50, 50, 3), 100, np.uint8)
    assert alike(grey, grey + np.uint8(3)) and not alike(grey, grey + np.uint8(50))
