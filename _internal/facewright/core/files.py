"""Files that are whole or absent: atomic writes, a trash folder instead of deletion."""

import errno
import json
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facewright.core.errors import UserError

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
TAIL = 64 << 10


def list_files(folder: Path, extensions: tuple[str, ...] = ()) -> list[Path]:
    """Return the visible files of a folder, sorted by name.

    Args:
        folder: A folder; an absent one has no files.
        extensions: Lower-case suffixes with the dot; empty takes every file.
    """
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
    return [folder / n for n in sorted(names) if not extensions or Path(n).suffix.lower() in extensions]


def fsync_folder(folder: Path) -> None:
    """Make a rename inside the folder survive a power cut (no-op where the system has no such call)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a read-only folder and a missing right into a UserError that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC):
            raise UserError(
                f"The disk is full: {path} could not be written.",
                "some free space on the disk that holds the workspace.",
                "free some space and run the same step again: it goes on where it was.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(
                f"{path} could not be written: {error.strerror}.",
                "a folder that this user may write to.",
                "change the folder's rights, or name another one with --workspace DIR.",
            ) from error
        raise


def write_bytes(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file so that a reader sees the old one or the whole new one.

    Args:
        path: Target; its folder must exist.
        data: The content.
        durable: Also fsync, so that the file survives a power cut. Costs milliseconds: on for
            states and weights, off for each of thousands of pictures (a step makes those again).

    Raises:
        UserError: The disk is full or the folder is read-only.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with disk_errors(path):
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            fsync_folder(path.parent)


def fingerprint(path: Path) -> list[int]:
    """Return what tells a changed file without reading all of it: its length and the checksum of its last 64 KiB.

    A PNG ends with a checksum of all its pixels. The time of the last change is left out on purpose: a copy
    of a workspace is a backup, and copying changes the times.
    """
    with open(path, "rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - TAIL))
        return [length, zlib.crc32(file.read())]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically and durably."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8"), durable=True)


def read_json(path: Path, default: Any = None) -> Any:
    """Read a JSON file; `default` when it is absent.

    Raises:
        UserError: The file is not JSON or cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except ValueError as error:
        raise UserError(
            f"{path} is damaged: {error}.",
            "a JSON file written by facewright.",
            "delete or rename that file and run the step again.",
        ) from error
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}.", "a file that this user may read.", "check the file's rights."
        ) from error


def make_folder(path: Path) -> Path:
    """Create a folder with its parents; return it.

    Raises:
        UserError: It cannot be written, or a file of that name is in the way.
    """
    try:
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"{path} is needed as a folder, but a file of that name is there.",
            "a folder, or nothing at that place.",
            "move that file away and run the step again.",
        ) from error
    return path


def move_to_trash(paths: list[Path], trash: Path) -> Path | None:
    """Move files or folders into a new dated folder below `trash`; nothing is deleted.

    Returns:
        The dated folder, or None when there was nothing to move.
    """
    present = [p for p in paths if p.exists()]
    if not present:
        return None
    target = _dated_folder(trash)
    for path in present:
        with disk_errors(path):
            try:
                os.replace(path, target / path.name)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                shutil.move(path, target / path.name)  # a folder of the workspace may be a link to another disk
    return target


def copy_to_trash(path: Path, trash: Path) -> Path:
    """Copy a file that is about to be replaced into a new dated folder below `trash`; return that folder.

    A copy, so that the file is at its place at every moment: the old one, then the new one.
    """
    target = _dated_folder(trash)
    with disk_errors(target):
        shutil.copy2(path, target / path.name)
    return target


def _dated_folder(trash: Path) -> Path:
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    target = trash / stamp
    count = 1
    while target.exists():
        count += 1
        target = trash / f"{stamp}_{count}"
    return make_folder(target)
