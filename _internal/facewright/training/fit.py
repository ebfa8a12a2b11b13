"""The largest batch that the memory holds, found by trying."""

from collections.abc import Callable

from facewright.samples.outputs import Batch
from facewright.training.feed import Source

NAMES = ("ResourceExhaustedError", "OutOfMemoryError")
WORDS = ("RESOURCE_EXHAUSTED", "out of memory", "OOM when allocating", "DefaultCPUAllocator: can't allocate")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of any backend says that the memory is full."""
    if isinstance(error, MemoryError) or type(error).__name__ in NAMES:
        return True
    return any(word in str(error)[:4000] for word in WORDS)


def fitting_batch(train_on: Callable[[Batch, Batch], object], src: Source, dst: Source, failed: int) -> int:
    """Return the largest batch below one that failed with which a step runs; 0 when not even one face fits.

    Halves until a step runs, then looks once between that and the one that failed last. The weights change.

    Args:
        train_on: The model's step.
        src, dst: The samplers.
        failed: The batch that was too large.
    """

    def fits(size: int) -> bool:
        try:
            train_on(src.batch(size), dst.batch(size))
        except Exception as error:
            if not out_of_memory(error):
                raise
            return False
        return True

    size = failed // 2
    while size and not fits(size):
        failed, size = size, size // 2
    between = (size + failed) // 2
    return between if size and between > size and fits(between) else size
