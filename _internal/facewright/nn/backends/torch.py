"""torch: its GPUs."""

import random
from typing import Any

import torch


def configure() -> None:
    """Nothing to set."""


def gpus() -> list[tuple[str, tuple[int, int]]]:
    """Return name and compute capability of every GPU that torch sees."""
    if torch.backends.mps.is_available():
        return [("Apple GPU", (0, 0))]
    if not torch.cuda.is_available():
        return []
    numbers = range(torch.cuda.device_count())
    return [(torch.cuda.get_device_name(n), torch.cuda.get_device_capability(n)) for n in numbers]


def free_memory() -> float:
    """Return the bytes that are free on the fullest GPU; 0 without one."""
    if not torch.cuda.is_available():
        return 0.0
    return float(min(torch.cuda.mem_get_info(n)[0] for n in range(torch.cuda.device_count())))


def seed(value: int) -> None:
    """Seed torch, and the random numbers that keras takes the seeds of weights and layers from."""
    random.seed(value)
    torch.manual_seed(value)


def train_on(model: Any, x: Any, y: Any) -> dict[str, Any]:
    """See the module of TensorFlow."""
    return dict(model.train_function([(x, y, None)]))


def adam_step(variable: Any, moments: tuple[Any, Any], gradient: Any, rate: Any, numbers: Any) -> bool:
    """See the module of TensorFlow. Not done here: torch has no such operation on plain tensors."""
    return False
