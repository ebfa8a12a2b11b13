"""Graphics cards by what the system tells of them, and which backends know them: asked before any backend starts.

So nobody trains on the processor unawares: a card that the backend in use cannot use is named, with the way to it.
"""

import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facewright.core import machine

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRM, NVIDIA_DRIVER = Path("/sys/class/drm"), Path("/proc/driver/nvidia/gpus")  # where Linux describes them
AMD_VENDOR = "0x1002"
LEAST_AMD = 6 << 30  # bytes of its own: what has less is the graphics part of a processor, which trains nothing
# NVIDIA's generations that TensorFlow 2.21's build holds programs for: it lists sm_60 to compute_90. What came later
# (Blackwell: 10.0 and 12.0) would be translated for half an hour, or refused.
TENSORFLOW_NEWEST = (9, 0)
TORCH = "https://download.pytorch.org/whl"  # where torch's makers put its builds for graphics cards


@dataclass(frozen=True)
class Card:
    """A graphics card.

    Attributes:
        maker: "NVIDIA", "AMD" or "Apple".
        name: Its model's name.
        capability: Of NVIDIA's: the compute capability; (0, 0) where not known.
    """

    maker: str
    name: str
    capability: tuple[int, int] = (0, 0)


def find_cards(drm: Path = DRM, nvidia_driver: Path = NVIDIA_DRIVER) -> tuple[Card, ...]:
    """Return the cards of this machine that can train and that this process may use, NVIDIA's first.

    Args:
        drm: Where Linux lists graphics cards.
        nvidia_driver: Where NVIDIA's driver for Linux lists its own.
    """
    there = [parse_nvidia(line) for line in machine.nvidia_smi("name", "compute_cap")]
    # Some containers have the driver and lack its tool.
    there = there or [Card("NVIDIA", name) for name in _driver_names(nvidia_driver)]
    allowed = visible_numbers(os.environ.get(VISIBLE))
    found = [card for number, card in enumerate(there) if allowed is None or number in allowed]
    for vendor in sorted(drm.glob("card*/device/vendor")):
        try:
            size = int(vendor.with_name("mem_info_vram_total").read_text(encoding="ascii"))
            if vendor.read_text(encoding="ascii").strip() == AMD_VENDOR and size >= LEAST_AMD:
                found.append(Card("AMD", "AMD GPU"))
        except (OSError, ValueError):
            continue
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append(Card("Apple", "Apple GPU"))
    return tuple(found)


def visible_numbers(visible: str | None) -> frozenset[int] | None:
    """Return the numbers of the cards that CUDA_VISIBLE_DEVICES allows; None where it allows all or has other names."""
    words = [word.strip() for word in (visible or "").split(",") if word.strip()]
    if visible is None or not all(word.isascii() and word.isdigit() for word in words):
        return None
    return frozenset(map(int, words))


def parse_nvidia(line: str) -> Card:
    """Read a line "name, 9.0" of nvidia-smi."""
    name, _, capability = line.rpartition(",")
    numbers = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", capability.strip())
    if not numbers:
        return Card("NVIDIA", line.strip())
    return Card("NVIDIA", name.strip(), (int(numbers[1]), int(numbers[2])))


def backends_for(card: Card, system: str) -> tuple[str, ...]:
    """Return the backends that can use a card, the one to take first.

    Args:
        card: The card.
        system: As `sys.platform` names it.
    """
    if card.maker == "NVIDIA" and system == "linux":
        return ("tensorflow", "jax", "torch") if card.capability <= TENSORFLOW_NEWEST else ("jax", "torch")
    # TensorFlow and JAX have no build for a GPU on native Windows; ROCm's and Apple's are torch's own builds.
    possible = {("NVIDIA", "win32"), ("AMD", "linux"), ("Apple", "darwin")}
    return ("torch",) if (card.maker, system) in possible else ()


def default_backend(cards: Sequence[Card], installed: Sequence[str], system: str) -> str:
    """Return the backend to take where nobody names one: the first that knows the first card, else TensorFlow.

    Args:
        cards: What `find_cards` returned.
        installed: Backends that the environment holds.
        system: As `sys.platform` names it.
    """
    for card in cards[:1]:
        for name in backends_for(card, system):
            if name in installed:
                return name
    return "tensorflow"


def way_to(card: Card, system: str, python: str) -> str:
    """Return what to do so that the networks run on a card, with a line to paste where there is one.

    Args:
        card: The card.
        system: As `sys.platform` names it.
        python: The environment's own Python.
    """
    names = backends_for(card, system)
    install = f"{python} -m pip install"
    if not names:
        return f"No backend has a build for {card.maker} on this system."
    if names[0] == "tensorflow":
        return f'Put the CUDA build into the environment: {install} "tensorflow[and-cuda]"'
    if names[0] == "jax":
        return (
            f'It is newer than TensorFlow\'s build; JAX knows it and is then taken by itself: {install} "jax[cuda13]"'
        )
    if card.maker == "Apple":
        return f"torch uses it and is then taken by itself: {install} torch"
    if card.maker == "AMD":
        return f"torch's ROCm build uses it and is then taken by itself: {install} torch --index-url {TORCH}/rocm7.2"
    return (
        f"torch's CUDA build uses it and is then taken by itself: {install} torch --index-url {TORCH}/cu130 (or use "
        "WSL2, which is Linux)"
    )


def _driver_names(folder: Path) -> list[str]:
    names = []
    for file in sorted(folder.glob("*/information")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        names += [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Model:")]
    return names
