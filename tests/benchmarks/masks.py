"""How well masks in faces agree with the labels that somebody drew.

    python tests/benchmarks/masks.py workspace/data_dst/aligned --labels workspace/data_dst/labelled

Faces of both folders are paired by their file names; a label is what `--labels` says of a face by polygons, or by a
painted or imported mask. Inside the hull: IoU of what is covered, IoU of what is seen, the shares of the hull that
are covered, wrongly called covered, and missed. For an honest figure the model must not have seen these labels: train
it on a copy of the workspace without them, or with others.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_internal"))

from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.mask import decode_mask
from facewright.faces.visible import is_labelled, record_hull, visible_mask


def main() -> None:
    """Print a row for each labelled face, and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, help="folder of faces with masks")
    parser.add_argument("--labels", type=Path, required=True, help="folder with the same faces, labelled")
    given = parser.parse_args()
    masked = {face.path.name: face for face in load_faceset(given.faces).faces}
    labelled = [face for face in load_faceset(given.labels).faces if is_labelled(face.record)]
    rows = {face.path.name: measured(masked[face.path.name], face) for face in labelled if face.path.name in masked}
    print(f"{'face':<20} {'covered':>8} {'seen':>8}   share   wrong  missed")
    for name, row in rows.items():
        print(f"{name:<20} {row[0]:8.2f} {row[1]:8.2f}", *(f"{value:7.3f}" for value in row[2:]))
    if rows:
        mean = np.mean(list(rows.values()), axis=0)
        print(
            f"{'mean of ' + str(len(rows)):<20} {mean[0]:8.2f} {mean[1]:8.2f}", *(f"{value:7.3f}" for value in mean[2:])
        )


def measured(masked: FaceFile, labelled: FaceFile) -> tuple[float, ...]:
    """Compare a face's mask with its label."""
    side = masked.record.size
    hull = record_hull(masked.record, masked.record.landmarks, side) > 0.5
    mask = None if masked.record.mask is None else decode_mask(masked.record.mask)
    found = hull & ((np.ones_like(hull) if mask is None else mask) < 0.5)
    truth = hull & (visible_mask(labelled.record, side) < 0.5)
    area = max(int(hull.sum()), 1)
    wrong, missed = (found & ~truth).sum() / area, (truth & ~found).sum() / area
    return iou(found, truth), iou(hull & ~found, hull & ~truth), truth.sum() / area, wrong, missed


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over the union; 1 where both are empty."""
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0


if __name__ == "__main__":
    main()
