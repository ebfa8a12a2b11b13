"""TensorFlow: its GPUs, its settings, Adam in one pass."""

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

# Whether a step may change variables in a branch, so that one that is not taken costs nothing.
BRANCHES = True


def configure() -> None:
    """Switch off what computes wrong numbers."""
    # This pass merges convolution, addition and LeakyReLU into one operation that has another slope: the graph's
    # answers are then wrong (TensorFlow 2.21 on processors). It also fails on LeakyReLU's gradients, with an error.
    tf.config.optimizer.set_experimental_options({"remapping": False})


def gpus() -> list[tuple[str, tuple[int, int]]]:
    """Return name and compute capability of every GPU that TensorFlow sees."""
    found = []
    for gpu in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # the backend may have started already
            tf.config.experimental.set_memory_growth(gpu, True)  # leave the rest of the GPU to others
        details = tf.config.experimental.get_device_details(gpu)
        found.append((details.get("device_name", gpu.name), details.get("compute_capability", (0, 0))))
    return found


def free_memory() -> float:
    """Return 0: TensorFlow does not tell how many bytes of its GPUs are free."""
    return 0.0


def share_batches(names: Sequence[str] = ()) -> None:
    """Let every batch be shared among several GPUs; not with TensorFlow (`nn.gpus.MULTI_GPU_BACKENDS`).

    Args:
        names: Of the devices, as the backend names them; empty for all GPUs that it sees.
    """
    raise NotImplementedError


def spread(model: Any) -> None:
    """Prepare a compiled model for `share_batches`; nothing to do."""


def sent(batch: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Send a batch to the GPU, from a thread of its own while a step computes there.

    Args:
        batch: Arrays by name; nobody may change them afterwards.

    Returns:
        The same, as the training step takes it: tensors that lie there, or the arrays where there is no GPU.
    """
    if not tf.config.list_logical_devices("GPU"):
        return dict(batch)
    with tf.device("/GPU:0"):
        return {name: tf.identity(array) for name, array in batch.items()}


def beside(tensor: Any) -> AbstractContextManager[Any]:
    """Return the scope in which new tensors lie where a tensor does; nothing to do, for TensorFlow sees to it."""
    return contextlib.nullcontext()


def seed(value: int) -> None:
    """Seed all random numbers."""
    keras.utils.set_random_seed(value)


def train_on(model: Any, x: Any, y: Any) -> dict[str, Any]:
    """Train as `model.train_on_batch` does, but do not wait: return its losses as scalars on the device.

    Args:
        model: A compiled model that was trained a step at least.
        x, y: As there.
    """
    return dict(model.train_function(iter([(x, y, None)])))


def adam_step(variable: Any, moments: tuple[Any, Any], gradient: Any, rate: Any, numbers: Any) -> bool:
    """Apply Adam to one variable in one pass over its numbers.

    Args:
        variable: The backend's variable, changed in place.
        moments: Moving averages of the gradients and of their squares, changed too.
        gradient: Of the variable's shape.
        rate: Learning rate.
        numbers: beta 1, beta 2, epsilon, and both betas to the power of the step's number.

    Returns:
        Whether it was done.
    """
    beta_1, beta_2, epsilon, power_1, power_2 = numbers
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=moments[0].handle,
        v=moments[1].handle,
        beta1_power=power_1,
        beta2_power=power_2,
        lr=rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=gradient,
    )
    return True
