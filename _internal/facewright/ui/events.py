"""What a person can do with mouse and keys: one table, which makes the help in the picture and in README.md."""

from dataclasses import dataclass
from enum import StrEnum


class Do(StrEnum):
    """Kind of an event."""

    MOVE = "move"
    DOWN = "down"
    UP = "up"
    WHEEL = "wheel"
    KEY = "key"


@dataclass(frozen=True)
class Event:
    """Something that the mouse or the keyboard did.

    Attributes:
        do: What happened.
        x, y: Where the mouse is, as a share of the shown picture's width and height (0..1).
        what: The button ("left", "right") or the key's name.
        steps: Notches of the wheel; positive is away from the hand.
    """

    do: Do
    x: float = 0.0
    y: float = 0.0
    what: str = ""
    steps: int = 0


class Key(StrEnum):
    """Keys by the name that browsers give them."""

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
    HELP = "h"
    QUIT = "q"


# Other names of the same keys, as browsers and keyboards have them.
ALIASES = {" ": Key.SKIP, "Backspace": Key.DELETE, "Esc": Key.GIVE_UP, "Del": Key.DELETE, "=": Key.LARGER}

# What a person does -> what happens: shown in the picture and in README.md.
HELP = (
    ("left click", "put the face down; on a face: pick it up again; elsewhere: a new face"),
    ("left drag", "move one landmark, or a whole face"),
    ("right drag", "place a face by hand: from the tip of its nose to its chin"),
    ("wheel, + -", "size of the face in hand"),
    ("e r", "turn the face in hand to the left, to the right"),
    ("n", "a new face in hand (also on top of another one)"),
    ("Delete", "remove the face in hand, or the one under the mouse"),
    ("Esc", "let go: the face in hand goes back to where it was"),
    ("u", "undo"),
    ("Enter", "accept all faces of this frame (none is an answer too), go to the next unmarked one"),
    ("Space", "leave this frame as it is, go to the next unmarked one"),
    (". ,", "next, previous frame of all; faces that were put down are kept"),
    ("a", "second look at the landmarks on, off"),
    ("h", "this help on, off"),
    ("q", "end; what is not accepted stays unmarked"),
)


def key_named(name: str) -> Key | None:
    """Return the key of that name; None for one that means nothing here."""
    if name in ALIASES:
        return ALIASES[name]
    name = name.lower() if len(name) == 1 else name
    return Key(name) if name in list(Key) else None


def coalesced(events: list[Event]) -> list[Event]:
    """Leave out the moves that another move follows directly, and add up turns of the wheel."""
    kept: list[Event] = []
    for event in events:
        last = kept[-1] if kept else None
        if last and last.do is event.do is Do.MOVE:
            kept[-1] = event
        elif last and last.do is event.do is Do.WHEEL:
            kept[-1] = Event(Do.WHEEL, event.x, event.y, steps=last.steps + event.steps)
        else:
            kept.append(event)
    return kept
