"""What is lost of a faceset when only the first faces of a sort are kept.

    python tests/benchmarks/thinning.py workspace/data_src/aligned other/aligned

For each way the first 15 % and 33 % are kept. Printed is how far a face of the whole set is from the nearest kept one,
on the average: in landmarks (shares of the face's side) and in grey pixels of the face (of equal brightness and
contrast). Smaller is better; a random choice is the measure of all.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_internal"))

from facewright.faces.faceset import load_faceset
from facewright.faces.mask import hull_mask
from facewright.facesets.distances import Histograms
from facewright.facesets.orders import most_different_first
from facewright.facesets.sort_base import FaceToSort, methods
from facewright.facesets.sort_records import landmarks_of

SHARES = (0.15, 0.33)


def main() -> None:
    """Thin each folder in every way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of aligned faces")
    for folder in parser.parse_args().folders:
        faces = [FaceToSort(file) for file in load_faceset(folder).faces]
        points = np.array([landmarks_of(face) for face in faces])
        pixels = np.array([grey_face(face) for face in faces])
        print(f"{folder}, {len(faces)} faces: landmarks and pixels at {', '.join(f'{s:.0%}' for s in SHARES)}")
        for name, kept in choices(faces).items():
            losses = [(loss(points, k), loss(pixels, k)) for k in kept]
            print(f"  {name:<28}" + "".join(f"{a:8.3f} {b:7.2f}  " for a, b in losses), flush=True)


def choices(faces: list[FaceToSort]) -> dict[str, list[list[int]]]:
    """Return the kept faces by the way they were chosen, one list for each share."""
    counts = [int(len(faces) * share) for share in SHARES]
    random = np.random.default_rng(0)
    found = {"random": [random.permutation(len(faces))[:count].tolist() for count in counts]}
    for name in ("hist-dissim", "face-dissim", "absdiff", "final", "final-fast"):
        method = methods()[name]
        measures = np.array([method.measure(face) for face in faces])
        settings = [method.options(keep=count) if name.startswith("final") else None for count in counts]
        settings = [method.options(follow="farthest") for _ in counts] if name == "absdiff" else settings
        found[name] = [list(method.arrange(measures, s).order)[:c] for s, c in zip(settings, counts, strict=True)]
    inside = np.array([grey_histogram(face) for face in faces])
    order = most_different_first(Histograms)(inside)
    found["hist-dissim, grey in the hull"] = [order[:count] for count in counts]
    return found


def grey_histogram(face: FaceToSort) -> np.ndarray:
    """The measure of later versions of DeepFaceLab: one grey histogram inside the face."""
    mask = (hull_mask(face.record.landmarks, face.image.shape[:2]) > 0.5).astype(np.uint8)
    return cv2.calcHist([cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY)], [0], mask, [256], [0, 256]).ravel()


def grey_face(face: FaceToSort) -> np.ndarray:
    """The middle of the picture in 24 x 24 grey pixels with mean 0 and deviation 1."""
    edge = face.image.shape[0] // 6
    grey = cv2.cvtColor(face.image[edge:-edge, edge:-edge], cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (24, 24), interpolation=cv2.INTER_AREA).astype(float).ravel()
    return (small - small.mean()) / (small.std() + 1e-6)


def loss(values: np.ndarray, kept: list[int]) -> float:
    """Mean distance of all to the nearest kept one."""
    return float(np.mean([np.linalg.norm(values[kept] - value, axis=1).min() for value in values]))


if __name__ == "__main__":
    main()
