"""Reads what an image or a video says of its origin: the marks that `provenance.py` writes, and those of others."""

import re
from dataclasses import dataclass
from pathlib import Path

from facewright.core.errors import UserError
from facewright.core.jpeg import APP0, COMMENT, START, segments
from facewright.core.png import MAX_TEXT, SIGNATURE, get_text
from facewright.core.safe_files import open_regular, read_regular
from facewright.marking.provenance import JPEG_XMP, PNG_COMMENT, PNG_XMP
from facewright.video.probe import read_video_tags

# The value as element text or as attribute: other programs may rewrite the packet.
_IN_XMP = re.compile(r"Iptc4xmpExt:DigitalSourceType\s*(?:=\s*[\"']|>)\s*([^\"'<\s]+)")
# AVI, and an MP4 that another program copied, keep the comment only, which ends with the URL.
_IN_COMMENT = re.compile(r"https?://cv\.iptc\.org/newscodes/digitalsourcetype/\w+")
_MADE_WITH_NETWORK = ("compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia")


@dataclass(frozen=True)
class Origin:
    """What a file says of its origin.

    Attributes:
        comment: The sentence for people, or "" without one.
        source_type: The IPTC digital source type as a URL, or "" without one.
    """

    comment: str
    source_type: str

    @property
    def made_with_network(self) -> bool:
        """Whether the file says that a trained network made all of it or a part."""
        return self.source_type.rsplit("/", 1)[-1] in _MADE_WITH_NETWORK


def read_origin(path: Path) -> Origin | None:
    """Return what a PNG, a JPEG or a video (MP4, AVI and whatever else ffmpeg opens) says of its origin.

    Args:
        path: The file; its content decides what it is, not its name.

    Returns:
        None when it says nothing.

    Raises:
        UserError: The file cannot be read, is damaged, or is none of these.
    """
    expected, fix = "a whole PNG, JPEG or video.", "name another file, or make it again."
    try:
        with open_regular(path, links=True) as file:
            head = file.read(len(SIGNATURE))
        if head == SIGNATURE or head.startswith(START):
            return origin_of_image(read_regular(path, links=True))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"{path} cannot be read: {reason}.", expected, fix) from error
    try:
        tags = {name.lower(): text for name, text in read_video_tags(path).items()}  # Matroska writes names in capitals
    except UserError as error:
        raise UserError(f"It is neither PNG nor JPEG, and as a video: {error.happened}", expected, fix) from error
    comment = tags.get("comment", "")
    in_comment = _IN_COMMENT.search(comment)
    return _origin(comment, tags.get("digitalsourcetype", in_comment.group() if in_comment else ""))


def origin_of_image(data: bytes) -> Origin | None:
    """Return what an encoded PNG or JPEG says of its origin, None when it says nothing.

    Raises:
        ValueError: Neither PNG nor JPEG, or damaged.
    """
    if data.startswith(SIGNATURE):
        comment, xmp = get_text(data, PNG_COMMENT) or "", get_text(data, PNG_XMP) or ""
    else:
        comment, xmp = _jpeg_texts(data)
    found = _IN_XMP.search(xmp)
    return _origin(comment, found.group(1) if found else "")


def _origin(comment: str, source_type: str) -> Origin | None:
    return Origin(comment, source_type) if comment or source_type else None


def _jpeg_texts(data: bytes) -> tuple[str, str]:
    comment = xmp = ""
    for segment in segments(data):
        content = segment.content[:MAX_TEXT]
        if segment.marker == COMMENT:
            comment = content.decode("utf-8", "replace")
        elif segment.marker == APP0 + 1 and content.startswith(JPEG_XMP):
            xmp = content[len(JPEG_XMP) :].decode("utf-8", "replace")
    return comment, xmp
