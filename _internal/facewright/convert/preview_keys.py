"""The keys of the preview, in its window and on its page; those of the controls are declared with the controls.

They lie where DeepFaceLab's interactive merger has them, as far as both have the same to do.
"""

from enum import StrEnum

from facewright.convert.settings import controls
from facewright.core.options import Option


class PreviewAction(StrEnum):
    """What a key or a button does."""

    NEXT = "next"
    PREVIOUS = "previous"
    FAR_NEXT = "far next"
    FAR_PREVIOUS = "far previous"
    FIRST = "first"
    LAST = "last"
    NEXT_MARK = "next mark"
    PREVIOUS_MARK = "previous mark"
    BEFORE = "before"
    COMPARE = "compare"
    MASK = "mask"
    CLOSE = "close"
    SHEET = "sheet"
    COPY_NEXT = "copy next"
    COPY_PREVIOUS = "copy previous"
    COPY_REST = "copy rest"
    COPY_START = "copy start"
    MARKER = "marker"
    SCOPE = "scope"
    RESET = "reset"
    UNDO = "undo"
    SELECT_NEXT = "select next"
    SELECT_PREVIOUS = "select previous"
    MORE = "more"
    LESS = "less"
    CONVERT = "convert"
    HELP = "help"
    LEAVE = "leave"


# Names as browsers give them; a shifted letter is another key.
KEYS = {
    ".": PreviewAction.NEXT,
    "ArrowRight": PreviewAction.NEXT,
    ",": PreviewAction.PREVIOUS,
    "ArrowLeft": PreviewAction.PREVIOUS,
    "PageDown": PreviewAction.FAR_NEXT,
    "PageUp": PreviewAction.FAR_PREVIOUS,
    "<": PreviewAction.FIRST,
    "Home": PreviewAction.FIRST,
    "End": PreviewAction.LAST,
    "]": PreviewAction.NEXT_MARK,
    "[": PreviewAction.PREVIOUS_MARK,
    " ": PreviewAction.BEFORE,
    "V": PreviewAction.COMPARE,
    "v": PreviewAction.MASK,
    "0": PreviewAction.CLOSE,
    "9": PreviewAction.SHEET,
    "/": PreviewAction.COPY_NEXT,
    "?": PreviewAction.COPY_REST,
    "m": PreviewAction.COPY_PREVIOUS,
    "M": PreviewAction.COPY_START,
    "#": PreviewAction.MARKER,
    "*": PreviewAction.SCOPE,
    "Delete": PreviewAction.RESET,
    "Backspace": PreviewAction.UNDO,
    "ArrowDown": PreviewAction.SELECT_NEXT,
    "ArrowUp": PreviewAction.SELECT_PREVIOUS,
    "+": PreviewAction.MORE,
    "=": PreviewAction.MORE,
    "-": PreviewAction.LESS,
    ">": PreviewAction.CONVERT,
    "h": PreviewAction.HELP,
    "Escape": PreviewAction.LEAVE,
}
NAMES = {"Space": " ", "Del": "Delete", "Esc": "Escape"}  # other names of keys -> ours
# Keys -> what happens; the help of window, page and documents.
HELP = (
    (". ,", "next, previous frame; also the arrows"),
    ("Page up, down", "ten frames; Home, End: the first, the last"),
    ("[ ]", "previous, next frame that needs a look"),
    ("Space", "before, after"),
    ("V", "compare: a line to drag, side by side, off"),
    ("v", "the replaced area in green"),
    ("0", "close-up of the face"),
    ("9", "sheet: twelve frames with six values of the chosen control"),
    ("Up, Down", "choose a control"),
    ("+ -", "the chosen control: more, less; the next, the previous choice"),
    ("Shift", "with a key of a control: five steps, or the choice before"),
    ("*", "what is set holds for all frames, for this shot, for this frame"),
    ("#", "begin a shot at this frame, or join it to the one before"),
    ("/ m", "next, previous frame, which takes over these settings"),
    ("? M", "the rest of the shot, the frames before it, take over these settings"),
    ("Delete", "let this frame or shot inherit again; of all frames: the defaults"),
    ("Backspace", "undo"),
    (">", "convert all frames, while looking goes on"),
    ("h", "this help on, off"),
    ("Esc", "leave; the settings are saved"),
)


def control_help() -> list[tuple[str, str]]:
    """Return the keys of each control that has some, and its name."""
    return [(keys_of(spec), label(spec)) for spec in controls() if spec.keys]


def keys_of(spec: Option) -> str:
    """Return a control's keys, in words."""
    return " ".join(spec.keys)


def label(spec: Option) -> str:
    """Return what a control is called."""
    return spec.name.replace("_", " ")
