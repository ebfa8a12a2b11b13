"""torch: its GPUs."""

import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import keras
import numpy as np
import torch
from numpy.typing import NDArray

from facewright.nn.backends import torch_shares

BRANCHES = False  # see the module of TensorFlow; here the GPU would have to be asked which one
_SHARED: list[str] = []  # devices that share a batch; none: the one that torch takes


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


def share_batches(names: Sequence[str] = ()) -> None:
    """See the module of TensorFlow."""
    _SHARED[:] = names or [f"cuda:{number}" for number in range(torch.cuda.device_count())]


def spread(model: Any) -> None:
    """See the module of TensorFlow."""
    if len(_SHARED) > 1:
        torch_shares.share_steps(model, _SHARED)


def sent(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """See the module of TensorFlow. Through pinned memory and in a stream of its own, so that nothing waits for it."""
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}
    if not torch.cuda.is_available():
        return tensors
    stream = _copy_stream()
    with torch.cuda.stream(stream):
        moved = {name: tensor.pin_memory().to("cuda", non_blocking=True) for name, tensor in tensors.items()}
    stream.synchronize()  # in the thread that sends: the step may take them at once
    for tensor in moved.values():
        tensor.record_stream(torch.cuda.default_stream())  # their memory stays theirs while the step uses it
    return moved


def beside(tensor: Any) -> AbstractContextManager[Any]:
    """See the module of TensorFlow."""
    return keras.device(str(tensor.device))


@cache
def _copy_stream() -> Any:
    return torch.cuda.Stream()


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
