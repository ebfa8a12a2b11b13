"""Backend, device and precision: set up before keras is imported, described in words for people.

What a backend must be asked itself is in `facewright.nn.backends`; all else goes through keras.
"""

import contextlib
import importlib.util
import logging
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from facewright.core import console, machine
from facewright.core.console import without_notes
from facewright.core.errors import UserError
from facewright.nn import backends, cards, engine_table
from facewright.nn.cards import Card
from facewright.nn.engine_table import Engine, Place

BACKENDS = engine_table.ENGINES
POLICIES = {
    "auto": "bfloat16 where the device has it in hardware and a short benchmark finds it faster, else float32",
    "float32": "full precision",
    "bfloat16": "half of the numbers' bits in the sums; weights stay float32",
}
# Processors that multiply bfloat16 in hardware; elsewhere it is emulated and slower than float32.
BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")
BFLOAT16_CAPABILITY = (8, 0)  # NVIDIA GPUs from Ampere on


@dataclass(frozen=True)
class Device:
    """Where the networks run.

    Attributes:
        backend: Name of the keras backend.
        kind: "gpu" or "cpu".
        name: The GPU's or processor's name.
        count: Number of GPUs, or of cores.
        bfloat16: Whether it multiplies bfloat16 in hardware.
        unused_gpu: A GPU that the system sees and the backend does not; else None.
    """

    backend: str
    kind: str
    name: str
    count: int
    bfloat16: bool
    unused_gpu: Card | None = None

    def describe(self) -> str:
        """Say it in a line."""
        if self.kind == "gpu":
            what = f"{self.name}" if self.count == 1 else f"{self.count} GPUs, first {self.name}"
        else:
            what = f"{self.name}, {self.count} core{'s' if self.count != 1 else ''}"
        return f"{self.kind.upper()}: {what} (keras on {self.backend})"

    def warning(self) -> str:
        """Say that a GPU is not used; "" when none does."""
        if self.unused_gpu is None:
            return ""
        return (
            f"There is a GPU ({self.unused_gpu.name}), but {self.backend} cannot use it: the networks run on the "
            f"processor, many times slower. {self.way}"
        )

    @property
    def way(self) -> str:
        """What to do so that the networks run on the unused GPU, with the line to paste."""
        return cards.way_to(self.unused_gpu, sys.platform, sys.executable) if self.unused_gpu else ""


def backend_name() -> str:
    """Return the backend in use, or to be used: as KERAS_BACKEND says, else the quickest that was measured here.

    Where nothing was measured it is the one that knows the card.
    """
    named = os.environ.get("KERAS_BACKEND")
    if named:
        return named
    engines = usable_engines()
    # TensorFlow comes with the program: where there is nothing else, no card needs to be looked for.
    if len(engines) < 2:
        return engines[0].name if engines else "tensorflow"
    measured = engine_table.quickest(engine_table.times_of(place(), engines))
    return measured or cards.default_backend(cards.find_cards(), [engine.name for engine in engines], sys.platform)


def is_chosen() -> bool:
    """Whether it is settled which backend runs: KERAS_BACKEND names it, or it has been started."""
    return bool(os.environ.get("KERAS_BACKEND")) or "keras" in sys.modules


def usable_engines() -> tuple[Engine, ...]:
    """Return the installed backends that know the first card, TensorFlow where none does; without a card, all."""
    installed = engine_table.installed_engines()
    found = cards.find_cards() if len(installed) > 1 else ()
    if not found:
        return installed
    known = cards.backends_for(found[0], sys.platform)
    return tuple(e for e in installed if e.name in known) or tuple(e for e in installed if e.name == "tensorflow")


def place() -> Place:
    """Return what the networks would run on: the first card, or the processor."""
    return engine_table.find_place([card.name for card in cards.find_cards()], processor_name())


def prepare() -> Any:
    """Choose the backend, import keras and quiet its start-up notes; errors stay visible.

    Call it before anything else imports keras. KERAS_BACKEND and TF_CPP_MIN_LOG_LEVEL are respected when set.

    Returns:
        The module keras.

    Raises:
        UserError: KERAS_BACKEND names a backend that is unknown or not installed.
    """
    os.environ["KERAS_BACKEND"] = backend_name()
    check_backend(os.environ["KERAS_BACKEND"])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides notes and warnings of the C++ side, not errors
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    for name in ("tensorflow", "absl", "jax"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with contextlib.nullcontext() if "keras" in sys.modules else without_notes():
        import keras  # only now: it reads the variables above
    backends.current().configure()
    return keras


def check_backend(name: str) -> None:
    """Check a name for KERAS_BACKEND.

    Raises:
        UserError: It is unknown or not installed.
    """
    if name not in BACKENDS:
        raise UserError(
            f"The variable KERAS_BACKEND is {name!r}.", f"one of {', '.join(BACKENDS)}.", "set it so, or unset it."
        )
    if name != "tensorflow" and name not in sys.modules and importlib.util.find_spec(name) is None:
        raise UserError(
            f"The variable KERAS_BACKEND asks for {name}, which is not installed.",
            "a backend that the environment holds; the set-up brings tensorflow.",
            f"unset the variable, or install it: {sys.executable} -m pip install {name}",
        )


def find() -> Device:
    """Return the device that the networks will use; starts the backend (seconds on the first call)."""
    keras = prepare()
    keras.config.set_image_data_format("channels_last")  # a file in the user's home may say otherwise
    backend = str(keras.backend.backend())
    gpus = backends.current().gpus()
    if gpus:
        name, capability = gpus[0]
        return Device(backend, "gpu", name, len(gpus), capability >= BFLOAT16_CAPABILITY)
    flags = processor_flags()
    fast = backend == "tensorflow" and any(flag in flags for flag in BFLOAT16_FLAGS)
    return Device(backend, "cpu", processor_name(), machine.cores(), fast, next(iter(cards.find_cards()), None))


def seed(value: int) -> None:
    """Let the first weights of the networks that are built from now on follow from a number.

    keras' own way of doing it imports TensorFlow beside the backend in use: seconds, memory, and on a GPU all of it.
    """
    prepare()
    backends.current().seed(value)


@lru_cache(maxsize=1)
def on_processor() -> bool:
    """Whether the networks run on the processor; asks the backend once."""
    return find().kind == "cpu"


def precision(policy: str = "auto", device: Device | None = None) -> str:
    """Set the precision of all networks that are built from now on.

    Weights and the optimiser's state are float32 under every policy, so that a model trained under one goes on
    under another.

    Args:
        policy: One of `POLICIES`.
        device: What `find` returned; asked for anew when absent.

    Returns:
        "float32" or "bfloat16".
    """
    if policy not in POLICIES:
        raise ValueError(f"the precision is one of {', '.join(POLICIES)}, not {policy!r}")
    if policy == "auto":
        policy = "bfloat16" if (device or find()).bfloat16 else "float32"
    keras = prepare()
    keras.config.set_dtype_policy("mixed_bfloat16" if policy == "bfloat16" else "float32")
    return policy


def start(policy: str = "auto") -> tuple[Device, str]:
    """Prepare the backend, set the precision and warn of a GPU that is not used.

    Returns:
        The device and the precision in use ("float32" or "bfloat16").
    """
    device = find()
    if device.warning():
        console.warn(device.warning())
    return device, precision(policy, device)


def enable_data_parallel(names: Sequence[str] = ()) -> None:
    """Share every batch among several GPUs; call it before a network is built.

    JAX and torch do this in one process (`nn.gpus.MULTI_GPU_BACKENDS`). The gradients of the shares are averaged.

    Args:
        names: Of the devices, as the backend names them; empty for all GPUs that it sees.
    """
    prepare()
    backends.current().share_batches(names)


def processor_name() -> str:
    """Return the processor's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def processor_flags() -> frozenset[str]:
    """Return the processor's features as Linux names them; empty where the system does not tell."""
    return frozenset((_cpuinfo("flags") or "").split())


def _cpuinfo(key: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return ""
