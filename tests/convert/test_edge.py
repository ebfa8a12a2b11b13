"""Width of the edge: the formulas' values, symmetry, large faces."""

import cv2
import numpy as np
import pytest

from convert.drawn_faces import landmarks
from facewright.convert import edge
from facewright.convert.masks import DstFace, hull_of
from facewright.faces.align import FaceType, align_matrix, transform_points
from facewright.models.spec import CONVERTER_DEFAULTS


@pytest.mark.parametrize(
    ("length", "percent", "size"),
    [
        (100, 30, 3), (100, 100, 12), (100, 200, 24),
        (200, 30, 7), (200, 100, 23), (200, 200, 46),
        (400, 30, 12), (400, 100, 43), (400, 200, 86),
        (800, 30, 21), (800, 100, 71), (800, 200, 143),
    ],
)  # fmt: skip
def test_erosion_has_the_values_of_2018(length, percent, size):
    # The table of the facts rounds down; a product within 1e-9 of a whole number may fall on either side.
    assert abs(edge.erode_size(length, percent) - size) <= 1
    assert edge.erode_size(length, -percent) == -edge.erode_size(length, percent)


def test_erosion_never_shrinks_with_the_face():
    sizes = [edge.erode_size(length, 100) for length in range(10, 6000, 7)]
    assert (np.diff(sizes) >= 0).all() and sizes[-1] == 87


def test_blur_is_a_tenth_of_the_length():
    assert [edge.blur_size(200, percent) for percent in (-100, 0, 100, 200)] == [-20, 0, 20, 40]


def square(side=81, inner=41):
    mask = np.zeros((side, side), np.float32)
    start = (side - inner) // 2
    mask[start : start + inner, start : start + inner] = 1
    return mask


@pytest.mark.parametrize("size", [-12, -7, 5, 12, 13])
def test_erosion_and_blur_do_not_shift_the_mask(size):
    mask = square()
    for done in (edge.erode(mask, size), edge.soften(mask, abs(size))):
        np.testing.assert_allclose(done, done[::-1], atol=1e-6)
        np.testing.assert_allclose(done, done[:, ::-1], atol=1e-6)


def test_erosion_takes_half_its_size_on_every_side():
    assert edge.erode(square(), 11)[40].sum() == 41 - 10
    assert edge.erode(square(), -11)[40].sum() == 41 + 10
    assert edge.erode(square(), 1) is not None and edge.erode(square(), 0).sum() == square().sum()


def test_a_large_kernel_does_the_same_at_a_smaller_scale():
    mask = square(601, 401)
    for size, width in ((101, 301), (-101, 501)):
        done = edge.erode(mask, size)
        assert abs(done[300].sum() - width) <= 3
        np.testing.assert_allclose(done, done[::-1], atol=0.02)


def test_the_frames_border_does_not_erode():
    mask = np.ones((40, 40), np.float32)
    mask[:, 20:] = 0
    done = edge.erode(mask, 9)
    assert done[0, 0] == done[-1, 0] == 1 and done[20].sum() == 16


def test_the_border_mask_is_soft_and_symmetric():
    mask = edge.border_mask(128, 0.046875)
    assert mask[0, 64] < 0.2 and mask[64, 64] == 1
    np.testing.assert_allclose(mask, mask[::-1, ::-1], atol=1e-6)
    assert edge.border_mask(64, 0).min() == 1


def test_regions():
    mask = np.zeros((20, 30), bool)
    assert edge.region_of(mask) is None
    mask[3:7, 10:29] = True
    region = edge.region_of(mask)
    assert region == edge.Region(10, 3, 29, 7) and region.size == (4, 19)
    assert region.grown(5, (20, 30)) == edge.Region(5, 0, 30, 12)
    assert region.crop(mask).all()


@pytest.mark.parametrize("size", [101, -101])
def test_a_large_kernel_takes_as_much_of_a_wide_mask_up_and_across(size):
    mask = np.zeros((300, 900), np.float32)
    mask[75:225, 225:675] = 1
    done = edge.erode(mask, size)
    assert abs(done[:, 450].sum() - (150 - size)) <= 4 and abs(done[150].sum() - (450 - size)) <= 4


@pytest.mark.parametrize("percent", [-50, 0, 70, 100])
def test_a_lifted_mask_ends_above_the_brows_once_it_is_eroded(percent):
    mask = np.zeros((160, 160), np.float32)
    cv2.ellipse(mask, (80, 90), (50, 60), 0, 0, 360, 1.0, -1)
    mask[:60] = 0  # the hull ends at the brows
    lifted = edge.lifted(mask, percent)
    size = edge.erode_size(min(edge.region_of(mask).size), percent)
    before, after = (edge.region_of(edge.erode(one, max(size, 0)) > 0.5) for one in (mask, lifted))
    assert after.top == pytest.approx(60 - 0.05 * 91, abs=2)
    assert (after.left, after.right, after.bottom) == (before.left, before.right, before.bottom)
    assert (lifted >= mask).all()


def test_no_face_is_lifted_to_none():
    assert not edge.lifted(np.zeros((20, 20), np.float32), 50).any()


def test_the_lower_lip_of_dst_is_replaced_by_a_half_face_and_nothing_beyond_its_image():
    """The image of a half face ends just below the lip."""
    side, margin = 256, 80
    face = DstFace(landmarks((300, 300), 200))
    matrix = align_matrix(face.landmarks, FaceType.HALF, side)
    defaults = CONVERTER_DEFAULTS[FaceType.HALF]
    whole = np.pad(edge.lifted(hull_of(face, matrix, side), defaults.erode), margin)
    length = min(edge.region_of(whole > edge.CLONE_CERTAINTY).size)
    drawn_in = edge.erode(whole, edge.erode_size(length, defaults.erode))
    mask = edge.soften(drawn_in, edge.blur_size(length, defaults.blur))
    lip = transform_points(face.landmarks, matrix)[55:60] + margin
    assert mask[lip[:, 1].round().astype(int), lip[:, 0].round().astype(int)].min() > 0.9
    mask[margin:-margin, margin:-margin] = 0
    assert mask.max() == 0
