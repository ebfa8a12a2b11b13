"""Locks that the system holds: it lets go of one when its owner ends, however that happens."""

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import disk_errors
from facewright.core.safe_files import open_append, open_regular

HEAD = b" "  # before the owner's number: Windows lets nobody else read what is locked, which is the first byte
TRIES = 50
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold a lock for the block.

    Args:
        path: A file that says who holds it: there while somebody does, or left by a process that was killed.
        what: What is locked, for the message.

    Raises:
        UserError: Another process, or thread, holds it; or the file cannot be written.
    """
    file = _locked(path, what)
    try:
        yield
    finally:
        if os.name != "nt":  # while it is held: who has opened it meanwhile sees that it is gone
            path.unlink(missing_ok=True)
        file.close()
        if os.name == "nt":
            with suppress(OSError):  # Windows removes no file that another run has opened meanwhile
                path.unlink()


def _locked(path: Path, what: str) -> io.FileIO:
    for tries_left in reversed(range(TRIES)):
        with disk_errors(path):
            file = open_append(path)
        try:
            if not _lock(file.fileno()):
                raise _in_use(path, what)
            # Else its owner has removed it after we opened it; or the file system numbers its files anew each time.
            if _is_at(path, file.fileno()) or not tries_left:
                with disk_errors(path):
                    file.truncate(0)
                    file.write(HEAD + str(os.getpid()).encode())
                return file
        except BaseException:
            file.close()
            raise
        file.close()
    raise AssertionError("the last try returns or raises")


def _lock(descriptor: int) -> bool:
    """Lock a file; return False when somebody else holds it."""
    from filelock import lock_descriptor  # late: a tenth of a second

    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        console.warn("The workspace's disk knows no locks: start no second step in it while this one runs.")
        return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file still has its name; Windows takes no name from one that is open."""
    if os.name == "nt":
        return True
    with suppress(FileNotFoundError):
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    return False


def _in_use(path: Path, what: str) -> UserError:
    owner = ""
    with suppress(OSError), open_regular(path) as file:
        file.seek(len(HEAD))
        owner = file.read(20).decode("ascii", "replace").strip()
    return UserError(
        f"{what} is in use by another facewright{f' (process {owner})' if owner else ''}.",
        "one run at a time on the same folder.",
        "wait for it, or stop it.",
    )
