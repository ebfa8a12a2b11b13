"""Text chunks of a PNG: round trip, untouched pixels, damage named."""

import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.images import decode, encode
from facewright.core.png import (
    MAX_TEXT,
    SIGNATURE,
    DamagedPng,
    get_chunk,
    get_text,
    png_size,
    read_head,
    read_size,
    read_text,
    set_text,
)

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


@pytest.mark.parametrize("length", [3, 20_000, 200_000])
def test_text_of_a_file_is_read_without_its_pixels(tmp_path: Path, length: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    data = bytearray(set_text(encode(picture), "a", "x" * length))
    start = data.index(b"IDAT") + 4
    data[start:] = bytes(len(data) - start)
    path = tmp_path / "1.png"
    path.write_bytes(data)
    assert read_text(path, "a") == "x" * length and read_text(path, "b") is None
    path.write_bytes(data[:start])
    with pytest.raises(DamagedPng, match="cut off"):
        read_text(path, "b")


@given(st.integers(0, 3), st.integers(0, 255), st.integers(0, 400), st.integers(0, 400))
def test_reading_a_damaged_file_is_as_reading_its_bytes(flips: int, value: int, at: int, cut: int) -> None:
    data = bytearray(set_text(PNG, "facewright", "some text"))
    for flip in range(flips):
        data[(at * (flip + 1)) % len(data)] = value
    data = data[: len(data) - min(cut, len(data))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "1.png"
        path.write_bytes(data)

        def result(read: Callable[[], str | None]) -> str | None:
            try:
                return read()
            except DamagedPng as error:
                return f"damaged: {error}"

        whole, head = result(lambda: get_text(bytes(data), "facewright")), result(lambda: read_text(path, "facewright"))
    assert whole == head


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


def test_where_the_pixels_are_cut_off_the_text_is_read_and_written_all_the_same() -> None:
    text = set_text(set_text(PNG, "face", "one")[:-20], "face", "two")
    assert get_text(text, "face") == "two"
    assert get_text(set_text(text, "face", "three"), "face") == "three"


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


def test_the_head_of_a_file_ends_at_its_pixels_and_has_a_limit(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    data = set_text(encode(picture), "a", "x" * 100_000)
    path = tmp_path / "1.png"
    path.write_bytes(data)
    head, size = read_head(path)
    assert size == len(data) and data.startswith(head)
    assert data.index(b"IDAT") + 4 <= len(head) < data.index(b"IDAT") + 20_000
    with pytest.raises(DamagedPng, match="50000 bytes"):
        read_head(path, 50_000)


def test_the_size_of_a_png_is_read_from_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "ä.png"
    path.write_bytes(encode(np.zeros((7, 11, 3), np.uint8))[:40])
    assert read_size(path) == (7, 11)
    path.write_bytes(b"short")
    with pytest.raises(DamagedPng):
        read_size(path)


def test_a_million_empty_chunks_are_walked_through_once(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    chunk = b"\0\0\0\0tEXt\0\0\0\0"
    path.write_bytes(SIGNATURE + chunk * 1_500_000)
    began = time.monotonic()
    with pytest.raises(DamagedPng, match="before its pixels"):
        read_head(path)
    assert time.monotonic() - began < 20
