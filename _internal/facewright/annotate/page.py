"""The session on a page in a browser: the page sends what mouse and keys do and shows images, nothing else.

One request is on its way at a time; what happens meanwhile waits in the browser and moves of the mouse that follow each
other become one. So a slow line makes the image lag by one round trip and never by a queue. While the mouse moves
the image is coarser; when it rests the page asks for a fine one.
"""

import threading
from http import HTTPStatus
from typing import Any

from facewright.annotate.session import AnnotationSession
from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.core.json_data import BadJson, choice, fields, flag, list_of, number, parse_json, text, whole
from facewright.ui.events import Do, Event, coalesced
from facewright.ui.page import NOT_FOUND, PageAnswer, PageRequest, page_head, serve_until

QUICK, FINE = 55, 88  # JPEG quality while something moves, and at rest
MOST_EVENTS = 1000
MAX_STEPS = 1_000_000  # notches of the wheel, or repeats of a key that is held down
LAST_LOOK = 2.0  # seconds in which the page may fetch the last image

PAGE_STYLE = """
html, body { height: 100%; background: #1c1c1c; overflow: hidden }
body { display: flex; align-items: center; justify-content: center }
img { max-width: 100vw; max-height: 100vh; cursor: crosshair; user-select: none; touch-action: none }
#lost { position: fixed; left: 0; right: 0; top: 0; padding: 8px; background: var(--warn-ground); color: var(--warn);
  text-align: center }
#lost:not(.shown) { display: none }
"""
BODY = """\
<img id="frame" alt="the frame" draggable="false">
<div id="lost">The program does not answer. Was it ended, or is the connection lost?</div>
<script>
"use strict";
const frame = document.getElementById("frame"), lost = document.getElementById("lost");
const ADDING = new Set(["+", "=", "-", "e", "r", "E", "R"]);  // of other keys that are held down, one waits at most
let queue = [], busy = false, fine = false, done = false, rest = 0;
function add(event) {
  const last = queue[queue.length - 1];
  if (last && last.do === event.do && event.do === "move") queue[queue.length - 1] = event;
  else if (last && last.do === event.do && event.do === "wheel") last.steps += event.steps;
  else if (last && last.do === event.do && event.again && last.what === event.what)
    last.steps += ADDING.has(event.what);
  else queue.push(event);
  send(false);
}
async function send(wantFine) {
  if (busy) { fine = fine || wantFine; return }
  if (done) return;
  busy = true;
  clearTimeout(rest);
  const events = queue.splice(0, 500);
  let failed = false;
  try {
    const answer = await fetch("events", { method: "POST", body: JSON.stringify({ events, fine: wantFine }) });
    if (answer.status === 400) events.length = 0;  // they would be refused again
    if (!answer.ok) { done = answer.status === 500; lost.textContent = await answer.text(); throw new Error() }
    const url = URL.createObjectURL(await answer.blob());
    await new Promise(shown => { frame.onload = frame.onerror = shown; const old = frame.src; frame.src = url;
      if (old.startsWith("blob:")) URL.revokeObjectURL(old) });
    document.title = decodeURIComponent(answer.headers.get("X-Title") || "");
    done = answer.headers.get("X-Done") === "yes";
    const back = answer.headers.get("X-Back");
    if (done && back) setTimeout(() => location.assign(back), 1500);
    lost.classList.remove("shown");
  } catch (error) {
    failed = true;
    queue = events.filter(event => event.do !== "move").concat(queue);
    lost.classList.add("shown");
  }
  busy = false;
  if (failed && done) return;
  if (failed) { rest = setTimeout(() => send(true), 1500); return }
  if (queue.length) send(false);
  else if (fine || !wantFine) { rest = setTimeout(() => { fine = false; send(true) }, 150) }
}
function mouse(kind, event) {
  const box = frame.getBoundingClientRect();
  const share = (at, side) => Math.min(Math.max(at / (side || 1), 0), 1);  // a drag may leave the image
  return { do: kind, x: share(event.clientX - box.left, box.width), y: share(event.clientY - box.top, box.height),
    what: event.button === 2 ? "right" : "left" };
}
frame.addEventListener("pointermove", event => add(mouse("move", event)));
frame.addEventListener("pointerdown", event => {
  event.preventDefault(); frame.setPointerCapture(event.pointerId);
  if (event.button === 0 || event.button === 2) add(mouse("down", event));
});
frame.addEventListener("pointerup", event => {
  if (event.button === 0 || event.button === 2) add(mouse("up", event));
});
frame.addEventListener("wheel", event => {
  event.preventDefault();
  add({ ...mouse("wheel", event), steps: event.deltaY < 0 ? 1 : -1 });
}, { passive: false });
document.addEventListener("contextmenu", event => event.preventDefault());
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  add({ do: "key", what: event.key, steps: 1, again: event.repeat });
});
send(true);
</script>
</html>
"""


class PageServer:
    """Answers the page's requests for a session; the session is used by one request at a time.

    Args:
        session: The session.
        back: Where the browser goes when all is done, relative to this page; "" stays.

    Attributes:
        ended: Set when the session is done or an error ended the work.
        problem: That error.
    """

    def __init__(self, session: AnnotationSession, back: str = "") -> None:
        self.ended = threading.Event()
        self.problem: UserError | None = None
        self._session = session
        self._back = {"X-Back": back} if back else {}
        self._lock = threading.Lock()

    def answer(self, request: PageRequest) -> PageAnswer:
        """Answer with the page itself, or events with the newest image."""
        if (request.method, request.path) == ("GET", ""):
            html = f'<!DOCTYPE html>\n<html lang="en">{page_head("Manual annotation", PAGE_STYLE)}{BODY}'
            return PageAnswer(html.encode("utf-8"), "text/html; charset=utf-8")
        if (request.method, request.path) != ("POST", "events"):
            return NOT_FOUND
        try:
            events, fine = read_events(request.body)
        except ValueError as error:
            return PageAnswer(f"These are no events: {error}".encode(), status=HTTPStatus.BAD_REQUEST)
        with self._lock:
            return self._handle(events, fine=fine)

    def _handle(self, events: list[Event], *, fine: bool) -> PageAnswer:
        try:
            for event in coalesced(events):
                self._session.handle(event)
        except UserError as problem:
            self.problem = self.problem or problem
            self.ended.set()
            return PageAnswer(problem.happened.encode(), status=HTTPStatus.INTERNAL_SERVER_ERROR)
        picture = encode(self._session.picture(), ".jpg", quality=FINE if fine or self._session.done else QUICK)
        if self._session.done:
            self.ended.set()
        title = "".join(f"%{byte:02X}" for byte in self._session.title.encode("utf-8"))
        done = "yes" if self._session.done else "no"
        return PageAnswer(picture, "image/jpeg", more={"X-Title": title, "X-Done": done, **self._back})


def read_events(body: bytes) -> tuple[list[Event], bool]:
    """Read what the page sends: {"events": [...], "fine": bool}.

    Raises:
        ValueError: It is anything else.
    """
    value = parse_json(body, EVENTS_SCHEMA)
    return [_event(one) for one in value["events"][:MOST_EVENTS]], value.get("fine", False)


def _event(value: dict[str, Any]) -> Event:
    x, y = float(value.get("x", 0)), float(value.get("y", 0))
    return Event(Do(value["do"]), x, y, value.get("what", "")[:20], value.get("steps", 0))


def _share(value: Any) -> Any:
    """Take a place as a share of the image's side: there is nothing outside of it."""
    if not 0 <= number(value) <= 1:
        raise BadJson(f"the place {value:g} is outside of the image")
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
    {"fine": flag},
)


def serve_session(session: AnnotationSession, port: int) -> None:
    """Serve the session until all is done.

    Raises:
        UserError: The port cannot be used, or a face could not be saved.
    """
    server = PageServer(session)
    words = "It ends when all frames are done or with q on the page; Ctrl-C here does the same."
    serve_until(server.ended, server.answer, port, words, last_look=LAST_LOOK)
    if server.problem is not None:
        raise server.problem
