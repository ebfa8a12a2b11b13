"""A short trial of the smallest model: how long an iteration takes on this machine, noted for estimates of all models.

It runs in a process of its own: the backend is chosen, and GPUs are taken, when the training itself begins.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from facewright.data.sample import Batch
from facewright.models import registry
from facewright.nn import devices
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
    """Return the milliseconds of an iteration of QUICK at its usual batch, on random images, and note them."""
    device, _ = devices.start()
    kind = registry.trainable_class(KIND)
    model, rng = kind(kind.Options()), np.random.default_rng(0)
    batches: dict[str, Batch] = {
        stream: {
            sample.name: rng.random((kind.default_batch, sample.size, sample.size, sample.channels), np.float32)
            for sample in model.samples(stream)
        }
        for stream in model.streams
    }
    for _ in range(WARM_UP):
        model.train_on(batches)
    began, steps = time.perf_counter(), 0
    while steps < MOST_STEPS and time.perf_counter() - began < LONGEST_S:
        model.train_on(batches)
        steps += 1
    milliseconds = 1000 * (time.perf_counter() - began) / steps
    note_step_time(KIND, kind.default_batch, device.describe(), milliseconds, MIN_STEPS)
    return milliseconds


if __name__ == "__main__":
    time_steps()
