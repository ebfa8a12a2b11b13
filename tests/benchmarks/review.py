"""How many planted faults a review shows first: faults of every kind in a copy of a converted workspace.

    main.py benchmark --name review --arguments '--workspace workspace --others ELSEWHERE/data_src/aligned'

The workspace is copied, converted (what is not yet), and reviewed once for its own faults. Then faults are planted in
frames drawn by a seed, as many of each kind: wrong landmarks and missing faces before a second conversion, the others
in its results. Printed for each kind: how many there are, how many of them are among the first of the list, where
the last of them is, and by which reasons they were found.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "_internal"), str(REPOSITORY / "tests" / "review")]

from faults import AFTER, BEFORE, Place, choose, single_faces  # noqa: E402

from facewright.convert.parameters import ConvertOptions  # noqa: E402
from facewright.convert.session import SavedModels, convert  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.extract.side_run import ModelLoader  # noqa: E402
from facewright.review.ranking import worst_first  # noqa: E402
from facewright.review.session import review  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=REPOSITORY / "workspace")
    parser.add_argument("--others", type=Path, help="aligned faces of somebody else; without it dst's own are pasted")
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--first", type=int, default=60, help="frames that are looked at")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.workspace.resolve().parent) as folder:
        for seed in given.seeds:
            measure(given, Path(folder) / f"seed{seed}", seed)


def measure(given, root, seed):
    shutil.copytree(given.workspace, root, ignore=shutil.ignore_patterns("trash", "logs"))
    workspace, random, models = Workspace(root), np.random.default_rng(seed), ModelLoader()
    convert(workspace, ConvertOptions(), SavedModels())
    before = review(workspace, models)
    print(f"Seed {seed}: {len(before.scores)} frames, {sum(one.needs_a_look for one in before.scores)} need a look.")
    planted = plant(workspace, given, random)
    began = time.perf_counter()
    after = review(workspace, models)
    print(f"Reviewed again in {time.perf_counter() - began:.1f} s.")
    report(planted, after, given.first)
    shutil.rmtree(root)


def plant(workspace, given, random):
    """Plant the faults; return name of the frame -> the fault's."""
    others = tuple(sorted((given.others or workspace.dst.aligned_dir).glob("*.png")))
    faces = choose(single_faces(workspace), given.faults, random)
    kinds = [(*BEFORE, *AFTER)[at % len((*BEFORE, *AFTER))] for at in range(len(faces))]
    places = [Place(workspace, face, others) for face in faces]
    for place, kind in zip(places, kinds, strict=True):
        if kind in BEFORE:
            kind(place, random)
    convert(workspace, ConvertOptions(), SavedModels())
    for place, kind in zip(places, kinds, strict=True):
        if kind in AFTER:
            kind(place, random)
    return {place.face.record.frame: kind for place, kind in zip(places, kinds, strict=True)}


def report(planted, found, first):
    listed = worst_first(found.scores)
    position = {one.name: at for at, one in enumerate(listed, 1)}
    reasons = {one.name: str(one.kind) for one in listed}
    print(f"{'fault':<18}{'planted':>8}{'found':>7}{'last at':>9}  found as")
    for kind in (*BEFORE, *AFTER):
        names = [name for name, own in planted.items() if own is kind]
        at = [position.get(name, len(found.scores)) for name in names]
        shown = [name for name, place in zip(names, at, strict=True) if place <= first]
        words = ", ".join(f"{reason} {count}" for reason, count in Counter(map(reasons.get, shown)).items())
        print(f"{kind.__name__:<18}{len(names):>8}{len(shown):>7}{max(at, default=0):>9}  {words}")
    shown = sum(position.get(name, first + 1) <= first for name in planted)
    print(f"{shown} of {len(planted)} faults among the first {first} frames ({shown / max(len(planted), 1):.0%}).")


if __name__ == "__main__":
    main()
