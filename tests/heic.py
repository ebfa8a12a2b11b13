"""A HEIC file as phones write them (ISO/IEC 23008-12), its boxes written by hand: ffmpeg only reads them."""

import struct
from pathlib import Path

import av
import numpy as np

from clips import ffmpeg
from facewright.core.images import Image, write_image

CODED, GRID = b"hvc1", b"grid"


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *content)


def coded(path: Path, image: Image) -> tuple[bytes, bytes]:
    """Return an image as HEVC, and what its decoder has to know."""
    plain, video = path.with_suffix(".tile.png"), path.with_suffix(".tile.mp4")
    write_image(plain, np.ascontiguousarray(image))
    tags = ["-tag:v", "hvc1", "-x265-params", "log-level=none"]
    ffmpeg("-i", plain, "-c:v", "libx265", "-crf", "8", "-pix_fmt", "yuv420p", *tags, video)
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        settings = bytes(stream.codec_context.extradata or b"")
        picture = next(bytes(packet) for packet in container.demux(stream) if packet.size)
    plain.unlink()
    video.unlink()
    return picture, settings


def heic(path: Path, image: Image, *, quarter_turns: int = 0, tiles: int = 1) -> Path:
    """Write an image.

    Args:
        path: The file.
        image: As it is to be seen.
        quarter_turns: The image lies on its side, and the file says how often to turn it counter-clockwise.
        tiles: Into how many columns it is cut, each coded for itself, as phones do.
    """
    stored = np.rot90(image, -quarter_turns)
    height, width = stored.shape[:2]
    parts = [coded(path, part) for part in np.split(stored, tiles, axis=1)]
    # Items 1..n are the tiles, n + 1 is the grid that is made of them; without tiles item 1 is the image.
    items = [(CODED, picture) for picture, _ in parts]
    if tiles > 1:
        items.append((GRID, struct.pack(">BBBBHH", 0, 0, 0, tiles - 1, width, height)))
    properties = [
        box(b"hvcC", parts[0][1]),
        full(b"ispe", struct.pack(">II", width // tiles, height)),
        full(b"ispe", struct.pack(">II", width, height)),
        box(b"irot", bytes([quarter_turns % 4])),
    ]
    of_tile, of_image = [0x81, 2], [3, 4] if tiles > 1 else [0x81, 2, 4]
    links = [of_tile] * tiles + [of_image] if tiles > 1 else [of_image]
    ipma = b"".join(struct.pack(">HB", n, len(link)) + bytes(link) for n, link in enumerate(links, 1))
    entries = [
        full(b"infe", struct.pack(">HH4s", n, 0, kind), b"\0", version=2) for n, (kind, _) in enumerate(items, 1)
    ]
    made_of = box(b"dimg", struct.pack(f">HH{tiles}H", tiles + 1, tiles, *range(1, tiles + 1)))

    def meta(offset: int) -> bytes:
        places = b""
        for number, (_, data) in enumerate(items, 1):
            places += struct.pack(">HHHII", number, 0, 1, offset, len(data))
            offset += len(data)
        return full(
            b"meta",
            full(b"hdlr", b"\0\0\0\0pict", bytes(12), b"\0"),
            full(b"pitm", struct.pack(">H", len(items))),
            full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)) + places),
            full(b"iinf", struct.pack(">H", len(items)), *entries),
            *([full(b"iref", made_of)] if tiles > 1 else []),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", struct.pack(">I", len(items)), ipma)),
        )

    kind = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    start = len(kind) + len(meta(0)) + 8
    path.write_bytes(kind + meta(start) + box(b"mdat", *(data for _, data in items)))
    return path
