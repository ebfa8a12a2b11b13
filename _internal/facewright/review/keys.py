"""What can be done in window and page of a review, and by which keys; the documents list them too."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ReviewAction(StrEnum):
    """What a key or a button does."""

    NEXT = "on"
    PREVIOUS = "back"
    BEFORE = "before"
    BESIDE = "beside"
    CLOSE = "close"
    FINE = "fine"
    SETTINGS = "settings"
    PLACE = "place"
    FADE = "fade"
    KEEP = "keep"
    UNDO = "undo"
    CONVERT = "convert"
    LEAVE = "leave"


DECISIONS = (ReviewAction.FINE, ReviewAction.FADE, ReviewAction.KEEP)  # after these the next frame is shown

# Keys, by the names that browsers give them.
KEYS: Mapping[str, ReviewAction] = MappingProxyType(
    {
        "ArrowRight": ReviewAction.NEXT,
        "ArrowDown": ReviewAction.NEXT,
        "ArrowLeft": ReviewAction.PREVIOUS,
        "ArrowUp": ReviewAction.PREVIOUS,
        "b": ReviewAction.BEFORE,
        "v": ReviewAction.BESIDE,
        "z": ReviewAction.CLOSE,
        "y": ReviewAction.FINE,
        "s": ReviewAction.SETTINGS,
        "l": ReviewAction.PLACE,
        "f": ReviewAction.FADE,
        "o": ReviewAction.KEEP,
        "u": ReviewAction.UNDO,
        "c": ReviewAction.CONVERT,
        "q": ReviewAction.LEAVE,
    }
)

# Key -> what it does.
HELP = (
    ("arrows", "next, previous frame of the list"),
    ("b v z", "before; side by side; close-up"),
    ("y", "it is right: it does not come up again until it changes"),
    ("s", "other settings for this frame, in the preview of the conversion"),
    ("l", "place its landmarks yourself"),
    ("f", "the new face fades out over the four frames before, and in again after it"),
    ("o", "this frame keeps dst's own face"),
    ("u", "take the last decision back"),
    ("c", "make the changed frames again, and review them"),
    ("q", "leave"),
)
