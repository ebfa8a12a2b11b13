"""A session in a window."""

import math

from facewright.annotate.board import Session
from facewright.annotate.desk import Desk
from facewright.ui.events import coalesced, event_of
from facewright.ui.window import GONE, Window

TITLE = "Manual annotation"  # until a session gives its own
LOOK_SECONDS = 0.2  # between two looks for thumbnails that are being read


def show_session(session: Session, window: Window) -> None:
    """Show the session until all is done or the window is closed or lost, which means the same as `q`.

    Raises:
        UserError: Something could not be saved.
    """
    desk = Desk(session, window.screen)
    try:
        while not session.done:
            window.show(desk.image(), f"{session.heading}: {session.title}")
            words = window.words(LOOK_SECONDS if desk.waiting else math.inf)
            for event in coalesced([event for word in words if (event := event_of(word))]):
                desk.handle(event)
            if GONE in words:
                session.end()
    finally:
        desk.close()
