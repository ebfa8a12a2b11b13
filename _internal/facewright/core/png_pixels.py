"""Pixels as a PNG, in a quarter of the time that OpenCV takes for one of the same size.

ISA-L's deflate is that much faster than zlib, and the predictor "up" is one subtraction. Reading is left to OpenCV.
"""

import struct

import cv2
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from facewright.core.png import SIGNATURE

LEVEL = 1  # of 0 to 3: 15 % fewer bytes than 0, in the same time
UP = 2  # the predictor: of each byte that of the row above is taken away
GREY, COLOUR, COLOUR_ALPHA = 0, 2, 6
TO_RGB = {COLOUR: cv2.COLOR_BGR2RGB, COLOUR_ALPHA: cv2.COLOR_BGRA2RGBA}


def encode_png(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return an image as a PNG.

    Args:
        image: (h, w), or BGR (h, w, 3), or BGRA (h, w, 4); uint8 or uint16.

    Raises:
        ValueError: It is of another shape or type, or empty.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    kind = {1: GREY, 3: COLOUR, 4: COLOUR_ALPHA}.get(channels)
    if kind is None or image.dtype not in (np.uint8, np.uint16) or not image.size:
        raise ValueError(f"a {image.shape} {image.dtype} array is no image for a PNG")
    height, width = image.shape[:2]
    pixels = np.asarray(cv2.cvtColor(image, TO_RGB[kind]) if kind in TO_RGB else image)
    rows = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8 * image.dtype.itemsize, kind, 0, 0, 0)
    body = isal_zlib.compress(filtered, LEVEL)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = isal_zlib.crc32(body, isal_zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
