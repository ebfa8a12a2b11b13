"""Frames per second from frame on disk to saved face, against the `mtcnn` package frame by frame.

    python tests/benchmarks/extraction.py                          1280x720 and 480x270, 48 frames of the sample
    python tests/benchmarks/extraction.py --clip FILE --frames 100 --rounds 5
    python tests/benchmarks/extraction.py --detection-only         the package then does nothing but detect

Both sides read the same PNG files. The package's side calls `detect_faces` for one frame after the other and then
the very same landmarks, cut and save; with --detection-only it reads and detects only. The package finds nothing
when its smallest face is 30 px or more; both sides use 20 px, where it works. Rounds alternate, the median ratio
counts; faces are compared by intersection over union.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "_internal")]

from detect.test_detectors import overlap  # noqa: E402
from facewright.core.images import read_image, write_image  # noqa: E402
from facewright.detect.base import Box, largest_first  # noqa: E402
from facewright.detect.extraction import FaceWriter, Seen, extract  # noqa: E402
from facewright.detect.landmarks import Landmarker  # noqa: E402
from facewright.detect.mtcnn_detector import MtcnnDetector  # noqa: E402
from facewright.faces.align import FaceType  # noqa: E402
from facewright.faces.record import load_record  # noqa: E402
from sample import SAMPLE, clip_frames  # noqa: E402

WANTED = {720: 3.0, 270: 5.0}


def main() -> None:
    """Measure both sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=SAMPLE / "data_dst.mp4")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--detection-only", action="store_true")
    given = parser.parse_args()
    detector, landmarker = MtcnnDetector(), Landmarker()
    from mtcnn import MTCNN

    package = MTCNN()
    for height, width in ((720, 1280), (270, 480)):
        with tempfile.TemporaryDirectory() as folder:
            paths = fill(Path(folder), given, (height, width))
            ours = Side(Path(folder) / "ours", detector, landmarker)
            theirs = Side(Path(folder) / "theirs", detector, landmarker)
            compare(given, paths, ours, theirs, package, WANTED[height])


def fill(folder: Path, given: argparse.Namespace, size: tuple[int, int]) -> list[Path]:
    """Write the frames as PNG files; they are cut to the shape, not squeezed, so that faces look natural."""
    paths = []
    for number, frame in enumerate(clip_frames(given.clip, range(given.frames)), 1):
        factor = max(size[0] / frame.shape[0], size[1] / frame.shape[1])
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        frame = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=way)
        top, left = (frame.shape[0] - size[0]) // 4, (frame.shape[1] - size[1]) // 2
        paths.append(folder / f"{number:05d}.png")
        write_image(paths[-1], frame[top : top + size[0], left : left + size[1]])
    return paths


class Side:
    """One of the two ways from frame to face."""

    def __init__(self, folder: Path, detector: MtcnnDetector, landmarker: Landmarker) -> None:
        """Save into a folder of its own."""
        folder.mkdir()
        self.folder = folder
        self.detector = detector
        self.writer = FaceWriter(folder, folder / "trash", detector, landmarker, FaceType.FULL, 256)

    def run_ours(self, paths: list[Path]) -> None:
        """The pipeline of the extract step."""
        for outcome in extract(paths, self.detector, self.writer):
            assert outcome.problem is None

    def run_package(self, paths: list[Path], package: Any, *, save: bool) -> None:
        """One frame after the other."""
        for path in paths:
            frame = read_image(path)
            found = package.detect_faces(frame[..., ::-1], box_format="xyxy")
            boxes = [Box(*map(float, face["box"]), float(face["confidence"])) for face in found]
            if save:
                self.writer.write(Seen(path, None, frame, largest_first(boxes)))

    def boxes(self) -> dict[str, list[Box]]:
        """The boxes of all saved faces by frame."""
        found: dict[str, list[Box]] = {}
        for path in sorted(self.folder.glob("*.png")):
            record = load_record(path)
            found.setdefault(record.frame, []).append(Box(*record.rect, record.score))
        return found


def compare(
    given: argparse.Namespace, paths: list[Path], ours: Side, theirs: Side, package: Any, wanted: float
) -> None:
    """Run both in turn, print frames per second, ratio and how many faces are the same."""
    ours.run_ours(paths[:20])
    theirs.run_package(paths, package, save=True)
    times: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for _ in range(given.rounds):
        first = clocked(lambda: ours.run_ours(paths))
        second = clocked(lambda: theirs.run_package(paths, package, save=not given.detection_only))
        times.append((first, second))
    rate_ours, rate_theirs = (
        len(paths) / statistics.median(wall for wall, _ in side) for side in zip(*times, strict=True)
    )
    ratio = statistics.median(second[0] / first[0] for first, second in times)
    work = statistics.median(second[1] / first[1] for first, second in times)
    mine, other = ours.boxes(), theirs.boxes()
    pairs = [(box, mine.get(frame, [])) for frame, boxes in other.items() for box in boxes]
    same = sum(any(overlap(box, a) > 0.8 for a in found) for box, found in pairs)
    height, width = read_image(paths[0]).shape[:2]
    print(
        f"{width}x{height}: ours {rate_ours:.1f} frames/s, package {rate_theirs:.1f}, ratio {ratio:.1f} "
        f"(wanted {wanted:g}, "
        f"processor time {work:.1f}); same faces {same} of {len(pairs)}, ours in all {sum(map(len, mine.values()))}"
    )


def clocked(work: Callable[[], None]) -> tuple[float, float]:
    """Return seconds by the clock and of the processor; on a busy machine the second still tells."""
    start = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start[0], time.process_time() - start[1]


if __name__ == "__main__":
    main()
