"""How an image file says that it is to be turned: the orientation tag of EXIF.

Layout: a TIFF header, then the entries of the first directory (CIPA DC-008); in a JPEG in APP1, in a PNG in eXIf.
"""

import struct
from contextlib import suppress

from facewright.core.jpeg import START as JPEG_START
from facewright.core.jpeg import app_segments
from facewright.core.png import SIGNATURE as PNG_SIGNATURE
from facewright.core.png import get_chunk

JPEG_PREFIX = b"Exif\0\0"
ORIENTATION, SHORT = 0x0112, 3
UPRIGHT = 1
ORIENTATIONS = range(1, 9)


def orientation(data: bytes) -> int:
    """Return the orientation of a PNG or JPEG, 1..8; 1 is upright, also where the file says nothing or is no such.

    Args:
        data: The file, or its head: a PNG may say it behind its pixels too.
    """
    blocks: list[bytes] = []
    with suppress(ValueError):  # a damaged file says nothing
        if data.startswith(JPEG_START):
            blocks = [c[len(JPEG_PREFIX) :] for c in app_segments(data, 1) if c.startswith(JPEG_PREFIX)]
        elif data.startswith(PNG_SIGNATURE):
            blocks = [get_chunk(data, b"eXIf") or b""]
    return next((found for found in map(_orientation, blocks) if found in ORIENTATIONS), UPRIGHT)


def _orientation(tiff: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2], "")
    with suppress(struct.error):  # cut off: it says nothing
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, place)
            if (tag, kind) == (ORIENTATION, SHORT):
                return int(value)
    return UPRIGHT
