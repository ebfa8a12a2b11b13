"""A session as a window shows it: the image, beside it what it is, buttons and help, below it the frames around.

The window sends what mouse and keys do anywhere on it; what concerns the image goes to the session, the rest is here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from facewright.annotate.board import THUMB_PX, Button, Facts, Session, Thumbnails, key_name
from facewright.core.images import Image
from facewright.ui.events import Do, Event, Key
from facewright.ui.text import draw_text, text_width, wrap

PANEL, STRIP = 320, 108  # px: width of what is beside the image, height of what is below it
EDGES = (20, 110)  # px of a screen that a window cannot use, about: sides; title and task bar
LEAST = (240, 200)  # (w, h) in px of an image, however small the screen
MARGIN, LINE, GAP = 12, 18, 6
BUTTON, SMALL_TEXT = 27, 0.4  # height in px; scale of the letters
REASON_LINES = 2
THUMB, SLIDER = 66, 20  # heights in px
GROUND, CARD, RAISED = (26, 24, 23), (39, 35, 33), (63, 58, 55)  # the dark style of the pages, BGR
INK, SOFT, ACCENT, WARN = (229, 231, 231), (171, 165, 160), (156, 183, 79), (138, 201, 255)


@dataclass(frozen=True)
class Area:
    """A rectangle of the window that does something when it is pressed."""

    left: int
    top: int
    right: int
    bottom: int
    event: Event

    def holds(self, x: float, y: float) -> bool:
        """Whether a place lies inside."""
        return self.left <= x < self.right and self.top <= y < self.bottom


def room_beside(screen: tuple[int, int]) -> tuple[int, int]:
    """Return (w, h) in pixels of what a screen leaves to the image."""
    wide, high = screen[0] - EDGES[0] - PANEL, screen[1] - EDGES[1] - STRIP
    return max(wide, LEAST[0]), max(high, LEAST[1])


class Desk:
    """Lays a session out for a window.

    Args:
        session: The session, whose image fits into `room_beside` of the screen.
        screen: (w, h) of the screen in pixels.
    """

    def __init__(self, session: Session, screen: tuple[int, int]) -> None:
        self._session = session
        self._most = max(screen[1] - EDGES[1] - STRIP, LEAST[1])
        self._thumbs = Thumbnails(session.small)
        self._areas: list[Area] = []
        self._size = self._view = (1, 1)
        self._slider: Area | None = None
        self._held = ""  # "view" or "slider", while a button is down
        self._drawn: tuple[object, Image] | None = None
        self._least_height = min(self._needed(), self._most)

    @property
    def waiting(self) -> bool:
        """Whether there is more to show soon."""
        return self._thumbs.waiting and not self._session.done

    @property
    def buttons(self) -> list[Area]:
        """The buttons, where they were drawn last."""
        return [area for area in self._areas if area.event.do is Do.KEY]

    def close(self) -> None:
        """Read no more thumbnails."""
        self._thumbs.close()

    def image(self) -> Image:
        """Return the whole window, (h, w, 3) uint8 BGR."""
        view, facts = self._session.picture(), self._session.facts()
        height, width = view.shape[:2]
        self._view = height, width
        images = self._thumbs.want(self._around(facts, width + PANEL))
        known = facts, self._view, frozenset(images), len(self._session.marks)
        if self._drawn is None or self._drawn[0] != known:  # what is beside the image seldom changes
            self._drawn = known, self._draw(facts, images)
        canvas = self._drawn[1].copy()
        self._size = canvas.shape[0], canvas.shape[1]
        canvas[:height, :width] = view
        return canvas

    def _draw(self, facts: Facts, images: Mapping[int, Image]) -> Image:
        """Draw all but the image itself."""
        height, width = self._view
        tall = max(height, self._least_height)
        canvas = np.full((tall + STRIP, width + PANEL, 3), GROUND, np.uint8)
        canvas[:tall, width:] = CARD
        self._areas = []
        top = self._write_facts(canvas, width + MARGIN, facts)
        top = self._draw_buttons(canvas, width + MARGIN, top, facts)
        if str(Key.HELP) in facts.pressed:
            self._draw_help(canvas, width + MARGIN, top, tall)
        self._draw_strip(canvas, tall, facts, images)
        return canvas

    def handle(self, event: Event) -> None:
        """Do what an event means, whose place is a share of the whole window.

        Raises:
            UserError: As `Session.handle`.
        """
        if event.do is Do.KEY:
            self._session.handle(event)
            return
        x, y = event.x * self._size[1], event.y * self._size[0]
        over_view = x < self._view[1] and y < self._view[0]
        if event.do is Do.DOWN:
            self._held = self._press(event, x, y, over_view=over_view)
        if self._held == "slider" and event.do in (Do.DOWN, Do.MOVE):
            self._slide(x)
        elif self._held == "view" or (self._held == "" and over_view):
            self._session.handle(replace(event, x=x / self._view[1], y=y / self._view[0]))
        if event.do is Do.UP:
            self._held = ""

    def _press(self, event: Event, x: float, y: float, *, over_view: bool) -> str:
        """Press what lies at a place; return what is held from now on."""
        if over_view:
            return "view"
        if event.what == "left":
            if self._slider is not None and self._slider.holds(x, y):
                return "slider"
            for area in self._areas:
                if area.holds(x, y):
                    self._session.handle(area.event)
        return "none"

    def _slide(self, x: float) -> None:
        if self._slider is not None:
            count = self._session.facts().count
            share = (x - self._slider.left) / (self._slider.right - self._slider.left)
            self._session.handle(Event(Do.GO, steps=min(max(round(share * (count - 1)), 0), count - 1)))

    def _write_facts(self, canvas: Image, left: int, facts: Facts) -> int:
        """Write what is shown and why; return where the next thing goes, which is always the same place."""
        wide = PANEL - 2 * MARGIN
        why = f"Why: {', '.join(facts.reasons)}" if facts.reasons else ""
        place = f"{facts.at + 1} of {facts.count}   {facts.progress}"
        blocks = (
            (facts.name, INK, 0.55, 1),
            (place, SOFT, SMALL_TEXT, 1),
            (why, WARN, 0.45, REASON_LINES),
            (", ".join(facts.words), SOFT, SMALL_TEXT, REASON_LINES),
        )
        y = MARGIN + LINE
        for text, ink, scale, room in blocks:
            for number, line in enumerate(wrap(text, wide, scale)[:room]):
                draw_text(canvas, line, left, y + number * LINE, color=ink, scale=scale)
            y += room * LINE + 4
        return y

    def _draw_buttons(self, canvas: Image, left: int, top: int, facts: Facts) -> int:
        for row, group in _rows(self._session, PANEL - 2 * MARGIN):
            y = top + row * (BUTTON + GAP)
            for button, x, wide in group:
                at = Area(left + x, y, left + x + wide, y + BUTTON, Event(Do.KEY, what=button.key))
                on = button.key in facts.pressed
                cv2.rectangle(canvas, (at.left, at.top), (at.right - 1, at.bottom - 1), RAISED, -1)
                if on:
                    cv2.rectangle(canvas, (at.left, at.top), (at.right - 1, at.bottom - 1), ACCENT, 1)
                draw_text(canvas, button.label, at.left + 8, y + 18, color=ACCENT if on else INK, scale=SMALL_TEXT)
                draw_text(
                    canvas, key_name(button.key), at.right - 7, y + 18, color=SOFT, anchor="end", scale=SMALL_TEXT
                )
                self._areas.append(at)
        return top + self._button_rows() * (BUTTON + GAP) + GAP

    def _draw_help(self, canvas: Image, left: int, top: int, bottom: int) -> None:
        y = top
        for shown, lines in _help_lines(self._session):
            if y + (len(lines) + 1) * 14 > bottom:
                return
            y += 15
            draw_text(canvas, shown, left, y, color=ACCENT, scale=0.36)
            for number, line in enumerate(lines):
                y += 13 if number else 0
                draw_text(canvas, line, left + HELP_LEFT, y, color=SOFT, scale=0.36)

    def _around(self, facts: Facts, width: int) -> list[int]:
        """Return the places whose thumbnails fit below, the nearest first."""
        each = max(((width - THUMB_PX) // 2) // (THUMB_PX + GAP), 0)
        places = [at for at in range(facts.at - each, facts.at + each + 1) if 0 <= at < facts.count]
        return sorted(places, key=lambda at: abs(at - facts.at))

    def _draw_strip(self, canvas: Image, top: int, facts: Facts, images: Mapping[int, Image]) -> None:
        """Draw the frames around this one, and the slider over all."""
        width = canvas.shape[1]
        for at in self._around(facts, width):
            left = width // 2 - THUMB_PX // 2 + (at - facts.at) * (THUMB_PX + GAP)
            box = canvas[top + GAP : top + GAP + THUMB, left : left + THUMB_PX]
            box[:] = CARD
            if at in images:
                _put(box, images[at])
            if at == facts.at:
                cv2.rectangle(box, (0, 0), (THUMB_PX - 1, THUMB - 1), ACCENT, 2)
            self._areas.append(Area(left, top + GAP, left + THUMB_PX, top + GAP + THUMB, Event(Do.GO, steps=at)))
        y, left, right = top + 2 * GAP + THUMB, 2 * MARGIN, width - 2 * MARGIN
        self._slider = Area(left, y - 2, right, y + SLIDER + 2, Event(Do.GO))
        line = y + SLIDER // 2
        cv2.line(canvas, (left, line), (right, line), RAISED, 4)
        span = (right - left) / max(facts.count - 1, 1)
        for x in {round(left + span * at) for at in self._session.marks}:
            cv2.line(canvas, (x, line - 5), (x, line + 5), WARN, 1)
        cv2.circle(canvas, (round(left + span * facts.at), line), 7, ACCENT, -1, cv2.LINE_AA)

    def _button_rows(self) -> int:
        return sum(1 for _ in _rows(self._session, PANEL - 2 * MARGIN))

    def _needed(self) -> int:
        """Height in px of the panel with all that may stand in it."""
        lines = sum(15 + 13 * (len(lines) - 1) for _, lines in _help_lines(self._session))
        return MARGIN + 16 + (3 + 2 * REASON_LINES) * LINE + self._button_rows() * (BUTTON + GAP) + lines


HELP_LEFT = 92  # px from the keys to what they do


def _help_lines(session: Session) -> Iterator[tuple[str, list[str]]]:
    """Return the help in lines, without what the buttons say themselves."""
    keys = {name for group in session.buttons for one in group for name in (str(one.key), key_name(one.key))}
    for shown, does in session.help:
        if not set(shown.split()) <= keys:
            lines = wrap(does, PANEL - 2 * MARGIN - HELP_LEFT, 0.36)
            yield shown, [""] * (text_width(shown, 0.36) > HELP_LEFT - 4) + lines


def _rows(session: Session, wide: int) -> Iterator[tuple[int, list[tuple[Button, int, int]]]]:
    """Lay the buttons out: each group in rows of its own, each row filled; (row, [(button, x, width)])."""
    row = 0
    for group in session.buttons:
        line: list[tuple[Button, int]] = []
        for button in (*group, None):
            size = 0 if button is None else text_width(button.label + key_name(button.key), SMALL_TEXT) + 26
            if line and (button is None or sum(width + GAP for _, width in line) + size > wide):
                spare = (wide - sum(width for _, width in line) - GAP * (len(line) - 1)) // len(line)
                lefts = np.cumsum([0, *(width + spare + GAP for _, width in line)])
                yield row, [(one, int(left), width + spare) for (one, width), left in zip(line, lefts, strict=False)]
                row, line = row + 1, []
            if button is not None:
                line.append((button, size))


def _put(box: Image, image: Image) -> None:
    """Lay a small image into the middle of a box, as large as it fits."""
    scale = min(box.shape[0] / image.shape[0], box.shape[1] / image.shape[1])
    size = max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale))
    fitted = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    top, left = (box.shape[0] - size[1]) // 2, (box.shape[1] - size[0]) // 2
    box[top : top + size[1], left : left + size[0]] = fitted
