"""The same weights and batches give the same losses on TensorFlow, JAX and torch."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from facewright.models.registry import model_names

PROGRAM = Path(__file__).with_name("backend_run.py")
# Where the packages may lie beside the environment, which holds TensorFlow only: FACEWRIGHT_JAX=/a/folder
FOLDERS = {"jax": "FACEWRIGHT_JAX", "torch": "FACEWRIGHT_TORCH"}


def run(backend, weights, *arguments):
    places = [os.environ.get(FOLDERS.get(backend, ""), ""), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(place for place in places if place)
    return subprocess.run(
        [sys.executable, str(PROGRAM), str(weights), *arguments],
        # What XLA compiles runs three times: to make it quick would take much longer.
        env={
            **os.environ,
            **{"KERAS_BACKEND": backend, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"},
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        capture_output=True,
        text=True,
        timeout=1500,
    )


@pytest.fixture(scope="module", params=sorted(FOLDERS))
def backend(request):
    """Return a backend that is there; its test is skipped before anything is trained where it is not."""
    folder = os.environ.get(FOLDERS[request.param], "")
    if not importlib.util.find_spec(request.param) and not Path(folder, request.param).is_dir():
        pytest.skip(f"{request.param} is not installed; {FOLDERS[request.param]} may name a folder that holds it")
    return request.param


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return the weights file and TensorFlow's losses."""
    weights = tmp_path_factory.mktemp("backends") / "weights.npz"
    done = run("tensorflow", weights, "--write")
    assert done.returncode == 0, done.stderr
    return weights, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.backends
@pytest.mark.timeout(3000)
def test_losses_are_those_of_tensorflow(backend, reference):
    weights, expected = reference
    done = run(backend, weights)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found) == list(expected) and set(model_names()) <= set(found)
    for name, steps in expected.items():
        for number, losses in enumerate(steps):
            assert found[name][number] == pytest.approx(losses, abs=1e-4, rel=0), f"{name}, step {number}"
    for number, losses in enumerate(found["saehd df-ud"]):
        assert found["saehd df-ud recomputed"][number] == pytest.approx(losses, abs=1e-5, rel=0), f"step {number}"
