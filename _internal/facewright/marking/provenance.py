"""Marks images and videos as made with a trained network; `origin.py` reads the marks back.

Two marks each: a sentence for people (PNG and JPEG comment, a video's `comment`), and the IPTC's term for machines
(`Iptc4xmpExt:DigitalSourceType` in an XMP packet, `digitalSourceType` in a video). Pixels are not touched.
The term means: a composite in which a trained network made a part (https://cv.iptc.org/newscodes/digitalsourcetype).
"""

import struct
from pathlib import Path

from facewright.core.files import write_bytes
from facewright.core.images import Image, encode
from facewright.core.jpeg import APP0, COMMENT, START, segments
from facewright.core.png import set_text

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

PNG_COMMENT = "Comment"  # a keyword of the PNG specification
PNG_XMP = "XML:com.adobe.xmp"  # where the XMP specification puts its packet in a PNG
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"

XMP_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="facewright">'
    f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def sentence(what: str) -> str:
    """Return the sentence for people; `what` is "image" or "video"."""
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
        DamagedPng: Not a PNG.
    """
    return set_text(set_text(data, PNG_XMP, XMP_PACKET), PNG_COMMENT, sentence("image"))


def mark_jpeg(data: bytes) -> bytes:
    """Return the JPEG with both marks in place of its older comment and XMP packet; the image data is untouched.

    Raises:
        DamagedJpeg: Not a JPEG, or cut off before the image data.
    """
    jfif, others, end = b"", b"", len(START)
    for segment in segments(data):
        if segment.marker not in (*range(APP0, APP0 + 16), COMMENT):
            break
        whole, end = data[end : segment.end], segment.end
        older = segment.marker == COMMENT or (segment.marker == APP0 + 1 and segment.content.startswith(JPEG_XMP))
        if segment.marker == APP0:
            jfif += whole
        elif not older:
            others += whole
    marks = _segment(APP0 + 1, JPEG_XMP + XMP_PACKET.encode()) + _segment(COMMENT, sentence("image").encode())
    # JFIF (APP0) stays first, as its specification wants.
    return START + jfif + marks + others + data[end:]


def mark_image(data: bytes, extension: str) -> bytes:
    """Mark an image by its format.

    Args:
        data: The encoded image.
        extension: ".png", ".jpg" or ".jpeg".

    Raises:
        ValueError: A format without a place for marks, or damaged data.
    """
    if extension.lower() == ".png":
        return mark_png(data)
    if extension.lower() in (".jpg", ".jpeg"):
        return mark_jpeg(data)
    raise ValueError(f"no marks are written into {extension} files")


def write_marked(path: Path, image: Image) -> None:
    """Write an image atomically, with both marks: whatever shows faces that a network made.

    Args:
        path: PNG or JPEG, by its suffix.
        image: (h, w, 3) uint8 BGR.

    Raises:
        UserError: The disk is full or the folder is read-only.
    """
    write_bytes(path, mark_image(encode(image, path.suffix), path.suffix))


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
