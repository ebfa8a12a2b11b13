"""Says inside a picture or a video that it was made with a trained network, and reads that back.

Two marks each: a sentence for people (PNG and JPEG comment, a video's `comment`), and the IPTC's term for machines
(`Iptc4xmpExt:DigitalSourceType` in an XMP packet, `digitalSourceType` in a video). Pixels are not touched.
The term means: a composite in which a trained network made a part (https://cv.iptc.org/newscodes/digitalsourcetype).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facewright.core.errors import UserError
from facewright.core.png import MAX_TEXT, SIGNATURE, DamagedPng, get_text, set_text

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

PNG_COMMENT = "Comment"  # a keyword of the PNG specification
PNG_XMP = "XML:com.adobe.xmp"  # where the XMP specification puts its packet in a PNG
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"

_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="facewright">'
    f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
# The value as element text or as attribute: other programs may rewrite the packet.
_SOURCE_TYPE = re.compile(r"Iptc4xmpExt:DigitalSourceType\s*(?:=\s*[\"']|>)\s*([^\"'<\s]+)")


@dataclass(frozen=True)
class Mark:
    """What a file says of its origin.

    Attributes:
        comment: The sentence, or "" without one.
        source_type: The IPTC URL, or "" without one.
    """

    comment: str
    source_type: str

    @property
    def made_with_network(self) -> bool:
        """Whether the file says that a trained network made all of it or a part."""
        return self.source_type.rsplit("/", 1)[-1] in (
            "compositeWithTrainedAlgorithmicMedia",
            "trainedAlgorithmicMedia",
        )


def sentence(what: str) -> str:
    """Return the sentence for people; `what` is "picture" or "video"."""
    return f"A face in this {what} was replaced with a trained neural network by facewright. {SOURCE_TYPE}"


def container_tags() -> dict[str, str]:
    """Return the metadata of a finished video: tag name -> text.

    MP4 keeps `comment` through a plain remux; `digitalSourceType` needs `-movflags use_metadata_tags` to be written.
    The comment therefore holds the URL too.
    """
    return {"comment": sentence("video"), "digitalSourceType": SOURCE_TYPE}


def network_tags() -> dict[str, str]:
    """Return what the file of a trained network says: tag name -> text. It names the term for what is made with it."""
    text = f"This network replaces faces; facewright trained it. What it makes is to be marked as: {SOURCE_TYPE}"
    return {"comment": text, "digitalSourceType": SOURCE_TYPE}


def mark_png(data: bytes) -> bytes:
    """Return the PNG with both marks, its pixels untouched; marking twice changes nothing more.

    Raises:
        DamagedPng: No PNG.
    """
    return set_text(set_text(data, PNG_XMP, _XMP), PNG_COMMENT, sentence("picture"))


def mark_jpeg(data: bytes) -> bytes:
    """Return the JPEG with both marks in place of its older comment and XMP; the picture is untouched.

    Raises:
        ValueError: No JPEG.
    """
    kept: list[tuple[int, bytes]] = []
    rest = 2
    for kind, start, rest in _segments(data):
        older = kind == 0xFE or (kind == 0xE1 and data.startswith(JPEG_XMP, start + 4))
        if not older:
            kept.append((kind, data[start:rest]))
    marks = _segment(0xE1, JPEG_XMP + _XMP.encode()) + _segment(0xFE, sentence("picture").encode())
    # JFIF (APP0) stays first, as its specification wants.
    first = b"".join(body for kind, body in kept if kind == 0xE0)
    others = b"".join(body for kind, body in kept if kind != 0xE0)
    return b"\xff\xd8" + first + marks + others + data[rest:]


def mark_picture(data: bytes, extension: str) -> bytes:
    """Mark a picture by its format.

    Args:
        data: The encoded picture.
        extension: ".png", ".jpg" or ".jpeg".

    Raises:
        ValueError: A format without a place for marks, or damaged data.
    """
    if extension.lower() == ".png":
        return mark_png(data)
    if extension.lower() in (".jpg", ".jpeg"):
        return mark_jpeg(data)
    raise ValueError(f"no marks are written into {extension} files")


def read_mark(data: bytes) -> Mark | None:
    """Return what a PNG or JPEG says of its origin, None when it says nothing.

    Raises:
        ValueError: Neither PNG nor JPEG, or damaged.
    """
    if data[:8] == SIGNATURE:
        comment, xmp = get_text(data, PNG_COMMENT) or "", get_text(data, PNG_XMP) or ""
    else:
        comment, xmp = _jpeg_texts(data)
    found = _SOURCE_TYPE.search(xmp)
    mark = Mark(comment, found.group(1) if found else "")
    return mark if mark.comment or mark.source_type else None


def read_png_mark(path: Path) -> Mark | None:
    """Return what a picture file (PNG or JPEG) says of its origin, None when it says nothing.

    Raises:
        UserError: The file cannot be read or is damaged.
    """
    try:
        return read_mark(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(
            f"{path} cannot be read: {reason}.", "a whole PNG or JPEG.", "name another file, or make it again."
        ) from error


def _segment(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, start, end) of the APPn and COM segments at the head of a JPEG."""
    if data[:2] != b"\xff\xd8":
        raise DamagedPng("neither PNG nor JPEG")
    position = 2
    while position + 4 <= len(data):
        lead, kind, length = struct.unpack_from(">BBH", data, position)
        end = position + 2 + length
        if lead != 0xFF or length < 2 or end > len(data):
            raise DamagedPng("a JPEG segment is cut off")
        if not (0xE0 <= kind <= 0xEF or kind == 0xFE):
            return
        yield kind, position, end
        position = end


def _jpeg_texts(data: bytes) -> tuple[str, str]:
    comment = xmp = ""
    for kind, start, end in _segments(data):
        body = data[start + 4 : min(end, start + 4 + MAX_TEXT)]
        if kind == 0xFE:
            comment = body.decode("utf-8", "replace")
        elif kind == 0xE1 and body.startswith(JPEG_XMP):
            xmp = body[len(JPEG_XMP) :].decode("utf-8", "replace")
    return comment, xmp
