"""What of the machine this process may use: processor cores, memory (the limit of a container included), GPUs."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

GIB = 1 << 30
CONTROL_GROUP = Path("/sys/fs/cgroup")  # of Linux, version 2: where a container's limits are


@dataclass(frozen=True)
class Memory:
    """Memory in bytes.

    Attributes:
        total: What this process may use: the computer's, or its control group's limit where that is smaller.
        available: How much of it is free, 1 at least. Cached pages of files count as free.
    """

    total: int
    available: int


def cores() -> int:
    """Return how many processor cores this process may use, at least 1."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # not on macOS
        return max(1, len(process.cpu_affinity()))
    return psutil.cpu_count() or 1


def memory(group: Path = CONTROL_GROUP) -> Memory:
    """Return the memory of the computer, or of the control group that holds this process.

    Args:
        group: The folder of the control group; an absent one limits nothing.
    """
    computer = psutil.virtual_memory()
    total, available = int(computer.total), int(computer.available)
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no Linux, no such group, or no limit ("max")
        return Memory(total, max(1, available))
    return Memory(min(total, limit), max(1, min(available, _left_in(group, limit))))


def _left_in(group: Path, limit: int) -> int:
    """Return the bytes below the limit that are not used yet; the pages of files may be dropped, so they are free."""
    try:
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        return limit - used + int(stat["inactive_file"]) + int(stat["active_file"])
    except (OSError, ValueError, KeyError):
        return limit


def process_exists(number: int) -> bool:
    """Whether a process of this number, below 2**31, is running."""
    return bool(psutil.pid_exists(number))


def nvidia_smi(*fields: str) -> list[str]:
    """Ask the tool of NVIDIA's driver about its GPUs.

    Args:
        fields: What to ask, as `nvidia-smi --help-query-gpu` names it: "index", "name", "memory.total" ...

    Returns:
        A line per GPU, the fields with commas between them, memory in MiB; none without a GPU, driver or tool.
    """
    tool = shutil.which("nvidia-smi")
    if not tool:
        return []
    command = [tool, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.decode(errors="replace").strip().splitlines() if done.returncode == 0 else []
