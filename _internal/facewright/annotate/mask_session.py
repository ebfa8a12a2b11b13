"""One session of the mask editor: events in, an image out; shown by the window and by the page alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from facewright.annotate import mask_state as steps
from facewright.annotate.board import ZOOM_BUTTONS, Button, Facts
from facewright.annotate.drawing import farewell, notice
from facewright.annotate.face import Place
from facewright.annotate.mask_drawing import MaskScene, draw_mask_scene
from facewright.annotate.mask_state import MaskState
from facewright.annotate.viewport import Eye
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import Image, read_image
from facewright.faces.align import Matrix, invert, is_flat, similarity, transform_points, zoom_of
from facewright.faces.faceset import FaceFile, FaceIndex
from facewright.faces.mask import Mask, automatic_mask, polygons_around
from facewright.faces.polygons import MAX_POLYGONS, Polygon
from facewright.faces.record import INNER, FaceRecord, load_face
from facewright.ui.events import ZOOM_HELP, Do, Event, plain_name

UNDO_STEPS = 200
REACH = 8  # px of the screen
ROOM_FULL = f"a face has room for {MAX_POLYGONS} polygons and no more"


class MaskKey(StrEnum):
    """Keys of the mask editor, by the names that browsers give them."""

    INCLUDE = "i"
    EXCLUDE = "e"
    CLOSE = "Enter"
    GIVE_UP = "Escape"
    DELETE = "Delete"
    TURN_OVER = "c"
    UNDO = "u"
    REDO = "y"
    OUTLINE = "m"
    COPY_PREVIOUS = "["
    COPY_NEXT = "]"
    NEXT = "."
    PREVIOUS = ","
    MARKED = "l"
    OVERLAY = "v"
    HELP = "h"
    QUIT = "q"


HELP = (
    ("click", "the next corner of a polygon; on the first one: close it"),
    ("drag", "move a corner; on an edge: a new corner"),
    ("right click, Delete", "remove the corner, or the polygon, under the mouse"),
    ("i e", "the next polygon includes, excludes"),
    ("Enter", "close the polygon; without one: the next face"),
    ("Esc", "drop the polygon that is being drawn"),
    ("c", "turn the polygon under the mouse over: include, exclude"),
    ("m", "make the automatic mask a polygon, which replaces it and can be edited"),
    ("[ ]", "copy the polygons of the previous, the next face"),
    ("u y", "undo, redo"),
    (". ,", "next, previous face; all is saved at once"),
    ("l", "next marked face: one that has polygons, or needs a look"),
    ("v", "show the mask: on, off"),
    ("wheel", "zoom"),
    *ZOOM_HELP,
    ("h", "this help on, off"),
    ("q", "quit"),
)
BUTTONS = (
    (Button("Include", MaskKey.INCLUDE, switch=True), Button("Exclude", MaskKey.EXCLUDE, switch=True)),
    (Button("Close", MaskKey.CLOSE), Button("Cancel", MaskKey.GIVE_UP), Button("Delete", MaskKey.DELETE)),
    (Button("Undo", MaskKey.UNDO), Button("Redo", MaskKey.REDO), Button("Turn over", MaskKey.TURN_OVER)),
    (Button("Mask to polygon", MaskKey.OUTLINE), Button("Show mask", MaskKey.OVERLAY, switch=True)),
    (Button("Copy previous", MaskKey.COPY_PREVIOUS), Button("Copy next", MaskKey.COPY_NEXT)),
    (Button("Previous", MaskKey.PREVIOUS), Button("Next", MaskKey.NEXT), Button("Marked", MaskKey.MARKED)),
    ZOOM_BUTTONS,
    (Button("Help", MaskKey.HELP, switch=True), Button("Quit", MaskKey.QUIT)),
)


class MaskSession:
    """Goes through faces; every polygon is in its face's file as soon as it is closed or changed.

    Attributes:
        done: Whether it was ended.
        changed: Names of the files that were changed.
        eye: Zooms and moves what is shown.
    """

    heading = "Masks of faces"
    buttons: Sequence[Sequence[Button]] = BUTTONS
    help: Sequence[tuple[str, str]] = HELP

    def __init__(
        self,
        faces: Sequence[FaceFile],
        index: FaceIndex,
        *,
        window_size: int = 0,
        room: tuple[int, int] | None = None,
        reasons: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Open the first face.

        Args:
            faces: Through which one goes, in order; one at least.
            index: Of their folder; it is kept up to date.
            window_size, room: See `facewright.annotate.viewport.whole`.
            reasons: Why faces are to be looked at, by file name.
        """
        self.done = False
        self.changed: dict[str, None] = {}
        self.eye = Eye(window_size, room)
        self._faces, self._index = list(faces), index
        self._reasons = reasons or {}
        self._named = {at for at, face in enumerate(faces) if face.path.name in self._reasons}
        self._labelled = {at for at, face in enumerate(faces) if face.record.polygons}
        self._help, self._overlay = True, True
        self._state = MaskState()
        self._record: FaceRecord | None = None
        self._automatic: Mask = np.zeros((1, 1), np.float32)
        self._problem = self._note = ""
        self._earlier: list[MaskState] = []
        self._later: list[MaskState] = []
        self._pressed: MaskState | None = None  # what the mouse found when its button went down
        self._at = -1
        self._open(0)

    @property
    def state(self) -> MaskState:
        """The polygons of the face that is shown."""
        return self._state

    @property
    def title(self) -> str:
        """The face that is shown, in a few words."""
        return "All done" if self.done else f"{self._faces[self._at].path.name} ({self._at + 1} of {len(self._faces)})"

    @property
    def marks(self) -> Sequence[int]:
        """Places of the faces that have polygons, or a reason."""
        return sorted(self._labelled | self._named)

    def end(self) -> None:
        """End; a polygon that is being drawn is closed first.

        Raises:
            UserError: It could not be saved.
        """
        if not self.done:
            self.done = True
            self._close()

    def handle(self, event: Event) -> None:
        """Do what an event asks for.

        Raises:
            UserError: The face could not be saved (disk full, read-only folder); all before it is on the disk.
        """
        if self.done or self.eye.handle(event):
            return
        if event.do in (Do.DOWN, Do.KEY):
            self._note = ""
        if event.do is Do.KEY:
            self._key(event.what)
        elif event.do is Do.GO:
            self._go(event.steps)
        elif event.do is Do.WHEEL:
            self.eye.handle(replace(event, do=Do.ZOOM))
        elif self._record is not None:
            self._mouse(event)

    def picture(self) -> Image:
        """Return the face with its mask and polygons, (h, w, 3) uint8 BGR."""
        size = self.eye.port.shown
        if self.done:
            return farewell(size, [f"Faces whose polygons were changed: {len(self.changed)}."])
        if self._record is None:
            return notice(self._problem, size)
        matrix = self._record.matrix
        scene = MaskScene(self.eye.view(), self.eye.port, self._automatic, matrix, self._state, self._overlay)
        return draw_mask_scene(scene)

    def facts(self) -> Facts:
        """Return what is to be said about the face."""
        name = self._faces[self._at].path.name
        count = len(self._state.polygons)
        words = [f"{count} polygon{'' if count == 1 else 's'}"]
        if self._state.corners:
            words.append(f"one is being drawn: {len(self._state.corners)} corners")
        words += [self._note] * bool(self._note)
        on = {MaskKey.HELP: self._help, MaskKey.OVERLAY: self._overlay}
        on |= {MaskKey.INCLUDE: self._state.kind == "include", MaskKey.EXCLUDE: self._state.kind == "exclude"}
        return Facts(
            name,
            self._at,
            len(self._faces),
            f"{len(self._labelled)} with polygons",
            tuple(self._reasons.get(name, ())),
            tuple(words),
            frozenset(str(key) for key, pressed in on.items() if pressed),
            self.done,
        )

    def small(self, at: int) -> Image:
        """Return a face's aligned image.

        Raises:
            UserError: It cannot be read.
        """
        return read_image(self._faces[at].path)

    def _mouse(self, event: Event) -> None:
        at, reach = self._place(event), self._reach()
        match event.do:
            case Do.MOVE:
                self._state = steps.move(self._state, at)
            case Do.DOWN if event.what == "right":
                self._do(steps.remove(replace(self._state, mouse=at), reach))
            case Do.DOWN:
                self._pressed = self._state
                self._state = steps.press(self._state, at, reach)
                if self._state.full and self._state.held is None:
                    self._note = ROOM_FULL
            case Do.UP:
                before, self._pressed = self._pressed, None
                self._state = steps.release(self._state)
                if before is not None:
                    self._remember(before)
                self._save()

    def _key(self, name: str) -> None:
        name = plain_name(name)
        match name:
            case MaskKey.QUIT:
                self.end()
            case MaskKey.HELP:
                self._help = not self._help
            case MaskKey.OVERLAY:
                self._overlay = not self._overlay
            case MaskKey.NEXT | "Space":
                self._go(self._at + 1)
            case MaskKey.PREVIOUS:
                self._go(self._at - 1)
            case MaskKey.MARKED:
                later = sorted({*self.marks} - {self._at}, key=lambda at: (at < self._at, at))
                self._go(later[0] if later else -1)
            case MaskKey.CLOSE if not self._state.corners:
                self._go(self._at + 1)
            case _ if self._record is not None:
                self._key_on_polygons(name, self._record)

    def _key_on_polygons(self, name: str, record: FaceRecord) -> None:
        match name:
            case MaskKey.INCLUDE | MaskKey.EXCLUDE:
                self._state = steps.change(self._state, "include" if name == MaskKey.INCLUDE else "exclude")
            case MaskKey.CLOSE:
                self._do(steps.close(self._state))
            case MaskKey.GIVE_UP:
                self._do(steps.cancel(self._state))
            case MaskKey.DELETE:
                self._do(steps.remove(self._state, self._reach()))
            case MaskKey.TURN_OVER:
                self._do(steps.turn_over(self._state))
            case MaskKey.OUTLINE:
                self._do(steps.with_more(self._state, polygons_around(self._automatic, record.matrix)))
            case MaskKey.COPY_NEXT | MaskKey.COPY_PREVIOUS:
                self._copy(self._at + (1 if name == MaskKey.COPY_NEXT else -1), record)
            case MaskKey.UNDO if self._earlier:
                self._later.append(self._state)
                self._back(self._earlier.pop())
            case MaskKey.REDO if self._later:
                self._earlier.append(self._state)
                self._back(self._later.pop())

    def _copy(self, there: int, record: FaceRecord) -> None:
        """Add the polygons of another face, moved as its landmarks lie in this frame."""
        if not 0 <= there < len(self._faces):
            return
        other = self._faces[there].record
        step = similarity(other.frame_landmarks[INNER:], record.frame_landmarks[INNER:])
        moved = [replace(one, points=_moved(one, step)) for one in other.polygons]
        if moved:
            self._do(steps.with_more(self._state, moved))
        else:
            self._note = f"{self._faces[there].path.name} has no polygons"

    def _do(self, state: MaskState) -> None:
        """Go on with another state, and save it."""
        before, self._state, self._pressed = self._pressed or self._state, state, None
        self._remember(before)
        self._save()

    def _back(self, state: MaskState) -> None:
        self._state = replace(state, held=None, mouse=self._state.mouse, kind=self._state.kind)
        self._save()

    def _remember(self, before: MaskState) -> None:
        """Remember a state to which undo goes back, where something was changed since."""
        if (before.polygons, before.corners) != (self._state.polygons, self._state.corners):
            self._earlier = [*self._earlier[1 - UNDO_STEPS :], replace(before, held=None)]
            self._later.clear()

    def _save(self) -> None:
        """Write the polygons into the face's file where they differ from what is there."""
        face, record, polygons = self._faces[self._at], self._record, self._state.polygons
        if record is None or record.polygons == polygons:
            return
        self._record = replace(record, polygons=polygons)
        new = FaceFile(face.path, self._record)
        self._index.write(new)
        self._faces[self._at] = new
        self.changed[face.path.name] = None
        (self._labelled.add if polygons else self._labelled.discard)(self._at)

    def _close(self) -> None:
        """Close the polygon that is being drawn, which saves it."""
        if self._record is not None:
            self._do(steps.close(self._state))

    def _go(self, there: int) -> None:
        if 0 <= there < len(self._faces) and there != self._at:
            self._close()
            self._open(there)

    def _open(self, at: int) -> None:
        self._at, kind = at, self._state.kind
        self._earlier, self._later, self._pressed = [], [], None
        self._record, self._problem = None, ""
        face = self._faces[at]
        try:
            image, record = load_face(face.path)
        except UserError as problem:
            self._problem = problem.happened
        else:
            if is_flat(record.matrix):
                self._problem = f"{face.path.name} does not say where it lies in its frame."
            else:
                self._record = record
        if self._record is None:
            self.eye.close()
            self._state = MaskState(kind=kind)
            return
        self.eye.open(image)
        height, width = image.shape[:2]
        self._automatic = automatic_mask(self._record, self._record.matrix, max(height, width))[:height, :width]
        self._state = MaskState(self._record.polygons, kind=kind)

    def _place(self, event: Event) -> Place:
        """Return the event's place in the frame."""
        assert self._record is not None
        there = np.array([self.eye.port.place(event.x, event.y)])
        x, y = transform_points(there, invert(self._record.matrix))[0]
        return float(x), float(y)

    def _reach(self) -> float:
        """How near to a corner a press must be to take it, in the frame's pixels."""
        assert self._record is not None
        return REACH * self.eye.reach / zoom_of(self._record.matrix)


def _moved(polygon: Polygon, step: Matrix) -> NDArray[np.float32]:
    return transform_points(polygon.points, step).astype(np.float32)


def say_changed(session: MaskSession) -> None:
    """Say what was done in a session."""
    names = f" ({console.listed(list(session.changed))})" if session.changed else ""
    console.say(f"Faces whose polygons were changed: {len(session.changed)}{names}.")
