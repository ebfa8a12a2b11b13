"""Step 6 with the tiny model in the place of h64: in this process, or in one of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

from facewright.commands import train
from facewright.nn import checkpoint

REPOSITORY = Path(__file__).resolve().parents[2]


def run(workspace, more=None, **given):
    options = {"model": "h64", "precision": "float32", "window": False, **given}
    train.run(workspace, train.TrainOptions(**options), more)


def iteration(workspace):
    return checkpoint.newest(workspace.model_dir / "h64").generation.state["iteration"]


def command(workspace, *flags):
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"}
    return [sys.executable, "-m", "train.tiny", str(workspace.root), *flags], environment


def launch(workspace, *flags):
    line, environment = command(workspace, *flags)
    return subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=environment,
    )


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.02)
