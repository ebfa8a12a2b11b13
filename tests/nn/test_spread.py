"""Several devices train as one does; needs JAX or torch, which the set-up does not bring."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
from facewright.nn import devices
devices.precision("float32")
if sys.argv[1] == "2":
    # torch has one processor: two shares of it
    devices.enable_data_parallel(["cpu", "cpu"] if devices.backend_name() == "torch" else ())
import numpy as np
from train.tiny import Tiny
model, rng = Tiny(Tiny.Options()), np.random.default_rng(0)
def batch():
    return {s.name: rng.random((4, s.size, s.size, s.channels), np.float32) for s in model.samples("src")}
losses = [model.train_on({"src": batch(), "dst": batch()})["src"] for _ in range(4)]
weights = [np.asarray(v).copy() for v in model.parts["encoder"].variables]
broken = batch()
broken["warped"][0] = np.nan
model.train_on({"src": broken, "dst": batch()})
assert all(np.array_equal(a, np.asarray(v)) for a, v in zip(weights, model.parts["encoder"].variables))
assert model.predict(batch()["target"][:3])[0].shape == (3, 16, 16, 3)
print("losses", *losses)
"""


def losses(backend, count):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(count)],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "CUDA_VISIBLE_DEVICES": "-1",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
            "PYTHONPATH": os.pathsep.join(
                [str(REPOSITORY / "_internal"), str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")]
            ),
        },
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [float(word) for word in done.stdout.split("losses")[1].split()]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_two_devices_train_as_one(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    assert losses(backend, 2) == pytest.approx(losses(backend, 1), abs=1e-5)
