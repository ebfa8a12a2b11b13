"""The numbered scripts, and the lines that users are told to run: one function makes each of them.

A hint can be pasted as it stands: the script that calls the command, or `python main.py` where none does; with its
folder where the user is elsewhere; with `--workspace` where the run's workspace is not the usual one.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

REPOSITORY = Path(__file__).resolve().parents[3]
USUAL_WORKSPACE = REPOSITORY / "workspace"
PROGRAM = "main.py"


@dataclass(frozen=True)
class Run:
    """What is running.

    Attributes:
        workspace: Its folder; None before a command runs.
        words: Subcommand and flags as they were typed.
    """

    workspace: Path | None = None
    words: tuple[str, ...] = ()


NO_RUN = Run()
RUN: ContextVar[Run] = ContextVar("run", default=NO_RUN)

# Script -> the subcommand line that it calls, in the order of the work.
SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "quickstart": "quickstart",
        "1_clear_workspace": "clear",
        "2_extract_png_from_src": "extract-frames --side src",
        "3_extract_png_from_dst": "extract-frames --side dst",
        "3.1_cut_dst_video": "cut-video",
        "4_src_extract_faces": "extract --side src",
        "4.1_src_view_faces": "view --side src",
        "4.2_src_sort_faces": "sort --side src",
        "4.3_src_keep_person": "keep --side src",
        "4.5_src_mask": "mask --side src",
        "5_dst_extract_faces": "extract --side dst",
        "5.1_dst_view_faces": "view --side dst",
        "5.2_dst_sort_faces": "sort --side dst",
        "5.3_dst_fix_faces": "fix --side dst",
        "5.4_dst_keep_person": "keep --side dst",
        "5.5_dst_mask": "mask --side dst",
        "6_train": "train",
        "6.1_train_timelapse": "timelapse",
        "6.2_export_dfm": "export",
        "6.3_compare_trainings": "compare",
        "7_convert": "convert",
        "7.1_review": "review",
        "7.2_evaluate": "evaluate",
        "8_to_mp4": "make-video",
        "8.1_to_avi": "make-video --container avi",
        "swap": "swap",
        "people": "people",
        "faceset": "faceset",
        "models": "models",
        "restore": "restore",
        "doctor": "doctor",
    }
)


@contextlib.contextmanager
def hints_of(workspace: Path, words: Sequence[str]) -> Iterator[bool]:
    """Let the hints of the block fit this run; yields whether its workspace is another one than that of the run around.

    Args:
        workspace: Its folder.
        words: Subcommand and flags, for `again`.
    """
    before = RUN.get().workspace
    token = RUN.set(Run(workspace, tuple(words)))
    try:
        yield before != workspace
    finally:
        RUN.reset(token)


def hint(command: str, *words: str) -> str:
    """Return a command line on a line of its own, to be put behind the text that says what it does.

    Args:
        command: The subcommand and its flags, as in `SCRIPTS`.
        words: Further words, quoted where they must be: names and paths.
    """
    return f"\n    {command_line(command, *words)}"


def again(*words: str) -> str:
    """Return the line that does this very run again with further flags, or others in their place; see `hint`."""
    return hint("", *_without(RUN.get().words, words), *words)


def _without(typed: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return what was typed without the flags that are given anew, and without their values."""
    following = [*words[1:], "--"][: len(words)]
    pairs = zip(words, following, strict=True)
    anew = {_positive(flag): not value.startswith("--") for flag, value in pairs if flag.startswith("--")}
    kept: list[str] = []
    rest = iter(typed)
    for word in rest:
        flag = _positive(word.partition("=")[0])
        if flag not in anew:
            kept.append(word)
        elif anew[flag] and "=" not in word:
            next(rest, None)
    return kept


def _positive(flag: str) -> str:
    return f"--{flag.removeprefix('--no-')}" if flag.startswith("--no-") else flag


def command_line(command: str, *words: str) -> str:
    """Return the line that runs a subcommand from where the user is; see `hint`."""
    typed = [*command.split(), *words]
    root = RUN.get().workspace
    named = any(word.partition("=")[0] == "--workspace" for word in typed)
    if root is not None and root != USUAL_WORKSPACE and not named:
        typed += ["--workspace", str(root)]
    for script, line in sorted(SCRIPTS.items(), key=lambda row: -len(row[1])):
        called = line.split()
        if typed[: len(called)] == called:
            start = [_beside_main(f"{script}{'.bat' if os.name == 'nt' else '.sh'}")]
            return _quoted([*start, *typed[len(called) :]])
    python = next((name for name in ("python", "python3") if shutil.which(name)), sys.executable)
    return _quoted([python, PROGRAM if _at_home() else str(REPOSITORY / PROGRAM), *typed])


def _beside_main(name: str) -> str:
    return os.path.join(".", name) if _at_home() else str(REPOSITORY / name)


def _at_home() -> bool:
    try:
        return os.path.samefile(os.curdir, REPOSITORY)
    except OSError:  # the current folder was removed
        return False


def _quoted(words: list[str]) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
