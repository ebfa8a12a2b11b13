"""torch: its GPUs."""

import random
from typing import Any

import torch


def configure() -> None:
    """Nothing to set."""


def gpus() -> list[tuple[str, tuple[int, int]]]:
    """Return name and compute capability of every GPU that torch sees."""
    if not torch.cuda.is_available():
        return []
    numbers = range(torch.cuda.device_count())
    return [(torch.cuda.get_device_name(n), torch.cuda.get_device_capability(n)) for n in numbers]


def seed(value: int) -> None:
    """Seed torch, and the random numbers that keras takes the seeds of weights and layers from."""
    random.seed(value)
    torch.manual_seed(value)


def adam_step(variable: Any, moments: tuple[Any, Any], gradient: Any, rate: Any, numbers: Any) -> bool:
    """See the module of TensorFlow. Not done here: torch has no such operation on plain tensors."""
    return False
