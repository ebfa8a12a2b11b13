"""The settings of the convert step: prompts, ranges, what the model adds."""

import pytest

from facewright.convert.blend import Mode
from facewright.convert.masks import MaskKind
from facewright.convert.parameters import ConvertOptions, resolve_parameters
from facewright.core.errors import UserError
from facewright.core.options import declared, resolve
from facewright.models.spec import ConverterDefaults


@pytest.mark.parametrize(("name", "text"), [("erode", "101"), ("erode", "-101"), ("blur", "201"), ("mode", "77")])
def test_values_out_of_range_are_refused_not_clipped(name, text):
    spec = next(spec for spec in declared(ConvertOptions) if spec.name == name)
    with pytest.raises(UserError, match="does not fit"):
        spec.parse(text)


def test_modes_by_number_as_in_2018():
    spec = next(spec for spec in declared(ConvertOptions) if spec.name == "mode")
    assert [spec.parse(str(n)) for n in (1, 2, 3, 4)] == [
        "hist-match", "hist-match-bw", "seamless", "seamless-hist-match"
    ]  # fmt: skip


def test_the_models_numbers_are_added():
    defaults = ConverterDefaults(erode=100, blur=30, masked_hist_match=False, border=0.05)
    got = resolve_parameters(ConvertOptions(mode="hist-match", erode=-20, blur=5), defaults)
    assert (got.mode, got.erode, got.blur, got.masked_hist_match, got.border) == (Mode.HIST_MATCH, 80, 35, False, 0.05)
    assert resolve_parameters(ConvertOptions(mode="hist-match", masked_hist_match="yes"), defaults).masked_hist_match
    untouched = resolve_parameters(ConvertOptions(mode="seamless"), defaults)
    assert (untouched.mode, untouched.erode, untouched.blur) == (Mode.SEAMLESS, 100, 30)


def test_light_has_an_edge_of_its_own_whatever_the_model():
    for defaults in (ConverterDefaults(erode=100, blur=30), ConverterDefaults(erode=0, blur=0)):
        got = resolve_parameters(ConvertOptions(erode=-20, blur=5), defaults)
        assert (got.mode, got.erode, got.blur) == (Mode.LIGHT, 50, 85)


@pytest.mark.parametrize(("within_hull", "usual"), [(False, MaskKind.MODEL), (True, MaskKind.HULL)])
def test_the_mask_of_the_record_comes_before_the_models_usual_one(within_hull, usual):
    defaults = ConverterDefaults(0, 0, within_hull=within_hull)
    assert resolve_parameters(ConvertOptions(mode="seamless"), defaults).masks == (usual,)
    assert resolve_parameters(ConvertOptions(mode="seamless", mask="record"), defaults).masks == (
        MaskKind.RECORD,
        usual,
    )


def test_light_never_reaches_the_background():
    assert resolve_parameters(ConvertOptions(mode="light"), ConverterDefaults(0, 0)).masks == (MaskKind.HULL,)


def test_masked_histogram_matching_is_asked_for_its_modes_only():
    spec = next(spec for spec in declared(ConvertOptions) if spec.name == "masked_hist_match")
    for mode, asked in (("hist-match", True), ("hist-match-bw", True), ("seamless", False), ("overlay", False)):
        assert spec.applies({"mode": mode}) is asked


def test_every_slip_at_a_prompt_is_asked_again(typed, capsys):
    questions = typed("77", "x", "1", "maybe", "2", "101", "2.5", "50", "-101", "201", "?", "70")
    got = resolve(ConvertOptions, {}, {})
    assert (got.mode, got.masked_hist_match, got.erode, got.blur) == ("hist-match", "yes", 50, 70)
    assert len(questions) == 12
    said = capsys.readouterr().out
    assert said.count("does not fit") == 7 and "Makes the edge of the face softer" in said


def test_enter_takes_the_defaults(typed):
    questions = typed("", "", "")
    assert resolve(ConvertOptions, {}, {}) == ConvertOptions() and len(questions) == 3


def test_what_changes_a_frame_is_in_its_key():
    """Written down, so that nobody takes one out unseen."""
    assert {spec.name for spec in declared(ConvertOptions) if spec.affects_output} == {
        *("mode", "masked_hist_match", "erode", "blur", "mask", "color_transfer", "face_scale", "sharpen", "opacity"),
        *("keep", "format", "alpha", "mask_only", "hist_threshold", "average_color", "color_degrade"),
        *("erode_forehead", "erode_chin", "erode_left", "erode_right", "face_offset_x", "face_offset_y"),
        *("sharpen_kind", "motion_blur", "denoise", "bicubic_degrade", "occlusion", "super_resolution_power"),
    }
