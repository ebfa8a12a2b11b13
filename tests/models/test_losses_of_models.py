"""Total and reported losses of every step of every model, on random pictures and masks, against numpy."""

from dataclasses import dataclass, field

import cv2
import keras
import numpy as np
import pytest

from facewright.core.workspace import SIDES
from facewright.models import registry
from facewright.nn import devices
from nn import plain_losses as plain

SCALE = 1 / 32


@dataclass
class Face:
    """One person's faces: what the sampler gave, what the network made of it, and the person's critic.

    Attributes:
        target, hull, focus, portrait: Picture, its mask, where eyes and mouth are, the whole portrait.
        picture, mask, rendered: What was made of them.
        critic: A picture -> the critic's inner layers and scores.
    """

    target: np.ndarray
    hull: np.ndarray
    focus: np.ndarray
    portrait: np.ndarray
    picture: np.ndarray
    mask: np.ndarray
    rendered: np.ndarray
    critic: object = field(default=None)


def masked_dssim(face):
    return plain.dssim(face.target * face.hull, face.picture * face.hull)


def weighted_mae(face, weight):
    return (weight * np.abs(face.target - face.picture).mean(-1, keepdims=True)).sum() / weight.sum()


def in_one_step(src, dst):
    """H64, H128 (B.2): weights 1; the DSSIM terms are reported."""
    reported = {"src": masked_dssim(src), "dst": masked_dssim(dst)}
    return sum(reported.values()) + plain.mae(src.hull, src.mask) + plain.mae(dst.hull, dst.mask), reported


def in_turn(side):
    """DF, LIAEF, MIAEF (B.2): one person at a time, squared error of the mask; the total is reported."""

    def reference(src, dst):
        face = {"src": src, "dst": dst}[side]
        total = masked_dssim(face) + plain.mse(face.hull, face.mask)
        return total, {side: total}

    return reference


def avatar(src, dst):
    """B.9: nothing is masked."""
    small = plain.dssim(src.target, src.picture) + plain.dssim(dst.target, dst.picture)
    large = plain.dssim(src.portrait, src.rendered)
    return small + large, {"loss64": small, "loss256": large}


def original(src, dst):
    """FaceSwap's MAE of the whole picture."""
    reported = {"src": plain.mae(src.target, src.picture), "dst": plain.mae(dst.target, dst.picture)}
    return sum(reported.values()), reported


def quick96(src, dst):
    """H.7: 10 DSSIM with the window int(96 / 11.6), 10 MSE, 10 MSE of the mask; the mask blurred, cut at a half."""

    def total(face):
        soft = 2 * plain.blur(face.hull, 96 // 32).clip(0, 0.5)
        target, made = face.target * soft, face.picture * soft
        return 10 * plain.dssim(target, made, 8) + 10 * plain.mse(target, made) + 10 * plain.mse(face.hull, face.mask)

    return total(src) + total(dst), {"src": total(src), "dst": total(dst)}


def saehd(src, dst):
    """H.8: as Quick96, with the window int(36 / 11.6) and a blur of sigma 1, which takes 5 pixels."""

    def total(face):
        soft = 2 * plain.blur(face.hull, 1, 5).clip(0, 0.5)
        target, made = face.target * soft, face.picture * soft
        return 10 * plain.dssim(target, made, 3) + 10 * plain.mse(target, made) + 10 * plain.mse(face.hull, face.mask)

    return total(src) + total(dst), {"src": total(src), "dst": total(dst)}


def amp(src, dst):
    """H.9: as SAEHD with two windows, eyes and mouth 300 times; of dst a tenth of what lies around, and its steps."""

    def total(face, soft):
        target, made = face.target * soft, face.picture * soft
        unlike = 5 * plain.dssim(target, made, 3) + 5 * plain.dssim(target, made, 1)
        eyes = 300 * (np.abs(face.target - face.picture) * face.focus).mean()
        return unlike + 10 * plain.mse(target, made) + eyes + 10 * plain.mse(face.hull, face.mask)

    soft = {person: 2 * plain.blur(face.hull, 1, 5).clip(0, 0.5) for person, face in (("src", src), ("dst", dst))}
    around, made = (face * (1 - soft["dst"]) for face in (dst.target, dst.picture))
    steps = np.square(np.diff(made, axis=1)).sum() + np.square(np.diff(made, axis=2)).sum()
    of_dst = total(dst, soft["dst"]) + 0.1 * plain.mse(around, made) + 1e-6 * steps / len(made)
    return total(src, soft["src"]) + of_dst, {"src": total(src, soft["src"]), "dst": of_dst}


def quick(src, dst):
    """Eyes and mouth count four times; a tenth of the absolute error is the background's; the plain DSSIM is told.

    Both at every second pixel, both ways.
    """

    def unlike(face):
        return 1 - plain.ssim(face.target * face.hull, face.picture * face.hull)[:, ::2, ::2]

    def total(face):
        weight = face.hull * (1 + 3 * face.focus)
        inner = weight[:, 5:-5:2, 5:-5:2]
        of_dssim = (inner * unlike(face).mean(-1, keepdims=True)).sum() / inner.sum() / 2
        return of_dssim + 3 * weighted_mae(face, weight + 0.1) + 0.5 * plain.mae(face.hull, face.mask)

    return total(src) + total(dst), {name: unlike(face).mean() / 2 for name, face in (("src", src), ("dst", dst))}


def gan(perceptual):
    """Rebuilding, and a twentieth of the critic's word; half of the mean distance of its inner layers."""

    def total(face):
        *made, scores = face.critic(face.picture * face.hull)
        *wanted, _ = face.critic(face.target * face.hull)
        found = masked_dssim(face) + weighted_mae(face, face.hull) + plain.mae(face.hull, face.mask)
        found += 0.05 * ((scores - 1) ** 2).mean()
        return found + perceptual * 0.5 * np.mean([plain.mae(w, m) for w, m in zip(wanted, made, strict=True)])

    return lambda src, dst: (total(src) + total(dst), {"src": masked_dssim(src), "dst": masked_dssim(dst)})


def critics(src, dst):
    """Each half of: 1 for the real face, 0 for the made one, by least squares."""
    wrong = 0.0
    for face in (src, dst):
        real, made = face.critic(face.target * face.hull)[-1], face.critic(face.picture * face.hull)[-1]
        wrong += ((real - 1) ** 2).mean() / 2 + (made**2).mean() / 2
    return wrong, {"critics": wrong}


IN_TURN = {side: in_turn(side) for side in SIDES}
# Model -> phase -> reference: the faces of both people -> total and reported losses.
REFERENCES = {
    "amp": {"": amp},
    "avatar": {"": avatar},
    "df": IN_TURN,
    "gan": {"networks": gan(perceptual=False), "critics": critics},
    "h64": {"": in_one_step},
    "h128": {"": in_one_step},
    "liaef128": IN_TURN,
    "liaef128yaw": IN_TURN,
    "miaef128": IN_TURN,
    "original": {"": original},
    "quick": {"": quick},
    "quick96": {"": quick96},
    "saehd": {"": saehd},
    # A version with an option of its own.
    "gan perceptual": {"networks": gan(perceptual=True), "critics": critics},
}


def test_every_model_has_a_reference():
    assert {name.split()[0] for name in REFERENCES} == set(registry.model_names())


@pytest.fixture(autouse=True)
def fresh():
    devices.precision("float32")
    yield
    keras.backend.clear_session()


def faces_of(model, name):
    """Return random faces of both people; masks are soft, have an outside, and differ from what is predicted."""
    rng = np.random.default_rng(7)
    side = 64 if name.startswith("gan") else 36  # critics have a size; the other losses take any

    def random(channels):
        return rng.random((2, side, side, channels), np.float32)

    def hull():
        soft = np.zeros((2, side, side, 1), np.float32)
        for picture in soft:
            cv2.ellipse(picture, (side // 2, side // 2), (side // 3, side // 2 - 4), 20, 0, 360, 1.0, -1)
        return soft * (0.4 + 0.6 * random(1))

    found = {}
    for person in SIDES:
        target, picture = random(3), random(3)
        if name == "miaef128" and person == "src":  # grey: the sampler gives it thrice, the network once
            target, picture = np.repeat(target[..., :1], 3, axis=-1), picture[..., :1]
        # Alike in part, so that no term of SSIM is near 0.
        picture = 0.5 * picture + 0.5 * target[..., : picture.shape[-1]]
        found[person] = Face(target, hull(), (random(1) > 0.8) * random(1), random(3), picture, random(1), random(3))
        if f"critic_{person}" in model.parts:
            critic = model.parts[f"critic_{person}"]
            found[person].critic = lambda x, critic=critic: [np.asarray(y, np.float64) for y in critic(x)]
    return found


def as_given(model, face, person):
    """Return what the sampler gives of a face."""
    every = {"target": face.target, "mask": face.hull, "focus": face.focus, "portrait": face.portrait}
    names = {sample.name for sample in model.samples(person)} - {"warped"}
    return {name: keras.ops.convert_to_tensor(every[name]) for name in names}


def as_made(phase, faces):
    """Return what the phase's `forward` would have given."""
    if len(phase.streams) == 1:
        face = faces[phase.streams[0]]
        return keras.ops.convert_to_tensor(face.picture), keras.ops.convert_to_tensor(face.mask)
    made = {"portrait": faces["src"].rendered}
    for person, face in faces.items():
        made |= {person: face.picture, f"{person}_mask": face.mask}
    return {name: keras.ops.convert_to_tensor(value) for name, value in made.items()}


@pytest.mark.parametrize("name", REFERENCES)
def test_losses_equal_numpy(name):
    kind = registry.model_class(name.split()[0])
    model = kind(kind.Options(**({"perceptual": True} if "perceptual" in name else {})), scale=SCALE)
    faces = faces_of(model, name)
    phases = model.steps
    assert list(phases) == list(REFERENCES[name])
    for phase_name, phase in phases.items():
        given = [as_given(model, faces[person], person) for person in phase.streams]
        total, reported = phase.loss_function(*given, as_made(phase, faces))
        expected, told = REFERENCES[name][phase_name](faces["src"], faces["dst"])
        assert float(total) == pytest.approx(expected, rel=2e-5)
        assert {key: float(value) for key, value in reported.items()} == pytest.approx(told, rel=2e-5)
        assert phase.reports == tuple(told)
