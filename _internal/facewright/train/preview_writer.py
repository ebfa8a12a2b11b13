"""Draws previews and hands them on: to a PNG in the model folder, the window, the page and the terminal."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from facewright.core.files import make_folder
from facewright.core.images import Image
from facewright.data.sampler import Sampler
from facewright.marking.provenance import write_marked
from facewright.train.history import RANGES
from facewright.train.keys import HELP
from facewright.train.preview import ROWS, Columns, draw_faces, draw_preview, draw_tiles, with_titles
from facewright.train.session import TrainingSession
from facewright.train.status import TrainingStatus
from facewright.train.window import PreviewWindow

FILE = "preview.png"
SECONDS_BETWEEN_PREVIEWS = 30.0  # more where drawing takes long
SECONDS_BETWEEN_WATCHED = 5.0  # the same while a page is open
MAX_TIME_SHARE = 0.02  # of the time that previews which nobody requested may take
HISTORY_STEP = 10  # iterations


class PreviewWriter:
    """Draws the preview when it is due.

    Args:
        session: The model in training.
        samplers: Stream name -> its sampler.
        window: The window, or None.
        status: Where a page finds the preview, or None.
        write_history: Keep a JPEG of the same faces every `HISTORY_STEP` iterations.
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
        terminal: Callable[[Image], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._samplers = samplers
        self._window = window
        self._status = status
        self._write_history = write_history
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

    def refresh(self, line: str = "") -> None:
        """Draw and write the preview now, in the terminal too where there is one."""
        tiles = self._refresh(line)
        if self._terminal:
            self._terminal(tiles)

    def _refresh(self, line: str) -> Image:
        began = self._clock()
        session = self._session
        title = f"{session.name}   iteration {session.iteration}"
        faces = self._faces(self._page)
        tiles, titles = draw_tiles(faces), tuple(faces)
        image = draw_preview([title, line, HELP], session.history, with_titles(tiles, titles), RANGES[self._range])
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

    def refresh_if_due(self, line: str) -> None:
        """Draw the preview if the last one is too old."""
        every = SECONDS_BETWEEN_WATCHED if self._status and self._status.page_open else SECONDS_BETWEEN_PREVIEWS
        if self._clock() - self._drawn >= max(every, self._cost / MAX_TIME_SHARE):
            self._refresh(line)

    def keep_history(self) -> None:
        """Write the JPEG of this iteration where it is due."""
        if self._write_history and self._session.iteration % HISTORY_STEP == 0:
            path = make_folder(self.history_folder) / f"{self._session.iteration:06d}.jpg"
            write_marked(path, draw_faces(self._faces(0)))

    def _faces(self, page: int) -> Columns:
        batches = {}
        for name, order in self._orders.items():
            chosen = [order[(page * ROWS + row) % len(order)] for row in range(ROWS)]
            batches[name] = self._samplers[name].untouched(chosen)
        return self._session.model.preview(batches)
