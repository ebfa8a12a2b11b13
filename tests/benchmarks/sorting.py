"""Seconds and peak memory of the sort step on 10,000 faces, and its ratio to plain double loops.

    python tests/benchmarks/sorting.py                              hist and hist-dissim
    python tests/benchmarks/sorting.py --by all --faces 3000        every method
    python tests/benchmarks/sorting.py --folder /tmp/faces          keeps the made-up faces for the next time

The faces are those of the sample clips, each turned, shifted, lit and blurred a little in its own way, saved as 256 px
PNG with a record. Each method runs as the step does, in a process of its own: reading, decoding, ordering, renaming.
The plain loops call OpenCV's compareHist for every pair and channel; they run on --plain faces beside ours, in the same
process, and the time they would take on all faces is that times the square of the ratio of the numbers.
"""

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "_internal"))

from facewright import cli  # noqa: E402
from facewright.core.images import Image  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.faces.align import FaceType, align_matrix, cut, transform_points  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.pose import head_pose  # noqa: E402
from facewright.faces.record import FaceRecord, save_face  # noqa: E402
from facewright.facesets.distances import Histograms  # noqa: E402
from facewright.facesets.orders import chain, most_different_first  # noqa: E402
from facewright.facesets.sort_base import FaceToSort, methods  # noqa: E402
from facewright.facesets.sort_histograms import BINS, histograms  # noqa: E402

SIZE = 256
SAMPLES = [ROOT / "_internal" / "sample" / name for name in ("data_src.mp4", "data_dst.mp4")]


def main() -> None:
    """Make the faces, sort them by each method, run the plain loops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=10_000)
    parser.add_argument("--plain", type=int, default=400, help="faces for the plain double loops")
    parser.add_argument("--by", nargs="+", default=["hist", "hist-dissim"], help="methods, or all")
    parser.add_argument("--folder", type=Path, help="where to keep the faces; a temporary folder without it")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(sort_once(given.folder, given.one)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace(given.folder or Path(temporary))
        fill(workspace, given.faces)
        seconds = {}
        for name in list(methods()) if given.by == ["all"] else given.by:
            seconds[name] = measured(workspace, name, given.faces)
        compare(workspace, min(given.plain, given.faces), given.faces, seconds)


def measured(workspace: Workspace, name: str, count: int) -> float:
    """Sort in a process of its own and print what it took; return the seconds."""
    words = [sys.executable, __file__, "--one", name, "--folder", str(workspace.root)]
    answer = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    result = json.loads(answer.stdout.splitlines()[-1])
    took = f"{result['seconds']:6.1f} s (of one processor {result['work']:.1f} s), peak {result['megabytes']:4.0f} MB"
    print(f"{name:<22} {count} faces: {took}", flush=True)
    return float(result["seconds"])


def sort_once(folder: Path, name: str) -> dict[str, float]:
    """Run the step; all faces stay, so that the next method finds as many."""
    keep = ["--keep", "1000000"] if name.startswith("final") else []
    start = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        code = cli.main(["sort", "--workspace", str(folder), "--yes", "--by", name, *keep])
    if code:
        raise SystemExit(code)
    seconds, work = time.perf_counter() - start, time.process_time()
    return {"seconds": seconds, "work": work, "megabytes": peak_memory() / 2**20}


def peak_memory() -> float:
    """Return this process's peak in bytes. On Linux ru_maxrss would count the parent's memory at the fork too."""
    with contextlib.suppress(OSError):
        text = Path("/proc/self/status").read_text()
        return 1024 * float(text.split("VmHWM:")[1].split()[0])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def compare(workspace: Workspace, count: int, all_faces: int, seconds: dict[str, float]) -> None:
    """Order the same faces with ours and with the plain loops."""
    faces = [
        FaceToSort(file) for file in load_faceset(workspace.src.aligned()[:: max(1, all_faces // count)][:count]).faces
    ]
    counts = np.array([histograms(face) for face in faces])
    pairs: list[tuple[str, Callable[[Any], list[int]], Callable[[Any], list[int]]]] = [
        ("hist", chain(Histograms), plain_chain),
        ("hist-dissim", most_different_first(Histograms), plain_dissimilarity),
    ]
    for name, ours, plain in pairs:
        first, mine = clocked(lambda order=ours: order(counts))
        second, theirs = clocked(lambda order=plain: order(counts))
        line = f"{name}: {len(faces)} faces ordered in {first:.3f} s, plain {second:.2f} s, ratio {second / first:.0f}"
        print(f"{line}; {'the same order' if mine == theirs else 'ANOTHER ORDER'}")
        if name in seconds:
            long = second * (all_faces / len(faces)) ** 2
            print(
                f"  {all_faces} faces: the whole step {seconds[name]:.1f} s, the plain loop alone {long:.0f} s "
                f"(extrapolated), ratio {long / seconds[name]:.0f}"
            )


def clocked(work: Callable[[], list[int]]) -> tuple[float, list[int]]:
    """Return the seconds and the result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """The plain distance of two faces."""
    return sum(cv2.compareHist(x, y, cv2.HISTCMP_BHATTACHARYYA) for x, y in zip(a, b, strict=True))


def plain_chain(counts: np.ndarray) -> list[int]:
    """The nearest of those that are left, one after the other."""
    rows = list(counts.reshape(len(counts), 3, BINS))
    order, left = [0], list(range(1, len(rows)))
    while left:
        here = rows[order[-1]]
        order.append(min(left, key=lambda index: distance(here, rows[index])))
        left.remove(order[-1])
    return order


def plain_dissimilarity(counts: np.ndarray) -> list[int]:
    """The sums over all pairs."""
    rows = list(counts.reshape(len(counts), 3, BINS))
    sums = [sum(distance(a, b) for b in rows) for a in rows]
    return sorted(range(len(rows)), key=lambda index: -sums[index])


def fill(workspace: Workspace, count: int) -> None:
    """Make the faces that are not there yet."""
    workspace.src.aligned_dir.mkdir(parents=True, exist_ok=True)
    there = len(workspace.src.aligned())
    if there > count:
        raise SystemExit(f"{workspace.src.aligned_dir} holds {there} faces, not {count}: name another --folder.")
    if there == count:
        return
    kinds = sample_faces()
    start = time.perf_counter()
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda index: _make(workspace.src.aligned_dir, kinds, index), range(there, count)))
    print(f"{count - there} faces made in {time.perf_counter() - start:.0f} s", flush=True)


def _make(folder: Path, kinds: list[tuple[Image, FaceRecord]], index: int) -> None:
    random = np.random.default_rng(index)
    image, record = kinds[int(random.integers(len(kinds)))]
    save_face(folder / f"{index:05d}_0.png", *jittered(image, record, random, f"{index:05d}.png"))


def sample_faces() -> list[tuple[Image, FaceRecord]]:
    """Return faces of the sample clips as frames with records."""
    from facewright.extract.detectors.base import make_detector
    from facewright.extract.landmarkers.base import make_landmarker

    detector, landmarker = make_detector("dlib-hog"), make_landmarker()
    found = []
    for clip in SAMPLES:
        for frame in _frames(clip, every=8):
            for box in detector.detect([frame])[0][:1]:
                points = landmarker.find(frame, detector.face_square(box))
                found.append((frame, _record(points, box.rect)))
    return found


def _frames(clip: Path, every: int) -> list[Image]:
    video, frames = cv2.VideoCapture(str(clip)), []
    while (got := video.read())[0]:
        frames.append(np.asarray(got[1], np.uint8))
    return frames[::every]


def _record(points: np.ndarray, rect: tuple[float, float, float, float]) -> FaceRecord:
    matrix = align_matrix(points, FaceType.FULL, SIZE)
    aligned = transform_points(points, matrix).astype(np.float32)
    pose = head_pose(points)
    return FaceRecord(
        FaceType.FULL, SIZE, aligned, points.astype(np.float32), "x.png", "made-up", 1, rect, matrix, pose
    )


def jittered(frame: Image, record: FaceRecord, random: np.random.Generator, name: str) -> tuple[Image, FaceRecord]:
    """Return a face that nobody has seen yet: other points, light, colour, sharpness and noise."""
    points = record.frame_landmarks + random.normal(0, 2, (68, 2)).astype(np.float32)
    moved = _record(points, record.rect)
    picture = cut(frame, moved.matrix, SIZE).astype(np.float32)
    if random.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.3, 3))
    picture = picture * random.normal(1, 0.1, 3) * random.uniform(0.5, 1.2) + random.normal(0, 2, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), replace(moved, frame=name)


if __name__ == "__main__":
    main()
