"""Which of MTCNN's faces BlazeFace finds in the same place: their boxes, and the faces that come of them.

    python tests/benchmarks/detectors.py VIDEO [VIDEO ...] --frames 200

Both search the same frames, evenly chosen, with the extraction's own filters for what is no face, and the same
landmarker. For each face of MTCNN over 40 px, what is nearest to it: the intersection over union of the two boxes (each
detector draws them in its own way), that of the squares that the landmarks align, and the mean distance of the 68
points in per cent of the distance of the eyes.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "_internal")]

from benchmarks.landmarkers import MIN_FACE_PX, SAME, overlap, square  # noqa: E402
from extract.test_detectors import overlap as overlap_of_boxes  # noqa: E402
from facewright.core import workers  # noqa: E402
from facewright.core.images import write_image  # noqa: E402
from facewright.extract.detectors.base import Box, make_detector  # noqa: E402
from facewright.extract.filters import EachFace, reject_false_face  # noqa: E402
from facewright.extract.landmarkers.base import make_landmarker  # noqa: E402
from facewright.extract.mesh_judge import MeshJudge  # noqa: E402
from facewright.extract.pipeline import (  # noqa: E402
    ExtractionConfig,
    FaceExtractor,
    extract_faces,
    pipeline_workers,
)
from facewright.faces.expression import eye_distance  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.record import FaceRecord  # noqa: E402

DETECTORS = ("mtcnn", "blazeface")
LOST = (0.0, 0.0, np.inf)  # of a face that is not found at all


def main() -> None:
    """Measure each video."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=200, help="of each video, at most")
    parser.add_argument("--landmarker", default="dlib")
    given = parser.parse_args()
    for video in given.videos:
        with tempfile.TemporaryDirectory() as folder:
            paths = chosen_frames(video, given.frames, Path(folder))
            one, other = (searched(paths, Path(folder) / name, name, given.landmarker) for name in DETECTORS)
        report(f"{video.stem}, {len(paths)} frames", one, other)


def chosen_frames(video: Path, most: int, folder: Path) -> list[Path]:
    """Write frames of a video, evenly chosen, as PNG files."""
    clip, frames = cv2.VideoCapture(str(video)), []
    while (read := clip.read())[0]:
        frames.append(read[1])
    paths = []
    for number in np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).astype(int)):
        paths.append(folder / f"{number + 1:05d}.png")
        write_image(paths[-1], frames[number])
    return paths


def searched(paths: list[Path], folder: Path, detector: str, landmarker: str) -> dict[str, list[FaceRecord]]:
    """Extract by a detector; return the faces by the name of their frame."""
    folder.mkdir()
    filters = (EachFace(reject_false_face), MeshJudge())
    config = ExtractionConfig(folder, folder / "trash")
    extractor = FaceExtractor(config, make_detector(detector), make_landmarker(landmarker), filters)
    with workers.threads(pipeline_workers()) as executor:
        list(extract_faces(paths, extractor, executor))
    found: dict[str, list[FaceRecord]] = {}
    for face in load_faceset(folder).faces:
        found.setdefault(face.record.frame, []).append(face.record)
    return found


def report(title: str, one: dict[str, list[FaceRecord]], other: dict[str, list[FaceRecord]]) -> None:
    """Print the shares that are the same, and the faces that differ most."""
    pairs = [
        (
            record,
            max((likeness(record, second) for second in other.get(frame, [])), key=lambda row: row[1], default=LOST),
        )
        for frame, records in sorted(one.items())
        for record in records
        if max(np.ptp(np.reshape(record.rect, (2, 2)), axis=0)) > MIN_FACE_PX
    ]
    rows = np.array([row for _, row in pairs]).reshape(-1, 3)
    boxes, squares = (float((rows[:, kind] > SAME).mean()) for kind in (0, 1))
    print(f"{title}: {len(rows)} faces of {DETECTORS[0]} over {MIN_FACE_PX} px")
    print(
        f"  same box {boxes:.1%}, same aligned square {squares:.1%} (IoU > {SAME}); not found {(rows[:, 1] == 0).sum()}"
    )
    print(f"  median IoU of boxes {np.median(rows[:, 0]):.3f}, of squares {np.median(rows[:, 1]):.3f}")
    print(f"  landmarks apart: median {np.median(rows[:, 2]):.2f} %, nine tenths {np.quantile(rows[:, 2], 0.9):.2f} %")
    print(f"  faces in all: {sum(map(len, one.values()))} and {sum(map(len, other.values()))}")
    for record, row in sorted(pairs, key=lambda pair: pair[1][1])[:8]:
        if row[1] <= SAME:
            print(
                f"    {record.frame} {np.rint(record.rect).astype(int).tolist()} box {row[0]:.2f} square {row[1]:.2f}"
            )


def likeness(one: FaceRecord, other: FaceRecord) -> tuple[float, float, float]:
    """Return the overlap of two faces' boxes and of their squares, and how far their points are apart, per cent."""
    apart = np.linalg.norm(one.frame_landmarks - other.frame_landmarks, axis=1).mean()
    boxes = overlap_of_boxes(Box(*one.rect, one.score), Box(*other.rect, other.score))
    return boxes, overlap(square(one), square(other)), 100 * float(apart) / eye_distance(one.frame_landmarks)


if __name__ == "__main__":
    main()
