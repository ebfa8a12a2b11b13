"""File names that no step can work with, and the way in which odd letters are shown.

A name comes from whoever made the file. Letters that move the cursor, turn the direction of the text or begin a new
line would let it pass for something that the program says.
"""

import os
import re

from facewright.core.errors import UserError

# Bytes of a name. File systems allow 255; a renaming and the trash add a number, faces add one to the names of frames.
MAX_NAME = 240
MAX_FRAME_NAME = 220
# Bytes of a part of a path and of a whole path that file systems take.
LONGEST_PART, LONGEST_PATH = 255, 4095
# Control characters (C0, C1), line and paragraph separators, turns of the direction, and what stands for a byte of a
# name that is not UTF-8.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_plain(name: str) -> bool:
    """Whether a name can be shown in a line and written as UTF-8."""
    return not _ODD.search(name)


def printable(text: str, keep: str = "") -> str:
    """Return a text in which odd letters are replaced by their escapes.

    Args:
        text: Anything.
        keep: Odd letters that stay: the line feed, where a text has several lines.
    """
    return _ODD.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def is_longer(name: str, longest: int) -> bool:
    """Whether a name takes more than so many bytes; on Windows it is measured in letters."""
    return len(name if os.name == "nt" else os.fsencode(name)) > longest


def problem_of(name: str, longest: int = MAX_NAME) -> str:
    """Return why no step takes a file of that name, "" where all do.

    Args:
        name: The file's.
        longest: Most bytes that it may have.
    """
    if not is_plain(name):
        return "no text that can be shown (control characters, or not UTF-8)"
    return f"longer than {longest} bytes" if is_longer(name, longest) else ""


def check_path(text: str, flag: str) -> None:
    """Check that a typed text can be a path, whether it is meant as one or not.

    Args:
        text: What was typed.
        flag: With which flag, for the message.

    Raises:
        UserError: A part of it is longer than any file system takes, or the whole.
    """
    parts = re.split(r"[/\\]" if os.name == "nt" else "/", text)
    part = next((part for part in parts if is_longer(part, LONGEST_PART)), "")
    if part or is_longer(text, LONGEST_PATH):
        raise UserError(
            f"{printable(part or text)[:40]}… behind {flag} is too long for a name ({len(part or text)} letters).",
            f"names of {LONGEST_PART} bytes at most, {LONGEST_PATH} with their folders.",
            "name something shorter.",
        )


def _escape(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
