"""What the program prints and asks; the only importer of tqdm and colorama.

All that is printed also goes to the logger "facewright" of the standard library: a command's log file listens there
(core/log_file.py), and a program that uses this package may listen too.
"""

import contextlib
import enum
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import TextIO, TypeVar

import colorama
from tqdm import tqdm

from facewright.core.errors import UserError
from facewright.core.hints import again
from facewright.core.names import printable

Item = TypeVar("Item")

LOG = logging.getLogger("facewright")
LOG.addHandler(logging.NullHandler())
LOG.setLevel(logging.INFO)
LOG.propagate = False  # the root logger's handlers print, and everything here is printed already


class Answers(enum.Enum):
    """Who answers the questions."""

    TYPED = "typed"  # a person, where the input is a terminal
    DEFAULTS = "defaults"  # nobody: what needs a decision is refused
    YES = "yes"  # nobody: what needs a decision is done (--yes)


class Verbosity(enum.Enum):
    """How much is printed. All of it goes into the log in any case."""

    QUIET = "quiet"  # warnings, errors and questions
    NORMAL = "normal"
    VERBOSE = "verbose"  # also what otherwise stands in the log alone, and the cause of an error


VERBOSITY: ContextVar[Verbosity] = ContextVar("verbosity", default=Verbosity.NORMAL)
ANSWERS: ContextVar[Answers] = ContextVar("answers", default=Answers.TYPED)
_SAID: ContextVar[frozenset[str]] = ContextVar("said", default=frozenset())  # by warn_once


def set_up() -> None:
    """Prepare colours and encodings of the terminal."""
    colorama.just_fix_windows_console()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@contextlib.contextmanager
def answered_by(answers: Answers) -> Iterator[None]:
    """Decide for the block who answers the questions."""
    before = ANSWERS.set(answers)
    try:
        yield
    finally:
        ANSWERS.reset(before)


@contextlib.contextmanager
def printing(verbosity: Verbosity) -> Iterator[None]:
    """Decide for the block how much is printed; in a verbose run an error gets its traceback as a note."""
    before = VERBOSITY.set(verbosity)
    try:
        yield
    except UserError as problem:
        if verbosity is Verbosity.VERBOSE:
            problem.add_note("".join(traceback.format_exception(problem)).rstrip())
        raise
    finally:
        VERBOSITY.reset(before)


def quiet() -> bool:
    """Whether only warnings, errors and questions are printed."""
    return VERBOSITY.get() is Verbosity.QUIET


def says_yes() -> bool:
    """Whether `--yes` was given: what would be asked is answered with yes or with the default."""
    return ANSWERS.get() is Answers.YES


def interactive() -> bool:
    """Whether there is somebody to answer: a terminal to type in, and no `--yes`."""
    return ANSWERS.get() is Answers.TYPED and sys.stdin is not None and sys.stdin.isatty()


def _paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    if (stream or sys.stdout).isatty() and "NO_COLOR" not in os.environ:
        return f"{colour}{text}{colorama.Style.RESET_ALL}"
    return text


def _safe(text: str) -> str:
    """Escape what would move the cursor or colour the terminal: names of files come from whoever made them."""
    return printable(text, keep="\n\t")


def say(text: str = "", *, secret: str = "", needed: bool = False) -> None:
    """Print a line without tearing a progress bar.

    Args:
        text: The line.
        secret: A part of it that must not go into the log.
        needed: Print it in a quiet run too: a question cannot be answered without it.
    """
    text = _safe(text)
    if needed or not quiet():
        _print(text)
    LOG.info("%s", text.replace(secret, "…") if secret else text)


def warn(text: str) -> None:
    """Print a line that deserves attention."""
    text = _safe(text)
    _print(_paint(text, colorama.Fore.YELLOW))
    LOG.warning("%s", text)


def warn_once(text: str) -> None:
    """Print a line that deserves attention, unless it was printed before: a folder is looked through several times."""
    if text not in _SAID.get():
        _SAID.set(_SAID.get() | {text})
        warn(text)


def note(text: str) -> None:
    """Write a line into the log; it is printed in a verbose run only."""
    text = _safe(text)
    if VERBOSITY.get() is Verbosity.VERBOSE:
        _print(_paint(text, colorama.Style.DIM))
    LOG.info("%s", text)


def heading(text: str) -> None:
    """Print the title of a step."""
    text = _safe(text)
    if not quiet():
        _print(_paint(text, colorama.Style.BRIGHT))
    LOG.info("%s", text)


def _print(text: str) -> None:
    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def discard_output() -> None:
    """Send what is printed from now on to nowhere: the terminal or the pipe is gone, and printing would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # no stream, or one that is no file
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def counted(count: int, noun: str) -> str:
    """Write a number of things: "1 face", "1,200 faces"; the noun's plural ends in s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Name the first few and count the rest."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def error(problem: UserError) -> None:
    """Print a mistake that the user can fix: what happened, what was expected, how to fix it; then its notes."""
    happened, *rest = [*str(problem).splitlines(), *getattr(problem, "__notes__", ())] or [""]
    tqdm.write(_paint(_safe(happened), colorama.Fore.RED, sys.stderr), file=sys.stderr)
    for line in rest:
        tqdm.write(_safe(line), file=sys.stderr)


def ask(text: str) -> str:
    """Ask one question and return the typed line, stripped.

    Raises:
        UserError: The input ended (Ctrl-D) before an answer came.
    """
    question = text = _safe(text)
    if not sys.stdout.isatty() and sys.stderr.isatty():  # the output goes to a file: the question must be seen
        sys.stderr.write(text)
        sys.stderr.flush()
        text = ""
    try:
        typed = input(text).strip()
    except EOFError as end:
        say()
        raise UserError(
            "The input ended before all questions were answered.",
            "an answer, or Enter for the default.",
            f"run the step again, or take the defaults:{again('--yes')}",
        ) from end
    LOG.info("%s%s", question, typed)
    return typed


def confirm(text: str, *, default: bool = False, help: str = "") -> bool:
    """Ask a yes/no question; without a terminal the default is the answer.

    Args:
        text: The question.
        default: What Enter means.
        help: What "?" shows.
    """
    if not interactive():
        return default
    while True:
        answer = ask(f"{text} [{'Y/n' if default else 'y/N'}, ? for help]: ").lower()
        if not answer:
            return default
        if answer in ("y", "yes"):
            return True
        if answer in ("n", "no"):
            return False
        if answer == "?":
            meaning = help or "y does it, n leaves everything as it is."
            say(f"  {meaning} Enter means {'y' if default else 'n'}.", needed=True)
            continue
        warn(f"{answer!r} is neither yes nor no.")


def ask_permission(question: str, *, default: bool) -> bool:
    """Ask before something is moved or deleted; `--yes` allows it.

    Args:
        question: What is about to happen.
        default: What Enter means.

    Raises:
        UserError: There is neither a terminal nor `--yes`: somebody has to decide.
    """
    if says_yes():
        return True
    if not interactive():
        raise UserError(
            f"There is nobody to answer: {question}", "a terminal, or --yes.", f"when you mean it:{again('--yes')}"
        )
    return confirm(question, default=default)


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
        disable=quiet(),
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
