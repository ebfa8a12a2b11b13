"""Between two readings of the losses nothing waits for the device; needs JAX or torch, which the set-up leaves out."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS = 10

PROGRAM = """
import sys
import numpy as np
from facewright.data.draws import Draws
from facewright.data.sampler import Sampler
from facewright.nn import backends, devices
from facewright.train.device_sampling import outputs_of
devices.precision("float32")
from train.test_device_sampling import Faces
from train.tiny import Tiny

class Averaged(Tiny):
    ema = 0.9

model, waits = Averaged(Averaged.Options()), []
draws = {
    side: Draws(Sampler(Faces((64,)), model.samples(side), np.random.default_rng(0), flip=True), 1e9)
    for side in model.streams
}
for side, of_side in draws.items():
    model.makers[side].prepare(outputs_of(of_side.samples), of_side.table)

def batch():
    return {side: backends.current().sent(of_side.batch(2)) for side, of_side in draws.items()}

def watched(function, kind=object):
    def call(*arguments, **more):
        if isinstance(arguments[0], kind):
            waits.append(function)
        return function(*arguments, **more)
    return call

for _ in range(3):
    model.train_on(batch())
batches = [batch() for _ in range(int(sys.argv[1]))]
if devices.backend_name() == "torch":
    from torch.utils._python_dispatch import TorchDispatchMode
    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), more=None):
            read = "_local_scalar_dense" in str(function)  # what every number that Python gets goes through
            return (watched(function) if read else function)(*arguments, **(more or {}))
    with Watch():
        started = [model.start(numbers) for numbers in batches]
else:
    from jax._src.array import ArrayImpl
    for name in ("array", "asarray"):  # numpy reads it by itself
        setattr(np, name, watched(getattr(np, name), ArrayImpl))
    for name in ("__array__", "__float__", "__int__", "__bool__", "__index__", "item", "tolist"):
        setattr(ArrayImpl, name, watched(getattr(ArrayImpl, name)))
    started = [model.start(numbers) for numbers in batches]
print("waits", len(waits))
assert len(model.finish(started)) == len(batches)
print("after reading", len(waits))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "most"), [("jax", 0), ("torch", STEPS)])  # torch: whether a step is applied
def test_steps_do_not_wait_for_the_device(backend, most):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    paths = [str(REPOSITORY / "_internal"), str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(STEPS)],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "CUDA_VISIBLE_DEVICES": "-1",
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        },
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    waits, after_reading = (int(line.split()[-1]) for line in done.stdout.splitlines()[-2:])
    assert waits <= most, done.stdout
    assert after_reading > waits or backend == "torch"  # the watch sees what is read
