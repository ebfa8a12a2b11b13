"""Pictures of some bytes whose header says that they would fill the memory."""

import struct
import zlib
from collections.abc import Callable

import numpy as np

from facewright.core.images import encode


def png(width: int, height: int) -> bytes:
    """A whole PNG of one grey, whose pixels are packed to a thousandth."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer, row = zlib.compressobj(9), bytes(1 + width)
    pixels = b"".join(packer.compress(row) for _ in range(height)) if width * height < 1 << 22 else b"x"
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    return start + chunk(b"IDAT", pixels + packer.flush()) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    data = bytearray(encode(np.zeros((16, 16), np.uint8), ".jpg"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 64, 0, 0, 54) + head + bytes(10)


def tiff(width: int, height: int) -> bytes:
    strip = zlib.compress(bytes(100))
    numbers = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1)]
    numbers += [(273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(strip))]
    tags = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in numbers)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + struct.pack("<H", len(numbers)) + tags + bytes(4)


BOMBS: dict[str, Callable[[int, int], bytes]] = {"png": png, "jpg": jpeg, "bmp": bmp, "tif": tiff}
