"""How long a training will take: noted on this machine, estimated for models not trained here, told at the question."""

import re

import pytest

from facewright.core.options import declared, question
from facewright.core.user_defaults import defaults_file
from facewright.models.registry import model_class
from facewright.train.options import TrainOptions
from facewright.train.step_times import FILE, note_step_time, of_usual_size, step_times


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEWRIGHT_DEFAULTS", str(tmp_path / "settings" / "defaults.toml"))


def test_what_was_trained_here_is_known_and_others_are_estimated():
    assert step_times() == {}
    note_step_time("quick", 8, "CPU", 150.0, steps=100)
    times = step_times()
    assert times["quick"].measured and times["quick"].milliseconds == 150.0
    assert "10 min" in times["quick"].describe(4000)
    df = model_class("df")
    assert not times["df"].measured
    wanted = 150.0 * df.seconds * df.default_batch / (model_class("quick").seconds * 8)
    assert times["df"].milliseconds == pytest.approx(wanted)
    note_step_time("df", 4, "CPU", 2000.0, steps=100)
    assert step_times()["df"].milliseconds == 2000.0


def test_a_few_steps_and_unknown_models_are_not_noted():
    note_step_time("quick", 8, "CPU", 150.0, steps=3)
    note_step_time("no such model", 8, "CPU", 150.0, steps=100)
    assert step_times() == {}


@pytest.mark.parametrize("text", ["not json", "[]", '{"quick": 3}', '{"quick": {"milliseconds": 1e999}}'])
def test_a_damaged_file_is_passed_over(text):
    path = defaults_file().with_name(FILE)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert step_times() == {}
    note_step_time("quick", 8, "CPU", 150.0, steps=100)
    assert step_times()["quick"].milliseconds == 150.0


def test_the_question_for_the_model_explains_which_and_how_long(typed, capsys):
    note_step_time("quick", 8, "CPU", 150.0, steps=100)
    spec = next(spec for spec in declared(TrainOptions) if spec.name == "model")
    typed("?", "df")
    assert question(spec, spec.default) == "df"
    said = capsys.readouterr().out
    assert "150 ms per iteration" in said and "~" in said
    choices, explained = said.split("The network" if "The network" in said else "Network of the model.")
    for told in (choices, explained):
        (quick,) = (line for line in told.splitlines() if re.match(r" +(\d+ +)?quick  ", line))
        assert "2 min to a first look, 10 min to a finished swap" in quick


def test_a_short_trial_tells_where_nothing_was_trained_yet(monkeypatch):
    from facewright.models import registry
    from facewright.train import trial
    from train.tiny import Tiny

    monkeypatch.setattr(registry, "trainable_class", lambda name: Tiny)
    took = trial.time_steps()
    assert step_times()["quick"].milliseconds == pytest.approx(took) and step_times()["quick"].measured


def test_only_the_usual_size_of_a_model_tells_its_time():
    options = model_class("saehd").Options
    assert of_usual_size(options()) and of_usual_size(options(random_warp=False)), "what may change from run to run"
    assert not of_usual_size(options(resolution=256)) and not of_usual_size(options(archi="df"))
