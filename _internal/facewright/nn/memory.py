"""How much memory the device has that the networks run on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from facewright.nn.devices import Device, find

GIB = float(1 << 30)
CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")


def device_memory(device: Device | None = None) -> float:
    """Return the memory of the device in GiB: the smallest card's, or the computer's.

    A card whose size nothing tells counts as the computer: so it is on processors that share their memory with it.

    Args:
        device: What `devices.find` returned; asked for anew when absent.
    """
    device = device or find()
    return (card_memory() if device.kind == "gpu" else 0.0) or computer_memory()


def card_memory() -> float:
    """Return the memory of the smallest NVIDIA card in GiB; 0 when the driver's tool does not tell."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return 0.0
    try:
        asked = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        done = subprocess.run(asked, capture_output=True, timeout=20)
        sizes = [float(line) for line in done.stdout.decode("ascii", "replace").split()]
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0.0
    return min(sizes, default=0.0) / 1024


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
