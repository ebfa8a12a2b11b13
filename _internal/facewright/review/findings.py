"""From measures to findings: what may be wrong with each face of a chain, in figures and in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from facewright.evaluate.measures import distances_to_mean
from facewright.faces.like_poses import POSE_DEGREES, distance_to_poses
from facewright.faces.record import EMBEDDING
from facewright.review.measuring import FaceMeasures
from facewright.review.scores import Numbers, apart, deviations, holes, jumps

# The least deviation of each measure, in its own unit: what differs by less from the frames around is noise.
STEP_DE, COLOUR_DE, SHARPNESS_LOG = 0.35, 0.6, 0.06
IDENTITY_DISTANCE, SHAPE_SHARE, JUMP_SHARE = 0.02, 0.008, 0.006
JUMPED = 3.0  # severity of a face that cannot have moved there
LOST = 3.0  # and of a missing or unreplaced one
UNTOUCHED = 0.35  # levels: a face that differs from dst by less was not replaced
HOLE_SHARE = 0.06  # of the face: a hole of that size needs a look
MOST_OF_POSE = 1.5  # a pose that src lacks cannot be mended frame by frame: worse things come first
NOTED = 0.5  # severity from which on a finding is kept


class FindingKind(StrEnum):
    """What may be wrong."""

    MISSING = "missing"
    UNTOUCHED = "untouched"
    IDENTITY = "identity"
    LANDMARKS = "landmarks"
    SHAPE = "shape"
    COLOUR = "colour"
    BORDER = "border"
    HOLE = "hole"
    SHARPNESS = "sharpness"
    POSE = "pose"


@dataclass(frozen=True)
class Finding:
    """Something that may be wrong with a face.

    Attributes:
        kind: What.
        severity: How much; from 1 on it needs a look.
        words: The same for people.
    """

    kind: FindingKind
    severity: float
    words: str


@dataclass(frozen=True, eq=False)
class ChainFaces:
    """The faces of a chain, in order of time.

    Attributes:
        times: (n,) numbers of their frames.
        points: (n, 68, 2) landmarks in the frame.
        poses: (n, 2) yaw and pitch, degrees.
        jumped: (n,) whether it lies where it cannot have moved.
        measures: (n) what was measured in the pixels; None where that could not be done.
    """

    times: NDArray[np.int_]
    points: Numbers
    poses: Numbers
    jumped: NDArray[np.bool_]
    measures: Sequence[FaceMeasures | None] = field(default=())


def chain_findings(chain: ChainFaces, src_poses: Numbers, src_embeddings: NDArray[np.floating]) -> list[list[Finding]]:
    """Return what may be wrong with each face of a chain, the worst first.

    Args:
        chain: The faces.
        src_poses: (m, 2) yaw and pitch of src's faces; none: poses are not judged.
        src_embeddings: (k, 128) of src's faces; none: likeness to src is not judged.
    """
    found: list[list[Finding]] = [[] for _ in chain.times]
    judged = [of_place(chain), of_pose(chain, src_poses)]
    if any(chain.measures):
        judged += [of_replacement(chain), of_light(chain), of_likeness(chain, src_embeddings)]
    for part in judged:
        for at, finding in part:
            if finding.severity >= NOTED:
                found[at].append(replace(finding, severity=float(finding.severity)))
    return [_explained(one) for one in found]


def _explained(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings, the worst first; a face that was not replaced is all that is wrong with it."""
    ordered = sorted(findings, key=lambda finding: -finding.severity)
    causes = [finding for finding in ordered if finding.kind is FindingKind.UNTOUCHED]
    return [replace(cause, severity=ordered[0].severity) for cause in causes] or ordered


def of_place(chain: ChainFaces) -> Iterator[tuple[int, Finding]]:
    """Judge where the faces lie: landmarks that jump."""
    away = jumps(chain.points, chain.times)
    severity = deviations(away, JUMP_SHARE)
    for at, share in enumerate(away):
        worse = max(float(severity[at]), JUMPED if chain.jumped[at] else 0.0)
        yield at, Finding(FindingKind.LANDMARKS, worse, f"the landmarks jump by {share:.0%} of the face's size")


def of_pose(chain: ChainFaces, src: Numbers) -> Iterator[tuple[int, Finding]]:
    """Judge the poses: src should have had some like them."""
    for at, degrees in enumerate(distance_to_poses(chain.poses, src)):
        yaw, pitch = chain.poses[at]
        words = f"src has no face of this pose (yaw {yaw:+.0f}, pitch {pitch:+.0f} degrees)"
        yield at, Finding(FindingKind.POSE, min(float(degrees) / POSE_DEGREES, MOST_OF_POSE), words)


def of_replacement(chain: ChainFaces) -> Iterator[tuple[int, Finding]]:
    """Judge whether the whole face was replaced."""
    changes = _column(chain, "change")
    lacking = holes(changes)
    for at, row in enumerate(changes):
        known = row[np.isfinite(row)]
        if len(known) and known.mean() < UNTOUCHED:
            yield at, Finding(FindingKind.UNTOUCHED, LOST, "the face is dst's own: it was not replaced")
        else:
            words = f"{lacking[at]:.0%} of the face is dst's own, as if the mask had a hole"
            yield at, Finding(FindingKind.HOLE, float(lacking[at]) / HOLE_SHARE, words)


def of_light(chain: ChainFaces) -> Iterator[tuple[int, Finding]]:
    """Judge colour, border and sharpness."""
    colours = _column(chain, "colour")
    steps, sharp = (_column(chain, name)[:, 0] for name in ("step", "sharpness"))
    tints = np.abs([deviations(channel, COLOUR_DE) for channel in colours.T]).max(axis=0)
    borders, softness = deviations(steps, STEP_DE), deviations(sharp, SHARPNESS_LOG)
    away = np.linalg.norm(colours - _usual(colours), axis=1)
    ratios = np.exp(sharp - _usual(sharp))
    for at in range(len(chain.times)):
        yield at, Finding(FindingKind.COLOUR, tints[at], f"another colour than in the frames around, dE {away[at]:.1f}")
        yield (
            at,
            Finding(FindingKind.BORDER, borders[at], f"a step of colour at the border of the face, dE {steps[at]:.1f}"),
        )
        how = "softer" if softness[at] < 0 else "harder"
        words = f"{how} than the frames around: {ratios[at]:.2f} times their detail"
        yield at, Finding(FindingKind.SHARPNESS, abs(softness[at]), words)


def of_likeness(chain: ChainFaces, src: NDArray[np.floating]) -> Iterator[tuple[int, Finding]]:
    """Judge who is seen, and whether the features lie where dst's lie."""
    nobody = np.full(EMBEDDING, np.nan)
    embeddings = np.array([nobody if one is None else one for one in _embeddings(chain)], np.float64)
    to_src, usual = distances_to_mean(embeddings, src), _usual(distances_to_mean(embeddings, src))
    strange = np.maximum(deviations(apart(embeddings), IDENTITY_DISTANCE), deviations(to_src, IDENTITY_DISTANCE))
    shapes = _column(chain, "shape")[:, 0]
    bent = deviations(shapes, SHAPE_SHARE)
    for at in range(len(chain.times)):
        words = "somebody else than in the frames around"
        if to_src[at] > usual:
            words = f"less like src than the frames around: distance {to_src[at]:.2f}, usually {usual:.2f}"
        yield at, Finding(FindingKind.IDENTITY, strange[at], words)
        words = f"eyes, nose or mouth lie elsewhere than dst's, by {shapes[at]:.0%} of the distance of the eyes"
        yield at, Finding(FindingKind.SHAPE, bent[at], words)


def _usual(values: Numbers) -> Numbers:
    """Return the median over the faces; 0 where nothing was measured."""
    known = values[np.isfinite(values).reshape(len(values), -1).all(axis=1)]
    return np.median(known, axis=0) if len(known) else np.zeros(values.shape[1:])


def _embeddings(chain: ChainFaces) -> list[NDArray[np.float32] | None]:
    return [None if one is None else one.embedding for one in chain.measures]


def _column(chain: ChainFaces, name: str) -> Numbers:
    """Return a measure of all faces, (n, k); NaN where a face was not measured."""
    width = next(np.atleast_1d(getattr(one, name)).size for one in chain.measures if one is not None)
    rows = [np.full(width, np.nan) if one is None else np.atleast_1d(getattr(one, name)) for one in chain.measures]
    return np.array(rows, np.float64)
