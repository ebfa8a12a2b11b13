"""What the parts of an extraction take of its processor time: hands, tracks, gaps, and the frames that need a look.

    python tests/benchmarks/extract_parts.py WORKSPACE [WORKSPACE ...] --rounds 3

The frames of dst (step 3) are extracted as with step 5, with all its defaults, several times into a copy. Networks are
loaded before the clock starts; the first round, which traces and fills caches, is not counted. Processor seconds tell
on a busy machine too. "Tracks" is the following of faces, "cuts" the small copies
of frames by which shots are told apart, "gaps" all that is mended, "look" what the verdict takes.
"""

import argparse
import contextlib
import io
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "_internal")]

from facewright.commands import extract as step  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.extract import detection, follow, session, side_run  # noqa: E402
from facewright.extract.detectors.base import Detector, make_detector  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.occlusion import covered_faces  # noqa: E402

# Each part is a function under the name by which a module calls it.
PARTS: tuple[tuple[str, Any, str], ...] = (
    ("tracks", side_run, "follow_faces"),
    ("tracks", follow, "join_tracks"),  # at the first use
    ("gaps", session, "mend_side"),
    ("look", step, "say_verdict"),
)
MOST = 0.05  # of the extraction without them


class KeptModels(side_run.ModelLoader):
    """Loads each network once for all rounds."""

    @cached_property
    def _mtcnn(self) -> Detector:
        return make_detector("mtcnn")

    def detector(self, name: str, *, sensitive: bool = False) -> Detector:
        """See `ModelLoader`."""
        return make_detector(name, sensitive=sensitive) if sensitive or name != "mtcnn" else self._mtcnn


class Clock:
    """Processor time by part; what a part calls of another one counts for that one alone."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.taken: Counter[str] = Counter()
        self._inner: list[float] = []

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted."""

        def run(*args: Any, **named: Any) -> Any:
            begin = time.process_time()
            self._inner.append(0.0)
            try:
                return work(*args, **named)
            finally:
                whole = time.process_time() - begin
                self.taken[name] += whole - self._inner.pop()
                if self._inner:
                    self._inner[-1] += whole

        return run

    def timed_in_threads(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that other threads call while the rest goes on, with its time counted."""
        lock = threading.Lock()

        def run(*args: Any) -> Any:
            begin = time.thread_time()
            made = work(*args)
            with lock:
                self.taken[name] += time.thread_time() - begin
                self.taken["rest"] -= time.thread_time() - begin
            return made

        return run


def main() -> None:
    """Measure the workspaces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspaces", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    models, clock = KeptModels(), Clock()
    for name, module, function in PARTS:
        setattr(module, function, clock.timed(name, getattr(module, function)))
    detection.tiny_copy = clock.timed_in_threads("cuts", detection.tiny_copy)
    session.AFTER_SEARCH = tuple(
        clock.timed("hands", one) if one is session.find_covers else one for one in session.AFTER_SEARCH
    )
    for folder in given.workspaces:
        with tempfile.TemporaryDirectory() as copy:
            workspace = Workspace(Path(copy))
            ignored = shutil.ignore_patterns("aligned*", "*.jsonl", "merged*", "blurry")
            shutil.copytree(folder / "data_dst", workspace.dst.frames_dir, ignore=ignored)
            rounds = [extracted(workspace, models, clock) for _ in range(given.rounds + 1)][1:]
            report(folder, workspace, rounds)


def extracted(workspace: Workspace, models: KeptModels, clock: Clock) -> Counter[str]:
    """Extract anew; return the seconds by part, "all" among them."""
    side = workspace.dst
    shutil.rmtree(side.aligned_dir, ignore_errors=True)
    side.extract_journal.unlink(missing_ok=True)
    clock.taken.clear()
    whole = clock.timed("rest", lambda: step.run(workspace, step.Options(side="dst"), models))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        whole()
    return Counter(clock.taken)


def report(folder: Path, workspace: Workspace, rounds: list[Counter[str]]) -> None:
    """Print the medians."""
    faces = load_faceset(workspace.dst.aligned_dir).faces
    frames = len(workspace.dst.frames())
    print(f"{folder.name}: {frames} frames, {len(faces)} faces, {len(covered_faces(faces))} covered")
    for names in (("hands",), ("tracks", "cuts", "gaps", "look")):
        own = [sum(one[name] for name in names) for one in rounds]
        shares = [part / (one.total() - part) for part, one in zip(own, rounds, strict=True)]
        each = 1000 * statistics.median(own) / frames
        share = f"{statistics.median(shares):.1%} of the rest (wanted {MOST:.0%})"
        print(f"  {', '.join(names)}: {each:.2f} ms a frame, {share}")
    whole = 1000 * statistics.median(one.total() for one in rounds) / frames
    print(f"  all: {whole:.1f} ms of processor a frame", flush=True)


if __name__ == "__main__":
    main()
