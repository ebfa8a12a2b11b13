"""Every mode and every control against a conversion that is written down from the descriptions, `reference.py`."""

import base64
import dataclasses

import cv2
import numpy as np
import pytest

from convert.drawn_faces import ellipse, landmarks, scene
from convert.reference import Reference, palette
from facewright.convert.controls import KEEP_ZONES, MASK_CHOICES, MODES, SHARPEN_CHOICES
from facewright.convert.detail import fewer_colours
from facewright.convert.masks import DstFace, RecordMask
from facewright.convert.motion import spread
from facewright.convert.parameters import ConvertOptions, resolve_parameters
from facewright.convert.pipeline import ModelInput, Prediction, blend_faces, cut_faces
from facewright.convert.settings import controls
from facewright.core.images import encode
from facewright.faces.align import FaceType, align_matrix
from facewright.models.spec import ConverterDefaults

FRAME = scene(190, 210, 5)
POINTS = landmarks((105, 95), 78, 14)
POINTS[65:68] += (2, 6)  # the mouth is a little open
MOTION = (7.0, -3.0)  # px
MODELS = {
    "full": (ModelInput(128, FaceType.FULL), ConverterDefaults(30, 40, border=0.046875, enlarged_from=64)),
    "half": (ModelInput(64, FaceType.HALF), ConverterDefaults(60, 70, masked_hist_match=False, within_hull=True)),
}


def predict(faces):
    """A face of other colour, contrast and sharpness, mirrored; two masks that differ."""
    side = faces.shape[1]
    image = faces[0][:, ::-1] * np.float32(0.6) + np.float32([0.05, 0.15, 0.3])
    image[side // 3 : side // 3 + 4, side // 4 : side * 3 // 4] = (0.2, 0.1, 0.3)  # lines, as of brows and lids
    image[side // 2 :, side // 2 : side // 2 + 3] = (0.7, 0.7, 0.8)
    image = cv2.GaussianBlur(image, (0, 0), 1.2)
    prd, dst = ellipse(side, 0.44), np.roll(ellipse(side, 0.4), side // 16, axis=1)
    return image[None], prd[None, ..., None], dst[None, ..., None]


def mostly_white(side, axis):
    mask = np.zeros((side, side), np.uint8)
    (mask.T if axis else mask)[: side * 5 // 8] = 255
    return cv2.blur(mask, (9, 9))


def both(model="full", **values):
    """Return the frame as the program converts it, and as the reference does."""
    wanted, base = MODELS[model]
    options = ConvertOptions(**values)
    matrix = align_matrix(POINTS, wanted.face_type, wanted.side)
    own, covered = mostly_white(wanted.side, 0), 255 - mostly_white(wanted.side, 1)
    record, occlusion = (RecordMask(base64.b64encode(encode(one)).decode(), matrix) for one in (own, covered))
    motion = tuple(part / spread(POINTS) for part in MOTION)
    face = DstFace(POINTS, record, occlusion=occlusion, motion=motion)
    parameters = resolve_parameters(options, base)
    cuts = cut_faces(FRAME, [face], wanted, parameters)
    done, _ = blend_faces(FRAME, cuts, Prediction(*predict(cuts.images)), parameters)
    named = {"masked" if k == "masked_hist_match" else k: v for k, v in dataclasses.asdict(base).items()}
    reference = Reference(
        FRAME, POINTS, predict, wanted.side, wanted.face_type, named, MOTION, covered / 255, own / 255
    )
    return done.astype(int), reference.convert(lambda name: getattr(options, name)).astype(int)


def check(done, wanted, *, strays=1e-4):
    """At most one level apart, but for a few pixels: a hard edge between two of the warp's steps of 1/32 px, a tie."""
    difference = np.abs(done - wanted)
    assert (difference > 1).mean() <= strays, (difference.max(), (difference > 1).sum())
    return int(np.abs(done - FRAME).max())


# The curves that are matched after a Poisson blending enlarge its last bit; the square's own edge is hard.
STRAYS = {"seamless": 2e-4, "seamless-hist-match": 2e-3, "raw-rgb": 4e-4}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode(mode, model):
    changed = check(*both(model, mode=mode), strays=STRAYS.get(mode, 1e-4))
    assert changed == 0 if mode == "original" else changed > 10


CASES = [
    *({"mask": mask} for mask in MASK_CHOICES),
    *({"mask": mask, "occlusion": "paint"} for mask in ("hull", "occlusion", "dst-hull")),
    *({"keep": zones} for zones in KEEP_ZONES),
    *({"color_transfer": kind} for kind in ("rct", "lct", "mkl-m")),
    {"erode": 60, "blur": 120},
    {"erode": -40, "blur": 10},
    {"erode_forehead": 80, "erode_left": 50},
    {"erode_chin": -60, "erode_right": 100},
    {"face_scale": 15, "opacity": 40},
    {"face_scale": -20, "face_offset_x": 6, "face_offset_y": -4},
    *({"sharpen": percent, "sharpen_kind": kind} for percent in (60, -60) for kind in SHARPEN_CHOICES),
    {"motion_blur": 100},
    {"denoise": 150},
    {"bicubic_degrade": 60},
    {"average_color": 70},
    {"super_resolution_power": 30},
    {"color_degrade": 70},
]
MATCHING = [{"hist_threshold": 150}, {"masked_hist_match": "no", "hist_threshold": 220}, {"masked_hist_match": "yes"}]


@pytest.mark.parametrize("values", CASES, ids=str)
def test_every_control(values):
    # A last bit can move a pixel to another of 256 colours, and a cut with it.
    check(*both(mode="overlay", **values), strays=0.02 if "color_degrade" in values else 1e-4)


def test_the_palette_by_itself():
    image = FRAME[60:130, 70:140].astype(np.float32) / 255
    np.testing.assert_allclose(fewer_colours(image, 100), palette(image), atol=1e-5)


@pytest.mark.parametrize("mode", ["light", "multiband"])
@pytest.mark.parametrize(
    "values", [{"mask": "sum", "erode": 20}, {"keep": "mouth", "erode_left": 60}, {"denoise": 100}]
)
def test_controls_in_the_modes_that_end_within_the_cheeks(mode, values):
    check(*both("half", mode=mode, face_scale=5, motion_blur=50, **values), strays=2e-4)


@pytest.mark.parametrize("mode", ["hist-match", "hist-match-bw", "seamless-hist-match"])
@pytest.mark.parametrize("values", MATCHING, ids=str)
def test_histogram_matching(mode, values):
    check(*both(mode=mode, **values), strays=STRAYS.get(mode, 1e-4))


def test_every_control_is_among_them():
    tried = {name for values in (*CASES, *MATCHING) for name in values} | {"mode"}
    assert tried == {spec.name for spec in controls()}
