"""Which pixels of a face a hand covers: drawn faces and hands."""

import cv2
import numpy as np
import pytest

from drawn_hands import SKIN, draw_face, draw_hand, face_points, hand_points
from facewright.faces.hand_mask import SIDE, Reference, hand_cover, hand_shape, to_lab
from facewright.faces.mask import hull_mask

POINTS = face_points((SIDE / 2, SIDE / 2), 70)
HULL = hull_mask(POINTS, (SIDE, SIDE)) > 0.5
NOWHERE, EVERYWHERE = np.zeros((SIDE, SIDE), np.float32), np.ones((SIDE, SIDE), np.float32)
HAND = hand_points((110, 125), 30, -40)


def face(seed=0, light=0, hand=None, skin=SKIN):
    image = np.full((SIDE, SIDE, 3), 200, np.uint8)
    draw_face(image, POINTS, seed)
    if hand is not None:
        draw_hand(image, hand, skin)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.8).astype(int) + light, 0, 255).astype(np.uint8)


REFERENCES = [Reference(to_lab(face(seed, light=3 * seed)), POINTS) for seed in range(1, 8)]


def truth():
    """Where the hand is: what differs from the same face without it."""
    return np.abs(face(hand=HAND).astype(int) - face()).max(axis=2) > 12


def overlap(one, other):
    one, other = one & HULL, other & HULL
    return (one & other).sum() / (one | other).sum()


def test_a_hand_is_drawn_by_its_points():
    points = hand_points((100, 190), 40)
    shape = hand_shape(points, (200, 220))
    assert shape.shape == (200, 220) and shape.max() == 1
    at = np.rint(points).astype(int)
    assert (shape[at[:, 1], at[:, 0]] > 0.5).all()  # bones lie inside
    row = shape[round(points[8, 1] + 8)] > 0.5  # across the index finger
    assert abs(row[round(points[8, 0]) - 12 : round(points[8, 0]) + 12].sum() - 0.3 * 40) <= 2
    assert not shape[:, :30].any() and 0.05 < shape.mean() < 0.3


@pytest.mark.parametrize("points", [np.zeros((21, 2)), np.full((21, 2), 1e9), np.full((21, 2), -1e9)])
def test_points_far_away_or_at_one_place_draw_hardly_anything(points):
    assert hand_shape(points, (64, 64)).mean() < 0.02


def test_what_differs_from_the_persons_other_faces_is_the_hand():
    assert 0.1 < (truth() & HULL).sum() / HULL.sum() < 0.7
    found = hand_cover(face(hand=HAND), POINTS, EVERYWHERE, NOWHERE, NOWHERE, REFERENCES) > 0
    assert overlap(found, truth()) > 0.8


@pytest.mark.parametrize("light", [-25, 25])
def test_neither_another_light_nor_noise_is_a_hand(light):
    assert not hand_cover(face(seed=9, light=light), POINTS, EVERYWHERE, NOWHERE, NOWHERE, REFERENCES).any()
    found = hand_cover(face(light=light, hand=HAND), POINTS, EVERYWHERE, NOWHERE, NOWHERE, REFERENCES) > 0
    assert overlap(found, truth()) > 0.75


def test_a_hand_is_only_where_one_can_be():
    area = EVERYWHERE.copy()
    area[:, SIDE // 2 :] = 0
    found = hand_cover(face(hand=HAND), POINTS, area, NOWHERE, NOWHERE, REFERENCES) > 0
    assert not found[:, SIDE // 2 + 5 :].any()
    assert not hand_cover(face(hand=HAND), POINTS, NOWHERE, NOWHERE, NOWHERE, REFERENCES).any()


def test_what_goes_on_from_a_hand_is_one_too_where_it_is_lighter_than_the_face():
    """The fist that the other hand holds; but neither the shadow of a hand nor what goes on from none."""
    lower, shadow = EVERYWHERE.copy(), tuple(0.6 * part for part in SKIN)
    lower[: SIDE - 50] = 0
    found = [
        hand_cover(face(hand=HAND, skin=skin), POINTS, lower, reach, NOWHERE, REFERENCES) > 0
        for skin, reach in ((SKIN, EVERYWHERE), (SKIN, NOWHERE), (shadow, EVERYWHERE))
    ]
    assert overlap(found[0], truth()) > 0.75
    assert all(one[SIDE - 45 :].any() and not one[: SIDE - 54].any() for one in found[1:])
    assert not hand_cover(face(hand=HAND), POINTS, NOWHERE, EVERYWHERE, NOWHERE, REFERENCES).any()


def test_the_side_of_a_finger_that_looks_like_the_cheek_is_covered_too():
    """What goes on from a hand keeps no notch of half a finger."""
    lower, notch = EVERYWHERE.copy(), truth()
    lower[: SIDE - 50] = 0
    notch[: SIDE // 2 - 4] = notch[SIDE - 52 :] = notch[:, :65] = notch[:, 72:] = False
    image = np.where(notch[..., None], face(), face(hand=HAND))
    found = hand_cover(image, POINTS, lower, EVERYWHERE, NOWHERE, REFERENCES) > 0
    assert notch.sum() > 80 and found[notch].mean() > 0.8
    assert overlap(found, truth()) > 0.8


def test_without_other_faces_the_points_tell():
    shape = hand_shape(HAND, (SIDE, SIDE))
    found = hand_cover(face(hand=HAND), POINTS, EVERYWHERE, NOWHERE, shape, []) > 0
    assert overlap(found, truth()) > 0.7
    assert not hand_cover(face(hand=HAND), POINTS, EVERYWHERE, NOWHERE, NOWHERE, []).any()


def test_the_same_face_gets_the_same_mask():
    one, other = (hand_cover(face(hand=HAND), POINTS, EVERYWHERE, NOWHERE, NOWHERE, REFERENCES) for _ in range(2))
    np.testing.assert_array_equal(one, other)
