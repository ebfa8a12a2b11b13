"""How well masks in faces agree with the labels that somebody drew, and what labels give the mask model.

    python tests/benchmarks/masks.py workspace/data_dst/aligned --labels workspace/data_dst/labelled
    python tests/benchmarks/masks.py FACES --labels FOLDER --learn FOLDER --counts 0 5 20 --target-iter 1200

Faces are paired by their file names; a label is what `--labels` says of a face by polygons, or by a painted or
imported mask. Inside the hull: IoU of what is covered, IoU of what is seen, the shares of the hull that are covered,
wrongly called covered, and missed; for the masks in the faces, for the hands that the extraction has found, and for
what a conversion takes: both together.

With --learn the mask model is trained anew on a copy of the faces for each of the counts, with so many of that
folder's labelled faces in their places, evenly chosen by name, and its masks are measured. These faces are to be
others than those of --labels, and more than 12 frames away from them: a label is carried so far. Faces whose label was
drawn without looking at what the extraction had found should carry no mask of it, for it counts as part of the label.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "_internal"))

from facewright.core.workspace import Workspace  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.mask import Mask, record_plane  # noqa: E402
from facewright.faces.record import FaceRecord  # noqa: E402
from facewright.faces.visible import is_labelled, record_hull, uncovered, visible_mask  # noqa: E402

COLUMNS = ("covered", "seen", "share", "wrong", "missed")


def main() -> None:
    """Compare what is there, or train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, help="folder of faces")
    parser.add_argument("--labels", type=Path, required=True, help="folder with some of these faces, labelled")
    parser.add_argument("--learn", type=Path, help="folder with others of these faces, labelled, to learn from")
    parser.add_argument("--counts", type=int, nargs="+", default=[0, 5, 20], help="how many of them are learned from")
    parser.add_argument("--target-iter", type=int, default=1200)
    given = parser.parse_args()
    if given.learn is None:
        compare("faces as they are", given.faces, given.labels)
        return
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            trained = train_on(Workspace(Path(folder)), given, count)
            compare(f"mask model, {count} labelled, {given.target_iter} iterations", trained, given.labels)


def train_on(workspace: Workspace, given: argparse.Namespace, count: int) -> Path:
    """Train a mask model with so many labels and apply it; return the folder of the faces."""
    faces = workspace.dst.aligned_dir
    shutil.copytree(given.faces, faces)
    labelled = sorted(face.path for face in load_faceset(given.learn).faces)
    for place in np.linspace(0, len(labelled) - 1, count).round().astype(int):
        shutil.copy(labelled[place], faces)
    target = ("--target-iter", str(given.target_iter), "--no-window")
    for action in (("train", *target), ("apply",)):
        words = ("mask", "--workspace", str(workspace.root), "--side", "dst", "--yes", "--action", *action)
        subprocess.run([sys.executable, str(REPOSITORY / "main.py"), *words], check=True, stdout=subprocess.DEVNULL)
    return faces


def compare(title: str, faces: Path, labels: Path) -> None:
    """Print a row for each labelled face, and the mean, for each kind of mask."""
    masked = {face.path.name: face.record for face in load_faceset(faces).faces}
    labelled = [face for face in load_faceset(labels).faces if is_labelled(face.record) and face.path.name in masked]
    for kind, mask_of in KINDS.items():
        rows = {face.path.name: measured(masked[face.path.name], mask_of, face.record) for face in labelled}
        if rows:
            rows[f"mean of {len(rows)}"] = tuple(np.mean(list(rows.values()), axis=0).tolist())
        print(f"{title}: {kind}\n{'':<20}", *(f"{name:>8}" for name in COLUMNS))
        for name, row in rows.items():
            print(f"{name:<20}", *(f"{value:8.3f}" for value in row), flush=True)


def own_mask(record: FaceRecord) -> Mask:
    """Return the mask that a face carries; all of it is seen where it has none."""
    mask = record_plane(record.mask, record.size)
    return np.ones((record.size,) * 2, np.float32) if mask is None else mask


KINDS: dict[str, Callable[[FaceRecord], Mask]] = {
    "hands of the extraction": lambda record: uncovered(record, np.ones((record.size,) * 2, np.float32)),
    "masks": own_mask,
    "both": lambda record: uncovered(record, own_mask(record)),
}


def measured(record: FaceRecord, mask_of: Callable[[FaceRecord], Mask], label: FaceRecord) -> tuple[float, ...]:
    """Compare a mask of a face with its label."""
    hull = record_hull(record, record.landmarks, record.size) > 0.5
    found = hull & (mask_of(record) < 0.5)
    truth = hull & (visible_mask(label, record.size) < 0.5)
    area = max(int(hull.sum()), 1)
    wrong, missed = (found & ~truth).sum() / area, (truth & ~found).sum() / area
    return iou(found, truth), iou(hull & ~found, hull & ~truth), truth.sum() / area, wrong, missed


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over the union; 1 where both are empty."""
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0


if __name__ == "__main__":
    main()
