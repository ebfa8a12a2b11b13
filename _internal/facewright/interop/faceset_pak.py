"""The faces inside DeepFaceLab's `faceset.pak`.

Layout: u64 version 1, u64 size, a pickled list of that size, (n + 1) u64 offsets, n files end to end. All numbers are
little-endian. The pickled list is passed over unread: each file holds its own data. The table ends with the length of
the whole file (all other offsets count from the table's end), which tells how many there are.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

from facewright.core.safe_files import open_regular

NAME = "faceset.pak"
VERSION = 1
MOST_FACES = 2_000_000
LARGEST_FACE = 256 << 20


class BadPack(ValueError):
    """No packed faceset, or a damaged one."""


@dataclass(frozen=True)
class Member:
    """One file inside: where it begins in the pack, and its length in bytes."""

    start: int
    length: int


def members(path: Path) -> list[Member]:
    """Return where the files of a pack lie.

    Raises:
        BadPack: Damaged, or of another version.
        OSError: It cannot be read.
    """
    whole = path.stat().st_size
    with open_regular(path, links=True) as file:
        head = file.read(16)
        if len(head) < 16 or struct.unpack_from("<Q", head)[0] != VERSION:
            raise BadPack("it is no packed faceset of version 1")
        size = struct.unpack_from("<Q", head, 8)[0]
        if size > whole - 16:
            raise BadPack("it is cut off")
        file.seek(16 + size)
        offsets: list[int] = []
        while len(offsets) <= MOST_FACES:
            entry = file.read(8)
            if len(entry) < 8:
                raise BadPack("its table of files is cut off")
            offset = struct.unpack("<Q", entry)[0]
            if offset == whole:
                return _members(offsets, file.tell(), whole)
            if offset > whole:
                break
            offsets.append(offset)
    raise BadPack("its table of files has no end")


def _members(offsets: list[int], start: int, whole: int) -> list[Member]:
    ends = [*offsets, whole - start][1:]
    lengths = [end - begin for begin, end in zip(offsets, ends, strict=True)]
    if offsets[:1] not in ([], [0]) or any(not 0 <= length <= LARGEST_FACE for length in lengths):
        raise BadPack("its table of files is damaged")
    return [Member(start + begin, length) for begin, length in zip(offsets, lengths, strict=True)]


def read_member(path: Path, member: Member) -> bytes:
    """Return the bytes of one file."""
    with open_regular(path, links=True) as file:
        file.seek(member.start)
        return file.read(member.length)
