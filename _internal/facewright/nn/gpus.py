"""Which GPUs the networks use: all that the driver sees, the rules of choice, and their enforcement.

The choice is made before the backend starts, by the variable CUDA_VISIBLE_DEVICES: so it is the same for every
backend, and a GPU that was not chosen is not touched. GPUs are numbered as nvidia-smi numbers them.

Rules (those of the workflow of 2018): the best GPU is the one with most memory, the first of equals; the worst
the one with least. A user may say which GPU counts as the best, or name the GPUs outright, which is final.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facewright.core import machine
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.nn import backends
from facewright.nn.cards import VISIBLE, visible_numbers
from facewright.nn.devices import Device, find

ORDER = "CUDA_DEVICE_ORDER"
MULTI_GPU_BACKENDS = ("jax", "torch")  # backends with which one process trains on several GPUs


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver sees it.

    Attributes:
        index: Its number.
        name: Its model's name.
        gib: Its memory in GiB.
    """

    index: int
    name: str
    gib: float

    def describe(self) -> str:
        """Say it in a few words."""
        return f"{self.index}: {self.name}, {self.gib:.1f} GiB"


@dataclass(frozen=True)
class GpuRequest:
    """What the user asks for.

    Attributes:
        gpus: "" for the best GPU, "all", or numbers with commas between them.
        best: Number of the GPU that counts as the best (or, with `worst`, as the worst); -1 for the rule.
        worst: Take the GPU with least memory.
        same_model: Take all GPUs of the same name as the chosen one.
    """

    gpus: str = ""
    best: int = -1
    worst: bool = False
    same_model: bool = False


def list_gpus() -> tuple[Gpu, ...]:
    """Return the NVIDIA GPUs that this process may use; none where the driver's tool is missing."""
    return visible_gpus(parse_nvidia_smi(machine.nvidia_smi("index", "name", "memory.total")), os.environ.get(VISIBLE))


def parse_nvidia_smi(lines: Sequence[str]) -> tuple[Gpu, ...]:
    """Read the lines "index, name, MiB" of nvidia-smi; what does not fit is passed over."""
    found = []
    for line in lines:
        number, _, rest = line.partition(",")
        name, _, size = rest.rpartition(",")
        try:
            found.append(Gpu(int(number), name.strip(), float(size) / 1024))
        except ValueError:
            continue
    return tuple(found)


def visible_gpus(found: Sequence[Gpu], visible: str | None) -> tuple[Gpu, ...]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES allows; names of another form than numbers allow all."""
    numbers = visible_numbers(visible)
    return tuple(gpu for gpu in found if numbers is None or gpu.index in numbers)


def choose(found: Sequence[Gpu], request: GpuRequest) -> tuple[Gpu, ...]:
    """Return the GPUs to use.

    Args:
        found: What there is.
        request: What the user asks for.

    Raises:
        UserError: A GPU is asked for that is not there.
    """
    by_number = {gpu.index: gpu for gpu in found}
    if request.gpus and request.gpus != "all":
        return tuple(_known(by_number, number) for number in check_gpus(request.gpus))
    if not found:
        if request.gpus or request.best >= 0:
            _known(by_number, max(request.best, 0))
        return ()
    if request.gpus == "all":
        return tuple(found)
    if request.best >= 0:
        chosen = _known(by_number, request.best)
    else:
        chosen = (min if request.worst else max)(found, key=lambda gpu: gpu.gib)
    return tuple(gpu for gpu in found if gpu.name == chosen.name) if request.same_model else (chosen,)


def check_gpus(text: str) -> list[int]:
    """Read "all" (no numbers) or "0,1".

    Raises:
        UserError: It is neither.
    """
    words = [word.strip() for word in text.split(",")]
    if text in ("", "all"):
        return []
    if not all(word.isascii() and word.isdigit() for word in words):
        raise UserError(
            f"{text[:60]!r} does not name GPUs.",
            "all, or numbers with commas between them.",
            f"give, for example, --gpus 0 or --gpus 0,1. The GPUs are listed by:{hint('doctor')}",
        )
    return list(dict.fromkeys(map(int, words)))


@contextlib.contextmanager
def environment_restored() -> Iterator[None]:
    """Put the variables that `use` sets back at the end of the block, so that the next one may choose other GPUs."""
    before = {name: os.environ.get(name) for name in (VISIBLE, ORDER)}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def use(chosen: Sequence[Gpu]) -> None:
    """Let this process, and the backend that it starts, see the chosen GPUs only, within `environment_restored`."""
    if chosen:
        os.environ[ORDER] = "PCI_BUS_ID"  # as nvidia-smi numbers them
        os.environ[VISIBLE] = ",".join(str(gpu.index) for gpu in chosen)


def check_several(chosen: Sequence[Gpu], backend: str) -> None:
    """Check that a backend trains on as many GPUs as were chosen.

    Raises:
        UserError: There are several, and this backend trains on one.
    """
    if len(chosen) > 1 and backend not in MULTI_GPU_BACKENDS:
        raise UserError(
            f"With {backend} a training runs on one GPU, not on {len(chosen)}.",
            "one GPU; or JAX or torch, with which several GPUs share each batch.",
            "give one number to --gpus (another GPU can train in another workspace); or KERAS_BACKEND=jax or torch.",
        )


def _known(by_number: dict[int, Gpu], number: int) -> Gpu:
    if number not in by_number:
        there = "; ".join(gpu.describe() for gpu in by_number.values()) or "none that this process may use"
        raise UserError(
            f"There is no GPU {number}.",
            f"one of: {there}.",
            f"leave the flag out to use the best one, or the processor. The GPUs are listed by:{hint('doctor')}",
        )
    return by_number[number]


def device_memory(device: Device | None = None) -> float:
    """Return the memory of the device in GiB: the smallest used GPU's, or the computer's.

    A GPU whose size nothing tells counts as the computer: so it is on processors that share their memory with it.

    Args:
        device: What `devices.find` returned; asked for anew when absent.
    """
    device = device or find()
    return (gpu_memory() if device.kind == "gpu" else 0.0) or machine.memory().total / machine.GIB


def gpu_memory() -> float:
    """Return the memory of the smallest GPU in use, in GiB; 0 when the driver's tool does not tell."""
    return min((gpu.gib for gpu in list_gpus()), default=0.0)


def free_memory(device: Device | None = None) -> float:
    """Return the bytes that are free in the memory of the device: the fullest used GPU's, or the computer's.

    Args:
        device: What `devices.find` returned; asked for anew when absent.
    """
    device = device or find()
    if device.kind == "gpu":
        told = float(backends.current().free_memory())
        lines = [] if told else machine.nvidia_smi("index", "name", "memory.free")
        free = told or min(
            (gpu.gib * machine.GIB for gpu in visible_gpus(parse_nvidia_smi(lines), os.environ.get(VISIBLE))),
            default=0.0,
        )
        if free:
            return free
    return float(machine.memory().available)
