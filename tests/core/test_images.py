"""Images as files: their size without decoding, and what is not decoded for its size."""

import cv2
import numpy as np
import pytest

from bombs import BOMBS
from facewright.core.errors import UserError
from facewright.core.images import decode, encode, encoded_size, single_threaded_opencv


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_the_size_of_an_encoded_image_is_read_from_its_head(extension):
    data = encode(np.zeros((31, 57, 3), np.uint8), extension)
    assert encoded_size(data[: len(data) - 20]) == (31, 57)
    for other in (b"", data[:10], b"GIF89a"):
        with pytest.raises(ValueError):
            encoded_size(other)


@pytest.mark.parametrize("kind", BOMBS)
def test_a_picture_that_would_fill_the_memory_is_not_decoded(kind):
    with pytest.raises(UserError, match="pixels"):
        decode(BOMBS[kind](60_000, 60_000), f"bomb.{kind}")


def test_a_bound_of_ones_own_holds_for_every_format():
    for picture in (encode(np.zeros((50, 50, 3), np.uint8), kind) for kind in (".png", ".jpg")):
        assert decode(picture, "small", most=2500).shape == (50, 50, 3)
        with pytest.raises(UserError, match="50 x 50"):
            decode(picture, "small", most=2499)
    with pytest.raises(UserError, match="neither"):
        decode(encode(np.zeros((50, 50, 3), np.uint8), ".bmp"), "mask", most=2500)


def test_opencvs_threads_come_back() -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        with single_threaded_opencv():
            assert cv2.getNumThreads() == 1
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
