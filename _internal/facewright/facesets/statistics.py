"""What a faceset holds, counted: poses, sizes, sharpness, light, frames, persons; and the advice that follows.

The rules: about so many src faces as are enough (`ENOUGH_FACES`), with the poses and expressions of dst, no blurred
ones, no mixed light; of dst every face that is to be replaced.
"""

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.console import counted
from facewright.core.errors import UserError
from facewright.core.files import natural
from facewright.core.hints import command_line
from facewright.core.images import Image, read_image
from facewright.core.machine import cores
from facewright.core.workers import ordered_map
from facewright.core.workspace import Side
from facewright.faces.expression import openings
from facewright.faces.faceset import ENOUGH_FACES, FaceFile, FaceIndex
from facewright.faces.landmarks import IBUG68
from facewright.faces.like_poses import POSE_FACES
from facewright.faces.mask import hull_mask
from facewright.faces.record import FaceRecord
from facewright.faces.sharpness import SOFT, sharpness, sharpness_words
from facewright.facesets.looks import Looks, expression_words, pose_words
from facewright.ui.contact_sheet import fit
from facewright.ui.plots import Bars, Grid, Plot, histogram

FEW, MANY = ENOUGH_FACES // 2, 3 * ENOUGH_FACES // 2  # faces of src: less or more is worth a word
BLUR_RATIO = 1 / 3  # of the median sharpness of the set: less is blurred
MAX_BRIGHTNESS_RANGE = 90.0  # grey levels between the darkest and the brightest twentieth
POSE_BIN_DEGREES = 15.0  # degrees of a bin
YAWS = np.arange(-90.0, 91.0, POSE_BIN_DEGREES)
PITCHES = np.arange(-60.0, 61.0, POSE_BIN_DEGREES)
MIN_POSE_SHARE = 0.01  # share of the other side's faces from which on a cell is outlined
MIN_FACES_PER_SIDE = 10  # src faces that look to a side, below which they are few
MIN_BOX_PX = 100.0  # pixels of a box: models see more than that
PROFILE_DEGREES = 30.0  # degrees: from here on a face is turned


@dataclass(frozen=True)
class MeasuredFace:
    """One face.

    Attributes:
        name: Its file.
        frame: Its frame.
        yaw, pitch: In degrees.
        side: Root of the area of the detector's box, in the frame's pixels.
        sharpness: See `faces/sharpness.py`.
        brightness: Mean grey inside the face, 0..255.
        person: Number of the person, or None.
        outside: Whether a landmark lies outside the image.
        eyes, mouth: How far they are open: see `faces/expression.py`.
    """

    name: str
    frame: str
    yaw: float
    pitch: float
    side: float
    sharpness: float
    brightness: float
    person: int | None
    outside: bool
    eyes: float
    mouth: float


def measure_face(file: FaceFile, image: Image) -> MeasuredFace:
    """Measure a face.

    Args:
        file: Its file, with the record.
        image: (h, w, 3) uint8 BGR, its aligned image.
    """
    record = file.record
    eyes, mouth = openings(record)
    inside = hull_mask(record.landmarks, (image.shape[0], image.shape[1])) > 0.5
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    points = record.landmarks[IBUG68.inner :]  # the jaw of a half face lies outside and may
    outside = points.min() < -0.5 or (points.max(0) > np.array(image.shape[1::-1]) - 0.5).any()
    return MeasuredFace(
        name=file.path.name,
        frame=record.frame,
        yaw=record.pose[0],
        pitch=record.pose[1],
        side=box_side(record),
        sharpness=sharpness(image, record.landmarks),
        brightness=float(grey[inside].mean() if inside.any() else grey.mean()),
        person=record.person,
        outside=bool(outside),
        eyes=eyes,
        mouth=mouth,
    )


def box_side(record: FaceRecord) -> float:
    """Return the root of the area of the detector's box, in the frame's pixels."""
    left, top, right, bottom = record.rect
    return float(np.sqrt(abs((right - left) * (bottom - top))))


@dataclass(frozen=True)
class Statistics:
    """A faceset in numbers.

    Attributes:
        faces: Every face that could be measured.
        damaged: Number of files whose image or record is damaged.
        frames: Names of all frames that are there; empty where they are gone.
    """

    faces: tuple[MeasuredFace, ...]
    damaged: int = 0
    frames: frozenset[str] = frozenset()

    @cached_property
    def poses(self) -> NDArray[np.float64]:
        """(n, 2) yaw and pitch in degrees."""
        return np.array([(face.yaw, face.pitch) for face in self.faces], np.float64).reshape(-1, 2)

    @cached_property
    def sharpness(self) -> NDArray[np.float64]:
        """(n) sharpness."""
        return np.array([face.sharpness for face in self.faces], np.float64)

    @cached_property
    def sides(self) -> NDArray[np.float64]:
        """(n) sides of the boxes in pixels."""
        return np.array([face.side for face in self.faces], np.float64)

    @cached_property
    def brightness(self) -> NDArray[np.float64]:
        """(n) mean grey, 0..255."""
        return np.array([face.brightness for face in self.faces], np.float64)

    @cached_property
    def looks(self) -> Looks:
        """Poses and expressions."""
        opened = np.array([(face.eyes, face.mouth) for face in self.faces], np.float64).reshape(-1, 2)
        return Looks(self.poses, opened[:, 0], opened[:, 1])

    @cached_property
    def persons(self) -> dict[int, int]:
        """Number of faces of each person, in the order of the numbers; empty where faces were not compared."""
        return dict(sorted(Counter(face.person for face in self.faces if face.person is not None).items()))

    @cached_property
    def per_frame(self) -> Counter[str]:
        """Number of faces of each frame that has any."""
        return Counter(face.frame for face in self.faces)

    @property
    def blur_limit(self) -> float:
        """Sharpness below which a face counts as blurred, compared with the others of the set."""
        return BLUR_RATIO * float(np.median(self.sharpness)) if len(self.faces) else 0.0

    @property
    def blurred(self) -> int:
        """Number of blurred faces."""
        return int((self.sharpness < self.blur_limit).sum())

    @property
    def faceless(self) -> list[str]:
        """Names of the frames without a face, sorted."""
        return sorted(self.frames - self.per_frame.keys(), key=natural)

    @property
    def crowded(self) -> list[str]:
        """Names of the frames with several faces, sorted."""
        return sorted((frame for frame, count in self.per_frame.items() if count > 1), key=natural)


def measure_faces(
    side: Side, faceset: FaceIndex, executor: Executor, chosen: Container[str] = (), cell: int = 0
) -> tuple[Statistics, list[tuple[str, Image]]]:
    """Measure all faces, a few at a time; files whose image is damaged get a warning and are left out.

    Args:
        side: Whose faces.
        faceset: The faces.
        executor: Threads that measure.
        chosen: Names of the files of which a small image is wanted.
        cell: Side of the small images in pixels.

    Returns:
        The numbers; (label, (cell, cell, 3) uint8 BGR) of the chosen ones.
    """

    def work(file: FaceFile) -> tuple[MeasuredFace, Image | None] | UserError:
        try:
            image = read_image(file.path)
        except UserError as problem:
            return problem
        return measure_face(file, image), fit(image, (cell, cell)) if file.path.name in chosen else None

    faces: list[MeasuredFace] = []
    images: list[tuple[str, Image]] = []
    results = ordered_map(work, faceset.faces, executor, ahead=4 * cores())
    for result in console.progress(results, total=len(faceset.faces), title="Looking", unit="faces"):
        if isinstance(result, UserError):
            console.warn(result.happened)
            continue
        faces.append(result[0])
        if result[1] is not None:
            images.append((Path(result[0].name).stem, result[1]))
    damaged = len(faceset.bad) + len(faceset.faces) - len(faces)
    return Statistics(tuple(faces), damaged, frozenset(path.name for path in side.frames())), images


@dataclass(frozen=True)
class Advice:
    """One line for the user: something that is fine, or something to look at."""

    text: str
    fine: bool = False


def faceset_summary(stats: Statistics) -> str:
    """Return the set in one line."""
    count = len(stats.faces)
    if not count:
        return "no faces"
    yaws = np.percentile(stats.poses[:, 0], (2, 98))
    frames, sharp = len(stats.per_frame), float(np.median(stats.sharpness))
    return (
        f"{count} face{'s' * (count > 1)} of {frames} frame{'s' * (frames > 1)}; "
        f"yaw {yaws[0]:+z.0f} to {yaws[1]:+z.0f} degrees, "
        f"box {np.median(stats.sides):.0f} px, brightness {np.median(stats.brightness):.0f} (middle values); "
        f"sharpness {sharp:.0f}: {sharpness_words(sharp)}"
    )


def advise(stats: Statistics, side: str, other: Looks | None = None) -> list[Advice]:
    """Return what the rules say about this set.

    Args:
        stats: The set.
        side: "src" or "dst".
        other: The looks of the other side's faces; None or empty where there are none.
    """
    if not stats.faces:
        return []
    lines = list(_src(stats, other) if side == "src" else _dst(stats, other))
    return [*lines, *_both(stats, side)]


def _src(stats: Statistics, dst: Looks | None) -> Iterator[Advice]:
    yield _enough(len(stats.faces))
    if dst:
        yield from _lacking(stats.looks, dst)
    else:
        yield from _spread(stats.poses)
    sharp = float(np.median(stats.sharpness))
    if sharp < SOFT:
        yield Advice(
            f"Sharpness {sharp:.0f}: {sharpness_words(sharp)}. No network paints finer than what it is shown: use a "
            "sharper video, or one with larger faces."
        )
    if stats.blurred:
        share, limit = stats.blurred / len(stats.faces), f"{stats.blur_limit:.0f}"
        yield Advice(
            f"Blurred beside the others (sharpness under {limit}): {stats.blurred} of the faces ({share:.1%}). "
            "Sort by blur and delete the tail."
        )
    middle = float(np.median(stats.sides))
    if middle < MIN_BOX_PX:
        yield Advice(f"The faces are small in their frames ({middle:.0f} px): nearer ones give a sharper result.")
    low, high = np.percentile(stats.brightness, (5, 95))
    if high - low > MAX_BRIGHTNESS_RANGE:
        yield Advice(
            f"The light is mixed (brightness {low:.0f} to {high:.0f} of 255): sort by hist and keep one kind of light."
        )


def _enough(count: int) -> Advice:
    """Hold the number of src's faces against the one that is enough."""
    if count < FEW:
        return Advice(f"Few faces ({count}): {ENOUGH_FACES} are enough. Use a longer video, or several (merge).")
    if count < ENOUGH_FACES:
        return Advice(f"{counted(count, 'face')} will do if they show all that dst shows; {ENOUGH_FACES} are enough.")
    if count <= MANY:
        return Advice(f"{counted(count, 'face')}: enough.", fine=True)
    return Advice(
        f"Many faces ({count}): {ENOUGH_FACES} that differ are enough. Once blurred and wrong ones are deleted, "
        f"sort --by final --keep {ENOUGH_FACES} chooses them."
    )


def _spread(poses: NDArray[np.float64]) -> Iterator[Advice]:
    """Check the yaws of src alone."""
    left, right = int((poses[:, 0] > PROFILE_DEGREES).sum()), int((poses[:, 0] < -PROFILE_DEGREES).sum())
    for count, where in ((left, "left"), (right, "right")):
        if count < max(MIN_FACES_PER_SIDE, 0.02 * len(poses)):
            yield Advice(
                f"Few faces look more than {PROFILE_DEGREES:.0f} degrees to the {where} of the image: {count}."
            )


def _lacking(src: Looks, dst: Looks) -> Iterator[Advice]:
    """Name what dst shows and src hardly does."""
    if len(src) < POSE_FACES:
        return
    words = pose_words(src, dst)
    yield Advice(words or "Src has every pose that dst shows.", fine=not words)
    for line in expression_words(src, dst):
        yield Advice(line)


def _dst(stats: Statistics, src: Looks | None) -> Iterator[Advice]:
    if stats.frames:
        without = stats.faceless
        if without:
            yield Advice(
                f"Frames without a face: {len(without)} of {len(stats.frames)} ({_some(without)}). "
                "They stay as they are. Where somebody is to be seen: search again with fix."
            )
        else:
            yield Advice("Every frame has a face.", fine=True)
        gone = sorted(stats.per_frame.keys() - stats.frames, key=natural)
        if gone:
            yield Advice(f"Frames that are gone: {len(gone)} ({_some(gone)}). Their faces cannot be converted.")
    if stats.crowded:
        several = f"Frames with several faces: {len(stats.crowded)} ({_some(stats.crowded)})."
        yield Advice(f"{several} Delete those not to be replaced.")
    if src:
        yield from _lacking(src, stats.looks)
    if stats.blurred:
        yield Advice(f"Blurred faces: {stats.blurred}. Keep them, every face of dst is to be replaced.", fine=True)


def _both(stats: Statistics, side: str) -> Iterator[Advice]:
    if len(stats.persons) > 1:
        counts = ", ".join(f"{number}: {count}" for number, count in list(stats.persons.items())[:6])
        yield Advice(
            f"There are {counted(len(stats.persons), 'person')} ({counts}): keep one, with "
            f"{command_line(f'keep --side {side}')}."
        )
    outside = [face.name for face in stats.faces if face.outside]
    if outside:
        yield Advice(f"Faces with landmarks outside of their image: {len(outside)} ({_some(outside)}). Look at them.")
    if stats.damaged:
        yield Advice(f"Files that are damaged or no faces: {stats.damaged}. No step uses them.")


def _some(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def faceset_plots(stats: Statistics, other: NDArray[np.float64] | None = None, other_name: str = "") -> list[Plot]:
    """Return the plots of a set: poses, sizes, sharpness, brightness.

    Args:
        stats: The set, with at least one face.
        other: (n, 2) yaw and pitch of the other side's faces, outlined in the first plot.
        other_name: What that side is called.
    """
    counts, light = _pose_counts(stats.poses), np.arange(0.0, 257.0, 8.0)
    outlined = None
    if other is not None and len(other):
        outlined = _pose_counts(other) >= max(3, MIN_POSE_SHARE * len(other))
    return [
        # Yaw is drawn as it is seen: a nose that points to the left of the image is on the left.
        Grid(
            "Where they look",
            YAWS[::-1],
            PITCHES[::-1],
            counts,
            "yaw",
            "pitch",
            "yaw: nose to the left < > right; pitch: up",
            outlined,
            f"outlined: {other_name}",
        ),
        _bars("Size", stats.sides, "side of the box in the frame, pixels"),
        _bars("Sharpness", stats.sharpness, "variance of the Laplacian", (stats.blur_limit, "blurred")),
        Bars("Brightness", light, histogram(stats.brightness, light.tolist()), "mean grey of the face, 0 to 255"),
    ]


def _pose_counts(poses: NDArray[np.float64]) -> NDArray[np.int64]:
    yaws = np.clip(poses[:, 0], YAWS[0], YAWS[-1])
    pitches = np.clip(poses[:, 1], PITCHES[0], PITCHES[-1])
    return np.histogram2d(pitches, yaws, (PITCHES, YAWS))[0].astype(np.int64)[::-1, ::-1]


def _bars(title: str, values: NDArray[np.float64], axis: str, mark: tuple[float, str] | None = None) -> Bars:
    # A few odd ones must not press all others into one bar: they are counted in the last.
    high = min(float(np.percentile(values, 99.5)), 4 * float(np.median(values))) * 1.05
    edges = np.linspace(0, max(high, 1.0), 29)
    return Bars(title, edges, histogram(values, edges.tolist()), axis, mark)
