"""The preview on a page in a browser: what it shows, and what its keys, buttons and sliders do.

The page sends one thing at a time and gets the new state; then it requests the image, which is encoded on request.
"""

import json
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import cv2
import numpy as np

from facewright.convert.preview import View
from facewright.convert.preview_keys import HELP, KEYS, SHIFTED, PreviewAction, control_help, keys_of, label
from facewright.convert.preview_session import PreviewSession
from facewright.convert.preview_sheet import draw_sheet, sheet_values
from facewright.core.errors import UserError
from facewright.core.images import Image, encode, read_image
from facewright.core.json_data import choice, fields, parse_json, text, whole
from facewright.core.options import Option, show
from facewright.marking.provenance import mark_jpeg
from facewright.ui.page import NOT_FOUND, PageAnswer, PageRequest, page_of_file, serve_until

HTML = Path(__file__).with_name("page.html")
JPEG_QUALITY = 90
THUMB_PX = 160
THUMB_QUALITY = 70
MAX_TIMES = 1000  # how often a key may have been pressed in one request
REQUEST_SCHEMA = fields(
    {},
    {
        "key": text,
        "do": choice(*map(str, PreviewAction)),
        "times": whole(1, MAX_TIMES),
        "go": whole(0),
        "name": text,
        "value": text,
        "view": choice(*map(str, View)),
        "scope": text,
    },
)


class PreviewPage:
    """Answers the requests of the page.

    Args:
        session: What is worked with.
        title: The names of the models.
        back: Where the browser goes when the user leaves, relative to this page; "" stays.
    """

    def __init__(self, session: PreviewSession, title: str, back: str = "") -> None:
        self._back = back
        self._session = session
        self._title = title
        self._html = page_of_file(HTML, "Conversion")
        self._thumbs: dict[int, bytes] = {}
        self._drawing = threading.Lock()

    def answer(self, request: PageRequest) -> PageAnswer:
        """Answer one request; called in several threads at once."""
        try:
            query = dict(parse_qsl(request.query, keep_blank_values=True))
            match request.method, request.path:
                case "GET", "":
                    return PageAnswer(self._html, "text/html; charset=utf-8")
                case "GET", "fixed":
                    return _json(self._fixed())
                case "GET", "state":
                    return _json(self._session.state())
                case "GET", "frame.jpg":
                    return self._frame(View(query.get("view", View.AFTER)))
                case "GET", "thumb.jpg":
                    return self._thumb(int(query.get("at", "0")))
                case "GET", "sheet.jpg":
                    return self._sheet()
                case "POST", "do":
                    return self._do(parse_json(request.body, REQUEST_SCHEMA))
        except UserError as problem:
            words = f"{problem.happened} Expected: {problem.expected}"
            return PageAnswer(words.encode(), status=HTTPStatus.BAD_REQUEST)
        except ValueError as problem:
            return PageAnswer(f"This is no request of the page: {problem}".encode(), status=HTTPStatus.BAD_REQUEST)
        return NOT_FOUND

    def _fixed(self) -> dict[str, Any]:
        session = self._session
        return {
            "model": self._title,
            "back": self._back,
            "frames": len(session.preview.frames),
            "controls": [_control(spec) for spec in session.controls],
            "keys": {key: str(what) for key, what in KEYS.items()},
            "control_keys": [*SHIFTED, *(key for spec in session.controls for key in spec.keys)],
            "help": [*HELP, *control_help()],
        }

    def _do(self, wanted: dict[str, Any]) -> PageAnswer:
        session, times = self._session, wanted.get("times", 1)
        if "go" in wanted:
            session.go(wanted["go"])
        if "view" in wanted or "scope" in wanted:
            session.choose(wanted.get("view", ""), wanted.get("scope", ""))
        if "name" in wanted:
            session.change(wanted["name"], wanted.get("value", ""))
        if "do" in wanted:
            session.do(PreviewAction(wanted["do"]), times)
        if "key" in wanted:
            session.press(wanted["key"], times)
        return _json(session.state())

    def _frame(self, view: View) -> PageAnswer:
        began = time.perf_counter()
        image = self._session.picture(view=view)
        milliseconds = f"{1000 * (time.perf_counter() - began):.0f}"
        return PageAnswer(_jpeg(image), "image/jpeg", more={"X-Milliseconds": milliseconds})

    def _thumb(self, at: int) -> PageAnswer:
        frames = self._session.preview.frames
        if not 0 <= at < len(frames):
            raise ValueError(f"there is no frame {at}")
        if at not in self._thumbs:
            image = read_image(frames[at].path)
            height = max(1, round(THUMB_PX * image.shape[0] / image.shape[1]))
            small = cv2.resize(image, (THUMB_PX, min(height, 2 * THUMB_PX)), interpolation=cv2.INTER_AREA)
            self._thumbs[at] = encode(np.asarray(small, np.uint8), ".jpg", quality=THUMB_QUALITY)
        return PageAnswer(self._thumbs[at], "image/jpeg")

    def _sheet(self) -> PageAnswer:
        session = self._session
        spec = session.control
        values = sheet_values(spec, getattr(session.options, spec.name))
        with self._drawing:
            image = draw_sheet(session.preview, session.settings, spec, values)
        return PageAnswer(_jpeg(image), "image/jpeg", more={"X-Values": json.dumps([show(value) for value in values])})


def serve_preview(session: PreviewSession, title: str, port: int) -> None:
    """Serve the session until the user leaves.

    Raises:
        UserError: The port cannot be used.
    """
    page = PreviewPage(session, title)
    words = "Set everything there, and convert. It ends with its button Leave, or with Ctrl-C here."
    serve_until(session.ended, page.answer, port, words)


def _control(spec: Option) -> dict[str, Any]:
    return {
        "name": spec.name,
        "label": label(spec),
        "group": spec.group,
        "keys": keys_of(spec),
        "help": spec.help,
        "default": show(spec.default),
        "choices": [{"value": value, "text": words} for value, words in spec.choices.items()],
        "low": spec.low,
        "high": spec.high,
        "whole": spec.kind is int,
    }


def _jpeg(image: Image) -> bytes:
    return mark_jpeg(encode(image, ".jpg", quality=JPEG_QUALITY))


def _json(value: Any) -> PageAnswer:
    return PageAnswer(json.dumps(value, allow_nan=False).encode(), "application/json")
