"""Speed and agreement of the commercial parts (blazeface, mesh) with the usual ones (mtcnn, dlib), at 1280x720.

    main.py benchmark --name landmarkers [--arguments 'VIDEO ...']

Each frame shows a frame of the clips (the sample's without any), then in a second measurement four of them at several
sizes. Both pairs extract the same frames in
turns; the medians of wall clock and processor time count. Then their faces are compared: the intersection over union
of the full squares of faces over 40 px.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "_internal"), str(Path(__file__).resolve().parents[1])]

from facewright.core import workers  # noqa: E402
from facewright.core.images import Image, write_image  # noqa: E402
from facewright.extract.detectors.base import make_detector  # noqa: E402
from facewright.extract.filters import EachFace, reject_false_face  # noqa: E402
from facewright.extract.landmarkers.base import make_landmarker  # noqa: E402
from facewright.extract.pipeline import (  # noqa: E402
    ExtractionConfig,
    FaceExtractor,
    extract_faces,
    pipeline_workers,
)
from facewright.faces.align import FaceType, align_matrix, invert, transform_points  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.record import FaceRecord  # noqa: E402

SAMPLE = Path(__file__).resolve().parents[2] / "_internal" / "sample"
SIZE = (720, 1280)
PLACES = ((0, 0, 720), (720, 0, 400), (740, 420, 280), (1030, 420, 200))  # top left corner and height, in pixels
FRAMES, ROUNDS = 24, 3
PAIRS = {"mtcnn + dlib": ("mtcnn", "dlib"), "blazeface + mesh": ("blazeface", "mesh")}
MIN_FACE_PX, SAME = 40, 0.8


def frames(clips: list[Path], places: int) -> list[Image]:
    """Return frames that show those of the clips, evenly chosen, at so many of the places."""
    shown = []
    for path in clips:
        clip = cv2.VideoCapture(str(path))
        whole = [frame for done, frame in iter(clip.read, (False, None)) if done]
        shown.append([whole[i] for i in np.linspace(0, len(whole) - 1, FRAMES).astype(int)])
    made = []
    for number in range(FRAMES):
        canvas = np.full((*SIZE, 3), 60, np.uint8)
        for place, (left, top, height) in enumerate(PLACES[:places]):
            frame = shown[(number + place) % len(shown)][number]
            width = round(frame.shape[1] * height / frame.shape[0])
            part = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if height < 480 else cv2.INTER_CUBIC)
            width = min(width, SIZE[1] - left, 720 if place == 0 else 560 if place == 1 else 280)
            canvas[top : top + height, left : left + width] = part[:, :width]
        made.append(canvas)
    return made


def square(record: FaceRecord) -> np.ndarray:
    """Return the corners of a face's full square in the frame, (4, 2)."""
    back = invert(align_matrix(record.frame_landmarks, FaceType.FULL, 1))
    return transform_points(np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float), back).astype(np.float32)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over union of two squares."""
    shared, _ = cv2.intersectConvexConvex(a, b)
    return shared / (cv2.contourArea(a) + cv2.contourArea(b) - shared)


def measure(clips: list[Path], places: int) -> None:
    """Measure and report."""
    print(f"{places} of the clips in a frame:")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = [root / f"{number:05d}.png" for number in range(FRAMES)]
        for path, frame in zip(paths, frames(clips, places), strict=True):
            write_image(path, frame)
        extractors = {
            name: FaceExtractor(
                ExtractionConfig(root / name, root / "trash"),
                make_detector(detector),
                make_landmarker(landmarker),
                (EachFace(reject_false_face),),
            )
            for name, (detector, landmarker) in PAIRS.items()
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in PAIRS}
        with workers.threads(pipeline_workers()) as executor:
            for number in range(ROUNDS + 1):
                for name, extractor in extractors.items():
                    began = time.perf_counter(), time.process_time()
                    list(extract_faces(paths, extractor, executor))
                    if number:  # the first round loads and traces
                        taken[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
        for name, times in taken.items():
            wall, work = (statistics.median(column) for column in zip(*times, strict=True))
            print(f"{name:<18} {FRAMES / wall:5.1f} frames/s, {1000 * work / FRAMES:4.0f} ms of processor per frame")
        ours, theirs = (load_faceset(root / name).by_frame() for name in reversed(PAIRS))
        best = [
            max((overlap(square(face.record), square(other.record)) for other in ours.get(stem, [])), default=0.0)
            for stem, faces in theirs.items()
            for face in faces
            if max(np.ptp(np.reshape(face.record.rect, (2, 2)), axis=0)) > MIN_FACE_PX
        ]
        more = sum(map(len, ours.values())), sum(map(len, theirs.values()))
        print(f"faces over {MIN_FACE_PX} px: {len(best)}; same (IoU > {SAME}): {np.mean(np.array(best) > SAME):.1%}")
        print(
            f"median IoU {np.median(best):.3f}; worst {np.sort(best)[:5].round(2)}; all faces {more[0]} and {more[1]}"
        )


if __name__ == "__main__":
    for count in (1, len(PLACES)):
        measure([Path(text) for text in sys.argv[1:]] or sorted(SAMPLE.glob("*.mp4")), count)
