"""The session in a window."""

from facewright.annotate.session import AnnotationSession
from facewright.ui.events import Do, Event, coalesced
from facewright.ui.window import GONE, Window

TITLE = "Manual annotation"


def show_session(session: AnnotationSession, window: Window) -> None:
    """Show the session until all is done or the window is closed or lost, which means the same as `q`.

    Raises:
        UserError: A face could not be saved.
    """
    while not session.done:
        window.show(session.picture(), f"{TITLE}: {session.title}")
        words = window.words()
        for event in coalesced([event for word in words if (event := event_of(word))]):
            session.handle(event)
        if GONE in words:
            session.end()


def event_of(word: str) -> Event | None:
    """Read a line of the window's process; None for one that is no event."""
    kind, *rest = word.split()
    match kind, rest:
        case "move", [x, y]:
            return Event(Do.MOVE, float(x), float(y))
        case (("down" | "up"), [button, x, y]):
            return Event(Do(kind), float(x), float(y), button)
        case "wheel", [steps, x, y]:
            return Event(Do.WHEEL, float(x), float(y), steps=int(steps))
        case "key", [name]:
            return Event(Do.KEY, what=name)
        case _:
            return None
