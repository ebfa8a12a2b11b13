"""What the program says and asks; the only door to tqdm and colorama."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import colorama
from tqdm import tqdm

from facewright.core.errors import UserError

Item = TypeVar("Item")

QUIET_VARIABLE = "FACEWRIGHT_YES"


def set_up(*, yes: bool) -> None:
    """Prepare colours and encodings once per process.

    Args:
        yes: Ask nothing, take flags, remembered answers and defaults (`--yes`).
    """
    colorama.just_fix_windows_console()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if yes:
        os.environ[QUIET_VARIABLE] = "1"


def says_yes() -> bool:
    """Whether `--yes` was given: what would be asked is answered with yes or with the default."""
    return os.environ.get(QUIET_VARIABLE) == "1"


def interactive() -> bool:
    """Whether there is somebody to answer: a terminal to type in and no `--yes`."""
    return not says_yes() and sys.stdin is not None and sys.stdin.isatty()


def _paint(text: str, colour: str) -> str:
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"{colour}{text}{colorama.Style.RESET_ALL}"
    return text


def say(text: str = "") -> None:
    """Print a line without tearing a progress bar."""
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def warn(text: str) -> None:
    """Print a line that deserves attention."""
    say(_paint(text, colorama.Fore.YELLOW))


def heading(text: str) -> None:
    """Print the title of a step."""
    say(_paint(text, colorama.Style.BRIGHT))


def listed(names: Sequence[str], most: int = 5) -> str:
    """Name the first few and count the rest."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def error(problem: UserError) -> None:
    """Print a mistake the user can mend: what happened, what was expected, how to fix it."""
    for line in str(problem).splitlines():
        tqdm.write(line, file=sys.stderr)


def ask(text: str) -> str:
    """Ask one question and return the typed line, stripped.

    Raises:
        UserError: The input ended (Ctrl-D) before an answer came.
    """
    if not sys.stdout.isatty() and sys.stderr.isatty():  # the output goes to a file: the question must be seen
        sys.stderr.write(text)
        sys.stderr.flush()
        text = ""
    try:
        return input(text).strip()
    except EOFError as end:
        say()
        raise UserError(
            "The input ended before all questions were answered.",
            "an answer, or Enter for the default.",
            "run the step again, or add --yes to take the defaults.",
        ) from end


def confirm(text: str, *, default: bool = False) -> bool:
    """Ask a yes/no question; without a terminal the default is the answer."""
    if not interactive():
        return default
    while True:
        answer = ask(f"{text} [{'Y/n' if default else 'y/N'}]: ").lower()
        if not answer:
            return default
        if answer in ("y", "yes"):
            return True
        if answer in ("n", "no"):
            return False
        warn(f"{answer!r} is neither yes nor no.")


def progress(items: Iterable[Item], *, total: int | None = None, title: str, unit: str) -> Iterator[Item]:
    """Walk through items behind a progress bar with rate and time left.

    Without a terminal a line is printed from time to time, so that a log stays readable.
    """
    with progress_bar(total, title=title, unit=unit) as bar:
        for item in items:
            yield item
            bar.update(1)


@contextlib.contextmanager
def progress_bar(total: int | None, *, title: str, unit: str) -> "Iterator[tqdm[None]]":
    """Open a bar that the caller moves with `.update(n)`."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    with tqdm(
        total=total,
        desc=title,
        unit=f" {unit}",
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else 15,
        file=sys.stderr,
    ) as bar:
        yield bar


# TensorFlow writes these before its own log level is in force.
TENSORFLOW_NOTES = (b"oneDNN custom operations are on", b"before absl::InitializeLog()")


@contextlib.contextmanager
def without_notes(notes: Sequence[bytes] = TENSORFLOW_NOTES) -> Iterator[None]:
    """Drop the lines that hold one of the notes; all other lines of stderr come out at the end.

    Not for long stretches: what is written meanwhile is seen late.
    """
    try:
        sys.stderr.flush()
        real = os.dup(2)
    except (OSError, AttributeError):  # no stderr at all, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)
            caught.seek(0)
            for line in caught.read().splitlines(keepends=True):
                if not any(note in line for note in notes):
                    os.write(2, line)
