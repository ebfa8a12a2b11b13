"""Segments of a JPEG: found where they stand, refused where they are cut off."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.images import encode
from facewright.core.jpeg import DamagedJpeg, app_segments, jpeg_size

PICTURE = encode(np.zeros((20, 30, 3), np.uint8), ".jpg")


def with_segment(number: int, content: bytes) -> bytes:
    return PICTURE[:2] + struct.pack(">BBH", 0xFF, 0xE0 + number, len(content) + 2) + content + PICTURE[2:]


def test_segments_and_size() -> None:
    data = with_segment(15, b"hello")
    assert app_segments(data, 15) == [b"hello"] and app_segments(PICTURE, 15) == []
    assert jpeg_size(data) == (20, 30)
    assert app_segments(with_segment(15, b""), 15) == [b""]
    assert app_segments(data[:2] + b"\xff\xff" + data[2:], 15) == [b"hello"], "fill bytes"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x89PNG", PICTURE[:2], with_segment(15, b"x" * 500)[:200], PICTURE[:2] + b"\xff\xef\x00\x01",
        PICTURE[:2] + b"\xff\xef\xff\xff", PICTURE[:2] + b"\x00" * 50,
    ],
)  # fmt: skip
def test_damage(data: bytes) -> None:
    with pytest.raises(DamagedJpeg):
        app_segments(data, 15)
    with pytest.raises(DamagedJpeg):
        jpeg_size(data)


@given(st.integers(0, len(PICTURE) - 1), st.integers(0, 255))
def test_any_changed_byte_is_refused_or_harmless(place: int, value: int) -> None:
    changed = bytearray(PICTURE)
    changed[place] = value
    try:
        app_segments(bytes(changed), 15)
        jpeg_size(bytes(changed))
    except DamagedJpeg:
        pass
