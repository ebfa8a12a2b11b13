"""Ways to watch a training: preview window, page, keys, previews, a log for TensorBoard."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.data.sampler import Sampler
from facewright.train.callbacks import Callback, LossLog
from facewright.train.coach import Coach
from facewright.train.keys import HELP, CommandSource, terminal_keys
from facewright.train.loop import TrainingResult
from facewright.train.measure import HeldOutFaces, MeasureHeldOut
from facewright.train.options import TrainOptions
from facewright.train.page import TrainingPage
from facewright.train.preview_writer import PreviewWriter
from facewright.train.session import TrainingSession
from facewright.train.status import StepStats, TrainingStatus
from facewright.train.summary import ending
from facewright.train.tensorboard import LossWriter
from facewright.train.window import open_preview_window
from facewright.ui.page import Page
from facewright.ui.terminal_image import draw_in_terminal


@dataclass
class Watchers:
    """What shows a training, and sends commands to it.

    Attributes:
        commands: Where commands come from.
        callbacks: Further callbacks of the loop.
        preview: Draws the preview, or None.
        status: What a page reads, or None.
        result: How the training ended, set by whoever trains.
    """

    commands: list[CommandSource] = field(default_factory=list)
    callbacks: list[Callback] = field(default_factory=list)
    preview: PreviewWriter | None = None
    status: TrainingStatus | None = None
    result: TrainingResult | None = None

    def say(self, text: str) -> None:
        """Say something of note between two rounds, on the page too."""
        if self.status:
            self.status.add_message(text, attention=True)
        console.warn(text)


@contextlib.contextmanager
def open_watchers(
    session: TrainingSession,
    samplers: Mapping[str, Sampler],
    options: TrainOptions,
    measured: HeldOutFaces | None = None,
) -> Iterator[Watchers]:
    """Open window and page, read the terminal's keys, and close all of it at the end.

    Args:
        session: The model in training.
        samplers: Stream name -> its sampler.
        options: The user's settings.
        measured: The faces held out, by which it is measured; or None.

    Raises:
        UserError: The page's port cannot be used.
    """
    watchers = Watchers()
    with contextlib.ExitStack() as stack:
        if options.serve:
            watchers.status = stack.enter_context(_open_page(session, options, watchers))
            watchers.commands.append(watchers.status)
        window = open_preview_window() if options.preview and options.window else None
        if window:
            stack.callback(window.close)
            watchers.commands.append(window)
        if options.preview:
            watchers.preview = PreviewWriter(
                session,
                samplers,
                window,
                watchers.status,
                write_history=options.write_preview_history,
                history_images=options.history_images,
                terminal=_print_image if options.terminal_preview else None,
            )
        log = stack.enter_context(_open_log(session)) if options.tensorboard else None
        if log:
            watchers.callbacks.append(LossLog(log.add))
        if measured:
            watchers.callbacks.append(MeasureHeldOut(measured, log.add_measures if log else None))
        watchers.callbacks.append(Coach())
        watchers.commands.append(stack.enter_context(terminal_keys()))
        console.say(f"Keys: {HELP}")
        yield watchers


def _print_image(faces: Image) -> None:
    lines = draw_in_terminal(faces)
    if lines:
        console.say(lines)


@contextlib.contextmanager
def _open_page(session: TrainingSession, options: TrainOptions, watchers: Watchers) -> Iterator[TrainingStatus]:
    status = TrainingStatus(session.history, StepStats(session.iteration, saved=session.saved_iteration))
    answers = TrainingPage(status, session.name, session.folder, target=options.target_iter, preview=options.preview)
    with Page(answers.answer, options.port) as page:
        page.invite()
        try:
            yield status
        except UserError as problem:
            status.finish(f"The training has stopped. {problem}")
            raise
        except Exception as error:
            status.finish(f"The training has stopped: {type(error).__name__}: {error}")
            raise
        if watchers.result:
            status.finish(ending(session, watchers.result))


@contextlib.contextmanager
def _open_log(session: TrainingSession) -> Iterator[LossWriter]:
    folder = session.folder / "tensorboard"
    console.say(f"Losses for TensorBoard: tensorboard --logdir {folder}")
    log = LossWriter(folder)
    try:
        yield log
    finally:
        log.close()
