"""Recipes: what is read, what is refused, what is changed at the prompt."""

import pytest

from facewright.core.errors import UserError
from facewright.models.registry import model_names
from facewright.train.recipe import edited, load_recipe, parse_recipe
from facewright.train.recipe_names import SHIPPED, explain_recipes

TWO = """
title = "two"
[[stage]]
name = "shape"
options = {learning-rate = 2, frozen = ["encoder", "decoder_dst"]}
[[stage]]
name = "detail"
begins = ["at plateau", "After  90 minutes"]
[stage.options]
uniform_yaw = true
[stage.saehd]
random-warp = false
"""


def read(text, kind="saehd"):
    return parse_recipe(text, kind, "a.toml")


def stage(more, first="name = 'a'"):
    return f"[[stage]]\n{first}\n{more}\n"


class TestReading:
    """What a recipe says."""

    def test_stages_conditions_and_options(self):
        found = read(TWO.replace("\n", "\r\n").encode())
        shape, detail = found.stages
        assert (found.title, shape.name, shape.begins) == ("two", "shape", ())
        assert shape.values == {"learning_rate": 2.0, "frozen": "encoder\ndecoder_dst"}
        assert [condition.describe() for condition in detail.begins] == ["at plateau", "after 90 minutes"]
        assert detail.values == {"uniform_yaw": True, "random_warp": False}

    def test_what_a_model_does_not_have_plays_no_part(self):
        assert read(TWO, "quick").stages[1].values == {"uniform_yaw": True}
        everywhere = stage("options = {lr-dropout = true, mask = 'hull'}")
        assert read(everywhere, "quick").stages[0].values == {"mask": "hull"}
        assert read(everywhere, "amp").stages[0].values == {"lr_dropout": True, "mask": "hull"}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "stage is missing"),
            ("stage = []", "1 to 30 stages"),
            ("stage = 3", "1 to 30 stages"),
            ("[[stage]]\n" * 31, "1 to 30 stages"),
            ("x = ]", "line 1"),
            ("a = " + "[" * 5000, "recursion"),
            ("#" * 70_000, "64 KiB"),
            (b"\xff\xfe", "utf-8"),
            ("tittle = 'x'\n" + stage(""), "did you mean title"),
            (stage("begins = 'at plateau'"), "first"),
            (stage("[[stage]]\nname = 'b'"), "must say when it begins"),
            (stage("[[stage]]\nbegins = 'at noon'"), "at noon"),
            (stage("[[stage]]\nbegins = 3"), "begins"),
            (stage("[[stage]]\nbegins = 1979-05-27"), "date"),
            (stage("optoins = {}"), "did you mean options"),
            (stage("options = 3"), "no table"),
            (stage("options = {learning-rate = nan}"), "NaN"),
            (stage("options = {learning-rate = -1}"), "-1"),
            (stage("options = {learning-rate = [[1]]}"), "learning-rate"),
            (stage("saehd = {random-warp = 'perhaps'}"), "perhaps"),
            (stage("saehd = {ae-dims = 256}"), "ae-dims"),  # fixed since the model was created
            (stage("options = {lr-dropout = 'perhaps'}"), "perhaps"),  # which quick does not have
            (stage("", first="name = '" + "x" * 50 + "'"), "too long"),
            (stage("", first='name = "\\u001b[2J"'), "shown"),
        ],
    )
    def test_what_is_no_recipe(self, text, said):
        with pytest.raises(UserError) as caught:
            read(text, "quick")
        problem = caught.value
        assert "a.toml" in problem.happened
        assert said in f"{problem.happened} {problem.fix}", problem

    def test_an_option_that_is_nearly_right(self):
        with pytest.raises(UserError) as caught:
            read(stage("options = {learning-rat = 1}"))
        assert "learning-rate" in caught.value.fix

    def test_where_there_is_none(self, tmp_path):
        with pytest.raises(UserError) as caught:
            load_recipe("overnite", "quick")
        assert "--recipe overnight" in caught.value.fix
        with pytest.raises(UserError):
            load_recipe(str(tmp_path), "quick")


@pytest.mark.parametrize("name", list(SHIPPED))
def test_what_ships_fits_every_model(name):
    for kind in model_names():
        recipe = load_recipe(name, kind)
        assert len(recipe.stages) > 1 and recipe.stages[0].values
    assert f"{name} " in explain_recipes()


class TestChanging:
    """As at the prompt."""

    def test_when_a_stage_begins_and_what_it_switches(self):
        found = edited(edited(read(TWO), "2 begins at iteration 500 or after 3 minutes"), "1 random-warp no")
        assert [condition.describe() for condition in found.stages[1].begins] == ["at iteration 500", "after 3 minutes"]
        assert found.stages[0].values == {"learning_rate": 2.0, "frozen": "encoder\ndecoder_dst", "random_warp": False}
        assert read(found.text).stages == found.stages and found.title == "two"

    @pytest.mark.parametrize("line", ["", "3 begins at plateau", "2 begins soon", "2 wrap no", "x", "1", "2 mask what"])
    def test_what_does_not_fit(self, line):
        with pytest.raises(UserError):
            edited(read(TWO), line)
