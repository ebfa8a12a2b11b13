"""How much of a face is covered, as its record says."""

import base64
from dataclasses import replace

import numpy as np
import pytest

from drawn_hands import face_points
from facewright.core.images import encode
from facewright.faces.align import FaceType
from facewright.faces.occlusion import NOTHING, covered_share, is_covered, occlusion_text
from facewright.faces.record import FaceRecord, parse_record

RECORD = FaceRecord.from_landmarks(
    face_points(), FaceType.FULL, 256, frame="00001.png", detector="drawn", score=1.0, rect=(60.0, 60.0, 140.0, 140.0)
)


def left(share, side=256):
    mask = np.zeros((side, side), np.float32)
    mask[:, : round(share * side)] = 1
    return mask


def with_mask(mask):
    return replace(RECORD, occlusion=occlusion_text(mask))


@pytest.mark.parametrize("side", [64, 256, 777])
def test_half_of_a_face_is_covered_whatever_the_size_of_the_mask(side):
    record = parse_record(with_mask(left(0.5, side)).to_json())
    assert covered_share(record) == pytest.approx(0.5, abs=0.02) and is_covered(record)


def test_a_mask_of_another_form_is_stretched_and_harms_nothing():
    assert covered_share(with_mask(np.ones((20, 300), np.float32))) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("text", [None, NOTHING, "no mask", base64.b64encode(b"no image").decode()])
def test_without_a_mask_that_can_be_read_nothing_is_covered(text):
    record = replace(RECORD, occlusion=text)
    assert covered_share(record) == 0 and not is_covered(record)


def test_what_lies_beside_the_face_or_is_tiny_does_not_cover_it():
    beside = left(0.08)
    finger = np.zeros((256, 256), np.float32)
    finger[125:135, 125:135] = 1
    assert covered_share(with_mask(beside)) == 0
    assert 0 < covered_share(with_mask(finger)) < 0.02 and not is_covered(with_mask(finger))


def test_an_empty_mask_is_kept_as_nothing_and_a_flat_matrix_covers_nothing():
    assert occlusion_text(np.zeros((9, 9), np.float32)) == NOTHING
    assert parse_record(with_mask(np.zeros((9, 9), np.float32)).to_json()).occlusion == NOTHING
    white = base64.b64encode(encode(np.full((256, 256), 255, np.uint8))).decode()
    assert covered_share(replace(RECORD, occlusion=white, matrix=np.zeros((2, 3)))) == 0
