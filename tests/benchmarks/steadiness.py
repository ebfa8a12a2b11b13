"""How much landmarks tremble: one pass, second pass, and smoothed over time at each strength; with a plot.

    python tests/benchmarks/steadiness.py                          the sample clip data_dst.mp4
    python tests/benchmarks/steadiness.py --clip A.mp4 B.mp4 --frames 300
    python tests/benchmarks/steadiness.py --workspace FOLDER --side dst      faces that were extracted; no search

Trembling is the median second difference over time, where the face is at rest (facewright.faces.steadiness), in per
cent of the distance between the outer corners of the eyes: of the square that places the face, and of the points.
Lag and deviation are those of the fastest tenth of the frames. Kept: how much of the height of blinks (lids that
close by 4 % or more) and of mouths that open (6 % or more) is left, median and least. "Lies otherwise" is how far the
points move in the face when the same picture is turned, scaled and shifted. The plot shows the square's left top
corner and its second difference in the stretch with most of both rest and motion; red as found, blue smoothed.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "_internal")]

from facewright.core.images import Image, write_image  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.extract.detectors.base import Box  # noqa: E402
from facewright.extract.detectors.mtcnn import MtcnnDetector  # noqa: E402
from facewright.extract.landmarkers.base import Landmarker, make_landmarker  # noqa: E402
from facewright.faces.align import transform_points  # noqa: E402
from facewright.faces.faceset import load_faceset  # noqa: E402
from facewright.faces.smoothing import STRENGTHS, Steadiness, compare_tracks, second_differences, smooth_track  # noqa: E402
from facewright.faces.tracks import Sighting, join_tracks, square  # noqa: E402
from sample import SAMPLE  # noqa: E402

SHOWN = 100  # frames in the plot
LONG_ENOUGH = 30  # frames of a track that is measured
RED, BLUE, GREY, WHITE = (60, 60, 220), (200, 110, 20), (150, 150, 150), (255, 255, 255)


def main() -> None:
    """Measure the clips or the workspace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, nargs="+", default=[SAMPLE / "data_dst.mp4"])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--side", choices=("src", "dst"), default="dst")
    parser.add_argument("--landmarker", default="dlib", help="of the faces of a clip")
    parser.add_argument("--plot", type=Path, help="PNG to be written")
    given = parser.parse_args()
    if given.workspace:
        show(given.workspace.name, tracks_of(stored(Workspace(given.workspace), given.side)), given.plot)
        return
    detector, landmarker = MtcnnDetector(), make_landmarker(given.landmarker)
    for clip in given.clip:
        found = search(clip, given.frames, detector)
        print(f"{clip.name}: {len(found)} frames, {sum(len(boxes) for _, boxes in found)} faces", flush=True)
        for accurate in (False, True):
            name = "second pass" if accurate else "one pass"
            begin = time.process_time()
            faces = [
                Sighting(number, landmarker.find(frame, box, accurate=accurate))
                for number, (frame, boxes) in enumerate(found)
                for box in boxes
            ]
            spent = 1000 * (time.process_time() - begin) / max(len(faces), 1)
            apart = otherwise(landmarker, found, accurate=accurate)
            print(f"  {name}: {spent:.1f} ms of one core per face; lies otherwise: {apart:.2f} %")
            plot = given.plot.with_stem(f"{given.plot.stem}_{clip.stem}") if given.plot and not accurate else None
            show(name, tracks_of(faces), plot)


def search(clip: Path, frames: int, detector: MtcnnDetector) -> list[tuple[Image, list[Box]]]:
    """Return the first frames of a clip, each with the squares for the landmarks."""
    found: list[tuple[Image, list[Box]]] = []
    pictures = list(islice(decoded(clip), frames))
    for start in range(0, len(pictures), 16):
        batch = pictures[start : start + 16]
        for frame, boxes in zip(batch, detector.detect(batch), strict=True):
            found.append((frame, [detector.face_square(box) for box in boxes]))
    return found


def decoded(clip: Path) -> Iterator[Image]:
    """Yield the frames of a clip."""
    video = cv2.VideoCapture(str(clip))
    while True:
        done, frame = video.read()
        if not done:
            return
        yield np.asarray(frame, np.uint8)


def stored(workspace: Workspace, side: str) -> list[Sighting]:
    """Return the faces of a side as they were found."""
    records = [face.record for face in load_faceset(workspace.side(side).aligned_dir).faces]
    names = sorted({record.frame for record in records} | {path.name for path in workspace.side(side).frames()})
    number = {name: index for index, name in enumerate(names)}
    return [Sighting(number[r.frame], r.found_landmarks, r.person, r.detector == "manual") for r in records]


def tracks_of(faces: list[Sighting]) -> list[list[Sighting]]:
    """Return the tracks that are long enough and have no gaps."""
    found = [[faces[index] for index in track] for track in join_tracks(faces)]
    return [t for t in found if len(t) >= LONG_ENOUGH and t[-1].time - t[0].time == len(t) - 1]


def otherwise(landmarker: Landmarker, found: list[tuple[Image, list[Box]]], *, accurate: bool) -> float:
    """Return the median distance of points found in turned, scaled and shifted frames, in per cent of the eyes'."""
    random = np.random.default_rng(0)
    apart = []
    for index in np.linspace(0, len(found) - 1, 12).astype(int):
        frame, boxes = found[index]
        for box in boxes[:1]:
            straight = landmarker.find(frame, box, accurate=accurate)
            middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
            turn = cv2.getRotationMatrix2D(middle, random.uniform(-15, 15), random.uniform(0.85, 1.2))
            turn[:, 2] += random.uniform(-4, 4, 2)
            size = frame.shape[1], frame.shape[0]
            other = cv2.warpAffine(frame, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            x, y = transform_points(middle[None], turn)[0] + random.normal(0, 0.04, 2) * box.width
            half = box.width / 2 * np.sqrt(np.linalg.det(turn[:, :2])) * np.exp(random.normal(0, 0.06))
            moved = Box(x - half, y - half, x + half, y + half, 1.0, box.roll)
            again = landmarker.find(np.asarray(other, np.uint8), moved, accurate=accurate)
            eyes = np.linalg.norm(again[36] - again[45])
            apart.append(np.linalg.norm(again - transform_points(straight, turn), axis=1)[17:].mean() / eyes * 100)
    return float(np.median(apart))


@dataclass(frozen=True)
class Kept:
    """Shares of the height of events that smoothing leaves."""

    blinks: list[float]
    mouths: list[float]


def show(name: str, tracks: list[list[Sighting]], plot: Path | None) -> None:
    """Print the figures of all strengths; draw the default one."""
    for strength, how in STRENGTHS.items():
        figures: list[Steadiness] = []
        kept = Kept([], [])
        for track in tracks:
            before, after = np.array([face.points for face in track], float), smooth_track(track, how)
            measured = compare_tracks(before, after)
            if measured is not None:
                figures.append(measured)
            kept.blinks.extend(events(lids(before), lids(after), 4.0))
            kept.mouths.extend(events(mouth(before), mouth(after), 6.0))
            if plot and strength == "medium" and track is max(tracks, key=len):
                write_image(plot, drawing(before, after))
                print(f"  plot: {plot}")
        print(f"    {name}, {strength}: {line(figures)}")
        print(f"      kept: blinks {share(kept.blinks)}, mouth {share(kept.mouths)}")


def line(figures: list[Steadiness]) -> str:
    """Put tracks together: trembling weighted by the frames at rest, the rest by all frames."""
    rest = np.array([one.at_rest for one in figures])
    if not figures:
        return "no track of 30 frames"
    whole = [one.frames for one in figures]
    speed, deviation, lag = (
        np.average([getattr(one, key) for one in figures], weights=whole) for key in ("speed", "deviation", "lag")
    )
    moving = f"at {speed:.1f} % per frame: lag {lag:+.3f} frames, deviation {deviation:.2f} %"
    if not rest.sum():
        return f"never at rest; {moving}"
    resting = [one for one in figures if one.at_rest]
    values = [
        np.average([getattr(one, key)[k] for one in resting], weights=rest[rest > 0])
        for key in ("square", "points")
        for k in (0, 1)
    ]
    square_fell, points_fell = 100 * (1 - values[1] / values[0]), 100 * (1 - values[3] / values[2])
    return (
        f"at rest ({rest.sum()} of {sum(whole)} frames): "
        f"square {values[0]:.2f} -> {values[1]:.2f} % (-{square_fell:.0f} %), "
        f"points {values[2]:.2f} -> {values[3]:.2f} % (-{points_fell:.0f} %); {moving}"
    )


def share(kept: list[float]) -> str:
    """Write median and least of the shares."""
    return f"{np.median(kept):.2f} (least {min(kept):.2f} of {len(kept)})" if kept else "none seen"


def lids(track: np.ndarray) -> np.ndarray:
    """How far the lids are closed, in per cent of the eyes' distance."""
    pairs = ((37, 41), (38, 40), (43, 47), (44, 46))
    return -np.mean([distance(track, *pair) for pair in pairs], axis=0)


def mouth(track: np.ndarray) -> np.ndarray:
    """How far the mouth is open, in the same unit."""
    return distance(track, 62, 66)


def distance(track: np.ndarray, one: int, two: int) -> np.ndarray:
    eyes = np.linalg.norm(track[:, 36] - track[:, 45], axis=1).mean()
    return np.linalg.norm(track[:, one] - track[:, two], axis=1) / eyes * 100


def events(before: np.ndarray, after: np.ndarray, least: float, reach: int = 8) -> Iterator[float]:
    """Yield, for each short peak of `before` at least so high, how much of its height `after` has."""
    for top in range(reach, len(before) - reach):
        around = before[top - reach : top + reach + 1]
        if before[top] < around.max():
            continue

        def height(values: np.ndarray, top: int = top) -> float:
            left, right = values[top - reach : top + 1], values[top : top + reach + 1]
            return float(values[top] - max(left.min(), right.min()))

        if height(before) >= least:
            yield height(after) / height(before)


def drawing(before: np.ndarray, after: np.ndarray) -> Image:
    """Draw traces and second differences of the stretch that has most of both rest and motion."""
    eyes = np.linalg.norm(before[:, 36] - before[:, 45], axis=1).mean() / 100
    one, two = (np.array([square(points) for points in track])[:, :1] / eyes for track in (before, after))
    start = stretch(one[:, 0, 0])
    part = slice(start, start + SHOWN)
    rows = [
        panel(f"left edge (x), frames {start} on", one[part, 0, 0], two[part, 0, 0]),
        panel("upper edge (y)", one[part, 0, 1], two[part, 0, 1]),
        panel("second difference", second_differences(one[part]), second_differences(two[part]), base=0.0),
    ]
    return np.vstack(rows)


def stretch(trace: np.ndarray) -> int:
    """Return where a stretch begins whose parts differ most in how much they move."""
    speed = np.abs(np.diff(trace))
    starts = range(0, max(1, len(trace) - SHOWN + 1), 10)
    return max(starts, key=lambda s: float(np.subtract(*np.quantile(speed[s : s + SHOWN - 1], [0.9, 0.2]))))


def panel(title: str, before: np.ndarray, after: np.ndarray, *, base: float | None = None) -> Image:
    """Draw two traces, values in per cent of the eyes' distance."""
    height, width, margin = 260, 1200, 40
    picture = np.full((height, width, 3), WHITE, np.uint8)
    low = float(before.min()) if base is None else base
    high = max(float(before.max()), low + 1e-6)
    for value in (low, high):
        y = round(height - margin - (value - low) / (high - low) * (height - 2 * margin))
        cv2.line(picture, (margin, y), (width - 10, y), GREY, 1)
        text = f"{value - low if base is None else value:.1f}"
        cv2.putText(picture, text, (4, y + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, GREY, 1, cv2.LINE_AA)
    for trace, colour in ((before, RED), (after, BLUE)):
        x = np.linspace(margin, width - 10, len(trace))
        y = height - margin - (trace - low) / (high - low) * (height - 2 * margin)
        points = np.round(np.column_stack([x, y]) * 16).astype(np.int32)
        cv2.polylines(picture, [points], False, colour, 1, cv2.LINE_AA, 4)
    words = f"{title}, % of the eyes' distance; red: as found, blue: smoothed (medium)"
    cv2.putText(picture, words, (margin, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return picture


if __name__ == "__main__":
    main()
