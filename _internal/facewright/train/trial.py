"""A short trial: how long an iteration takes on this machine, of the smallest model for estimates of all of them.

It runs in a process of its own: the backend is chosen, and GPUs are taken, when the training itself begins.

    python -m facewright.train.trial            times the smallest model and notes it
    python -m facewright.train.trial MODEL      prints where the model ran and its milliseconds, as JSON
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facewright.data.sample import Batch
from facewright.models import registry
from facewright.nn import devices
from facewright.nn.devices import Device
from facewright.train.step_times import MIN_STEPS, note_step_time

KIND = "quick"
WARM_UP = 2  # steps: the first compiles
LONGEST_S = 6.0  # of the timed steps
MOST_STEPS = 20
PATIENCE_S = 180.0  # after which the trial is given up

PACKAGES = Path(__file__).resolve().parents[2]


def run_trial() -> None:
    """Time some steps in another process, which notes what it found; a trial that fails says nothing."""
    line = [sys.executable, "-m", "facewright.train.trial"]
    try:
        subprocess.run(line, cwd=PACKAGES, capture_output=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return


def time_steps() -> float:
    """Return the milliseconds of an iteration of the smallest model, and note them."""
    device, milliseconds = timed(KIND)
    note_step_time(KIND, registry.trainable_class(KIND).default_batch, device.describe(), milliseconds, MIN_STEPS)
    return milliseconds


def timed(model: str) -> tuple[Device, float]:
    """Train a model at its usual batch on random images; return where, and the milliseconds of an iteration."""
    device, _ = devices.start()
    kind = registry.trainable_class(model)
    trained, rng = kind(kind.Options()), np.random.default_rng(0)
    batches: dict[str, Batch] = {
        stream: {
            sample.name: rng.random((kind.default_batch, sample.size, sample.size, sample.channels), np.float32)
            for sample in trained.samples(stream)
        }
        for stream in trained.streams
    }
    for _ in range(WARM_UP):
        trained.train_on(batches)
    began, steps = time.perf_counter(), 0
    while steps < MOST_STEPS and time.perf_counter() - began < LONGEST_S:
        trained.train_on(batches)
        steps += 1
    return device, 1000 * (time.perf_counter() - began) / steps


def main(arguments: Sequence[str]) -> None:
    """See the top of this file."""
    if not arguments:
        time_steps()
        return
    device, milliseconds = timed(arguments[0])
    print(json.dumps({"kind": device.kind, "milliseconds": milliseconds}))


if __name__ == "__main__":
    main(sys.argv[1:])
