"""Images looked up on the device are those that OpenCV looks up."""

import cv2
import numpy as np
import pytest

from convert.drawn_faces import scene
from facewright import nn

FLAGS = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}


@pytest.mark.parametrize("kernel", sorted(FLAGS))
def test_a_lookup_is_that_of_opencv_outside_too(kernel):
    rng = np.random.default_rng(0)
    images = [cv2.GaussianBlur(scene(side, side, side), (0, 0), 1.5) for side in (40, 57)]
    table = np.concatenate([image.reshape(-1, 3) for image in images])
    # A thirty-second of a pixel is what OpenCV knows of a place; half of the places lie outside.
    places = np.round(rng.uniform(-30, 80, (2, 2, 24, 24)) * 32).astype(np.float32) / 32
    sides, first = np.array([40, 57], np.int32), np.array([0, 1600], np.int32)
    arguments = [nn.ops.convert_to_tensor(a) for a in (table, first, sides, places[:, 0], places[:, 1])]
    made = nn.ops.convert_to_numpy(nn.resampling.resample(*arguments, kernel))
    for image, (x, y), found in zip(images, places, made, strict=True):
        wanted = cv2.remap(image.astype(np.float32), x, y, FLAGS[kernel])
        assert (wanted == 0).all(axis=-1).mean() > 0.2  # outside
        np.testing.assert_allclose(found, wanted, atol=0.02)


def test_channels_are_chosen_before_the_sum():
    table = np.arange(64, dtype=np.uint8).reshape(16, 4)
    here = np.full((1, 1, 1), 1.0, np.float32)
    arguments = [np.array([0], np.int32), np.array([4], np.int32), here, here]
    one = nn.resampling.resample(*map(nn.ops.convert_to_tensor, (table, *arguments)), "linear", (3, 4))
    assert nn.ops.convert_to_numpy(one).tolist() == [[[[23.0]]]]
