"""The session in a window."""

from facewright.annotate.session import AnnotationSession
from facewright.ui.events import coalesced, event_of
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
