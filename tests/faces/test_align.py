"""Alignment against the test vectors of facts/deepfacelab.md A.10, and what a similarity must keep."""

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.faces.align import (
    MEAN_FACE,
    FaceType,
    align_matrix,
    between,
    cut,
    invert,
    similarity,
    square_lies_inside,
    transform_points,
)


def placed(angle: float = 15.0, scale: float = 200.0, x: float = 300.0, y: float = 150.0) -> np.ndarray:
    """68 points whose inner 51 are the mean face, turned, scaled and moved."""
    a = np.radians(angle)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    inner = scale * MEAN_FACE @ turn.T + [x, y]
    jaw = np.linspace(inner[0], inner[9], 17) + scale * np.array([-np.sin(a), np.cos(a)])
    return np.vstack([jaw, inner])


@pytest.mark.parametrize(
    ("face_type", "size", "expected"),
    [
        (FaceType.FULL, 256, [[0.772741, 0.207055, -214.880484], [-0.207055, 0.772741, -5.794528]]),
        (FaceType.HALF, 64, [[0.309096, 0.082822, -105.152193], [-0.082822, 0.309096, -21.517811]]),
    ],
)
def test_vectors(face_type: FaceType, size: int, expected: list[list[float]]) -> None:
    np.testing.assert_allclose(align_matrix(placed(), face_type, size), expected, atol=2e-6)


@pytest.mark.parametrize(("face_type", "side"), [(FaceType.HALF, 1.0), (FaceType.FULL, 1.6), (FaceType.HEAD, 4.0)])
def test_side_of_the_cut_in_mean_faces(face_type: FaceType, side: float) -> None:
    matrix = align_matrix(placed(scale=100.0), face_type, 256)
    assert 256 / np.sqrt(np.linalg.det(matrix[:, :2])) == pytest.approx(100 * side, rel=1e-6)


def test_avatar_is_upright_and_in_the_middle() -> None:
    points = placed(angle=30.0)
    matrix = align_matrix(points, FaceType.AVATAR, 256)
    assert matrix[0, 1] == matrix[1, 0] == 0
    np.testing.assert_allclose(transform_points(points, matrix).mean(0), [128, 128])
    assert 256 / matrix[0, 0] == pytest.approx(200 * 3, rel=1e-6)


def test_mark_only_is_the_frame() -> None:
    np.testing.assert_array_equal(align_matrix(placed(), FaceType.MARK_ONLY, 256), [[1, 0, 0], [0, 1, 0]])


def test_larger_types_contain_smaller_ones() -> None:
    assert FaceType.FULL.contains(FaceType.HALF) and FaceType.FULL.contains(FaceType.FULL)
    assert not FaceType.FULL.contains(FaceType.HEAD)


ANGLE, SCALE, SHIFT = st.floats(-180, 180), st.floats(1, 3000), st.floats(-5000, 5000)


@settings(max_examples=60, deadline=None)
@given(ANGLE, SCALE, SHIFT, SHIFT, st.sampled_from([FaceType.HALF, FaceType.FULL, FaceType.HEAD]))
def test_inverse_and_similarity(angle: float, scale: float, x: float, y: float, face_type: FaceType) -> None:
    points = placed(angle, scale, x, y)
    matrix = align_matrix(points, face_type, 256)
    there = transform_points(points, matrix)
    np.testing.assert_allclose(transform_points(there, invert(matrix)), points, atol=1e-5 * scale + 1e-5)
    a, b = matrix[0, 0], matrix[0, 1]
    np.testing.assert_allclose(matrix[1, :2], [-b, a], atol=1e-9)  # a turn and a scale, no mirror image
    # The face lands at the same place wherever it was.
    np.testing.assert_allclose(
        there[17:], transform_points(placed()[17:], align_matrix(placed(), face_type, 256)), atol=1e-3
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(64, 1024))
def test_between_pictures(seed: int, size: int) -> None:
    points = placed() + np.random.default_rng(seed).normal(0, 5, (68, 2))
    full, half = align_matrix(points, FaceType.FULL, 256), align_matrix(points, FaceType.HALF, size)
    np.testing.assert_allclose(between(full, half) @ [*full @ [10, 20, 1], 1], half @ [10, 20, 1], atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_similarity_is_umeyamas(seed: int, mirrored: bool) -> None:
    """Against the general formula of the paper, with its guard against mirror images."""
    random = np.random.default_rng(seed)
    s, t = random.normal(0, 50, (2, 20, 2))
    t = t + s * ([-2, 2] if mirrored else [2, 2])
    sc, tc = s - s.mean(0), t - t.mean(0)
    u, d, vt = np.linalg.svd(tc.T @ sc / len(s))
    sign = np.array([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    linear = (d * sign).sum() / (sc**2).sum() * len(s) * u @ np.diag(sign) @ vt
    expected = np.column_stack([linear, t.mean(0) - linear @ s.mean(0)])
    np.testing.assert_allclose(similarity(s, t), expected, atol=1e-9 * np.abs(expected).max())


def test_a_mirrored_face_is_turned_not_mirrored() -> None:
    points = placed(angle=0.0)
    points[:, 0] = -points[:, 0]
    assert np.linalg.det(similarity(points[17:], MEAN_FACE)[:, :2]) > 0


def test_landmarks_in_one_place_are_refused() -> None:
    with pytest.raises(ValueError, match="same place"):
        align_matrix(np.full((68, 2), 7.0), FaceType.FULL, 256)


@pytest.mark.parametrize("scale", [1.0, 0.6, 0.5, 0.3, 0.11, 0.03])
def test_cut_keeps_places_at_every_scale(scale: float) -> None:
    """A soft blob lands where its middle is carried to, averaged or not."""
    y, x = np.mgrid[0:900, 0:1200].astype(np.float32)
    centre, spread = np.array([701.3, 401.7]), 4 / scale
    image = 255 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * spread**2))
    matrix = np.array([[scale, 0, 31 - scale * 690], [0, scale, 33 - scale * 400]])
    result = cut(image.astype(np.float32), matrix, 64)
    v, u = np.mgrid[0:64, 0:64]
    place = np.array([(u * result).sum(), (v * result).sum()]) / result.sum()
    np.testing.assert_allclose(place, transform_points(centre[None], matrix)[0], atol=0.05)


def test_cut_averages_when_it_shrinks() -> None:
    """Fine noise turns grey; a plain warp keeps single pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    matrix = np.array([[0.125, 0, 0], [0, 0.125, 0]])
    inner = cut(noise, matrix, 128)[4:-4, 4:-4]
    plain = cv2.warpAffine(noise, matrix, (128, 128), flags=cv2.INTER_LANCZOS4)[4:-4, 4:-4]
    assert inner.std() < 15 < 60 < plain.std()
    assert inner.mean() == pytest.approx(127.5, abs=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3), (40, 50, 4), (1, 1, 3)])
def test_cut_takes_every_kind_of_picture(dtype: type, shape: tuple[int, ...]) -> None:
    for scale in (2.0, 0.2):
        result = cut(np.ones(shape, dtype), np.array([[scale, 0, 0], [0, scale, 0]]), 32)
        assert result.shape == (32, 32, *shape[2:]) and result.dtype == dtype


EYES = (slice(36, 42), slice(42, 48))


@pytest.mark.parametrize("face_type", [FaceType.HALF, FaceType.FULL, FaceType.HEAD])
def test_level_eyes(face_type: FaceType) -> None:
    """The eyes alone give the turn; scale and the middle of the points are those of the best fit."""
    points = placed(angle=33.0)
    points[36:48] += np.random.default_rng(3).normal(0, 6, (12, 2))  # the eyes lie otherwise than the mouth
    plain, level = (align_matrix(points, face_type, 256, level_eyes=on) for on in (False, True))
    right, left = (transform_points(points[eye], level).mean(0) for eye in EYES)
    assert left[1] == pytest.approx(right[1], abs=1e-9) and left[0] > right[0]
    before = [transform_points(points[eye], plain).mean(0) for eye in EYES]
    assert abs(before[0][1] - before[1][1]) > 0.1
    np.testing.assert_allclose(np.linalg.det(level[:, :2]), np.linalg.det(plain[:, :2]))
    np.testing.assert_allclose(*(transform_points(points[17:], m).mean(0) for m in (plain, level)))


def test_level_eyes_change_nothing_on_the_mean_face_and_what_is_never_turned() -> None:
    for face_type in (FaceType.FULL, FaceType.AVATAR, FaceType.MARK_ONLY):
        for angle in (-170.0, 0.0, 45.0):
            matrices = [align_matrix(placed(angle), face_type, 256, level_eyes=on) for on in (False, True)]
            np.testing.assert_allclose(*matrices, atol=1e-9)


def test_a_mirrored_cut_averages_as_well() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (512, 512, 3), np.uint8)
    matrix = np.array([[0.125, 0, 0], [0, 0.125, 0]])
    mirrored = np.array([[-0.125, 0, 63], [0, 0.125, 0]])
    across = noise[:, ::-1]
    # x becomes 63 - x / 8: the flipped image's 511 - x becomes that through (511 - x) / 8 - 0.875.
    shifted = np.add(matrix, [[0, 0, -0.875], [0, 0, 0]])
    np.testing.assert_allclose(
        cut(noise, mirrored, 64)[4:-4, 4:-4].astype(int), cut(across, shifted, 64)[4:-4, 4:-4], atol=2
    )
    assert cut(noise, mirrored, 64)[4:-4, 4:-4].std() < 15


def test_a_face_half_as_large_is_averaged_already() -> None:
    """Stripes of one pixel, halved: grey, where every second pixel alone would be black or white."""
    stripes = np.zeros((128, 128), np.float32)
    stripes[:, ::2] = 1
    inner = cut(stripes, np.array([[0.5, 0, 0], [0, 0.5, 0]]), 64)[4:-4, 4:-4]
    np.testing.assert_allclose(inner, 0.5, atol=0.02)


def test_a_face_that_shrinks_very_much_needs_no_more_memory() -> None:
    """512 x 512 pixels are averaged into 64 x 64, not 12,800 x 12,800."""
    frame = np.full((4000, 4000), 200, np.uint8)
    tracemalloc.start()
    result = cut(frame, np.array([[1 / 200, 0, 20], [0, 1 / 200, 20]]), 64)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (result[22:38, 22:38] == 200).all() and peak < 2e6


@pytest.mark.parametrize("slack", [0.0, 2.0])
def test_a_square_may_stick_out_by_the_slack_and_no_further(slack: float) -> None:
    """A picture lies inside itself; moved, it sticks out on one side."""
    for sign in (-1, 1):
        for axis in (0, 1):
            for beyond, inside in ((0.0, True), (0.01, False)):
                matrix = np.eye(2, 3)
                matrix[axis, 2] = sign * (slack + beyond)
                assert square_lies_inside(matrix, 64, 64, slack) is inside
