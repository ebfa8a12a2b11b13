"""The frame that is annotated: its faces, the grabbed one, and what each move of the mouse and each key makes of them.

Nothing is read, written or shown here: each function returns the next state, so that every key can be tested alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import dist

import numpy as np

from facewright.annotate.face import (
    START,
    Face,
    FaceSquare,
    Find,
    Marks,
    Place,
    found,
    mean_face_between,
    moved,
    resize_by_wheel,
    square_of,
    with_point,
)
from facewright.ui.events import Key

TURN = 15.0  # degrees per key press


@dataclass(frozen=True)
class FrameView:
    """What the state needs to know of the frame.

    Attributes:
        find: Looks for landmarks in a square.
        pixel: Frame pixels per pixel of the screen; distances that a person can aim at are measured in these.
    """

    find: Find
    pixel: float = 1.0

    @property
    def reach(self) -> float:
        """How near to a landmark a press must be to take it, in frame pixels."""
        return 7 * self.pixel

    @property
    def still(self) -> float:
        """How far the mouse may slip during a click."""
        return 3 * self.pixel


@dataclass(frozen=True)
class Press:
    """The left button is down on a face, perhaps on one of its landmarks."""

    at: Place
    face: int
    point: int | None
    dragging: bool = False


@dataclass(frozen=True)
class State:
    """One frame under work.

    Attributes:
        faces: All faces, the grabbed one too.
        grabbed: Index of the face that follows the mouse; None when none does.
        before: The grabbed face as it was before; None for a new one.
        offset: From the mouse to the middle of the grabbed face.
        press: What the left button was pressed on.
        anchor: Where the right button was pressed.
        mouse: Where the mouse is, in frame pixels.
        half: Half size of the next new face.
    """

    faces: tuple[Face, ...] = ()
    grabbed: int | None = None
    before: Face | None = None
    offset: Place = (0.0, 0.0)
    press: Press | None = None
    anchor: Place | None = None
    mouse: Place = (0.0, 0.0)
    half: float = START

    def without_grab(self) -> tuple[Face, ...]:
        """Return the faces as if none were grabbed: that one is where it was before, or is gone if it is new."""
        return undo_grab(self).faces


def start_frame(faces: tuple[Face, ...], mouse: Place, half: float, view: FrameView) -> State:
    """Return a frame as it is opened: with its faces, or with a new one grabbed."""
    state = State(faces, mouse=mouse, half=half)
    return state if faces else grab_new(state, view)


def grab_new(state: State, view: FrameView) -> State:
    """Drop the grabbed face and grab a new one."""
    state = drop(state)
    square = FaceSquare(*state.mouse, state.half)
    return replace(state, faces=(*state.faces, found(square, view.find)), grabbed=len(state.faces), offset=(0.0, 0.0))


def drop(state: State) -> State:
    """Drop the grabbed face where it is."""
    return replace(state, grabbed=None, before=None, press=None, anchor=None)


def undo_grab(state: State) -> State:
    """Undo the grab: a new face vanishes, another one goes back to where it was."""
    if state.grabbed is None:
        return drop(state)
    back = () if state.before is None else (state.before,)
    return drop(replace(state, faces=(*state.faces[: state.grabbed], *back, *state.faces[state.grabbed + 1 :])))


def remove(state: State) -> State:
    """Remove the grabbed face, or the one under the mouse."""
    index = state.grabbed if state.grabbed is not None else face_at(state.faces, state.mouse)
    if index is None:
        return state
    return drop(replace(state, faces=(*state.faces[:index], *state.faces[index + 1 :])))


def take_over(state: State, others: Sequence[Marks]) -> State:
    """Take over the landmarks of another frame's faces: for the face at the same place, else as a new one."""
    faces = list(undo_grab(state).faces)
    for points in others:
        square = square_of(points)
        index = face_at(tuple(faces), (square.x, square.y))
        file = faces[index].file if index is not None else None
        face = Face(points, square.rect, square, placed=True, file=file)
        faces[slice(len(faces), None) if index is None else slice(index, index + 1)] = [face]
    return drop(replace(state, faces=tuple(faces)))


def face_at(faces: tuple[Face, ...], at: Place) -> int | None:
    """Return the face whose rectangle holds a place; of several the one whose middle is nearest."""
    holding = [index for index, face in enumerate(faces) if face.holds(at)]
    return min(holding, key=lambda i: np.hypot(faces[i].square.x - at[0], faces[i].square.y - at[1]), default=None)


def point_at(faces: tuple[Face, ...], at: Place, reach: float) -> tuple[int, int] | None:
    """Return (face, landmark) of the nearest landmark within reach."""
    best: tuple[int, int] | None = None
    for index, face in enumerate(faces):
        away = np.hypot(*(face.points - at).T)
        nearest = int(away.argmin())
        if away[nearest] <= reach:
            reach, best = float(away[nearest]), (index, nearest)
    return best


def mouse_move(state: State, at: Place, view: FrameView) -> State:
    """The mouse went to a place."""
    state = replace(state, mouse=at)
    if state.anchor is not None:
        return _place(state, state.anchor, view)
    if state.press is not None:
        return _drag(state, state.press, view)
    if state.grabbed is not None:
        return _follow(state, view)
    return state


def _place(state: State, anchor: Place, view: FrameView) -> State:
    """The right button is down: the mean face from the anchor to the mouse."""
    if dist(anchor, state.mouse) < 2 * view.still:
        return state
    grabbed = len(state.faces) if state.grabbed is None else state.grabbed
    like = None if state.grabbed is None else state.faces[grabbed]
    return _with_face(replace(state, grabbed=grabbed), grabbed, mean_face_between(anchor, state.mouse, like))


def _drag(state: State, press: Press, view: FrameView) -> State:
    if not press.dragging and dist(press.at, state.mouse) <= view.still:
        return state
    state = replace(state, press=replace(press, dragging=True))
    if press.point is not None:
        return _with_face(state, press.face, with_point(state.faces[press.face], press.point, state.mouse))
    if state.grabbed is None:
        state = replace(_grab(state, press), press=state.press)
    return _follow(state, view)


def _grab(state: State, press: Press) -> State:
    """Grab the pressed face, without a jump: it keeps its place relative to the mouse."""
    face = state.faces[press.face]
    offset = (face.square.x - press.at[0], face.square.y - press.at[1])
    return replace(state, grabbed=press.face, before=face, offset=offset, press=None)


def _follow(state: State, view: FrameView) -> State:
    x, y = state.mouse[0] + state.offset[0], state.mouse[1] + state.offset[1]
    return _change_grabbed(state, lambda square: replace(square, x=x, y=y), view)


def _change_grabbed(state: State, change: Callable[[FaceSquare], FaceSquare], view: FrameView) -> State:
    if state.grabbed is None:
        return state
    face = state.faces[state.grabbed]
    return _with_face(state, state.grabbed, moved(face, change(face.square), view.find))


def _with_face(state: State, index: int, face: Face) -> State:
    return replace(state, faces=(*state.faces[:index], face, *state.faces[index + 1 :]))


def button_down(state: State, button: str, at: Place, view: FrameView) -> State:
    """A button was pressed at a place."""
    state = replace(state, mouse=at)
    if button == "right":
        return replace(state, anchor=at, press=None)
    if state.grabbed is not None:
        return drop(state)
    point = point_at(state.faces, at, view.reach)
    if point is not None:
        return replace(state, press=Press(at, *point))
    index = face_at(state.faces, at)
    if index is not None:
        return replace(state, press=Press(at, index, None))
    return grab_new(state, view)


def button_up(state: State, button: str, at: Place) -> State:
    """A button was released."""
    state = replace(state, mouse=at)
    if button == "right":
        placed = state.grabbed is not None and state.anchor is not None and state.faces[state.grabbed].placed
        return drop(state) if placed else replace(state, anchor=None)
    press = state.press
    if press is None:
        return state
    return drop(state) if press.dragging else _grab(state, press)


def wheel(state: State, steps: int, view: FrameView) -> State:
    """The wheel was turned: another size for the grabbed face."""
    if state.grabbed is None:
        return state
    half = resize_by_wheel(state.faces[state.grabbed].square.half, steps, max(10.0, 10 * view.pixel))
    return replace(_change_grabbed(state, lambda square: replace(square, half=half), view), half=half)


def key(state: State, pressed: Key, view: FrameView, times: int = 1) -> State:
    """A key that concerns the faces of the frame, those in `ADDING` pressed so often; others change nothing."""
    match pressed:
        case Key.NEW:
            return grab_new(state, view)
        case Key.DELETE:
            return remove(state)
        case Key.GIVE_UP:
            return undo_grab(state)
        case Key.LARGER | Key.SMALLER:
            return wheel(state, times if pressed is Key.LARGER else -times, view)
        case Key.TURN_LEFT | Key.TURN_RIGHT:
            turn = (TURN if pressed is Key.TURN_RIGHT else -TURN) * times
            return _change_grabbed(
                state, lambda square: replace(square, roll=(square.roll + turn + 180) % 360 - 180), view
            )
        case _:
            return state


def look_again(state: State, view: FrameView) -> State:
    """Look for the grabbed face's landmarks anew, after the search itself was changed."""
    return _change_grabbed(state, lambda square: square, view)
