"""Masks from landmarks: where they lie, whatever the picture's size."""

import base64
from dataclasses import replace

import numpy as np
import pytest

from bombs import BOMBS
from convert.drawn_faces import landmarks
from facewright.core.images import encode
from facewright.faces.align import FaceType
from facewright.faces.mask import (
    automatic_mask,
    decode_mask,
    eyes_mask,
    hull_mask,
    label_mask,
    mirror_landmarks,
    mouth_mask,
    polygons_around,
    with_polygons,
)
from facewright.faces.polygons import Polygon, draw_polygons
from facewright.faces.record import FaceRecord


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


def square(kind, left, top, side):
    return Polygon(kind, np.float32([(left, top), (left + side, top), (left + side, top + side), (left, top + side)]))


def face(**more):
    points = landmarks((100, 100), 60).astype(np.float32)
    record = FaceRecord.from_landmarks(
        points, FaceType.FULL, 128, frame="1.png", detector="mtcnn", score=1.0, rect=(50, 50, 150, 150)
    )
    return replace(record, **more)


WHOLE_FRAME = np.eye(2, 3)


def test_polygons_add_to_the_automatic_mask_and_take_away_from_it():
    """Include wins over the hull, exclude over both; what nobody drew on stays as it was."""
    plain = label_mask(face(), WHOLE_FRAME, 200)
    np.testing.assert_array_equal(plain, hull_mask(face().frame_landmarks, (200, 200)))
    drawn = (square("exclude", 95.5, 95.5, 20), square("include", 4.5, 4.5, 30), square("exclude", 24.5, 4.5, 10))
    mask = label_mask(face(polygons=drawn), WHOLE_FRAME, 200)
    assert plain[96:116, 96:116].min() == 1 and mask[96:116, 96:116].max() == 0
    assert mask[6:34, 6:24].min() == 1 and mask[16:34, 26:34].min() == 1 and mask[6:14, 26:34].max() == 0
    untouched = np.ones_like(mask, bool)
    untouched[4:36, 4:36] = untouched[95:117, 95:117] = False
    np.testing.assert_array_equal(mask[untouched], plain[untouched])


def test_an_outline_stands_in_the_place_of_the_automatic_mask():
    drawn = (square("outline", 19.5, 19.5, 20), square("include", 59.5, 19.5, 20), square("exclude", 19.5, 19.5, 10))
    mask = label_mask(face(polygons=drawn), WHOLE_FRAME, 200)
    assert mask.sum() == pytest.approx(400 + 400 - 100, rel=0.05) and mask[31:38, 31:38].min() == 1


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_the_automatic_mask_becomes_polygons_with_holes_and_without_specks(scale):
    """A face with a hole, such as a predicted mask has where a hand lies; a speck is left out."""
    mask = hull_mask(landmarks((100, 100), 100), (200, 200))
    mask[90:120, 90:110] = 0
    mask[3:5, 3:5] = 1
    matrix = np.array([[0.0, scale, 7], [-scale, 0.0, 190]])
    found = polygons_around(mask, matrix)
    assert [polygon.kind for polygon in found] == ["outline", "exclude"]
    assert max(len(polygon.points) for polygon in found) < 60, "few enough for a person to move"
    again = with_polygons(np.ones_like(mask), found, matrix)
    mask[3:5, 3:5] = 0
    assert np.minimum(mask, again).sum() / np.maximum(mask, again).sum() > 0.97
    assert polygons_around(np.zeros((50, 50), np.float32), WHOLE_FRAME) == ()


def test_polygons_overlap_and_leave_the_image_without_harm():
    two = (square("include", 9.5, 9.5, 20), square("include", 19.5, 9.5, 20))
    assert draw_polygons(two, "include", WHOLE_FRAME, (50, 50)).sum() == pytest.approx(30 * 20, rel=0.03)
    everywhere = (square("include", -1e6, -1e6, 2e6),)
    assert draw_polygons(everywhere, "include", WHOLE_FRAME, (50, 40)).min() == 1
    far = (square("include", 5e5, 5e5, 10),)
    assert draw_polygons(far, "include", WHOLE_FRAME, (50, 40)).max() == 0
    fine = draw_polygons(two, "include", np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]]), (25, 25))
    assert fine.sum() == pytest.approx(30 * 20 / 4, rel=0.06), "drawn in whatever image the matrix leads to"


@pytest.mark.parametrize("side", [128, 64, 256])
def test_the_records_mask_is_taken_along_whatever_its_size(side):
    """The left half of the aligned image, kept at the image's size, half or twice it."""
    grey = np.zeros((side, side), np.uint8)
    grey[:, : side // 2] = 255
    record = face(mask=base64.b64encode(encode(grey)).decode())
    mask = automatic_mask(record, record.matrix, 128)
    assert mask[:, :62].min() == 1 and mask[:, 66:].max() == 0
    larger = automatic_mask(record, record.matrix * 2, 256)
    assert larger[:250, :124].min() == 1 and larger[:, 132:].max() == 0


def test_a_mask_without_a_way_back_into_the_frame_gives_the_hull():
    grey = base64.b64encode(encode(np.zeros((128, 128), np.uint8))).decode()
    for broken in (face(mask="AAAA"), face(mask=grey, matrix=np.zeros((2, 3)))):
        assert label_mask(broken, WHOLE_FRAME, 200).max() == 1
