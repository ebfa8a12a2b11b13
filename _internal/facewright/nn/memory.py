"""How much memory the device has that the networks run on."""

import os
import sys
from pathlib import Path

from facewright.nn.cards import cards
from facewright.nn.devices import Device, find

GIB = float(1 << 30)
CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")


def device_memory(device: Device | None = None) -> float:
    """Return the memory of the device in GiB: the smallest used card's, or the computer's.

    A card whose size nothing tells counts as the computer: so it is on processors that share their memory with it.

    Args:
        device: What `devices.find` returned; asked for anew when absent.
    """
    device = device or find()
    return (card_memory() if device.kind == "gpu" else 0.0) or computer_memory()


def card_memory() -> float:
    """Return the memory of the smallest card in use, in GiB; 0 when the driver's tool does not tell."""
    return min((card.gib for card in cards()), default=0.0)


def computer_memory() -> float:
    """Return the memory that this process may use in GiB: the computer's, or its control group's where smaller."""
    size = _physical()
    try:
        limit = float(CONTROL_GROUP.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no Linux, or no limit ("max")
        return size
    return min(size, limit / GIB)


def _physical() -> float:
    if sys.platform == "win32":
        import ctypes

        class Status(ctypes.Structure):
            _fields_ = (
                ("length", ctypes.c_ulong),
                ("load", ctypes.c_ulong),
                ("physical", ctypes.c_ulonglong),
                ("rest", ctypes.c_ulonglong * 6),
            )

        status = Status(length=ctypes.sizeof(Status))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return status.physical / GIB
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
