import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert.drawn_faces import landmarks, scene
from data.plain import plain_sample
from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.data.augment import AugmentParams, draw_params, remap_grid
from facewright.data.sample import (
    PreparedFace,
    Sample,
    before_cut,
    make_sample,
    prepare_face,
    with_predicted_masks,
    with_record_masks,
    without_covers,
)
from facewright.data.sampler import Sampler
from facewright.data.sampling_order import Shuffled
from facewright.faces.align import FaceType, align_matrix, invert, transform_points
from facewright.faces.dfl_crop import DflFaceType
from facewright.faces.mask import SWAPPED, hull_mask, mirror_landmarks
from facewright.faces.record import FaceRecord
from train.tiny import save_faces

SAMPLES = (
    Sample("warped", "image", 48, FaceType.FULL, warp=True),
    Sample("target", "image", 48, FaceType.FULL),
    Sample("mask", "mask", 48, FaceType.FULL),
)


def masked_face(side=96):
    """A face whose picture is its own mask, so that any misfit between the two shows."""
    points = landmarks((side / 2, side / 2), side * 0.55, 4).astype(np.float32)
    hull = (hull_mask(points, (side, side)) * 255).astype(np.uint8)
    return PreparedFace(np.repeat(hull[..., None], 3, 2), {"mask": hull, "focus": hull}, points)


def sampler(paths, seed=0, **given):
    return Sampler(paths, SAMPLES, np.random.default_rng(seed), flip=True, **given)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return save_faces(tmp_path_factory.mktemp("faces"), 5)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_the_mask_lies_on_the_picture(seed):
    numbers = draw_params(np.random.default_rng(seed), flip=True)
    _, target, mask = make_sample(masked_face(), SAMPLES, numbers)
    # The two differ in their interpolation only: nowhere but at the edge, and there by less than one pixel's share.
    assert np.abs(target[..., :1].clip(0, 1) - mask).max() < 0.35
    assert abs(float(target[..., 0].sum() - mask.sum())) < 0.01 * mask.sum()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_warped_and_target_differ_by_the_warp_alone(seed):
    numbers = draw_params(np.random.default_rng(seed), flip=True)
    still = AugmentParams(numbers.transform, np.zeros_like(numbers.control_points), numbers.flip)
    image = scene(96, 96, 1)
    face = PreparedFace(image, masked_face().masks, masked_face().landmarks)
    warped, target, _ = make_sample(face, SAMPLES, still)
    assert np.abs(warped - target).max() < 0.03  # the two roads round differently


def test_a_flipped_sample_is_the_mirrored_face():
    face = masked_face(96)
    face = PreparedFace(scene(96, 96, 2), face.masks, face.landmarks)
    mirrored = PreparedFace(
        np.ascontiguousarray(face.image[:, ::-1]),
        {name: np.ascontiguousarray(mask[:, ::-1]) for name, mask in face.masks.items()},
        mirror_landmarks(face.landmarks, 96),
    )
    still = AugmentParams(np.eye(2, 3), np.zeros((3, 3, 2), np.float32), False)
    flipped = AugmentParams(np.eye(2, 3), np.zeros((3, 3, 2), np.float32), True)
    for a, b in zip(make_sample(face, SAMPLES, flipped), make_sample(mirrored, SAMPLES, still), strict=True):
        np.testing.assert_allclose(a, b, atol=0.02)


def test_mirroring_landmarks_twice_changes_nothing():
    points = masked_face().landmarks
    np.testing.assert_allclose(mirror_landmarks(mirror_landmarks(points, 96), 96), points, atol=1e-5)
    assert sorted(SWAPPED) == list(range(68))
    assert (SWAPPED[SWAPPED] == np.arange(68)).all()


def test_batches_are_what_was_declared(paths):
    batch = sampler(paths).batch(4)
    assert {n: (a.shape, a.dtype) for n, a in batch.items()} == {
        "warped": ((4, 48, 48, 3), np.float32),
        "target": ((4, 48, 48, 3), np.float32),
        "mask": ((4, 48, 48, 1), np.float32),
    }
    assert all(a.min() >= 0 and a.max() <= 1 for a in batch.values())


def test_grey_is_three_equal_channels_of_the_same_picture():
    numbers = draw_params(np.random.default_rng(5), flip=True)
    face = PreparedFace(scene(96, 96, 3), masked_face().masks, masked_face().landmarks)
    colour = (Sample("target", "image", 48, FaceType.FULL),)
    grey = (Sample("target", "image", 48, FaceType.FULL, colour="grey"),)
    (bgr,), (made,) = make_sample(face, colour, numbers), make_sample(face, grey, numbers)
    assert made.shape == (48, 48, 3) and (made == made[..., :1]).all()
    np.testing.assert_allclose(made[..., 0], bgr @ np.float32([0.114, 0.587, 0.299]), atol=0.003)


def test_the_same_seed_draws_the_same(paths):
    one, two, other = sampler(paths), sampler(paths), sampler(paths, 1)
    for _ in range(3):
        a, b, c = one.batch(3), two.batch(3), other.batch(3)
        assert all((a[n] == b[n]).all() for n in a)
        assert any((a[n] != c[n]).any() for n in a)


def test_draws_go_on_where_the_state_was_taken(paths):
    one, two = sampler(paths), sampler(paths, 9)
    one.batch(3)
    two.set_state(one.state())
    a, b = one.batch(4), two.batch(4)
    assert all((a[n] == b[n]).all() for n in a)


def test_a_state_of_fewer_faces_begins_a_new_round(paths):
    one, two = sampler(paths[:3]), sampler(paths)
    one.batch(1)
    two.set_state(one.state())
    assert two.batch(5)["warped"].shape[0] == 5


def test_every_face_comes_once_per_round(paths):
    drawn, rng = sampler(paths), np.random.default_rng(1)
    for _ in range(3):
        assert sorted(drawn.pick(rng)[0] for _ in paths) == list(range(len(paths)))


def test_faces_are_numbered_as_their_files_are(paths):
    """A face that is asked for is the one that an output without augmentation shows."""
    made = sampler(paths)
    for index in range(len(paths)):
        (target,) = make_sample(made.face(index), SAMPLES[1:2], None)
        np.testing.assert_array_equal(target, made.untouched([index])["target"][0])


def test_a_smaller_face_type_is_refused(paths):
    head = (Sample("target", "image", 48, FaceType.HEAD),)
    with pytest.raises(UserError, match="is a full face, but the model needs head faces"):
        Sampler(paths, head, np.random.default_rng(0), flip=False).batch(1)
    whole = (Sample("target", "image", 48, DflFaceType.WHOLE),)
    with pytest.raises(UserError) as caught:
        Sampler(paths, whole, np.random.default_rng(0), flip=False).batch(1)
    assert "--face-type head " in caught.value.fix  # a type that can be extracted


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_one_lookup_gives_what_the_plain_order_of_2018_gives(seed):
    numbers = draw_params(np.random.default_rng(seed), flip=True)
    points = landmarks((96, 96), 110, 4).astype(np.float32)
    image = cv2.GaussianBlur(scene(192, 192, 7), (0, 0), 4)  # smooth: three lookups in a row soften what is not
    hull = (hull_mask(points, (192, 192)) * 255).astype(np.uint8)
    face = PreparedFace(image, {"mask": hull}, points)
    inside = np.s_[4:-4, 4:-4]  # at the edge the plain order has black within its first picture
    for one, plain in zip(make_sample(face, SAMPLES, numbers), plain_sample(face, SAMPLES, numbers), strict=True):
        difference = np.abs(one - plain)[inside]
        assert difference.mean() < 0.006 and np.quantile(difference, 0.95) < 0.03


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_landmarks_move_with_the_picture(seed):
    """A dot drawn at a landmark is found where the warped coordinates say."""
    numbers = draw_params(np.random.default_rng(seed), flip=True)
    face = masked_face(96)
    dot = np.zeros((96, 96, 3), np.float32)
    x, y = face.landmarks[30]
    rows, columns = np.mgrid[:96, :96]
    dot[:] = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)[..., None]
    moved = PreparedFace(dot.astype(np.uint8), face.masks, face.landmarks)
    made = make_sample(moved, SAMPLES[:2], numbers)
    landmarks = mirror_landmarks(face.landmarks, 96) if numbers.flip else face.landmarks
    matrix = align_matrix(landmarks, FaceType.FULL, 48) @ np.vstack([before_cut(numbers, 96), [0, 0, 1]])
    where = remap_grid(matrix, numbers.control_points, 96, 48)
    for picture, places in zip(made, (where, remap_grid(matrix, numbers.control_points * 0, 96, 48)), strict=True):
        expected = np.unravel_index(((places[0] - x) ** 2 + (places[1] - y) ** 2).argmin(), (48, 48))
        found = np.unravel_index(picture[..., 0].argmax(), (48, 48))
        assert np.abs(np.subtract(expected, found)).max() <= 1


def test_an_order_that_mirrors_gives_mirrored_faces(paths):
    class Mirrored(Shuffled):
        def next(self, rng):
            return super().next(rng)[0], True

    plain = Sampler(paths, SAMPLES, np.random.default_rng(0), flip=False)
    turned = Sampler(paths, SAMPLES, np.random.default_rng(0), flip=False, strategy=Mirrored(len(paths)))
    one, two = np.random.default_rng(1), np.random.default_rng(1)
    for _ in range(5):
        (index, numbers), (same, mirrored) = plain.pick(one), turned.pick(two)
        assert index == same and not numbers.flip and mirrored.flip


def test_threads_change_nothing(paths):
    used = set()

    class Noting(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            return super().submit(lambda: used.add(threading.get_ident()) or function(*arguments))

    with Noting(4) as pool:
        one, many = sampler(paths), sampler(paths, executor=pool, workers=4)
        for _ in range(3):
            a, b = one.batch(7), many.batch(7)
            assert all((a[n] == b[n]).all() for n in a)
    assert used and threading.get_ident() not in used


def test_a_face_holds_the_masks_that_its_outputs_need():
    image, points = scene(96, 96, 1), masked_face().landmarks
    record = FaceRecord(
        FaceType.FULL, 96, points, points, "1.png", "drawn", 1.0, (0, 0, 96, 96), np.eye(2, 3), (0.0, 0.0, 0.0)
    )
    for kinds in (("image",), ("mask",), ("focus",), ("focus", "image", "mask")):
        samples = tuple(Sample(kind, kind, 48, FaceType.FULL) for kind in kinds)
        face = prepare_face(image, record, samples)
        assert set(face.masks) == set(kinds) - {"image"}
        made = dict(zip(kinds, make_sample(face, samples, None), strict=True))
        assert all(made[kind].shape == (48, 48, 1) and made[kind].max() == 1 for kind in face.masks)
        if len(kinds) > 1:  # eyes and mouth lie within the hull and are smaller
            assert (made["focus"] <= made["mask"] + 0.01).all()
            assert 0.02 < made["focus"].sum() / made["mask"].sum() < 0.5


def drawn(sample, points, mask=None, mask_source="imported", occlusion=None):
    """Return one output of a face of 96 px, unchanged."""
    record = FaceRecord(
        FaceType.FULL, 96, points, points, "1.png", "", 1.0, (0, 0, 9, 9), np.eye(2, 3), (0, 0, 0), mask
    )
    record = replace(record, mask_source=mask_source, occlusion=occlusion)
    face = prepare_face(scene(96, 96, 1), record, (sample,))
    return make_sample(face, (sample,), None)[0][..., 0]


def test_the_focus_is_both_eyes_and_the_mouth_and_nothing_between():
    points = landmarks((48, 48), 53, 4).astype(np.float32)
    matrix = align_matrix(points, FaceType.FULL, 96)
    focus = drawn(Sample("focus", "focus", 96, FaceType.FULL), points)
    placed = transform_points(points, matrix)

    def at(numbers):
        x, y = placed[list(numbers)].mean(axis=0).round().astype(int)
        return focus[y, x]

    inside = (range(36, 42), range(42, 48), range(48, 68))
    outside = (range(27, 31), range(17, 22), (36, 48), (45, 54), (8,))
    assert [at(numbers) for numbers in inside] == [1, 1, 1]
    assert [at(numbers) for numbers in outside] == [0, 0, 0, 0, 0]


def test_shut_eyes_count_as_much_as_open_ones():
    """Between lids that touch lies nothing; lids and lashes are what there is to learn."""
    points = landmarks((48, 48), 53, 0).astype(np.float32)
    shut = points.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        shut[[upper, lower]] = (points[upper] + points[lower]) / 2
    upper_half = [drawn(Sample("focus", "focus", 96, FaceType.FULL), one)[:48].sum() for one in (points, shut)]
    assert 0.6 < upper_half[1] / upper_half[0] < 1


def left_half(side=96):
    mask = np.zeros((side, side), np.uint8)
    mask[:, : side // 2] = 255
    return base64.b64encode(encode(mask)).decode()


@pytest.mark.parametrize("side", [48, 96, 192])
def test_the_mask_of_the_record_is_the_target_where_a_face_carries_one(side):
    """The mask is drawn at the left half of the aligned image, whatever its size and that of the output."""
    points = landmarks((48, 48), 53, 4).astype(np.float32)
    (sample,) = with_record_masks([Sample("mask", "mask", 48, FaceType.FULL)])
    inverse = invert(align_matrix(points, FaceType.FULL, 48))
    x, y = np.meshgrid(np.arange(48), np.arange(48))
    places = transform_points(np.stack([x.ravel(), y.ravel()], axis=1), inverse)
    shown = ((places > 2) & (places < 93)).all(axis=1).reshape(48, 48)
    left = (places[:, 0] < 47.5).reshape(48, 48)
    near = np.abs(places[:, 0] - 47.5).reshape(48, 48) < 5
    mask = drawn(sample, points, left_half(side))
    assert (mask == left)[shown & ~near].all() and shown.mean() > 0.5


def test_the_mask_of_a_mask_model_is_the_target_where_there_is_one():
    points = landmarks((48, 48), 53, 4).astype(np.float32)
    plain = Sample("mask", "mask", 48, FaceType.FULL)
    (sample,), (of_any,) = with_predicted_masks([plain]), with_record_masks([plain])
    mask, hull = left_half(96), drawn(plain, points)
    assert (drawn(sample, points, mask, "imported") == hull).all()
    assert (drawn(sample, points, mask, "predicted") == drawn(of_any, points, mask)).all()
    assert (drawn(sample, points, mask, "predicted") != hull).any()


@pytest.mark.parametrize("mask", [None, "no mask"])
def test_the_hull_is_the_target_of_a_face_without_a_readable_mask(mask):
    points = landmarks((48, 48), 53, 4).astype(np.float32)
    plain = Sample("mask", "mask", 48, FaceType.FULL)
    (sample,) = with_record_masks([plain])
    assert (drawn(sample, points, mask) == drawn(plain, points)).all()


@pytest.mark.parametrize("side", [24, 96, 192])
def test_what_lies_before_the_face_is_no_target(side):
    """Its pixels are 0 in the mask, with which the losses multiply both images."""
    points = landmarks((48, 48), 53).astype(np.float32)
    plain = Sample("mask", "mask", 48, FaceType.FULL)
    (sample,) = without_covers([plain])
    hull, seen = drawn(plain, points), drawn(sample, points, occlusion=left_half(side))
    assert hull[:, :20].sum() > 100 and not seen[:, :20].any()
    np.testing.assert_allclose(seen[:, 28:], hull[:, 28:], atol=0.02)
    (own,) = with_record_masks([plain])
    np.testing.assert_array_equal(drawn(own, points, occlusion=left_half(side)), seen)  # without a mask of its own
    for unreadable in (None, "", "no mask"):
        np.testing.assert_array_equal(drawn(sample, points, occlusion=unreadable), hull)


def test_images_and_other_masks_keep_their_kind():
    assert [sample.kind for sample in with_record_masks(SAMPLES)] == ["image", "image", "record"]
    focus = Sample("focus", "focus", 48, FaceType.FULL)
    assert with_record_masks([focus]) == (focus,)
