"""Frames per second and peak memory of the convert step.

    python tests/benchmarks/conversion.py                      H64 with random weights, 100 and 300 frames of 720p
    python tests/benchmarks/conversion.py --model quick        another model
    python tests/benchmarks/conversion.py --predict 50         a stand-in that works 50 ms per face on one core
    python tests/benchmarks/conversion.py --face 600 --mode hist-match

Frames and records are made up (a face of --face px in the middle); reading, cutting, predicting, blending and writing
PNG files and the contact sheet are the real thing. Peak memory is that of the process and all its children, read from
/proc (Linux).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "_internal")]

from convert.drawn_faces import ellipse, landmarks, scene  # noqa: E402
from facewright.convert.cast import TrainedState  # noqa: E402
from facewright.convert.controls import MODES  # noqa: E402
from facewright.convert.parameters import FORMAT_CHOICES, ConvertOptions  # noqa: E402
from facewright.convert.session import convert, state_of  # noqa: E402
from facewright.core.images import write_image  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.faces.align import FaceType, align_matrix, transform_points  # noqa: E402
from facewright.faces.record import FaceRecord, save_face  # noqa: E402
from facewright.models.spec import ConverterDefaults  # noqa: E402


def main() -> None:
    """Run the sizes one after another, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--size", type=int, nargs=2, default=[720, 1280], metavar=("H", "W"))
    parser.add_argument("--face", type=int, default=280, help="width of the half face in pixels")
    parser.add_argument("--mode", default="seamless", choices=list(MODES))
    parser.add_argument("--format", default="png", choices=list(FORMAT_CHOICES))
    parser.add_argument("--model", default="h64", help="a model with random weights")
    parser.add_argument("--predict", type=float, help="a stand-in for the model: milliseconds per face")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        measure(given)
        return
    for count in given.frames:
        words = [sys.executable, __file__, "--one", "--frames", count, "--size", *given.size, "--face", given.face]
        words += ["--mode", given.mode, "--format", given.format, "--model", given.model]
        words += [] if given.predict is None else ["--predict", given.predict]
        subprocess.run([str(word) for word in words], check=True)


def measure(given: argparse.Namespace) -> None:
    """Convert made-up frames and print the figures."""
    count = given.frames[0]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        fill(workspace, count, tuple(given.size), given.face)
        model = stand_in(given.predict) if given.predict is not None else network(given.model)
        shape = (8, model.resolution, model.resolution, 3)
        model.predict(np.zeros(shape, np.float32))  # tracing is no part of the rate
        watch = Watch()
        start, work = time.perf_counter(), time.process_time()
        convert(workspace, ConvertOptions(mode=given.mode, format=given.format), OneModel(model))
        seconds, work = time.perf_counter() - start, time.process_time() - work
    print(
        f"{count} frames {given.size[1]}x{given.size[0]}, face {given.face} px, {given.mode}, {model.name}: "
        f"{count / seconds:.1f} frames/s, {1000 * work / count:.0f} ms of one core per frame, "
        f"peak {watch.stop() / 2**20:.0f} MB",
        flush=True,
    )


def fill(workspace: Workspace, count: int, size: tuple[int, int], side: int) -> None:
    """Write frames and aligned faces."""
    workspace.dst.aligned_dir.mkdir(parents=True)
    height, width = size
    for index in range(count):
        name = f"{index + 1:05d}"
        # A few different pictures, shifted: drawing each anew would take longer than converting it.
        picture = np.roll(_scene(height, width, index % 3), index * 3, axis=1)
        write_image(workspace.dst.frames_dir / f"{name}.png", picture)
        points = landmarks((width / 2 + index % 40, height / 2), side, turn=index % 20 - 10).astype(np.float32)
        matrix = align_matrix(points, FaceType.FULL, 256)
        record = FaceRecord(
            FaceType.FULL,
            256,
            transform_points(points, matrix).astype(np.float32),
            points,
            f"{name}.png",
            "made-up",
            1.0,
            (0, 0, 1, 1),
            matrix,
            (0, 0, 0),
        )
        save_face(workspace.dst.aligned_dir / f"{name}_0.png", np.zeros((256, 256, 3), np.uint8), record)


_scenes: dict[tuple[int, int, int], np.ndarray] = {}


def _scene(height: int, width: int, seed: int) -> np.ndarray:
    key = height, width, seed
    if key not in _scenes:
        _scenes[key] = scene(height, width, seed)
    return _scenes[key]


def _trained(name: str, predict, side: int = 64, face_type: FaceType = FaceType.HALF) -> SimpleNamespace:
    return SimpleNamespace(
        name=name,
        iteration=0,
        fingerprint=name,
        resolution=side,
        face_type=face_type,
        converter=ConverterDefaults(erode=100, blur=100),
        portrait=False,
        morph=None,
        predict=predict,
        predict_with_own_mask=lambda faces: (*predict(faces), None),
    )


def _mask(count: int, side: int = 64) -> np.ndarray:
    return np.repeat(ellipse(side, 0.55)[None, ..., None], count, axis=0)


def stand_in(milliseconds: float) -> SimpleNamespace:
    """Return a model that keeps one core busy for a while and gives the face back."""

    def predict(faces):
        end = time.perf_counter() + milliseconds * len(faces) / 1000
        square = np.ones((256, 256), np.float32)
        while time.perf_counter() < end:
            square @ square
        return faces.copy(), _mask(len(faces))

    return _trained(f"stand-in {milliseconds:g} ms", predict)


def network(name: str = "h64") -> SimpleNamespace:
    """Return a model with random weights; its mask, which means nothing, is replaced by a disc."""
    from facewright.models.registry import model_class

    kind = model_class(name)
    model = kind(kind.Options())

    def predict(faces):
        picture, _ = model.predict(faces)
        return picture, _mask(len(faces), model.resolution)

    return _trained(name.upper(), predict, model.resolution, model.face_type)


class OneModel:
    """Stands for the models of a workspace."""

    def __init__(self, model: SimpleNamespace) -> None:
        self._model = model

    def newest(self, model_dir: Path, name: str) -> TrainedState:
        """Return its state."""
        return state_of(self._model)

    def load(self, model_dir: Path, name: str) -> SimpleNamespace:
        """Return it."""
        return self._model


class Watch:
    """Notes the peak memory of this process and its children."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stop.wait(0.25):  # a look takes milliseconds of a core
            self.peak = max(self.peak, tree_memory(os.getpid()))

    def stop(self) -> int:
        """End and return the peak in bytes."""
        self._stop.set()
        self._thread.join()
        return self.peak


def tree_memory(root: int) -> int:
    """Return the resident bytes of a process and all its descendants; 0 where there is no /proc."""
    parents, sizes = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(entry.name)] = int(fields[1])
        sizes[int(entry.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid, size in sizes.items():
        ancestor = pid
        while ancestor not in (root, 0):
            ancestor = parents.get(ancestor, 0)
        total += size if ancestor == root else 0
    return total


if __name__ == "__main__":
    main()
