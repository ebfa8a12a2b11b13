"""Faults for a converted workspace: what goes wrong in conversions, planted in frames of one's choice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image, read_image, write_image
from facewright.core.workspace import Workspace
from facewright.faces.align import similarity as similarity_of
from facewright.faces.align import transform_points
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.mask import hull_mask
from facewright.faces.record import INNER, FaceRecord, load_face, save_face

Random = np.random.Generator


@dataclass(frozen=True)
class Place:
    """Where a fault is planted: a frame with one face; `strength` 1 is what nobody overlooks."""

    workspace: Workspace
    face: FaceFile
    others: tuple[Path, ...] = ()
    strength: float = 1.0

    @property
    def frame(self) -> Path:
        return self.workspace.dst.frames_dir / self.face.record.frame

    @property
    def result(self) -> Path:
        return self.workspace.dst.merged_dir / f"{self.face.stem}.png"

    @property
    def points(self) -> NDArray[np.float64]:
        return np.asarray(self.face.record.frame_landmarks, np.float64)

    @property
    def size(self) -> float:
        """Root of the area of the landmarks' box, pixels."""
        return float(np.sqrt(np.ptp(self.points, axis=0).prod()))


def soft_hull(place: Place, shape: tuple[int, ...], grow: float = 0.04) -> NDArray[np.float32]:
    """Mask of the face with a soft edge, (h, w, 1)."""
    mask = hull_mask(place.points, (shape[0], shape[1]))
    return cv2.GaussianBlur(mask, (0, 0), max(grow * place.size, 0.5))[..., None]


def edit(
    place: Place, change: Callable[[Image], NDArray[np.floating]], mask: NDArray[np.float32] | None = None
) -> None:
    """Change the face in the result."""
    image = read_image(place.result)
    soft = soft_hull(place, image.shape) if mask is None else mask
    mixed = image * (1 - soft) + np.clip(change(image), 0, 255) * soft
    write_image(place.result, np.rint(mixed).astype(np.uint8))


def rewrite(place: Place, points: NDArray[np.floating]) -> None:
    """Give the face other landmarks; the frame is to be converted again."""
    old = place.face.record
    record = FaceRecord.from_landmarks(
        points.astype(np.float32), old.face_type, old.size,
        frame=old.frame, detector=old.detector, score=old.score, rect=old.rect,
    )  # fmt: skip
    record = replace(record, person=old.person, embedding=old.embedding, track=old.track)
    save_face(place.face.path, record.cut(read_image(place.frame)), record)


# Faults of the faces, before the conversion.


def moved_landmarks(place: Place, random: Random) -> None:
    """All landmarks lie an eighth to a quarter of the face beside it."""
    angle, far = random.uniform(0, 2 * np.pi), random.uniform(0.125, 0.25) * place.size * place.strength
    rewrite(place, place.points + far * np.array([np.cos(angle), np.sin(angle)]))


def turned_landmarks(place: Place, random: Random) -> None:
    """The face was taken for one that is tilted by 30 degrees."""
    turn = np.radians(30 * place.strength * random.choice((-1, 1)))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = place.points.mean(0)
    rewrite(place, (place.points - middle) @ matrix.T + middle)


def wrong_size(place: Place, random: Random) -> None:
    """The landmarks are spread too far, or not far enough."""
    middle = place.points.mean(0)
    rewrite(place, (place.points - middle) * (1 + place.strength * random.choice((-0.25, 0.3))) + middle)


def missing_face(place: Place, random: Random) -> None:
    """The detector missed the face."""
    place.face.path.unlink()


BEFORE = (moved_landmarks, turned_landmarks, wrong_size, missing_face)

# Faults of the result.


def not_replaced(place: Place, random: Random) -> None:
    """The model saw no face there."""
    write_image(place.result, read_image(place.frame))


def hole(place: Place, random: Random) -> None:
    """A part of the mask is missing."""
    frame = read_image(place.frame)
    mask = np.zeros(frame.shape[:2], np.float32)
    middle = place.points[random.choice([30, 33, 48, 54, 39, 42, 2 + 12 * random.integers(2)])]
    middle = middle + 0.3 * (place.points[30] - middle)
    radius = random.uniform(0.14, 0.22) * place.size * place.strength
    cv2.circle(mask, tuple(int(v) for v in np.rint(middle)), round(radius), 1.0, -1)
    edit(place, lambda image: frame.astype(np.float32), cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None])


def colour_cast(place: Place, random: Random) -> None:
    """The face has a tint."""
    tint = np.zeros(3)
    tint[random.integers(3)] = random.choice((-1, 1)) * random.uniform(15, 25) * place.strength
    edit(place, lambda image: image + tint)


def darker(place: Place, random: Random) -> None:
    """The face is darker or brighter."""
    gain = 1 + place.strength * random.choice((-0.18, 0.2))
    edit(place, lambda image: image * gain)


def blurred(place: Place, random: Random) -> None:
    """The face is out of focus."""
    sigma = random.uniform(0.025, 0.04) * place.size * place.strength
    edit(place, lambda image: cv2.GaussianBlur(image, (0, 0), max(sigma, 0.5)).astype(np.float32))


def somebody_else(place: Place, random: Random) -> None:
    """The face of another person, in the colours of this one."""
    aligned, record = load_face(place.others[random.integers(len(place.others))])
    matrix = similarity_of(record.landmarks[INNER:], place.points[INNER:])
    frame = read_image(place.result)
    other = cv2.warpAffine(aligned, matrix, frame.shape[1::-1], flags=cv2.INTER_LINEAR).astype(np.float32)
    there = cv2.warpAffine(np.ones(aligned.shape[:2], np.float32), matrix, frame.shape[1::-1])[..., None]
    jaw = hull_mask(transform_points(record.landmarks, matrix), frame.shape[:2])[..., None]
    inside = (soft_hull(place, frame.shape) * there * jaw)[..., 0] > 0.5
    own = frame.astype(np.float32)
    other = (other - other[inside].mean(0)) / (other[inside].std(0) + 1) * own[inside].std(0) + own[inside].mean(0)
    edit(place, lambda image: other, soft_hull(place, frame.shape) * np.minimum(there, jaw))


def shifted(place: Place, random: Random) -> None:
    """The new face lies beside the old one, in a frame that is otherwise right."""
    angle, far = random.uniform(0, 2 * np.pi), random.uniform(0.1, 0.15) * place.size * place.strength
    move = np.array([[1, 0, far * np.cos(angle)], [0, 1, far * np.sin(angle)]])
    edit(place, lambda image: cv2.warpAffine(image, move, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))


AFTER = (not_replaced, hole, colour_cast, darker, blurred, somebody_else, shifted)


def choose(faces: list[FaceFile], count: int, random: Random, apart: int = 4) -> list[FaceFile]:
    """Choose faces that lie at least so many frames apart."""
    chosen: list[int] = []
    for at in random.permutation(len(faces)):
        if len(chosen) < count and all(abs(at - other) >= apart for other in chosen):
            chosen.append(int(at))
    return [faces[at] for at in chosen]


def single_faces(workspace: Workspace) -> list[FaceFile]:
    """The faces of frames that have one, in order."""
    return [faces[0] for faces in load_faceset(workspace.dst.aligned_dir).by_frame().values() if len(faces) == 1]
