"""How far filled-in landmarks are off: a tenth of the faces of a clip is left out, in runs of up to eight frames.

    python tests/benchmarks/gaps.py --workspace FOLDER [FOLDER ...]     faces of dst that were extracted

For each run the landmarks of the faces left out are made from their neighbours, as the extraction does it
(facewright.faces.flow), and by a straight line, and compared with those that were found: mean distance of the 68
points, in per cent of the distance of the eyes. "Lost" is what the flow itself says of its error, by which what cannot
be carried is left out.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "_internal")]

from facewright.core.images import read_image  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.extract.follow import FollowedFaces, follow_faces  # noqa: E402
from facewright.extract.log import ExtractionLog  # noqa: E402
from facewright.faces.expression import eye_distance  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.flow import carry_points  # noqa: E402

SHARE, LONGEST, APART = 0.1, 8, 3  # of the faces; frames of a run; frames between two runs, at least
LEAST = 30  # faces of a track


def main() -> None:
    """Measure the workspaces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, nargs="+", required=True)
    for folder in parser.parse_args().workspace:
        side = Workspace(folder).dst
        followed = follow_faces(side, ExtractionLog.read(side), load_faceset(side.aligned_dir))
        begin, straight, carried, lost = time.perf_counter(), [], [], []
        for frames, points in runs(followed, np.random.default_rng(0)):
            images = [read_image(side.frames_dir / name) for name in frames]
            share = np.linspace(0, 1, len(frames))[1:-1, None, None]
            found = carry_points(images, points[0], points[-1])
            straight += errors(points[0] + share * (points[-1] - points[0]), points[1:-1])
            carried += errors(found.points, points[1:-1])
            lost += [found.lost] * (len(frames) - 2)
        each = 1000 * (time.perf_counter() - begin) / max(len(carried), 1)
        print(f"{folder.name}: {len(carried)} faces left out of {len(followed.files)}, {each:.0f} ms each")
        for name, values in (("straight line", straight), ("flow", carried), ("lost", [100 * one for one in lost])):
            figures = f"mean {np.mean(values):.2f}, nine tenths below {np.quantile(values, 0.9):.2f}"
            print(f"  {name:>13}: {figures}, most {max(values):.2f} %")


def runs(followed: FollowedFaces, random: np.random.Generator) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield runs as names of their frames and (n, 68, 2) landmarks, with the faces before and after them."""
    for track in followed.tracks:
        times = [followed.sightings[index].time for index in track]
        if len(track) < LEAST or any(after - before > 1 for before, after in pairwise(times)):
            continue
        points = np.array([followed.files[index].record.found_landmarks for index in track], np.float64)
        left_out, at = 0, int(random.integers(APART, 2 * LONGEST))
        while left_out < SHARE * len(track):
            count = int(random.integers(1, LONGEST + 1))
            if at + count + 1 > len(track):
                break
            yield [followed.names[time] for time in times[at - 1 : at + count + 1]], points[at - 1 : at + count + 1]
            left_out += count
            at += count + APART + int(random.integers(0, 9 * LONGEST))


def errors(made: np.ndarray, found: np.ndarray) -> list[float]:
    """Return the error of each face, per cent."""
    return [
        100 * float(np.linalg.norm(one - other, axis=1).mean()) / eye_distance(other)
        for one, other in zip(made, found, strict=True)
    ]


if __name__ == "__main__":
    main()
