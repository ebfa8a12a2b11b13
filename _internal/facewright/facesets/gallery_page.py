"""The gallery on a page in a browser: thousands of faces to be looked at, and those that do not belong put away.

Small images are asked for by the screenful: one answer holds many, each behind its length.
"""

import html
import json
import struct
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

from facewright.core.json_data import fields, list_of, parse_json, whole
from facewright.facesets.gallery import GALLERY_STYLE, SeenFaces, advice_list, order_choices
from facewright.facesets.gallery_work import Gallery
from facewright.ui.page import NOT_FOUND, PageAnswer, PageRequest, answer_or_problem, page_of_file, serve_until
from facewright.ui.plots import Grid, svg

HTML = Path(__file__).with_name("gallery.html")
MOST_THUMBS = 200  # in one request
LENGTH = struct.Struct(">I")  # before each small image
NUMBERS = fields({"at": list_of(whole(0, 1 << 40))})


class GalleryPage:
    """Answers the requests of the page; called in several threads at once.

    Args:
        gallery: What is worked with.
        seen: What stands above the faces, as on the page without a server.

    Attributes:
        ended: Set when the user leaves.
    """

    def __init__(self, gallery: Gallery, seen: SeenFaces) -> None:
        self.ended = threading.Event()
        self._gallery = gallery
        self._columns = json.dumps(gallery.columns(), allow_nan=False).encode()
        parts = {
            "TITLE": html.escape(seen.title),
            "SUMMARY": html.escape(seen.summary),
            "ADVICE": advice_list(seen.advice),
            "PLOTS": "".join(svg(plot) for plot in seen.plots if not isinstance(plot, Grid)),
            "ORDERS": order_choices(),
        }
        page = page_of_file(HTML, seen.title, GALLERY_STYLE).decode("utf-8")
        for name, text in parts.items():
            page = page.replace(f"<!-- {name} -->", text)
        self._html = page.encode("utf-8")

    def answer(self, request: PageRequest) -> PageAnswer:
        """Answer one request."""
        return answer_or_problem(self._get if request.method == "GET" else self._post, request)

    def serve(self, port: int) -> None:
        """Serve until the user leaves, or presses Ctrl-C: what went to the trash is there already.

        Args:
            port: Of the page; 0 takes a free one.

        Raises:
            UserError: The port cannot be used.
        """
        words = "It ends with its button Leave; Ctrl-C here does the same."
        with suppress(KeyboardInterrupt):
            serve_until(self.ended, self.answer, port, words)

    def _get(self, request: PageRequest) -> PageAnswer:
        match request.path:
            case "":
                return PageAnswer(self._html, "text/html; charset=utf-8")
            case "faces":
                return PageAnswer(self._columns, "application/json")
            case "state":
                return self._state()
            case "thumbs":
                small = self._gallery.thumbs(_numbers(request.query))
                return PageAnswer(
                    b"".join(LENGTH.pack(len(image)) + image for image in small), "application/octet-stream"
                )
            case "face.jpg":
                return PageAnswer(self._gallery.large(_numbers(request.query)[0]), "image/jpeg")
        return NOT_FOUND

    def _post(self, request: PageRequest) -> PageAnswer:
        match request.path:
            case "trash":
                return self._state(self._gallery.trash(parse_json(request.body, NUMBERS)["at"]))
            case "undo":
                return self._state(self._gallery.undo())
            case "leave":
                self.ended.set()
                return PageAnswer(b"")
        return NOT_FOUND

    def _state(self, told: str = "") -> PageAnswer:
        return PageAnswer(json.dumps({**self._gallery.state(), "told": told}).encode(), "application/json")


def _numbers(query: str) -> list[int]:
    """Read ?at=1,2,3."""
    found = [int(word) for word in parse_qs(query).get("at", [""])[0].split(",")]
    if len(found) > MOST_THUMBS:
        raise ValueError(f"too many faces at once, more than {MOST_THUMBS}")
    return found
