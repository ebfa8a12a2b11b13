"""A session on a page in a browser: the page sends what mouse, fingers, keys and buttons do and shows images.

One request is on its way at a time; what happens meanwhile waits in the browser and moves of the mouse that follow each
other become one. So a slow line makes the image lag by one round trip and never by a queue. While the mouse moves
the image is coarser; when it rests the page asks for a fine one.
"""

import json
import threading
from collections import OrderedDict
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from facewright.annotate.board import KEPT_THUMBS, Session, key_name, thumbnail
from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.core.json_data import BadJson, choice, fields, flag, list_of, number, parse_json, text, whole
from facewright.ui.events import Do, Event, coalesced
from facewright.ui.page import NOT_FOUND, PageAnswer, PageRequest, page_of_file, serve_until

HTML = Path(__file__).with_name("page.html")
QUICK, FINE = 55, 88  # JPEG quality while something moves, and at rest
MOST_EVENTS = 1000
MAX_STEPS = 1_000_000  # notches of the wheel, or repeats of a key that is held down
AIMS = (0.1, 20.0)  # least and most of `Eye.aim`
THUMB_QUALITY = 70
LAST_LOOK = 2.0  # seconds in which the page may fetch the last image


class PageServer:
    """Answers the page's requests for a session; the session is used by one request at a time.

    Args:
        session: The session.
        back: Where the browser goes when all is done, relative to this page; "" stays.

    Attributes:
        ended: Set when the session is done or an error ended the work.
        problem: That error.
    """

    def __init__(self, session: Session, back: str = "") -> None:
        self.ended = threading.Event()
        self.problem: UserError | None = None
        self._session = session
        self._count = session.facts().count
        self._back = back
        self._lock = threading.Lock()
        self._thumbs: OrderedDict[int, bytes] = OrderedDict()
        self._reading = threading.Lock()

    def answer(self, request: PageRequest) -> PageAnswer:
        """Answer with the page itself, what never changes on it, a thumbnail, or events with the newest image."""
        match request.method, request.path:
            case "GET", "":
                return PageAnswer(page_of_file(HTML, self._session.heading), "text/html; charset=utf-8")
            case "GET", "fixed":
                return self._fixed()
            case "GET", "thumb.jpg":
                return self._thumb(request.query)
            case "POST", "events":
                return self._events(request.body)
            case _:
                return NOT_FOUND

    def _fixed(self) -> PageAnswer:
        session = self._session
        with self._lock:
            buttons = [
                [
                    {"label": one.label, "key": one.key, "shown": key_name(one.key), "switch": one.switch}
                    for one in group
                ]
                for group in session.buttons
            ]
            told = {
                "heading": session.heading,
                "count": self._count,
                "marks": list(session.marks),
                "buttons": buttons,
                "help": list(session.help),
                "back": self._back,
            }
        return PageAnswer(json.dumps(told).encode(), "application/json")

    def _thumb(self, query: str) -> PageAnswer:
        text = parse_qs(query).get("at", [""])[0]
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < self._count):
            return NOT_FOUND
        at = int(text)
        with self._reading:
            try:
                if at not in self._thumbs:
                    self._thumbs[at] = encode(thumbnail(self._session.small(at)), ".jpg", quality=THUMB_QUALITY)
            except UserError:
                return NOT_FOUND
            data = self._thumbs[at]
            while len(self._thumbs) > KEPT_THUMBS:
                self._thumbs.popitem(last=False)
        return PageAnswer(data, "image/jpeg")

    def _events(self, body: bytes) -> PageAnswer:
        try:
            events, fine, aim = read_events(body)
        except ValueError as error:
            return PageAnswer(f"These are no events: {error}".encode(), status=HTTPStatus.BAD_REQUEST)
        with self._lock:
            self._session.eye.aim = aim
            return self._handle(events, fine=fine)

    def _handle(self, events: list[Event], *, fine: bool) -> PageAnswer:
        session = self._session
        try:
            for event in coalesced(events):
                session.handle(event)
        except UserError as problem:
            self.problem = self.problem or problem
            self.ended.set()
            return PageAnswer(problem.happened.encode(), status=HTTPStatus.INTERNAL_SERVER_ERROR)
        picture = encode(session.picture(), ".jpg", quality=FINE if fine or session.done else QUICK)
        if session.done:
            self.ended.set()
        facts = session.facts()
        more = {"pressed": sorted(facts.pressed), "title": session.title, "marks": len(session.marks)}
        state = json.dumps({**asdict(facts), **more})
        return PageAnswer(picture, "image/jpeg", more={"X-State": state})


def read_events(body: bytes) -> tuple[list[Event], bool, float]:
    """Read what the page sends: {"events": [...], "fine": bool, "aim": number}.

    Raises:
        ValueError: It is anything else.
    """
    value = parse_json(body, EVENTS_SCHEMA)
    return (
        [_event(one) for one in value["events"][:MOST_EVENTS]],
        value.get("fine", False),
        float(value.get("aim", 1.0)),
    )


def _event(value: dict[str, Any]) -> Event:
    x, y = float(value.get("x", 0)), float(value.get("y", 0))
    return Event(Do(value["do"]), x, y, value.get("what", "")[:20], value.get("steps", 0))


def _share(value: Any) -> Any:
    """Take a place as a share of the image's side: there is nothing outside of it."""
    if not 0 <= number(value) <= 1:
        raise BadJson(f"the place {value:g} is outside of the image")
    return value


def _aim(value: Any) -> Any:
    if not AIMS[0] <= number(value) <= AIMS[1]:
        raise BadJson(f"nobody aims {value:g} times as far")
    return value


EVENTS_SCHEMA = fields(
    {
        "events": list_of(
            fields(
                {"do": choice(*map(str, Do))},
                {"x": _share, "y": _share, "what": text, "steps": whole(-MAX_STEPS, MAX_STEPS)},
            )
        )
    },
    {"fine": flag, "aim": _aim},
)


def serve_session(session: Session, port: int) -> None:
    """Serve the session until all is done.

    Raises:
        UserError: The port cannot be used, or a face could not be saved.
    """
    server = PageServer(session)
    words = "It ends when all frames are done or with q on the page; Ctrl-C here does the same."
    serve_until(server.ended, server.answer, port, words, last_look=LAST_LOOK)
    if server.problem is not None:
        raise server.problem
