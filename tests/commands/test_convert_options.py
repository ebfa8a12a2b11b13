"""The settings of the convert step: prompts, ranges, what the model adds."""

from types import SimpleNamespace

import pytest

from facewright.commands import convert as step
from facewright.commands.convert import Options
from facewright.core.errors import UserError
from facewright.core.options import declared, resolve


@pytest.mark.parametrize(("name", "text"), [("erode", "101"), ("erode", "-101"), ("blur", "201"), ("mode", "6")])
def test_values_out_of_range_are_refused_not_clipped(name, text):
    spec = next(spec for spec in declared(Options) if spec.name == name)
    with pytest.raises(UserError, match="does not fit"):
        spec.parse(text)


def test_modes_by_number_as_in_2018():
    spec = next(spec for spec in declared(Options) if spec.name == "mode")
    assert [spec.parse(str(n)) for n in (1, 2, 3, 4)] == [
        "hist-match", "hist-match-bw", "seamless", "seamless-hist-match"
    ]  # fmt: skip


def test_the_models_numbers_are_added():
    defaults = SimpleNamespace(erode=100, blur=30, masked_hist_match=False, border=0.05)
    got = step.parameters_for(Options(mode="hist-match", erode=-20, blur=5), defaults)
    assert (got.erode, got.blur, got.masked_hist_match, got.border) == (80, 35, False, 0.05)
    assert step.parameters_for(Options(masked_hist_match="yes"), defaults).masked_hist_match is True


def test_every_slip_at_a_prompt_is_asked_again(typed, capsys):
    questions = typed("6", "x", "1", "maybe", "2", "101", "2.5", "50", "-101", "201", "?", "70")
    got = resolve(Options, {}, {})
    assert (got.mode, got.masked_hist_match, got.erode, got.blur) == ("hist-match", "yes", 50, 70)
    assert len(questions) == 12
    said = capsys.readouterr().out
    assert said.count("does not fit") == 7 and "Makes the edge of the face softer" in said


def test_enter_takes_the_defaults(typed):
    questions = typed("", "", "")
    assert resolve(Options, {}, {}) == Options() and len(questions) == 3
