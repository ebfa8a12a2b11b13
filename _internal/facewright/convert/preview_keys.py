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
    "Tab": PreviewAction.HELP,
    "Escape": PreviewAction.LEAVE,
}
SHOWN = {"`": "backtick"}  # how a key is written where its sign is hard to see
SHIFTED = {":": ";"}  # keys of controls that give another sign with Shift, where it is no capital letter
NAMES = {"Space": " ", "Del": "Delete", "Esc": "Escape"}  # other names of keys -> ours
# Keys -> what happens; the help of window, page and documents.
HELP = (
    (". ,", "next, previous frame; also the arrows"),
    ("Page up, down", "ten frames; Home, End: first, last"),
    ("[ ]", "previous, next frame that needs a look"),
    ("Space", "before, after"),
    ("V", "compare: line to drag, side by side, off"),
    ("v", "the replaced area in green"),
    ("0", "close-up of the face"),
    ("Up, Down", "choose a control"),
    ("+ -", "more, less of it; next, previous choice"),
    ("9", "sheet: 12 frames with 6 values of it"),
    ("Shift", "and a control's key: five steps, or back"),
    ("*", "set for all frames, this shot, this frame"),
    ("#", "begin a shot here, or join it to the last"),
    ("/ m", "settings on to the next, previous frame"),
    ("? M", "settings to the rest, start of the shot"),
    ("Delete", "inherit again; for all frames: defaults"),
    ("Backspace", "undo"),
    (">", "convert all frames while you look"),
    ("h", "this help on, off; in the window also Tab"),
    ("Esc", "leave; the settings are saved"),
)


def unshifted(key: str) -> str:
    """Return the key that was pressed together with Shift."""
    return SHIFTED.get(key, key.lower())


def control_help() -> list[tuple[str, str]]:
    """Return the keys of the controls, and what each changes; a key for one choice of several is named with it."""
    rows: list[tuple[str, str]] = []
    for spec in controls():
        named = {key: choice for key, choice in spec.keys.items() if choice in spec.choices}
        rows += [(SHOWN.get(key, key), f"{label(spec)} {choice}") for key, choice in named.items()]
        if spec.keys and not named:
            rows.append((keys_of(spec), label(spec)))
    return rows


def keys_of(spec: Option) -> str:
    """Return a control's keys in a few letters: "w s", "1-8"."""
    digits = sorted(key for key in spec.keys if key.isdigit())
    if len(digits) < 3:
        return " ".join(spec.keys)
    return f"{digits[0]}-{digits[-1]}"


def label(spec: Option) -> str:
    """Return what a control is called."""
    return spec.name.replace("_", " ")
