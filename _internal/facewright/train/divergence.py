"""What to do about steps that broke: pass over one, go back after a few, give up when that does not help."""

from collections import deque
from enum import Enum

SKIPS, WINDOW = 5, 50  # so many of so many steps: the weights themselves have gone astray
RETURNS, SPAN = 3, 5000  # so many ways back within so many steps: going back does not help


class Answer(Enum):
    """What the loop does."""

    PASS = "pass"
    GO_BACK = "go back"
    GIVE_UP = "give up"


class Trouble:
    """Counts the steps that were not applied.

    Attributes:
        skipped: How many there were since the start.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._step = 0
        self._skips: deque[int] = deque(maxlen=SKIPS)
        self._returns: deque[int] = deque(maxlen=RETURNS)

    def good(self) -> None:
        """Note a step that was applied."""
        self._step += 1

    def bad(self) -> Answer:
        """Note a step that was not."""
        self._step += 1
        self.skipped += 1
        self._skips.append(self._step)
        if len(self._skips) < SKIPS or self._step - self._skips[0] >= WINDOW:
            return Answer.PASS
        return self.broken()

    def broken(self) -> Answer:
        """Note that the weights themselves are broken."""
        self._skips.clear()
        self._returns.append(self._step)
        stuck = len(self._returns) == RETURNS and self._step - self._returns[0] < SPAN
        return Answer.GIVE_UP if stuck else Answer.GO_BACK
