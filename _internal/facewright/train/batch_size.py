"""How many faces an iteration takes: chosen for the device's memory, and found by trial when that is full."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import again
from facewright.data.sample import Batch
from facewright.models.base import Trainable
from facewright.models.spec import ModelOptions
from facewright.nn.devices import Device
from facewright.nn.gpus import device_memory
from facewright.train.prefetch import BatchSource

OUT_OF_MEMORY_TYPES = ("ResourceExhaustedError", "OutOfMemoryError")
OUT_OF_MEMORY_TEXTS = (
    "RESOURCE_EXHAUSTED",
    "out of memory",
    "OOM when allocating",
    "DefaultCPUAllocator: can't allocate",
)


@dataclass(frozen=True)
class BatchSize:
    """A chosen batch size.

    Attributes:
        size: Faces per side and iteration.
        reason: Why so many.
    """

    size: int
    reason: str


def choose_batch_size(model: Trainable, asked: int, device: Device) -> BatchSize:
    """Choose how many faces per side an iteration takes.

    Args:
        model: The model.
        asked: What the user wants; 0 leaves it to the program.
        device: Where it trains.

    Raises:
        UserError: The device's memory is too small for the model.
    """
    gpus = gpu_count(device)
    if asked:
        size, reason = asked, "as asked"
    else:
        memory = device_memory(device)
        size, reason = model.batch_for(memory), f"for {memory:.1f} GiB"
        if device.kind == "cpu" and size > model.default_batch:
            size, reason = model.default_batch, "a processor gains nothing from more"
    if gpus > 1 and size % gpus:
        size, reason = max(gpus, size - size % gpus), f"{reason}; a multiple of {gpus} GPUs"
    return BatchSize(size, reason)


def gpu_count(device: Device) -> int:
    """Return how many GPUs share a batch; 1 on a processor."""
    return device.count if device.kind == "gpu" else 1


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of any backend says that the memory is full."""
    if isinstance(error, MemoryError) or type(error).__name__ in OUT_OF_MEMORY_TYPES:
        return True
    return any(text in str(error)[:4000] for text in OUT_OF_MEMORY_TEXTS)


def largest_fitting_batch(
    train_on: Callable[..., object], sources: Mapping[str, BatchSource], failed: int, multiple: int = 1
) -> int:
    """Return the largest batch size below one that failed with which a step runs; 0 when not even one face fits.

    Halves until a step runs, then tries once between that and the one that failed last. The weights change.

    Args:
        train_on: The model's step; it takes a batch per stream.
        sources: Stream name -> its sampler.
        failed: The batch size that was too large.
        multiple: What a batch size must be a multiple of: the number of GPUs that share it.
    """

    def fits(size: int) -> bool:
        batches: dict[str, Batch] = {name: source.batch(size) for name, source in sources.items()}
        try:
            train_on(batches)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def rounded(size: int) -> int:
        return size - size % multiple

    size = rounded(failed // 2)
    while size and not fits(size):
        failed, size = size, rounded(size // 2)
    between = rounded((size + failed) // 2)
    return between if size and between > size and fits(between) else size


def nothing_fits(size: int, options: ModelOptions) -> UserError:
    """Return the error of a memory that holds no batch at all.

    Args:
        size: Faces per side of the batch that was tried first.
        options: The model's.
    """
    thrifty = getattr(options, "gradient_checkpointing", True)  # or it cannot be
    return UserError(
        f"The memory does not hold a batch of {size} + {console.counted(size, 'face')}, and not even 1 + 1.",
        "a device with more memory, or a smaller model; the model is as it was last saved.",
        "close other programs that use the device; or choose a smaller network, or a light version, for a new model"
        + ("." if thrifty else f"; or let this one need less:{again('--gradient-checkpointing')}"),
    )
