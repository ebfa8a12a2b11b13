"""The page server: who gets in, who does not, and what a broken request does."""

import contextlib
import logging
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from facewright.core.errors import UserError
from facewright.core.log_file import log_file
from facewright.ui import page as ui_page
from facewright.ui.page import (
    MAX_ANSWERS,
    MAX_BODY_BYTES,
    MAX_CONNECTIONS,
    SECURITY_HEADERS,
    Page,
    PageAnswer,
    PageRequest,
    check_port,
    page_head,
)


@pytest.fixture
def page() -> Iterator[Page]:
    def answer(request: PageRequest) -> PageAnswer:
        return PageAnswer(f"{request.method} {request.path} {request.query} {request.body!r}".encode())

    with Page(answer) as served:
        yield served


def ask(address: str, body: bytes | None = None, **headers: str) -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(address, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def raw(page: Page, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", page.port), timeout=10) as line:
        line.sendall(text)
        line.settimeout(2)
        got = b""
        try:
            while more := line.recv(65536):
                got += more
        except TimeoutError:
            pass
        return got


def test_the_address_opens_the_page(page: Page) -> None:
    status, text, headers = ask(page.address)
    assert (status, text) == (200, "GET   b''")
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Python" not in headers["Server"]
    assert ask(page.address + "events?x=1", b"abc")[:2] == (200, "POST events x=1 b'abc'")


@pytest.mark.parametrize("path", ["/", "", "/wrong/", "/wrong/events", "//", "/%00/", "/ä/".encode().decode("latin-1")])
def test_without_the_token_nothing_is_told(page: Page, path: str) -> None:
    text = raw(page, f"GET {path or '/'} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1"))
    assert text.startswith(b"HTTP/1.1 403 ")


def test_tokens_differ_and_are_long() -> None:
    addresses = set()
    for _ in range(3):
        with Page(lambda request: PageAnswer(b"")) as served:
            token = urlsplit(served.address).path.strip("/")
            assert len(token) >= 32
            addresses.add(token)
    assert len(addresses) == 3


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "10.0.0.1:80", "localhost:x", "localhost:"],
)
def test_a_strange_host_is_refused(page: Page, host: str) -> None:
    assert ask(page.address, Host=host)[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost:9000", "localhost", "[::1]:9000"])
def test_the_host_of_a_tunnel_is_accepted(page: Page, host: str) -> None:
    assert ask(page.address, Host=host)[0] == 200


def test_a_strange_page_may_not_send(page: Page) -> None:
    assert ask(page.address + "events", b"{}", Origin="https://evil.example")[0] == 403
    assert ask(page.address + "events", b"{}", Origin="null")[0] == 403
    here = f"127.0.0.1:{page.port}"
    for origin in ("http://localhost:9000", f"https://{here}", f"http://{here}/", f"http://{here}.evil.example", ""):
        assert ask(page.address + "events", b"{}", Origin=origin)[0] == 403
    assert ask(page.address + "events", b"{}", Origin=f"http://{here}")[0] == 200
    assert ask(page.address + "events", b"{}", Host="localhost:9000", Origin="http://localhost:9000")[0] == 200


@pytest.mark.parametrize("length", ["", "-1", "x", str(MAX_BODY_BYTES + 1), "99999999999999"])
def test_bodies_of_odd_length_are_refused(page: Page, length: str) -> None:
    path = urlsplit(page.address).path
    text = raw(page, f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode())
    assert text.startswith(b"HTTP/1.1 413 ")


def test_rubbish_and_lost_lines_do_no_harm(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    raw(page, b"\x00\xff\x16\x03 rubbish\r\n\r\n")
    path = urlsplit(page.address).path
    with socket.create_connection(("127.0.0.1", page.port)) as line:
        line.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nhalf".encode())
    assert ask(page.address)[0] == 200
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == ""


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"DELETE /x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    ],
)
def test_every_refusal_carries_the_same_headers_and_ends_the_connection(page: Page, text: bytes) -> None:
    head, _, body = raw(page, text).partition(b"\r\n\r\n")
    assert head[9:10] in (b"4", b"5") and b"frame-ancestors 'none'" in head and b"nosniff" in head
    assert b"Python" not in head and b"<" not in body


def test_a_fault_of_the_program_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: PageRequest) -> PageAnswer:
        raise KeyError(f"lost {request.path}")

    with Page(answer) as served, caplog.at_level("ERROR", logger="facewright"):
        served_logger = logging.getLogger("facewright")
        served_logger.addHandler(caplog.handler)
        try:
            status, _, headers = ask(f"{served.address}state")
        finally:
            served_logger.removeHandler(caplog.handler)
    assert status == 500 and headers.items() >= SECURITY_HEADERS.items()
    assert "lost state" in caplog.text


def test_a_flood_of_connections_leaves_the_processor_to_others() -> None:
    answered: list[float] = []

    def answer(request: PageRequest) -> PageAnswer:
        answered.append(time.monotonic())
        return PageAnswer(b"")

    over = threading.Event()

    def knock(address: str) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                ask(address)

    with Page(answer) as served:
        flood = [threading.Thread(target=knock, args=(served.address,), daemon=True) for _ in range(30)]
        for thread in flood:
            thread.start()
        time.sleep(1)
        times = list(answered)
        over.set()
        for thread in flood:
            thread.join(10)
    assert 10 < len(times) <= 1.05 * MAX_ANSWERS * (times[-1] - times[0]) + 2


def test_connections_have_a_bound_and_come_free_again(page: Page) -> None:
    held = [socket.create_connection(("127.0.0.1", page.port), timeout=10) for _ in range(MAX_CONNECTIONS)]
    with socket.create_connection(("127.0.0.1", page.port), timeout=10) as one_more:
        assert one_more.recv(1) == b""
    for line in held:
        line.close()
    until = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError):
            assert ask(page.address)[0] == 200
            break
        assert time.monotonic() < until


def test_it_listens_on_this_machine_only(page: Page) -> None:
    with pytest.raises(OSError):  # an address of this machine too, where those are heard that listen on all
        socket.create_connection(("127.0.0.2", page.port), timeout=5)


def test_several_requests_at_once() -> None:
    together = threading.Barrier(4, timeout=10)

    def answer(request: PageRequest) -> PageAnswer:
        together.wait()
        return PageAnswer(b"both")

    with Page(answer) as served:
        threads = [threading.Thread(target=ask, args=(served.address,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        together.wait()
        for thread in threads:
            thread.join(10)


def test_ports_are_checked_before_a_page_is_made(page: Page) -> None:
    with pytest.raises(UserError, match=f"Port {page.port} "):
        check_port(page.port)
    check_port(0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = int(other.getsockname()[1])
    check_port(free)
    Page(lambda request: PageAnswer(b""), free).close()  # the check has let go of it


def test_a_port_that_is_taken(page: Page) -> None:
    with pytest.raises(UserError, match=f"Port {page.port} ") as caught:
        Page(lambda request: PageAnswer(b""), page.port)
    assert "--port" in caught.value.fix


def test_a_port_can_be_used_again_at_once(page: Page) -> None:
    port = page.port
    ask(page.address)
    page.close()
    with Page(lambda request: PageAnswer(b"again"), port) as second:
        assert ask(second.address)[1] == "again"


def test_the_invitation_holds_address_and_tunnel(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    page.invite()
    text = capsys.readouterr().out
    assert page.address in text and f"ssh -L {page.port}:127.0.0.1:{page.port} " in text


def test_the_log_does_not_hold_the_token(page: Page, tmp_path: Path) -> None:
    with log_file(tmp_path, "train", []) as log:
        page.invite()
    assert log is not None
    token = page.address.rstrip("/").rpartition("/")[2]
    assert token not in log.read_text() and str(page.port) in log.read_text()


def test_every_page_has_the_same_head() -> None:
    """Letters, width, icon and style are written in one place; no page has a head of its own."""
    text = page_head("A <title>", "p { color: red }")
    for part in ("utf-8", "viewport", 'rel="icon"', "color-scheme", "A &lt;title&gt;", "--accent", "p { color: red }"):
        assert part in text
    package = Path(ui_page.__file__).parents[1]
    files = [path for path in package.rglob("*") if path.suffix in (".py", ".html")]
    own = [path.name for path in files if "<meta charset" in path.read_text(encoding="utf-8")]
    assert own == ["page.py"]
    heads = [path.name for path in files if "<!DOCTYPE html>" in path.read_text(encoding="utf-8")]
    assert len(heads) >= 4


def test_the_icon_may_be_shown() -> None:
    """It is part of the page, so the policy must allow pictures that are."""
    assert "data:image/svg+xml" in page_head("") and "data:" in SECURITY_HEADERS["Content-Security-Policy"]
