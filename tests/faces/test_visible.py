"""What of a face is seen, as its record tells."""

from dataclasses import replace

import numpy as np
import pytest

from facewright.data.cache import face_key
from facewright.data.sample import Sample, prepare_face
from facewright.faces.align import FaceType
from facewright.faces.faceset import count_own_masks
from facewright.faces.mask import encode_mask, hull_mask
from facewright.faces.visible import (
    is_labelled,
    known_mask,
    mask_with_polygons,
    reaches_out,
    unseen_share,
    visible_mask,
)
from masks.labelled import drawn_faces, left_covered, polygon

SIDE = 64
LEFT, RIGHT = np.s_[:, :30], np.s_[:, 34:]


@pytest.fixture
def record(tmp_path):
    return drawn_faces(tmp_path, 1)[0].record


def test_a_face_of_which_nothing_is_known_is_seen_and_known_about_its_hull(record):
    known = known_mask(record, record.landmarks, SIDE)
    assert visible_mask(record, SIDE).min() == 1
    assert (known >= hull_mask(record.landmarks, (SIDE, SIDE))).all()
    assert known[0].max() == 0
    assert not is_labelled(record)


def test_an_occlusion_is_what_is_not_seen(record):
    covered = replace(record, occlusion=left_covered())
    seen = visible_mask(covered, SIDE)
    assert (seen[LEFT].max(), seen[RIGHT].min()) == (0, 1)
    assert unseen_share(covered, record.landmarks, SIDE) == pytest.approx(0.5, abs=0.12)
    small = visible_mask(replace(record, occlusion=left_covered(16)), SIDE)  # a mask of another size
    assert (small[:, :26].max(), small[:, 40:].min()) == (0, 1)


def test_polygons_take_away_and_a_prediction_is_no_label(record):
    labelled = replace(record, polygons=(polygon(),))
    assert is_labelled(labelled)
    assert visible_mask(labelled, SIDE)[LEFT].max() == 0
    assert visible_mask(labelled, SIDE)[RIGHT].min() == 1
    predicted = replace(record, mask=left_covered(), mask_source="predicted")
    assert not is_labelled(predicted)
    assert visible_mask(predicted, SIDE).min() == 1
    # With a polygon on top of it somebody has looked at the prediction.
    assert visible_mask(replace(predicted, polygons=(polygon("include"),)), SIDE)[LEFT].min() == 1


def test_a_painted_mask_is_a_label_wherever_it_reaches(record):
    painted = replace(record, mask=encode_mask(np.ones((SIDE, SIDE), np.float32)), mask_source="painted")
    assert is_labelled(painted)
    assert reaches_out(painted, record.landmarks, SIDE)
    assert known_mask(painted, record.landmarks, SIDE).min() == 1
    inside = replace(painted, mask=encode_mask(hull_mask(record.landmarks, (SIDE, SIDE))))
    assert not reaches_out(inside, record.landmarks, SIDE)
    assert known_mask(inside, record.landmarks, SIDE)[0].max() == 0


def test_a_mask_that_cannot_be_read_is_none(record):
    broken = replace(record, mask="no PNG", occlusion="neither", mask_source="painted")
    assert unseen_share(broken, record.landmarks, SIDE) < 0.05
    assert mask_with_polygons(replace(broken, polygons=()), SIDE) is None


def test_training_on_masks_of_records_takes_polygons(tmp_path):
    plain, labelled = (
        drawn_faces(tmp_path / str(n), 1, **g)[0] for n, g in enumerate(({}, {"polygons": (polygon(),)}))
    )
    samples = (Sample("mask", "record", SIDE, FaceType.FULL),)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    masks = [prepare_face(image, face.record, samples).masks["record"] for face in (plain, labelled)]
    assert masks[0][LEFT].max() == 255
    assert masks[1][LEFT].max() == 0
    assert np.array_equal(masks[0][RIGHT], masks[1][RIGHT])
    assert face_key(plain) != face_key(labelled)
    assert (count_own_masks([plain]), count_own_masks([labelled])) == (0, 1)


def test_polygons_change_the_mask_that_a_face_carries(record):
    hull = hull_mask(record.landmarks, (SIDE, SIDE))
    changed = mask_with_polygons(replace(record, polygons=(polygon(),)), SIDE)
    assert changed[LEFT].max() == 0
    np.testing.assert_allclose(changed[RIGHT], hull[RIGHT], atol=0.02)
    assert mask_with_polygons(record, SIDE) is None
    covered = replace(record, polygons=(polygon("include", np.float32([(60, 60), (63, 60), (63, 63)])),))
    covered = replace(covered, occlusion=left_covered())
    assert mask_with_polygons(covered, SIDE)[LEFT].max() == 0
