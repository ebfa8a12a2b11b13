"""The training on a page in a browser: what it shows and what its buttons do.

A page requests the numbers once a second, the preview when there is a new one, the curves when they have changed.
Images are encoded and curves computed in the page's own threads, and only on request.
"""

import json
import math
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.core.json_data import fields, parse_json, text
from facewright.core.names import printable
from facewright.marking.provenance import mark_jpeg
from facewright.nn import backups, checkpoint
from facewright.train.facts import age_of
from facewright.train.history import (
    ERROR_TITLES,
    ERRORS,
    RANGES,
    Losses,
    LossHistory,
    curve_top,
    held_out_curves,
    hue_degrees,
    means,
    slices,
    top_of,
)
from facewright.train.keys import TrainingCommand
from facewright.train.recipe import parse_recipe
from facewright.train.status import PreviewImage, RunState, TrainingStatus
from facewright.ui.page import NOT_FOUND, PageAnswer, PageRequest, page_of_file

PRESS_SCHEMA = fields({"press": text})
HTML = Path(__file__).with_name("page.html")
JPEG_QUALITY = 92  # of the JPEG
CURVE_COLUMNS = 300  # of the curves
SECONDS_BETWEEN_CURVES = 1.0  # more where computing them takes long
MAX_TIME_SHARE = 0.01  # of the time that computing curves may take
SHOWN_MEASURES = {
    "src": "Held out: src",
    "dst": "Held out: dst",
    "trip": "Round trip",
    "src sharp": "Sharpness of src",
    "dst sharp": "Sharpness of dst",
}


class TrainingPage:
    """Answers the requests of pages.

    Args:
        status: What the training publishes.
        name: Name of the model.
        folder: Where its saved states are.
        target: Iteration at which it stops; 0 for none.
        preview: Whether previews are drawn.
    """

    def __init__(
        self, status: TrainingStatus, name: str, folder: Path, *, target: int = 0, preview: bool = True
    ) -> None:
        self._status = status
        self._fixed = {"name": name, "target": target, "preview": preview, "ranges": RANGES}
        self._folder = folder
        self._html = page_of_file(HTML, "Training")
        self._lock = threading.Lock()
        self._encoded: tuple[PreviewImage, bytes] | None = None
        self._curves: dict[int, tuple[float, bytes]] = {}

    def answer(self, request: PageRequest) -> PageAnswer:
        """Answer one request; called in several threads at once."""
        match request.method, request.path:
            case "GET", "":
                return PageAnswer(self._html, "text/html; charset=utf-8")
            case "GET", "state":
                self._status.note_request()
                return PageAnswer(_dump(self._state()), "application/json")
            case "GET", "curves":
                return self._answer_curves(request.query)
            case "GET", "preview.jpg":
                return self._answer_preview()
            case "GET", "seen":
                self._status.note_end_seen()
                return PageAnswer(b"")
            case "POST", "press":
                return self._answer_press(request.body)
            case "GET", "recipe":
                stage = self._status.stage
                return PageAnswer(stage[0].text.encode(), "text/plain; charset=utf-8") if stage else NOT_FOUND
            case "POST", "recipe":
                return self._answer_recipe(request.body)
        return NOT_FOUND

    def _state(self) -> dict[str, Any]:
        status, now = self._status, time.monotonic()
        state = status.state  # first: what is read after the end is complete
        stats, preview = status.stats, status.preview
        return {
            **self._fixed,
            "phase": state,
            "end": status.end,
            "iteration": stats.iteration,
            "milliseconds": round(stats.milliseconds, 2),
            "waiting": round(stats.waiting, 4),
            "losses": [[name, _number(value)] for name, value in stats.losses.items()],
            "advice": status.advice,
            "held_out": [[name, _number(value)] for name, value in _shown(status.measures).items()],
            "skipped": stats.skipped,
            "recipe": _recipe(status),
            "left": stats.seconds_left,
            "progress": stats.progress,
            "saved": stats.saved,
            "saving": stats.saving,
            "saved_ago": age_of(checkpoint.generations(self._folder)),
            "backup_ago": age_of(backups.backups(self._folder)),
            "picture": preview
            and {
                "version": preview.version,
                "ago": round(now - preview.at, 1),
                "iteration": preview.iteration,
                "titles": preview.titles,
                "size": preview.image.shape[1::-1],
            },
            "messages": [
                {"number": m.number, "ago": round(now - m.at, 1), "text": m.text, "attention": m.attention}
                for m in status.messages()
            ],
        }

    def _answer_preview(self) -> PageAnswer:
        preview = self._status.preview
        if preview is None:
            return NOT_FOUND
        with self._lock:
            if self._encoded is None or self._encoded[0] is not preview:
                self._encoded = preview, mark_jpeg(encode(preview.image, ".jpg", quality=JPEG_QUALITY))
            return PageAnswer(self._encoded[1], "image/jpeg")

    def _answer_curves(self, query: str) -> PageAnswer:
        last = parse_qs(query).get("last", ["0"])[0]
        if last not in map(str, RANGES):
            return PageAnswer(b"There is no such span.", status=HTTPStatus.BAD_REQUEST)
        span = int(last)
        with self._lock:
            due, body = self._curves.get(span, (0.0, b""))
            began = time.monotonic()
            if began >= due or self._status.state is RunState.OVER:
                losses, measures = self._status.history, self._status.measures
                body = _dump({**curves(losses.names, losses.values, span), **held_out(measures, len(losses), span)})
                now = time.monotonic()
                self._curves[span] = now + max(SECONDS_BETWEEN_CURVES, (now - began) / MAX_TIME_SHARE), body
        return PageAnswer(body, "application/json")

    def _answer_recipe(self, body: bytes) -> PageAnswer:
        """Take a changed recipe, or say what is wrong with it."""
        stage = self._status.stage
        if stage is None:
            return NOT_FOUND
        try:
            self._status.send_recipe(parse_recipe(body, stage[0].kind, stage[0].source))
        except UserError as problem:
            words = f"{problem.happened} Expected {problem.expected} {problem.fix}"
            return PageAnswer(printable(words).encode(), status=HTTPStatus.BAD_REQUEST)
        return PageAnswer(b"")

    def _answer_press(self, body: bytes) -> PageAnswer:
        try:
            command = TrainingCommand(parse_json(body, PRESS_SCHEMA)["press"])
        except ValueError:
            words = f"There is no such button. Buttons: {', '.join(TrainingCommand)}."
            return PageAnswer(words.encode(), status=HTTPStatus.BAD_REQUEST)
        if self._status.state is RunState.OVER:
            return PageAnswer(b"The training has ended.", status=HTTPStatus.CONFLICT)
        self._status.send(command)
        return PageAnswer(b"")


def _recipe(status: TrainingStatus) -> dict[str, Any] | None:
    """Return the stages of the recipe, which one runs, from 0, and what comes next; None without a recipe."""
    if status.stage is None:
        return None
    recipe, number, following = status.stage
    return {"title": recipe.title, "stages": recipe.lines(), "now": number, "next": following}


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
    width = min(CURVE_COLUMNS, len(shown))
    low, high = slices(shown, width) if width else (shown, shown)
    middle = means(shown, width) if width else shown
    parts = {"low": low, "mean": middle, "high": high}
    losses = [
        {
            "name": name,
            "hue": hue_degrees(index, len(names)),
            **{word: [_number(float(value)) for value in part[:, index]] for word, part in parts.items()},
        }
        for index, name in enumerate(names)
    ]
    return {"iterations": len(shown), "of": len(values), "top": float(f"{top_of(shown):.4g}"), "losses": losses}


def held_out(measures: LossHistory | None, iterations: int, last: int) -> dict[str, Any]:
    """Return the curves of the faces held out as JSON takes them.

    Args:
        measures: What was measured.
        iterations: Trained so far.
        last: Iterations to show; 0 for all.

    Returns:
        "held": its first iteration, the top of its scale in percent, and per curve its name, hue in degrees and points
        (iteration, percent); nothing where nothing was measured.
    """
    if not measures:
        return {}
    first = max(0, iterations - last) if last else 0
    at, found = held_out_curves(measures, first, CURVE_COLUMNS)
    lines = [
        {
            "name": ERROR_TITLES[name],
            "hue": ERRORS[name],
            "points": [[int(x), _number(float(y))] for x, y in zip(at, values, strict=True)],
        }
        for name, values in found.items()
    ]
    return {"held": {"first": first, "top": float(f"{curve_top(found):.4g}"), "curves": lines}}


def _shown(measures: LossHistory | None) -> dict[str, float]:
    """Return the newest measures that the page shows as numbers, by their title."""
    last = measures.last() if measures else {}
    return {title: last[name] for name, title in SHOWN_MEASURES.items() if name in last}


def _number(value: float) -> float | None:
    """Four digits are more than a curve shows; JSON has no NaN."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _dump(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
