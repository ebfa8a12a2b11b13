"""What dst shows and src does not: poses and expressions that no network can learn from these faces.

Each face of dst is held against the faces of src that are nearest to it, not against counts in a grid: two people who
both look into the camera have like poses, wherever the borders of cells lie.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facewright.core.console import counted
from facewright.faces.expression import openings
from facewright.faces.faceset import FaceFile
from facewright.faces.like_poses import POSE_DEGREES, POSE_FACES, distance_to_poses

Numbers = NDArray[np.float64]
MIN_SHARE = 0.01  # share of dst's faces from which on something counts; at least three faces
TYPICAL_EYES = 75  # percentile of a person's eye openings that counts as open
LEAST_EYES = 0.2  # of that: who shuts the eyes throughout has no open ones
EYES_STEP, LIPS_STEP = 0.15, 0.04  # src's third strongest may be so much weaker: landmarks are not more exact


@dataclass(frozen=True)
class Looks:
    """Where the faces of a set look, and their expressions.

    Attributes:
        poses: (n, 2) yaw and pitch in degrees.
        eyes, mouth: (n) how far they are open: see `faces/expression.py`.
    """

    poses: Numbers
    eyes: Numbers
    mouth: Numbers

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.poses)

    @cached_property
    def lids(self) -> Numbers:
        """(n) opening of the eyes over that of the person's open eyes: people's eyes differ, and landmarkers do."""
        if not len(self):
            return self.eyes
        return np.asarray(self.eyes / max(float(np.percentile(self.eyes, TYPICAL_EYES)), LEAST_EYES))


def looks_of(faces: Sequence[FaceFile]) -> Looks:
    """Return the looks of faces, from their records."""
    opened = np.array([openings(face.record) for face in faces], np.float64).reshape(-1, 2)
    poses = np.array([face.record.pose[:2] for face in faces], np.float64).reshape(-1, 2)
    return Looks(poses, opened[:, 0], opened[:, 1])


@dataclass(frozen=True)
class _Expression:
    """One way a face may look that src should have too.

    Attributes:
        dst_does, src_lacks, add: Words: what dst does, what src never does, which faces are to be added.
        strength: Of the expression in each face, (n); more is stronger.
        limit: Strength from which on a face shows it.
        step: How much weaker src's may be.
    """

    dst_does: str
    src_lacks: str
    add: str
    strength: Callable[[Looks], Numbers]
    limit: float
    step: float


# Limits were looked at on contact sheets of all clips of people that we have: blinks are under 0.6 of a person's open
# eyes (dlib 0.3 to 0.5, mesh 0.5), lips that touch under 0.03, vowels 0.1 to 0.35.
EXPRESSIONS = (
    _Expression(
        *("shuts its eyes", "never does", "with shut eyes"), lambda looks: -looks.lids, limit=-0.6, step=EYES_STEP
    ),
    _Expression(
        *("opens its eyes wide", "never does", "with wide eyes"), lambda looks: looks.lids, limit=1.25, step=EYES_STEP
    ),
    _Expression(
        *("opens its mouth", "never so wide", "with open mouth"),
        lambda looks: looks.mouth,
        limit=0.1,
        step=LIPS_STEP,
    ),
    _Expression(
        *("shuts its mouth", "never does", "with shut mouth"), lambda looks: -looks.mouth, limit=-0.03, step=LIPS_STEP
    ),
)


def lacking_poses(src: Looks, dst: Looks) -> int:
    """Return how many faces of dst look where src hardly does; 0 where they are few."""
    return _lacking(distance_to_poses(dst.poses, src.poses))


def _lacking(away: Numbers) -> int:
    count = int((away > POSE_DEGREES).sum())
    return count if _count(count, len(away)) else 0


def pose_words(src: Looks, dst: Looks) -> str:
    """Say for how many faces of dst src has none of like pose, and which faces are to be added; "" where it has all."""
    away = distance_to_poses(dst.poses, src.poses)
    count = _lacking(away)
    if not count:
        return ""
    yaw, pitch = dst.poses[int(away.argmax())]
    return (
        f"For {counted(count, 'face')} of dst ({count / len(dst):.0%}) src has hardly one within "
        f"{POSE_DEGREES:.0f} degrees; for yaw {yaw:+z.0f}, pitch {pitch:+z.0f} it is {away.max():.0f} degrees away. "
        f"Add faces of src that look {_directions(src, dst.poses[away > POSE_DEGREES])}."
    )


def _directions(src: Looks, poses: Numbers) -> str:
    """Say to which sides of the middle of src poses lie, the usual ones first."""
    yaw, pitch = (poses - np.median(src.poses, axis=0)).T
    mostly = {  # a step of the larger angle's half counts as a direction of its own
        "to the left of the image": yaw > np.abs(pitch) / 2,
        "to the right of the image": -yaw > np.abs(pitch) / 2,
        "up": pitch > np.abs(yaw) / 2,
        "down": -pitch > np.abs(yaw) / 2,
    }
    counts = {name: int(there.sum()) for name, there in mostly.items() if there.any()}
    return " or ".join(f"{name} ({counts[name]})" for name in sorted(counts, key=lambda name: -counts[name]))


def expression_words(src: Looks, dst: Looks) -> list[str]:
    """Say what dst's faces do with eyes and mouth and src's never do: what src does not show, no network can paint."""
    if len(src) < POSE_FACES or not len(dst):
        return []
    lines = []
    for kind in EXPRESSIONS:
        have, want = kind.strength(src), kind.strength(dst)
        reach = float(np.sort(have)[-POSE_FACES]) + kind.step  # a single strongest one may be a bad find
        count = int(((want > kind.limit) & (want > reach)).sum())
        if _count(count, len(dst)):
            frames = counted(count, "face")
            lines.append(f"Dst {kind.dst_does} in {frames}, src {kind.src_lacks}: add faces of src {kind.add}.")
    return lines


def _count(found: int, of: int) -> bool:
    """Whether so many faces are more than chance finds."""
    return found >= max(3, MIN_SHARE * of)
