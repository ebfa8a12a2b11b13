"""Masks from landmarks: where they lie, whatever the picture's size."""

import numpy as np
import pytest

from convert.drawn_faces import landmarks
from facewright.faces.mask import eyes_mask, hull_mask, mouth_mask


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
    grown = eyes_mask(points, (200, 200), grow=0.1)
    assert (grown >= eyes).all() and grown.sum() > 2 * eyes.sum()
    assert mouth_mask(points, (200, 200), grow=0.1).sum() > mouth.sum()


def test_wrong_landmarks_are_refused():
    with pytest.raises(ValueError, match="68"):
        hull_mask(np.zeros((5, 2)), (10, 10))
    with pytest.raises(ValueError, match="finite"):
        hull_mask(np.full((68, 2), np.nan), (10, 10))
