"""One session of manual annotation: events in, an image out; shown by the window and by the page alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewright.annotate import state as steps
from facewright.annotate.board import ZOOM_BUTTONS, Button, Facts
from facewright.annotate.drawing import Scene, draw_scene, farewell, notice
from facewright.annotate.face import START, Face, FaceSquare, open_face
from facewright.annotate.state import FrameView, State
from facewright.annotate.storage import FaceStorage, OpenFrame, open_frame
from facewright.annotate.viewport import ARROWS, Eye
from facewright.core.images import Image, read_image
from facewright.extract.detectors.base import Box
from facewright.extract.landmarkers.base import Landmarker
from facewright.ui.events import HELP, Do, Event, Key, key_named

UNDO_STEPS = 100
NUDGE = 3  # px of the view by which an arrow key moves a face
BUTTONS = (
    (Button("Accept", Key.ACCEPT), Button("Skip", Key.SKIP), Button("Undo", Key.UNDO)),
    (Button("Previous", Key.PREVIOUS), Button("Next", Key.NEXT)),
    (Button("Add", Key.NEW), Button("Delete", Key.DELETE), Button("Cancel", Key.GIVE_UP)),
    (Button("Place by drag", Key.PLACE, switch=True), Button("Second look", Key.ACCURATE, switch=True)),
    (Button("Larger", Key.LARGER), Button("Smaller", Key.SMALLER)),
    (Button("Turn left", Key.TURN_LEFT), Button("Turn right", Key.TURN_RIGHT)),
    (Button("Copy previous", Key.COPY_PREVIOUS), Button("Copy next", Key.COPY_NEXT)),
    ZOOM_BUTTONS,
    (Button("Help", Key.HELP, switch=True), Button("Quit", Key.QUIT)),
)


class AnnotationSession:
    """Works through frames one after the other; frames that are accepted are on the disk at once.

    Attributes:
        done: Whether all is worked through, or was ended.
        accepted: Names of the frames that were accepted, in order.
        eye: Zooms and moves what is shown.
    """

    heading = "Manual annotation"
    buttons: Sequence[Sequence[Button]] = BUTTONS
    help: Sequence[tuple[str, str]] = HELP

    def __init__(
        self,
        frames: Sequence[Path],
        wanted: Sequence[Path],
        storage: FaceStorage,
        landmarker: Landmarker,
        *,
        window_size: int = 0,
        room: tuple[int, int] | None = None,
        reasons: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Open the first wanted frame.

        Args:
            frames: All frames, through which `.` and `,` go.
            wanted: Those that are to be looked at, through which Enter and Space go, in this order.
            storage: Reads and saves faces.
            landmarker: Finds their landmarks.
            window_size: Longest side of the shown frame in pixels; 0 shows it in its own size.
            room: (w, h) in pixels that the shown frame must fit in; None for no bound.
            reasons: Why frames are to be looked at, by name.
        """
        self.done = False
        self.accepted: list[str] = []
        self._counts: dict[str, int] = {}
        self._frames = list(frames)
        places = {path: index for index, path in enumerate(frames)}
        self._wanted = [places[path] for path in dict.fromkeys(wanted) if path in places]
        self._marks = sorted(self._wanted)
        self._waiting = list(self._wanted)
        self._storage = storage
        self._landmarker = landmarker
        self._reasons = reasons or {}
        self._help, self._accurate, self._placing = True, False, False
        self._frame = OpenFrame(Path())
        self.eye = Eye(window_size, room)
        self._state = State(half=0.0)
        self._earlier: list[State] = []
        self._at = -1
        self._onward()

    @property
    def faces(self) -> int:
        """How many faces the accepted frames hold."""
        return sum(self._counts.values())

    @property
    def state(self) -> State:
        """The frame that is shown, as far as it is annotated."""
        return self._state

    @property
    def title(self) -> str:
        """The frame that is shown, in a few words."""
        return "All done" if self.done else f"{self._frame.path.name} ({self._at + 1} of {len(self._frames)})"

    @property
    def marks(self) -> Sequence[int]:
        """Places of the wanted frames among all."""
        return self._marks

    @property
    def left(self) -> int:
        """How many of the wanted frames were not shown yet; at the end also the one that was left open."""
        return len(self._waiting)

    def end(self) -> None:
        """End; what is not accepted is not saved."""
        if not self.done:
            self.done = True
            name = self._frame.path.name
            if self._at in self._wanted and name not in self.accepted:
                self._waiting.insert(0, self._at)

    def handle(self, event: Event) -> None:
        """Do what an event asks for.

        Raises:
            UserError: A face could not be saved (disk full, read-only folder); all before it is on the disk.
        """
        if self.done or self._nudge(event) or self.eye.handle(event):
            return
        if event.do is Do.KEY:
            pressed = key_named(event.what)
            if pressed is not None:
                self._key(pressed, max(1, event.steps))
        elif event.do is Do.GO:
            self._aside(event.steps)
        elif self._frame.picture is not None:
            self._mouse(event)

    def picture(self) -> Image:
        """Return what is shown of the frame with its faces, (h, w, 3) uint8 BGR."""
        size = self.eye.port.shown
        if self.done:
            lines = [f"Frames accepted: {len(self.accepted)}."]
            if self.left:
                lines.append(f"Frames not looked at: {self.left}. The next run offers them again.")
            return farewell(size, lines)
        if self._frame.picture is None:
            return notice(self._frame.problem or "No frames.", size)
        return draw_scene(Scene(self.eye.view(), self.eye.port, self._frame, self._state, self._storage.settings))

    def facts(self) -> Facts:
        """Return what is to be said about the frame."""
        count = len(self._state.faces)
        words = [f"{count} face{'' if count == 1 else 's'}"]
        if self._state.grabbed is not None:
            words.append("one is active: a click drops it")
        if self._storage.finished(self._frame.path):
            words.append("finished before")
        on = {Key.HELP: self._help, Key.ACCURATE: self._accurate, Key.PLACE: self._placing}
        name = self._frame.path.name
        return Facts(
            name,
            max(self._at, 0),
            len(self._frames),
            f"{self.left} more to look at",
            tuple(self._reasons.get(name, ())),
            tuple(words),
            frozenset(str(key) for key, pressed in on.items() if pressed),
            self.done,
        )

    def small(self, at: int) -> Image:
        """Return a frame.

        Raises:
            UserError: It cannot be read.
        """
        return read_image(self._frames[at])

    def _nudge(self, event: Event) -> bool:
        """Move the active face by an arrow key, as the mouse would; return whether it was one."""
        if event.do is not Do.KEY or event.what not in ARROWS or self._state.grabbed is None:
            return False
        step = NUDGE * self.eye.port.pixel * max(1, event.steps)
        x, y = (at + step * way for at, way in zip(self._state.mouse, ARROWS[event.what], strict=True))
        self._state = steps.mouse_move(self._state, (x, y), self._frame_view())
        return True

    def _mouse(self, event: Event) -> None:
        at = self.eye.port.place(event.x, event.y)
        view = self._frame_view()
        button = "right" if self._placing and event.what == "left" else event.what
        match event.do:
            case Do.MOVE:
                self._state = steps.mouse_move(self._state, at, view)
            case Do.DOWN:
                self._remember()
                self._state = steps.button_down(self._state, button, at, view)
            case Do.UP:
                self._state = steps.button_up(self._state, button, at)
            case _ if self._state.grabbed is None:
                self.eye.handle(replace(event, do=Do.ZOOM))
            case _:
                self._state = steps.wheel(self._state, event.steps, view)

    def _key(self, pressed: Key, times: int) -> None:
        match pressed:
            case Key.ACCEPT:
                self._accept()
            case Key.SKIP:
                self._onward()
            case Key.NEXT | Key.PREVIOUS:
                self._aside(self._at + (1 if pressed is Key.NEXT else -1))
            case Key.QUIT:
                self.end()
            case Key.HELP:
                self._help = not self._help
            case _ if self._frame.picture is not None:
                self._key_on_faces(pressed, times)

    def _key_on_faces(self, pressed: Key, times: int) -> None:
        if pressed is Key.UNDO:
            if self._earlier:
                self._state = self._earlier.pop()
        elif pressed is Key.ACCURATE:
            self._accurate = not self._accurate
            self._state = steps.look_again(self._state, self._frame_view())
        elif pressed is Key.PLACE:
            self._placing = not self._placing
        elif pressed in (Key.COPY_NEXT, Key.COPY_PREVIOUS):
            self._take_over(self._at + (1 if pressed is Key.COPY_NEXT else -1))
        else:
            if pressed not in (Key.LARGER, Key.SMALLER):
                self._remember()
            self._state = steps.key(self._state, pressed, self._frame_view(), times)

    def _accept(self) -> None:
        """Save all faces, the grabbed one too, and go on; a frame that is not an image is skipped."""
        if self._frame.picture is not None:
            self._save(self._state.faces)
        self._onward()

    def _take_over(self, there: int) -> None:
        """Copy the saved faces of another frame."""
        if 0 <= there < len(self._frames):
            self._remember()
            points = [file.record.frame_landmarks for file in self._storage.faces(self._frames[there])]
            self._state = steps.take_over(self._state, points)

    def _aside(self, there: int) -> None:
        """Go to a place in the list of all frames; what was dropped is kept."""
        if not 0 <= there < len(self._frames) or there == self._at:
            return
        faces = self._state.without_grab()
        if self._frame.picture is not None:
            saved = self._storage.faces(self._frame.path)
            if len(faces) != len(saved) or any(face.changed for face in faces):
                self._save(faces)
        self._open(there)

    def _save(self, faces: tuple[Face, ...]) -> None:
        name = self._frame.path.name
        self._counts[name] = len(self._storage.save(self._frame, faces))
        if name not in self.accepted:
            self.accepted.append(name)

    def _onward(self) -> None:
        """Open the next wanted frame that was not shown yet; end when there is none."""
        forward = self._wanted == self._marks  # else the worst comes first, wherever it is
        later = [index for index in self._waiting if index > self._at] if forward else []
        if self._waiting:
            self._open((later or self._waiting)[0])
        else:
            self.done = True

    def _open(self, index: int) -> None:
        self._at = index
        if index in self._waiting:
            self._waiting.remove(index)
        self._earlier.clear()
        half = self._state.half
        share = self._share()
        self._frame = open_frame(self._frames[index])
        picture = self._frame.picture
        if picture is None:
            self._state = State(half=half)
            self.eye.close()
            return
        height, width = picture.shape[:2]
        self.eye.open(picture)
        view = self._frame_view()
        faces = tuple(open_face(file, view.find) for file in self._storage.faces(self._frame.path))
        half = half or self._storage.usual_half() or min(max(START, max(height, width) / 16), min(height, width) / 3)
        self._state = steps.start_frame(faces, (share[0] * width, share[1] * height), half, view)

    def _share(self) -> tuple[float, float]:
        """Where the mouse is, as a share of the frame's size: it stays there when the frame changes."""
        if self._frame.picture is None:
            return 0.5, 0.5
        height, width = self._frame.picture.shape[:2]
        return self._state.mouse[0] / width, self._state.mouse[1] / height

    def _frame_view(self) -> FrameView:
        picture = self._frame.picture
        assert picture is not None

        def find(square: FaceSquare) -> NDArray[np.float32]:
            near, left, top = around(picture, square)
            box = Box(*replace(square, x=square.x - left, y=square.y - top).rect, 1.0, square.roll)
            return self._landmarker.find(near, box, accurate=self._accurate) + np.array([left, top], np.float32)

        return FrameView(find, self.eye.reach)

    def _remember(self) -> None:
        self._earlier = [*self._earlier[-UNDO_STEPS:], self._state]


def around(picture: Image, square: FaceSquare) -> tuple[Image, int, int]:
    """Return the part of a frame in which a square's landmarks are looked for, with the place of its corner.

    A search reads the whole image that it gets, which takes too long in a huge one while the mouse moves.
    """
    height, width = picture.shape[:2]
    reach = 6 * square.half
    left, right = (min(max(int(square.x + way), 0), width) for way in (-reach, reach))
    top, bottom = (min(max(int(square.y + way), 0), height) for way in (-reach, reach))
    if right <= left or bottom <= top:
        return picture, 0, 0
    return picture[top:bottom, left:right], left, top
