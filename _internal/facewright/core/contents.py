"""What is in a file: its length and the checksum of all its bytes, remembered so that nothing large is read twice.

Neither name nor length nor end tells a file from another: uncompressed videos and images of one size all have one
length, and what was painted at the top leaves the end as it was. The time of the last change is no part of it
either: a copy of a workspace is a backup, and copying changes the times.
"""

import errno
import threading
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import png_fingerprint, write_bytes
from facewright.core.journal import Journal, as_lines, read_journal
from facewright.core.machine import cores
from facewright.core.names import is_plain
from facewright.core.safe_files import is_mostly_holes, open_regular
from facewright.core.workers import ordered_map, threads

MEMORY = ".contents.jsonl"
BLOCK = 1 << 20
# A file that was written less than this ago may change once more without another time: some systems keep two seconds.
SETTLED_NS = 2_000_000_000
MANY_BYTES = 1 << 30  # from here on, reading takes so long that it is shown
BYTES_OF_ENTRY = 1000  # a line takes less; a memory that is larger holds lines that no longer count


def content_text(length: int, checksum: int) -> str:
    """Return a content as it is written into journals: length in bytes, CRC-32 of them all."""
    return f"{length}:{checksum:08x}"


class Contents:
    """The contents of a project's files; one that was seen before is known by size, inode and times.

    May be asked from several threads at once.
    """

    def __init__(self, root: Path | None = None) -> None:
        """Remember in a hidden file of this folder, a workspace's root; None remembers nothing."""
        self._root = root
        self._known: dict[str, dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """Return the content of a file, see `content_text`.

        Raises:
            UserError: It cannot be read.
        """
        known = self._remembered(path)
        if known is None:
            if (length := _length(path)) > MANY_BYTES:
                console.say(f"Reading {path.name} ({length / 1e9:.1f} GB) once, to know it again.")
            try:
                entry = _read(path)
            except OSError as error:
                raise UserError(
                    f"{path} cannot be read: {error.strerror}.",
                    "a whole file that this user may read.",
                    "put it back from a copy, or move it away; then run the step again.",
                ) from error
            self._remember([(path, entry)])
            known = entry["content"]
        return known

    def look_through(self, paths: Iterable[Path], *, title: str) -> None:
        """Read those that are not known yet, several at once; what cannot be read is passed over."""
        new = [path for path in paths if self._remembered(path) is None]

        def look(path: Path) -> tuple[Path, dict[str, Any] | None]:
            with suppress(OSError):
                return path, _read(path)
            return path, None

        with threads(cores()) as executor:
            done: Iterable[tuple[Path, dict[str, Any] | None]] = ordered_map(look, new, executor, ahead=2 * cores())
            if sum(map(_length, new)) > MANY_BYTES:
                done = console.progress(done, total=len(new), title=title, unit="files")
            self._remember([(path, entry) for path, entry in done if entry])

    def same(self, path: Path, noted: Any) -> bool:
        """Whether a file's content is the one that was noted, also where an earlier program noted its end only.

        Raises:
            OSError, UserError: It cannot be read.
        """
        return noted == (png_fingerprint(path) if isinstance(noted, list) else self.of(path))

    def _remembered(self, path: Path) -> str | None:
        entry = self._entries().get(self._name(path), {})
        content = entry.get("content")
        with suppress(OSError):
            return content if isinstance(content, str) and entry.get("stamp") == _stamp(path) else None
        return None

    def _entries(self) -> dict[str, dict[str, Any]]:
        with self._lock:
            if self._known is None:
                self._known = {} if self._root is None else _tidied(self._root / MEMORY)
            return self._known

    def _name(self, path: Path) -> str:
        inside = self._root is not None and path.is_relative_to(self._root)
        return (path.relative_to(self._root) if inside and self._root else path).as_posix()

    def _remember(self, read: Sequence[tuple[Path, dict[str, Any]]]) -> None:
        now = time.time_ns()
        entries = self._entries()
        settled = [(self._name(path), entry) for path, entry in read if now - entry["stamp"][1] > SETTLED_NS]
        new = [{"path": name, **entry} for name, entry in settled if is_plain(name)]
        with self._lock:
            entries.update((entry["path"], entry) for entry in new)
            if new and self._root is not None:
                with suppress(OSError, UserError), Journal(self._root / MEMORY) as journal:  # then it is read again
                    journal.add(*new)


def _length(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _read(path: Path) -> dict[str, Any]:
    if is_mostly_holes(path):
        raise OSError(errno.EFBIG, "it is nearly empty, and says that it is large", str(path))
    stamp, checksum = _stamp(path), 0  # whoever changes the file meanwhile changes its times too
    length = 0
    with open_regular(path, links=True) as file:
        while block := file.read(BLOCK):
            checksum = zlib.crc32(block, checksum)
            length += len(block)
    return {"stamp": stamp, "content": content_text(length, checksum)}


def _tidied(memory: Path) -> dict[str, dict[str, Any]]:
    """Read a memory; one that holds many lines that no longer count is written anew."""
    with suppress(OSError, UserError):
        entries = read_journal(memory, "path")
        if _length(memory) > BYTES_OF_ENTRY * (len(entries) + 1):
            write_bytes(memory, as_lines(entries.values()))
        return entries
    return {}
