"""Colours of training samples: those of another face, and random hue, saturation and value."""

import numpy as np
import pytest

from convert.drawn_faces import landmarks
from facewright.data.augment import draw_params
from facewright.data.colour import MAX_CAST, MAX_GAIN, TRANSFERS, shifted
from facewright.data.sample import PreparedFace, Sample, make_sample
from facewright.data.sampler import Sampler
from facewright.faces.align import FaceType
from facewright.faces.mask import hull_mask
from facewright.models.quick import Quick

SIDE = 64


def face(colour, behind, seed):
    """Return a face of one colour with some noise, before something of another colour."""
    points = landmarks((SIDE / 2, SIDE / 2), SIDE * 0.55, 4).astype(np.float32)
    hull = (hull_mask(points, (SIDE, SIDE)) * 255).astype(np.uint8)
    noise = np.random.default_rng(seed).normal(0, 12, (SIDE, SIDE, 3))
    image = np.where(hull[..., None] > 127, colour, behind) + noise
    return PreparedFace(image.clip(0, 255).astype(np.uint8), {"mask": hull}, points)


SRC, DST = face((60, 90, 180), (0, 0, 0), 0), face((120, 110, 100), (0, 255, 0), 1)


def samples(**given):
    """Return what a model asks for; the input alone is shifted."""
    shift = given.pop("hsv", 0.0)
    return (
        Sample("warped", "image", SIDE, FaceType.FULL, warp=True, interpolation="cubic", hsv=shift, **given),
        Sample("target", "image", SIDE, FaceType.FULL, **given),
        Sample("mask", "mask", SIDE, FaceType.FULL),
    )


def inner(output, mask):
    """Return the mean colour well inside the mask."""
    return output[mask[..., 0] > 0.99].mean(axis=0)


@pytest.mark.parametrize("name", [name for name in TRANSFERS if name != "none"])
def test_a_face_gets_the_colours_of_the_other_face_and_not_of_what_lies_behind_it(name):
    params = draw_params(np.random.default_rng(3), flip=False)
    wanted = samples(transfer=name)
    warped, target, mask = make_sample(SRC, wanted, params, DST)
    _, theirs, their_mask = make_sample(DST, wanted, None)
    for output in (warped, target):
        np.testing.assert_allclose(inner(output, mask), inner(theirs, their_mask), atol=0.03)
    _, own, _ = make_sample(SRC, samples(transfer="none"), params, DST)
    assert np.abs(inner(own, mask) - inner(theirs, their_mask)).max() > 0.2


def test_a_third_of_the_circle_makes_red_green():
    red = np.full((2, 2, 3), (0, 0, 0.8), np.float32)
    np.testing.assert_allclose(shifted(red, 2 / 3, (1, 0, 0)), np.full((2, 2, 3), (0, 0.8, 0)), atol=1e-5)
    np.testing.assert_allclose(shifted(red, 0.2, (0, 0, -1)), np.full((2, 2, 3), (0, 0, 0.7)), atol=1e-5)
    np.testing.assert_allclose(shifted(red, 0.5, (0, -1, 0)), np.full((2, 2, 3), (0.2, 0.2, 0.8)), atol=1e-5)


class OneFace:
    """A store of a single face."""

    def __init__(self, only):
        self.only = only

    def face(self, index):
        return self.only

    def __len__(self):
        return 1


def test_the_input_is_shifted_as_far_as_allowed_and_the_target_stays():
    sampler = Sampler(OneFace(SRC), samples(hsv=0.2), np.random.default_rng(0), flip=False, jitter=0)
    plain = Sampler(OneFace(SRC), samples(), np.random.default_rng(0), flip=False, jitter=0)
    batch, still = sampler.batch(60), plain.untouched([0])
    assert np.abs(batch["target"] - still["target"]).max() < 0.02
    values = batch["warped"][:, 24:40, 24:40].max(axis=-1).mean(axis=(1, 2))  # V of HSV
    usual = still["warped"][0, 24:40, 24:40].max(axis=-1).mean()
    assert -0.103 <= (values - usual).min() < -0.07 and 0.07 < (values - usual).max() <= 0.103
    np.testing.assert_array_equal(sampler.untouched([0])["warped"], still["warped"])


def test_colours_are_drawn_from_all_faces_of_the_other_person():
    class Two(OneFace):
        def face(self, index):
            return (SRC, DST)[index]

        def __len__(self):
            return 2

    sampler = Sampler(
        OneFace(SRC), samples(transfer="lct"), np.random.default_rng(1), flip=False, jitter=0, like=Two(SRC)
    )
    batch = sampler.batch(40)
    blue = np.array([inner(target, mask)[0] for target, mask in zip(batch["target"], batch["mask"], strict=True)])
    assert 8 < (blue > 0.35).sum() < 32  # DST's faces are bluer
    state = sampler.state()
    again = Sampler(
        OneFace(SRC), samples(transfer="lct"), np.random.default_rng(9), flip=False, jitter=0, like=Two(SRC)
    )
    again.set_state(state)
    np.testing.assert_array_equal(sampler.batch(4)["target"], again.batch(4)["target"])


def test_input_and_target_stand_in_the_same_random_light():
    """Gain and cast are drawn evenly; the mask stays, and so does a face that is only shown."""
    wanted = samples(light=1.0)
    sampler = Sampler(OneFace(SRC), wanted, np.random.default_rng(2), flip=False, jitter=0)
    batch, still = sampler.batch(200), sampler.untouched([0])
    middle = np.s_[:, 24:40, 24:40]
    gains = {}
    for name in ("warped", "target"):
        gains[name] = batch[name][middle].mean(axis=(1, 2)) / still[name][middle].mean(axis=(1, 2))
    np.testing.assert_allclose(gains["warped"], gains["target"], rtol=0.05)  # the warp moves other noise there
    logarithms = np.log(gains["target"])
    assert np.abs(logarithms).max() < MAX_GAIN + MAX_CAST
    assert logarithms.std() == pytest.approx(np.hypot(MAX_GAIN, MAX_CAST) / np.sqrt(3), rel=0.1)
    own = logarithms - logarithms.mean(axis=1, keepdims=True)
    assert own.std() == pytest.approx(MAX_CAST * np.sqrt(2) / 3, rel=0.1)
    np.testing.assert_array_equal(batch["mask"], np.repeat(still["mask"], 200, axis=0))
    assert batch["target"].max() <= 1


def test_quicks_images_stand_in_random_light_where_that_is_asked_for():
    asked = Quick(Quick.Options(random_light=0.5), scale=1 / 16)
    for side in ("src", "dst"):
        assert {sample.name: sample.light for sample in asked.samples(side) if sample.light} == {
            "warped": 0.5,
            "target": 0.5,
        }
    assert not any(sample.light for sample in Quick(Quick.Options(), scale=1 / 16).samples())


def test_quick_warps_no_face_where_that_is_switched_off():
    plain, still = (Quick(Quick.Options(random_warp=warp), scale=1 / 16).samples() for warp in (True, False))
    assert [sample.name for sample in plain if sample.warp] == ["warped"]
    assert not any(sample.warp for sample in still)
