"""Our training loop against the bare Keras train step on the same network, in turns, in one run.

    main.py benchmark --name training
        --arguments "[--model h64 df] [--batch 4 16] [--rounds 3] [--steps 8] [--no-stock]"

"keras" calls train_on_batch with the same arrays again and again, on the network with keras' own convolution and Adam;
"bare" does so with ours (nn/conv.py, nn/optimizers.py); "loop" is the whole loop of step 6 with its sampler,
threads and status line (no saving, no preview). A ratio is loop / the other: 1.00 is as fast, 0.50 twice as fast.
"""

import argparse
import contextlib
import io
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

sys.path[:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.nn import devices  # noqa: E402


def main() -> None:
    """Measure and print a line per model and batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["h64"])
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--faces", type=Path, help="a workspace with aligned faces; without it drawn ones")
    parser.add_argument("--no-stock", action="store_true", help="leave keras' own convolution and Adam out")
    given = parser.parse_args()
    device, precision = devices.start(given.precision)
    print(f"{device.describe()}, {precision}; {given.rounds} rounds of {given.steps} steps")
    with tempfile.TemporaryDirectory() as folder:
        for name, batch in itertools.product(given.model, given.batch):
            measure(given, name, batch, Path(folder))


def measure(given: argparse.Namespace, name: str, batch: int, folder: Path) -> None:
    """Measure one model at one batch size."""
    from facewright.data.sampler import Sampler
    from facewright.train.goal import Goal
    from facewright.train.loop import LoopSettings, train_session

    model = build(name)
    paths = [face_paths(given, folder, side) for side in ("src", "dst")]
    sources = {
        s: Sampler(p, model.samples(s), np.random.default_rng(n), flip=model.flip)
        for n, (s, p) in enumerate(zip(("src", "dst"), paths, strict=True))
    }
    faces = {side: source.batch(batch) for side, source in sources.items()}
    times: dict[str, list[float]] = {"loop": [], "bare": []}
    if not given.no_stock:
        times["keras"] = []
        with stock():
            plain = build(name)
            repeat(plain, faces, 1)  # builds the network's program, which stays as it is
    session, waits = unsaved(name, model, folder), []
    for round_ in range(given.rounds + 1):
        took = {"bare": repeat(model, faces, given.steps)}
        if "keras" in times:
            took["keras"] = repeat(plain, faces, given.steps)
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = train_session(session, sources, LoopSettings(batch, Goal(session.iteration + given.steps)))
        took["loop"] = outcome.milliseconds
        if round_:  # the first one built the network's program
            for kind, values in times.items():
                values.append(took[kind])
            waits.append(outcome.waiting)
    report(f"{name} batch {batch:3d}", times, statistics.median(waits))
    sys.modules["keras"].backend.clear_session()


def report(what: str, times: dict[str, list[float]], waited: float) -> None:
    """Print the line of a measurement."""
    line = f"{what}: loop {statistics.median(times['loop']):7.1f} ms"
    for kind in (kind for kind in times if kind != "loop"):
        ratio = statistics.median(a / b for a, b in zip(times["loop"], times[kind], strict=True))
        line += f"   {kind} {statistics.median(times[kind]):7.1f} ms, ratio {ratio:.3f}"
    print(f"{line}   data wait {waited:.1%}", flush=True)


def build(name: str) -> Any:
    """Return a new model with its defaults."""
    from facewright.models.registry import model_class

    kind = model_class(name)
    return kind(kind.Options())


def repeat(model: Any, faces: dict[str, Any], steps: int) -> float:
    """Train on the same faces; return milliseconds per iteration."""
    steps_ = [(step, step.arguments(faces)) for step in model.steps.values()]
    began = time.perf_counter()
    for _ in range(steps):
        for step, arguments in steps_:
            step.train_on_batch(*arguments, return_dict=True)
    return 1000 * (time.perf_counter() - began) / steps


@contextlib.contextmanager
def stock() -> Iterator[None]:
    """Networks whose program is built in here compute with keras' own convolution and Adam."""
    import keras

    from facewright.nn.conv import Conv2D
    from facewright.nn.optimizers import Adam

    with (
        mock.patch.object(Conv2D, "convolution_op", keras.layers.Conv2D.convolution_op),
        mock.patch.object(Adam, "update_step", keras.optimizers.Adam.update_step),
    ):
        yield


def unsaved(name: str, model: Any, folder: Path) -> Any:
    """Return a session that saves nothing: the disk is not what is measured."""
    from facewright.train.session import TrainingSession

    class Unsaved(TrainingSession):
        def save(self) -> None:
            self.saved_iteration = self.iteration

    return Unsaved(name, model, folder)


def face_paths(given: argparse.Namespace, folder: Path, side: str) -> list[Path]:
    """Return aligned faces."""
    if given.faces:
        return sorted((given.faces / f"data_{side}" / "aligned").glob("*.png"))
    from train.tiny import save_faces

    return save_faces(folder / side, 64, side=256)


if __name__ == "__main__":
    main()
