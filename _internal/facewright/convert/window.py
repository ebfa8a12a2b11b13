"""The preview in a window: what mouse and keys do goes to the session, its image comes back."""

from collections.abc import Callable
from itertools import groupby

import numpy as np

from facewright.convert.preview import View
from facewright.convert.preview_drawing import (
    BAR_LEFT,
    BAR_RIGHT,
    SCOPE_HEIGHT,
    Layout,
    draw,
    frame_at,
    lay_out,
    shown_width,
)
from facewright.convert.preview_session import PreviewSession
from facewright.convert.preview_sheet import draw_sheet, sheet_values
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.core.options import show
from facewright.ui.events import Do, Event, coalesced, event_of
from facewright.ui.window import CLOSED, GONE, Window

TITLE = "Conversion preview"
SCOPE = "*"
LOOK_SECONDS = 0.5  # between two looks at the conversion in the background
BLANK = np.full((9, 16, 3), 28, np.uint8)


def show_preview(session: PreviewSession, shown: Window, title: str) -> None:
    """Show the session until the user leaves, or the window is closed or lost."""

    def show(image: Image) -> None:
        shown.show(image, f"{TITLE}: {title}")

    work = _WindowWork(session, lay_out(shown.screen, session.controls), show)
    while not session.ended.is_set():
        show(work.image())
        words = shown.words(LOOK_SECONDS)
        events = coalesced([event for word in words if (event := event_of(word))])
        for event, same in groupby(events, key=lambda event: event):
            work.handle(event, len(list(same)))
        if CLOSED in words or GONE in words:
            session.ended.set()


class _WindowWork:
    """Knows where things lie in the window, and what is being dragged."""

    def __init__(self, session: PreviewSession, layout: Layout, show: Callable[[Image], None]) -> None:
        self._session = session
        self._layout = layout
        self._show = show
        self._shown = BLANK
        self._sheet: tuple[str, Image] | None = None
        self._dragged = ""  # "clip", "line", SCOPE, or the name of a control

    def image(self) -> Image:
        """Return the whole image of the window."""
        problem = ""
        try:
            self._shown = self._draw_sheet() if self._session.sheet else self._session.picture()
        except UserError as error:
            problem, self._shown = error.happened, BLANK
        return draw(self._session, self._layout, self._shown, problem)

    def handle(self, event: Event, times: int) -> None:
        """Do what an event means."""
        session, layout = self._session, self._layout
        x, y = round(event.x * layout.width), round(event.y * layout.height)
        match event.do:
            case Do.KEY:
                session.press(event.what, times)
            case Do.DOWN if event.what == "left":
                self._dragged = self._under(x, y)
                if self._dragged == SCOPE:
                    session.press("*")
                self._drag(x, pressed=True)
            case Do.MOVE:
                self._drag(x)
            case Do.UP:
                self._dragged = ""
            case Do.WHEEL:
                session.go(session.at - event.steps)

    def _under(self, x: int, y: int) -> str:
        height, width = self._layout.frame
        if y >= self._layout.clip:
            return "clip"
        if x < width:
            return "line" if self._session.view is View.WIPE and y < height else ""
        if y < SCOPE_HEIGHT:
            return SCOPE
        rows = self._layout.places.items()
        return next((name for name, top in rows if top <= y < top + self._layout.row), "")

    def _drag(self, x: int, *, pressed: bool = False) -> None:
        session = self._session
        if self._dragged == "clip":
            session.go(frame_at(x, self._layout.width, len(session.preview.frames)))
        elif self._dragged == "line":
            left, width = shown_width(self._shown, self._layout.frame)
            session.wipe = min(max((x - left) / width, 0.0), 1.0)
        elif self._dragged not in ("", SCOPE):
            self._set(self._dragged, x - self._layout.frame[1], pressed=pressed)

    def _set(self, name: str, x: int, *, pressed: bool) -> None:
        """Choose a control; where its value lies in the row, change it: the next choice, or a number by its place."""
        session = self._session
        at = next(index for index, spec in enumerate(session.controls) if spec.name == name)
        spec, session.selected = session.controls[at], at
        if x < BAR_LEFT - 8:
            return
        if spec.choices and pressed:
            session.press("+")
        elif not spec.choices:
            low, high = spec.low or 0.0, spec.high or 0.0
            share = min(max((x - BAR_LEFT) / (BAR_RIGHT - BAR_LEFT), 0.0), 1.0)
            value = low + share * (high - low)
            session.change(name, show(spec.kind(round(value) if spec.kind is int else value)))

    def _draw_sheet(self) -> Image:
        session, spec = self._session, self._session.control
        values = sheet_values(spec, getattr(session.options, spec.name))
        known = f"{spec.name} {values} {session.settings!r}"
        if self._sheet is None or self._sheet[0] != known:
            session.note = "Drawing twelve frames with six settings."
            self._show(draw(session, self._layout, self._shown))
            session.note = ""
            self._sheet = known, draw_sheet(session.preview, session.settings, spec, values)
        return self._sheet[1]
