"""Text chunks of a PNG: round trip, untouched pixels, damage named."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.images import decode, encode
from facewright.core.png import MAX_TEXT, DamagedPng, get_chunk, get_text, png_size, set_text

PICTURE = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
PNG = encode(PICTURE)


@given(st.text().filter(lambda text: "\0" not in text), st.text())
def test_round_trip(text: str, other: str) -> None:
    try:
        data = set_text(PNG, "facewright", text)
    except UnicodeEncodeError:  # half a surrogate pair is no text
        return
    assert get_text(data, "facewright") == text
    assert get_text(data, "else") is None
    assert (decode(data, "x") == PICTURE).all()


def test_text_is_replaced_and_others_stay() -> None:
    data = set_text(set_text(set_text(PNG, "a", "1"), "b", "2"), "a", "3")
    assert (get_text(data, "a"), get_text(data, "b")) == ("3", "2")
    assert data.count(b"iTXt") == 2
    assert data[-12:] == PNG[-12:]


def test_keyword_is_not_taken_for_the_beginning_of_another() -> None:
    data = set_text(PNG, "facewright2", "x")
    assert get_text(data, "facewright") is None


def test_chunk_lies_before_the_picture() -> None:
    data = set_text(PNG, "a", "x" * 5000)
    assert data.index(b"iTXt") < data.index(b"IDAT")


@pytest.mark.parametrize("data", [b"", b"GIF89a", PNG[:20], PNG[:8], b"\x89PNG\r\n\x1a\n" + b"\xff" * 40])
def test_no_png(data: bytes) -> None:
    with pytest.raises(DamagedPng):
        get_text(data, "a")
    with pytest.raises(DamagedPng):
        set_text(data, "a", "b")


def test_every_flipped_byte_of_the_text_is_noticed() -> None:
    data = set_text(PNG, "facewright", '{"version": 1}')
    start = data.index(b"facewright")
    for position in range(start + len(b"facewright\0"), start + 30):
        damaged = bytearray(data)
        damaged[position] ^= 1
        with pytest.raises(DamagedPng):
            get_text(bytes(damaged), "facewright")


def _with_chunk(body: bytes) -> bytes:
    chunk = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", zlib.crc32(b"iTXt" + body))
    return PNG[:33] + chunk + PNG[33:]


@pytest.mark.parametrize(
    "body",
    [
        b"a\0\1\0\0\0" + zlib.compress(b"x"),
        b"a\0",
        b"a\0\0\0en",
        b"a\0\0\0\0\0\xff\xfe",
        b"a\0\0\0\0\0" + b"x" * MAX_TEXT,
    ],
    ids=["compressed", "empty", "no end", "not utf-8", "huge"],
)
def test_strange_chunks(body: bytes) -> None:
    with pytest.raises(DamagedPng):
        get_text(_with_chunk(body), "a")


def test_cut_anywhere_never_crashes() -> None:
    data = set_text(PNG, "a", "text")
    for length in range(len(data)):
        try:
            assert get_text(data[:length], "a") in (None, "text")
        except DamagedPng:
            continue


def test_a_chunk_behind_the_picture_is_found() -> None:
    body = b"pickled"
    chunk = struct.pack(">I", len(body)) + b"fcWp" + body + struct.pack(">I", zlib.crc32(b"fcWp" + body))
    data = PNG[:-12] + chunk + PNG[-12:]
    assert get_chunk(data, b"fcWp") == body and get_chunk(PNG, b"fcWp") is None
    assert png_size(data) == png_size(PNG)
    with pytest.raises(DamagedPng, match="more than 3"):
        get_chunk(data, b"fcWp", longest=3)
    with pytest.raises(DamagedPng, match="checksum"):
        get_chunk(data.replace(body, b"PICKLED"), b"fcWp")
    huge = data.replace(struct.pack(">I", len(body)) + b"fcWp", struct.pack(">I", 0x7FFFFFFF) + b"fcWp")
    with pytest.raises(DamagedPng, match="cut off"):
        get_chunk(huge, b"fcWp")
    with pytest.raises(DamagedPng):
        png_size(PNG[:8] + PNG[33:])
