"""The polygons of a face that are being drawn: what each press, move and key makes of them.

All in the frame's pixels. Nothing is read, written or shown here: each function returns the next state.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import dist

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.annotate.face import Place
from facewright.faces.polygons import MAX_ALL_POINTS, MAX_POINTS, MAX_POLYGONS, Kind, Polygon

LEAST_CORNERS = 3


@dataclass(frozen=True)
class MaskState:
    """The polygons of one face under work.

    Attributes:
        polygons: Those that are closed.
        corners: Of the one that is being drawn.
        kind: What the next polygon will be.
        held: (polygon, corner) that follows the mouse; the polygon that is being drawn is -1.
        mouse: Where the mouse is.
    """

    polygons: tuple[Polygon, ...] = ()
    corners: tuple[Place, ...] = ()
    kind: Kind = "include"
    held: tuple[int, int] | None = None
    mouse: Place = (0.0, 0.0)

    @property
    def full(self) -> bool:
        """Whether a face can have no more points."""
        points = len(self.corners) + sum(len(polygon.points) for polygon in self.polygons)
        return points >= MAX_ALL_POINTS or len(self.corners) >= MAX_POINTS or len(self.polygons) >= MAX_POLYGONS


def press(state: MaskState, at: Place, reach: float) -> MaskState:
    """The left button, or a finger: take a corner, put one on an edge, or set the next corner of a new polygon."""
    state = replace(state, mouse=at)
    if state.corners:
        if len(state.corners) >= LEAST_CORNERS and dist(state.corners[0], at) <= reach:
            return close(state)
        return _with_corner(state, at)
    found = corner_at(state.polygons, at, reach)
    if found is not None:
        return replace(state, held=found)
    edge = edge_at(state.polygons, at, reach)
    if edge is None:
        return _with_corner(state, at)
    index, corner = edge
    if state.full or len(state.polygons[index].points) >= MAX_POINTS:
        return state
    points = np.insert(state.polygons[index].points, corner, at, axis=0).astype(np.float32)
    return replace(_with_points(state, index, points), held=(index, corner))


def move(state: MaskState, at: Place) -> MaskState:
    """The mouse went to a place; a corner that is held goes along."""
    state = replace(state, mouse=at)
    if state.held is None:
        return state
    index, corner = state.held
    if index < 0:
        return replace(state, corners=(*state.corners[:corner], at, *state.corners[corner + 1 :]))
    points = state.polygons[index].points.copy()
    points[corner] = at
    return _with_points(state, index, points)


def release(state: MaskState) -> MaskState:
    """The button was released."""
    return replace(state, held=None)


def close(state: MaskState) -> MaskState:
    """Close the polygon that is being drawn; with fewer than three corners it is none, and goes."""
    corners, state = state.corners, replace(state, corners=(), held=None)
    if len(corners) < LEAST_CORNERS or len(state.polygons) >= MAX_POLYGONS:
        return state
    return replace(state, polygons=(*state.polygons, Polygon(state.kind, np.array(corners, np.float32))))


def cancel(state: MaskState) -> MaskState:
    """Drop the polygon that is being drawn."""
    return replace(state, corners=(), held=None)


def remove(state: MaskState, reach: float) -> MaskState:
    """Remove the last corner of the polygon that is being drawn; else the corner, or the polygon, under the mouse."""
    state = replace(state, held=None)
    if state.corners:
        return replace(state, corners=state.corners[:-1])
    found = corner_at(state.polygons, state.mouse, reach)
    if found is not None and len(state.polygons[found[0]].points) > LEAST_CORNERS:
        index, corner = found
        return _with_points(state, index, np.delete(state.polygons[index].points, corner, axis=0))
    target = found[0] if found is not None else polygon_at(state.polygons, state.mouse)
    if target is None:
        return state
    return replace(state, polygons=(*state.polygons[:target], *state.polygons[target + 1 :]))


def change(state: MaskState, kind: Kind) -> MaskState:
    """Let the next polygon be of another kind."""
    return replace(state, kind=kind)


def turn_over(state: MaskState) -> MaskState:
    """Make the polygon under the mouse exclude what it included, or the other way round."""
    index = polygon_at(state.polygons, state.mouse)
    if index is None:
        return state
    kind: Kind = "include" if state.polygons[index].kind == "exclude" else "exclude"
    changed = replace(state.polygons[index], kind=kind)
    return replace(state, polygons=(*state.polygons[:index], changed, *state.polygons[index + 1 :]))


def with_more(state: MaskState, more: Sequence[Polygon]) -> MaskState:
    """Add polygons as far as there is room; outlines take the place of those that are there."""
    new = any(polygon.kind == "outline" for polygon in more)
    kept = [polygon for polygon in state.polygons if not (new and polygon.kind == "outline")]
    for polygon in more:
        count = sum(len(one.points) for one in kept) + len(polygon.points)
        if len(kept) < MAX_POLYGONS and count <= MAX_ALL_POINTS:
            kept.append(polygon)
    return replace(cancel(state), polygons=tuple(kept))


def corner_at(polygons: Sequence[Polygon], at: Place, reach: float) -> tuple[int, int] | None:
    """Return (polygon, corner) of the nearest corner within reach."""
    best: tuple[int, int] | None = None
    for index, polygon in enumerate(polygons):
        away = np.hypot(*(polygon.points.astype(np.float64) - at).T)
        if away.min() <= reach:
            reach, best = float(away.min()), (index, int(away.argmin()))
    return best


def edge_at(polygons: Sequence[Polygon], at: Place, reach: float) -> tuple[int, int] | None:
    """Return (polygon, where a new corner goes) of the nearest edge within reach."""
    best: tuple[int, int] | None = None
    for index, polygon in enumerate(polygons):
        away = _from_edges(polygon.points.astype(np.float64), at)
        if away.min() <= reach:
            reach, best = float(away.min()), (index, int(away.argmin()) + 1)
    return best


def polygon_at(polygons: Sequence[Polygon], at: Place) -> int | None:
    """Return the polygon in which a place lies; of several the one that was drawn last."""
    holding = (
        index
        for index in reversed(range(len(polygons)))
        if cv2.pointPolygonTest(polygons[index].points.reshape(-1, 1, 2), at, False) >= 0
    )
    return next(holding, None)


def _from_edges(points: NDArray[np.float64], at: Place) -> NDArray[np.float64]:
    """Return how far a place is from each edge, (n,); edge k begins at corner k."""
    along = np.roll(points, -1, axis=0) - points
    share = ((np.array(at) - points) * along).sum(1) / np.maximum((along**2).sum(1), 1e-12)
    nearest = points + np.clip(share, 0, 1)[:, None] * along
    away: NDArray[np.float64] = np.hypot(*(nearest - at).T)
    return away


def _with_corner(state: MaskState, at: Place) -> MaskState:
    if state.full:
        return state
    return replace(state, corners=(*state.corners, at), held=(-1, len(state.corners)))


def _with_points(state: MaskState, index: int, points: NDArray[np.float32]) -> MaskState:
    changed = replace(state.polygons[index], points=points)
    return replace(state, polygons=(*state.polygons[:index], changed, *state.polygons[index + 1 :]))
