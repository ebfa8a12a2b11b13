"""Where the preview goes: a PNG in the model folder; the window, the page and the terminal where they are wanted."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from facewright.core.files import make_folder
from facewright.core.images import Image, write_image
from facewright.data.sampler import Sampler
from facewright.train.history import RANGES
from facewright.train.keys import HELP
from facewright.train.preview import ROWS, Columns, draw_faces, draw_preview, draw_tiles, with_titles
from facewright.train.session import Session
from facewright.train.status import Board
from facewright.train.window import Window

FILE = "preview.png"
AT_LEAST_EVERY = 30.0  # seconds; later when drawing is dear
WATCHED_EVERY = 5.0  # the same while a page is open
SMALL_SHARE = 0.02  # of the time that previews which nobody asked for may take
HISTORY_EVERY = 10  # iterations


class View:
    """Draws the preview when it is due.

    Args:
        session: The model in training.
        samplers: src and dst.
        window: The window, or None.
        board: Where a page finds the preview, or None.
        write_history: Keep a JPEG of the same faces every `HISTORY_EVERY` iterations.
        terminal: Takes the faces, to draw those that somebody asked for in the terminal; or None.
    """

    def __init__(
        self,
        session: Session,
        samplers: tuple[Sampler, Sampler],
        window: Window | None = None,
        board: Board | None = None,
        *,
        write_history: bool = False,
        terminal: Callable[[Image], None] | None = None,
    ) -> None:
        self._session = session
        self._samplers = samplers
        self._window = window
        self._board = board
        self._write_history = write_history
        self._terminal = terminal
        # The same order in every run, so that a preview can be compared with the one of yesterday.
        self._orders = [np.random.default_rng(0).permutation(len(s)).tolist() for s in samplers]
        self._page = 0
        self._range = 0
        self._drawn = float("-inf")
        self._cost = 0.0

    @property
    def open(self) -> bool:
        """Whether there is a window, or an open page, that shows previews."""
        return bool(self._window and self._window.open) or bool(self._board and self._board.watched)

    @property
    def path(self) -> Path:
        """Where the picture is written."""
        return self._session.model_dir / FILE

    @property
    def history_folder(self) -> Path:
        """Where the JPEGs of `write_history` go."""
        return self._session.folder / "history"

    def refresh(self, status: str = "") -> None:
        """Draw and write the preview now; in the terminal too, if it is wanted there."""
        tiles = self._refresh(status)
        if self._terminal:
            self._terminal(tiles)

    def _refresh(self, status: str) -> Image:
        began = time.monotonic()
        session = self._session
        title = f"{session.name}   iteration {session.iteration}"
        faces = self._faces(self._page)
        tiles, titles = draw_tiles(faces), tuple(faces)
        picture = draw_preview([title, status, HELP], session.history, with_titles(tiles, titles), RANGES[self._range])
        if self._board:
            self._board.show(tiles, titles, session.iteration)
        if self._window:
            self._window.show(picture)
        try:
            write_image(self.path, picture)
        finally:  # on a full disk the next one comes no sooner
            self._drawn = time.monotonic()
            self._cost = self._drawn - began
        return tiles

    def next_page(self) -> None:
        """Go on to other faces."""
        self._page += 1

    def next_range(self) -> None:
        """Let the chart show all iterations, or the next longer part of them."""
        self._range = (self._range + 1) % len(RANGES)

    def refresh_if_due(self, status: str) -> None:
        """Draw the preview when the last one has grown old."""
        every = WATCHED_EVERY if self._board and self._board.watched else AT_LEAST_EVERY
        if time.monotonic() - self._drawn >= max(every, self._cost / SMALL_SHARE):
            self._refresh(status)

    def keep_history(self) -> None:
        """Write the JPEG of this iteration where it is wanted and due."""
        if self._write_history and self._session.iteration % HISTORY_EVERY == 0:
            path = make_folder(self.history_folder) / f"{self._session.iteration:06d}.jpg"
            write_image(path, draw_faces(self._faces(0)))

    def _faces(self, page: int) -> Columns:
        src, dst = (
            sampler.untouched([order[(page * ROWS + row) % len(order)] for row in range(ROWS)])
            for sampler, order in zip(self._samplers, self._orders, strict=True)
        )
        return self._session.model.preview(src, dst)
