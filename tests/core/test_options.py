"""Every option: text to value and back, wrong answers, ?, Enter, the end of the input."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.commands import sort
from facewright.core.command import CommandPackage
from facewright.core.errors import UserError
from facewright.core.options import Option, declared, option, output_values, question, resolve, show

RATE = Option("rate", float, 25.0, "Pictures per second.", ask="Rate", low=0, high=240)
COUNT = Option("count", int, 8, "How many.", ask="Count", low=1)
MODE = Option("mode", str, "plain", "What to do.", ask="Mode", choices={"plain": "first", "fancy": "second"})
SHARP = Option("sharp", bool, True, "Sharpen.", ask="Sharpen")
NAME = Option("name", str, "", "A name.", ask="Name")
ALL = (RATE, COUNT, MODE, SHARP, NAME)


@given(st.floats(0, 240))
def test_float_survives_text(value: float) -> None:
    assert RATE.parse(str(value)) == value


@given(st.floats(allow_nan=True, allow_infinity=True).filter(lambda x: not 0 <= x <= 240))
def test_float_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(UserError):
        RATE.parse(str(value))


@given(st.integers())
def test_int_is_taken_or_refused_never_clipped(value: int) -> None:
    if value >= 1:
        assert COUNT.parse(f" {value} ") == value
    else:
        with pytest.raises(UserError):
            COUNT.parse(str(value))


@given(st.text())
def test_any_text_is_a_value_or_a_user_error(text: str) -> None:
    for spec in ALL:
        try:
            value = spec.parse(text)
        except UserError:
            continue
        assert isinstance(value, spec.kind)
        assert not isinstance(value, float) or math.isfinite(value)


@given(st.sampled_from(["plain", "fancy", "PLAIN", "1", "2", " fancy "]))
def test_choice_by_name_or_number(text: str) -> None:
    wanted = {"1": "plain", "2": "fancy"}.get(text, text.strip().lower())
    assert MODE.parse(text) == wanted


@pytest.mark.parametrize("text", ["0", "3", "-1", "", "pla", "²", "1.0"])
def test_no_choice(text: str) -> None:
    with pytest.raises(UserError) as caught:
        MODE.parse(text)
    assert "plain, fancy" in caught.value.expected


@pytest.mark.parametrize(("text", "value"), [("Y", True), ("on", True), ("0", False), ("No", False)])
def test_bool_words(text: str, value: bool) -> None:
    assert SHARP.parse(text) is value


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_question_takes_enter_as_the_default(spec: Option, typed: Callable) -> None:
    typed("")
    assert question(spec, spec.default) == spec.default


@pytest.mark.parametrize("spec", [RATE, COUNT, MODE, SHARP], ids=lambda spec: spec.name)
def test_question_asks_again_after_a_wrong_answer(
    spec: Option, typed: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = typed("?", "wrong", "-5", show(spec.default))
    assert question(spec, spec.default) == spec.default
    assert len(shown) == 4
    told = capsys.readouterr().out
    assert spec.help in told
    assert told.count("Expected") == 2


def test_choices_stand_in_columns(typed: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    choices = {"a-name-of-thirty-characters-or-so": "the text", **{f"name{number}": "the text" for number in range(10)}}
    typed("")
    question(Option("by", str, "name0", "Help.", "By", choices), "name0")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11 and len({line.index("the text") for line in lines}) == 1


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_question_at_the_end_of_the_input(spec: Option, typed: Callable) -> None:
    typed()
    with pytest.raises(UserError) as caught:
        question(spec, spec.default)
    assert "--yes" in caught.value.fix


@dataclass(frozen=True)
class Settings:
    rate: float = option(25.0, "Pictures per second.", low=0, high=240, ask="Rate")
    soft: bool = option(False, "Soften.", ask="Soften")
    amount: int = option(
        5, "How soft.", low=0, high=9, ask="Amount", affects_output=True, applies_when=lambda values: values["soft"]
    )
    once: int = option(1, "Not remembered.", low=0, remember=False)


@dataclass(frozen=True)
class Larger(Settings):
    size: int = option(64, "Side in pixels.", low=1, affects_output=True)


def test_order_of_precedence(typed: Callable) -> None:
    shown = typed("y", "7")
    remembered = {"rate": 12.0, "soft": False, "amount": 3, "once": 9}
    assert resolve(Settings, {"rate": 50.0}, remembered) == Settings(50.0, True, 7, 1)
    assert [text.split(" (")[0] for text in shown] == ["Soften [no]", "Amount [3]"]


def test_question_that_makes_no_sense_is_not_asked(typed: Callable) -> None:
    shown = typed("", "")
    assert resolve(Settings, {}, {}) == Settings()
    assert len(shown) == 2


def test_what_was_given_and_plays_no_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert resolve(Settings, {"amount": 7}, {}).amount == 7
    assert "--amount 7" in capsys.readouterr().out
    resolve(Settings, {"amount": 7, "soft": True}, {})
    resolve(Settings, {"amount": 5}, {"amount": 7})
    assert "--amount" not in capsys.readouterr().out, "it plays a part, or it changes nothing"


def test_keys_hold_what_changes_the_output_and_plays_a_part() -> None:
    assert output_values(Settings(rate=1.0, once=8)) == {}
    assert output_values(Settings(soft=True)) == {"amount": 5}
    assert output_values(Settings(amount=9)) == {}, "it plays no part without soft"
    assert output_values(Larger(soft=True, amount=7, size=32)) == {"amount": 7, "size": 32}


def test_keys_of_a_group_and_without_defaults() -> None:
    chosen = Larger(soft=True, amount=7)
    assert output_values(chosen, group=Settings) == {"amount": 7}
    assert output_values(chosen, omit_defaults=True) == {"amount": 7}
    assert output_values(Larger(soft=True), omit_defaults=True) == {}


def test_remembered_value_that_no_longer_fits_is_passed_over() -> None:
    assert resolve(Settings, {}, {"rate": 9999.0, "soft": "perhaps", "amount": [1]}) == Settings()


@pytest.mark.parametrize("name", CommandPackage().modules)
def test_every_prompt_of_every_command(name: str, typed: Callable) -> None:
    """Each question of each command: help, a wrong answer, then the default, or a choice where there is none."""
    for spec in declared(CommandPackage().load(name).options):
        assert spec.default == "" or spec.parse(show(spec.default)) == spec.default
        if not spec.ask:
            continue
        free = spec.kind is str and not spec.choices and not spec.check  # any text is an answer
        wrong = () if free else ("no such answer", "-5,5")
        undecided = spec.choices and spec.default not in spec.choices
        answer = next(iter(spec.choices)) if undecided else spec.default
        shown = typed("?", *wrong, str(answer) if undecided else "")
        assert question(spec, spec.default) == answer
        assert len(shown) == 2 + len(wrong), f"{spec.name}: a wrong answer is asked again"


@dataclass(frozen=True)
class Order:
    side: str = option("src", "Whose.", choices={"src": "one", "dst": "other"})
    by: str = option(
        "hist",
        "How.",
        choices={"hist": "colours", "match-dst": "by the other side"},
        ask="By",
        unasked=lambda values: {"match-dst"} if values["side"] == "dst" else (),
    )


def test_a_choice_that_is_no_use_beside_the_others_is_not_offered(
    typed: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("match-dst", "")
    assert resolve(Order, {"side": "dst"}, {}).by == "hist"
    assert "match-dst  by" not in capsys.readouterr().out
    typed("match-dst")
    assert resolve(Order, {}, {}).by == "match-dst"
    assert "match-dst  by" in capsys.readouterr().out


def test_one_that_was_remembered_and_is_no_use_now_is_not_the_usual_answer(typed: Callable) -> None:
    typed("")
    assert resolve(Order, {"side": "dst"}, {"by": "match-dst"}).by == "hist"
    typed("")
    assert resolve(Order, {}, {"by": "match-dst"}).by == "match-dst"


def test_a_sort_against_dst_is_offered_for_src_only() -> None:
    (spec,) = [spec for spec in declared(sort.Options) if spec.name == "by"]
    assert spec.choices.keys() - spec.asked_beside({"side": "dst"}).choices.keys() == {"match-dst"}
    assert spec.asked_beside({"side": "src"}).choices == spec.choices
