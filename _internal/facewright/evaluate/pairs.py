"""Several pairs of videos, each with the same time to train, in one table: how good a model is, not one result.

Each pair has a workspace of its own below pairs/. All steps run there as their commands do, so that a run that was
stopped goes on where it was; how long a pair was trained is noted every few seconds, and none gets more than its time.
"""

import _thread
import csv
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewright.core import console
from facewright.core.command import CommandPackage
from facewright.core.errors import UserError
from facewright.core.files import make_folder, read_json, write_json
from facewright.core.json_data import fields, number
from facewright.core.names import problem_of
from facewright.core.safe_files import is_bare, read_regular, replacing
from facewright.core.workspace import Workspace
from facewright.evaluate.figures import FIGURES, mean
from facewright.evaluate.options import EvaluateOptions

FOLDER = "pairs"
TRAINED = "trained.json"
NAME = "pairs.json"
MAX_PAIRS = 1000
LONGEST_LIST = 1 << 20  # bytes
NOTED_EVERY, SOON = 5.0, 0.2  # seconds
STOPPED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # why a training ended: somebody wanted it
COLUMNS = (
    *("margin", "nearer_src", "landmark_error", "eyes_correlation", "mouth_correlation"),
    *("jitter", "flicker", "border_step", "shade", "face_sharpness"),
)
HEADS = ("margin", "nearer, %", "landm.", "eyes", "mouth", "jitter", "flicker", "step", "light", "sharp")

RunStep = Callable[[Workspace, str, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class VideoPair:
    """Two videos.

    Attributes:
        name: Of its folder.
        src: The video whose face is put in.
        dst: The video that is changed.
    """

    name: str
    src: Path
    dst: Path


@dataclass(frozen=True)
class PairResult:
    """What came of a pair.

    Attributes:
        name: Of the pair.
        report: Its evaluation.json.
        minutes: How long it was trained.
        figures: Name -> value.
    """

    name: str
    report: Path
    minutes: float
    figures: Mapping[str, float]


def read_pairs(path: Path) -> list[VideoPair]:
    """Read a list of pairs: a line for each, `name, src video, dst video`; paths are taken from where the list lies.

    Raises:
        UserError: It cannot be read, a line is something else, or a video is missing.
    """
    try:
        text = read_regular(path, links=True, longest=LONGEST_LIST).decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise _bad_list(path, f"it cannot be read ({error})") from error
    try:
        rows = list(csv.reader(text.splitlines(), skipinitialspace=True))
    except csv.Error as error:
        raise _bad_list(path, str(error)) from error
    pairs: dict[str, VideoPair] = {}
    for number_of, row in enumerate(rows, 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) != 3:
            raise _bad_list(path, f"line {number_of} has {len(row)} parts")
        name, *videos = (part.strip() for part in row)
        key = name.casefold()  # Windows and macOS have one folder for a and A
        if not is_bare(name) or problem_of(name) or key in pairs:
            raise _bad_list(path, f"the name in line {number_of} is no folder's name, or stands twice")
        pairs[key] = VideoPair(name, *(path.parent / video for video in videos))
        for video in videos:
            if not _is_there(path.parent / video):
                raise _bad_list(path, f"there is no {video[:200]} (line {number_of})")
    if not 0 < len(pairs) <= MAX_PAIRS:
        raise _bad_list(path, f"it holds {len(pairs)} pairs")
    return list(pairs.values())


def _is_there(video: Path) -> bool:
    try:
        return video.is_file()
    except (OSError, ValueError):  # longer than any path, or with a zero byte
        return False


def _bad_list(path: Path, why: str) -> UserError:
    return UserError(
        f"{path.name} is no list of pairs: {why}.",
        f"1 to {MAX_PAIRS} lines such as: anna_ben, anna.mp4, ben.mp4",
        "put that right, and run it again.",
    )


def run_in(workspace: Workspace, name: str, options: Mapping[str, Any]) -> Any:
    """Run a step as its command does; nobody is asked."""
    return CommandPackage().load(name).run_by_name(workspace, options, console.Answers.YES, use_answers=False)


def run_pairs(
    workspace: Workspace, pairs: Sequence[VideoPair], options: EvaluateOptions, run_step: RunStep = run_in
) -> list[PairResult]:
    """Take every pair through all steps, and write pairs.json; what an earlier run has done is not done again.

    Args:
        workspace: Holds pairs/.
        pairs: From `read_pairs`.
        options: The user's.
        run_step: Runs a subcommand in a workspace.

    Raises:
        UserError: As a step says it, with the name of the pair.
        KeyboardInterrupt: It was stopped; the next run goes on from there.
    """
    results = []
    for count, pair in enumerate(pairs, 1):
        console.heading(f"\n== Pair {count} of {len(pairs)}: {pair.name}")
        try:
            results.append(_run_pair(Workspace(workspace.root / FOLDER / pair.name), pair, options, run_step))
        except UserError as problem:
            raise UserError(f"Pair {pair.name}: {problem.happened}", problem.expected, problem.fix) from problem
    write_json(workspace.root / NAME, [_as_json(result, workspace.root) for result in results])
    return results


def _run_pair(own: Workspace, pair: VideoPair, options: EvaluateOptions, run_step: RunStep) -> PairResult:
    make_folder(own.root)
    for side, video in (("data_src", pair.src), ("data_dst", pair.dst)):
        target = own.root / f"{side}{video.suffix.lower()}"
        if not target.exists():
            with replacing(target) as temporary:
                shutil.copyfile(video, temporary)
    for step in ("extract-frames", "extract"):
        for side in ("src", "dst"):
            run_step(own, step, {"side": side})
    seconds = _train(own, options, run_step)
    run_step(own, "convert", {})
    given = {"noise_floor": options.noise_floor, "recognizer": options.recognizer}
    report = run_step(own, "evaluate", {**given, "recognizer_range": options.recognizer_range})
    return PairResult(pair.name, report.report, seconds / 60, report.figures)


def _train(own: Workspace, options: EvaluateOptions, run_step: RunStep) -> float:
    """Train for what is left of the pair's time; return how many seconds it was trained in all."""
    note = own.root / TRAINED
    done = float(read_json(note, {"seconds": 0.0}, schema=fields({"seconds": number}))["seconds"])
    left = options.minutes * 60 - done
    if left <= 0:
        console.say(f"{own.root.name} has had its {options.minutes:g} minutes of training.")
        return done
    start = time.monotonic()

    def seconds() -> float:
        return done + time.monotonic() - start

    def noted() -> None:
        write_json(note, {"seconds": seconds()})

    try:
        with _ended_after(left, noted) as is_over:
            report = run_step(own, "train", {"model": options.model or "quick", "target_iter": 0, "window": False})
            stopped = not is_over() and getattr(report.result, "reason", "") in STOPPED
    finally:
        noted()
    if stopped:
        raise KeyboardInterrupt
    return seconds()


@contextmanager
def _ended_after(limit: float, note: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Ask a training in this block to save and end after a time; yields whether it was asked.

    Args:
        limit: Seconds.
        note: Called every few seconds.
    """
    ended, over = threading.Event(), threading.Event()
    until = time.monotonic() + limit

    def watch() -> None:
        while not ended.wait(min(NOTED_EVERY, max(until - time.monotonic(), SOON))):
            note()
            if time.monotonic() >= until:
                over.set()
                # As if the system asked. Nothing happens where no training listens (yet): hence again and again.
                _thread.interrupt_main(signal.SIGTERM)

    watcher = threading.Thread(target=watch, name="facewright-budget", daemon=True)
    watcher.start()
    try:
        yield over.is_set
    finally:
        ended.set()
        watcher.join()


def _as_json(result: PairResult, root: Path) -> dict[str, Any]:
    values = {name: (round(v, 6) if v == v else None) for name, v in result.figures.items()}  # NaN is no JSON
    report = result.report.relative_to(root).as_posix() if result.report.is_relative_to(root) else str(result.report)
    return {"name": result.name, "report": report, "minutes": round(result.minutes, 2), "figures": values}


def pairs_table(results: Sequence[PairResult]) -> Iterator[str]:
    """Yield the lines of the table: a pair each, then their mean."""
    figures = [next(f for f in FIGURES if f.name == name) for name in COLUMNS]
    wide = max(len("mean"), *(len(result.name) for result in results)) + 2
    yield f"{'':<{wide}}{'min':>6}" + "".join(f"{head:>10}" for head in HEADS)
    for result in results:
        cells = [figure.show(result.figures[figure.name]) for figure in figures]
        yield f"{result.name:<{wide}}{result.minutes:>6.1f}" + "".join(f"{cell:>10}" for cell in cells)
    means = [mean(np.array([result.figures[figure.name] for result in results])) for figure in figures]
    cells = [figure.show(value) for figure, value in zip(figures, means, strict=True)]
    yield f"{'mean':<{wide}}{'':>6}" + "".join(f"{cell:>10}" for cell in cells)
