"""A training in stages: the switch between two, an end in the middle of one, other recipes; the tiny model."""

import json
from dataclasses import dataclass, replace

import pytest

from commands.train_runs import iteration, run
from facewright.core.errors import UserError
from facewright.core.options import option
from facewright.core.workspace import Workspace
from facewright.models.spec import ModelOptions
from facewright.nn import checkpoint, saved_models
from facewright.train import model_prompt
from facewright.train.recipe import load_recipe
from train import tiny

RECIPE = """
title = "three"
[[stage]]
name = "fast"
options = {learning-rate = 2}
[[stage]]
name = "usual"
begins = "after 2 iterations"
options = {learning-rate = 1, frozen = "encoder"}
[[stage]]
name = "slow"
begins = ["at plateau", "at iteration 5"]
options = {learning-rate = 0.5, frozen = "", uniform-yaw = true}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "three.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def states(workspace):
    """Return iteration -> state and weights of every saved state."""
    folders = checkpoint.generations(workspace.model_dir / "h64")
    found = [checkpoint.check(folder) for folder in folders]
    return {one.state["iteration"]: one for one in reversed(found)}


def rate(generation):
    return pytest.approx(float(generation.arrays("optimizer").as_dict()["0001"]))


def encoder(generation):
    return generation.arrays("weights").as_dict()["encoder/0000.kernel"].tobytes()


def test_stages_follow_one_another_and_a_run_that_ended_goes_on_in_its_own(filled, recipe, capsys):
    run(filled, recipe=str(recipe), target_iter=3, keep=20, preview=False)
    first = states(filled)
    assert (first[2].state["recipe"]["stage"], first[2].state["recipe"]["began"]) == (1, 2)
    assert rate(first[2]) == 2e-3 and rate(first[3]) == 1e-3
    assert encoder(first[2]) == encoder(first[3])  # frozen
    said = capsys.readouterr().out
    assert "stage 1 of 3, fast" in said and "Next: usual at iteration 2" in said
    assert "stage 2 of 3, usual" in said and "Next: slow at plateau or at iteration 5" in said

    known = saved_models.read_model_info(filled.model_dir, "h64")
    kept = model_prompt.last_answers(known)["recipe"]
    recipe.unlink()  # it is in the saved state
    run(filled, recipe=kept, target_iter=7, keep=20, preview=False)
    later = states(filled)
    assert encoder(later[3]) == encoder(later[5]) != encoder(later[7])
    assert rate(later[5]) == 1e-3 and rate(later[7]) == 5e-4
    assert later[7].state["recipe"]["stage"] == 2 and later[7].state["settings"]["uniform_yaw"]
    assert "it is the last" in capsys.readouterr().out


def test_another_recipe_goes_on_in_the_stage_of_the_same_name(filled, recipe, capsys):
    run(filled, recipe=str(recipe), target_iter=3, preview=False)
    recipe.write_text(RECIPE.replace("learning-rate = 1,", "learning-rate = 3,"), encoding="utf-8")
    run(filled, recipe=str(recipe), target_iter=4, preview=False)
    newest = states(filled)[4]
    assert newest.state["recipe"]["began"] == 2 and rate(newest) == 3e-3


def test_a_later_stage_that_cannot_be_is_refused_before_the_first(filled, recipe):
    recipe.write_text(RECIPE.replace('frozen = "encoder"', 'frozen = "decoder_scr"'), encoding="utf-8")
    with pytest.raises(UserError, match="decoder_scr"):
        run(filled, recipe=str(recipe), preview=False)
    assert not (filled.model_dir / "h64").exists()


@pytest.mark.parametrize(
    "data", [3, {"source": "x"}, {"source": "x", "text": "[[", "stage": 0, "began": 0, "seconds": 0}]
)
def test_a_strangers_recipe_that_is_none_is_left_out(filled, data, capsys):
    from facewright.train.stages import choose_stages

    assert choose_stages("kept", "quick", {"recipe": json.loads(json.dumps(data))}) is None
    assert "none is followed" in capsys.readouterr().out


@dataclass(frozen=True)
class ColourOptions(ModelOptions):
    """One that a stage may switch."""

    transfer: str = option("none", "Colours.", choices=("none", "rct", "idt"), per_run=True)


class Recoloured(tiny.Tiny):
    """Gives src the colours of dst."""

    Options = ColourOptions

    def samples(self, stream="src"):
        return tuple(replace(sample, transfer=self.options.transfer) for sample in super().samples(stream))


@pytest.mark.slow
def test_a_stage_whose_colours_the_device_cannot_change_says_where_its_samples_are_made(tmp_path, monkeypatch, capsys):
    tiny.use_tiny(monkeypatch.setattr, Recoloured)
    path, workspace = tmp_path / "colours.toml", Workspace(tmp_path)
    tiny.fill(workspace)
    stages = "".join(
        f"""[[stage]]\nname = "{name}"\noptions = {{transfer = "{name}"}}\n{begins}\n"""
        for name, begins in (("rct", ""), ("idt", 'begins = "after 2 iterations"'))
    )
    path.write_text(f'title = "colours"\n{stages}', encoding="utf-8")
    run(workspace, recipe=str(path), target_iter=3, sampling="device", preview=False)
    said = capsys.readouterr().out
    assert iteration(workspace) == 3
    assert 0 < said.find("made on the device") < said.find("colour transfer idt") < said.find("in stage 2 of 2")


def test_changed_at_the_prompt(typed, capsys):
    typed("2 learning-rate 0.3", "4 begins soon", "2 begins after 5 minutes", "")
    found = model_prompt.ask_for_changes(load_recipe("first-look", "quick"))
    assert found.stages[1].values["learning_rate"] == 0.3
    assert [condition.describe() for condition in found.stages[1].begins] == ["after 5 minutes"]
    assert "number of a stage from 1 to 2" in capsys.readouterr().out


def test_what_was_asked_for_and_the_stage_has_otherwise_is_said(filled, recipe, capsys):
    run(filled, recipe=str(recipe), learning_rate=3.0, target_iter=1, preview=False)
    said = capsys.readouterr().out
    assert "--learning-rate is 2 in" in said and "not 3." in said and "--frozen" not in said
    run(filled, recipe="kept", target_iter=3, preview=False)
    assert "in this stage of the recipe" not in capsys.readouterr().out
