"""The preview on a page in a browser: what it shows and what its buttons do.

A page asks for the numbers once a second, for a picture when there is a new one, for the curves when they have
moved. Pictures are encoded and curves reckoned in the page's own threads, and only when a page asks.
"""

import json
import math
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from facewright.core.images import encode
from facewright.nn import backups, checkpoint
from facewright.train.history import RANGES, Losses, hue_degrees, means, slices, top_of
from facewright.train.keys import Command
from facewright.train.status import Board, Phase, Shown
from facewright.ui.page import NOT_FOUND, Answer, Request

HTML = Path(__file__).with_name("page.html")
QUALITY = 92  # of the JPEG
COLUMNS = 300  # of the curves
CURVES_EVERY = 1.0  # seconds; later when reckoning is dear
SMALL_SHARE = 0.01  # of the time that curves may take


class Counter:
    """Answers the requests of pages.

    Args:
        board: Where the training puts down how it stands.
        name: Name of the model.
        folder: Where its saved states lie.
        target: Iteration at which it stops; 0 for none.
        preview: Whether previews are drawn.
    """

    def __init__(self, board: Board, name: str, folder: Path, *, target: int = 0, preview: bool = True) -> None:
        self._board = board
        self._fixed = {"name": name, "target": target, "preview": preview, "ranges": RANGES}
        self._folder = folder
        self._html = HTML.read_bytes()
        self._lock = threading.Lock()
        self._encoded: tuple[Shown, bytes] | None = None
        self._curves: dict[int, tuple[float, bytes]] = {}

    def answer(self, request: Request) -> Answer:
        """Answer one request; called in several threads at once."""
        match request.method, request.path:
            case "GET", "":
                return Answer(self._html, "text/html; charset=utf-8")
            case "GET", "state":
                self._board.asked()
                return _json(self._state())
            case "GET", "curves":
                return self._answer_curves(request.query)
            case "GET", "preview.jpg":
                return self._answer_picture()
            case "GET", "seen":
                self._board.seen()
                return Answer(b"")
            case "POST", "press":
                return self._answer_press(request.body)
        return NOT_FOUND

    def _state(self) -> dict[str, Any]:
        board, now = self._board, time.monotonic()
        phase = board.phase  # first: what is read after the end is all there is
        standing, shown = board.standing, board.shown
        return {
            **self._fixed,
            "phase": phase,
            "end": board.end,
            "iteration": standing.iteration,
            "milliseconds": round(standing.milliseconds, 2),
            "waiting": round(standing.waiting, 4),
            "losses": [[name, _number(value)] for name, value in standing.losses.items()],
            "skipped": standing.skipped,
            "saved": standing.saved,
            "saving": standing.saving,
            "saved_ago": _age(checkpoint.generations(self._folder)),
            "backup_ago": _age(backups.backups(self._folder)),
            "picture": shown
            and {
                "version": shown.version,
                "ago": round(now - shown.at, 1),
                "iteration": shown.iteration,
                "titles": shown.titles,
                "size": shown.picture.shape[1::-1],
            },
            "messages": [
                {"number": m.number, "ago": round(now - m.at, 1), "text": m.text, "attention": m.attention}
                for m in board.messages()
            ],
        }

    def _answer_picture(self) -> Answer:
        shown = self._board.shown
        if shown is None:
            return NOT_FOUND
        with self._lock:
            if self._encoded is None or self._encoded[0] is not shown:
                self._encoded = shown, encode(shown.picture, ".jpg", quality=QUALITY)
            return Answer(self._encoded[1], "image/jpeg")

    def _answer_curves(self, query: str) -> Answer:
        last = parse_qs(query).get("last", ["0"])[0]
        if last not in map(str, RANGES):
            return Answer(b"There is no such span.", status=HTTPStatus.BAD_REQUEST)
        span = int(last)
        with self._lock:
            due, body = self._curves.get(span, (0.0, b""))
            began = time.monotonic()
            if began >= due or self._board.phase is Phase.OVER:
                body = _dump(curves(self._board.history.names, self._board.history.values, span))
                now = time.monotonic()
                self._curves[span] = now + max(CURVES_EVERY, (now - began) / SMALL_SHARE), body
        return Answer(body, "application/json")

    def _answer_press(self, body: bytes) -> Answer:
        try:
            value = json.loads(body)
            command = Command(value["press"])
        except (ValueError, KeyError, TypeError, RecursionError):
            words = f"There is no such button. Buttons: {', '.join(Command)}."
            return Answer(words.encode(), status=HTTPStatus.BAD_REQUEST)
        if self._board.phase is Phase.OVER:
            return Answer(b"The training has ended.", status=HTTPStatus.CONFLICT)
        self._board.press(command)
        return Answer(b"")


def curves(names: tuple[str, ...], values: Losses, last: int) -> dict[str, Any]:
    """Return the curves of the losses as JSON takes them.

    Args:
        names: Names of the losses.
        values: (iterations, losses) float32.
        last: Iterations to show; 0 for all.

    Returns:
        "iterations" (how many are shown), "of" (how many there are), "top" of the scale, and per loss its name,
        hue in degrees, and least, mean and greatest value of each column; None where a column has no number.
    """
    shown = values[-last:]
    width = min(COLUMNS, len(shown))
    low, high = slices(shown, width) if width else (shown, shown)
    middle = means(shown, width) if width else shown
    losses = [
        {
            "name": name,
            "hue": hue_degrees(index, len(names)),
            **{word: _column(part[:, index]) for word, part in (("low", low), ("mean", middle), ("high", high))},
        }
        for index, name in enumerate(names)
    ]
    return {"iterations": len(shown), "of": len(values), "top": float(f"{top_of(shown):.4g}"), "losses": losses}


def _column(values: Losses) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    """Four digits are more than a curve shows; JSON has no word for what is no number."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _age(paths: list[Path]) -> float | None:
    """Return the seconds since the newest of saved states was written; None where there is none."""
    try:
        return round(max(0.0, time.time() - paths[0].stat().st_mtime), 1) if paths else None
    except OSError:  # it has just been let go of
        return None


def _json(value: Any) -> Answer:
    return Answer(_dump(value), "application/json")


def _dump(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
