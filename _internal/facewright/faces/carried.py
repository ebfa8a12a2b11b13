"""Polygons of key frames, carried to the frames between them by optical flow: labels that nobody has to draw.

The flow is that of the aligned images, in which a face stands still and what covers it moves: DIS (Kroeger et al.,
"Fast Optical Flow using Dense Inverse Search", ECCV 2016), forwards and, as a check, back again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.files import natural
from facewright.faces.align import FaceType, align_matrix, cut, invert, is_flat, transform_points
from facewright.faces.faceset import FaceFile
from facewright.faces.flow import flow_at
from facewright.faces.mask import Mask
from facewright.faces.polygons import Polygon, draw_polygons
from facewright.faces.record import load_face
from facewright.faces.tracks import Sighting, join_tracks

REACH = 12  # frames from a key frame: half a second
SIDE = 192  # px of the images whose flow is measured
FAR_OFF = 0.02  # of the side: a point that the way back misses by more is lost
LOST_SHARE = 0.3  # of the points: with more of them lost, the polygons end here
EDGE = 0.03  # of the side: an edge moves as what lies so far inside of it
LEAST_WEIGHT = np.float32(1e-3)

Polygons = tuple[Polygon, ...]


@dataclass(frozen=True)
class Carried:
    """What reached a face.

    Attributes:
        polygons: In its frame's pixels.
        label: The file of the face on which they were drawn.
        apart: How many frames lie between the two.
    """

    polygons: Polygons
    label: Path
    apart: int


def carry_polygons(faces: Sequence[FaceFile], reach: int = REACH) -> dict[Path, Carried]:
    """Return polygons for faces that have none, from the nearest faces of their tracks that have some.

    Args:
        faces: Of one side, in any order.
        reach: How many frames a polygon is carried at most.

    Returns:
        Path of a face -> what reached it; faces that nothing reached are missing.
    """
    if not any(face.record.polygons for face in faces):
        return {}
    usable = [face for face in faces if face.record.face_type is not FaceType.MARK_ONLY and not _lost(face)]
    times = _times(usable)
    sightings = [
        Sighting(time, face.record.frame_landmarks, face.record.person)
        for time, face in zip(times, usable, strict=True)
    ]
    nearest: dict[Path, Carried] = {}
    for track in join_tracks(sightings):
        for order in (track, track[::-1]):
            chain = [(times[index], usable[index]) for index in order]
            for path, found in _carried(chain, reach):
                if path not in nearest or found.apart < nearest[path].apart:
                    nearest[path] = found
    return nearest


def with_carried(faces: Sequence[FaceFile], carried: Mapping[Path, Carried]) -> list[FaceFile]:
    """Return the faces, those without polygons with those that reach them; nothing is written."""
    return [
        FaceFile(face.path, replace(face.record, polygons=carried[face.path].polygons))
        if face.path in carried
        else face
        for face in faces
    ]


def _carried(chain: Sequence[tuple[int, FaceFile]], reach: int) -> Iterator[tuple[Path, Carried]]:
    """Follow a track: yield the faces that polygons reach, and what reached them."""
    polygons: Polygons = ()
    label, began, before = Path(), 0, None
    for time, face in chain:
        if face.record.polygons:
            polygons, label, began = face.record.polygons, face.path, time
            before = _aligned(face)
            continue
        if not polygons:
            continue
        now = _aligned(face)
        if abs(time - began) > reach or before is None or now is None:
            polygons = ()
            continue
        polygons = _moved(polygons, before, now)
        before = now
        if polygons:
            yield face.path, Carried(polygons, label, abs(time - began))


Aligned = tuple[NDArray[np.uint8], NDArray[np.float64]]


def _aligned(face: FaceFile) -> Aligned | None:
    """Return a face in grey at `SIDE`, and 2x3, frame -> that image; None where the file cannot be read."""
    try:
        image, _ = load_face(face.path)
    except UserError:
        return None
    record = face.record
    inside = align_matrix(record.landmarks, FaceType.FULL, SIDE)
    matrix = align_matrix(record.frame_landmarks, FaceType.FULL, SIDE)
    return np.asarray(cv2.cvtColor(cut(image, inside, SIDE), cv2.COLOR_BGR2GRAY), np.uint8), matrix


def _moved(polygons: Polygons, before: Aligned, now: Aligned) -> Polygons:
    """Return polygons in the next frame; none where too many of their points are lost."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    empty = np.zeros((SIDE, SIDE, 2), np.float32)
    there = np.asarray(method.calc(before[0], now[0], empty.copy()), np.float32)
    back = np.asarray(method.calc(now[0], before[0], empty), np.float32)
    moved, errors = [], []
    for polygon in polygons:
        points = transform_points(polygon.points, before[1])
        area = draw_polygons([polygon], polygon.kind, before[1], (SIDE, SIDE))
        reached = points + flow_at(_of_inside(there, area), points)
        arrived = Polygon(polygon.kind, transform_points(reached, invert(now[1])).astype(np.float32))
        area = draw_polygons([arrived], polygon.kind, now[1], (SIDE, SIDE))
        errors.append(np.linalg.norm(reached + flow_at(_of_inside(back, area), reached) - points, axis=1))
        moved.append(arrived)
    lost = float((np.concatenate(errors) > FAR_OFF * SIDE).mean())
    return tuple(moved) if lost <= LOST_SHARE else ()


def _of_inside(flow: NDArray[np.float32], area: Mask) -> NDArray[np.float32]:
    """Return the flow of what lies inside a polygon, also on its edge, where what is behind moves otherwise.

    Args:
        flow: (SIDE, SIDE, 2).
        area: The polygon, (SIDE, SIDE).
    """
    weight = np.maximum(area, LEAST_WEIGHT)  # the flow itself, where nothing of the polygon is near
    sigma = EDGE * SIDE
    total = np.asarray(cv2.GaussianBlur(weight, (0, 0), sigma), np.float32)
    return np.asarray(cv2.GaussianBlur(flow * weight[..., None], (0, 0), sigma) / total[..., None], np.float32)


def _lost(face: FaceFile) -> bool:
    return is_flat(face.record.matrix)


def _times(faces: Sequence[FaceFile]) -> list[int]:
    """Return the number of each face's frame: that of its name, where all names are numbers, else its place."""
    stems = [face.stem for face in faces]
    if all(stem.isdecimal() and len(stem) < 10 for stem in stems):
        return [int(stem) for stem in stems]
    places = {stem: place for place, stem in enumerate(sorted(set(stems), key=natural))}
    return [places[stem] for stem in stems]
