"""JAX: its GPUs."""

import random
from typing import Any

import jax


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


def seed(value: int) -> None:
    """Seed the random numbers that keras takes the seeds of weights and layers from."""
    random.seed(value)


def adam_step(variable: Any, moments: tuple[Any, Any], gradient: Any, rate: Any, numbers: Any) -> bool:
    """See the module of TensorFlow. Not done here: XLA fuses the plain operations."""
    return False
