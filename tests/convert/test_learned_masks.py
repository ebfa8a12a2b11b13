"""Which of the network's masks counts, and that dst's decoder is only asked where it does."""

from dataclasses import replace

import numpy as np
import pytest

from convert.drawn_faces import as_prediction, convert_alone, dst_faces, landmarks, scene
from facewright.convert.blend import Mode
from facewright.convert.cast import TrainedState
from facewright.convert.masks import LearnedMask, MaskKind
from facewright.convert.parameters import ConvertOptions, Parameters, resolve_parameters
from facewright.convert.pipeline import ModelInput, Prediction
from facewright.convert.plan import Job, Share
from facewright.convert.preview import ConversionPreview, PreviewFrame, PreviewModel
from facewright.convert.stream import Converter, convert_stream
from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.images import read_image, write_image
from facewright.faces.align import FaceType
from facewright.models.spec import ConverterDefaults
from facewright.video.frame_io import ImageFileSink

WANTED = ModelInput(32, FaceType.HALF)
DEFAULTS = ConverterDefaults(0, 0)
FRAME, POINTS = scene(60, 80), landmarks((40, 30), 30)
KINDS = ("learned-prd", "learned-dst", "product", "sum")
ALONE = (16, 27)  # columns that src's decoder alone, and that dst's alone calls face


class Halves:
    """Blue everywhere; src's decoder sees a face on the left, dst's on the right, both in the middle."""

    def __init__(self):
        self.asked = []

    def __call__(self, faces, *, dst_mask=False):
        self.asked.append(dst_mask)
        masks = np.zeros((2, *faces.shape[:3], 1), np.float32)
        masks[0, :, :, : ALONE[1]], masks[1, :, :, ALONE[0] :] = 1, 1
        blue = np.zeros_like(faces)
        blue[..., 0] = 1
        return Prediction(blue, masks[0], masks[1] if dst_mask else None)


def options(mask):
    return ConvertOptions(mode="overlay", mask=mask)


def parameters(mask):
    return resolve_parameters(options(mask), DEFAULTS)


def columns(image):
    """Return whether the left, the middle and the right of the face are replaced."""
    blue = (image[30] != FRAME[30]).any(axis=1)
    return bool(blue[28]), bool(blue[44]), bool(blue[53])


WHERE = {
    "learned-prd": (True, True, False),
    "learned-dst": (False, True, True),
    "product": (False, True, False),
    "sum": (True, True, True),
}


@pytest.mark.parametrize("mask", KINDS)
def test_each_kind_takes_the_masks_that_its_help_says_and_asks_for_no_more(mask, tmp_path):
    write_image(tmp_path / "1.png", FRAME)
    share = Share(dst_faces(POINTS), TrainedState("hero", "first", WANTED, DEFAULTS), parameters(mask))
    job = Job(1, tmp_path / "1.png", tmp_path / "done.png", (share,))
    model = Halves()
    sink = ImageFileSink({1: job.target}, lambda data, suffix: data)
    with workers.threads(2) as executor:
        list(convert_stream([job], Converter({"hero": model}, sink), executor))
    assert columns(read_image(job.target)) == WHERE[mask]
    assert model.asked == [mask != "learned-prd"]


def test_the_preview_asks_again_only_when_a_mask_is_missing(tmp_path):
    write_image(tmp_path / "1.png", FRAME)
    model = Halves()
    frame = PreviewFrame(tmp_path / "1.png", (("hero", dst_faces(POINTS)),))
    shown = ConversionPreview([frame], {"hero": PreviewModel(model, WANTED, DEFAULTS)})
    for mask in ("learned-prd", "sum", "learned-dst", "learned-prd"):
        assert columns(shown.render(0, options(mask))) == WHERE[mask]
    assert model.asked == [False, True]


@pytest.mark.parametrize("kind", [LearnedMask.DST, LearnedMask.PRODUCT, LearnedMask.SUM])
def test_without_a_mask_of_dst_that_of_src_stands_alone(kind):
    image, mask = np.zeros((1, 8, 8, 3), np.float32), np.full((1, 8, 8, 1), 0.6, np.float32)
    np.testing.assert_array_equal(Prediction(image, mask).learned_mask(kind), mask)


def test_masks_are_kept_between_0_and_1():
    image, mask = np.zeros((1, 8, 8, 3), np.float32), np.full((1, 8, 8, 1), 0.7, np.float32)
    both = Prediction(image, mask, 2 * mask)
    found = [float(both.learned_mask(kind).max()) for kind in LearnedMask]
    assert found == pytest.approx([0.7, 1, 0.7, 1, 1])
    assert Prediction(image, 3 * mask).learned_mask(LearnedMask.PRD).max() == 1


def test_a_mask_of_dst_that_is_not_finite_is_named():
    def broken(faces):
        mask = np.ones((*faces.shape[:3], 1), np.float32)
        return faces, mask, mask * np.nan

    model = as_prediction(broken)(np.zeros((1, 8, 8, 3), np.float32), dst_mask=True)
    with pytest.raises(UserError):
        model.check_finite()


def test_a_kind_that_is_learned_is_not_held_inside_the_hull():
    def everywhere(faces):
        return 1 - faces, np.ones((*faces.shape[:3], 1), np.float32)

    inside = ConverterDefaults(0, 0, within_hull=True)
    wide, tight = (resolve_parameters(options(mask), inside) for mask in ("learned-prd", "hull"))
    assert wide == replace(tight, masks=(MaskKind.MODEL,)) and tight.masks == (MaskKind.HULL,)
    changed = [(convert_alone(FRAME, [POINTS], everywhere, WANTED, p) != FRAME).sum() for p in (wide, tight)]
    assert changed[0] > changed[1] + 100
    assert resolve_parameters(ConvertOptions(), DEFAULTS) == Parameters(
        Mode.LIGHT, 70, 80, False, masks=(MaskKind.HULL,)
    )
