import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.nn import devices
from facewright.nn.backends import tensorflow as tensorflow_backend


def test_describes_the_processor():
    device = devices.find()
    assert device.describe().startswith(("CPU: ", "GPU: "))
    assert device.backend in device.describe()


@pytest.mark.skipif(devices.find().kind == "gpu", reason="this machine uses its GPU")
def test_a_gpu_that_lies_idle_is_said_aloud(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho NVIDIA Test 4000\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    warning = devices.find().warning()
    assert "NVIDIA" in warning and "pip install" in warning


def test_a_gpu_in_use_is_named(monkeypatch):
    monkeypatch.setattr(tensorflow_backend, "gpus", lambda: [("NVIDIA Test 4000", (8, 9))])
    device = devices.find()
    assert (device.kind, device.bfloat16, device.warning()) == ("gpu", True, "")


@pytest.mark.parametrize(("flags", "expected"), [("avx2 avx512_bf16", "bfloat16"), ("avx2 avx512f", "float32")])
def test_auto_takes_what_the_processor_has(monkeypatch, flags, expected):
    monkeypatch.setattr(tensorflow_backend, "gpus", list)
    monkeypatch.setattr(devices, "processor_flags", lambda: frozenset(flags.split()))
    assert devices.precision("auto") == expected
    devices.precision("float32")


def test_backends_that_cannot_be_had_are_named(monkeypatch):
    devices.check_backend("tensorflow")
    with pytest.raises(UserError, match="theano") as caught:
        devices.check_backend("theano")
    assert "tensorflow, jax, torch" in caught.value.expected
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed") as caught:
        devices.check_backend("jax")
    assert "pip install jax" in caught.value.fix


def test_first_weights_follow_from_the_seed():
    def weights(seed):
        devices.seed(seed)
        layers = [keras.layers.Dense(30), keras.layers.Dense(20, kernel_initializer="he_normal")]
        keras.Sequential([keras.Input((4,)), *layers])
        return np.concatenate([keras.ops.convert_to_numpy(layer.kernel).ravel() for layer in layers])

    one, again, other = weights(3), weights(3), weights(4)
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.99


def test_start_is_silent():
    done = subprocess.run(
        [sys.executable, "-c", "from facewright.nn import devices; devices.start()"],
        env={**os.environ, "PYTHONPATH": str(Path(devices.__file__).parents[2]), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


GRAPH = """
import sys
sys.path.insert(0, {internal!r})
from facewright.nn import devices
devices.prepare()
import keras, numpy as np
face = keras.Input((16, 16, 8))
summed = keras.layers.Add()([face, keras.layers.Conv2D(8, 3, padding="same")(face)])
model = keras.Model(face, keras.layers.LeakyReLU(negative_slope=0.1)(summed))
batch = np.random.default_rng(0).normal(size=(2, 16, 16, 8)).astype("float32")
print(np.abs(model.predict_on_batch(batch) - keras.ops.convert_to_numpy(model(batch))).max() < 1e-5)
"""


def test_a_graph_computes_what_the_layers_say():
    """TensorFlow's remapper takes another slope for LeakyReLU behind an addition; it is off as soon as we prepare."""
    internal = str(Path(devices.__file__).resolve().parents[2])
    code = GRAPH.format(internal=internal)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "True", done.stderr
