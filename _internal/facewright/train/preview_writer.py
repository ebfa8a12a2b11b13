"""Draws previews and hands them on: to a PNG in the model folder, the window, the page and the terminal."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from facewright.core.files import list_files, make_folder
from facewright.core.images import Image
from facewright.data.sampler import Sampler
from facewright.marking.provenance import write_marked
from facewright.train.history import RANGES
from facewright.train.keys import HELP
from facewright.train.preview import ROWS, Columns, draw_face_rows, draw_preview, draw_tiles, with_titles
from facewright.train.session import TrainingSession
from facewright.train.status import TrainingStatus
from facewright.train.window import PreviewWindow

FILE = "preview.png"
SECONDS_BETWEEN_PREVIEWS = 30.0  # more where drawing takes long
SECONDS_BETWEEN_WATCHED = 5.0  # the same while a page is open
MAX_TIME_SHARE = 0.02  # of the time that previews which nobody requested may take
HISTORY_STEP = 10  # iterations between two kept images, at first


class PreviewWriter:
    """Draws the preview when it is due.

    Args:
        session: The model in training.
        samplers: Stream name -> its sampler.
        window: The window, or None.
        status: Where a page finds the preview, or None.
        write_history: Keep a JPEG of the same faces every `history_step` iterations.
        history_images: How many of them there may be; 0 for any number.
        terminal: Draws the faces in the terminal, those that somebody requested; or None.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        session: TrainingSession,
        samplers: Mapping[str, Sampler],
        window: PreviewWindow | None = None,
        status: TrainingStatus | None = None,
        *,
        write_history: bool = False,
        history_images: int = 0,
        terminal: Callable[[Image], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._samplers = samplers
        self._window = window
        self._status = status
        self._write_history, self._history_images = write_history, history_images
        self._history_step, self._history_due = HISTORY_STEP, float("-inf")
        self._terminal = terminal
        self._clock = clock
        # The same order in every run, so that previews of different days can be compared.
        self._orders = {
            name: np.random.default_rng(0).permutation(len(sampler)).tolist() for name, sampler in samplers.items()
        }
        self._page = 0
        self._range = 0
        self._drawn = float("-inf")
        self._cost = 0.0

    @property
    def open(self) -> bool:
        """Whether there is a window, or an open page, that shows previews."""
        return bool(self._window and self._window.open) or bool(self._status and self._status.page_open)

    @property
    def path(self) -> Path:
        """Where the image is written."""
        return self._session.model_dir / FILE

    @property
    def history_folder(self) -> Path:
        """Where the JPEGs of `write_history` go."""
        return self._session.folder / "history"

    def refresh(self, facts: Sequence[str] = ()) -> None:
        """Draw and write the preview now, in the terminal too where there is one; `facts` are lines above it."""
        tiles = self._refresh(facts)
        if self._terminal:
            self._terminal(tiles)

    def _refresh(self, facts: Sequence[str]) -> Image:
        began = self._clock()
        session = self._session
        faces = self._faces(self._page)
        tiles, titles = draw_tiles(faces), tuple(faces)
        shown = [*facts, HELP], session.history, with_titles(tiles, titles), RANGES[self._range], session.measures
        image = draw_preview(*shown)
        if self._status:
            self._status.publish_preview(tiles, titles, session.iteration)
        if self._window:
            self._window.show(image)
        try:
            write_marked(self.path, image)
        finally:  # on a full disk the next one comes no sooner
            self._drawn = self._clock()
            self._cost = self._drawn - began
        return tiles

    def next_page(self) -> None:
        """Show other faces."""
        self._page += 1

    def next_range(self) -> None:
        """Let the chart show all iterations, or the next longer part of them."""
        self._range = (self._range + 1) % len(RANGES)

    def refresh_if_due(self, facts: Callable[[], Sequence[str]] = tuple) -> None:
        """Draw the preview if the last one is too old."""
        every = SECONDS_BETWEEN_WATCHED if self._status and self._status.page_open else SECONDS_BETWEEN_PREVIEWS
        if self._clock() - self._drawn >= max(every, self._cost / MAX_TIME_SHARE):
            self._refresh(facts())

    def keep_history(self) -> None:
        """Write the JPEG of this iteration where it is due; where they become too many, every second one goes."""
        iteration = self._session.iteration
        step = history_step(iteration, self._history_images)
        if not self._write_history or iteration % step or not iteration or self._clock() < self._history_due:
            return
        began = self._clock()
        if step != self._history_step:
            self._thin_history(step)
            self._history_step = step
        write_marked(make_folder(self.history_folder) / f"{iteration:06d}.jpg", draw_face_rows(self._faces(0)))
        now = self._clock()
        self._history_due = now + (now - began) / MAX_TIME_SHARE

    def _thin_history(self, step: int) -> None:
        """Remove images between the steps. Many more than there may be were wanted by somebody: those all stay."""
        images = list_files(self.history_folder, (".jpg",))
        if len(images) > 2 * self._history_images:
            return
        for path in images:
            if path.stem.isdecimal() and int(path.stem) % step:
                path.unlink(missing_ok=True)

    def _faces(self, page: int) -> Columns:
        batches = {}
        for name, order in self._orders.items():
            chosen = [order[(page * ROWS + row) % len(order)] for row in range(ROWS)]
            batches[name] = self._samplers[name].untouched(chosen)
        return self._session.model.preview(batches)


def history_step(iteration: int, images: int) -> int:
    """Return how many iterations lie between two kept images: doubled whenever there would be too many.

    Args:
        iteration: Of the training.
        images: How many there may be; 0 for any number.
    """
    step = HISTORY_STEP
    while images and iteration > images * step:
        step *= 2
    return step
