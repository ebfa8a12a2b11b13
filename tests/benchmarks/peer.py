"""Our training loop against the way of FaceSwap 3 (Keras on torch) on the same network, batch and size, in turns.

    FACEWRIGHT_TORCH=/folder/with/torch _internal/env/bin/python tests/benchmarks/peer.py
        [--network original h128] [--batch 4 16] [--rounds 3] [--steps 4] [--precision auto float32] [--no-plain]

"ours" is the whole loop of step 6: sampler, threads, guards, status line (no saving, no preview). The peers are
written here from what is known of FaceSwap, without its code. Each is a process of its own (`_torch_peer.py`) that
trains on arrays made once: what its loader costs is left out, in its favour. "keras on torch" is its way; "plain torch"
is the same network in torch alone with the cheapest loss.

All in one run, in turns: only ratios mean something, and only on a quiet machine. An iteration is a batch of src and a
batch of dst.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path[:1] = [str(HERE.parents[1]), str(HERE.parents[2] / "_internal")]

import numpy as np  # noqa: E402

from facewright.nn import devices  # noqa: E402

FOLDER = "FACEWRIGHT_TORCH"  # a folder that holds torch, where the environment does not
PEERS = {"keras": "keras on torch", "plain": "plain torch"}
MILLIONS = {"original": 82.1, "h128": 107.7}  # parameters, as FaceSwap prints them


@dataclass
class Times:
    """What one of those who race took per iteration, round by round: seconds by the clock, and of processor time."""

    name: str
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def note(self, wall: float, cpu: float) -> None:
        """Note a round."""
        self.wall.append(wall)
        self.cpu.append(cpu)


def main() -> None:
    """Measure and print a table per network and batch size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", nargs="+", default=list(MILLIONS), choices=MILLIONS)
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="iterations in a round")
    parser.add_argument("--precision", nargs="+", default=["auto"], help="ours: auto, float32, bfloat16")
    parser.add_argument("--loss", default="own", choices=("own", "ours"), help="of keras on torch: its own, or ours")
    parser.add_argument("--no-plain", action="store_true", help="leave plain torch out")
    given = parser.parse_args()
    if not importlib.util.find_spec("torch") and not Path(os.environ.get(FOLDER, ""), "torch").is_dir():
        sys.exit(f"torch is not installed; {FOLDER} may name a folder that holds it (pip install --target FOLDER ...)")
    for network in given.network:
        for batch in given.batch:
            for precision in given.precision:
                race(given, network, batch, precision)
                sys.modules["keras"].backend.clear_session()


def race(given: argparse.Namespace, network: str, batch: int, precision: str) -> None:
    """Let all train in turns; print what each took."""
    kinds = ["keras"] if given.no_plain else list(PEERS)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        start = [sys.executable, str(HERE.with_name("_torch_peer.py")), network, str(batch), given.loss]
        peers = {kind: stack.enter_context(Peer([*start, kind])) for kind in kinds}
        ours = Ours(network, batch, precision, Path(folder))
        found = {"ours": Times(f"ours, {ours.precision}"), **{kind: Times(PEERS[kind]) for kind in kinds}}
        for round_ in range(given.rounds + 1):
            for kind, racer in {"ours": ours, **peers}.items():
                took = racer.train(given.steps)
                if round_:  # the first one builds the network's program
                    found[kind].note(*took)
    counts = {ours.parameters, *(peer.parameters for peer in peers.values())}
    if counts != {ours.parameters} or abs(ours.parameters / 1e6 - MILLIONS[network]) > 0.06:
        sys.exit(f"the networks differ: {sorted(counts)} parameters")
    report(network, batch, ours.parameters, found)


def report(network: str, batch: int, parameters: int, found: dict[str, Times]) -> None:
    """Print the table."""
    print(f"{network}, batch {batch}, {parameters / 1e6:.1f} million parameters")
    print(f"  {'':<18}{'it/s':>8}{'s/it':>9}{'processor s/it':>17}{'ours is':>10}{'by processor':>15}")
    mine = found["ours"]
    for times in found.values():
        wall, cpu = statistics.median(times.wall), statistics.median(times.cpu)
        ratio = statistics.median(a / b for a, b in zip(times.wall, mine.wall, strict=True))
        by_cpu = statistics.median(a / b for a, b in zip(times.cpu, mine.cpu, strict=True))
        last = "" if times is mine else f"{ratio:>9.2f}x{by_cpu:>14.2f}x"
        print(f"  {times.name:<18}{1 / wall:>8.3f}{wall:>9.3f}{cpu:>17.3f}{last}", flush=True)


class Peer:
    """A torch trainer in a process of its own."""

    def __init__(self, command: list[str]) -> None:
        places = [os.environ.get(FOLDER, ""), os.environ.get("PYTHONPATH", "")]
        path = os.pathsep.join(place for place in places if place)
        environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.parameters = int(self._answer()["parameters"])

    def train(self, steps: int) -> tuple[float, float]:
        """Train; return the median of an iteration in seconds and its processor time in seconds."""
        assert self._process.stdin
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        answer = self._answer()
        return answer["wall"], answer["cpu"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        sys.exit("the torch trainer ended early; its message is above")

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)


class Ours:
    """Our loop on drawn faces; nothing is saved, the disk is not what is measured."""

    def __init__(self, network: str, batch: int, precision: str, folder: Path) -> None:
        self.precision = devices.start(precision)[1]
        from facewright.data.sampler import Sampler
        from facewright.train.session import TrainingSession
        from train.tiny import save_faces

        class Unsaved(TrainingSession):
            def save(self):
                self.saved_iteration = self.iteration

        kind = network_class(network)
        model = kind(kind.Options())
        self.parameters = sum(model.count_params().values())
        paths = [save_faces(folder / side, 64, side=256) for side in ("src", "dst")]
        self._sources = {
            s: Sampler(p, model.samples(s), np.random.default_rng(n), flip=model.flip)
            for n, (s, p) in enumerate(zip(("src", "dst"), paths, strict=True))
        }
        self._session = Unsaved(network, model, folder)
        self._batch = batch

    def train(self, steps: int) -> tuple[float, float]:
        """Train; return the mean time of an iteration and its processor time, in seconds."""
        from facewright.train.goal import Goal
        from facewright.train.loop import LoopSettings, train_session

        began = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            settings = LoopSettings(self._batch, Goal(self._session.iteration + steps))
            outcome = train_session(self._session, self._sources, settings)
        return outcome.milliseconds / 1000, (time.process_time() - began) / steps


def network_class(name: str) -> Any:
    """Return our model of a network; at 128 px H128 without the branch for masks, as FaceSwap has it unless asked."""
    from facewright.models.registry import model_class
    from facewright.nn.losses import masked_dssim
    from facewright.nn.networks import decoder

    if name == "original":
        return model_class(name)
    import keras

    class Maskless(model_class("h128")):
        def build(self):
            parts = super().build()
            shape, filters = (16, 16, self.width(512)), self.widths(512, 256, 128)
            return {
                "encoder": parts["encoder"],
                **{part: decoder(shape, filters, (), part) for part in ("decoder_src", "decoder_dst")},
            }

        def decode(self, side, code):
            face = self.parts[f"decoder_{side}"](code)
            return face, keras.ops.ones_like(face[..., :1])

        def losses(self, src, dst, rebuilt):
            of_src = masked_dssim(src["target"], rebuilt["src"], src["mask"])
            of_dst = masked_dssim(dst["target"], rebuilt["dst"], dst["mask"])
            return of_src + of_dst, {"src": of_src, "dst": of_dst}

    return Maskless


if __name__ == "__main__":
    main()
