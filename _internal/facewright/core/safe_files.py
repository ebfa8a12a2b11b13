"""The one door to files that may come from a stranger: a workspace, a faceset or a model that somebody sent.

Such a folder can hold more than files: links to anywhere, pipes that nobody writes to, names that lead out of it.
What is opened here is a regular file; what is written here is never written through a link; a name from a file is
nothing but a name. core/links.py asks about links to folders before a step works in a workspace.
"""

import errno
import io
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from facewright.core.machine import process_exists

# Windows has no such flag: there a link is only looked for before a file is opened.
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
LONGEST = 1 << 30  # bytes of an image, and of whatever else is read as a whole
MOST_PACKED = 64  # times
LEFTOVER = re.compile(r"\.([0-9]{1,10})-[0-9a-f]{8}\.tmp")


class NotRegular(OSError):
    """What lies there is a link, a pipe, a device or a folder: nothing that is opened."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, f"it is {what}, not a file", str(path))


def open_regular(path: Path, *, links: bool = False) -> io.BufferedReader:
    """Open a regular file for reading; a pipe or a device is not waited for.

    Args:
        path: The file.
        links: Whether a link to a file will do: for images and videos, which users link to. What the program
            itself writes (JSON, journals, states of models) is never a link.

    Raises:
        NotRegular: Something else lies there; an OSError, like the others.
        OSError: The file cannot be opened.
    """
    return _opened(path, "rb", -1, links=links)


def open_unbuffered(path: Path, *, links: bool = False) -> io.FileIO:
    """Do as `open_regular`, without a buffer, which would read on."""
    return _opened(path, "rb", 0, links=links)


def read_regular(path: Path, *, links: bool = False, longest: int = LONGEST) -> bytes:
    """Return all bytes of a regular file.

    Args:
        path: The file.
        links: As for `open_regular`.
        longest: Most bytes; a file with holes says that it is long without taking room on the disk.

    Raises:
        NotRegular: Something else lies there; an OSError, like the others.
        OSError: The file cannot be read, or is longer.
    """
    with open_regular(path, links=links) as file:
        if os.fstat(file.fileno()).st_size > longest:
            raise OSError(errno.EFBIG, f"it has more than {longest >> 20} MiB", str(path))
        return file.read()


def is_mostly_holes(path: Path) -> bool:
    """Whether a large file says that it is many times longer than what it holds: nearly all of it was never written.

    A file system that packs its files does so with images and text, to a tenth perhaps, and with videos not at all.
    """
    found = os.stat(path)
    return found.st_size > LONGEST and MOST_PACKED * 512 * getattr(found, "st_blocks", found.st_size) < found.st_size


def open_append(path: Path) -> io.FileIO:
    """Open a regular file for reading and for adding to its end, unbuffered; an absent one is made.

    A file that has another name too (a hard link) is copied first: what is added stays in this folder.

    Raises:
        NotRegular: Something else lies there; an OSError, like the others.
        OSError: The file cannot be opened.
    """
    with suppress(FileNotFoundError):
        if os.lstat(path).st_nlink > 1 and is_regular(path):
            with replacing(path) as temporary:
                shutil.copyfile(path, temporary)
    return _opened(path, "ab+", 0)


def _opened(path: Path, mode: str, buffering: int, *, links: bool = False) -> Any:
    with suppress(FileNotFoundError):  # some devices act on being opened
        _check_kind(path, os.stat(path) if links else os.lstat(path))
    more = FLAGS | (0 if links else NOFOLLOW)

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | more, 0o666)

    file = open(path, mode, buffering, None, None, None, True, opener)  # noqa: SIM115 - the caller closes it
    try:
        _check_kind(path, os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def _check_kind(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
        raise NotRegular(path, kinds.get(stat.S_IFMT(found.st_mode), "a device"))


@contextmanager
def replacing(target: Path, *, durable: bool = False) -> Iterator[Path]:
    """Write a file whole or not at all: the block fills a new file, which then takes the place of the target.

    The new file's name is random and it is made exclusively, so that nothing that lies there already is written
    through. The name also tells the process, by which `remove_leftovers` knows what a killed run has left.

    Args:
        target: The file; its folder must exist. A link there is replaced, and what it points to stays.
        durable: Also fsync, so that the file survives a power cut.

    Yields:
        The new, empty file.
    """
    temporary = target.parent / f".{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp"
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS | NOFOLLOW, 0o666))
    try:
        yield temporary
        if durable:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        fsync_folder(target.parent)


def fsync_folder(folder: Path) -> None:
    """Make a rename inside the folder survive a power cut (no-op where the system has no such call)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, *, below: bool = False) -> None:
    """Remove the temporary files of `replacing` whose process is gone.

    Args:
        folder: Where to look; an absent one has none.
        below: Look into its folders too, but through no link.
    """
    for path in files_below(folder, deepest=None if below else 0):
        match = LEFTOVER.fullmatch(path.name)
        if match and not process_exists(int(match[1])):
            with suppress(OSError):
                path.unlink()


def files_below(folder: Path, *, order: Callable[[str], Any] = str, deepest: int | None = None) -> Iterator[Path]:
    """Yield what is below a folder and no folder itself, through no link; links are yielded.

    Other than `os.walk` and `rglob` it does not call itself for each level, of which a stranger can make thousands.

    Args:
        folder: Where to look. One that cannot be read, or is not there, has nothing below it.
        order: Key by which the names of each folder are sorted; what is in its own folders comes after them.
        deepest: How many levels of folders are looked into; None: all.
    """
    waiting = [(folder, 0)]
    while waiting:
        place, level = waiting.pop()
        try:
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda entry: order(entry.name))
        except OSError:
            continue
        folders = []
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry)
            else:
                yield Path(entry)
        if deepest is None or level < deepest:
            waiting += [(Path(entry), level + 1) for entry in reversed(folders)]


def remove_tree(path: Path, *, completely: bool = False) -> None:
    """Remove a folder with all that is in it; of a link only the link, wherever it leads.

    Args:
        path: The folder; it may be absent.
        completely: Whether what cannot be removed is an error.

    Raises:
        OSError: Something cannot be removed, and is to be.
    """
    try:
        if is_link(path):
            os.unlink(path)
        else:
            shutil.rmtree(path, ignore_errors=not completely)
    except RecursionError as error:
        if completely:
            raise OSError(errno.ENAMETOOLONG, "its folders are nested too deep", str(path)) from error
    except OSError:
        if completely:
            raise


def is_regular(path: Path) -> bool:
    """Whether it is a file, and no link to one."""
    with suppress(OSError):
        return stat.S_ISREG(os.lstat(path).st_mode)
    return False


def is_link(path: Path) -> bool:
    """Whether it is a symbolic link, or a junction of Windows."""
    return path.is_symlink() or bool(getattr(os.path, "isjunction", lambda _: False)(path))


def is_bare(name: Any) -> bool:
    """Whether a value is the name of a file or folder and nothing else, on any system: no path leads out of it."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and "\0" not in name
        and PurePosixPath(name).name == name
        and PureWindowsPath(name).name == name
    )


def path_inside(root: Path, name: Any) -> Path | None:
    """Return the place below a folder that a relative path from a file means; None where it is no such path.

    Args:
        root: The folder.
        name: What the file says: names with slashes between them.
    """
    parts = name.split("/") if isinstance(name, str) else []
    return root.joinpath(*parts) if parts and all(map(is_bare, parts)) else None
