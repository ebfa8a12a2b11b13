"""A log file for every run of a command, in the workspace's logs/: what a user attaches to a bug report.

It holds the command line, the versions, the options, all that was printed, warned and answered, and the traceback of
an error. It holds no secret address of a page. The newest `KEPT` files stay.
"""

import contextlib
import importlib.metadata
import logging
import platform
import re
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from facewright.core.console import LOG
from facewright.core.errors import UserError
from facewright.core.hints import USUAL_WORKSPACE, hint

FOLDER = "logs"
KEPT = 20
NAME = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_[a-z-]+(_\d+)?\.log")
# Those that decide what a run does; some come under one of several names.
PACKAGES = (
    *("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "opencv-python", "opencv-python-headless"),
    *("mtcnn", "dlib", "dlib-bin", "av", "onnxruntime"),
)


@contextlib.contextmanager
def log_file(root: Path, command: str, header: Sequence[str]) -> Iterator[Path | None]:
    """Write what is printed in the block into a new log file.

    An error that leaves the block is noted with its traceback, and gets a note (`__notes__`) that names the file.

    Args:
        root: The workspace. Where it is missing or cannot be written, there is no log file: that stops no command.
        command: The subcommand's name, part of the file's name.
        header: The first lines.

    Yields:
        The file, or None.
    """
    path = _new_file(root, command)
    if path is None:
        yield None
        return
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s  %(levelname)-7s  %(message)s", "%H:%M:%S"))
    handler.handleError = lambda record: None  # type: ignore[method-assign]  # a full disk: the command itself will say it
    LOG.addHandler(handler)
    try:
        for line in header:
            LOG.info("%s", line)
        yield path
    except BaseException as error:
        LOG.error("%s", "".join(traceback.format_exception(error)).rstrip())
        if isinstance(error, Exception):
            error.add_note(f"  Log file: {path}")
            if not isinstance(error, UserError):
                where = () if root == USUAL_WORKSPACE else ("--workspace", str(root))
                error.add_note(f"  To report this, pack the logs:{hint('doctor --report', *where)}")
        raise
    finally:
        LOG.removeHandler(handler)
        with contextlib.suppress(OSError):  # a full disk: what it did not take must not hide the command's own words
            handler.close()


def versions() -> str:
    """Name the versions of Python, of the system and of the packages that decide what a run does."""
    found = [f"Python {platform.python_version()}", platform.platform()]
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return ", ".join(found)


def log_files(root: Path) -> list[Path]:
    """Return the log files of a workspace, the oldest first; links are none of them."""
    folder = root / FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return []
    logs = [path for path in folder.iterdir() if NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink()]
    return sorted(logs, key=lambda path: (path.stat().st_mtime, path.name))


def _new_file(root: Path, command: str) -> Path | None:
    """Make an empty log file; remove those that are too many. None where that cannot be done."""
    if not root.is_dir():
        return None
    folder = root / FOLDER
    stem = f"{time.strftime('%Y-%m-%d_%H-%M-%S')}_{command}"
    try:
        if folder.is_symlink():  # it would write and remove files elsewhere
            return None
        folder.mkdir(exist_ok=True)
        path = next(path for path in _names(folder, stem) if _made(path))
        for old in log_files(root)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return path


def _names(folder: Path, stem: str) -> Iterator[Path]:
    yield folder / f"{stem}.log"
    for count in range(2, 1000):
        yield folder / f"{stem}_{count}.log"


def _made(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False  # another run of this second
    return True
