"""Keys while a step runs: from the terminal, without Enter and without echo."""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Protocol


class TrainingCommand(StrEnum):
    """What a key, or a button of the page, makes the training do."""

    LEAVE = "leave"
    SAVE = "save"
    BACKUP = "backup"
    PREVIEW = "preview"
    NEXT = "next"
    RANGE = "range"


KEYS = {
    "\r": TrainingCommand.LEAVE,
    "\n": TrainingCommand.LEAVE,
    "s": TrainingCommand.SAVE,
    "b": TrainingCommand.BACKUP,
    "p": TrainingCommand.PREVIEW,
    " ": TrainingCommand.NEXT,
    "l": TrainingCommand.RANGE,
}
HELP = "Enter: save and leave  s: save  b: backup  p: preview  space: other faces  l: chart"


class CommandSource(Protocol):
    """Where commands come from: the terminal, the preview window, the page."""

    def poll(self) -> list[TrainingCommand]:
        """Return the commands since the last call, without waiting."""


class TerminalKeys(CommandSource, Protocol):
    """Keys of a terminal."""

    def typed(self) -> str:
        """Return the characters that were typed since the last call, without waiting."""


class NoKeys:
    """There is no terminal."""

    def poll(self) -> list[TrainingCommand]:
        """Return nothing."""
        return []

    def typed(self) -> str:
        """Return nothing."""
        return ""


def commands_of(typed: str) -> list[TrainingCommand]:
    """Return the commands of typed characters; characters without a command are ignored."""
    return [KEYS[c] for c in typed.lower() if c in KEYS]


@contextlib.contextmanager
def terminal_keys() -> Iterator[TerminalKeys]:
    """Read keys from the terminal until the block ends; without a terminal there are none."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield NoKeys()
    elif sys.platform == "win32":
        yield _WindowsKeys()
    else:
        with _posix_keys() as keys:
            yield keys


def any_key(seconds: float) -> bool:
    """Wait for a key for some time; return whether one came. Without a terminal there is no waiting."""
    with terminal_keys() as keys:
        end = time.monotonic() + seconds
        while not isinstance(keys, NoKeys) and time.monotonic() < end:
            if keys.typed():
                return True
            time.sleep(0.02)
    return False


class _WindowsKeys:
    def poll(self) -> list[TrainingCommand]:
        return commands_of(self.typed())

    def typed(self) -> str:
        import msvcrt

        console: Any = msvcrt
        typed = ""
        while console.kbhit():
            typed += console.getwch()
        return typed


class _PosixKeys:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def poll(self) -> list[TrainingCommand]:
        return commands_of(self.typed())

    def typed(self) -> str:
        typed = b""
        while in_foreground(self._descriptor) and select.select([self._descriptor], [], [], 0)[0]:
            more = os.read(self._descriptor, 64)
            if not more:  # the terminal is gone
                break
            typed += more
        return typed.decode(errors="ignore")


def in_foreground(descriptor: int) -> bool:
    """Whether the terminal listens to this process; reading it from the background would stop the process."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


@contextlib.contextmanager
def _posix_keys() -> Iterator[TerminalKeys]:
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    if not in_foreground(descriptor):
        yield _PosixKeys(descriptor)
        return
    before = termios.tcgetattr(descriptor)

    def back_again(*_: Any) -> None:  # after Ctrl-Z and fg
        if in_foreground(descriptor):
            tty.setcbreak(descriptor)

    tty.setcbreak(descriptor)
    previous = signal.signal(signal.SIGCONT, back_again)
    try:
        yield _PosixKeys(descriptor)
    finally:
        signal.signal(signal.SIGCONT, previous)
        if in_foreground(descriptor):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
