"""Checks the environment in _internal/env, and has it built when it is missing, incomplete, damaged or of other pins.

Every numbered script calls this through bootstrap.sh or bootstrap.bat. Standard library only: it runs
before anything is installed. The installation itself is in bootstrap_build.py.

    python bootstrap.py            build or repair; a complete environment is left as it is
    python bootstrap.py --dev      the same, with pytest, ruff and mypy
    python bootstrap.py --check    exit code 0 when all is well; run by the environment's own Python with -I -S
    python bootstrap.py --adopt    take an environment that was made by hand, when its versions are ours
    python bootstrap.py --rebuild  make it anew, whatever is there
    python bootstrap.py --weights  fetch MediaPipe's networks, whether or not they are there

It is built aside as env.new and renamed when it is complete, with a marker file in it that holds a hash of
the pins, the Python version and the names of all that was installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(__file__).resolve().parent
ENV = HOME / "env"
MARKER = "facewright-env.json"
PINS = ("requirements.txt", "constraints.txt")
DEV_PINS = "requirements-dev.txt"
HASHES = "hashes.txt"  # of the files behind the pins; no part of the marker: the same versions need no new environment
WEIGHTS = "weights.json"  # which networks come out of which packages: see bootstrap_weights.py
WEIGHTS_FOLDER = "mediapipe"  # in the environment; the note in it has the name of the list
NO_WEIGHTS = "MediaPipe's networks are missing"
VERSION = tuple(sys.version_info[:3])
OLDEST, NEWEST = (3, 11), (3, 13)
INSTALLERS = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack", "distutils-precedence", "__pycache__")


def fail(happened: str, expected: str, fix: str) -> NoReturn:
    """Print what went wrong in three lines and end with exit code 1."""
    print(f"{happened}\n  Expected: {expected}\n  To fix it: {fix}", file=sys.stderr)
    sys.exit(1)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def check_python(version: tuple[int, ...]) -> None:
    """End with a sentence when this Python cannot run facewright."""
    running = ".".join(map(str, version[:3]))
    if not OLDEST <= version[:2] <= NEWEST:
        fail(
            f"This is Python {running}.",
            "Python 3.11, 3.12 or 3.13 (TensorFlow has no package for others).",
            "install one of them beside it and start the script again; FACEWRIGHT_PYTHON=/path/to/python names one.",
        )
    if sys.maxsize < 2**32:
        fail("This Python is a 32-bit one.", "a 64-bit Python.", "install the 64-bit version of Python 3.11 to 3.13.")


def python_of(env: Path) -> Path:
    """Return the interpreter of an environment."""
    return env / "Scripts" / "python.exe" if os.name == "nt" else env / "bin" / "python"


def site_packages(env: Path, version: tuple[int, ...]) -> Path:
    """Return the folder of an environment's packages."""
    if os.name == "nt":
        return env / "Lib" / "site-packages"
    return env / "lib" / f"python{version[0]}.{version[1]}" / "site-packages"


def hash_of(*names: str) -> str:
    """Return a hash of pin files, the same for LF and CRLF; comments count too."""
    digest = hashlib.sha256()
    for name in names:
        digest.update((HOME / name).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def installed(env: Path, version: tuple[int, ...]) -> list[str]:
    """Return the names in site-packages that are ours to watch."""
    try:
        names = os.listdir(site_packages(env, version))
    except OSError:
        return []
    return sorted(name for name in names if not name.startswith(INSTALLERS))


def read_marker(env: Path) -> dict[str, Any]:
    """Return the marker, empty when it is absent or damaged."""
    try:
        value = json.loads((env / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    names = value.get("packages") if isinstance(value, dict) else None
    right = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return value if right else {}


def write_marker(env: Path, *, dev: bool) -> None:
    """Write the marker as a whole file; it is the last thing that is written."""
    value = {
        "python": list(VERSION[:2]),
        "pins": hash_of(*PINS),
        "dev": hash_of(DEV_PINS) if dev else "",
        "packages": installed(env, VERSION),
    }
    temporary = env / f"{MARKER}.{os.getpid()}.tmp"
    temporary.write_text(json.dumps(value, indent=1), encoding="utf-8")
    os.replace(temporary, env / MARKER)


def what_is_wrong(env: Path, *, dev: bool) -> str:
    """Say why an environment cannot be used as it is, in a few words; empty when all is well.

    Called by the environment's own Python (`--check`), so that a Python that was moved, removed or
    replaced by another version shows.
    """
    marker = read_marker(env)
    if not marker:
        return "it was not finished"
    if marker.get("python") != list(VERSION[:2]):
        return "it was made for another Python"
    if marker.get("pins") != hash_of(*PINS):
        return "other versions are asked for now"
    gone = set(marker.get("packages") or ["everything"]) - set(installed(env, VERSION))
    if gone:
        return f"parts of it are gone ({', '.join(sorted(gone)[:3])})"
    if weights_to_fetch(env):
        return NO_WEIGHTS
    if dev and marker.get("dev") != hash_of(DEV_PINS):
        return "the tools of the tests are missing"
    return ""


def weights_to_fetch(env: Path) -> bool:
    """Whether a network of the list is neither there nor known as one that could not be fetched."""
    try:
        note = json.loads((env / WEIGHTS_FOLDER / WEIGHTS).read_text(encoding="utf-8"))
        known = {**note["files"], **note["not_fetched"]}
    except (OSError, ValueError, LookupError, TypeError):
        return True
    packages = json.loads((HOME / WEIGHTS).read_text(encoding="utf-8"))["packages"]
    return any(known.get(name) != sha256 for one in packages for name, (_, sha256) in one["members"].items())


def state(env: Path, *, dev: bool) -> str:
    """Ask an environment's own Python what is wrong with it; empty when all is well."""
    python = python_of(env)
    command = [str(python), "-I", "-S", str(HOME / "bootstrap.py"), "--check", f"--env={env}"]
    try:
        answer = subprocess.run([*command, *(["--dev"] if dev else [])], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "its Python does not run (moved or removed?)"
    lines = answer.stdout.strip().splitlines()
    return "" if answer.returncode == 0 else lines[-1] if lines else "its Python does not run"


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Wait until no other start is building the environment; a killed one lets go by itself."""
    with open(HOME / "env.lock", "a+b") as file:
        told = False
        while not try_lock(file):
            if not told:
                say("Another start is making the environment: waiting for it.")
                told = True
            time.sleep(0.5)
        yield


def try_lock(file: Any) -> bool:
    """Take the lock on an open file, which ends with it; False where another start has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def adopt(*, dev: bool) -> None:
    """Write the marker into an environment that was made by hand.

    Called by the environment's own Python. Only the direct requirements are compared.
    """
    have = {_folded(name) for name in installed(ENV, VERSION) if name.endswith(".dist-info")}
    wanted = (HOME / "requirements.txt").read_text(encoding="utf-8")
    if dev:
        wanted += (HOME / DEV_PINS).read_text(encoding="utf-8")
    pins = re.findall(r"(?m)^([\w-]+)==([^\s;]+)", wanted)
    missing = [
        f"{n}=={v}" for n, v in pins if n[:6] not in ("tensor", "opencv") and _folded(f"{n}-{v}.dist-info") not in have
    ]
    if missing:
        fail(f"{ENV} lacks {', '.join(missing)}.", "the versions of requirements.txt.", "run bootstrap.py --rebuild.")
    write_marker(ENV, dev=dev)


def _folded(name: str) -> str:
    return name.lower().replace("_", "-")


def main(arguments: list[str]) -> int:
    """Build or repair, check or adopt; return the exit code."""
    dev = "--dev" in arguments
    if "--check" in arguments:
        env = next((Path(a[6:]) for a in arguments if a.startswith("--env=")), ENV)
        wrong = what_is_wrong(env, dev=dev)
        print(wrong)
        return 1 if wrong else 0
    check_python(VERSION)
    if "--adopt" in arguments:
        adopt(dev=dev)
        return 0
    if not {"--rebuild", "--weights"} & {*arguments} and not state(ENV, dev=dev):
        return 0
    # A program of its own: it imports this one, and nothing imports in a circle.
    builder = subprocess.Popen([sys.executable, str(HOME / "bootstrap_build.py"), *arguments])
    while True:
        try:
            return builder.wait()
        except KeyboardInterrupt:  # the builder gets it too, and says what it means
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
