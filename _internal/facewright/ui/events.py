"""Events of mouse and keyboard, and the help of the manual annotation, which is shown there and in the documents."""

from dataclasses import dataclass
from enum import StrEnum


class Do(StrEnum):
    """Kind of an event."""

    MOVE = "move"
    DOWN = "down"
    UP = "up"
    WHEEL = "wheel"
    ZOOM = "zoom"
    GO = "go"
    KEY = "key"


@dataclass(frozen=True)
class Event:
    """An event of the mouse or the keyboard.

    Attributes:
        do: What happened.
        x, y: Where the mouse is, as a share of the shown image's width and height (0..1).
        what: The button ("left", "middle", "right") or the key's name.
        steps: Notches of the wheel or of a zoom; positive is away from the user, and nearer. Where to go, counted from
            0. Of a key in `ADDING`, how often it was pressed (0 counts as once).
    """

    do: Do
    x: float = 0.0
    y: float = 0.0
    what: str = ""
    steps: int = 0


class Key(StrEnum):
    """Keys, by the names that browsers give them."""

    ACCEPT = "Enter"
    SKIP = "Space"
    NEXT = "."
    PREVIOUS = ","
    NEW = "n"
    DELETE = "Delete"
    GIVE_UP = "Escape"
    UNDO = "u"
    LARGER = "+"
    SMALLER = "-"
    TURN_LEFT = "e"
    TURN_RIGHT = "r"
    ACCURATE = "a"
    COPY_PREVIOUS = "["
    COPY_NEXT = "]"
    PLACE = "p"
    HELP = "h"
    QUIT = "q"


# Presses of these add up: while one is held down, they are one larger step.
ADDING = frozenset((Key.LARGER, Key.SMALLER, Key.TURN_LEFT, Key.TURN_RIGHT))
# Other names of the same keys, as browsers and keyboards have them.
ALIASES = {" ": Key.SKIP, "Backspace": Key.DELETE, "Esc": Key.GIVE_UP, "Del": Key.DELETE, "=": Key.LARGER}

# What the user does -> what happens. Zooming is the same wherever a session is shown.
ZOOM_HELP = (
    ("Ctrl+wheel, two fingers", "zoom"),
    ("z x 0", "zoom in, zoom out, the whole image"),
    ("arrows, middle drag", "move the part that is shown"),
)
HELP = (
    ("left click", "release the active face; on a face: make it active; elsewhere: add a face"),
    ("left drag", "move one landmark, or a whole face"),
    ("right drag", "place a face: from the tip of its nose to its chin"),
    ("p", "the left button, or a finger, places faces like that: on, off"),
    ("wheel", "size of the active face; without one: zoom"),
    ("+ -", "size of the active face"),
    ("arrows", "move the active face"),
    ("e r", "rotate the active face to the left, to the right"),
    ("n", "add a face (also on top of another one)"),
    ("[ ]", "copy the faces of the previous, the next frame of all"),
    ("Delete", "delete the active face, or the one under the mouse"),
    ("Esc", "cancel: the active face goes back to where it was"),
    ("u", "undo"),
    ("Enter", "accept all faces of this frame (also none), go to the next one to annotate"),
    ("Space", "leave this frame as it is, go to the next one to annotate"),
    (". ,", "next, previous frame of all; placed faces are kept"),
    ("a", "second pass over the landmarks on, off"),
    *ZOOM_HELP,
    ("h", "this help on, off"),
    ("q", "quit; frames that were not accepted are offered again"),
)


def plain_name(name: str) -> str:
    """Return the one name of a key that has several; letters are small."""
    if name in ALIASES:
        return str(ALIASES[name])
    return name.lower() if len(name) == 1 else name


def key_named(name: str) -> Key | None:
    """Return the key of that name; None for one without a meaning here."""
    name = plain_name(name)
    return Key(name) if name in list(Key) else None


def coalesced(events: list[Event]) -> list[Event]:
    """Drop moves that are directly followed by another one, and add up the notches of the wheel and held keys."""
    kept: list[Event] = []
    for event in events:
        last = kept[-1] if kept else None
        if last and last.do is event.do and event.do in (Do.MOVE, Do.GO):
            kept[-1] = event
        elif last and last.do is event.do and event.do in (Do.WHEEL, Do.ZOOM):
            kept[-1] = Event(event.do, event.x, event.y, steps=last.steps + event.steps)
        elif last and last.do is event.do is Do.KEY and last.what == event.what and key_named(event.what) in ADDING:
            kept[-1] = Event(Do.KEY, what=event.what, steps=max(1, last.steps) + max(1, event.steps))
        else:
            kept.append(event)
    return kept


def event_of(word: str) -> Event | None:
    """Read a line of a window's process; None for one that is no event."""
    kind, *rest = word.split()
    match kind, rest:
        case "move", [x, y]:
            return Event(Do.MOVE, float(x), float(y))
        case (("down" | "up"), [button, x, y]):
            return Event(Do(kind), float(x), float(y), button)
        case (("wheel" | "zoom"), [steps, x, y]):
            return Event(Do(kind), float(x), float(y), steps=int(steps))
        case "key", [name]:
            return Event(Do.KEY, what=name)
        case _:
            return None
