"""A web page served on this machine for a user on another one, who reaches it through `ssh -L` and a secret address.

The server listens on 127.0.0.1 alone. A random token is the first part of every path; a request without it is
answered with 403, after the same time whatever was guessed. The Host header must name this machine, so that another
web page cannot reach the server under a name of its own (DNS rebinding), and a page that sends something must come
from that very address. Connections and answers per second have a bound: whatever knocks, the training goes on.
"""

import getpass
import html
import http.server
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

from facewright.core import console
from facewright.core.errors import UserError

MAX_BODY_BYTES = 1 << 20
FIRST_SECONDS = 10.0  # until a connection has named the token
IDLE_SECONDS = 120.0  # between two requests afterwards
MAX_CONNECTIONS = 16  # at once; a browser opens six
MAX_ANSWERS = 100  # per second, over all connections
REFUSAL_SECONDS = 0.05  # of pause after a connection too many
HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
# The page may load what it comes with and from here, and nothing else; nobody may show it in a frame.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' blob: data:; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


# What all pages share: colours for light and dark systems, letters, cards, bars, buttons.
STYLE = """\
:root {
  --ground: #f4f4f2; --card: #ffffff; --ink: #1d1f21; --soft: #62676d; --line: #dcdcd8; --accent: #1f6f5c;
  --on-accent: #ffffff; --warn: #8a4b00; --warn-ground: #fff1dc; --end: #1d4f8c; --end-ground: #e2edfa; --light: 38%;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #17181a; --card: #212327; --ink: #e7e7e5; --soft: #a0a5ab; --line: #373a3f; --accent: #4fb79c;
    --on-accent: #0c1f1a; --warn: #ffc98a; --warn-ground: #3b2a14; --end: #a9cdf7; --end-ground: #1b2c40; --light: 66%;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif }
h1 { font-size: 20px; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 15px; margin: 0 }
.soft { color: var(--soft); font-size: 13px }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 14px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px }
.bar, .buttons { display: flex; flex-wrap: wrap; align-items: center; gap: 8px }
.bar { justify-content: space-between; margin-bottom: 8px }
button, select {
  font: inherit; min-height: 40px; padding: 6px 12px; color: var(--ink); background: var(--card);
  border: 1px solid var(--soft); border-radius: 8px; cursor: pointer
}
button:disabled { opacity: .45; cursor: default }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent) }
button.sure { background: var(--warn-ground); border-color: var(--warn); color: var(--warn) }
button[aria-pressed="true"] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent) }
input[type="range"] { width: 100%; accent-color: var(--accent); min-height: 26px; margin: 0 }
kbd {
  font: 12px ui-monospace, monospace; border: 1px solid currentColor; border-radius: 4px; padding: 0 4px; opacity: .8;
  margin-left: 6px; white-space: nowrap
}
@media (pointer: coarse) { kbd { display: none } }
[hidden] { display: none !important }
:is(button, select, input):focus-visible { outline: 3px solid var(--accent); outline-offset: 1px }
"""
# What the pages that are served share: making an element, and what to say of a request that failed.
SCRIPT = """\
"use strict";
function element(name, more, ...children) {
  const made = Object.assign(document.createElement(name), more);
  made.append(...children);
  return made;
}
function said(error) {
  if (error.message && error.name === "Error") return error.message;
  return "The program does not answer. Was it ended, or is the connection lost?";
}
"""
ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><rect width='16' height='16' rx='4' fill='#1f6f5c'/>"
    "<ellipse cx='8' cy='8' rx='4' ry='5.2' fill='#fff'/></svg>"
)


def page_head(title: str, style: str = "") -> str:
    """Return what the head of every page holds: letters, width of a phone's screen, icon, title, style.

    Args:
        title: Of the page, as plain text.
        style: CSS of this page beside the shared one.
    """
    return (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:image/svg+xml,{quote(ICON)}">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{STYLE}{style}</style>\n"
    )


def page_of_file(file: Path, title: str, style: str = "") -> bytes:
    """Return a page that lies beside its module as .html, in its place the head and the script that all pages share."""
    head = f"{page_head(title, style)}<script>\n{SCRIPT}</script>\n"
    return file.read_text(encoding="utf-8").replace("<!-- HEAD of ui/page.py -->", head).encode("utf-8")


@dataclass(frozen=True)
class PageRequest:
    """A request of a browser.

    Attributes:
        method: GET or POST.
        path: Without the token and the leading slash; "" is the page itself.
        query: What follows the question mark.
        body: At most 1 MiB.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class PageAnswer:
    """The answer to a request.

    Attributes:
        body: The content.
        kind: Its media type.
        status: HTTP status.
        more: Further headers.
    """

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    more: dict[str, str] = field(default_factory=dict)


NOT_FOUND = PageAnswer(b"There is nothing here.", status=HTTPStatus.NOT_FOUND)
LAST_LOOK = 1.0  # seconds in which a page may fetch the last answer
FORBIDDEN = PageAnswer(b"The address must hold the token that the program printed.", status=HTTPStatus.FORBIDDEN)


def answer_or_problem(handle: Callable[[PageRequest], PageAnswer], request: PageRequest) -> PageAnswer:
    """Answer a request; say in an answer with an error's status what cannot be done, or what no page of ours sends.

    Args:
        handle: Answers; it may raise UserError, and ValueError for what it cannot read.
        request: The request.
    """
    try:
        return handle(request)
    except UserError as problem:
        return PageAnswer(f"{problem.happened} {problem.fix}".encode(), status=HTTPStatus.CONFLICT)
    except ValueError as problem:
        return PageAnswer(f"This is no request of the page: {problem}".encode(), status=HTTPStatus.BAD_REQUEST)


class Page:
    """Serves until it is closed; a context manager.

    Attributes:
        address: What to open in a browser.
        port: The port.
    """

    def __init__(self, answer: Callable[[PageRequest], PageAnswer], port: int = 0) -> None:
        """Start serving.

        Args:
            answer: Answers every request that has the token, in several threads at once.
            port: 0 takes a free one.

        Raises:
            UserError: The port is taken or may not be used.
        """
        token = secrets.token_urlsafe(24)
        try:
            self._server = _Server(("127.0.0.1", port), token, answer)
        except OSError as error:
            raise UserError(
                f"Port {port} of this machine cannot be used: {error.strerror}.",
                "a free port.",
                "name another one with --port N, or leave --port out: a free one is taken then.",
            ) from error
        self.port = int(self._server.server_address[1])
        self.address = f"http://127.0.0.1:{self.port}/{token}/"
        threading.Thread(target=self._server.serve_forever, name="facewright-page", daemon=True).start()

    def invite(self) -> None:
        """Print how to open the page; the log gets the address without its token."""
        console.say(f"Open in a browser: {self.address}", secret=self._server.token)
        console.say("From another machine, first in a terminal there (with the name by which you reach this one):")
        console.say(f"  ssh -L {self.port}:127.0.0.1:{self.port} {_user()}@{socket.gethostname()}")

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "Page":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self.close()


class _Pace:
    """Lets so many through per second: who comes early waits."""

    def __init__(self, per_second: float) -> None:
        self._step = 1 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for one's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._step
        time.sleep(turn - now)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # under Windows it would share a port that is taken

    def __init__(self, place: tuple[str, int], token: str, answer: Callable[[PageRequest], PageAnswer]) -> None:
        self.token = token
        self.answer = answer
        self.pace = _Pace(MAX_ANSWERS)
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(place, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection into a thread, or close it where there are too many."""
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)
            time.sleep(REFUSAL_SECONDS)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection until it ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away in the middle of an answer is nothing to report."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = FIRST_SECONDS
    disable_nagle_algorithm = True
    server: _Server

    def parse_request(self) -> bool:
        """Read a request when it is its turn."""
        self.server.pace.wait()
        return super().parse_request()

    def do_GET(self) -> None:
        """PageAnswer a GET."""
        self._serve(b"")

    def do_POST(self) -> None:
        """PageAnswer a POST."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._send(PageAnswer(b"Too much, or of unknown length.", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            return
        self._serve(self.rfile.read(int(length)))

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        token, _, rest = parts.path.removeprefix("/").partition("/")
        known = secrets.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode())
        if not known or not self._from_here():
            self.close_connection = True
            self._send(FORBIDDEN)
        else:
            self.connection.settimeout(IDLE_SECONDS)
            self._send(self._answer(PageRequest(str(self.command), rest, parts.query, body)))

    def _answer(self, request: PageRequest) -> PageAnswer:
        """Answer a request; a fault of ours goes into the log, and the page hears of it."""
        try:
            return self.server.answer(request)
        except Exception:
            console.LOG.exception("A request of the page failed: %s %s", request.method, request.path)
            words = b"This failed by a fault of the program; the log file holds it."
            return PageAnswer(words, status=HTTPStatus.INTERNAL_SERVER_ERROR)

    def _from_here(self) -> bool:
        """Whether the Host header names this machine, and a page that sends something comes from that address."""
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        return len(hosts) == 1 and bool(HOST.fullmatch(hosts[0])) and set(origins) <= {f"http://{hosts[0]}"}

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request of ours, with the same headers as everything."""
        self.close_connection = True
        self._send(PageAnswer(b"This is no request that is understood here.", status=HTTPStatus(code)))

    def _send(self, answer: PageAnswer) -> None:
        self.request_version = self.protocol_version  # headers go to those too that speak an older one
        self.send_response(answer.status)
        headers = {
            "Content-Type": answer.kind,
            "Content-Length": str(len(answer.body)),
            **SECURITY_HEADERS,
            **answer.more,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def version_string(self) -> str:
        """Say nothing of versions."""
        return "facewright"

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not printed: the address is a secret, and the terminal belongs to the command."""


def serve_until(
    ended: threading.Event,
    answer: Callable[[PageRequest], PageAnswer],
    port: int,
    words: str,
    *,
    last_look: float = LAST_LOOK,
) -> None:
    """Serve a page until the work on it has ended.

    Args:
        ended: Set when it has.
        answer, port: As `Page` takes them.
        words: Printed below the address: how it ends.
        last_look: Seconds in which the page may fetch the last answer.

    Raises:
        UserError: The port cannot be used.
    """
    with Page(answer, port) as page:
        page.invite()
        console.say(words)
        while not ended.wait(0.5):  # in short waits, so that Ctrl-C is heard on every system
            pass
        time.sleep(last_look)


def check_port(port: int) -> None:
    """Find out early whether a page can be served on a port; 0 always can.

    Raises:
        UserError: The port is taken or may not be used.
    """
    if port:
        Page(lambda request: PageAnswer(b""), port).close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return "user"
