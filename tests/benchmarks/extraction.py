"""Frames per second from frame to saved face, against the `mtcnn` package; time with all options against none.

    python tests/benchmarks/extraction.py                          1280x720 and 480x270, 48 frames of the sample
    python tests/benchmarks/extraction.py --clip FILE --frames 100 --rounds 5
    python tests/benchmarks/extraction.py --detection-only         the package then does nothing but detect
    python tests/benchmarks/extraction.py --options-only --each    only the options, and each of them alone
    python tests/benchmarks/extraction.py --mesh                   only mesh and blazeface, against mtcnn and dlib

Both sides read the same PNG files. The package's side calls `detect_faces` for one frame after the other and then
the very same landmarks, cut and save; with --detection-only it reads and detects only. The package finds nothing
when its smallest face is 30 px or more; both sides use 20 px, where it works. Rounds alternate, the median ratio
counts; faces are compared by intersection over union.

The options: the extract step over the frames of dst as PNG files, bare (no comparing of people, no smoothing) and with
everything that it can do beside finding faces, rounds alternating. Networks are loaded and photos compared before the
clock starts, and no face is so small or blurred that leaving it out would save work.
"""

import argparse
import contextlib
import io
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "_internal")]

from extract.test_detectors import overlap  # noqa: E402
from facewright.commands import extract as step  # noqa: E402
from facewright.core import workers  # noqa: E402
from facewright.core.images import read_image, write_image  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.extract.detection import Detections  # noqa: E402
from facewright.extract.detectors.base import Box, Detector, make_detector, sort_largest_first  # noqa: E402
from facewright.extract.detectors.mtcnn import MtcnnDetector  # noqa: E402
from facewright.extract.landmarkers.base import Landmarker, make_landmarker  # noqa: E402
from facewright.extract.pipeline import ExtractionConfig, FaceExtractor, extract_faces, pipeline_workers  # noqa: E402
from facewright.extract.side_run import ModelLoader  # noqa: E402
from facewright.faces.record import load_record  # noqa: E402
from sample import SAMPLE, clip_frames  # noqa: E402

WANTED = {720: 3.0, 270: 5.0}
MOST = 1.5  # times the bare extraction, with everything on
BARE: dict[str, Any] = {"side": "dst", "people": False, "smooth": "off", "false_face_filter": False}
# What can be switched on, without what would spare work: the sample's faces are larger, and sharper.
EXTRAS: dict[str, dict[str, Any]] = {
    "false_face_filter": {"false_face_filter": True},
    "min_face": {"min_face": 20},
    "max_faces": {"max_faces": 9},
    "rotate": {"rotate": "on"},
    "blur_threshold": {"blur_threshold": 0.01},
    "align_eyes": {"align_eyes": True},
    "second_pass": {"second_pass": True},
    "person": {"person": "PHOTO"},
    "people": {"people": True},
    "smooth": {"smooth": "high"},
    "debug": {"debug": True},
}


def main() -> None:
    """Measure both sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=SAMPLE / "data_dst.mp4")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--detection-only", action="store_true")
    parser.add_argument("--options-only", action="store_true")
    parser.add_argument("--mesh", action="store_true", help="measure mesh and blazeface instead")
    parser.add_argument("--each", action="store_true", help="measure each option alone too")
    given = parser.parse_args()
    if given.mesh:
        mesh_and_blazeface(given)
        return
    if not given.options_only:
        against_package(given)
    with_options(given)


def against_package(given: argparse.Namespace) -> None:
    """Measure both sizes."""
    detector, landmarker = MtcnnDetector(), make_landmarker()
    from mtcnn import MTCNN

    package = MTCNN()
    for height, width in ((720, 1280), (270, 480)):
        with tempfile.TemporaryDirectory() as folder:
            paths = fill(Path(folder), given, (height, width))
            ours = Side(Path(folder) / "ours", detector, landmarker)
            theirs = Side(Path(folder) / "theirs", detector, landmarker)
            compare(given, paths, ours, theirs, package, WANTED[height])


def mesh_and_blazeface(given: argparse.Namespace) -> None:
    """Measure the parts that may be used for pay against the default ones, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        paths = fill(Path(folder), given, (720, 1280))
        names = (("blazeface", "mesh"), ("mtcnn", "dlib"))
        new, old = (Side(Path(folder) / one, make_detector(one), make_landmarker(other)) for one, other in names)
        times = [
            [clocked(lambda side=side: side.run_ours(paths)) for side in (new, old)] for _ in range(given.rounds + 1)
        ]
    wall, work = (statistics.median(b[kind] / a[kind] for a, b in times[1:]) for kind in (0, 1))
    print(
        f"mesh and blazeface: {wall:.2f} times the frames/s of mtcnn and dlib (wanted 1.5, processor time {work:.2f})"
    )


def fill(folder: Path, given: argparse.Namespace, size: tuple[int, int], step: int = 1) -> list[Path]:
    """Write the frames as PNG files; they are cut to the shape, not squeezed, so that faces look natural."""
    paths = []
    for number, frame in enumerate(clip_frames(given.clip, range(0, given.frames * step, step)), 1):
        factor = max(size[0] / frame.shape[0], size[1] / frame.shape[1])
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        frame = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=way)
        top, left = (frame.shape[0] - size[0]) // 4, (frame.shape[1] - size[1]) // 2
        paths.append(folder / f"{number:05d}.png")
        write_image(paths[-1], frame[top : top + size[0], left : left + size[1]])
    return paths


class Side:
    """One of the two ways from frame to face."""

    def __init__(self, folder: Path, detector: Detector, landmarker: Landmarker) -> None:
        """Save into a folder of its own."""
        folder.mkdir()
        self.folder = folder
        self.detector = detector
        self.extractor = FaceExtractor(ExtractionConfig(folder, folder / "trash"), detector, landmarker)

    def run_ours(self, paths: list[Path]) -> None:
        """The pipeline of the extract step."""
        with workers.threads(pipeline_workers()) as executor:
            for result in extract_faces(paths, self.extractor, executor):
                assert result.problem is None

    def run_package(self, paths: list[Path], package: Any, *, save: bool) -> None:
        """One frame after the other."""
        for path in paths:
            frame = read_image(path)
            found = package.detect_faces(frame[..., ::-1], box_format="xyxy")
            boxes = [Box(*map(float, face["box"]), float(face["confidence"])) for face in found]
            if save:
                self.extractor.extract([Detections(path, None, frame, sort_largest_first(boxes))])

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


def with_options(given: argparse.Namespace) -> None:
    """Measure the extract step bare and with everything on, and each option alone where that is asked for."""
    clip = cv2.VideoCapture(str(given.clip))
    spread = max(1, int(clip.get(cv2.CAP_PROP_FRAME_COUNT)) // given.frames)  # over the whole clip
    for size in ((720, 1280), (480, 640)):
        with tempfile.TemporaryDirectory() as folder:
            workspace = Workspace(Path(folder))
            workspace.dst.frames_dir.mkdir()
            paths = fill(workspace.dst.frames_dir, given, size, spread)
            shutil.copy(paths[0], Path(folder) / "photo.png")
            measure(given, workspace, size)


def measure(given: argparse.Namespace, workspace: Workspace, size: tuple[int, int]) -> None:
    """Extract in turn; print the ratios."""
    chosen = {"everything": {name: value for more in EXTRAS.values() for name, value in more.items()}}
    chosen |= EXTRAS if given.each else {}
    for more in chosen.values():
        more |= {"person": str(workspace.root / "photo.png")} if "person" in more else {}
    for options in (BARE, *({**BARE, **more} for more in chosen.values())):
        extracted(workspace, options)  # traces and first readings are no part of the rate
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ("bare", *chosen)}
    for _ in range(given.rounds):
        for name, taken in times.items():
            taken.append(extracted(workspace, {**BARE, **chosen.get(name, {})}))
    wall = statistics.median(seconds for seconds, _ in times["bare"])
    print(f"{size[1]}x{size[0]}: bare {given.frames / wall:.1f} frames/s")
    for name in chosen:
        pairs = list(zip(times["bare"], times[name], strict=True))
        ratio, work = (statistics.median(more[i] / bare[i] for bare, more in pairs) for i in (0, 1))
        wanted = f" (wanted {MOST:g} at most)" if name == "everything" else ""
        print(f"  {name:<18} {ratio:.2f} times the bare extraction{wanted}; processor time {work:.2f}")


class KeptModels(ModelLoader):
    """Loads each network once for all rounds."""

    @cached_property
    def _mtcnn(self) -> Detector:
        return make_detector("mtcnn")

    def detector(self, name: str, *, sensitive: bool = False) -> Detector:
        """See `ModelLoader`."""
        return self._mtcnn


MODELS = KeptModels()


def extracted(workspace: Workspace, options: dict[str, Any]) -> tuple[float, float]:
    """Extract anew; return what it took."""
    side = workspace.dst
    for path in (side.aligned_dir, side.debug_dir, side.blurry_dir):
        shutil.rmtree(path, ignore_errors=True)
    side.extract_journal.unlink(missing_ok=True)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        taken = clocked(lambda: step.run(workspace, step.Options(**options), MODELS))
    assert len(side.aligned()) > 0.9 * len(side.frames())
    return taken


def clocked(work: Callable[[], None]) -> tuple[float, float]:
    """Return seconds by the clock and of the processor; on a busy machine the second still tells."""
    start = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start[0], time.process_time() - start[1]


if __name__ == "__main__":
    main()
