"""The image of the preview's window: the frame, the settings beside it, the clip below. Draws and decides nothing."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from facewright.convert.preview_keys import HELP, control_help, keys_of, label
from facewright.convert.preview_session import PreviewSession
from facewright.convert.settings import Scope
from facewright.core.images import Image
from facewright.core.options import Option, Value, show
from facewright.ui.contact_sheet import fit
from facewright.ui.text import draw_text, text_width, wrap

PANEL, BAR = 400, 74  # px of what is beside the frame, and below
EDGES = (40, 110)  # px of the screen that its own bars take
SMALLEST, LARGEST = (1000, 600), (1800, 1100)  # (w, h)
GROUND, RAISED, INK, DIM = (28, 28, 28), (48, 48, 48), (235, 235, 235), (160, 160, 160)
ACCENT, WARN, TAG = (156, 183, 79), (90, 170, 255), (230, 190, 150)  # BGR
MARGIN = 14
SCOPE_HEIGHT = 36  # px of the line that says what is set
NAME_WIDTH, BAR_LEFT, BAR_RIGHT, VALUE = 190, 200, 320, 330  # px from the panel's left side
KEYS_WIDTH = 122  # px of the help's left column
ROWS = (24, 15)  # px of a row, at most and at least
LIST_TOP = 62  # px above the first heading of the panel
WORDS_SCALE, WORDS_STEP = 0.4, 17  # of what the chosen control does: font, px of a line
FRAME_LEFT, FRAME_RIGHT = 16, 16
SCOPES = {Scope.ALL: "all frames", Scope.SHOT: "this shot", Scope.FRAME: "this frame"}


@dataclass(frozen=True)
class Layout:
    """Where everything lies in the window, in pixels.

    Attributes:
        width, height: Of the whole image.
        row: Height of a row of the panel.
        words: Height of what is said below the frame.
    """

    width: int
    height: int
    row: int
    words: int
    places: dict[str, int] = field(default_factory=dict)  # name of a control -> top of its row

    @property
    def frame(self) -> tuple[int, int]:
        """(h, w) of the area of the frame."""
        return self.height - BAR - self.words, self.width - PANEL

    @property
    def clip(self) -> int:
        """Top of the clip, which is as wide as the window."""
        return self.height - BAR


def lay_out(screen: tuple[int, int], controls: list[Option]) -> Layout:
    """Return the layout for a screen of (w, h); (0, 0) where its size is not known."""
    known = screen if min(screen) > 0 else (1280, 800)
    width, height = (
        min(max(side - edge, low), high) for side, edge, low, high in zip(known, EDGES, SMALLEST, LARGEST, strict=True)
    )
    groups = list(dict.fromkeys(spec.group for spec in controls))
    row = min(max((height - BAR - LIST_TOP) // (len(controls) + len(groups)), ROWS[1]), ROWS[0])
    longest = max(len(_words_lines(words, width)) for spec in controls for words in _words_of(spec))
    places: dict[str, int] = {}
    top = LIST_TOP
    for group in groups:
        top += row
        for spec in controls:
            if spec.group == group:
                places[spec.name] = top
                top += row
    return Layout(width, height, row, longest * WORDS_STEP + WORDS_STEP // 2, places)


def draw(session: PreviewSession, layout: Layout, shown: Image, problem: str = "") -> Image:
    """Return the whole image, (h, w, 3) uint8 BGR.

    Args:
        session: What is worked with.
        layout: Of its window.
        shown: What is shown of the frame, of any size.
        problem: Said instead, where there is no such image.
    """
    image = np.full((layout.height, layout.width, 3), GROUND, np.uint8)
    height, width = layout.frame
    image[:height, :width] = fit(shown, (height, width))
    if problem:
        for line, words in enumerate(wrap(problem, width - 2 * MARGIN)):
            draw_text(image, words, MARGIN, 30 + 20 * line, color=WARN)
    _draw_words(image[height : layout.clip, :width], session, layout.width)
    panel = image[: layout.clip, width:]
    if session.help:
        _draw_help(panel, layout.row)
    else:
        _draw_settings(panel, session, layout)
    _draw_clip(image[layout.clip :], session)
    return image


def frame_at(x: int, width: int, frames: int) -> int:
    """Return the index of the frame at a place of the line below."""
    share = (x - FRAME_LEFT) / max(width - FRAME_LEFT - FRAME_RIGHT, 1)
    return round(min(max(share, 0.0), 1.0) * (frames - 1))


def shown_width(shown: Image, area: tuple[int, int]) -> tuple[int, int]:
    """Return where an image begins in its area, and how wide it is there: see `fit`."""
    scale = min(area[0] / shown.shape[0], area[1] / shown.shape[1])
    width = min(max(round(shown.shape[1] * scale), 1), area[1])
    return (area[1] - width) // 2, width


def _draw_settings(panel: Image, session: PreviewSession, layout: Layout) -> None:
    settings, at = session.settings, session.at
    draw_text(panel, "set for", MARGIN, 24, color=DIM)
    left = MARGIN + 58
    for scope, words in SCOPES.items():
        color = ACCENT if scope is session.scope else DIM
        draw_text(panel, words, left, 24, color=color)
        if scope is session.scope:
            cv2.line(panel, (left, 30), (left + text_width(words), 30), ACCENT, 2)
        left += text_width(words) + 22
    draw_text(panel, "*", panel.shape[1] - MARGIN, 24, color=DIM, anchor="end")
    shot = settings.shot(at)
    number = sum(start <= at for start in settings.starts)
    words = f"shot {number} of {len(settings.starts)}: frames {shot.start + 1} to {shot.stop}"
    draw_text(panel, words, MARGIN, 46, color=DIM)
    own = {scope: settings.own(at, scope) for scope in (Scope.SHOT, Scope.FRAME)}
    group = ""
    for spec in session.controls:
        top = layout.places[spec.name]
        if spec.group != group:
            group = spec.group
            draw_text(panel, group, MARGIN, top - 6, color=INK, scale=0.5)
            cv2.line(panel, (MARGIN, top - 1), (panel.shape[1] - MARGIN, top - 1), RAISED, 1)
        tag = next((str(scope) for scope in (Scope.FRAME, Scope.SHOT) if spec.name in own[scope]), "")
        _draw_control(panel[top : top + layout.row], session, spec, tag if len(settings.starts) > 1 or own else "")


def _draw_control(row: Image, session: PreviewSession, spec: Option, tag: str) -> None:
    values = vars(session.options)
    value, base = values[spec.name], len(row) - 6
    if spec is session.control:
        row[:] = RAISED
        row[:, :4] = ACCENT
    color = DIM if not spec.applies(values) else ACCENT if value != spec.default else INK
    name = label(spec)
    draw_text(row, name, MARGIN, base, color=color)
    if tag:
        draw_text(row, tag, MARGIN + text_width(name) + 8, base, color=TAG, scale=0.36)
    draw_text(row, keys_of(spec), row.shape[1] - MARGIN, base, color=DIM, anchor="end")
    if spec.choices:
        draw_text(row, show(value), BAR_LEFT, base, color=color)
        return
    low, high, middle = spec.low or 0.0, spec.high or 1.0, len(row) // 2
    at = round(BAR_LEFT + (BAR_RIGHT - BAR_LEFT) * (value - low) / (high - low))
    cv2.line(row, (BAR_LEFT, middle), (BAR_RIGHT, middle), DIM, 2)
    cv2.line(row, (at, middle - 5), (at, middle + 5), color, 4)
    draw_text(row, show(value), VALUE, base, color=color)


def _draw_words(area: Image, session: PreviewSession, width: int) -> None:
    """Say what the chosen control does; the layout left room for the longest."""
    words = control_words(session.control, vars(session.options)[session.control.name])
    for line, text in enumerate(_words_lines(words, width)):
        draw_text(area, text, MARGIN, WORDS_STEP * (line + 1), color=DIM, scale=WORDS_SCALE)


def control_words(spec: Option, value: Value) -> str:
    """Return what a control does, with its unit, and what the chosen one of several choices means."""
    chosen = spec.choices.get(str(value))
    return f"{label(spec)}: {spec.help}" + (f" {show(value)}: {chosen}." if chosen else "")


def _words_of(spec: Option) -> list[str]:
    return [control_words(spec, value) for value in spec.choices or (spec.default,)]


def _words_lines(words: str, width: int) -> list[str]:
    """Return the lines of such words in a window of this width, below the frame."""
    return wrap(words, width - PANEL - 2 * MARGIN, WORDS_SCALE)


def _draw_help(panel: Image, row: int) -> None:
    rows = [(keys, line) for keys, words in (*HELP, *control_help()) for keys, line in _wrapped(keys, words, panel)]
    step = min(row, (len(panel) - 20) // max(len(rows), 1))
    scale = 0.4 if step >= 15 else 0.36
    for index, (keys, words) in enumerate(rows):
        draw_text(panel, keys, MARGIN, 20 + index * step, color=ACCENT, scale=scale)
        draw_text(panel, words, KEYS_WIDTH, 20 + index * step, scale=scale)


def _wrapped(keys: str, words: str, panel: Image) -> list[tuple[str, str]]:
    lines = wrap(words, panel.shape[1] - KEYS_WIDTH - MARGIN, 0.4)
    return [(keys if line == 0 else "", text) for line, text in enumerate(lines)]


def _draw_clip(bar: Image, session: PreviewSession) -> None:
    state, width, count = session.state(), bar.shape[1], len(session.preview.frames)

    def place(at: int) -> int:
        return round(FRAME_LEFT + (width - FRAME_LEFT - FRAME_RIGHT) * at / max(count - 1, 1))

    bar[:] = (36, 36, 36)
    cv2.rectangle(bar, (FRAME_LEFT, 14), (width - FRAME_RIGHT, 18), (80, 80, 80), -1)
    for first, last in state["marks"]:
        cv2.rectangle(bar, (place(first) - 1, 11), (place(last) + 1, 21), WARN, -1)
    for start in state["starts"][1:]:
        cv2.line(bar, (place(start), 4), (place(start), 28), ACCENT, 2)
    cv2.line(bar, (place(state["at"]), 2), (place(state["at"]), 30), INK, 3)
    where = f"{state['frame']}   {state['at'] + 1} of {count}"
    draw_text(bar, "   ".join(filter(None, [where, state["reasons"]])), FRAME_LEFT, 48, scale=0.45)
    keys = "Space: before   V: compare   v: mask   0: close-up   >: convert all   h: all keys   Esc: leave"
    draw_text(bar, state["note"] or keys, FRAME_LEFT, 67, color=DIM)
    if state["total"] and state["converting"]:
        cv2.rectangle(bar, (0, 72), (round(width * state["done"] / state["total"]), 74), ACCENT, -1)
