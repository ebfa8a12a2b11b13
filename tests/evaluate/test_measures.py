"""Measures of a result: known values, and what each must say about a change that was made on purpose."""

import cv2
import numpy as np
import pytest

from convert.drawn_faces import landmarks
from facewright.evaluate import measures, pixels
from facewright.faces import expression
from facewright.faces.fidelity import ssim_map

SIDE, CENTRE = 220, (110.0, 120.0)
POINTS = landmarks(CENTRE, 90.0)
RANDOM = np.random.default_rng(5)


def drawn(points=POINTS, skin=(115, 140, 190), noise=2.0, seed=0):
    """A frame with a face: eyes and mouth where the landmarks are, skin with some grain."""
    frame = np.full((SIDE, SIDE, 3), (70, 90, 60), np.float32)
    cv2.ellipse(frame, (int(points[:, 0].mean()), int(points[:, 1].mean()) - 8), (68, 84), 0, 0, 360, skin, -1)
    for part in (range(36, 42), range(42, 48), range(48, 60)):
        corners = np.rint(points[list(part)] * 16).astype(np.int32)
        cv2.fillPoly(frame, [corners], (40, 40, 60), cv2.LINE_AA, 4)
    frame += np.random.default_rng(seed).normal(0, noise, frame.shape[:2])[..., None]
    return np.clip(cv2.GaussianBlur(frame, (0, 0), 0.8), 0, 255).astype(np.uint8)


DST = drawn()
REGION = pixels.face_region(POINTS, DST.shape[:2])


def inside(frame, change, shrink=0.0):
    """The frame with `change` applied inside the mask, drawn in by a share of its size."""
    mask = np.zeros(frame.shape[:2], bool)
    mask[REGION.crop] = REGION.depth > shrink * REGION.size
    return np.where(mask[..., None], np.clip(change(frame.astype(np.float32)), 0, 255), frame).astype(np.uint8)


def pair(measure, result, dst=DST):
    return measure(pixels.lab_of(result, REGION), pixels.lab_of(dst, REGION), REGION)


def test_distances_to_each_of_a_set_and_to_its_mean() -> None:
    found, src, dst = np.float32([[0, 0], [3, 0]]), np.float32([[0, 1], [0, -1]]), np.float32([[3, 4]])
    assert measures.mean_distances(found, src) == pytest.approx([1, np.sqrt(10)])
    assert measures.distances_to_mean(found, src) == pytest.approx([0, 3])
    margins = measures.identity_margins(measures.mean_distances(found, src), measures.mean_distances(found, dst))
    assert margins == pytest.approx([4, 4 - np.sqrt(10)])
    assert measures.share_nearer(np.append(margins, [-1.0, np.nan])) == pytest.approx(2 / 3)
    assert np.isnan(measures.mean_distances(found, src[:0])).all()


def test_tl_id_and_tg_id_against_every_pair_written_out() -> None:
    base = RANDOM.normal(size=16)
    dst, result = (base + scale * RANDOM.normal(size=(9, 16)) for scale in (0.2, 0.8))
    times = np.array([1, 2, 3, 4, 7, 8, 9, 10, 11])

    def cosine(rows, i, j):
        return rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])

    def mean(rows, pairs):
        return np.mean([cosine(rows, i, j) for i, j in pairs])

    neighbours = [(i, i + 1) for i in range(8) if times[i + 1] - times[i] == 1]
    everything = [(i, j) for i in range(9) for j in range(i)]
    assert measures.tl_id(result, dst, times) == pytest.approx(mean(result, neighbours) / mean(dst, neighbours))
    assert measures.tg_id(result, dst) == pytest.approx(mean(result, everything) / mean(dst, everything))
    assert measures.tg_id(dst, dst) == pytest.approx(1) and measures.tg_id(result, dst) < 1


def test_pose_is_compared_across_the_half_turn() -> None:
    assert measures.pose_error((179, 0, 0), (-179, 0, 0)) == pytest.approx(2)
    assert measures.pose_error((3, 4, 12), (0, 0, 0)) == pytest.approx(13)


def test_landmark_error_is_a_share_of_the_eyes_distance() -> None:
    eyes = np.linalg.norm(POINTS[36] - POINTS[45])
    assert measures.landmark_error(POINTS + np.array([0.1 * eyes, 0]), POINTS) == pytest.approx(0.1)
    jaw = POINTS.copy()
    jaw[:17] += 50  # where another person's jaw lies
    assert measures.landmark_error(jaw, POINTS) == 0


def test_openings_grow_with_the_opening_and_not_with_the_face() -> None:
    def opened(eyes, lips, side=90.0):
        points = landmarks(CENTRE, side)
        width = np.linalg.norm(points[36] - points[39])
        for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
            points[lower] = points[upper] + (0, eyes * width)
        for upper, lower in ((61, 67), (62, 66), (63, 65)):
            points[lower] = points[upper] + (0, lips * expression.eye_distance(points))
        return points

    for side in (40.0, 300.0):
        assert expression.eye_opening(opened(0.3, 0.2, side)) == pytest.approx(0.3, rel=0.02)
        assert expression.mouth_opening(opened(0.3, 0.2, side)) == pytest.approx(0.2)


def test_correlation_and_error_pass_over_what_is_not_known() -> None:
    wanted = np.array([0.1, 0.2, np.nan, 0.4, 0.3])
    assert measures.correlation(2 * wanted + 1, wanted) == pytest.approx(1)
    assert measures.correlation(-wanted, wanted) == pytest.approx(-1)
    assert measures.mean_error(wanted + 0.05, wanted) == pytest.approx(0.05)
    assert np.isnan(measures.correlation(np.ones(5), wanted))


def test_jitter_sees_trembling_and_neither_dsts_motion_nor_gaps() -> None:
    times = np.array([1, 2, 3, 4, 5, 6, 9, 10, 11])
    dst = np.array([landmarks((100 + 9.0 * t + 3 * (t % 2), 100), 80 + 4 * t, 7.0 * t) for t in range(9)])
    assert np.nanmax(measures.jitter(dst, dst, times)) < 1e-6
    assert np.isnan(measures.jitter(dst, dst, times))[[0, 5, 6, 8]].all()
    eyes = np.array([expression.eye_distance(points) for points in dst])
    tremble = dst + (0.01 * eyes * (-1) ** np.arange(9))[:, None, None] * (1, 0)
    # +1, -1, +1 per cent: a second difference of 4 per cent; the mean face's eyes are as far apart as the drawn one's.
    assert np.nanmean(measures.jitter(tremble, dst, times)) == pytest.approx(4, rel=0.01)


def test_dst_against_itself_is_ideal_everywhere() -> None:
    assert pair(pixels.border_step, DST) == 0 and pair(pixels.shade_difference, DST) == 0
    assert pixels.outside(DST, DST, [REGION]) == pixels.Outside(0, 0, 1)


def test_a_colour_step_is_measured_in_dE() -> None:
    brighter = inside(DST, lambda frame: frame * 1.15)
    lab = [pixels.lab_of(frame, REGION)[REGION.mask] for frame in (brighter, DST)]
    apart = np.linalg.norm(lab[0].mean(0) - lab[1].mean(0))
    assert 5 < apart < 12
    assert pair(pixels.border_step, brighter) == pytest.approx(apart, rel=0.15)
    assert pair(pixels.shade_difference, brighter) == pytest.approx(apart, rel=0.15)
    # Drawn in and faded out there is no step, and the shade is still off.
    weight = np.zeros((SIDE, SIDE, 1), np.float32)
    weight[REGION.crop] = np.clip((REGION.depth / REGION.size - 0.05) * 8, 0, 1)[..., None]
    faded = np.rint(DST + weight * (brighter.astype(np.float32) - DST)).astype(np.uint8)
    assert pair(pixels.border_step, faded) < 0.25 * apart < 0.5 * pair(pixels.shade_difference, faded)


def test_other_brows_are_no_step_at_the_border() -> None:
    browed = DST.copy()
    for brow in (slice(17, 22), slice(22, 27)):
        cv2.polylines(browed, [np.rint(POINTS[brow]).astype(np.int32)], False, (10, 20, 30), 5, cv2.LINE_AA)
    assert pair(pixels.border_step, browed) == 0 and pair(pixels.shade_difference, browed) > 0


def test_sharpness_falls_with_blur_and_tells_eyes_from_skin() -> None:
    was = pixels.detail(pixels.lab_of(DST, REGION), REGION)
    soft = cv2.GaussianBlur(DST, (0, 0), 2.0)
    now = pixels.detail(pixels.lab_of(soft, REGION), REGION)
    assert now.face < 0.5 * was.face and now.eyes < 0.5 * was.eyes
    blind = DST.copy()
    blind[REGION.crop][REGION.eyes] = cv2.GaussianBlur(DST, (0, 0), 4.0)[REGION.crop][REGION.eyes]
    only_eyes = pixels.detail(pixels.lab_of(blind, REGION), REGION)
    assert only_eyes.eyes < 0.5 * was.eyes


def test_flicker_is_dsts_own_where_the_face_moves_and_more_where_it_blinks_in_brightness() -> None:
    moved = landmarks((116.0, 117.0), 90.0)
    frames = [drawn(), drawn(moved, seed=1)]
    calm = pixels.flicker(*(pixels.still(f, f, p) for f, p in zip(frames, (POINTS, moved), strict=True)))
    assert calm[0] == calm[1] > 0
    bright = [frames[0], np.clip(frames[1] * 1.1, 0, 255).astype(np.uint8)]
    result, dst = pixels.flicker(
        *(pixels.still(f, r, p) for f, r, p in zip(frames, bright, (POINTS, moved), strict=True))
    )
    assert dst == calm[1] and result > 2 * dst


def test_outside_is_what_the_conversion_must_not_touch() -> None:
    face_alone = inside(DST, lambda frame: 255 - frame)
    assert pixels.outside(face_alone, DST, [REGION]).changed == 0
    touched = DST.copy()
    touched[:4, :] += 1
    found = pixels.outside(touched, DST, [REGION])
    assert found.changed == pytest.approx(4 * SIDE / np.count_nonzero(free_pixels()), rel=1e-6)
    assert found.squared_error == pytest.approx(found.changed)
    assert 0.99 < found.ssim < 1


def free_pixels():
    free = np.ones((SIDE, SIDE), bool)
    free[REGION.crop] = -REGION.depth > pixels.REACH * REGION.size
    return free


def test_ssim_and_psnr_have_their_published_values() -> None:
    one, other = np.full((40, 40), 100, np.float32), np.full((40, 40), 120, np.float32)
    c1 = (0.01 * 255) ** 2  # of two even images the term of luminance is left
    assert ssim_map(one, other) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-4)
    assert pixels.psnr(20.0**2) == pytest.approx(22.1102, abs=1e-4)  # 20 log10(255 / 20)
    noise = RANDOM.normal(128, 30, (64, 64)).astype(np.float32)
    assert ssim_map(noise, 255 - noise).mean() < -0.9 < 0.999 < ssim_map(noise, noise).mean()


def test_a_face_outside_of_the_frame_has_no_measures() -> None:
    gone = pixels.face_region(POINTS + 1000, (SIDE, SIDE))
    lab = pixels.lab_of(DST, gone)
    assert gone.size == 0 and np.isnan(pixels.border_step(lab, lab, gone)) and np.isnan(pixels.detail(lab, gone).face)
    assert pixels.outside(DST, DST, [gone]) == pixels.Outside(0, 0, 1)
    half = pixels.face_region(POINTS - np.array([100, 0]), (SIDE, SIDE))
    lab = pixels.lab_of(DST, half)
    assert pixels.border_step(lab, lab, half) == 0 and pixels.detail(lab, half).face > 0
