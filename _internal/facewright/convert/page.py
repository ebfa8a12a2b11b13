"""The page on which the settings of a conversion are chosen: every control that the options declare, and the result."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from facewright.convert.cast import Cast
from facewright.convert.parameters import ConvertOptions
from facewright.convert.plan import make_jobs
from facewright.convert.preview import ConversionPreview, PreviewFrame, View
from facewright.convert.selection import parse_cast
from facewright.convert.session import Models, SavedModels, find_faces, predict_with, state_of
from facewright.convert.settings import controls
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.images import Image, encode
from facewright.core.json_data import dict_of, fields, parse_json, text
from facewright.core.options import Option, show
from facewright.core.workspace import Workspace
from facewright.marking.provenance import mark_jpeg
from facewright.ui.page import NOT_FOUND, PageAnswer, PageRequest, check_port, page_of_file, serve_until

HTML = Path(__file__).with_name("page.html")
JPEG_QUALITY = 90
LAST_LOOK = 1.0  # seconds in which the page may fetch the last answer
CHOSEN_SCHEMA = fields({"values": dict_of(text)})


class SettingsPage:
    """Answers the requests of the page.

    Args:
        preview: Makes the images.
        options: With which the page begins.
        name: Of the model.

    Attributes:
        ended: Set when the user has chosen, or leaves.
        chosen: The options to convert with; None when the user leaves.
    """

    def __init__(self, preview: ConversionPreview, options: ConvertOptions, name: str) -> None:
        self.ended = threading.Event()
        self.chosen: ConvertOptions | None = None
        self._preview = preview
        self._options = options
        self._name = name
        self._html = page_of_file(HTML, "Conversion")

    def answer(self, request: PageRequest) -> PageAnswer:
        """Answer one request; called in several threads at once."""
        try:
            match request.method, request.path:
                case "GET", "":
                    return PageAnswer(self._html, "text/html; charset=utf-8")
                case "GET", "state":
                    return _json(self._state())
                case "GET", "frame.jpg":
                    return self._frame(dict(parse_qsl(request.query, keep_blank_values=True)))
                case "POST", "convert":
                    return self._end(self._with(parse_json(request.body, CHOSEN_SCHEMA)["values"]))
                case "POST", "leave":
                    return self._end(None)
        except UserError as problem:
            words = f"{problem.happened} Expected: {problem.expected}"
            return PageAnswer(words.encode(), status=HTTPStatus.BAD_REQUEST)
        except ValueError as problem:
            return PageAnswer(f"This is no request of the page: {problem}".encode(), status=HTTPStatus.BAD_REQUEST)
        return NOT_FOUND

    def _state(self) -> dict[str, Any]:
        frames = [{"name": frame.path.name, "faces": len(frame.faces)} for frame in self._preview.frames]
        return {"model": self._name, "frames": frames, "controls": [self._control(spec) for spec in controls()]}

    def _control(self, spec: Option) -> dict[str, Any]:
        return {
            "name": spec.name,
            "label": spec.name.replace("_", " "),
            "help": spec.help,
            "value": show(getattr(self._options, spec.name)),
            "default": show(spec.default),
            "choices": [{"value": value, "text": words} for value, words in spec.choices.items()],
            "low": spec.low,
            "high": spec.high,
        }

    def _frame(self, query: dict[str, str]) -> PageAnswer:
        at, close_up = int(query.pop("at", "0")), query.pop("close", "no") == "yes"
        view = View(query.pop("view", View.AFTER))
        if not 0 <= at < len(self._preview.frames):
            raise ValueError(f"there is no frame {at}")
        options = self._with(query)
        began = time.perf_counter()
        image = self._preview.render(at, options, view, close_up=close_up)
        milliseconds = f"{1000 * (time.perf_counter() - began):.0f}"
        values = vars(options)
        idle = [spec.name for spec in controls() if not spec.applies(values)]
        return PageAnswer(_jpeg(image), "image/jpeg", more={"X-Milliseconds": milliseconds, "X-Idle": ",".join(idle)})

    def _with(self, values: Mapping[str, str]) -> ConvertOptions:
        """Return the options with these values.

        Raises:
            UserError: One does not fit.
            ValueError: There is no such control.
        """
        known = {spec.name: spec for spec in controls()}
        if unknown := values.keys() - known:
            raise ValueError(f"there is no control {min(unknown)!r}")
        return replace(self._options, **{name: known[name].parse(value) for name, value in values.items()})  # type: ignore[arg-type]

    def _end(self, chosen: ConvertOptions | None) -> PageAnswer:
        self.chosen = chosen
        self.ended.set()
        return PageAnswer(b"")


def choose_settings(
    workspace: Workspace, options: ConvertOptions, models: Models | None = None
) -> ConvertOptions | None:
    """Let the user choose the settings on a page that shows them on any frame; nothing is written.

    Args:
        workspace: As for `facewright.convert.session.convert`.
        options: With which the page begins; `port` says where it is served.
        models: Where the model comes from; by default the workspace's own.

    Returns:
        The options to convert with; None when the user leaves.

    Raises:
        UserError: As for `convert`, or the port cannot be used.
    """
    check_port(options.port)
    preview, name = open_preview(workspace, options, models)
    page = SettingsPage(preview, options, name)
    words = "Choose the settings there; it goes on with its button Convert. Ctrl-C here leaves."
    serve_until(page.ended, page.answer, options.port, words, last_look=LAST_LOOK)
    return page.chosen


def open_preview(
    workspace: Workspace, options: ConvertOptions, models: Models | None = None
) -> tuple[ConversionPreview, str]:
    """Return the preview of a workspace's conversion, and the name of its model; arguments as `choose_settings`.

    Raises:
        UserError: As for `convert`, or a model of portraits.
    """
    if options.cast:
        raise UserError(
            "The page shows the faces of one model, and a cast has several.",
            "one model to look at.",
            "choose the settings with one of them (first line), then convert with the cast (second):"
            f"{hint('convert --serve --model', next(iter(parse_cast(options.cast).values())))}"
            f"{hint('convert --cast', options.cast)}",
        )
    side = workspace.dst
    with workspace.lock("data_dst"):  # it asks before a link to a folder is followed
        frames, matched, _ = find_faces(side, Contents(workspace.root))
    model = (models or SavedModels()).load(workspace.model_dir, options.model)
    state = state_of(model)
    if state.portrait:
        raise UserError(
            f"The model {model.name} makes portraits, which no setting changes.",
            "a model that replaces faces in frames.",
            f"convert without --serve:{hint('convert')}",
        )
    # With the masks of the records, so that the page can switch to them.
    jobs = make_jobs(frames, matched, side, options, Cast(state), own_masks=True)
    shown = [PreviewFrame(job.frame, job.faces) for job in jobs]
    return ConversionPreview(shown, predict_with(model), state.wanted, model.converter), model.name


def _jpeg(image: Image) -> bytes:
    return mark_jpeg(encode(image, ".jpg", quality=JPEG_QUALITY))


def _json(value: Any) -> PageAnswer:
    return PageAnswer(json.dumps(value, allow_nan=False).encode(), "application/json")
