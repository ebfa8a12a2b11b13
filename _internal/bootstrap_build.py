"""Installs the packages into a new environment aside, tries them, and puts the environment in its place.

Started by bootstrap.py when there is something to build. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bootstrap import (
    DEV_PINS,
    ENV,
    HASHES,
    HOME,
    NO_WEIGHTS,
    fail,
    only_one,
    python_of,
    read_marker,
    say,
    state,
    write_marker,
)
from bootstrap_pip import LOG, clean_variables, explain, run_pip
from bootstrap_weights import fetch_weights

GIGABYTE = 1e9
# The systems whose files hashes.txt knows; on others the versions alone are pinned.
HASHED_SYSTEMS = (("linux", "x86_64"), ("linux", "aarch64"), ("win32", "amd64"), ("darwin", "arm64"))
SOURCES = ("face-recognition-models",)  # there is no wheel of it
WHEELS_ONLY = ("--only-binary=:all:", *(f"--no-binary={name}" for name in SOURCES))
# What only the tools of the tests need, and what bootstrap.py chooses among by the machine.
TOOLS = frozenset(
    (
        *("ast-serialize", "hypothesis", "iniconfig", "librt", "mypy", "mypy-extensions", "pathspec", "pluggy"),
        *("pytest", "pytest-timeout", "ruff", "safetensors", "sortedcontainers"),
    )
)
CHOSEN = frozenset(("tensorflow", "tensorflow-cpu", "opencv-python", "opencv-python-headless"))
CUDA = "nvidia-"


def has_nvidia_card() -> bool:
    """Whether the driver of an NVIDIA GPU answers."""
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "GPU" in answer.stdout


def has_window_libraries() -> bool:
    """Whether the system has what the OpenCV wheel with windows links to."""
    if not sys.platform.startswith("linux"):
        return True
    for name in ("libGL.so.1", "libgthread-2.0.so.0"):
        try:
            ctypes.CDLL(name)
        except OSError:
            return False
    return True


def requirements(text: str, *, gpu: bool, windows: bool) -> str:
    """Return the requirements for this machine.

    Args:
        text: Content of requirements.txt.
        gpu: Take TensorFlow with CUDA.
        windows: The OpenCV wheel that opens windows can be loaded.
    """
    if gpu:
        text = re.sub(r"(?m)^tensorflow(?:-cpu)?==(\S+) ;.*\n", "", text) + "tensorflow[and-cuda]==" + _engine(text)
    if not windows:
        text = re.sub(r"(?m)^opencv-python==", "opencv-python-headless==", text)
    return text


def _engine(text: str) -> str:
    found = re.search(r"(?m)^tensorflow(?:-cpu)?==(\S+)", text)
    if found is None:
        raise ValueError("requirements.txt pins no TensorFlow")
    return found.group(1) + "\n"


def folded(name: str) -> str:
    """Return a package's name in the one form that an index knows it by."""
    return re.sub("[-_.]+", "-", name).lower()


def with_hashes(text: str, hashes: str, *, dev: bool = False) -> str | None:
    """Return requirements with all that they need in turn, each with the hashes of its files.

    Args:
        text: Requirements for this machine, those of the tools among them.
        hashes: Content of hashes.txt.
        dev: Also what the tools need.

    Returns:
        None where one of them is not in hashes.txt.
    """
    known = {line.split()[0]: line.split()[1:] for line in hashes.splitlines() if line and not line.startswith("#")}
    wanted = {_name_of(line): line for line in text.splitlines() if "==" in line and not line.startswith("#")}
    gpu = "[and-cuda]" in wanted.get("tensorflow", "")
    for pin in known:
        name = _name_of(pin)
        left_out = name in CHOSEN or (name in TOOLS and not dev) or (name.startswith(CUDA) and not gpu)
        if not left_out:
            wanted.setdefault(name, pin)
    files = {(_name_of(pin), pin.partition("==")[2]): found for pin, found in known.items()}
    lines = []
    for name, line in wanted.items():
        found = files.get((name, line.partition("==")[2].split()[0]))
        if found is None:
            return None
        lines.append(" ".join([line, *(f"--hash=sha256:{one}" for one in found)]))
    return "\n".join(lines) + "\n"


def _name_of(requirement: str) -> str:
    return folded(re.split(r"[\[=]", requirement)[0])


def make_venv(env: Path) -> list[str]:
    """Make an empty environment; return the pip command that installs into it."""
    import venv

    links = os.name != "nt"
    if importlib.util.find_spec("ensurepip"):
        with contextlib.suppress(subprocess.CalledProcessError):
            venv.EnvBuilder(symlinks=links, with_pip=True, clear=True, prompt="facewright").create(env)
            return [str(python_of(env)), "-m", "pip"]
    if importlib.util.find_spec("pip"):
        venv.EnvBuilder(symlinks=links, with_pip=False, clear=True, prompt="facewright").create(env)
        return [sys.executable, "-m", "pip", "--python", str(python_of(env))]
    fail(
        f"This Python ({sys.executable}) has neither ensurepip nor pip, so nothing can be installed.",
        "a Python with its venv module.",
        "on Debian and Ubuntu: sudo apt install python3-venv; elsewhere install Python from its home page.",
    )


def pip_install(pip: list[str], text: str, env: Path, *, dev: bool = False) -> None:
    """Install requirements: the very files that hashes.txt knows, where it knows this system.

    Args:
        pip: The command.
        text: The requirements.
        env: Where the file for pip is written.
        dev: Whether those of the tools are among them.
    """
    file = env / "pinned.txt"
    hashed = None
    if (sys.platform, platform.machine().lower()) in HASHED_SYSTEMS:
        hashed = with_hashes(text, (HOME / HASHES).read_text(encoding="utf-8"), dev=dev)
    if hashed is not None:
        file.write_text(hashed, encoding="utf-8")
        output = run_pip(pip, ["install", "--require-hashes", *WHEELS_ONLY, "-r", str(file)])
        if not output:
            return
        if "--require-hashes mode" not in output:  # pip's words when a hash is missing, not when one is wrong
            explain(output)
        say("      a package that is not in hashes.txt is needed here: the versions alone are compared")
    file.write_text(text, encoding="utf-8")
    output = run_pip(pip, ["install", *WHEELS_ONLY, "-r", str(file), "-c", str(HOME / "constraints.txt")])
    if output:
        explain(output)


def check_space(*, gpu: bool) -> None:
    """End with a sentence when the disk has no room for the environment."""
    needed = 8 if gpu else 3
    free = shutil.disk_usage(HOME).free / GIGABYTE
    if free < needed:
        fail(
            f"There are {free:.1f} GB free on the disk of {HOME}.",
            f"about {needed} GB for the environment.",
            "free some space and start again.",
        )


def try_packages(env: Path, pip: list[str]) -> None:
    """Import the large packages once; take the headless OpenCV when its libraries turn out to be missing."""
    answer = _run(env, "import numpy, cv2")
    if answer.returncode and "cannot open shared object" in answer.stderr and "opencv-python==" in _kept(env):
        say("      OpenCV's window libraries are missing: taking the headless OpenCV")
        subprocess.run([*pip, "uninstall", "-y", "-q", "opencv-python"], env=clean_variables(), capture_output=True)
        text = requirements(_kept(env), gpu=False, windows=False)
        (env / "requirements.txt").write_text(text, encoding="utf-8")
        pip_install(pip, text, env)
        answer = _run(env, "import numpy, cv2")
    if answer.returncode == 0:
        answer = _run(env, "import keras, click, tqdm, colorama, av")
    if answer.returncode:
        print("\n".join(f"      | {line}" for line in answer.stderr.splitlines()[-8:]), file=sys.stderr)
        fail(
            "The installed packages cannot be loaded.",
            "numpy, OpenCV and TensorFlow to import (TensorFlow asks for a processor with AVX).",
            "read the lines above; on an older processor use another machine.",
        )


def _tools() -> str:
    return (HOME / DEV_PINS).read_text(encoding="utf-8")


def _kept(env: Path) -> str:
    return (env / "requirements.txt").read_text(encoding="utf-8")


def _run(env: Path, code: str) -> subprocess.CompletedProcess[str]:
    variables = {**clean_variables(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [str(python_of(env)), "-c", code]
    return subprocess.run(command, env=variables, capture_output=True, encoding="utf-8", errors="replace")


def build(*, dev: bool) -> None:
    """Make the environment aside, then put it in its place."""
    began = time.monotonic()
    gpu = sys.platform.startswith("linux") and platform.machine() == "x86_64" and has_nvidia_card()
    check_space(gpu=gpu)
    new = HOME / "env.new"
    say(f"  1/3 An empty environment for Python {platform.python_version()}")
    shutil.rmtree(new, ignore_errors=True)
    LOG.unlink(missing_ok=True)
    pip = make_venv(new)
    say(f"  2/3 The packages: about {'4 GB: an NVIDIA GPU was found' if gpu else '400 MB'} to fetch")
    windows = has_window_libraries()
    if not windows:
        say("      no libGL or glib on this system: the headless OpenCV (previews go to files, not to windows)")
    text = requirements((HOME / "requirements.txt").read_text(encoding="utf-8"), gpu=gpu, windows=windows)
    (new / "requirements.txt").write_text(text, encoding="utf-8")
    pip_install(pip, f"{text}\n{_tools()}" if dev else text, new, dev=dev)
    fetch_weights(pip, new)
    say("  3/3 A trial of the packages")
    try_packages(new, pip)
    move_scripts(new, ENV)
    write_marker(new, dev=dev)
    put_in_place(new)
    say(f"  The environment is ready ({time.monotonic() - began:.0f} s).\n")


def move_scripts(old: Path, new: Path) -> None:
    """Write the later folder into the environment's scripts, which name their interpreter in the first line."""
    if os.name == "nt":
        return
    for path in [*(old / "bin").iterdir(), old / "pyvenv.cfg"]:
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 100_000:
            data = path.read_bytes()
            if b"\0" not in data:
                path.write_bytes(data.replace(os.fsencode(old), os.fsencode(new)))


def put_in_place(new: Path) -> None:
    """Rename the finished environment; the old one goes."""
    old = HOME / f"env.old-{os.getpid()}"
    try:
        if os.path.lexists(ENV):
            os.replace(ENV, old)
        os.replace(new, ENV)
    except OSError as error:
        fail(
            f"The environment could not be renamed: {error.strerror}.",
            f"no other program that uses {ENV}.",
            "close the other windows of facewright and start again.",
        )
    for left in HOME.glob("env.old-*"):
        shutil.rmtree(left, ignore_errors=True)


def pip_of(env: Path) -> list[str]:
    """Return the pip command for a whole environment, which may have none of its own."""
    if _run(env, "import pip").returncode:
        return [sys.executable, "-m", "pip", "--python", str(python_of(env))]
    return [str(python_of(env)), "-m", "pip"]


def add_tools() -> None:
    """Add the tools of the tests to a whole environment."""
    say("The tools of the tests are added to the environment.")
    pip_install(pip_of(ENV), _tools(), ENV, dev=True)
    subprocess.run([str(python_of(ENV)), "-I", "-S", str(HOME / "bootstrap.py"), "--adopt", "--dev"], check=True)


def main(arguments: list[str]) -> int:
    """Build what is missing, unless another start has built it meanwhile; return the exit code."""
    dev = "--dev" in arguments
    with only_one():
        wrong = state(ENV, dev=False)
        if "--weights" in arguments:
            return 0 if fetch_weights(pip_of(ENV), ENV) else 1
        if wrong == NO_WEIGHTS and "--rebuild" not in arguments:
            fetch_weights(pip_of(ENV), ENV)
        elif wrong or "--rebuild" in arguments:
            there = os.path.lexists(ENV)
            reason = f"The environment is built again: {wrong or 'it was asked for'}." if there else "First start."
            say(f"{reason} This takes about a minute, once.")
            build(dev=dev or bool(read_marker(ENV).get("dev")))
        if dev and state(ENV, dev=True):
            add_tools()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("\nStopped. Start again: the environment is then built from the beginning.")
        sys.exit(130)
