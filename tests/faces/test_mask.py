"""Masks from landmarks: where they lie, whatever the picture's size."""

import base64

import numpy as np
import pytest

from bombs import BOMBS
from convert.drawn_faces import landmarks
from facewright.core.images import encode
from facewright.faces.mask import decode_mask, eyes_mask, hull_mask, mirror_landmarks, mouth_mask


def test_the_hull_holds_every_landmark_of_the_face():
    points = landmarks((100, 90), 100)
    mask = hull_mask(points, (200, 220))
    assert mask.shape == (200, 220) and mask.dtype == np.float32
    assert mask.min() == 0 and mask.max() == 1
    inner = points + (points.mean(0) - points) * 0.03
    values = [mask[round(y), round(x)] for x, y in inner]
    assert min(values) > 0.5


def test_the_forehead_is_not_part_of_it():
    points = landmarks((100, 100), 100)
    mask = hull_mask(points, (200, 200))
    assert mask[: int(points[17:27, 1].min()) - 2].max() == 0


@pytest.mark.parametrize("factor", [0.25, 2.0, 3.3])
def test_the_mask_scales_with_the_landmarks(factor):
    points = landmarks((100, 100), 100)
    size = round(200 * factor)
    share = hull_mask(points, (200, 200)).mean()
    # Half-pixel true: pixel centres lie at halves.
    scaled = hull_mask((points + 0.5) * factor - 0.5, (size, size)).mean()
    assert scaled == pytest.approx(share, rel=0.03)


def test_faces_beyond_the_border_are_cut_off():
    points = landmarks((0, 0), 100)
    whole = hull_mask(points + 200, (400, 400))
    part = hull_mask(points, (200, 200))
    assert np.abs(part - whole[200:, 200:]).mean() < 1e-4
    assert hull_mask(points - 1e6, (50, 50)).max() == 0


def test_eyes_and_mouth_lie_inside_the_face_and_apart():
    points = landmarks((100, 100), 100, turn=12)
    face, eyes, mouth = (make(points, (200, 200)) for make in (hull_mask, eyes_mask, mouth_mask))
    assert 0 < eyes.sum() < mouth.sum() < face.sum()
    assert (eyes * mouth).max() == 0
    assert ((face < 0.5) & (mouth > 0.9)).sum() == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_a_records_mask_comes_back_grey(channels):
    levels = np.arange(0, 256, 4, np.uint8).reshape(8, 8)
    picture = levels if channels == 1 else np.dstack([levels] * 3)
    mask = decode_mask(base64.b64encode(encode(picture)).decode())
    assert mask.shape == (8, 8) and mask.dtype == np.float32
    np.testing.assert_allclose(mask, levels / 255, atol=1e-6)


@pytest.mark.parametrize("text", ["", "no base64 ä", base64.b64encode(b"no image").decode()])
def test_a_mask_that_cannot_be_read_is_none(text):
    assert decode_mask(text) is None


@pytest.mark.parametrize("kind", BOMBS)
def test_a_mask_that_says_it_is_huge_is_none(kind):
    assert decode_mask(base64.b64encode(BOMBS[kind](10_000, 10_000)).decode()) is None


def test_mirrored_twice_is_as_before_and_left_becomes_right():
    points = landmarks((100, 90), 100, turn=7).astype(np.float32)
    mirrored = mirror_landmarks(points, 220)
    np.testing.assert_allclose(mirror_landmarks(mirrored, 220), points, atol=1e-4)
    flipped = hull_mask(points, (200, 220))[:, ::-1]
    assert np.abs(hull_mask(mirrored, (200, 220)) - flipped).mean() < 1e-3
    # Each point has the place in the order that its mirror image has.
    symmetric = landmarks((109.5, 90), 100)
    symmetric[:, 0] = (symmetric[:, 0] + mirror_landmarks(symmetric, 220)[:, 0]) / 2
    np.testing.assert_allclose(mirror_landmarks(symmetric, 220)[:, 0], symmetric[:, 0], atol=1e-4)


def test_wrong_landmarks_are_refused():
    with pytest.raises(ValueError, match="68"):
        hull_mask(np.zeros((5, 2)), (10, 10))
    with pytest.raises(ValueError, match="finite"):
        hull_mask(np.full((68, 2), np.nan), (10, 10))
