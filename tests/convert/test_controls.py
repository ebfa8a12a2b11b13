"""Each control of a conversion changes the frame in the direction that its help says, by as much as it says."""

import cv2
import numpy as np
import pytest

from convert.drawn_faces import convert_alone, dst_faces, identity, landmarks, scene
from facewright.convert.blend import Mode
from facewright.convert.controls import MODES
from facewright.convert.detail import moved_inside, sharpened
from facewright.convert.masks import KeepZone, MaskKind
from facewright.convert.parameters import Parameters
from facewright.convert.pipeline import ModelInput, cut_faces
from facewright.faces.align import FaceType
from facewright.faces.color_transfer import ColorTransfer
from facewright.faces.mask import eyes_mask, mouth_opening_mask

FULL = ModelInput(128, FaceType.FULL)
FRAME, POINTS = scene(260, 320), landmarks((150, 125), 110)
OVERLAY = Parameters(Mode.OVERLAY, 10, 10, masks=(MaskKind.HULL,))


def redder(faces):
    """The same face, redder and of less contrast."""
    return np.clip(faces * np.float32(0.6) + np.float32([0, 0.05, 0.3]), 0, 1), identity()(faces)[1]


def converted(**changes):
    parameters = Parameters(**{**vars(OVERLAY), **changes})
    return convert_alone(FRAME, [POINTS], redder, FULL, parameters).astype(int)


def replaced(image):
    return np.abs(image - FRAME.astype(int)).sum(axis=2)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("raw-predict", "original")])
def test_opacity_fades_to_dst(mode):
    whole, half, none = (converted(mode=Mode(mode), opacity=percent) for percent in (100, 50, 0))
    np.testing.assert_array_equal(none, FRAME)
    # seamless-hist-match measures the blended face, which is another one at half.
    most = 12 if mode == Mode.SEAMLESS_HIST_MATCH else 1
    assert np.abs(half - (whole + FRAME.astype(int)) / 2).max() <= most


def test_an_opened_mouth():
    points = POINTS.copy()
    points[65:68, 1] += 12  # the lower inner lip
    assert mouth_opening_mask(points, FRAME.shape[:2]).sum() > mouth_opening_mask(POINTS, FRAME.shape[:2]).sum() + 100


@pytest.mark.parametrize(("zone", "mask"), [(KeepZone.EYES, eyes_mask), (KeepZone.MOUTH, mouth_opening_mask)])
def test_what_is_kept_is_dsts_and_the_rest_is_replaced(zone, mask):
    points = POINTS.copy()
    points[65:68, 1] += 12
    parameters = Parameters(**{**vars(OVERLAY), "keep": (zone,)})
    kept, plain = (convert_alone(FRAME, [points], redder, FULL, p).astype(int) for p in (parameters, OVERLAY))
    drawn = mask(points, FRAME.shape[:2])
    inside = cv2.erode(drawn, np.ones((3, 3))) > 0.9
    far = cv2.dilate(drawn, np.ones((15, 15))) < 0.1
    assert inside.sum() > 30
    assert replaced(plain)[inside].mean() > 60 and replaced(kept)[inside].mean() < 20
    np.testing.assert_array_equal(kept[far], plain[far])


def test_nothing_is_kept_unless_asked():
    for zones, any_kept in (((), False), ((KeepZone.EYES,), True)):
        parameters = Parameters(**{**vars(OVERLAY), "keep": zones})
        assert bool(cut_faces(FRAME, dst_faces(POINTS), FULL, parameters).kept[0].any()) is any_kept


@pytest.mark.parametrize("percent", [-50, -20, 20, 50])
def test_the_face_grows_about_its_middle(percent):
    image = np.zeros((101, 101, 3), np.float32)
    for x, y in ((35, 50), (65, 50)):
        cv2.circle(image, (x, y), 4, (1, 1, 1), -1, cv2.LINE_AA)
    done = moved_inside(image, percent)[..., 0]
    centres = []
    for half in (np.s_[:, :50], np.s_[:, 51:]):
        ys, xs = np.nonzero(done[half] > 0.5)
        centres.append((xs.mean() + (half[1].start or 0), ys.mean()))
    assert centres[1][0] - centres[0][0] == pytest.approx(30 * (1 + percent / 100), abs=0.6)
    assert [c[1] for c in centres] == pytest.approx([50, 50], abs=0.3)
    assert (centres[0][0] + centres[1][0]) / 2 == pytest.approx(50, abs=0.3)


def test_a_larger_face_replaces_more_and_a_smaller_one_less():
    wide = Parameters(Mode.OVERLAY, 10, 10)
    areas = []
    for percent in (-30, 0, 15):
        parameters = Parameters(**{**vars(wide), "face_scale": percent})
        areas.append((replaced(convert_alone(FRAME, [POINTS], redder, FULL, parameters).astype(int)) > 10).sum())
    assert areas[0] == pytest.approx(areas[1] * 0.49, rel=0.12) and areas[2] > 1.1 * areas[1]


def test_sharpening_adds_detail_and_blurring_takes_it():
    inside = replaced(converted()) > 30

    def detail(**changes):
        grey = converted(**changes).mean(axis=2)
        return cv2.Laplacian(grey, cv2.CV_64F)[inside].std()

    found = [detail(sharpen=percent) for percent in (-100, -30, 0, 40, 100)]
    assert found == sorted(found) and found[-1] > 1.5 * found[2] > 2 * found[0]
    outside = replaced(converted()) == 0
    np.testing.assert_array_equal(converted(sharpen=100)[outside], FRAME[outside])


@pytest.mark.parametrize("size", [50.0, 200.0])
def test_the_width_of_the_sharpening_follows_the_face(size):
    step = np.zeros((201, 201), np.float32) + 0.3
    step[:, 100:] = 0.7
    over = sharpened(cv2.GaussianBlur(step, (0, 0), 1), 50, size)[100]
    assert np.count_nonzero(np.abs(over - cv2.GaussianBlur(step, (0, 0), 1)[100]) > 1e-3) == pytest.approx(
        2 * 2.3 * max(0.012 * size, 0.5) + 5, abs=5
    )


@pytest.mark.parametrize("kind", [kind for kind in ColorTransfer if kind is not ColorTransfer.NONE])
def test_a_colour_transfer_brings_the_face_nearer_to_dsts_colours(kind):
    plain, done = converted(), converted(color_transfer=kind)
    inside = replaced(plain) > 30
    means = [image[inside].mean(axis=0) for image in (FRAME, plain, done)]
    assert np.abs(means[2] - means[0]).max() < 0.5 * np.abs(means[1] - means[0]).max()
