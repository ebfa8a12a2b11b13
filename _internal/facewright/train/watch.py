"""Ways to watch a training: window, page, keys, previews, a log for TensorBoard."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.train.options import Options
from facewright.train.summary import ending
from facewright.ui.page import Page
from facewright.ui.terminal_image import draw_in_terminal

if TYPE_CHECKING:  # these import keras
    from facewright.data.sampler import Sampler
    from facewright.train.keys import Keys
    from facewright.train.loop import Outcome
    from facewright.train.preview_writer import View
    from facewright.train.session import Session
    from facewright.train.status import Board
    from facewright.train.window import Window


@dataclass
class Watchers:
    """What the loop tells and listens to.

    Attributes:
        keys: Where keys come from.
        listeners: Called with the iteration and its losses.
        view: The preview, or None.
        board: Where a page finds how the training stands, or None.
        outcome: How the training ended, set by whoever trains.
    """

    keys: "list[Keys]" = field(default_factory=list)
    listeners: list[Callable[[int, Mapping[str, float]], None]] = field(default_factory=list)
    view: "View | None" = None
    board: "Board | None" = None
    outcome: "Outcome | None" = None


@contextlib.contextmanager
def watching(session: "Session", samplers: "tuple[Sampler, Sampler]", options: Options) -> Iterator[Watchers]:
    """Open window and page, read the terminal's keys, and close all of it at the end.

    Raises:
        UserError: The page's port cannot be used.
    """
    from facewright.train.keys import HELP, terminal_keys
    from facewright.train.preview_writer import View
    from facewright.train.window import open_window

    watchers = Watchers()
    with contextlib.ExitStack() as stack:
        if options.serve:
            watchers.board = stack.enter_context(_page(session, options, watchers))
            watchers.keys.append(watchers.board)
        window: Window | None = open_window() if options.preview and options.window else None
        if window:
            stack.callback(window.close)
            watchers.keys.append(window)
        if options.preview:
            history = options.write_preview_history
            terminal = _draw_in_terminal if options.terminal_preview else None
            watchers.view = View(session, samplers, window, watchers.board, write_history=history, terminal=terminal)
        if options.tensorboard:
            watchers.listeners.append(stack.enter_context(_log(session)))
        watchers.keys.append(stack.enter_context(terminal_keys()))
        console.say(f"Keys: {HELP}")
        yield watchers


def _draw_in_terminal(faces: Image) -> None:
    lines = draw_in_terminal(faces)
    if lines:
        console.say(lines)


@contextlib.contextmanager
def _page(session: "Session", options: Options, watchers: Watchers) -> "Iterator[Board]":
    from facewright.train.page import Counter
    from facewright.train.status import Board, Standing

    board = Board(session.history, Standing(session.iteration, saved=session.saved_iteration))
    counter = Counter(board, session.name, session.folder, target=options.target_iter, preview=options.preview)
    with Page(counter.answer, options.port) as page:
        page.invite()
        try:
            yield board
        except UserError as problem:
            board.finish(f"The training has stopped. {problem}")
            raise
        except Exception as error:
            board.finish(f"The training has stopped: {type(error).__name__}: {error}")
            raise
        if watchers.outcome:
            board.finish(ending(session, watchers.outcome))


@contextlib.contextmanager
def _log(session: "Session") -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    from facewright.train.tensorboard import EventFile

    folder = session.folder / "tensorboard"
    console.say(f"Losses for TensorBoard: tensorboard --logdir {folder}")
    log = EventFile(folder)
    try:
        yield log.add
    finally:
        log.flush()
