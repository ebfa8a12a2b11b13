"""The step, with the tiny model in the place of h64."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import write_image
from facewright.core.options import declared, option, resolve
from facewright.models import base, trained
from facewright.models.base import ModelOptions
from facewright.nn import checkpoint
from facewright.steps import train
from training import tiny

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def filled(workspace, monkeypatch):
    """A workspace with faces; h64 stands for the tiny model."""
    tiny.use_tiny(monkeypatch.setattr)
    tiny.fill(workspace)
    return workspace


def run(workspace, more=None, **given):
    options = {"model": "h64", "precision": "float32", "window": False, **given}
    train.run(workspace, train.Options(**options), more)


def iteration(workspace):
    return checkpoint.newest(workspace.model_dir / "h64").generation.state["iteration"]


def test_trains_resumes_and_stops_at_the_target(filled, capsys):
    run(filled, target_iter=3)
    said = capsys.readouterr().out
    assert "6 src, 6 dst" in said and "Next: 7_convert" in said and "CPU" in said
    assert (filled.model_dir / "preview.png").exists()
    assert iteration(filled) == 3
    run(filled, target_iter=5)
    assert "goes on from iteration 3" in capsys.readouterr().out
    assert iteration(filled) == 5
    before = checkpoint.generations(filled.model_dir / "h64")
    run(filled, target_iter=5)
    assert "nothing to do" in capsys.readouterr().out
    assert checkpoint.generations(filled.model_dir / "h64") == before
    assert trained.load_trained(filled.model_dir).iteration == 5
    assert train.known_answers(filled) == {"model": "h64"}


def test_a_damaged_newest_state_is_set_aside(filled, capsys):
    run(filled, target_iter=2, preview=False)
    assert not (filled.model_dir / "preview.png").exists()
    newest = checkpoint.generations(filled.model_dir / "h64")[0]
    os.truncate(newest / "optimizer.safetensors", 100)
    capsys.readouterr()
    run(filled, target_iter=4, preview=False)
    said = capsys.readouterr().out
    assert "is damaged (optimizer.safetensors is cut off (100 of" in said
    assert (filled.model_dir / "h64" / f"damaged_{newest.name}").is_dir()
    assert iteration(filled) == 4


def test_debug_shows_samples_and_trains_nothing(filled, capsys):
    run(filled, debug=True)
    assert (filled.model_dir / "samples.png").exists()
    assert checkpoint.trained_models(filled.model_dir) == []
    assert "Nothing was trained" in capsys.readouterr().out


@pytest.mark.parametrize("side", ["src", "dst"])
def test_no_faces(filled, side):
    for path in filled.side(side).aligned():
        path.unlink()
    with pytest.raises(UserError, match="There are no faces") as caught:
        run(filled)
    assert f"{side}_extract_faces" in caught.value.fix
    assert not filled.model_dir.exists()


def test_unreadable_faces_are_named_before_training(filled):
    for number in range(7):
        write_image(filled.src.aligned_dir / f"plain{number}.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"7 file\(s\).*plain0.png.*and 2 more"):
        run(filled)
    assert not filled.model_dir.exists()


def test_faces_that_show_too_little_are_named(filled, monkeypatch):
    monkeypatch.setattr(tiny.Tiny, "face_type", tiny.FaceType.HEAD)
    with pytest.raises(UserError, match=r"6 face\(s\) of data_src show less than the model h64 needs: 00000_0.png"):
        run(filled)


def test_a_folder_of_another_model(filled):
    run(filled, target_iter=1, preview=False)
    (filled.model_dir / "h64").rename(filled.model_dir / "other")
    state = checkpoint.generations(filled.model_dir / "other")
    (filled.model_dir / "other").rename(filled.model_dir / "h64")
    assert state
    monkey = filled.model_dir / "h64"
    found = checkpoint.newest(monkey).generation
    checkpoint.save(monkey, {**found.state, "model": "df"}, {"weights": found.arrays("weights").as_dict()})
    with pytest.raises(UserError, match="holds the model 'df'"):
        run(filled, target_iter=3)


def test_weights_that_are_cut_off_everywhere(filled):
    run(filled, target_iter=1, preview=False)
    folder = filled.model_dir / "h64"
    for path in folder.glob("*/weights.safetensors"):
        path.write_bytes(path.read_bytes()[:-10])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(UserError, match=r"No saved state .* is whole .*weights\.safetensors is cut off"):
        run(filled, target_iter=3)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_weights_of_another_network(filled):
    run(filled, target_iter=1, preview=False)
    folder = filled.model_dir / "h64"
    found = checkpoint.newest(folder).generation
    checkpoint.save(folder, found.state, {"weights": {"encoder/0000.kernel": np.zeros((9, 9), np.float32)}})
    with pytest.raises(UserError, match="belong to another network"):
        run(filled, target_iter=3)
    assert len(checkpoint.generations(folder)) == 2


def test_a_model_that_does_not_fit_the_memory(filled, monkeypatch):
    class ResourceExhaustedError(Exception):
        pass

    def train_on(self, src, dst):
        raise ResourceExhaustedError("OOM when allocating tensor")

    monkeypatch.setattr(tiny.Tiny, "train_on", train_on)
    with pytest.raises(UserError, match=r"batch of 8 \+ 8") as caught:
        run(filled, batch_size=8)
    assert "--batch-size 4" in caught.value.fix


@dataclass(frozen=True)
class WithOption(ModelOptions):
    light: bool = option(False, "Smaller.", ask="Light version")


class TestModelOptions:
    """They are asked at creation and fixed then."""

    @pytest.fixture(autouse=True)
    def with_option(self, filled, monkeypatch):
        monkeypatch.setattr(tiny.Tiny, "Options", WithOption)

    def test_asked_for_a_new_model(self, filled):
        assert train.more_options(filled, train.Options(model="h64")) is WithOption

    def test_fixed_afterwards(self, filled):
        run(filled, WithOption(light=True), target_iter=1, preview=False)
        settings = train.more_options(filled, train.Options(model="h64"))
        assert [(s.name, s.default, s.ask) for s in declared(settings)] == [("light", True, None)]
        run(filled, resolve(settings, {}, {"light": False}), target_iter=2, preview=False)
        with pytest.raises(UserError, match="was created with light = yes, not no"):
            run(filled, resolve(settings, {"light": False}, {}), target_iter=3)
        assert iteration(filled) == 2

    def test_damaged_saved_options_are_a_clear_error(self, filled):
        run(filled, WithOption(), target_iter=1, preview=False)
        folder = filled.model_dir / "h64"
        found = checkpoint.newest(folder).generation
        state = {**found.state, "options": {"light": "perhaps"}}
        checkpoint.save(folder, state, {"weights": found.arrays("weights").as_dict()})
        with pytest.raises(UserError, match="light"):
            run(filled, target_iter=3)


def command(workspace, *flags):
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    return [sys.executable, "-m", "training.tiny", str(workspace.root), *flags], {**os.environ, "PYTHONPATH": paths}


def start(workspace, *flags):
    line, environment = command(workspace, *flags)
    return subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_it_loses_at_most_back_to_the_last_saving_and_told_to_stop_nothing(workspace):
    tiny.fill(workspace)
    folder = workspace.model_dir / "h64"
    process = start(workspace, "--save-interval-min", "0.01")
    wait_for(
        lambda: len(checkpoint.generations(folder)) > 1 and checkpoint.generations(folder)[0].name[-1] > "2", process
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = iteration(workspace)
    assert kept > 0

    process = start(workspace)
    lines = []
    while not lines or not lines[-1].startswith("#"):
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    assert any(f"goes on from iteration {kept}" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert "All is saved" in said
    generation = checkpoint.newest(folder).generation
    assert generation.state["iteration"] > kept
    assert len(generation.arrays("history").as_dict()["losses"]) == generation.state["iteration"]
    assert not (workspace.root / ".lock_model").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_stopped_before_its_target_the_exit_code_says_so(workspace):
    tiny.fill(workspace)
    process = start(workspace, "--target-iter", "1000000")
    wait_for(lambda: process.stdout.readline().startswith("#"), process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM and "All is saved" in said


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_a_lost_terminal_saves(workspace):
    import pty

    tiny.fill(workspace)
    line, environment = command(workspace)
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.execve(line[0], line, environment)
    seen = b""
    while b"#000002" not in seen:
        seen += os.read(terminal, 1000)
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    assert iteration(workspace) >= 2


def test_models_are_offered_with_their_titles():
    spec = next(s for s in declared(train.Options) if s.name == "model")
    assert list(spec.choices) == base.model_names()
