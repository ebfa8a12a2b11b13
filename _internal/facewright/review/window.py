"""The review in a window: the frame before and after, its reasons, and the keys."""

import numpy as np

from facewright.annotate import window as annotation_window
from facewright.convert.settings import Scope
from facewright.convert.window import show_preview
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.core.workspace import Workspace
from facewright.extract.side_run import ModelLoader
from facewright.review.keys import DECISIONS, HELP, KEYS, ReviewAction
from facewright.review.listing import ReviewList, ReviewView, TrainedModels
from facewright.review.placing import placing
from facewright.review.ranking import FrameScore
from facewright.ui.contact_sheet import fit
from facewright.ui.events import Do, event_of
from facewright.ui.text import draw_text, wrap
from facewright.ui.window import CLOSED, GONE, Window

TITLE = "Review"
IMAGE_PX, LEAST_PX, PANEL_PX = 640, 320, 250  # px of an image at most and at least, of what stands below
EDGES_PX = (40, 110)  # px of the screen that its own bars take
GROUND, INK, SOFT, ACCENT = 28, (235, 235, 235), (160, 160, 160), (156, 183, 79)  # BGR
MARGIN, LINE = 14, 22
VIEWS = {ReviewAction.BEFORE: ReviewView.BEFORE, ReviewAction.BESIDE: ReviewView.BESIDE}
STEPS = {ReviewAction.NEXT: 1, ReviewAction.PREVIOUS: -1}


class ReviewWindow:
    """The review as a window shows it.

    Args:
        workspace: The project.
        listing: The review.
        shown: The window, open.
        models: What looks at faces.
        trained: Where the conversion's models come from.
    """

    def __init__(
        self, workspace: Workspace, listing: ReviewList, shown: Window, models: ModelLoader, trained: TrainedModels
    ) -> None:
        self._workspace = workspace
        self._listing = listing
        self._shown = shown
        self._models = models
        self._trained = trained
        self._place, self._view, self._close = 0, ReviewView.BESIDE, True
        self._note, self._ended = "", False
        space = shown.screen[0] - EDGES_PX[0], shown.screen[1] - EDGES_PX[1]
        self._side = min(max(min(space[0] // 2, space[1] - PANEL_PX), LEAST_PX), IMAGE_PX)

    def work(self) -> None:
        """Show until the user leaves, or the window is closed or lost."""
        while not self._ended:
            self._shown.show(self.image(), f"{TITLE}: {self._name()}")
            words = self._shown.words()
            for word in words:
                event = event_of(word)
                if event is not None and event.do is Do.KEY and event.what in KEYS:
                    self.press(KEYS[event.what])
            if CLOSED in words or GONE in words:
                self._ended = True

    def press(self, action: ReviewAction) -> None:
        """Do what a key means."""
        self._note = ""
        try:
            self._do(action)
        except UserError as problem:
            self._note = f"{problem.happened} {problem.fix}".partition("\n")[0]
            console.error(problem)

    def _do(self, action: ReviewAction) -> None:
        one = self._current()
        if action is ReviewAction.LEAVE:
            self._ended = True
        elif action in STEPS:
            self._step(STEPS[action])
        elif action in VIEWS:
            self._view = ReviewView.AFTER if self._view is VIEWS[action] else VIEWS[action]
        elif action is ReviewAction.CLOSE:
            self._close = not self._close
        elif action is ReviewAction.CONVERT:
            self._wait("The changed frames are being made again: see the terminal.")
            self._listing.convert(self._trained, self._models)
            self._place = 0
        elif one is not None:
            self._decide(action, one)

    def _decide(self, action: ReviewAction, one: FrameScore) -> None:
        if action is ReviewAction.PLACE:
            self._wait("The frame is being opened.")
            screen, reasons = self._shown.screen, one.reasons
            with placing(self._workspace, one.name, self._models, screen=screen, reasons=reasons) as session:
                annotation_window.show_session(session, self._shown)
            if session.accepted:
                self._listing.placed(one.name)
        elif action is ReviewAction.SETTINGS:
            self._wait("The preview is being opened.")
            with self._listing.previewing(self._trained) as (preview, title):
                preview.go(one.index)
                preview.choose(scope=Scope.FRAME)
                show_preview(preview, self._shown, title)
            self._listing.refresh(self._models, anew=preview.conversion.report is not None)
        else:
            self._listing.decide(action, one.index)
            self._step(action in DECISIONS)

    def _step(self, by: int) -> None:
        self._place = min(max(self._place + by, 0), max(len(self._listing.listed) - 1, 0))

    def _current(self) -> FrameScore | None:
        listed = self._listing.listed
        return listed[min(self._place, len(listed) - 1)] if listed else None

    def _name(self) -> str:
        one = self._current()
        return one.name if one else "nothing needs a look"

    def _wait(self, words: str) -> None:
        self._note = words
        self._shown.show(self.image(), f"{TITLE}: {self._name()}")
        self._note = ""

    def image(self) -> Image:
        """Return what the window shows, (h, w, 3) uint8 BGR."""
        canvas = np.full((self._side + PANEL_PX, 2 * self._side, 3), GROUND, np.uint8)
        one = self._current()
        if one is not None:
            shown = self._listing.image(one.index, self._view, close_up=self._close)
            canvas[: self._side] = fit(shown, (self._side, 2 * self._side))
        self._write(canvas, one)
        return canvas

    def _write(self, canvas: Image, one: FrameScore | None) -> None:
        """Write name and reasons to the left, the keys to the right."""
        half, top = canvas.shape[1] // 2, self._side + LINE
        count = len(self._listing.listed)
        title = f"{self._place + 1} of {count}   {one.name}   {one.score:.1f}" if one else "Nothing needs a look."
        draw_text(canvas, title, MARGIN, top, color=INK, scale=0.6)
        lines = [(self._note, ACCENT)] if self._note else []
        if one is not None:
            decided = self._listing.decided.get(one.name, "")
            lines += [(decided, ACCENT)] * bool(decided) + [(reason, INK) for reason in one.reasons]
        wrapped = [(line, color) for text, color in lines for line in wrap(text, half - 2 * MARGIN)]
        for row, (line, color) in enumerate(wrapped[: PANEL_PX // LINE - 1], 1):
            draw_text(canvas, line, MARGIN, top + row * LINE, color=color)
        for row, (key, does) in enumerate(HELP):
            draw_text(canvas, key, half + MARGIN, top + row * LINE, color=ACCENT)
            words = wrap(does, half - 90 - MARGIN)[0]
            draw_text(canvas, words, half + 90, top + row * LINE, color=SOFT)
