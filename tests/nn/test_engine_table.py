"""The quickest engine of a card, by times that are kept: whose count, whose do not, and what of a damaged file."""

import dataclasses
import json
import os
import sys

import pytest

from facewright.core.errors import UserError
from facewright.core.user_defaults import defaults_file
from facewright.nn import devices, engine_table, gpus
from facewright.nn.engine_table import FILE, Engine, EngineTime, Place, note_times, quickest, read_times, times_of
from facewright.train import engine_trial

CARD = Place("NVIDIA H200", "570.1")
TENSORFLOW, JAX, TORCH = Engine("tensorflow", "2.21"), Engine("jax", "0.7"), Engine("torch", "2.14")


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEWRIGHT_DEFAULTS", str(tmp_path / "settings" / "defaults.toml"))


def row(engine, milliseconds, model="quick", kind="gpu", problem="", place=CARD):
    return EngineTime(place.card, place.driver, engine.name, engine.version, model, kind, milliseconds, problem)


def taken(*engines, model="", place=CARD):
    return quickest(times_of(place, engines, model))


def test_the_quickest_is_taken_and_each_model_has_its_own():
    note_times([row(TENSORFLOW, 30.0), row(JAX, 20.0), row(TENSORFLOW, 200.0, "df"), row(JAX, 300.0, "df")])
    assert taken(TENSORFLOW, JAX, model="quick") == "jax" and taken(TENSORFLOW, JAX, model="df") == "tensorflow"
    assert taken(TENSORFLOW, JAX) == "tensorflow"  # df was measured last
    note_times([row(TENSORFLOW, 10.0)])
    assert taken(TENSORFLOW, JAX, model="quick") == "tensorflow" and len(read_times()) == 4


def test_one_that_does_not_use_the_card_or_does_not_run_comes_last():
    note_times([row(TENSORFLOW, 5.0, kind="cpu"), row(JAX, 0.0, kind="", problem="no kernel"), row(TORCH, 50.0)])
    assert [time.engine for time in times_of(CARD, (TENSORFLOW, JAX, TORCH))] == ["torch", "tensorflow", "jax"]
    note_times([row(each, 0.0, kind="", problem="no kernel") for each in (TENSORFLOW, JAX, TORCH)])
    assert taken(TENSORFLOW, JAX, TORCH) is None
    assert "no kernel" in times_of(CARD, (JAX,))[0].describe()


@pytest.mark.parametrize(
    ("engines", "place"),
    [
        ((TENSORFLOW, dataclasses.replace(JAX, version="0.8")), CARD),
        ((TENSORFLOW, JAX, TORCH), CARD),
        ((TENSORFLOW, JAX), Place(CARD.card, "580.2")),
        ((TENSORFLOW, JAX), Place("NVIDIA L4", CARD.driver)),
    ],
)
def test_another_version_engine_driver_or_card_is_measured_anew(engines, place):
    note_times([row(TENSORFLOW, 30.0), row(JAX, 20.0)])
    assert times_of(place, engines) == ()


@pytest.mark.parametrize("text", ["", "{}", "[3]", '[{"card": "x"}]', '[{"card": 1e999}]', "[" * 99])
def test_a_damaged_table_is_measured_anew(text):
    path = defaults_file().with_name(FILE)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert read_times() == ()
    note_times([row(JAX, 20.0)])
    assert taken(JAX) == "jax"


def test_the_measured_engine_is_used_at_the_next_start_and_a_named_one_before_it(tmp_path, monkeypatch):
    """Engines that are there by name only: nothing is started."""
    for name in ("jax", "torch"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PATH", "")  # no nvidia-smi
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert devices.backend_name() == "tensorflow"
    place, engines = devices.place(), devices.usable_engines()
    times = {"tensorflow": 30.0, "jax": 40.0, "torch": 20.0}
    note_times([row(engine, times[engine.name], kind="cpu", place=place) for engine in engines])
    assert devices.backend_name() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert devices.backend_name() == "jax"
    engine_trial.choose_engine("quick")  # what is named stays, and nothing is measured
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_a_row_that_stands_there_twice_is_no_time_of_another_engine():
    note_times([row(TENSORFLOW, 30.0)])
    path = defaults_file().with_name(FILE)
    path.write_text(json.dumps(2 * json.loads(path.read_text())))
    assert times_of(CARD, (TENSORFLOW, JAX)) == ()
    assert len(times_of(CARD, (TENSORFLOW,))) == 1


def test_where_the_times_cannot_be_kept_nothing_is_measured(tmp_path, monkeypatch, capsys):
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    (tmp_path / "settings").write_text("a file where the folder should be")
    assert not note_times([row(JAX, 20.0)])
    engine_trial.choose_engine("quick")
    assert "KERAS_BACKEND" not in os.environ and "Timing" not in capsys.readouterr().out


def test_the_quickest_engine_is_that_of_the_chosen_gpu(tmp_path, monkeypatch):
    """Engines and cards that are there by name only: nothing is started."""
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\ncase $1 in *index*) echo '0, A, 9000'; echo '1, B, 8000';; *driver*) echo 5; echo 5;; "
        "*) echo 'A, 8.0'; echo 'B, 8.0';; esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in (gpus.VISIBLE, "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    quicker = {"A": "tensorflow", "B": "jax"}
    note_times(
        row(one, 10.0 + (one.name != quicker[card]), place=Place(card, "5"))
        for card in quicker
        for one in engine_table.installed_engines()
    )
    for number, engine in enumerate(quicker.values()):
        with gpus.environment_restored():
            gpus.use(gpus.choose(gpus.list_gpus(), gpus.GpuRequest(str(number))))
            assert devices.backend_name() == engine


@pytest.mark.slow
def test_the_installed_engine_is_timed_in_a_process_of_its_own():
    times = engine_trial.measure_engines("quick96")
    assert {time.engine for time in times} == {engine.name for engine in devices.usable_engines()}
    assert all(time.milliseconds > 0 and time.model == "quick96" and not time.problem for time in times)
    (kept,) = json.loads(defaults_file().with_name(FILE).read_text())
    assert kept["engine"] == "tensorflow" and kept["version"] == engine_table.installed_engines()[0].version


def test_a_model_that_is_none_is_refused():
    with pytest.raises(UserError, match="quik"):
        engine_trial.measure_engines("quik")
