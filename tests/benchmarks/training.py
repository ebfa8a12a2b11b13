"""Our training loop against the bare Keras train step on the same network, in turns, in one run.

    _internal/env/bin/python tests/benchmarks/training.py [--model h64] [--batch 4 16] [--rounds 3] [--steps 8]

"bare" calls keras' train_on_batch with the same arrays again and again; "loop" is the whole loop of step 6 with its
sampler, threads and status line (no saving, no preview). The ratio is loop / bare: 1.00 is as fast.
"""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path[:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.nn import devices  # noqa: E402


def main() -> None:
    """Measure and print a line per batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="h64")
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--faces", type=Path, help="a workspace with aligned faces; without it drawn ones")
    given = parser.parse_args()
    device, precision = devices.start(given.precision)
    print(f"{device.describe()}, {precision}; {given.rounds} rounds of {given.steps} steps")
    with tempfile.TemporaryDirectory() as folder:
        for batch in given.batch:
            measure(given, batch, Path(folder))


def measure(given: argparse.Namespace, batch: int, folder: Path) -> None:
    """Measure one batch size."""
    from facewright.models.base import model_class
    from facewright.samples.sampler import Sampler
    from facewright.training.loop import Loop, Plan
    from facewright.training.session import Session

    class Unsaved(Session):
        """The disk is not what is measured."""

        def save(self):
            self.saved_iteration = self.iteration

    kind = model_class(given.model)
    model = kind(kind.Options())
    paths = [face_paths(given, folder, side) for side in ("src", "dst")]
    sources = tuple(
        Sampler(p, model.samples(s), np.random.default_rng(n), flip=model.flip)
        for n, (s, p) in enumerate(zip(("src", "dst"), paths, strict=True))
    )
    session = Unsaved(given.model, model, folder)
    src, dst = (source.batch(batch) for source in sources)
    steps = [(trainer, trainer.arguments({"src": src, "dst": dst})) for trainer in model.trainers.values()]
    bare, loop, waits = [], [], []
    for round_ in range(given.rounds + 1):
        began = time.perf_counter()
        for _ in range(given.steps):
            for trainer, arguments in steps:
                trainer.train_on_batch(*arguments, return_dict=True)
        took = time.perf_counter() - began
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = Loop(session, sources, Plan(batch, session.iteration + given.steps)).run()
        if round_:  # the first one built the network's program
            bare.append(1000 * took / given.steps)
            loop.append(outcome.milliseconds)
            waits.append(outcome.waiting)
    ratios = [a / b for a, b in zip(loop, bare, strict=True)]
    print(
        f"{given.model} batch {batch:3d}: bare {statistics.median(bare):7.1f} ms   "
        f"loop {statistics.median(loop):7.1f} ms   ratio {statistics.median(ratios):.3f}   "
        f"data wait {statistics.median(waits):.1%}",
        flush=True,
    )


def face_paths(given: argparse.Namespace, folder: Path, side: str) -> list[Path]:
    """Return aligned faces."""
    if given.faces:
        return sorted((given.faces / f"data_{side}" / "aligned").glob("*.png"))
    from training.tiny import save_faces

    return save_faces(folder / side, 64, side=256)


if __name__ == "__main__":
    main()
