"""Writes hashes.txt: the SHA-256 of every wheel that the set-up may install, as pip itself names them.

Maintainers run it after a change of the pins; it takes some minutes and downloads no package:

    _internal/env/bin/python _internal/collect_hashes.py

pip is asked once for each system and Python that facewright runs on (`TARGETS`). Standard library only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bootstrap import HASHES, HOME, NEWEST, OLDEST
from bootstrap_build import SOURCES, folded

MANYLINUX = [*(f"manylinux_2_{minor}" for minor in range(28, 4, -1)), "manylinux2014", "manylinux2010", "manylinux1"]
MAC = [f"macosx_{version}_0_{kind}" for version in (14, 13, 12, 11) for kind in ("arm64", "universal2")]
TARGETS = {
    "linux x86_64": [f"{name}_x86_64" for name in MANYLINUX],
    "linux aarch64": [f"{name}_aarch64" for name in MANYLINUX],
    "windows": ["win_amd64"],
    "macos arm64": [*MAC, *(f"macosx_10_{version}_universal2" for version in (9, 12, 13))],
}


def pins() -> dict[str, str]:
    """Return name -> "name==version" of all that is pinned."""
    texts = [(HOME / name).read_text(encoding="utf-8") for name in ("constraints.txt", "requirements.txt")]
    found = dict(re.findall(r"(?m)^([\w-]+)==([\w.]+)", "\n".join(texts)))
    found["opencv-python-headless"] = found["opencv-python"]
    return {folded(name): f"{name}=={version}" for name, version in found.items()}


def ask_pip(wanted: dict[str, str], platforms: list[str], python: str) -> list[dict[str, Any]]:
    """Return what pip would install of some pins; those without a wheel for that system are left out."""
    wanted = dict(wanted)
    with tempfile.TemporaryDirectory() as folder:
        report, file = Path(folder, "report.json"), Path(folder, "pins.txt")
        command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed", "--no-deps"]
        command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", "--target", folder]
        command += [f"--platform={platform}" for platform in platforms]
        while wanted:
            file.write_text("\n".join(wanted.values()), encoding="utf-8")
            told = subprocess.run([*command, "--report", report, "-r", file], capture_output=True, encoding="utf-8")
            if told.returncode == 0:
                return list(json.loads(report.read_text(encoding="utf-8"))["install"])
            missing = re.search(r"No matching distribution found for ([\w.-]+)==", told.stderr)
            if missing is None:
                raise SystemExit(told.stderr)
            del wanted[folded(missing[1])]
    return []


def lines_of(reports: list[list[dict[str, Any]]]) -> list[str]:
    """Return a line for each pin with the hashes of all its wheels."""
    hashes: dict[str, set[str]] = {}
    for entry in (entry for report in reports for entry in report):
        name = folded(entry["metadata"]["name"])
        hashes.setdefault(name, set()).add(entry["download_info"]["archive_info"]["hashes"]["sha256"])
    return [" ".join([pin, *sorted(hashes[name])]) for name, pin in sorted(pins().items()) if name in hashes]


def main() -> None:
    """Ask for every target, and for the packages that come as source; write the file."""
    wanted = {name: pin for name, pin in pins().items() if name not in SOURCES}
    reports = []
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        for name, platforms in TARGETS.items():
            print(f"Python 3.{minor}, {name}", flush=True)
            reports.append(ask_pip(wanted, platforms, f"3.{minor}"))
    reports.append(ask_source({name: pins()[name] for name in SOURCES}))
    (HOME / HASHES).write_text("\n".join([HEAD, *lines_of(reports), ""]), encoding="utf-8")


def ask_source(wanted: dict[str, str]) -> list[dict[str, Any]]:
    """Return what pip would build of some pins for this very machine."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed", "--no-deps"]
        subprocess.run([*command, "--no-binary=:all:", "--report", report, *wanted.values()], check=True)
        return list(json.loads(report.read_text(encoding="utf-8"))["install"])


HEAD = "# Name, version, and the SHA-256 of every file of it that the set-up may install. Written by collect_hashes.py."

if __name__ == "__main__":
    main()
