"""How many planted faults a review shows first: faults of every kind in a copy of a converted workspace.

    main.py benchmark --name review --arguments '--workspace workspace --others ELSEWHERE/data_src/aligned'

The workspace is copied, converted (what is not yet), and reviewed once for its own faults. Then faults are planted in
frames drawn by a seed, as many of each kind: wrong landmarks and missing faces before a second conversion, the others
in its results. Printed for each kind: how many there are, how many of them are among the first of the list, where the
last of them is, and by which reasons they were found. --page FILE writes what the page of such a review shows; the
image in the documents was made so.
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
sys.path[:0] = [str(REPOSITORY / "_internal"), str(REPOSITORY / "tests")]

import browser  # noqa: E402
from facewright.convert.parameters import ConvertOptions  # noqa: E402
from facewright.convert.session import SavedModels, convert  # noqa: E402
from facewright.core.images import decode, encode  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.extract.side_run import ModelLoader  # noqa: E402
from facewright.marking.provenance import mark_jpeg  # noqa: E402
from facewright.review.listing import ReviewList  # noqa: E402
from facewright.review.page import ReviewServer  # noqa: E402
from facewright.review.ranking import worst_first  # noqa: E402
from facewright.review.session import review  # noqa: E402
from facewright.ui.page import Page  # noqa: E402
from review.faults import AFTER, BEFORE, Place, choose, single_faces  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=REPOSITORY / "workspace")
    parser.add_argument("--others", type=Path, help="aligned faces of somebody else; without it dst's own are pasted")
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--first", type=int, default=60, help="frames that are looked at")
    parser.add_argument("--strength", type=float, default=1.0, help="of the faults; 1 is what nobody overlooks")
    parser.add_argument("--page", type=Path, help="a JPEG of the page; needs Chromium and chromedriver")
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
    if given.page:
        picture(workspace, after, models, given.page)
    shutil.rmtree(root)


def plant(workspace, given, random):
    """Plant the faults; return name of the frame -> the fault's."""
    others = tuple(sorted((given.others or workspace.dst.aligned_dir).glob("*.png")))
    faces = choose(single_faces(workspace), given.faults, random)
    kinds = [(*BEFORE, *AFTER)[at % len((*BEFORE, *AFTER))] for at in range(len(faces))]
    places = [Place(workspace, face, others, given.strength) for face in faces]
    for place, kind in zip(places, kinds, strict=True):
        if kind in BEFORE:
            kind(place, random)
    convert(workspace, ConvertOptions(), SavedModels())
    for place, kind in zip(places, kinds, strict=True):
        if kind in AFTER:
            kind(place, random)
    return {place.face.record.frame: kind for place, kind in zip(places, kinds, strict=True)}


def picture(workspace, found, models, file):
    """Write an image of the page at its third frame."""
    server = ReviewServer(workspace, ReviewList(workspace, found), models, lambda options: SavedModels())
    with Page(server.page.answer) as served, browser.browser() as shown:
        shown.look(1240, 860, "light")
        shown.open(served.address)
        for key, width in (("", 640), ("v", 1280), ("\ue015", 1280), ("\ue015", 1280)):
            if key:
                shown.key(key)
            time.sleep(1)
            while shown.script("return document.getElementById('shown').naturalWidth") != width:
                time.sleep(0.2)
        file.write_bytes(mark_jpeg(encode(decode(shown.screenshot(), "page"), ".jpg", quality=85)))


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
