"""The one exception for errors that a user can fix, and the exit codes."""

from collections.abc import Mapping
from types import MappingProxyType

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        0: "all was done",
        1: "a mistake that the message explains, a wrong command line too; or a bug, with its traceback",
        129: "a training was stopped before its target because the terminal closed; the model is saved",
        130: "stopped with Ctrl-C; the next run goes on from there",
        143: "a training was stopped before its target by the system (SIGTERM); the model is saved",
    }
)


class UserError(Exception):
    """An error the user can fix: printed in three lines, exit code 1, no traceback.

    Args:
        happened: What went wrong, with the name of the file or the value.
        expected: What would have been right.
        fix: What to type or to do now.
    """

    def __init__(self, happened: str, expected: str, fix: str) -> None:
        super().__init__(happened)
        self.happened = happened
        self.expected = expected
        self.fix = fix

    def __str__(self) -> str:
        """Return the three lines as they are printed."""
        return f"{self.happened}\n  Expected: {self.expected}\n  To fix it: {self.fix}"

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        """Survive the way back from a worker process (the default pickling loses two arguments)."""
        return (type(self), (self.happened, self.expected, self.fix))
