"""Who is who: time per face, thresholds of the groups, thresholds of a photo.

    _internal/env/bin/python tests/benchmarks/people.py FOLDER FOLDER ...

Each folder holds the aligned faces of one person (data_dst/aligned of a clip). Noise in it (hands, blur) is left out
first: what the default threshold does not group with the folder's person. Folders of one person in two clips are
joined with +: a/data_dst/aligned+b/data_dst/aligned.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_internal"))

from facewright.core.images import read_image
from facewright.extract import embedding
from facewright.extract.dlib_files import model_file
from facewright.extract.embedding import Embedder, chip
from facewright.faces.faceset import load_faceset
from facewright.faces.grouping import persons

GROUPED = (0.34, 0.37, 0.40, 0.43, 0.46, 0.49, 0.52, 0.55, 0.58)
PHOTO = (0.40, 0.45, 0.50, 0.55, 0.60)
PER_PERSON = 250


def chips_of(folders):
    """Cut the chips of all faces of some folders."""
    faces = [face for folder in folders for face in load_faceset(Path(folder)).faces]
    return [chip(read_image(face.path), face.record.landmarks) for face in faces]


def timing(embedder, chips):
    """Print ms per face: ours one by one and 16 at once, dlib's own code."""
    dlib = importlib.import_module("dlib")
    theirs = dlib.face_recognition_model_v1(str(model_file(embedding.WEIGHTS)))
    chips = (chips * 32)[:32]
    flipped = [np.ascontiguousarray(one[..., ::-1]) for one in chips]
    ways = {
        "ours, one by one": lambda: [embedder.embed([one]) for one in chips],
        "ours, 16 at once": lambda: [embedder.embed(chips[:16]), embedder.embed(chips[16:])],
        "dlib's own code": lambda: [theirs.compute_face_descriptor(one) for one in flipped],
    }
    for name, way in ways.items():
        way()
        start = time.perf_counter()
        way()
        print(f"{name}: {(time.perf_counter() - start) / len(chips) * 1000:.1f} ms per face")


def grouping(people, random):
    """Print for each threshold how many faces lie with somebody else's, and how many persons are in several groups."""
    some = [one[random.permutation(len(one))[:PER_PERSON]] for one in people]
    who = np.repeat(np.arange(len(some)), [len(one) for one in some])
    faces = np.concatenate(some)
    print(f"{len(faces)} faces of {len(people)} people")
    for threshold in GROUPED:
        numbers = persons(faces, threshold)
        groups = [np.bincount(who[numbers == number]) for number in np.unique(numbers)]
        mixed = sum(int(group.sum() - group.max()) for group in groups)
        parted = sum(len(np.unique(numbers[who == one])) > 1 for one in range(len(some)))
        print(f"  {threshold:.2f}: {mixed} faces with another person, {parted} people in several groups")


def photos(people, random):
    """Print what a single face, taken as the photo, keeps of its person and of all others."""
    for count in (1, 3):
        for threshold in PHOTO:
            own, others = [], []
            for index, one in enumerate(people):
                rest = np.concatenate([other for place, other in enumerate(people) if place != index])
                for _ in range(20):
                    given = one[random.choice(len(one), count, replace=False)]
                    for kept, faces in ((own, one), (others, rest)):
                        near = np.min([np.linalg.norm(faces - photo, axis=1) for photo in given], axis=0)
                        kept.append((near <= threshold).mean())
            print(f"  {count} photo(s), {threshold:.2f}: own {np.mean(own):.2%}, others {np.mean(others):.2%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", help="aligned faces of one person each")
    arguments = parser.parse_args()
    embedder, random = Embedder(), np.random.default_rng(0)
    people = []
    for text in arguments.folders:
        chips = chips_of(text.split("+"))
        if not people:
            timing(embedder, chips)
        found = np.concatenate([embedder.embed(chips[start : start + 16]) for start in range(0, len(chips), 16)])
        people.append(found[persons(found) == 1])
    grouping(people, random)
    photos(people, random)


if __name__ == "__main__":
    main()
