"""The state of a training as its page shows it: the training publishes it here, the page's threads read it.

Neither waits for the other: what is published is never changed afterwards, only replaced. The page's threads see the
history of the losses, numbers, messages and images; they never see the model.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from facewright.core.images import Image
from facewright.train.history import LossHistory
from facewright.train.keys import TrainingCommand
from facewright.train.recipe import Recipe

OPEN_SECONDS = 10.0  # a page counts as open for this long after its last request
MAX_MESSAGES = 20  # that are kept, of each kind
MAX_PENDING = 20  # commands that wait for the end of the step
SECONDS_FOR_OTHER_PAGES = 1.2  # more, for further pages


class RunState(StrEnum):
    """What the program is doing."""

    STARTING = "starting"
    TRAINING = "training"
    REACHED = "reached"  # everything is saved, previews are still shown
    OVER = "over"


@dataclass(frozen=True)
class StepStats:
    """Numbers after an iteration.

    Attributes:
        iteration: Steps so far.
        milliseconds: Mean duration of the recent iterations.
        waiting: Share of it spent waiting for data, 0..1.
        losses: Mean of the recent losses by name.
        saved: Iteration that was saved last.
        saving: Whether a save is in progress.
        skipped: Steps of this run that were not applied because their loss was not finite or exploded.
        seconds_left: Time until it stops by itself; None where that is not known.
        progress: How much of the way to that is done, 0..1; None where it has no goal.
    """

    iteration: int
    milliseconds: float = 0.0
    waiting: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
    saved: int = -1
    saving: bool = False
    skipped: int = 0
    seconds_left: float | None = None
    progress: float | None = None


@dataclass(frozen=True)
class StatusMessage:
    """A message of the training.

    Attributes:
        number: Counts up over all messages.
        at: When, in seconds of `time.monotonic`.
        text: The message.
        attention: Whether it is a warning.
    """

    number: int
    at: float
    text: str
    attention: bool


@dataclass(frozen=True)
class PreviewImage:
    """The preview.

    Attributes:
        version: Counts up.
        at: When, in seconds of `time.monotonic`.
        iteration: Of the weights that made the faces.
        titles: Of the columns.
        image: The faces without titles, (h, w, 3) uint8 BGR.
    """

    version: int
    at: float
    iteration: int
    titles: tuple[str, ...]
    image: Image


class TrainingStatus:
    """What a training publishes, and the commands that pages send back.

    Args:
        history: The losses so far.
        stats: The numbers before the first step.
        fetch_seconds: How long an open page may take to fetch how the training ended.
        clock: Seconds that never run backwards.

    Attributes:
        history: The losses so far.
        measures: What was measured on faces held out, or None.
        stats: The newest numbers.
        state: What the program is doing.
        advice: What the curves say; "" for nothing yet.
        preview: The newest preview, or None.
        end: How the training ended; "" before.
        stage: The recipe, the number of the stage that runs, from 0, and what comes next; None without a recipe.
    """

    def __init__(
        self,
        history: LossHistory,
        stats: StepStats,
        *,
        fetch_seconds: float = 4.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch_seconds = fetch_seconds
        self._clock = clock
        self.history = history
        self.measures: LossHistory | None = None
        self.stats = stats
        self.state = RunState.STARTING
        self.preview: PreviewImage | None = None
        self.end = self.advice = ""
        self.stage: tuple[Recipe, int, str] | None = None
        self._sent_recipe: Recipe | None = None
        self._messages: dict[bool, deque[StatusMessage]] = {k: deque(maxlen=MAX_MESSAGES) for k in (False, True)}
        self._message_count = 0
        self._pending: deque[TrainingCommand] = deque(maxlen=MAX_PENDING)
        self._requested_at = float("-inf")
        self._end_seen = threading.Event()

    # Called by the training.

    def publish(self, stats: StepStats, history: LossHistory, measures: LossHistory | None = None) -> None:
        """Publish the numbers of an iteration."""
        self.stats, self.history, self.measures = stats, history, measures
        if self.state is RunState.STARTING:
            self.state = RunState.TRAINING

    def add_message(self, text: str, *, attention: bool = False) -> None:
        """Publish a message; the last `MAX_MESSAGES` warnings are kept, and as many other messages."""
        self._message_count += 1
        self._messages[attention].append(StatusMessage(self._message_count, time.monotonic(), text, attention))

    def publish_preview(self, image: Image, titles: tuple[str, ...], iteration: int) -> None:
        """Publish a preview; nothing is drawn or copied here."""
        version = self.preview.version + 1 if self.preview else 1
        self.preview = PreviewImage(version, time.monotonic(), iteration, titles, image)

    @property
    def page_open(self) -> bool:
        """Whether a page sent a request lately."""
        return self._clock() - self._requested_at < OPEN_SECONDS

    def poll(self) -> list[TrainingCommand]:
        """Return the commands that pages sent since the last call."""
        commands = []
        while self._pending:
            commands.append(self._pending.popleft())
        return commands

    def finish(self, text: str) -> None:
        """Publish how the training ended, and give open pages the time to fetch it."""
        self.end, self.state = text, RunState.OVER
        if self.page_open and self._end_seen.wait(self._fetch_seconds):
            time.sleep(SECONDS_FOR_OTHER_PAGES)

    def publish_stage(self, recipe: Recipe, number: int, following: str) -> None:
        """Publish which stage of a recipe runs, from 0, and what comes next."""
        self.stage = recipe, number, following

    def take_recipe(self) -> Recipe | None:
        """Return the recipe that a page sent since the last call, or None."""
        sent, self._sent_recipe = self._sent_recipe, None
        return sent

    # Called by the page.

    def send_recipe(self, recipe: Recipe) -> None:
        """Hand a changed recipe to the training."""
        self._sent_recipe = recipe

    def messages(self) -> list[StatusMessage]:
        """Return the messages that are kept, the newest first."""
        both = [message for kind in self._messages.values() for message in kind.copy()]
        return sorted(both, key=lambda message: -message.number)

    def note_request(self) -> None:
        """Record that a page is open."""
        self._requested_at = self._clock()

    def send(self, command: TrainingCommand) -> None:
        """Hand a command to the training; it is applied after the step that is running."""
        if command is TrainingCommand.NEXT or command not in self._pending.copy():
            self._pending.append(command)

    def note_end_seen(self) -> None:
        """Record that a page has shown how the training ended."""
        if self.state is RunState.OVER:
            self._end_seen.set()
