"""One frame: the region's picture equals the whole frame's, nothing else is touched, edges of all kinds."""

import base64

import cv2
import numpy as np
import pytest

from convert.drawn_faces import constant, convert_alone, dst_faces, ellipse, identity, landmarks, scene
from facewright.convert import edge, pipeline
from facewright.convert.blend import Mode, mix, recolour, rematch, to_bytes, visible_mask, warp_back
from facewright.convert.edge import Region
from facewright.convert.light import relight
from facewright.convert.masks import DstFace, MaskKind, RecordMask, allowed_mask
from facewright.convert.parameters import Parameters
from facewright.convert.pipeline import ModelInput, Prediction, blend_faces, cut_faces
from facewright.convert.poisson import clone
from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.faces.align import FaceType, align_matrix, cut, transform_points
from facewright.faces.mask import hull_mask

HALF = ModelInput(64, FaceType.HALF)
FULL = ModelInput(64, FaceType.FULL)
RED = (0.1, 0.1, 0.9)
IN_FRAME = [mode for mode in Mode if mode not in (Mode.RAW_PREDICT, Mode.ORIGINAL)]


def tinted(faces):
    """A face of other contrast, colour and sharpness, mirrored, inside a disc."""
    tint = np.float32([0.05, 0.15, 0.3])
    return faces[:, :, ::-1] * np.float32(0.6) + tint, identity()(faces)[1]


def whole_frame(frame, points, predict, shape, parameters):
    """The same operations on the whole frame, written down step by step."""
    height, width = frame.shape[:2]
    matrix = align_matrix(points, shape.face_type, shape.side)

    def back(picture, *, extend=False):
        return np.clip(warp_back(picture, matrix, (height, width), extend=extend), 0, 1)

    face = np.clip(np.asarray(cut(frame.astype(np.float32), matrix, shape.side), np.float32) / 255, 0, 1)
    picture, mask = (result[0] for result in predict(face[None]))
    if parameters.mode is Mode.LIGHT:
        mask = edge.lifted(mask[..., 0], parameters.erode)[..., None]
    measured = visible_mask(matrix, shape.side, (height, width)) * (mask[..., 0] if parameters.masked_hist_match else 1)
    picture = recolour(picture, face, measured, parameters.mode)
    warped = back(mask[..., 0])
    warped[warped <= 0.1] = 0
    length = min(edge.region_of(warped > 0.9).size)
    eroded = edge.erode(warped, edge.erode_size(length, parameters.erode))
    soft = np.clip(edge.soften(eroded, edge.blur_size(length, parameters.blur)), 0, 1)
    under, over = frame.astype(np.float32) / 255, back(picture, extend=True)
    if parameters.mode is Mode.LIGHT:
        over = relight(over, under, warped)
    if parameters.mode.clones:
        drawn_in = edge.erode(warped, max(edge.erode_size(length, parameters.erode), 0))
        over = clone(mix(under, over, warped), under, drawn_in > 0.9)
    if parameters.border:
        border = back(edge.border_mask(shape.side, parameters.border))
        over, soft = mix(under, over, border), soft * border
    blended = mix(under, over, soft)
    if parameters.mode is Mode.SEAMLESS_HIST_MATCH:
        again = np.clip(np.asarray(cut(blended, matrix, shape.side), np.float32), 0, 1)
        visible = visible_mask(matrix, shape.side, (height, width))
        blended = mix(under, rematch(blended, again, face, visible), soft)
    return to_bytes(blended)


@pytest.mark.parametrize("mode", [mode for mode in IN_FRAME if mode is not Mode.MULTIBAND])  # its bands have a grid
@pytest.mark.parametrize(("shape", "border"), [(HALF, 0.0), (FULL, 0.046875)])
@pytest.mark.parametrize("turn", [0, 23])
def test_the_region_gives_the_same_picture_as_the_whole_frame(mode, shape, border, turn):
    frame, points = scene(240, 320), landmarks((150, 120), 90, turn)
    parameters = Parameters(mode, 40, 80, True, border)
    predict = tinted
    small = convert_alone(frame, [points], predict, shape, parameters).astype(int)
    whole = whole_frame(frame, points, predict, shape, parameters).astype(int)
    difference = np.abs(small - whole)
    # The curves of a second histogram matching are steep in places and enlarge the last bit there; light measures on a
    # coarser grid, which begins at the region's corner.
    rough = mode in (Mode.SEAMLESS_HIST_MATCH, Mode.LIGHT)
    assert difference.max() <= (4 if rough else 1) and (difference > 1).mean() < 1e-3
    assert np.abs(small - frame).max() > 10


def exact_warp(image, matrix, size, *, extend):
    """Lanczos-4 at the very places, without OpenCV's steps."""
    places = transform_points(np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), -1).reshape(-1, 2), matrix)
    first = np.floor(places).astype(int)
    taps = np.arange(-3, 5)
    apart = (places - first)[..., None] - taps
    weights = np.where(np.abs(apart) < 4, np.sinc(apart) * np.sinc(apart / 4), 0)
    weights /= weights.sum(-1, keepdims=True)
    padded = np.pad(image.astype(float), ((8, 8), (8, 8), (0, 0)), "edge" if extend else "constant")
    xs, ys = (np.clip(first[:, axis, None] + taps + 8, 0, len(padded) - 1) for axis in (0, 1))
    read = padded[ys[:, :, None], xs[:, None, :]]
    return np.einsum("nyxc,ny,nx->nc", read, weights[:, 1], weights[:, 0]).reshape(*size, -1)


@pytest.mark.parametrize("side", [64, 200])  # much smaller than its place in the frame, and as large
@pytest.mark.parametrize("extend", [True, False])
def test_a_face_is_enlarged_as_exactly_as_by_opencvs_warp(side, extend):
    image = cv2.GaussianBlur(np.float32(np.random.default_rng(1).random((side, side, 3))), (0, 0), 1.0)
    matrix = cv2.getRotationMatrix2D((110, 100), 12, side / 170)
    matrix[:, 2] += side / 2 - np.float64((110, 100))
    done = warp_back(image, matrix, (200, 220), extend=extend)
    error = np.abs(done - exact_warp(image, matrix, (200, 220), extend=extend))
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE if extend else cv2.BORDER_CONSTANT
    direct = cv2.warpAffine(image, matrix, (220, 200), flags=flags, borderMode=border)
    assert error.mean() <= 1.2 * np.abs(direct - exact_warp(image, matrix, (200, 220), extend=extend)).mean()


@pytest.mark.parametrize("mode", IN_FRAME)
def test_identity_gives_nearly_the_frame_back(mode):
    frame, points = scene(200, 200), landmarks((100, 100), 64)
    result = convert_alone(frame, [points], identity(), HALF, Parameters(mode, 30, 30))
    if mode is Mode.HIST_MATCH_BW:
        return  # grey by design
    assert np.abs(result.astype(int) - frame).mean() < 1.5


def test_the_face_lands_where_it_was_cut():
    """A predictor that gives the face back must not shift it: half a pixel would show in a ramp."""
    y, x = np.mgrid[:240, :320]
    frame = np.dstack([x * 0.7, y, x * 0.3 + y * 0.5]).clip(0, 255).astype(np.uint8)
    points = landmarks((160, 120), 130, turn=9)
    for side in (64, 96, 128):
        result = convert_alone(frame, [points], identity(), ModelInput(side, FaceType.HALF), Parameters(Mode.OVERLAY))
        difference = result.astype(float) - frame
        assert np.abs(difference[80:160, 120:200].mean()) < 0.05 and np.abs(difference).max() <= 2


def test_a_small_face_is_reduced_without_shift():
    y, x = np.mgrid[:120, :160]
    frame = np.dstack([x, y * 1.5, x * 0.3 + y]).clip(0, 255).astype(np.uint8)
    points = landmarks((80, 60), 30, turn=4)
    result = convert_alone(frame, [points], identity(), ModelInput(128, FaceType.HALF), Parameters(Mode.OVERLAY))
    difference = result.astype(float) - frame
    assert np.abs(difference).max() <= 3 and abs(difference[45:75, 65:95].mean()) < 0.3


def test_only_the_region_is_touched_and_the_frame_is_not_changed():
    frame = scene(300, 400)
    before = frame.copy()
    result = convert_alone(frame, [landmarks((100, 100), 60)], constant(RED), HALF, Parameters(Mode.OVERLAY))
    assert (frame == before).all()
    assert (result[170:] == frame[170:]).all() and (result[:, 170:] == frame[:, 170:]).all()
    np.testing.assert_allclose(result[95:105, 95:105], np.broadcast_to(np.float32(RED) * 255, (10, 10, 3)), atol=1)


@pytest.mark.parametrize("mode", IN_FRAME)
@pytest.mark.parametrize("centre", [(0, 60), (60, 0), (119, 60), (60, 119), (0, 0), (119, 119), (-12, 60)])
def test_faces_cut_off_by_the_frame(mode, centre):
    """Nothing fails, nothing dark bleeds in, and what is far from the face stays."""
    frame = np.full((120, 120, 3), 150, np.uint8)
    frame[:, :, 1] = 170
    points = landmarks(centre, 60, turn=5)
    result = convert_alone(frame, [points], constant((0.9, 0.9, 0.9)), HALF, Parameters(mode, 20, 40, True, 0.0))
    assert result.shape == frame.shape and result.min() >= 140
    far = np.hypot(*np.mgrid[-centre[1] : 120 - centre[1], -centre[0] : 120 - centre[0]]) > 50
    assert (result[far] == frame[far]).all()


def test_seamless_at_the_border_keeps_the_place_of_a_detail():
    frame = np.full((120, 120, 3), 128, np.uint8)

    def predict(faces):
        pictures = np.full_like(faces, 0.5)
        pictures[:, 28:36, 36:44] = 1.0
        return pictures, np.ones((len(faces), 64, 64, 1), np.float32)

    inside = landmarks((60, 60), 64)
    reference = convert_alone(frame, [inside], predict, HALF, Parameters(Mode.SEAMLESS))
    at_border = convert_alone(frame[:, 50:], [inside - (50, 0)], predict, HALF, Parameters(Mode.SEAMLESS))
    for picture, shift in ((reference, 50), (at_border, 0)):
        bright = np.argwhere(picture[:, shift:, 0] > 170)
        assert len(bright) > 30
        np.testing.assert_allclose(bright.mean(0), (60 - 0.7, 10 + 8.3), atol=1.2)


@pytest.mark.parametrize("margins", [(2, 20, 20, 20), (20, 2, 20, 20), (20, 20, 2, 20), (20, 20, 20, 2)])
def test_a_region_that_does_not_touch_the_border_is_opencvs_clone_but_for_its_bytes(margins):
    """Two pixels are enough on every side: left, top, right, bottom. The region's sides suit the transform."""
    left, top, right, bottom = margins
    under, source = scene(73, 83, 1), scene(73, 83, 2)
    inside = np.zeros((73, 83), bool)
    inside[top : 73 - bottom, left : 83 - right] = True
    centre = (left + (83 - right - left) // 2, top + (73 - bottom - top) // 2)
    expected = cv2.seamlessClone(source, under, inside.astype(np.uint8) * 255, centre, cv2.NORMAL_CLONE)
    cloned = 255 * clone(*(np.float32(image) / 255 for image in (source, under)), inside)
    # OpenCV cuts its results off to bytes.
    assert np.abs(cloned - 0.5 - expected).max() < 0.51


def test_several_faces_larger_first():
    frame = scene(200, 300)
    near, far = landmarks((110, 100), 90), landmarks((190, 100), 40)
    faces = cut_faces(frame, dst_faces(far, near), HALF, Parameters())
    scales = [np.hypot(*matrix[:, 0]) for matrix in faces.matrices]
    assert scales[0] < scales[1], "the larger face has the smaller scale frame -> aligned"
    pictures = np.stack([np.full((64, 64, 3), value, np.float32) for value in (0.2, 0.8)])
    masks = np.repeat(ellipse(64)[None, ..., None], 2, axis=0)
    result, count = blend_faces(frame, faces, Prediction(pictures, masks), Parameters(Mode.OVERLAY))
    assert count == 2
    assert (result[100, 190] == 204).all() and (result[100, 100] == 51).all()
    both = convert_alone(frame, [near, far], constant(RED), HALF, Parameters())
    assert (both == convert_alone(frame, [far, near], constant(RED), HALF, Parameters())).all()


def test_a_face_the_model_does_not_see_is_left_as_it_is():
    frame, points = scene(150, 150), landmarks((75, 75), 60)
    faces = cut_faces(frame, dst_faces(points), HALF, Parameters())
    for mask in (np.zeros((1, 64, 64, 1), np.float32), np.full((1, 64, 64, 1), 0.8, np.float32)):
        result, count = blend_faces(frame, faces, Prediction(faces.images, mask), Parameters())
        assert count == 0 and (result == frame).all()


@pytest.mark.parametrize("mode", IN_FRAME)
@pytest.mark.parametrize("side", [0.5, 2, 4, 5, 6, 8, 11])
def test_tiny_faces_do_not_fail(mode, side):
    frame = scene(60, 60)
    result = convert_alone(frame, [landmarks((30, 30), side)], constant(RED), FULL, Parameters(mode, 100, 100))
    assert np.abs(result.astype(int) - frame)[:20].max() == 0


@pytest.mark.parametrize("mode", IN_FRAME)
def test_a_frame_of_one_pixel_and_wild_landmarks(mode):
    frame = np.full((1, 1, 3), 7, np.uint8)
    assert (convert_alone(frame, [landmarks((0, 0), 1)], constant(RED), HALF, Parameters(mode)) == 7).all()
    for points in (landmarks((1e6, -1e6), 50), landmarks((0, 0), 1e6), landmarks((5, 5), 1e-3)):
        assert convert_alone(scene(20, 30), [points], constant(RED), HALF, Parameters(mode)).shape == (20, 30, 3)


def test_the_extremes_of_erode_and_blur():
    frame, points = scene(260, 260), landmarks((130, 130), 110)
    for erode in (-70, 0, 200):
        for blur in (-100, 0, 300):
            for mode in (Mode.OVERLAY, Mode.SEAMLESS):
                result = convert_alone(frame, [points], constant(RED), FULL, Parameters(mode, erode, blur))
                assert (result[:20] == frame[:20]).all()


def test_more_erosion_changes_less_and_dilation_more():
    frame, points = np.zeros((260, 260, 3), np.uint8), landmarks((130, 130), 110)
    sums = [
        convert_alone(frame, [points], constant(RED), FULL, Parameters(Mode.OVERLAY, erode)).sum(dtype=int)
        for erode in (-100, -50, 0, 50, 100, 200)
    ]
    assert (np.diff(sums) < 0).all()


def test_a_large_face_equals_its_whole_frame_but_for_the_reduced_erosion():
    frame, points = scene(700, 700), landmarks((350, 350), 480)
    parameters = Parameters(Mode.OVERLAY, 100, 0)
    small = convert_alone(frame, [points], constant(RED), HALF, parameters).astype(int)
    whole = whole_frame(frame, points, constant(RED), HALF, parameters).astype(int)
    assert np.abs(small - whole).mean() < 0.1


def test_hist_match_takes_the_frames_colours():
    frame = scene(200, 200)
    frame[..., 2] //= 3
    result = convert_alone(frame, [landmarks((100, 100), 80)], lambda f: (1 - f, constant(RED)(f)[1]), HALF,
                           Parameters(Mode.HIST_MATCH, 0, 0, True))  # fmt: skip
    inner, before = result[85:115, 85:115].reshape(-1, 3), frame[70:130, 70:130].reshape(-1, 3)
    assert np.abs(inner.mean(0) - before.mean(0)).max() < 15


def test_bw_takes_the_colour_of_the_face_before():
    frame, points = scene(200, 200), landmarks((100, 100), 80)
    result = convert_alone(frame, [points], constant((0.9, 0.1, 0.1)), HALF, Parameters(Mode.HIST_MATCH_BW))
    assert abs(result[100, 100].astype(float) - frame[60:140, 60:140].reshape(-1, 3).mean(0)).max() < 25


def test_a_broken_model_is_named():
    frame, points = scene(100, 100), landmarks((50, 50), 50)

    def predict(faces):
        return np.full_like(faces, np.nan), np.ones((*faces.shape[:3], 1), np.float32)

    with pytest.raises(UserError, match="not finite"):
        convert_alone(frame, [points], predict, HALF, Parameters())


def test_cut_gives_the_model_what_align_gives():
    frame, points = scene(300, 300), landmarks((140, 150), 100, turn=-20)
    faces = cut_faces(frame, dst_faces(points), HALF, Parameters())
    whole = np.asarray(cut(frame, align_matrix(points, FaceType.HALF, 64), 64), np.float32) / 255
    np.testing.assert_allclose(faces.images[0], whole, atol=1.01 / 255)
    assert cut_faces(frame, [], HALF, Parameters()).images.shape == (0, 64, 64, 3)


def test_square_region_lies_in_the_frame():
    matrix = align_matrix(landmarks((10, 10), 60), FaceType.HALF, 64)
    box = pipeline.square_region(matrix, 64, (100, 100))
    assert box.left == box.top == 0 and 40 < box.right < 60
    assert pipeline.square_region(align_matrix(landmarks((-500, 0), 60), FaceType.HALF, 64), 64, (100, 100)) is None
    assert isinstance(box, Region)


@pytest.mark.parametrize(
    ("x", "y", "box"),
    [
        (20, 30, (15, 25, 89, 99)),  # 5 px beyond the 64 on every side, the end exclusive, and one to spare
        (20.4, 30.6, (15, 25, 90, 100)),
        (-10, 3, (0, 0, 59, 72)),
        (150, 100, (145, 95, 200, 150)),
    ],
)
def test_the_region_holds_every_pixel_that_the_filter_reads(x, y, box):
    matrix = np.array([[1.0, 0, -x], [0, 1.0, -y]])
    assert pipeline.square_region(matrix, 64, (150, 200)) == Region(*box)


def everywhere(faces):
    """Another colour, with a mask of 1 everywhere."""
    return 1 - faces, np.ones((*faces.shape[:3], 1), np.float32)


def touched(frame, faces, parameters):
    return (convert_alone(frame, faces, everywhere, FULL, parameters) != frame).any(axis=2)


def test_within_the_hull_nothing_outside_dsts_own_face_changes():
    frame, points = scene(240, 320), landmarks((150, 120), 90, 0)
    hull = cv2.dilate(hull_mask(points, frame.shape[:2]), np.ones((13, 13), np.uint8)) > 0
    wide = touched(frame, [points], Parameters(Mode.OVERLAY))
    tight = touched(frame, [points], Parameters(Mode.OVERLAY, masks=(MaskKind.HULL,)))
    assert (wide & ~hull).any() and not (tight & ~hull).any()
    assert tight[int(points[30, 1]), int(points[30, 0])]


@pytest.mark.parametrize(("side", "grown"), [(64, 0), (128, 1), (256, 2), (512, 4)])
def test_the_hull_reaches_a_little_beyond_the_landmarks(side, grown):
    points = landmarks((150, 120), 90)
    matrix = align_matrix(points, FaceType.FULL, side)
    plain = hull_mask(transform_points(points, matrix), (side, side))
    hull = allowed_mask(DstFace(points), matrix, side, (MaskKind.HULL,))
    rows = slice(3 * side // 8, 5 * side // 8)  # cheeks: the outline is nearly upright there
    wider = (hull[rows] > 0.5).sum(axis=1) - (plain[rows] > 0.5).sum(axis=1)
    assert abs(np.median(wider) - 2 * grown) <= 1


def left_half(points, side=256):
    """Return the record's mask of a face: white where x of the aligned image is in its left half."""
    matrix = align_matrix(points, FaceType.FULL, side)
    mask = np.zeros((side, side), np.uint8)
    mask[:, : side // 2] = 255
    return RecordMask(base64.b64encode(encode(mask)).decode(), matrix)


@pytest.mark.parametrize("turn", [0, 35])
def test_inside_the_records_mask_only_what_it_shows_white_changes(turn):
    frame, points = scene(240, 320), landmarks((150, 120), 90, turn)
    own = DstFace(points, left_half(points))
    changed = touched(frame, [own], Parameters(Mode.OVERLAY, masks=(MaskKind.RECORD, MaskKind.MODEL)))
    y, x = np.mgrid[:240, :320]
    across = transform_points(np.stack([x.ravel(), y.ravel()], axis=1), own.mask.matrix)[:, 0].reshape(240, 320)
    plain = touched(frame, [points], Parameters(Mode.OVERLAY))
    assert not changed[across > 128 + 8].any() and (plain & (across > 128 + 8)).any()
    core = cv2.erode(plain.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert changed[core & (across < 128 - 8)].all() and core.any()


@pytest.mark.parametrize("text", [None, "", "no mask", base64.b64encode(b"no image").decode()])
@pytest.mark.parametrize("usual", [MaskKind.HULL, MaskKind.MODEL])
def test_a_face_without_a_readable_mask_is_done_as_usual(text, usual):
    frame, points = scene(240, 320), landmarks((150, 120), 90)
    face = DstFace(points, None if text is None else RecordMask(text, np.eye(2, 3)))
    with_record = touched(frame, [face], Parameters(Mode.OVERLAY, masks=(MaskKind.RECORD, usual)))
    assert (with_record == touched(frame, [points], Parameters(Mode.OVERLAY, masks=(usual,)))).all()


@pytest.mark.parametrize("mode", [Mode.HIST_MATCH, Mode.HIST_MATCH_BW])
def test_masked_histogram_matching_measures_inside_the_mask_only(mode):
    """Outside its mask the prediction is white where the frame is black: only measured there, too, does it darken."""
    frame, points = np.zeros((200, 200, 3), np.uint8), landmarks((100, 100), 80)
    inside = np.hypot(*(np.mgrid[:200, :200] - 100)) < 30
    frame[inside] = scene(200, 200)[inside] // 4 + 180

    def predict(faces):
        mask = constant(RED, 0.2)(faces)[1]
        return np.where(mask > 0.5, faces / 2, 1).astype(np.float32), mask

    middle, means = np.s_[90:110, 90:110], []
    for masked in (True, False):
        parameters = Parameters(mode, masked_hist_match=masked)
        means.append(convert_alone(frame, [points], predict, HALF, parameters)[middle].mean())
    assert abs(means[0] - frame[middle].mean()) < 8 and means[1] < means[0] - 20


def test_blur_softens_the_edge_of_the_face():
    """Along a line through the middle, the way from frame to face takes more pixels with blur than without."""
    frame, points = np.zeros((260, 260, 3), np.uint8), landmarks((130, 130), 110)
    widths = []
    for blur in (0, 100, 200):
        result = convert_alone(frame, [points], constant((1, 1, 1)), FULL, Parameters(Mode.OVERLAY, 0, blur))
        line = result[130, :, 0]
        widths.append(np.count_nonzero((line > 25) & (line < 230)))
    assert widths[0] + 6 < widths[1] and widths[1] + 6 < widths[2]


@pytest.mark.parametrize("mode", [Mode.HIST_MATCH, Mode.SEAMLESS_HIST_MATCH])
def test_what_lies_beyond_the_frame_is_not_measured(mode):
    """Half of the face is outside; the black there must not darken the half that is seen."""
    frame, points = scene(200, 200) // 4 + 180, landmarks((100, 100), 80)
    parameters = Parameters(mode, masked_hist_match=False)

    def predict(faces):
        return scene(64, 64, 3)[None].astype(np.float32) / 255, identity()(faces)[1]

    whole = convert_alone(frame, [points], predict, HALF, parameters)
    cut_off = convert_alone(frame[:, 100:], [points - (100, 0)], predict, HALF, parameters)
    middle = np.s_[80:120, 2:20]
    assert abs(whole[:, 100:][middle].mean() - cut_off[middle].mean()) < 12
    assert abs(cut_off[middle].mean() - frame[:, 100:][middle].mean()) < 12


@pytest.mark.parametrize("mode", IN_FRAME)
def test_what_a_model_paints_outside_its_range_counts_as_black_or_white(mode):
    frame, points = scene(200, 200), landmarks((100, 100), 80)

    def predict(faces, low=-np.inf, high=np.inf):
        return np.clip(3 * faces - 1, low, high), np.clip(3 * constant(RED)(faces)[1] - 1, low, high)

    wild, within = (
        convert_alone(frame, [points], lambda faces, ends=ends: predict(faces, *ends), FULL, Parameters(mode, 20, 20))
        for ends in ((), (0, 1))
    )
    assert (wild == within).all() and (wild != frame).any()


def test_bytes_are_rounded_and_cut_off_at_the_ends():
    values = np.float32([-1, -0.001, 0, 0.4 / 255, 0.6 / 255, 0.5, 1, 1.001, 3]).reshape(1, 3, 3)
    assert to_bytes(values).ravel().tolist() == [0, 0, 0, 0, 1, 128, 255, 255, 255]
