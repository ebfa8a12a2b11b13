"""Files that were glued together (`cat a b > c`) where players and ffmpeg read the first of them only.

Transport streams, MPEG-PS, AVI, Matroska, MXF and GIF are read on behind the first file; MP4 and MOV, FLV, WMV and OGV
are not. Their pieces are walked through here, from head to head, without reading what lies between.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

from facewright.core import console
from facewright.core.safe_files import open_regular

ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
MOST_PIECES = 5_000_000  # of a file; many hours of video have fewer
Walk = Callable[[IO[bytes], int], Iterator[int]]


def second_file(path: Path) -> int | None:
    """Return the position in bytes at which a second file begins, None where there is none or it does not matter.

    Raises:
        OSError: It cannot be read.
    """
    with open_regular(path, links=True) as file:
        head = file.read(16)
        walk = next((walk for magic, walk in WALKS.items() if head[magic[0] :].startswith(magic[1])), None)
        if walk is None:
            return None
        length = file.seek(0, 2)
        for count, begin in enumerate(walk(file, length)):
            if begin or count > MOST_PIECES:
                return begin or None
    return None


def warn_of_second_file(path: Path) -> None:
    """Say that a video is two files or more, of which only the first is seen."""
    begin = second_file(path)
    if begin is not None:
        console.warn(
            f"{path.name} is more than one file: another one begins at byte {begin:,} of {path.stat().st_size:,}. Only "
            "the first is read, as by a player; to have all, take them apart and join them with a video program."
        )


def _atoms(file: IO[bytes], length: int) -> Iterator[int]:
    """Yield where an MP4 begins, 0 for each other atom."""
    place, index_seen = 0, False
    while place + 8 <= length:
        file.seek(place)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        size = int.from_bytes(head[8:16], "big") if size == 1 else size
        yield place if kind == b"ftyp" and index_seen else 0
        index_seen |= kind == b"moov"
        if size < 8:
            return
        place += size


def _asf_objects(file: IO[bytes], length: int) -> Iterator[int]:
    """Yield where a WMV or ASF begins, 0 for each other object."""
    place = 0
    while place + 24 <= length:
        file.seek(place)
        head = file.read(24)
        yield place if head.startswith(ASF_HEADER) else 0
        size = int.from_bytes(head[16:24], "little")
        if size < 24:
            return
        place += size


def _ogg_pages(file: IO[bytes], length: int) -> Iterator[int]:
    """Yield where an Ogg begins anew: with the first page of a stream behind pages of sound or images."""
    place, inside = 0, False
    while place + 27 <= length:
        file.seek(place)
        head = file.read(27 + 255)
        if not head.startswith(b"OggS"):
            return
        first_of_a_stream = bool(head[5] & 2)
        yield place if first_of_a_stream and inside else 0
        inside |= not first_of_a_stream
        place += 27 + head[26] + sum(head[27 : 27 + head[26]])


def _flv_tags(file: IO[bytes], length: int) -> Iterator[int]:
    """Yield where an FLV begins, 0 for each tag."""
    place = 0
    while place + 11 <= length:
        file.seek(place)
        head = file.read(11)
        if head.startswith(b"FLV"):
            yield place
            place += int.from_bytes(head[5:9], "big") + 4  # the length of no tag before the first one
            if place <= 4:
                return
            continue
        yield 0
        if head[0] & 0x1F not in (8, 9, 18):  # audio, video, data
            return
        place += 11 + int.from_bytes(head[1:4], "big") + 4


# Place and bytes by which a container is known -> who walks through it.
WALKS: Mapping[tuple[int, bytes], Walk] = MappingProxyType(
    {(4, b"ftyp"): _atoms, (0, ASF_HEADER): _asf_objects, (0, b"OggS"): _ogg_pages, (0, b"FLV"): _flv_tags}
)
