"""How near an image of a face comes to the original."""

import cv2
import numpy as np
import pytest

from convert.drawn_faces import landmarks, scene
from facewright.faces.fidelity import face_parts, fidelity

SIDE = 128
POINTS = landmarks((64, 64), 90, 0).astype(np.float32)
FACE = np.float32(scene(SIDE, SIDE, 3)) / 255
PARTS = face_parts(POINTS, SIDE)


def test_the_face_itself_has_no_error_and_all_its_detail():
    same = fidelity(FACE, FACE, PARTS)
    assert (same.face, same.eyes, same.mouth) == pytest.approx((0, 0, 0), abs=1e-3) and same.detail == pytest.approx(1)


def test_a_blurred_face_has_less_detail_and_some_error():
    soft = fidelity(cv2.GaussianBlur(FACE, (0, 0), 2), FACE, PARTS)
    assert soft.detail < 0.7 and 0.5 < soft.face < 50


def test_an_error_at_the_eyes_is_told_from_one_at_the_mouth():
    wrong = FACE.copy()
    wrong[PARTS.eyes] = np.random.default_rng(0).random((int(PARTS.eyes.sum()), 3), np.float32)
    found = fidelity(wrong, FACE, PARTS)
    assert found.eyes > 20 > 1 > found.mouth
    assert PARTS.eyes.any() and not (PARTS.eyes & PARTS.mouth).any() and (PARTS.inner <= PARTS.face).all()
