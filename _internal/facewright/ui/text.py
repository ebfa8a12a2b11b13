"""Text in images. OpenCV's font has ASCII letters only: others lose their accents, or become "?"."""

import unicodedata

import cv2

from facewright.core.images import Image

FONT = cv2.FONT_HERSHEY_SIMPLEX
SCALE = 0.42  # of the font, in OpenCV's unit: letters 9 px high
COLOR = (230, 230, 230)
# Letters that Unicode does not decompose into an ASCII letter and an accent.
ASCII = str.maketrans(
    {"ß": "ss", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d"}
    | {"ı": "i", "Þ": "Th", "þ": "th", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "×": "x"}
)


def ascii_text(text: str) -> str:
    """Return a text in ASCII: "größe" -> "grosse", "Zoë" -> "Zoe", "人" -> "?"."""
    letters = unicodedata.normalize("NFKD", text.translate(ASCII))
    return "".join(c for c in letters if not unicodedata.combining(c)).encode("ascii", "replace").decode()


def text_width(text: str, scale: float = SCALE, thickness: int = 1) -> int:
    """Return how many pixels wide `draw_text` draws a line of text."""
    return text_size(text, scale, thickness)[0]


def text_size(text: str, scale: float = SCALE, thickness: int = 1) -> tuple[int, int, int]:
    """Return the width of a line of text as `draw_text` draws it, its height above the base line, and below it."""
    (width, above), below = cv2.getTextSize(ascii_text(text), FONT, scale, thickness)
    return int(width), int(above), int(below)


def wrap(text: str, width: int, scale: float = SCALE) -> list[str]:
    """Return the lines of a text that is to be `width` pixels wide at most.

    Words stay whole; where three blanks part a text into phrases, phrases do.
    """
    gap = "   " if "   " in text else " "
    lines: list[str] = []
    for word in text.split(gap):
        longer = f"{lines[-1]}{gap}{word}" if lines else word
        if lines and text_width(longer, scale) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line.strip() for line in lines]


def draw_text(
    image: Image,
    text: str,
    x: float,
    y: float,
    *,
    color: tuple[int, int, int] = COLOR,
    anchor: str = "start",
    scale: float = SCALE,
    thickness: int = 1,
) -> None:
    """Draw a line of text into an image.

    Args:
        image: (h, w, 3) uint8 BGR, changed in place.
        text: What is drawn, as `ascii_text` spells it.
        x: Where the text starts, ends or has its middle (`anchor`), in pixels.
        y: Its base line, in pixels.
        color: BGR.
        anchor: "start", "middle" or "end".
        scale: Of the font, in OpenCV's unit.
        thickness: Of the lines in pixels.
    """
    left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * text_width(text, scale, thickness)
    cv2.putText(image, ascii_text(text), (round(left), round(y)), FONT, scale, color, thickness, cv2.LINE_AA)
