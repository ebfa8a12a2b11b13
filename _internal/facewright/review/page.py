"""The page of a review: the list, each frame before and after, and what can be done about it.

Placing landmarks is a page of its own, served below this one. What takes long (annotation, conversion) is done by the
thread that serves, while the page asks for its state.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from facewright.annotate.page import PageServer
from facewright.convert.page import PreviewPage
from facewright.convert.settings import Scope
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import Image, encode
from facewright.core.json_data import fields, parse_json, whole
from facewright.core.workspace import Workspace
from facewright.extract.side_run import ModelLoader
from facewright.marking.provenance import mark_jpeg
from facewright.review.keys import KEYS, ReviewAction
from facewright.review.listing import ReviewList, ReviewView, TrainedModels
from facewright.review.placing import placing
from facewright.review.ranking import FrameScore
from facewright.ui.contact_sheet import fit
from facewright.ui.page import LAST_LOOK, NOT_FOUND, Page, PageAnswer, PageRequest, answer_or_problem, page_of_file

HTML = Path(__file__).with_name("page.html")
JPEG_QUALITY, THUMB_QUALITY, THUMB_PX = 90, 80, 96
FRAME_SCHEMA = fields({"at": whole(0, 1 << 40)})
STARTING = {
    "place": "The frame is being opened.",
    "settings": "The preview is being opened.",
    "convert": "The changed frames are being converted: see the terminal.",
    "leave": "This page ends.",
}


@dataclass(frozen=True)
class Below:
    """A page that is served below this one.

    Attributes:
        path: Where, with its slash.
        answer: Answers its requests, without that path.
        ended: Set when the work there is done.
    """

    path: str
    answer: Callable[[PageRequest], PageAnswer]
    ended: threading.Event


class ReviewPage:
    """Answers the requests of the page; called in several threads at once.

    Args:
        listing: The review.

    Attributes:
        wanted: What the serving thread is to do, and with which frame: see `STARTING`.
    """

    def __init__(self, listing: ReviewList) -> None:
        self.wanted: queue.Queue[tuple[str, int]] = queue.Queue()
        self._listing = listing
        self._html = page_of_file(HTML, "Review")
        self._lock = threading.Lock()
        self._busy, self._problem = "", ""
        self._below: Below | None = None

    def say(self, busy: str = "", problem: str = "") -> None:
        """Show what is being done, or what went wrong."""
        self._busy, self._problem = busy, problem

    @contextmanager
    def showing(self, below: "Below", busy: str) -> Iterator[None]:
        """Serve another page below this one until it has ended; `busy` says what is done there."""
        self._below = below
        self.say(busy)
        try:
            yield
            while not below.ended.wait(0.5):  # in short waits, so that Ctrl-C is heard on every system
                pass
            time.sleep(LAST_LOOK)
        finally:
            self._below = None

    def answer(self, request: PageRequest) -> PageAnswer:
        """Answer one request."""
        if (below := self._below) and request.path.startswith(below.path):
            return below.answer(replace(request, path=request.path.removeprefix(below.path)))
        return answer_or_problem(self._get if request.method == "GET" else self._post, request)

    def _get(self, request: PageRequest) -> PageAnswer:
        match request.path:
            case "":
                return PageAnswer(self._html, "text/html; charset=utf-8")
            case "state":
                return PageAnswer(json.dumps(self._state(), allow_nan=False).encode(), "application/json")
            case "frame.jpg" | "thumb.jpg":
                return self._image(request)
        return NOT_FOUND

    def _post(self, request: PageRequest) -> PageAnswer:
        match request.path:
            case "keep" | "fade" | "fine" | "undo":
                with self._lock:
                    self._listing.decide(request.path, self._frame(request))
                return PageAnswer(b"")
            case "place" | "settings":
                return self._want(request.path, self._frame(request))
            case "convert" | "leave":
                return self._want(request.path)
            case "cancel":
                if below := self._below:
                    below.ended.set()
                return PageAnswer(b"")
        return NOT_FOUND

    def _want(self, what: str, at: int = 0) -> PageAnswer:
        """Leave something to the serving thread, one thing at a time."""
        if self._busy:
            return PageAnswer(f"First this ends: {self._busy}".encode(), status=HTTPStatus.CONFLICT)
        self.say(STARTING[what])
        self.wanted.put((what, at))
        return PageAnswer(b"")

    def _frame(self, request: PageRequest) -> int:
        return self._index(parse_json(request.body, FRAME_SCHEMA)["at"])

    def _index(self, at: int) -> int:
        if not 0 <= at < len(self._listing.found.scores):
            raise ValueError(f"there is no frame {at}")
        return at

    def _state(self) -> dict[str, Any]:
        listing, decided, below = self._listing, self._listing.decided, self._below
        frames = [
            {
                "at": one.index,
                "name": one.name,
                "score": round(one.score, 2),
                "needs": one.needs_a_look,
                "reasons": one.reasons,
                "decided": decided.get(one.name, ""),
            }
            for one in listing.listed
        ]
        return {
            "frames": frames,
            "keys": {key: str(action) for key, action in KEYS.items() if action is not ReviewAction.LEAVE},
            "round": listing.round,
            "total": len(listing.found.keys),
            "busy": self._busy,
            "problem": self._problem,
            "below": below.path if below else "",
        }

    def _image(self, request: PageRequest) -> PageAnswer:
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        at = self._index(int(query.get("at", "0")))
        if request.path == "thumb.jpg":
            image = fit(self._listing.image(at, ReviewView.AFTER, close_up=True), (THUMB_PX, THUMB_PX))
            return _jpeg(image, THUMB_QUALITY)
        view, close_up = ReviewView(query.get("view", ReviewView.AFTER)), query.get("close", "no") == "yes"
        return _jpeg(self._listing.image(at, view, close_up=close_up), JPEG_QUALITY)


class ReviewServer:
    """Serves the page of a review, and does what takes long.

    Args:
        workspace: The project.
        listing: The review.
        models: What looks at faces.
        trained: Where the conversion's model comes from.
    """

    def __init__(self, workspace: Workspace, listing: ReviewList, models: ModelLoader, trained: TrainedModels) -> None:
        self.page = ReviewPage(listing)
        self._workspace = workspace
        self._listing = listing
        self._models = models
        self._trained = trained

    def serve(self, port: int) -> None:
        """Serve until the user leaves.

        Args:
            port: Of the page; 0 takes a free one.

        Raises:
            UserError: The port cannot be used.
        """
        with Page(self.page.answer, port) as served:
            served.invite()
            console.say("It ends with its button Leave; Ctrl-C here does the same.")
            while self._next():
                pass
            time.sleep(LAST_LOOK)

    def _next(self) -> bool:
        """Do the next thing that the page wants; return whether it goes on."""
        try:
            what, at = self.page.wanted.get(timeout=0.5)  # in short waits, so that Ctrl-C is heard on every system
        except queue.Empty:
            return True
        try:
            match what:
                case "convert":
                    self._listing.convert(self._trained, self._models)
                case "place":
                    self._place(self._listing.found.scores[at])
                case "settings":
                    self._set(at)
            self.page.say()
        except UserError as problem:
            console.error(problem)
            self.page.say(problem=f"{problem.happened} {problem.fix}")
        return what != "leave"

    def _place(self, one: FrameScore) -> None:
        """Serve the annotation of a frame until it is done."""
        with placing(self._workspace, one.name, self._models, reasons=one.reasons) as session:
            opened = PageServer(session, back="../")
            below = Below("landmarks/", opened.answer, opened.ended)
            with self.page.showing(below, f"The landmarks of {one.name} are being placed."):
                pass
        if opened.problem is not None:
            raise opened.problem
        if session.accepted:
            self._listing.placed(one.name)

    def _set(self, at: int) -> None:
        """Serve the preview of the conversion until it is left, with the settings of one frame at hand."""
        with self._listing.previewing(self._trained) as (session, title):
            session.go(at)
            session.choose(scope=Scope.FRAME)
            opened = PreviewPage(session, title, back="../")
            below = Below("settings/", opened.answer, session.ended)
            with self.page.showing(below, f"Settings are being chosen for {self._listing.found.scores[at].name}."):
                pass
        self._listing.refresh(self._models, anew=session.conversion.report is not None)


def _jpeg(image: Image, quality: int) -> PageAnswer:
    return PageAnswer(mark_jpeg(encode(image, ".jpg", quality=quality)), "image/jpeg")
