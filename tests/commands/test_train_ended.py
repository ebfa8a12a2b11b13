"""Trainings that are killed, told to stop, or lose their terminal."""

import os
import signal
import sys

import pytest

from commands.train_runs import command, iteration, launch, run, wait_for
from facewright.nn import checkpoint
from facewright.train import rounds
from facewright.train.loop import TrainingResult
from facewright.train.signals import STOP_SIGNALS
from train import tiny


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_it_loses_at_most_back_to_the_last_saving_and_told_to_stop_nothing(workspace):
    tiny.fill(workspace)
    folder = workspace.model_dir / "h64"
    process = launch(workspace, "--save-interval-min", "0.01")
    wait_for(
        lambda: len(checkpoint.generations(folder)) > 1 and checkpoint.generations(folder)[0].name[-1] > "2", process
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = iteration(workspace)
    assert kept > 0

    process = launch(workspace)
    lines = []
    while not lines or "  #" not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    assert any(f"continues from iteration {kept}" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert "Everything is saved" in said
    generation = checkpoint.newest(folder).generation
    assert generation.state["iteration"] > kept
    assert len(generation.arrays("history").as_dict()["losses"]) == generation.state["iteration"]
    assert not (workspace.root / ".lock_model").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_stopped_before_its_target_the_exit_code_says_so(workspace):
    tiny.fill(workspace)
    process = launch(workspace, "--target-iter", "1000000")
    wait_for(lambda: "  #" in process.stdout.readline(), process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM and "Everything is saved" in said


@pytest.mark.parametrize("name", STOP_SIGNALS)
def test_every_signal_that_ends_a_training_early_gives_an_exit_code(filled, monkeypatch, name):
    monkeypatch.setattr(signal, name, 21, raising=False)  # each exists on one kind of system only
    monkeypatch.setattr(rounds, "train_session", lambda *given, **more: TrainingResult(name, 1, 1.0, 0.0))
    with pytest.raises(SystemExit) as end:
        run(filled, target_iter=9, preview=False)
    assert end.value.code == 128 + 21


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
