"""The segments of a JPEG before its picture: application data and size, read without decoding.

Layout: ITU T.81 annex B. Each segment is FF, a marker byte, two bytes of length (which count themselves), content.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

START = b"\xff\xd8"
APP0 = 0xE0
COMMENT = 0xFE
SCAN, END = 0xDA, 0xD9
# Start of frame, all coding processes: C0..CF but for C4, C8 and CC.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class DamagedJpeg(ValueError):
    """The bytes are no JPEG, or a segment is cut off."""


class JpegSegment(NamedTuple):
    """A segment: its marker byte, its content, and the position in the file after it."""

    marker: int
    content: bytes
    end: int


def segments(data: bytes) -> Iterator[JpegSegment]:
    """Yield the segments up to the first scan.

    Raises:
        DamagedJpeg: No JPEG, or cut off before the image begins.
    """
    if data[:2] != START:
        raise DamagedJpeg("not a JPEG file")
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise DamagedJpeg("a segment has no marker")
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in (SCAN, END):
            return
        length = struct.unpack_from(">H", data, position + 2)[0]
        if length < 2 or position + 2 + length > len(data):
            raise DamagedJpeg("a segment is cut off")
        end = position + 2 + length
        yield JpegSegment(marker, data[position + 4 : end], end)
        position = end
    raise DamagedJpeg("the file is cut off")


def app_segments(data: bytes, number: int) -> list[bytes]:
    """Return the contents of all application segments of a number, in the file's order.

    Args:
        data: The JPEG file.
        number: 0..15.

    Raises:
        DamagedJpeg: No JPEG, or cut off before the image begins.
    """
    return [segment.content for segment in segments(data) if segment.marker == APP0 + number]


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return (h, w) in pixels.

    Raises:
        DamagedJpeg: No JPEG, cut off, or without an image.
    """
    for segment in segments(data):
        if segment.marker in FRAMES and len(segment.content) >= 5:
            height, width = struct.unpack_from(">HH", segment.content, 1)
            return height, width
    raise DamagedJpeg("there is no image in it")


def jpeg_end(data: bytes) -> int:
    """Return where the image ends; what follows is no part of it (cameras append previews and depth maps).

    Raises:
        DamagedJpeg: No JPEG, or cut off.
    """
    start = max((segment.end for segment in segments(data)), default=len(START))
    # In the coded image each FF is followed by 00 or belongs to a marker, so that this cannot be a part of it.
    end = data.find(bytes((0xFF, END)), start)
    if end < 0:
        raise DamagedJpeg("the image is cut off")
    return end + 2
