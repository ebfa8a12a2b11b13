"""Kill the steps of the work at random moments, and look for what is lost or left behind.

    _internal/env/bin/python tests/kills.py                         200 kills over all steps: half an hour
    _internal/env/bin/python tests/kills.py --kills 10 --only sort    of the steps whose names hold that word

Ten frames of the sample clips go through every step once, undisturbed. Then each step is taken again from where it
began, in a fork of this process, which has the libraries in memory: killed once to three times by SIGKILL, and then
run to its end. Two thirds of the kills come after the step has begun to write, the others at any moment; all are drawn
evenly over the time that the undisturbed run took. After each kill every image, video and saved state that was there
must still be somewhere in the workspace, and no process may stay alive. In the end the workspace must hold what the
undisturbed run left there, and nothing besides: no temporary file, no lock, nothing in the trash that only a kill could
have brought there. A training goes on from a state that is no older than the last one it had told of. The model is the
tests' tiny one; faces and landmarks are found by the real ones. Needs os.fork.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "_internal"), str(REPOSITORY / "tests")]
os.environ["FACEWRIGHT_DEFAULTS"] = str(Path(tempfile.gettempdir()) / "no defaults.toml")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import psutil  # noqa: E402

from clips import ffmpeg  # noqa: E402
from facewright import cli  # noqa: E402
from facewright.core.files import NOTE, STAMP  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.faces.record import load_record, update_record  # noqa: E402
from facewright.nn import checkpoint  # noqa: E402
from sample import SAMPLE  # noqa: E402
from train import tiny  # noqa: E402

TRAINING = "--model h64 --batch-size 2 --precision float32 --no-window --save-interval-min 0.01"
KEPT = (".png", ".jpg", ".mp4", ".safetensors", ".dfm")  # what no kill may lose
FREE = ("logs", "preview.png")  # what each run writes anew, or beside the work
MOST_KILLS = 3  # of one run, one after another
SHARE_AFTER_A_CHANGE = 2 / 3  # of the kills
POLL_S = 0.005
LONGEST_S = 600.0  # of a run
END_S = 30.0  # in which what a killed step had started must end, on a busy machine
Files = dict[str, int]  # path in the workspace, see `name_of` -> content


@dataclass(frozen=True)
class Step:
    """One command line, and what must be there before it.

    Attributes:
        name: For the report.
        line: Subcommand and flags.
        before: Changes the workspace as the steps before have left it.
        exact: Whether a second run of it leaves what the first one has left; a training does not.
    """

    name: str
    line: str
    before: Callable[[Workspace], object] = lambda workspace: None
    exact: bool = True


def removing(*places: str) -> Callable[[Workspace], object]:
    """Take away what a step has made, so that it has something to do."""

    def change(workspace: Workspace) -> None:
        for place in places:
            for path in workspace.root.glob(place):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def add_people(workspace: Workspace) -> None:
    """Say that every other face of src is another person."""
    for number, path in enumerate(workspace.src.aligned()):
        update_record(path, replace(load_record(path), person=1 + number % 2))


def lose_faces(workspace: Workspace) -> None:
    """Say that the search missed the faces of two frames in mid-shot."""
    side = workspace.dst
    lost = [path.name for path in side.frames()][4:6]
    entries = [json.loads(line) for line in side.extract_journal.read_text().splitlines()]
    missed = [{**entry, "faces": [], "boxes": []} if entry["frame"] in lost else entry for entry in entries]
    side.extract_journal.write_text("".join(f"{json.dumps(entry)}\n" for entry in missed))
    for path in side.aligned():
        if load_record(path).frame in lost:
            path.unlink()


STEPS = (
    Step("extract frames", "extract-frames --side dst", removing("data_dst/*", "data_dst/.*")),
    Step("extract frames anew", "extract-frames --side dst --redo --image-format jpg"),
    Step("extract faces", "extract --side dst"),
    Step("mend faces", "extract --side dst", lose_faces),
    # Each run moves away what the one before has found: it was asked to.
    Step("extract faces anew", "extract --side src --redo", exact=False),
    Step("extract from the video", "extract --side src --from-video", removing("data_src/*")),
    Step("sort", "sort --side src --by face-yaw"),
    Step("sort out", "sort --side src --by final-fast --keep 5", removing("trash")),
    Step("restore", "restore --what all"),
    Step("keep", "keep --side src --person 1", add_people),
    Step("faceset merge", "faceset --side src --action merge --source {other}"),
    Step("faceset remake", "faceset --side src --action remake --size 128"),
    Step("faceset names", "faceset --side src --action recover-names"),
    Step("train a new model", f"train {TRAINING} --target-iter 25", exact=False),
    Step("train on", f"train {TRAINING} --target-iter 60 --autobackup-hours 0.0003", exact=False),
    Step("restore a model", "restore --what model --which 1", exact=False),
    Step("timelapse", "timelapse --name h64"),
    Step("convert", "convert --model h64"),
    Step("convert anew", "convert --model h64 --mode overlay"),
    Step("make video", "make-video"),
    Step("make video anew", "make-video --crf 30"),
    Step("export", "export --model h64"),
    Step("cut", "cut-video --start 0.1 --end 0.28"),
    Step("clear", "clear"),
)


class WrongError(Exception):
    """A kill has lost or left something, or a run did not end well; the text says what."""


def name_of(path: Path, workspace: Workspace) -> str:
    """Return a path in the workspace without what differs from run to run: the dates of the trash."""
    return "/".join("DATE" if STAMP.fullmatch(part) else part for part in path.relative_to(workspace.root).parts)


def content(path: Path) -> int:
    """Return a checksum of what people would miss: of a PNG its pixels, whatever is written beside them."""
    data = path.read_bytes()
    pixels = data.find(b"IDAT") if data.startswith(b"\x89PNG") else -1
    return zlib.crc32(data[max(0, pixels) :])


def look(workspace: Workspace) -> Files:
    """Return all that lies in the workspace, but for logs and previews."""
    found: Files = {}
    for path in sorted(path for path in workspace.root.rglob("*") if path.is_file()):
        if not {*path.relative_to(workspace.root).parts} & {*FREE}:
            name = name_of(path, workspace)
            while name in found:  # two folders of the trash hold a file of one name
                name += "'"
            found[name] = content(path)
    return found


def kept(files: Files) -> Counter[int]:
    """Return the contents that no kill may lose."""
    return Counter(value for name, value in files.items() if name.rstrip("'").endswith(KEPT))


def newest_change(workspace: Workspace) -> int:
    """Return when a folder or file was changed last, logs and locks aside."""
    times = [0]
    for folder, folders, files in os.walk(workspace.root):
        folders[:] = [name for name in folders if name != "logs"]
        for name in (*folders, *(name for name in files if not name.startswith(".lock"))):
            try:
                times.append(os.lstat(os.path.join(folder, name)).st_mtime_ns)
            except FileNotFoundError:
                continue
    return max(times)


@dataclass(frozen=True)
class Run:
    """How a step went.

    Attributes:
        code: Its exit code; None where it was killed.
        said: What it printed.
        seconds: How long it took.
        quiet: Seconds until it began to write; all of them where it wrote nothing.
    """

    code: int | None
    said: str
    seconds: float
    quiet: float


def take(workspace: Workspace, step: Step, share: float | None = None, *, after_a_change: bool = False) -> Run:
    """Take a step in a fork, and kill it after some seconds where that is asked for.

    Args:
        workspace: Where.
        step: What.
        share: Seconds until the kill; None lets it end.
        after_a_change: Count them from its first writing on.

    Raises:
        WrongError: It takes too long, or what it had started does not end with it.
    """
    log = workspace.root.parent / "said.txt"
    log.write_bytes(b"")
    before, began, quiet = newest_change(workspace), time.monotonic(), None
    child = os.fork()
    if child == 0:
        _in_the_fork(workspace, step, log)
    while True:
        passed = time.monotonic() - began
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return Run(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"), passed, quiet or passed)
        if quiet is None and newest_change(workspace) != before:
            quiet = passed
        since = (None if quiet is None else passed - quiet) if after_a_change else passed
        if passed > LONGEST_S or (share is not None and since is not None and since >= share):
            _kill(child)
            if passed > LONGEST_S:
                raise WrongError(f"it did not end in {LONGEST_S:.0f} s")
            return Run(None, log.read_text(errors="replace"), passed, quiet or passed)
        time.sleep(POLL_S)


def _in_the_fork(workspace: Workspace, step: Step, log: Path) -> NoReturn:
    code = 99
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 1)
        os.dup2(1, 2)
        words = [word.format(other=workspace.root.parent / "other") for word in step.line.split()]
        code = cli.main([*words, "--yes", "--workspace", str(workspace.root)])
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _kill(child: int) -> None:
    """Kill a step, and only it: what it has started must notice."""
    started = psutil.Process(child).children(recursive=True)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _, alive = psutil.wait_procs(started, timeout=END_S)
    alive = [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    for process in alive:
        process.kill()
    if alive:
        raise WrongError(f"{len(alive)} processes went on after the kill")


@dataclass(frozen=True)
class Expected:
    """What the undisturbed run of a step began with and left.

    Attributes:
        step: The step.
        start: A copy of the workspace before it.
        before: What was in there.
        after: What it left.
        run: How long it took.
    """

    step: Step
    start: Path
    before: Files
    after: Files
    run: Run


def prepare(folder: Path) -> Workspace:
    """Return a workspace with ten frames of each sample clip and their faces."""
    workspace = Workspace(folder / "workspace")
    workspace.root.mkdir(parents=True)
    tiny.save_faces(folder / "other", 12, seed=500)
    for side, start in (("src", "2"), ("dst", "3")):
        sound = ["-c:a", "aac"] if side == "dst" else ["-an"]
        picture = ["-s", "320x240", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "12"]
        ffmpeg(
            "-ss",
            start,
            "-i",
            SAMPLE / f"data_{side}.mp4",
            "-t",
            "0.4",
            *picture,
            *sound,
            workspace.root / f"data_{side}.mp4",
        )
    for line in ("extract-frames --side src", "extract-frames --side dst", "extract --side src"):
        done = take(workspace, Step(line, line))
        if done.code:
            raise WrongError(f"{line}: {done.said[-2000:]}")
    return workspace


def take_undisturbed(folder: Path) -> list[Expected]:
    """Take every step once; each begins where the one before it has ended."""
    workspace, found = prepare(folder), []
    for number, step in enumerate(STEPS):
        step.before(workspace)
        start = folder / f"before {number}"
        shutil.copytree(workspace.root, start)
        before = look(workspace)
        done = take(workspace, step)
        after = look(workspace)
        print(f"{step.name:24} {done.seconds:6.1f} s, writes after {done.quiet:.1f} s", flush=True)
        if done.code or before == after:
            raise WrongError(f"{step.name} does nothing, or fails: {done.said[-2000:]}")
        found.append(Expected(step, start, before, after, done))
    return found


def disturb(expected: Expected, folder: Path, kills: int, chance: random.Random) -> int:
    """Take a step, kill it, and take it to its end; return how often it was killed.

    Raises:
        WrongError: Something is lost or left behind.
    """
    shutil.rmtree(folder / "workspace", ignore_errors=True)
    shutil.copytree(expected.start, folder / "workspace")
    workspace, step, told, killed = Workspace(folder / "workspace"), expected.step, 0, 0
    # What the undisturbed run gives up may go here, too: older states, a result that is replaced.
    needed = kept(expected.before) & kept(expected.after)
    for _ in range(kills):
        after_a_change = chance.random() < SHARE_AFTER_A_CHANGE
        span = expected.run.seconds - (expected.run.quiet if after_a_change else 0)
        done = take(workspace, step, chance.uniform(0, span), after_a_change=after_a_change)
        told = max([told, *map(int, re.findall(r"Saved iteration (\d+)", done.said))])
        files = look(workspace)
        if done.code not in (None, 0, 1):
            raise WrongError(f"it failed after a kill: {done.said[-2000:]}")
        killed += done.code is None
        if lost := needed - kept(files):
            raise WrongError(f"lost: {[name for name, value in expected.before.items() if value in lost]}")
        if not step.exact and "train" in step.name:
            check_state(workspace, told)
        if done.code is not None or (step.exact and files == expected.after):
            break
    else:
        done = take(workspace, step)
        if done.code not in (0, 1):  # it may refuse: all is done, perhaps
            raise WrongError(f"it does not go on after a kill: {done.said[-2000:]}")
    check_end(expected, look(workspace))
    return killed


def check_state(workspace: Workspace, told: int) -> None:
    """Check that the newest state is whole and no older than what was told of."""
    found = checkpoint.newest(workspace.model_dir / "h64")
    iteration = found.generation.state["iteration"] if found else 0
    if iteration < told:
        raise WrongError(f"iteration {told} was saved, {iteration} is there")


def check_end(expected: Expected, now: Files) -> None:
    """Check what a step has left in the end against what the undisturbed run left."""
    after = expected.after
    new = (name for name in now if name.rstrip("'") not in after)
    hidden = [name for name in new if any(part.startswith(".") for part in name.split("/"))]
    wrong = [f"left behind: {hidden}"] if hidden else []
    if expected.step.exact:
        # The trash may hold a file twice: it was copied there, and the kill came before it was replaced.
        twice = {name for name in now.keys() - after.keys() if name.endswith("'") and now[name] in after.values()}
        more = [name for name in now.keys() - after.keys() - twice if name.rstrip("'") != f"trash/DATE/{NOTE}"]
        wrong += [f"too much: {sorted(more)}"] if more else []
        wrong += [f"missing: {sorted(after.keys() - now.keys())}"] if after.keys() - now.keys() else []
        other = [name for name in after.keys() & now.keys() if name.endswith(KEPT) and after[name] != now[name]]
        wrong += [f"other content: {sorted(other)}"] if other else []
    if wrong:
        raise WrongError("; ".join(wrong))


def main() -> int:
    """Kill as often as asked for, and report; 1 where something was lost or left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only steps whose names hold this")
    given = parser.parse_args()
    tiny.use_tiny()
    chance, counts, problems = random.Random(given.seed), Counter[str](), 0
    with tempfile.TemporaryDirectory(prefix="kills ") as folder:
        chosen = [found for found in take_undisturbed(Path(folder)) if given.only in found.step.name]
        for number in range(10 * given.kills):
            if counts.total() >= given.kills:
                break
            expected = chosen[number % len(chosen)]
            most = min(chance.randint(1, MOST_KILLS), given.kills - counts.total())
            try:
                killed = disturb(expected, Path(folder), most, chance)
            except WrongError as error:
                killed, problems = most, problems + 1
                print(f"{expected.step.name}, round {number}: {error}", flush=True)
            counts[expected.step.name] += killed
            print(f"{counts.total():4} kills, the last of {expected.step.name}", flush=True)
    for name, count in counts.items():
        print(f"{name:24} {count:4} kills")
    print(f"{counts.total()} kills, {problems} problems")
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main())
