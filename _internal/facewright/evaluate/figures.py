"""The figures of a report: what is known of every face, and the numbers that it comes to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from facewright.evaluate import measures, pixels
from facewright.evaluate.intervals import Interval, Rows, intervals
from facewright.evaluate.observe import Observation, Observations
from facewright.evaluate.subject import EvaluatedFace, Subject
from facewright.faces import expression
from facewright.faces.pose import head_pose

Column = NDArray[np.float64]
Columns = Mapping[str, Column]
SHARE = "share"  # unit of a number of 0..1
DIGITS = {"dB": 1, "°": 2, "dE": 2, "x dst": 2}  # behind the point, by unit
LARGEST_PSNR = 100.0  # dB: stands for frames that are untouched to the bit


@dataclass(frozen=True, eq=False)
class Table:
    """What is known of every face of a result, one row each, in order of track and time.

    Attributes:
        frames: Names of the frames, without the ending.
        numbers: Number of the face in its frame.
        columns: Name -> (n,); NaN where something is not known.
    """

    frames: Sequence[str]
    numbers: Sequence[int]
    columns: Columns

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class Figure:
    """A number of the report.

    Attributes:
        name: In the JSON.
        group: Heading above it.
        title: In the table.
        unit: Behind the number; `SHARE` is shown in per cent, "" is a number of its own.
        ideal: Of a perfect result; None where there is none: then `better` says which way is good.
        better: "more", "less", or "near": the nearer to the ideal.
        columns: What `of` takes, in this order.
        of: The number.
        meaning: A sentence for the page and the documents.
    """

    name: str
    group: str
    title: str
    unit: str
    ideal: float | None
    better: str
    columns: tuple[str, ...]
    of: Callable[..., float]
    meaning: str

    @property
    def heading(self) -> str:
        """Title and unit: "flicker, x dst"."""
        unit = "%" if self.unit == SHARE else self.unit
        return f"{self.title}, {unit}" if unit else self.title

    def show(self, value: float) -> str:
        """Write a value as it is read, without its unit; "-" where it is not known."""
        if not np.isfinite(value):
            return "-"
        if self.unit == SHARE:
            return f"{100 * value:.1f}"
        return f"{value:.{DIGITS.get(self.unit, 3)}f}"

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a value is nearer to the ideal than another, or farther the good way where there is none."""
        if self.better == "near" and self.ideal is not None:
            return abs(value - self.ideal) < abs(other - self.ideal)
        return value > other if self.better == "more" else value < other

    def value(self, table: Table, rows: Rows | None = None) -> float:
        """Return the number over all rows, or some; NaN where it cannot be known."""
        columns = [table.columns[name] for name in self.columns]
        return self.of(*(column if rows is None else column[rows] for column in columns))


def mean(values: Column) -> float:
    """Return the mean of what is known; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _psnr(squared_error: Column) -> float:
    error = mean(squared_error)
    return error if np.isnan(error) else min(pixels.psnr(error), LARGEST_PSNR)


def _missed(found: Column) -> float:
    return 1 - mean(found)


def _untouched(changed: Column) -> float:
    known = changed[np.isfinite(changed)]
    return float((known == 0).mean()) if len(known) else float("nan")


IDENTITY, MOTION, TIME, LOOK, REST = "Identity", "Pose and expression", "Over time", "Light and detail", "Elsewhere"
FIGURES: tuple[Figure, ...] = (
    Figure(
        *("to_src", IDENTITY, "distance to src", "", None, "less", ("to_src",), mean),
        "Mean distance of the face to all faces of src; src against itself is the least to be expected.",
    ),
    Figure(
        *("to_dst", IDENTITY, "distance to dst", "", None, "more", ("to_dst",), mean),
        "Mean distance of the face to all faces of dst; what dst has against itself is no change at all.",
    ),
    Figure(
        *("margin", IDENTITY, "margin (dst less src)", "", None, "more", ("margin",), mean),
        "Distance to dst less distance to src: above 0 the face is nearer to src.",
    ),
    Figure(
        *("margin_of_means", IDENTITY, "margin to the means", "", None, "more", ("margin_of_means",), mean),
        "The same against the mean face of src and of dst, which evens out pose and light.",
    ),
    Figure(
        *("nearer_src", IDENTITY, "nearer to src", SHARE, 1.0, "more", ("margin",), measures.share_nearer),
        "Share of the faces that are nearer to src than to dst.",
    ),
    Figure(
        *("pose_error", MOTION, "pose error", "°", 0.0, "less", ("pose_error",), mean),
        "Distance of yaw, pitch and roll to those of dst, in degrees.",
    ),
    Figure(
        *("landmark_error", MOTION, "landmark error", "", 0.0, "less", ("landmark_error",), mean),
        "Distance of the landmarks to those of dst, over the distance of the eyes' outer corners.",
    ),
    Figure(
        *("eyes_correlation", MOTION, "eyes: correlation", "", 1.0, "more", ("eyes", "eyes_dst")),
        *(measures.correlation, "Whether the eyes open and shut when dst's do."),
    ),
    Figure(
        *("eyes_error", MOTION, "eyes: error", "", 0.0, "less", ("eyes", "eyes_dst")),
        *(measures.mean_error, "Difference of the eyes' opening (height over width) to dst's."),
    ),
    Figure(
        *("mouth_correlation", MOTION, "mouth: correlation", "", 1.0, "more", ("mouth", "mouth_dst")),
        *(measures.correlation, "Whether the mouth opens and shuts when dst's does."),
    ),
    Figure(
        *("mouth_error", MOTION, "mouth: error", "", 0.0, "less", ("mouth", "mouth_dst")),
        *(measures.mean_error, "Difference of the mouth's opening (over the eyes' distance) to dst's."),
    ),
    Figure(
        *("tl_id", TIME, "TL-ID", "", 1.0, "near", ("neighbours", "neighbours_dst")),
        *(measures.ratio, "How alike neighbouring frames are to the judge, over dst (Tzaban et al. 2022)."),
    ),
    Figure(
        *("tg_id", TIME, "TG-ID", "", 1.0, "near", ("pairs", "pairs_dst")),
        *(measures.ratio, "How alike any two frames are to the judge, over dst (Tzaban et al. 2022)."),
    ),
    Figure(
        *("jitter", TIME, "jitter", "x dst", 1.0, "near", ("jitter", "jitter_dst")),
        *(measures.ratio, "How much the landmarks tremble on the face, over dst."),
    ),
    Figure(
        *("flicker", TIME, "flicker", "x dst", 1.0, "near", ("flicker", "flicker_dst")),
        *(measures.ratio, "How much colours change from frame to frame once dst's motion is taken out, over dst."),
    ),
    Figure(
        *("border_step", LOOK, "border step", "dE", 0.0, "less", ("step",), mean),
        "How much more the colour changes across the border of the face than in dst, brows left out.",
    ),
    Figure(
        *("shade", LOOK, "light and colour", "dE", 0.0, "less", ("shade",), mean),
        "How far light and colour of the face, without its features, are from dst's.",
    ),
    Figure(
        *("face_sharpness", LOOK, "sharpness of the face", "x dst", 1.0, "near", ("face_detail", "face_detail_dst")),
        *(measures.ratio, "Fine detail inside the face, over dst."),
    ),
    Figure(
        *("eyes_sharpness", LOOK, "sharpness of the eyes", "x dst", 1.0, "near", ("eyes_detail", "eyes_detail_dst")),
        *(measures.ratio, "Fine detail around the eyes, over dst."),
    ),
    Figure(
        *("missed", LOOK, "faces not found", SHARE, 0.0, "less", ("found",), _missed),
        "Share of the faces that a detector (MTCNN; BlazeFace where commercial) does not find at their place.",
    ),
    Figure(
        *("untouched", REST, "frames untouched outside", SHARE, 1.0, "more", ("changed",), _untouched),
        "Share of the frames in which nothing at all differs from dst away from the faces.",
    ),
    Figure(
        *("psnr", REST, "PSNR outside", "dB", LARGEST_PSNR, "more", ("squared_error",), _psnr),
        "Peak signal-to-noise ratio away from the faces; 100 stands for untouched.",
    ),
    Figure(
        *("ssim", REST, "SSIM outside", "", 1.0, "more", ("ssim",), mean),
        "Structural similarity away from the faces (Wang et al. 2004).",
    ),
)
# Columns of a result -> those of dst's own observation.
OF_DST = {"face_detail_dst": "face_detail", "eyes_detail_dst": "eyes_detail", "found_dst": "found"}


def make_table(subject: Subject, dst: Observations, result: Observations, src: NDArray[np.floating]) -> Table:
    """Return what is known of every face of a result.

    Args:
        subject: Dst.
        dst: What was seen in dst.
        result: What was seen in the result.
        src: (m, d) embeddings of src; m may be 0.
    """
    keys = [(face.frame, face.number) for face in subject.faces]
    faces = [face for face, key in zip(subject.faces, keys, strict=True) if key in result and key in dst]
    faces.sort(key=lambda face: (face.track, face.frame))
    seen = [(dst[f.frame, f.number], result[f.frame, f.number]) for f in faces]
    names = sorted({name for _, one in seen for name in one.values})
    columns = {name: np.array([one.values.get(name, np.nan) for _, one in seen], float) for name in names}
    for name, own in OF_DST.items():
        columns[name] = np.array([one.values.get(own, np.nan) for one, _ in seen], float)
    columns |= _places(faces)
    columns |= _identity(faces, seen, dst, subject, src)
    columns |= _geometry(seen)
    columns |= _over_time(faces, seen)
    stems = [subject.frames[face.frame].stem for face in faces]
    missing = {name for figure in FIGURES for name in figure.columns} - columns.keys()
    columns |= {name: np.full(len(faces), np.nan) for name in missing}
    return Table(stems, [face.number for face in faces], columns)


Seen = Sequence[tuple[Observation, Observation]]  # of each face in dst and in the result


def _places(faces: Sequence[EvaluatedFace]) -> dict[str, Column]:
    """Where each face lies in dst: by that the rows of two results are known to be of one and the same face."""
    middles = np.array([face.points.mean(0) for face in faces], float).reshape(-1, 2)
    return {
        "x": middles[:, 0],
        "y": middles[:, 1],
        "eye_distance": np.array([expression.eye_distance(face.points) for face in faces], float),
    }


def _identity(
    faces: Sequence[EvaluatedFace], seen: Seen, dst: Observations, subject: Subject, src: NDArray[np.floating]
) -> dict[str, Column]:
    names = ("to_src", "to_dst", "to_src_mean", "to_dst_mean")
    columns = {name: np.full(len(faces), np.nan) for name in names}
    people: dict[int | None, list[NDArray[np.float32]]] = {}
    for face in subject.faces:
        if (face.frame, face.number) in dst:
            people.setdefault(face.person, []).append(dst[face.frame, face.number].embedding)
    for person, own in people.items():
        rows = [index for index, face in enumerate(faces) if face.person == person]
        if rows:
            found = np.array([seen[row][1].embedding for row in rows])
            reference = np.array(own)
            columns["to_src"][rows] = measures.mean_distances(found, src)
            columns["to_dst"][rows] = measures.mean_distances(found, reference)
            columns["to_src_mean"][rows] = measures.distances_to_mean(found, src)
            columns["to_dst_mean"][rows] = measures.distances_to_mean(found, reference)
    columns["margin"] = measures.identity_margins(columns["to_src"], columns["to_dst"])
    columns["margin_of_means"] = measures.identity_margins(columns["to_src_mean"], columns["to_dst_mean"])
    return columns


def _geometry(seen: Seen) -> dict[str, Column]:
    rows = [(was.points, now.points) for was, now in seen]
    return {
        "pose_error": np.array([measures.pose_error(head_pose(now), head_pose(was)) for was, now in rows]),
        "landmark_error": np.array([measures.landmark_error(now, was) for was, now in rows]),
        "eyes": np.array([expression.eye_opening(now) for _, now in rows]),
        "eyes_dst": np.array([expression.eye_opening(was) for was, _ in rows]),
        "mouth": np.array([expression.mouth_opening(now) for _, now in rows]),
        "mouth_dst": np.array([expression.mouth_opening(was) for was, _ in rows]),
    }


def _over_time(faces: Sequence[EvaluatedFace], seen: Seen) -> dict[str, Column]:
    names = ("jitter", "jitter_dst", "neighbours", "neighbours_dst", "pairs", "pairs_dst")
    columns = {name: np.full(len(faces), np.nan) for name in names}
    for track in {face.track for face in faces}:
        rows = [index for index, face in enumerate(faces) if face.track == track]
        times = np.array([faces[row].frame for row in rows])
        was, now = (np.array([seen[row][which].points for row in rows], float) for which in (0, 1))
        columns["jitter"][rows] = measures.jitter(now, was, times)
        columns["jitter_dst"][rows] = measures.jitter(was, was, times)
        for name, which in (("neighbours_dst", 0), ("neighbours", 1)):
            embeddings = np.array([seen[row][which].embedding for row in rows])
            columns[name][rows] = measures.similarity_of_neighbours(embeddings, times)
    for person in {face.person for face in faces}:
        rows = [index for index, face in enumerate(faces) if face.person == person]
        for name, which in (("pairs_dst", 0), ("pairs", 1)):
            columns[name][rows] = measures.similarity_to_others(np.array([seen[row][which].embedding for row in rows]))
    return columns


@dataclass(frozen=True)
class FigureValue:
    """A figure as it came out.

    Attributes:
        value: NaN where it cannot be known.
        interval: The central 95 %; None where there is none.
    """

    value: float
    interval: Interval | None


def values_of(table: Table) -> dict[str, FigureValue]:
    """Return every figure of a result: name -> value and interval."""
    known = intervals({figure.name: partial(figure.value, table) for figure in FIGURES}, len(table))
    return {figure.name: FigureValue(figure.value(table), known[figure.name]) for figure in FIGURES}
