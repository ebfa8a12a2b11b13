"""Faces as they are prepared for a training: which size an output is made of, and masks that a face carries."""

import base64
from dataclasses import replace

import cv2
import numpy as np
import pytest

from convert.drawn_faces import landmarks, scene
from facewright.core.images import encode
from facewright.data.sample import PreparedFace, Sample, make_sample, prepare_face
from facewright.faces.align import FaceType, zoom_of
from facewright.faces.dfl_crop import face_matrix
from facewright.faces.record import FaceRecord

SIDE = 256
POINTS = landmarks((SIDE / 2, SIDE / 2), SIDE / 1.6).astype(np.float32)
RECORD = FaceRecord(FaceType.FULL, SIDE, POINTS, POINTS, "1.png", "drawn", 1.0, (0, 0, 9, 9), np.eye(2, 3), (0, 0, 0))


def noise():
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


@pytest.mark.parametrize(
    ("asked", "taken"), [(20, 64), (64, 64), (67, 64), (68, 128), (134, 128), (136, 256), (999, 256)]
)
def test_the_smallest_size_that_is_as_good_but_for_a_twentieth(asked, taken):
    def face(side, *smaller):
        return PreparedFace(np.zeros((side, side, 3), np.uint8), {}, POINTS, smaller)

    assert face(256, face(128), face(64)).sized(asked).side == taken


@pytest.mark.parametrize("size", [24, 32, 48])
def test_an_output_is_the_same_whatever_else_is_asked_for(size):
    small, large = (Sample("image", "image", side, FaceType.FULL) for side in (size, 128))
    image = noise()
    alone = make_sample(prepare_face(image, RECORD, [small]), [small], None)
    together = make_sample(prepare_face(image, RECORD, [small, large]), [small, large], None)
    np.testing.assert_array_equal(alone[0], together[0])
    # What is made of it has no more noise than an average of so many pixels.
    assert alone[0].std() < 2.5 * noise().std() / 255 / (SIDE / size)
    assert together[1].std() > 2 * alone[0].std()


def test_a_face_with_twice_the_pixels_of_an_output_is_resampled_once():
    sample = Sample("image", "image", 128, FaceType.FULL, interpolation="cubic")
    image, matrix = scene(SIDE, SIDE), face_matrix(POINTS, FaceType.FULL, 128)
    assert 1.8 < 1 / zoom_of(matrix) < 2.2, "the usual: an aligned face of 256 px for a model of 128 px"
    (made,) = make_sample(prepare_face(image, RECORD, [sample]), [sample], None)
    np.testing.assert_array_equal(
        made, cv2.warpAffine(image, matrix, (128, 128), flags=cv2.INTER_CUBIC) / np.float32(255)
    )


def with_mask(mask):
    return replace(RECORD, mask=base64.b64encode(encode(mask)).decode())


def made_mask(mask, size=64):
    sample = Sample("mask", "record", size, FaceType.FULL)
    return make_sample(prepare_face(scene(SIDE, SIDE), with_mask(mask), [sample]), [sample], None)[0][..., 0]


def test_a_fine_mask_is_averaged():
    stripes = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
    stripes[::2] = 255
    middle = made_mask(stripes)[8:-8, 8:-8]
    assert np.abs(middle - 0.5).max() < 0.02


def test_a_coarse_mask_is_drawn_smoothly():
    coarse = np.zeros((8, 8), np.uint8)
    coarse[:, 4:] = 255
    row = made_mask(coarse)[32, 8:-8]
    assert (np.diff(row) >= 0).all() and np.count_nonzero((row > 0.1) & (row < 0.9)) >= 5


def test_a_face_without_a_readable_mask_has_its_hull():
    record, hull = (Sample("mask", kind, 64, FaceType.FULL) for kind in ("record", "mask"))
    for face in (RECORD, replace(RECORD, mask=base64.b64encode(b"no image").decode())):
        found, expected = make_sample(prepare_face(noise(), face, [record, hull]), [record, hull], None)
        np.testing.assert_array_equal(found, expected)
        assert found.mean() > 0.2
