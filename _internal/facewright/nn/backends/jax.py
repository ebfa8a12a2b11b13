"""JAX: its GPUs."""

import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import keras
from keras.src.backend.jax.trainer import _distribute_data
from numpy.typing import NDArray

BRANCHES = False  # see the module of TensorFlow


def configure() -> None:
    """Nothing to set."""


def gpus() -> list[tuple[str, tuple[int, int]]]:
    """Return name and compute capability of every GPU that JAX sees."""
    found = []
    for gpu in jax.devices():
        if gpu.platform in ("gpu", "cuda", "rocm"):
            major, _, minor = str(getattr(gpu, "compute_capability", "0.0")).partition(".")
            found.append((str(gpu.device_kind), (int(major or 0), int(minor or 0))))
    return found


def free_memory() -> float:
    """Return the bytes that are free on the fullest GPU; 0 where JAX does not tell."""
    stats = [gpu.memory_stats() or {} for gpu in jax.devices() if gpu.platform != "cpu"]
    left = [
        each["bytes_limit"] - each["bytes_in_use"] for each in stats if {"bytes_limit", "bytes_in_use"} <= each.keys()
    ]
    return float(min(left, default=0))


def share_batches(names: Sequence[str] = ()) -> None:
    """See the module of TensorFlow. JAX divides the batch and its compiled step by itself."""
    devices = list(names) or keras.distribution.list_devices()
    distribution = keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
    keras.distribution.set_distribution(distribution)


def spread(model: Any) -> None:
    """See the module of TensorFlow."""


def sent(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """See the module of TensorFlow. Where several GPUs share a batch, each gets its part."""
    return dict(_distribute_data(dict(batch)))


def beside(tensor: Any) -> AbstractContextManager[Any]:
    """See the module of TensorFlow."""
    return nullcontext()


def seed(value: int) -> None:
    """Seed the random numbers that keras takes the seeds of weights and layers from."""
    random.seed(value)


def train_on(model: Any, x: Any, y: Any) -> dict[str, Any]:
    """See the module of TensorFlow. The same calls as in `train_on_batch`, but for the last one, which waits."""
    kinds = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
    data = _distribute_data((x, y, None))
    state = model._get_jax_state(**dict.fromkeys(kinds, True), purge_model_variables=False)
    model._jax_state_synced = False
    logs, state = model.train_function(state, iter([data]))
    model._jax_state = dict(zip(kinds, state, strict=True))
    model.jax_state_sync()
    return dict(logs)


def adam_step(variable: Any, moments: tuple[Any, Any], gradient: Any, rate: Any, numbers: Any) -> bool:
    """See the module of TensorFlow. Not done here: XLA fuses the plain operations."""
    return False
