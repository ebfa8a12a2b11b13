"""The controls of masks, edges, colours and detail: each changes the frame in the direction that its help says."""

import base64
import dataclasses

import cv2
import numpy as np
import pytest

from convert.drawn_faces import convert_alone, identity, landmarks, scene
from facewright.convert import detail
from facewright.convert.blend import Mode
from facewright.convert.controls import MASK_CHOICES, MODES
from facewright.convert.detail import SharpenKind
from facewright.convert.masks import DstFace, KeepZone, MaskKind, RecordMask
from facewright.convert.motion import in_pixels, motion_of, spread
from facewright.convert.multiband import spline
from facewright.convert.palette import in_few_colours
from facewright.convert.parameters import ConvertOptions, Parameters, resolve_parameters
from facewright.convert.pipeline import ModelInput
from facewright.convert.settings import controls
from facewright.core.images import encode
from facewright.faces.align import FaceType, align_matrix, transform_points
from facewright.faces.color import matching_curve
from facewright.faces.mask import hull_mask, mouth_opening_mask
from facewright.models.spec import ConverterDefaults

FULL = ModelInput(128, FaceType.FULL)
FRAME, POINTS = scene(220, 260), landmarks((130, 105), 80)
DEFAULTS = ConverterDefaults(0, 0)


def other(faces):
    """The same face, redder and of less contrast, everywhere."""
    image = np.clip(faces * np.float32(0.6) + np.float32([0, 0.05, 0.3]), 0, 1)
    return image, np.ones((*faces.shape[:3], 1), np.float32)


def converted(predict=other, face=None, frame=FRAME, **changes):
    parameters = Parameters(**{"mode": Mode.OVERLAY, "masks": (MaskKind.HULL,), **changes})
    return convert_alone(frame, [POINTS if face is None else face], predict, FULL, parameters).astype(int)


def replaced(image):
    return np.abs(image - FRAME.astype(int)).sum(axis=2) > 6


def box(area):
    """Return left, top, right, bottom of an area in the frame."""
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1], rows[-1]])


INSIDE = replaced(converted())


class TestMasks:
    @staticmethod
    def area(mask, predict=other, face=None):
        parameters = resolve_parameters(ConvertOptions(mode="overlay", mask=mask), DEFAULTS)
        return replaced(convert_alone(FRAME, [POINTS if face is None else face], predict, FULL, parameters).astype(int))

    def test_those_of_dst_do_not_ask_the_network(self):
        def nowhere(faces):
            return other(faces)[0], np.zeros((*faces.shape[:3], 1), np.float32)

        areas = {mask: self.area(mask, nowhere) for mask in MASK_CHOICES}
        assert {mask for mask, area in areas.items() if area.any()} == {"dst-hull", "rect", "hull+rect", "full"}
        hull, rect, both, full = (areas[mask] for mask in ("dst-hull", "rect", "hull+rect", "full"))
        assert hull.sum() < full.sum() and rect.sum() < full.sum() and not (both & ~(hull & rect)).any()
        assert both.sum() > 0.9 * (hull & rect).sum() and both.sum() < hull.sum()
        np.testing.assert_allclose(box(rect), box(transform_square(FaceType.HALF)), atol=2)
        np.testing.assert_allclose(box(full), box(transform_square(FaceType.FULL)), atol=2)

    def test_what_covers_the_face_stays_and_the_rest_of_the_hull_is_replaced(self):
        matrix = align_matrix(POINTS, FaceType.FULL, 256)
        hand = np.zeros((256, 256), np.uint8)
        hand[:, 128:] = 255
        face = DstFace(POINTS, occlusion=RecordMask(base64.b64encode(encode(hand)).decode(), matrix))
        found, hull = self.area("occlusion", face=face), self.area("dst-hull")
        across = 130
        assert not found[:, across + 4 :].any() and (found == hull)[:, : across - 6].all() and found.any()
        np.testing.assert_array_equal(self.area("occlusion"), self.area("hull"))  # a face without one


@pytest.mark.parametrize("mode", [mode for mode in MODES if Mode(mode).blends])
def test_a_hand_before_the_face_stays_in_every_mode_without_being_asked_for(mode):
    matrix = align_matrix(POINTS, FaceType.FULL, 256)
    hand = np.zeros((128, 128), np.uint8)  # coarser than the aligned image
    hand[:, 64:] = 255
    face = DstFace(POINTS, occlusion=RecordMask(base64.b64encode(encode(hand)).decode(), matrix, 256))

    def mirrored(faces):
        return faces[:, :, ::-1].copy(), np.ones((*faces.shape[:3], 1), np.float32)

    def area(**more):
        parameters = resolve_parameters(ConvertOptions(mode=mode, mask="dst-hull", **more), DEFAULTS)
        return replaced(convert_alone(FRAME, [face], mirrored, FULL, parameters).astype(int))

    left, painted, across = area(), area(occlusion="paint"), 130
    assert not left[:, across + 5 :].any() and painted[:, across + 5 :].sum() > 200
    beside = np.s_[:, across - 10 : across - 4]
    assert left[beside].sum() > 0.6 * painted[beside].sum()  # the edge is the hand's, no wide seam


def transform_square(kind):
    """Return where in the frame an aligned square of that type lies."""
    corners = np.array([(0, 0), (127, 0), (127, 127), (0, 127)], float)
    matrix = cv2.invertAffineTransform(align_matrix(POINTS, kind, 128))
    return cv2.fillPoly(
        np.zeros(FRAME.shape[:2], np.uint8), [np.rint(transform_points(corners, matrix)).astype(int)], 1
    )


@pytest.mark.parametrize(("side", "moved", "way"), [(0, 1, 1), (1, 3, -1), (2, 0, 1), (3, 2, -1)])
def test_each_side_of_the_edge_moves_alone(side, moved, way):
    """Forehead, chin, left, right; 100 takes as much as erode does at 100."""
    everywhere = box(INSIDE)
    boxes = []
    for percent in (-100, 100):
        sides = [0, 0, 0, 0]
        sides[side] = percent
        boxes.append(box(replaced(converted(erode_sides=tuple(sides)))) - everywhere)
    eroded = box(replaced(converted(erode=100))) - everywhere
    for found, sign in zip(boxes, (-1, 1), strict=True):
        assert 3 <= sign * way * found[moved] <= 9 and np.abs(np.delete(found, moved)).max() <= 1
    assert abs(boxes[1][moved] - eroded[moved]) <= 2


def test_a_lower_threshold_keeps_the_highlights_of_dst_away():
    for mode in (Mode.HIST_MATCH, Mode.SEAMLESS_HIST_MATCH):
        means = [converted(mode=mode, hist_threshold=threshold)[INSIDE].mean() for threshold in (255, 180, 60)]
        assert means[0] > means[1] + 5 > means[2] + 10
    values = np.linspace(0, 1, 101, dtype=np.float32)
    assert matching_curve(values, values, 0.5)(np.float32([0, 1])) == pytest.approx([0, 0.5], abs=0.01)


def test_the_average_colour_moves_to_dsts():
    far, half, near = (converted(average_color=percent)[INSIDE].mean(axis=0) for percent in (0, 50, 100))
    wanted = FRAME[INSIDE].mean(axis=0)
    assert np.abs(near - wanted).max() < 4 < np.abs(far - wanted).max()
    np.testing.assert_allclose(half, (far + near) / 2, atol=1)


@pytest.mark.parametrize(("shift", "axis"), [((20, 0), 1), ((0, 20), 0), ((-20, 0), 1)])
def test_the_face_moves_by_a_share_of_its_square(shift, axis):
    def spot(faces):
        image, mask = np.zeros_like(faces), np.zeros((*faces.shape[:3], 1), np.float32)
        image[:, 48:80, 48:80], mask[:, 40:88, 40:88] = 1, 1
        return image, mask

    centres = []
    for offset in ((0, 0), shift):
        white = converted(spot, offset=offset, masks=(MaskKind.MODEL,)).min(axis=2) > 200
        centres.append(np.argwhere(white).mean(axis=0))
    moved = centres[1] - centres[0]
    side = 128 / np.hypot(*align_matrix(POINTS, FaceType.FULL, 128)[0, :2])
    assert moved[axis] == pytest.approx(max(shift, key=abs) / 100 * side, abs=0.6) and abs(moved[1 - axis]) < 0.3


def roughness(image):
    return cv2.Laplacian(image.mean(axis=2), cv2.CV_64F)[cv2.erode(INSIDE.astype(np.uint8), np.ones((9, 9))) > 0].std()


@pytest.mark.parametrize("kind", list(SharpenKind))
def test_every_kind_sharpens_and_blurs(kind):
    found = [roughness(converted(sharpen=percent, sharpen_kind=kind)) for percent in (-100, -50, 0, 50, 100)]
    assert found == sorted(found) and found[-1] > found[2] > 1.1 * found[0]


def test_edges_only_leaves_grain_and_keeps_edges():
    grain = np.random.default_rng(0).normal(0.5, 0.004, (60, 60, 3)).astype(np.float32)
    np.testing.assert_array_equal(detail.sharpened(grain, 100, 50.0, SharpenKind.UNSHARP), grain)
    assert detail.sharpened(grain, 100, 50.0).std() > 1.5 * grain.std()
    step = np.zeros((60, 60, 3), np.float32)
    step[:, 30:] = 1
    np.testing.assert_array_equal(detail.sharpened(step, -100, 100.0, SharpenKind.UNSHARP), step)
    assert 0 < detail.sharpened(step, -100, 100.0)[30, 29, 0] < 0.6


def test_noise_goes_and_edges_stay():
    noisy = np.zeros((60, 60, 3), np.float32) + 0.3
    noisy[:, 30:] = 0.7
    noisy += np.random.default_rng(1).normal(0, 0.05, noisy.shape).astype(np.float32)
    spreads = [detail.median_blurred(noisy, power / 100)[5:55, 5:25].std() for power in (0, 50, 100, 300)]
    assert spreads == sorted(spreads, reverse=True) and spreads[-1] < spreads[0] / 4
    steps = detail.median_blurred(noisy, 3)[5:55, 24:36].mean(axis=(0, 2))
    assert np.diff(steps).max() > 0.3
    found = [roughness(converted(denoise=power)) for power in (0, 100, 500)]
    assert found == sorted(found, reverse=True) and found[-1] < 0.8 * found[0]


def test_resolution_goes():
    found = [roughness(converted(bicubic_degrade=percent)) for percent in (0, 30, 60, 90)]
    assert found == sorted(found, reverse=True) and found[-1] < 0.3 * found[0]


def test_colours_go():
    core = cv2.erode(INSIDE.astype(np.uint8), np.ones((9, 9))) > 0
    counts = [len(np.unique(converted(color_degrade=power)[core], axis=0)) for power in (0, 100)]
    assert counts[1] <= 256 < counts[0]
    plain = np.random.default_rng(0).random((60, 60, 3), np.float32)
    few = in_few_colours(plain)
    assert len(np.unique(few.reshape(-1, 3), axis=0)) == 256
    assert few.mean() == pytest.approx(plain.mean(), abs=1e-3) and np.abs(few - plain).mean() < 0.05
    np.testing.assert_allclose(in_few_colours(few), few, atol=1 / 32)


class TestMotion:
    def test_it_is_measured_between_the_neighbours(self):
        before, after, far = (POINTS + np.array(way) for way in ((-6, -2), (10, 2), (300, 0)))
        assert in_pixels(motion_of(POINTS, [far, before], [after]), POINTS) == pytest.approx((8, 2))
        assert in_pixels(motion_of(POINTS, [], [after, far]), POINTS) == pytest.approx((10, 2))
        assert motion_of(POINTS, [far], []) == (0, 0)
        twice = [2 * points for points in (POINTS, before, after)]
        assert motion_of(twice[0], twice[1:2], twice[2:]) == pytest.approx(motion_of(POINTS, [before], [after]))

    def test_the_face_is_blurred_along_its_way_and_as_far_as_the_power_says(self):
        face = DstFace(POINTS, motion=(16 / spread(POINTS), 0.0))
        core = cv2.erode(INSIDE.astype(np.uint8), np.ones((25, 25))) > 0
        found = {}
        for name, way in (("upright", np.s_[None, None, :, None]), ("level", np.s_[None, :, None, None])):
            stripes = (np.arange(128) // 8 % 2).astype(np.float32)[way]
            images = (
                converted(lambda faces, s=stripes: (s + 0 * faces, other(faces)[1]), face, motion_blur=percent)
                for percent in (0, 50, 100)
            )
            found[name] = [image[core].std() for image in images]
        assert found["upright"][0] > 1.3 * found["upright"][1] > 1.3**2 * found["upright"][2]
        assert found["level"] == pytest.approx([found["level"][0]] * 3, rel=0.05)
        np.testing.assert_array_equal(converted(motion_blur=100)[core], converted()[core])  # a face at rest

    @pytest.mark.parametrize("motion", [(9.0, 0.0), (0.0, -9.0), (6.0, 6.0), (400.0, 0.0)])
    def test_a_point_becomes_a_line(self, motion):
        point = np.zeros((121, 121, 1), np.float32)
        point[60, 60] = 1
        line = detail.motion_blurred(point, motion).reshape(121, 121)
        y, x = np.nonzero(line > 1e-4)
        length = min(np.hypot(*motion), 50)
        assert line.sum() == pytest.approx(1, abs=1e-4) and np.hypot(np.ptp(x), np.ptp(y)) == pytest.approx(
            length, abs=3
        )
        weights = line[y, x]
        way = np.cov(np.stack([x, y]), aweights=weights, bias=True)
        assert np.sqrt(12 * np.linalg.eigvalsh(way)[-1]) == pytest.approx(length, rel=0.1)
        assert np.array(motion) @ way @ (np.array(motion)[::-1] * (1, -1)) == pytest.approx(0, abs=1)


def test_teeth_stay_and_the_tongue_does_not():
    points = POINTS.copy()
    points[65:68, 1] += 16  # the lower inner lip
    frame = np.zeros((220, 260, 3), np.uint8) + np.uint8([120, 150, 190])
    opening = mouth_opening_mask(points, frame.shape[:2]) > 0.5
    rows = np.mgrid[:220, :260][0]
    middle = int(np.median(np.nonzero(opening)[0]))
    frame[opening & (rows < middle)] = (150, 160, 165)  # teeth
    frame[opening & (rows >= middle)] = (50, 50, 120)  # tongue

    def blue(faces):
        return np.zeros_like(faces) + np.float32([1, 0, 0]), np.ones((*faces.shape[:3], 1), np.float32)

    result = converted(blue, points, frame, keep=(KeepZone.TEETH,))
    core = cv2.erode(opening.astype(np.uint8), np.ones((3, 3))) > 0
    kept = np.abs(result - frame).max(axis=2)
    teeth, tongue = core & (rows < middle - 2), core & (rows > middle + 4)
    assert teeth.sum() > 20 and tongue.sum() > 20
    assert np.median(kept[teeth]) < 40 and np.median(kept[tongue]) > 120


class TestModes:
    def test_raw_rgb_is_the_whole_square(self):
        raw = Parameters(Mode.RAW_RGB, learned="none")
        area = replaced(convert_alone(FRAME, [POINTS], other, FULL, raw).astype(int))
        np.testing.assert_allclose(box(area), box(transform_square(FaceType.FULL)), atol=2)

    def test_raw_predict_is_the_prediction_pixel_by_pixel(self):
        faces = np.random.default_rng(0).random((1, 128, 128, 3), np.float32)
        image = converted(lambda _: (faces, faces[..., :1]), mode=Mode.RAW_PREDICT)
        top, left = (220 - 128) // 2, (260 - 128) // 2
        np.testing.assert_allclose(image[top : top + 128, left : left + 128], faces[0] * 255, atol=0.5)
        assert image.sum() == image[top : top + 128, left : left + 128].sum()

    def test_original_is_the_frame(self):
        np.testing.assert_array_equal(converted(mode=Mode.ORIGINAL), FRAME)

    def test_multiband_hides_the_step_and_leaves_what_is_no_face(self):
        def brighter(faces):
            return np.clip(faces + np.float32(0.2), 0, 1), np.ones((*faces.shape[:3], 1), np.float32)

        flat = np.full_like(FRAME, 120)
        plain, done = (converted(brighter, frame=flat, mode=mode) for mode in (Mode.OVERLAY, Mode.MULTIBAND))
        grown = cv2.dilate(hull_mask(POINTS, FRAME.shape[:2]), np.ones((9, 9))) > 0
        row = int(POINTS[30, 1])  # from there on down; upwards the mode reaches over the brows
        np.testing.assert_array_equal(done[row:][~grown[row:]], flat[row:][~grown[row:]])
        steps = [np.abs(np.diff(image[row, :, 0])).max() for image in (plain, done)]
        assert steps[1] < 0.75 * steps[0] and done[row, 130, 0] > 150

    def test_a_spline_of_one_mask_everywhere_is_that_image(self):
        under, over = (scene(70, 90, seed).astype(np.float32) / 255 for seed in (1, 2))
        ones = np.ones((70, 90), np.float32)
        np.testing.assert_allclose(spline(under, over, ones, 3), over, atol=1e-5)
        np.testing.assert_allclose(spline(under, over, 0 * ones, 3), under, atol=1e-5)


@pytest.mark.parametrize("mode", ["raw-predict", "original", "raw-rgb"])
def test_what_plays_no_part_in_a_mode_changes_nothing_of_it(mode):
    plain = ConvertOptions(mode=mode)
    changed = {spec.name: next((c for c in spec.choices if c != spec.default), spec.high) for spec in controls()}
    changed |= {"mode": mode} | ({"opacity": 100} if mode == "raw-rgb" else {})
    assert resolve_parameters(plain, DEFAULTS) == resolve_parameters(dataclasses.replace(plain, **changed), DEFAULTS)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("raw-predict", "original")])
def test_with_a_face_that_is_dsts_own_every_mode_gives_the_frame_back(mode):
    result = converted(identity(), mode=Mode(mode))
    assert np.abs(result - FRAME).mean() < 1.5 or mode == "hist-match-bw"
