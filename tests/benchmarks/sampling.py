"""The sampler alone: samples per second, against the plain order of 2018 on the same faces, in turns, in one run.

    main.py benchmark --name sampling
    _internal/env/bin/python tests/benchmarks/sampling.py [--faces FOLDER] [--count 200] [--batch 16] [--rounds 5]

A sample is a warped face, its target and the target's mask at 128 px, out of a face of 256 px in the memory-mapped
cache. Two samplers, src and dst, work at once, as in training. "usual" is what the models of 2018 declare here: the
warped face by cubic interpolation, the target by Lanczos; "cubic" is what QUICK declares, "lanczos" uses it for both.
"plain" warps, transforms and cuts one after another with Lanczos, out of faces in memory. "processor" is the time that
one sample takes on one core: with other programs running, it is the figure to trust. The ratio is sampler / plain in
samples per processor second.
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# In place of this folder, where training.py would hide the package of that name.
sys.path[:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "_internal")]
# NumPy's own threads would take the cores from the samplers, and its products here are tiny.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from convert.drawn_faces import landmarks, scene  # noqa: E402
from data.plain import plain_sample  # noqa: E402
from facewright.data.augment import draw_params  # noqa: E402
from facewright.data.cache import build_cache, cache_path, face_key, open_cache  # noqa: E402
from facewright.data.sample import PreparedFace, Sample  # noqa: E402
from facewright.data.sampler import Sampler  # noqa: E402
from facewright.faces.align import FaceType  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.record import FaceRecord, load_face, save_face  # noqa: E402

SAMPLES = (
    Sample("warped", "image", 128, FaceType.FULL, warp=True, interpolation="cubic"),
    Sample("target", "image", 128, FaceType.FULL),
    Sample("mask", "mask", 128, FaceType.FULL),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, help="a folder of aligned faces; without it drawn ones")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        measure(given, Path(folder))


def measure(given: argparse.Namespace, folder: Path) -> None:
    """Build the cache, then measure all ways in turns."""
    source = given.faces or draw_faces(folder / "faces", given.count)
    files = load_faceset(source).faces[: given.count]
    keys = [face_key(file) for file in files]
    path = cache_path(folder, "src", SAMPLES)
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        build_cache(path, {key: file.path for key, file in zip(keys, files, strict=True)}, SAMPLES, pool)
    took = time.perf_counter() - began
    began = time.perf_counter()
    store = open_cache(path, keys, SAMPLES)
    print(
        f"{len(files)} faces: cache built in {took:.2f} s ({1000 * took / len(files):.2f} ms a face, "
        f"{path.stat().st_size / len(files) / 1024:.0f} KiB a face), opened in {time.perf_counter() - began:.3f} s"
    )
    ways = {}
    for name in ("usual", "cubic", "lanczos"):
        changed = {} if name == "usual" else {"interpolation": name}
        samples = tuple(dataclasses.replace(sample, **changed) for sample in SAMPLES)
        pair = [Sampler(store, samples, np.random.default_rng(n), flip=True) for n in range(2)]
        ways[name] = [sampler.batch for sampler in pair]
    whole = [whole_face(file) for file in files[:50]]
    ways["plain"] = [plain_batches(whole, np.random.default_rng(n)) for n in range(2)]
    found = {name: [] for name in ways}
    for round_ in range(given.rounds + 1):
        for name, pair in ways.items():
            figures = in_two_threads(pair, given.batch, 6 if name != "plain" else 2)
            if round_:
                found[name].append(figures)
    plain = statistics.median(cost for _, cost in found["plain"])
    for name, rows in found.items():
        cost = statistics.median(cost for _, cost in rows)
        print(
            f"{name:8s} {statistics.median(rate for rate, _ in rows):6.0f} samples/s (best {max(rows)[0]:6.0f})   "
            f"processor {1000 * cost:.2f} ms a sample, {2 / cost:6.0f}/s on two free cores   ratio {plain / cost:5.1f}"
        )


def draw_faces(folder: Path, count: int) -> Path:
    """Write aligned faces of 256 px as the extraction cuts them; return their folder."""
    folder.mkdir()
    points = landmarks((128, 128), 160).astype(np.float32)
    eye, none = np.eye(2, 3), (0.0, 0.0, 0.0)
    for number in range(count):
        name = f"{number:05d}.png"
        record = FaceRecord(FaceType.FULL, 256, points, points, name, "drawn", 1.0, (0, 0, 256, 256), eye, none)
        save_face(folder / name, scene(256, 256, number), record)
    return folder


def whole_face(file) -> PreparedFace:
    """Return a face as the plain order takes it: with all its pixels."""
    from facewright.faces.mask import hull_mask

    image, record = load_face(file.path)
    mask = (hull_mask(record.landmarks, image.shape[:2]) * 255).astype(np.uint8)
    return PreparedFace(image, {"mask": mask}, record.landmarks)


def plain_batches(faces: list[PreparedFace], rng: np.random.Generator):
    """Return what makes a batch in the plain order."""

    def batch(size):
        rows = [
            plain_sample(faces[rng.integers(len(faces))], SAMPLES, draw_params(rng, flip=True)) for _ in range(size)
        ]
        return {s.name: np.stack([row[k] for row in rows]) for k, s in enumerate(SAMPLES)}

    return batch


def in_two_threads(pair, size: int, batches: int) -> tuple[float, float]:
    """Return samples per second of both together, and processor seconds per sample."""
    with ThreadPoolExecutor(2) as pool:
        began, spent = time.perf_counter(), time.process_time()
        list(pool.map(lambda batch: [batch(size) for _ in range(batches)], pair))
        took, spent = time.perf_counter() - began, time.process_time() - spent
    count = len(pair) * size * batches
    return count / took, spent / count


if __name__ == "__main__":
    main()
