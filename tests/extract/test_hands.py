"""The networks that find hands, on drawn ones."""

import cv2
import numpy as np
import pytest

from drawn_hands import draw_hand, face_points, hand_points
from facewright.extract.hands import HandFinder
from needs import needs_networks

FACE = face_points((200, 160), 120)


@pytest.fixture(scope="module")
def finder():
    return HandFinder()


def scene(points=None, scale=1.0):
    random = np.random.default_rng(0)
    image = np.clip(np.full((480, 480, 3), (90, 80, 70)) + random.normal(0, 6, (480, 480, 3)), 0, 255).astype(np.uint8)
    if points is not None:
        draw_hand(image, points)
    return cv2.resize(cv2.GaussianBlur(image, (0, 0), 1), None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)


@needs_networks
@pytest.mark.parametrize("turn", [-20, 0, 45])
def test_the_points_of_a_hand_lie_where_it_was_drawn(finder, turn):
    points = hand_points((240, 330), 45, turn)
    (hand,) = finder.find(scene(points), FACE)
    assert hand.presence > 0.9 and hand.score > 0.5
    assert np.linalg.norm(hand.points - points, axis=1).mean() < 0.12 * 45
    low, high = hand.square.min(axis=0), hand.square.max(axis=0)
    assert ((points > low) & (points < high)).all()


@needs_networks
def test_a_large_frame_gives_the_same_points(finder):
    points = hand_points((240, 330), 45)
    (hand,) = finder.find(scene(points, 3), 3 * FACE)
    assert np.linalg.norm(hand.points / 3 - points, axis=1).mean() < 0.12 * 45


@needs_networks
def test_without_a_hand_or_far_from_one_there_is_none(finder):
    assert finder.find(scene(), FACE) == []
    assert finder.find(scene(hand_points((240, 330), 45)), face_points((60, 60), 40)) == []
