"""Image files as cameras and browsers write them: turned, misnamed, with something behind the picture."""

import struct

import cv2
import numpy as np

from facewright.core.images import Image, encode

# Orientation of EXIF -> what makes a lying picture of an upright one.
LYING = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_COUNTERCLOCKWISE, 8: cv2.ROTATE_90_CLOCKWISE}


def exif(orientation: int, order: str = ">") -> bytes:
    """EXIF data that hold nothing but an orientation."""
    mark = b"MM" if order == ">" else b"II"
    return mark + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def turned_jpeg(image: Image, orientation: int, order: str = ">") -> bytes:
    """A JPEG that lies as a phone's does, with the note that says how it is to be turned."""
    data = encode(np.ascontiguousarray(cv2.rotate(image, LYING[orientation])), ".jpg")
    content = b"Exif\0\0" + exif(orientation, order)
    return data[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(content) + 2) + content + data[2:]


def turned_png(image: Image, orientation: int) -> bytes:
    """The same as a PNG."""
    import zlib

    data = encode(np.ascontiguousarray(cv2.rotate(image, LYING[orientation])), ".png")
    body = b"eXIf" + exif(orientation)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]
