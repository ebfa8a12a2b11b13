"""pip as the set-up calls it: with clean variables, its larger steps shown, its failures in a sentence.

Standard library only.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from typing import NoReturn

from bootstrap import HASHES, HOME, WEIGHTS, fail, say

LOG = HOME / "env-install.log"
NETWORK = r"NewConnectionError|NameResolution|name resolution|timed out|ConnectTimeout|ProxyError|unreachable|SSLError"


def clean_variables() -> dict[str, str]:
    """Return the process's variables without those that lead pip or Python to other folders.

    The pins also hold for what pip itself installs to build a package that comes as source; only variables reach
    there: the first up to pip 25.2, the second from then on. An address, because pip splits paths at blanks.
    """
    strange = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_HASHES", "__PYVENV_LAUNCHER__")
    pins = (HOME / "constraints.txt").as_uri()
    ours = {"PIP_CONSTRAINT": pins, "PIP_BUILD_CONSTRAINT": pins, "PIP_USER": "0", "PYTHONUTF8": "1"}
    return {**{k: v for k, v in os.environ.items() if k not in strange}, **ours}


def run_pip(pip: list[str], arguments: list[str]) -> str:
    """Run pip, show its larger steps, keep its whole output in the log; return the output when it failed.

    Args:
        pip: The command.
        arguments: What it shall do, "install" or "download" first.
    """
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"]
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(f"\n{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(map(str, arguments))}\n")
        process = subprocess.Popen(
            [*pip, *arguments, *quiet],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_variables(),
            encoding="utf-8",
            errors="replace",
        )
        lines: list[str] = []
        for line in process.stdout or ():
            log.write(line)
            lines.append(line)
            if news := worth_saying(line):
                say(f"      {news}")
    return ("".join(lines) or "pip said nothing") if process.wait() else ""


def worth_saying(line: str) -> str:
    """Return what a line of pip's output means for a person who waits; empty for most lines."""
    found = re.search(r"(Downloading|Using cached) (\S+?)-(\d\S*?)-\S+ \(([\d.]+) MB\)", line)
    if found and float(found[4]) >= 5:
        where = "" if found[1] == "Downloading" else ", from pip's cache"
        return f"{found[2]} {found[3]} ({float(found[4]):.0f} MB{where})"
    if line.startswith("Installing collected packages"):
        return f"unpacking {line.count(',') + 1} packages"
    return ""


def explain(output: str) -> NoReturn:
    """Turn a failed installation into a sentence; pip's last lines come first."""
    tail = [line for line in output.splitlines() if line.strip()][-12:]
    print("\n".join(f"      | {line[:200]}" for line in tail), file=sys.stderr)
    fail(*reason(output))


def reason(output: str) -> tuple[str, str, str]:
    """Return what happened, what was expected and how to fix it, by pip's output."""
    if "No space left" in output or "Errno 28" in output:
        return "The disk is full.", "about 3 GB of free space (8 GB with an NVIDIA GPU).", "free some and start again."
    if "DO NOT MATCH THE HASHES" in output:
        return (
            "A package is not the file that was pinned: its SHA-256 is another one.",
            f"the files whose SHA-256 {HASHES} and {WEIGHTS} name.",
            "check which package indexes pip is told to use (pip config list); nothing of that package was installed.",
        )
    if re.search(NETWORK, output):
        return (
            "The packages could not be fetched: no connection to the package index.",
            "a network connection during the first start.",
            "check the connection or the proxy (HTTPS_PROXY, pip's own configuration) and start again.",
        )
    if "No matching distribution" in output or "not a supported wheel" in output:
        return (
            f"There is no package for this machine: Python {platform.python_version()}, {platform.platform()}.",
            "64-bit Windows, Linux with glibc 2.28 or later, or macOS 14 or later on Apple silicon.",
            "run facewright on such a machine, or in a container of Debian or Ubuntu.",
        )
    return "The packages could not be installed.", "pip ending without an error.", f"read the last lines of {LOG}."
