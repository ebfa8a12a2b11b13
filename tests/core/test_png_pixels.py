"""PNGs as they are written, read by OpenCV; and as they are read at once."""

import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.errors import UserError
from facewright.core.images import decode, encode
from facewright.core.png import SIGNATURE, png_end, png_size, set_text
from facewright.core.png_pixels import decode_png


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([(), (3,), (4,)]),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(0, 1000),
)
def test_what_is_written_is_read(height: int, width: int, channels: tuple[int, ...], kind: type, seed: int) -> None:
    limit = int(np.iinfo(kind).max)
    image = np.random.default_rng(seed).integers(0, limit, (height, width, *channels), kind, endpoint=True)
    data = encode(image)
    assert png_size(data) == (height, width)
    assert png_end(data) == len(data)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read.dtype == kind
    np.testing.assert_array_equal(read, image)


def test_a_part_of_an_image_is_written_as_it_is() -> None:
    whole = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    part = whole[3:20:2, 5:31]
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(encode(part), np.uint8), cv2.IMREAD_UNCHANGED), part)


def test_a_smooth_image_takes_few_bytes() -> None:
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[:, None], 256, 1)
    assert len(encode(np.dstack([ramp] * 3))) < 10_000


@pytest.mark.parametrize(("shape", "kind"), [((4, 4, 2), np.uint8), ((0, 4), np.uint8), ((4, 4), np.float32)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...], kind: type) -> None:
    with pytest.raises(ValueError, match="no image for a PNG"):
        encode(np.zeros(shape, kind))


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(0, 2),
    st.integers(0, 99),
)
def test_what_is_read_at_once_is_what_opencv_reads(height: int, width: int, kind: type, first: int, seed: int) -> None:
    """Of rows as ours and ffmpeg's are: the first one plain, from the left or from above."""
    limit = int(np.iinfo(kind).max)
    image = np.random.default_rng(seed).integers(0, limit, (height, width, 3), kind, endpoint=True)
    rgb = image[..., ::-1].astype(np.dtype(kind).newbyteorder(">")).reshape(height, -1).view(np.uint8)
    step = 3 * image.itemsize
    rows = rgb.copy()
    rows[1:] -= rgb[:-1]
    if first == 1:
        rows[0, step:] -= rgb[0, :-step]
    filters = np.full((height, 1), 2, np.uint8)
    filters[0] = first
    data = png(width, height, 8 * image.itemsize, zlib.compress(np.hstack((filters, rows)).tobytes()))
    np.testing.assert_array_equal(decode_png(data), image)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), image)
    np.testing.assert_array_equal(decode_png(set_text(data, "note", "text")), image)


def png(width: int, height: int, bits: int, *packed: bytes, kind: int = 2, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return SIGNATURE + b"".join(
        [chunk(b"IHDR", header), more, *(chunk(b"IDAT", part) for part in packed), chunk(b"IEND", b"")]
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_pixels_in_many_chunks() -> None:
    image = np.random.default_rng(2).integers(0, 256, (20, 30, 3), np.uint8)
    data = encode(image)
    packed = data[41:-16]
    np.testing.assert_array_equal(decode_png(png(30, 20, 8, packed[:7], packed[7:100], packed[100:])), image)


HEADER = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
ROWS = zlib.compress(np.full((4, 13), 2, np.uint8).tobytes())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SIGNATURE,
        png(4, 4, 8, ROWS)[:-20],
        png(4, 4, 8, ROWS).replace(ROWS, ROWS[:-1] + b"x"),
        png(4, 4, 8, ROWS[:-5]),
        png(4, 5, 8, ROWS),
        png(1 << 30, 1 << 30, 8, ROWS),
        png(4, 4, 8, zlib.compress(bytes([4] * 52))),
        png(4, 4, 8, ROWS, kind=3),
        png(4, 4, 4, ROWS),
        png(4, 4, 8, ROWS, more=chunk(b"eXIf", b"MM\0*\0\0\0\x08")),
        png(4, 4, 8, ROWS, more=chunk(b"acTL", bytes(8))),
        png(4, 4, 8),
        png(0, 4, 8, zlib.compress(bytes([2] * 4))),
        png(1, 1_100_000, 8, zlib.compress(bytes([2] * 4_400_000))),
        png(2, 2, 8, ROWS, more=chunk(b"IHDR", HEADER)),
        png(4, 4, 8, more=chunk(b"tEXt", b"a\0b") + chunk(b"IHDR", HEADER) + chunk(b"IDAT", ROWS)),
        SIGNATURE + chunk(b"tEXt", b"a\0b") + png(4, 4, 8, ROWS)[len(SIGNATURE) :],
        png(4, 4, 8, ROWS[9:], more=chunk(b"IDAT", ROWS[:9]) + chunk(b"tEXt", b"a\0b")),
    ],
)
def test_any_other_image_is_left_to_opencv(data: bytes) -> None:
    assert decode_png(data) is None


def test_an_image_without_pixels_is_said_to_be_none() -> None:
    with pytest.raises(UserError):
        decode(png(0, 4, 8, zlib.compress(bytes([2] * 4))), "frame.png")


def test_a_second_header_is_not_believed() -> None:
    """The size of the first one is what was found to be small enough."""
    rows = zlib.compress(bytes([2] * 3001 * 1000), 9)
    with pytest.raises(UserError):
        decode(png(2, 2, 8, rows, more=chunk(b"IHDR", struct.pack(">IIBBBBB", 1000, 1000, 8, 2, 0, 0, 0))), "a.png")


@pytest.mark.parametrize("height", [1, 4])
def test_a_bomb_is_not_unpacked(height: int) -> None:
    """A few kilobytes that would be 10 MB are unpacked as far as an image of 4 pixels a row goes."""
    data = png(4, height, 8, zlib.compress(bytes([2] * 10_000_000)))
    tracemalloc.start()
    assert decode_png(data) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
