"""Text chunks of a PNG, read and written without touching its pixels.

The chunk is an `iTXt` of PNG 1.2 (uncompressed UTF-8), placed right after IHDR, where a reader finds
it without decoding the image. Viewers ignore it; optipng and pngcrush keep it.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from facewright.core.safe_files import open_regular, open_unbuffered, read_regular

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
MAX_TEXT = 1 << 20  # bytes of a chunk
MAX_HEAD = 16 << 20  # bytes before the pixels; colour profiles and thumbnails of cameras take some
HEAD_BLOCK = 1 << 14  # bytes that are read at once: a face record and all before it, as a rule


class DamagedPng(ValueError):
    """The bytes are no PNG, or a chunk is cut off or has a wrong checksum."""


def chunks(data: bytes, *, whole: bool = False, size: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, start of the whole chunk, length of its body), up to the first IDAT, or to IEND if `whole`.

    Args:
        data: The file, or its head.
        whole: Go on to the end.
        size: Bytes of the whole file, where the data is its head.
    """
    if data[:8] != SIGNATURE:
        raise DamagedPng("not a PNG file")
    position = 8
    size = len(data) if size is None else size
    while position + 12 <= size and position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if position + 12 + length > size and (whole or kind != b"IDAT"):  # pixels in one chunk are as those in many
            raise DamagedPng("a chunk is cut off")
        yield kind, position, length
        if kind == b"IEND" or (kind == b"IDAT" and not whole):
            return
        position += 12 + length
    raise DamagedPng("the file is cut off")


def _chunk(keyword: str, text: str) -> bytes:
    body = keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8")
    checksum = zlib.crc32(b"iTXt" + body)
    return struct.pack(">I4s", len(body), b"iTXt") + body + struct.pack(">I", checksum)


def read_head(path: Path, longest: int = MAX_HEAD) -> tuple[bytes, int]:
    """Read the part of a PNG file before its pixels: to the header of the first IDAT chunk, or a little more.

    Args:
        path: The file. One that is no PNG is read for a block only.
        longest: Most bytes of that part.

    Returns:
        The bytes, and the length of the whole file, as `get_text` takes them.

    Raises:
        OSError: The file cannot be read.
        DamagedPng: There are more than `longest` bytes before the pixels.
    """
    # Unbuffered: a buffer would read on into the pixels.
    with open_unbuffered(path, links=True) as file:
        size = os.fstat(file.fileno()).st_size
        data = bytearray(file.read(HEAD_BLOCK))
        position = len(SIGNATURE)
        while len(data) < size:
            missing, position = _missing_head(data, position)
            if not missing:
                break
            missing = min(missing, size - len(data))
            if len(data) + missing > longest:
                raise DamagedPng(f"there are more than {longest} bytes before its pixels")
            block = file.read(max(missing, HEAD_BLOCK))
            if not block:
                break
            data += block
    return bytes(data), size


def read_size(path: Path) -> tuple[int, int]:
    """Return (h, w) in pixels from the first bytes of a file.

    Raises:
        OSError: The file cannot be read.
        DamagedPng: No PNG.
    """
    with open_regular(path, links=True) as file:
        return png_size(file.read(33))  # signature and IHDR


def is_whole(path: Path) -> bool:
    """Whether a PNG file goes on to its end. As a rule its last bytes are read alone; no pixel is decoded.

    Raises:
        OSError: The file cannot be read.
    """
    with open_unbuffered(path, links=True) as file:
        file.seek(max(os.fstat(file.fileno()).st_size - len(END), 0))
        if file.read() == END:
            return True
    try:
        png_end(read_regular(path, links=True))  # something may follow
    except DamagedPng:
        return False
    return True


def read_text(path: Path, keyword: str) -> str | None:
    """Return the text stored under a keyword in a file, or None; the file is read up to its pixels only.

    Raises:
        OSError: The file cannot be read.
        DamagedPng: As `read_head` and `get_text`.
    """
    data, size = read_head(path)
    return get_text(data, keyword, size=size)


def _missing_head(data: bytes | bytearray, position: int) -> tuple[int, int]:
    """Return how many bytes follow at least, until the header of the first IDAT chunk is there; 0 when it is.

    Args:
        data: The file, as far as it was read.
        position: Where a chunk begins. The first one that is not there yet is returned too: a file may hold a million
            empty ones, which are walked through once.
    """
    if data[:8] != SIGNATURE[: len(data)]:
        return 0, position
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind in (b"IDAT", b"IEND"):
            return 0, position
        position += 12 + length
    return position + 8 - len(data), position


def get_text(data: bytes, keyword: str, *, size: int | None = None) -> str | None:
    """Return the text stored under a keyword, or None.

    Args:
        data: The PNG file, or at least its part before the first IDAT chunk's end.
        keyword: 1..79 Latin-1 characters.
        size: Bytes of the whole file, where `data` ends at the header of the first IDAT chunk or later.

    Raises:
        DamagedPng: No PNG, a wrong checksum, or a text over MAX_TEXT bytes.
    """
    prefix = keyword.encode("latin-1") + b"\0"
    for kind, start, length in chunks(data, size=size):
        body = data[start + 8 : start + 8 + length]
        if kind != b"iTXt" or not body.startswith(prefix):
            continue
        if length > MAX_TEXT:
            raise DamagedPng(f"the text is {length} bytes long, more than {MAX_TEXT}")
        if zlib.crc32(data[start + 4 : start + 8 + length]) != struct.unpack_from(">I", data, start + 8 + length)[0]:
            raise DamagedPng("the text chunk has a wrong checksum")
        rest = body[len(prefix) :]
        if rest[:1] != b"\0":
            raise DamagedPng("the text chunk is compressed, which facewright never writes")
        # flags (2 bytes), language tag, translated keyword, then the text
        parts = rest[2:].split(b"\0", 2)
        if len(parts) != 3:
            raise DamagedPng("the text chunk is malformed")
        try:
            return parts[2].decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedPng("the text chunk is not UTF-8") from error
    return None


def set_text(data: bytes, keyword: str, text: str) -> bytes:
    """Return the PNG with the text stored under the keyword, in place of an older one; pixels stay as they are.

    Raises:
        DamagedPng: No PNG.
    """
    pieces = [SIGNATURE]
    prefix = keyword.encode("latin-1") + b"\0"
    for kind, start, length in chunks(data):
        if kind in (b"IDAT", b"IEND"):
            pieces.append(data[start:])
            break
        if kind == b"iTXt" and data[start + 8 : start + 8 + length].startswith(prefix):
            continue
        pieces.append(data[start : start + 12 + length])
        if kind == b"IHDR":
            pieces.append(_chunk(keyword, text))
    return b"".join(pieces)


def get_chunk(data: bytes, kind: bytes, longest: int = MAX_TEXT) -> bytes | None:
    """Return the body of the first chunk of a type, wherever it stands; None where there is none.

    Args:
        data: The whole PNG file.
        kind: The chunk's four letters.
        longest: Most bytes of the body.

    Raises:
        DamagedPng: No PNG, cut off, a wrong checksum, or more than `longest` bytes.
    """
    for found, start, length in chunks(data, whole=True):
        if found != kind:
            continue
        if length > longest:
            raise DamagedPng(f"the chunk is {length} bytes long, more than {longest}")
        if zlib.crc32(data[start + 4 : start + 8 + length]) != struct.unpack_from(">I", data, start + 8 + length)[0]:
            raise DamagedPng("a chunk has a wrong checksum")
        return data[start + 8 : start + 8 + length]
    return None


def png_size(data: bytes) -> tuple[int, int]:
    """Return (h, w) in pixels.

    Raises:
        DamagedPng: No PNG.
    """
    for kind, start, length in chunks(data):
        if kind == b"IHDR" and length == 13:
            width, height = struct.unpack_from(">II", data, start + 8)
            return height, width
    raise DamagedPng("it has no header")


def png_end(data: bytes) -> int:
    """Return where the image ends; what follows is no part of it.

    Raises:
        DamagedPng: No PNG, or cut off.
    """
    return max(start + 12 + length for kind, start, length in chunks(data, whole=True))
