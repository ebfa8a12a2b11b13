"""The light of dst on the features of src: what is kept of either, and that nothing comes in from outside."""

import cv2
import numpy as np
import pytest

from convert.drawn_faces import ellipse
from facewright.convert.light import relight, shade

SIDE = 160
MASK = cv2.ellipse(np.zeros((SIDE, SIDE), np.float32), (80, 80), (50, 62), 0, 0, 360, 1.0, -1)
INSIDE = MASK > 0.5
SKIN = np.float32([0.45, 0.55, 0.75])


def face(eyes: int = 60, shadow: float = 0.0, cast: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """A drawn face: dark eyes at a height, a shadow that falls from the left, a cast of colour."""
    image = np.tile(SKIN, (SIDE, SIDE, 1))
    for x in (60, 100):
        cv2.ellipse(image, (x, eyes), (9, 4), 0, 0, 360, (0.1, 0.1, 0.15), -1, cv2.LINE_AA)
    cv2.ellipse(image, (80, 112), (16, 5), 0, 0, 360, (0.3, 0.3, 0.6), -1, cv2.LINE_AA)
    falling = 1 - shadow * np.linspace(1, 0, SIDE, dtype=np.float32)[None, :, None]
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.2) * falling + np.float32(cast), 0, 1).astype(np.float32)


def lab(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(image.astype(np.float32), cv2.COLOR_BGR2Lab))


def low(image: np.ndarray) -> np.ndarray:
    return shade(lab(image), INSIDE.astype(np.float32), 14.0)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean colour difference inside the mask, dE."""
    return float(np.linalg.norm(one - other, axis=2)[INSIDE].mean())


def test_the_frames_own_face_comes_back() -> None:
    frame = face(shadow=0.5)
    assert np.abs(relight(frame, frame, MASK) - frame)[INSIDE].max() < 0.01


def test_light_and_colour_are_dsts_and_eyes_are_srcs() -> None:
    frame, predicted = face(eyes=56, shadow=0.6), face(eyes=66, cast=(0.15, 0.0, -0.1))
    result = relight(predicted, frame, MASK)
    assert apart(low(predicted), low(frame)) > 10
    assert apart(low(result), low(frame)) < 1.5
    lightness = lab(result)[..., 0]
    assert lightness[66, 60] < lightness[56, 60] - 20  # dark where src's eye is, no ghost of dst's above it


def test_contrast_is_led_towards_dsts() -> None:
    frame = face()
    pale = (SKIN + (face() - SKIN) * 0.4).astype(np.float32)
    depth = {name: np.ptp(lab(image)[..., 0][INSIDE]) for name, image in (("dst", frame), ("pale", pale))}
    assert depth["pale"] < 0.6 * depth["dst"]
    assert depth["pale"] + 0.4 * (depth["dst"] - depth["pale"]) < np.ptp(
        lab(relight(pale, frame, MASK))[..., 0][INSIDE]
    )


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_few_pixels_of_the_frame_do_not_change_the_sharpness_of_the_face(value: float) -> None:
    """What the darkest and the lightest pixels are changes from frame to frame; eyes and lips must not pump with it."""
    frame, predicted = face(eyes=56), face(eyes=66)
    plain = relight(predicted, frame, MASK)
    frame[84:87, 78:81] = value
    away = INSIDE & ~(cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (79, 85), 8, 1, -1) > 0)
    change = np.abs(lab(relight(predicted, frame, MASK)) - lab(plain))[away][:, 0]
    assert change.max() < 2.5  # of L: the shade moves by as much


def test_a_prediction_without_detail_gets_no_spots() -> None:
    flat = np.tile(SKIN, (SIDE, SIDE, 1))
    flat += np.random.default_rng(3).normal(0, 1e-4, flat.shape).astype(np.float32)
    flat[70:73, 70:73] += 0.02
    result = lab(relight(flat, face(), MASK))[..., 0]
    frame = lab(face())[..., 0]
    assert np.abs(result - low(face())[..., 0])[INSIDE].max() < 2 * np.ptp(frame[INSIDE])


@pytest.mark.parametrize("around", [(0, 0, 0), (1, 1, 1), (0, 1, 0)])
def test_what_lies_outside_the_mask_changes_nothing_inside(around: tuple[float, float, float]) -> None:
    frame, predicted = face(shadow=0.4), face(eyes=66)
    expected = relight(predicted, frame, MASK)
    frame[~INSIDE] = predicted[~INSIDE] = around
    well_inside = cv2.erode(MASK, np.ones((9, 9))) > 0.5  # the grain looks a few pixels far
    assert np.abs(relight(predicted, frame, MASK) - expected)[well_inside].max() < 1e-4


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
def test_the_grain_of_the_frame_is_on_the_face(noise: float) -> None:
    grain = np.random.default_rng(5).normal(0, noise, (SIDE, SIDE, 3)).astype(np.float32) if noise else 0
    frame = np.clip(face(shadow=0.3) + grain, 0, 1).astype(np.float32)
    skin = np.s_[80:100, 60:100]
    fine = [image - cv2.GaussianBlur(image, (0, 0), 1.5) for image in (frame, relight(face(eyes=66), frame, MASK))]
    there, got = (part[skin].std() for part in fine)
    assert got == pytest.approx(there, rel=0.15, abs=0.001)


@pytest.mark.parametrize("scale", [0.25, 3])
def test_all_sizes_follow_the_face(scale: float) -> None:
    def sized(image: np.ndarray) -> np.ndarray:
        return cv2.resize(
            image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )

    frame, predicted = face(eyes=56, shadow=0.6), face(eyes=66, cast=(0.15, 0.0, -0.1))
    other = relight(sized(predicted), sized(frame), sized(MASK))
    plain = sized(relight(predicted, frame, MASK))
    difference = np.abs(other - plain)[cv2.erode(sized(MASK), np.ones((5, 5))) > 0.9]
    assert difference.mean() < 0.012


def test_a_face_of_a_few_pixels_is_left_as_predicted() -> None:
    predicted = face()
    assert relight(predicted, face(shadow=0.5), ellipse(SIDE) * 0) is predicted
