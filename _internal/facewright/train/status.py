"""How a training stands, for a page: the training puts it down here, the page's threads read it.

Neither waits for the other: what is put down is never changed afterwards, only replaced. The page's threads see the
history of the losses, numbers, words and pictures; they never see the model.
"""

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from facewright.core.images import Image
from facewright.train.history import LossHistory
from facewright.train.keys import Command

WATCHED_SECONDS = 10.0  # so long after its last question a page counts as open
KEPT = 20  # messages of each kind
MOST_PRESSED = 20  # commands that wait for the next step
LAST_LOOK = 4.0  # seconds in which an open page may fetch the end
OTHER_PAGES = 1.2  # seconds more for further pages


class Phase(StrEnum):
    """What the program is doing."""

    STARTING = "starting"
    TRAINING = "training"
    REACHED = "reached"  # all is saved, previews are still shown
    OVER = "over"


@dataclass(frozen=True)
class Standing:
    """Numbers after an iteration.

    Attributes:
        iteration: Steps so far.
        milliseconds: Mean time of the recent iterations.
        waiting: Share of it spent waiting for data, 0..1.
        losses: Mean of the recent losses by name.
        saved: Iteration that was saved last.
        saving: Whether a saving is under way.
        skipped: Steps of this run that broke and were not applied.
    """

    iteration: int
    milliseconds: float = 0.0
    waiting: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
    saved: int = -1
    saving: bool = False
    skipped: int = 0


@dataclass(frozen=True)
class Message:
    """What was said.

    Attributes:
        number: Counts up over all messages.
        at: When, in seconds of `time.monotonic`.
        text: The words.
        attention: Whether it is a warning.
    """

    number: int
    at: float
    text: str
    attention: bool


@dataclass(frozen=True)
class Shown:
    """The preview.

    Attributes:
        version: Counts up.
        at: When, in seconds of `time.monotonic`.
        iteration: What the faces were made with.
        titles: Of the columns.
        picture: The faces without titles, (h, w, 3) uint8 BGR.
    """

    version: int
    at: float
    iteration: int
    titles: tuple[str, ...]
    picture: Image


class Board:
    """Where training and page meet.

    Args:
        history: The losses so far.
        standing: How the training stands before its first step.

    Attributes:
        history: The losses so far.
        standing: The newest numbers.
        phase: What the program is doing.
        shown: The newest preview, or None.
        end: How the training ended; "" before.
    """

    def __init__(self, history: LossHistory, standing: Standing) -> None:
        self.history = history
        self.standing = standing
        self.phase = Phase.STARTING
        self.shown: Shown | None = None
        self.end = ""
        self._kinds: dict[bool, deque[Message]] = {k: deque(maxlen=KEPT) for k in (False, True)}
        self._said = 0
        self._pressed: deque[Command] = deque(maxlen=MOST_PRESSED)
        self._asked = float("-inf")
        self._seen = threading.Event()

    # The training's side.

    def stand(self, standing: Standing, history: LossHistory) -> None:
        """Put down the numbers of an iteration."""
        self.standing, self.history = standing, history
        if self.phase is Phase.STARTING:
            self.phase = Phase.TRAINING

    def note(self, text: str, *, attention: bool = False) -> None:
        """Put down what is said; the last `KEPT` warnings stay, and as many other messages."""
        self._said += 1
        self._kinds[attention].append(Message(self._said, time.monotonic(), text, attention))

    def show(self, picture: Image, titles: tuple[str, ...], iteration: int) -> None:
        """Put down a preview; nothing is drawn or copied here."""
        version = self.shown.version + 1 if self.shown else 1
        self.shown = Shown(version, time.monotonic(), iteration, titles, picture)

    @property
    def watched(self) -> bool:
        """Whether a page has asked lately."""
        return time.monotonic() - self._asked < WATCHED_SECONDS

    def poll(self) -> list[Command]:
        """Return what was pressed on pages since the last call."""
        pressed = []
        while self._pressed:
            pressed.append(self._pressed.popleft())
        return pressed

    def finish(self, words: str) -> None:
        """Put down how the training ended, and give open pages the time to fetch it."""
        self.end, self.phase = words, Phase.OVER
        if self.watched and self._seen.wait(LAST_LOOK):
            time.sleep(OTHER_PAGES)

    # The page's side.

    def messages(self) -> list[Message]:
        """Return what was said, the newest first."""
        both = [message for kind in self._kinds.values() for message in kind.copy()]
        return sorted(both, key=lambda message: -message.number)

    def asked(self) -> None:
        """Note that a page is there."""
        self._asked = time.monotonic()

    def press(self, command: Command) -> None:
        """Hand a command to the training; it is obeyed after the step that is under way."""
        if command is Command.NEXT or command not in self._pressed.copy():
            self._pressed.append(command)

    def seen(self) -> None:
        """Note that a page has shown the end."""
        if self.phase is Phase.OVER:
            self._seen.set()
