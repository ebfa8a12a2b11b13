"""One session of manual annotation: events in, an image out; shown by the window and by the page alike."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.annotate import state as steps
from facewright.annotate.drawing import BAR, Scene, draw_scene, farewell, notice
from facewright.annotate.face import START, Face, FaceSquare, open_face
from facewright.annotate.state import FrameView, State
from facewright.annotate.storage import FaceStorage, OpenFrame, open_frame
from facewright.core.images import Image
from facewright.extract.detectors.base import Box
from facewright.extract.landmarkers.base import Landmarker
from facewright.ui.events import Do, Event, Key, key_named

MAX_VIEW_PX = 4096  # a larger image helps nobody and is slow to show
UNDO_STEPS = 100
SCREEN_EDGES_PX = (20, 110)  # px of a screen that a window cannot use, about: sides; title and task bar


class AnnotationSession:
    """Works through frames one after the other; frames that are accepted are on the disk at once.

    Attributes:
        done: Whether all is worked through, or was ended.
        accepted: Names of the frames that were accepted, in order.
    """

    def __init__(
        self,
        frames: Sequence[Path],
        wanted: Sequence[Path],
        storage: FaceStorage,
        landmarker: Landmarker,
        *,
        window_size: int = 0,
        screen: tuple[int, int] | None = None,
    ) -> None:
        """Open the first wanted frame.

        Args:
            frames: All frames, through which `.` and `,` go.
            wanted: Those that are to be looked at, through which Enter and Space go.
            storage: Reads and saves faces.
            landmarker: Finds their landmarks.
            window_size: Longest side of the shown frame in pixels; 0 shows it in its own size.
            screen: (w, h) of the screen, where the image must fit in; None for no bound.
        """
        self.done = False
        self.accepted: list[str] = []
        self._counts: dict[str, int] = {}
        self._frames = list(frames)
        chosen = set(wanted)
        self._wanted = [index for index, path in enumerate(frames) if path in chosen]
        self._waiting = list(self._wanted)
        self._storage = storage
        self._landmarker = landmarker
        self._window_size = window_size
        self._screen = screen
        self._help, self._accurate = True, False
        self._frame = OpenFrame(Path())
        self._view = notice("No frames.", (360, 640))
        self._pixel = 1.0  # frame pixels per shown pixel
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
        if self.done:
            return
        if event.do is Do.KEY:
            pressed = key_named(event.what)
            if pressed is not None:
                self._key(pressed, max(1, event.steps))
        elif self._frame.picture is not None:
            self._mouse(event)

    def picture(self) -> Image:
        """Return what is to be shown, (h, w, 3) uint8 BGR."""
        if self.done:
            return farewell(self._view.shape[:2], self.accepted, self.left)
        scene = Scene(self._view, self._pixel, self._frame, self._state, self._storage.settings, self._status())
        return draw_scene(scene, help_shown=self._help)

    def _mouse(self, event: Event) -> None:
        at = self._place(event)
        view = self._frame_view()
        match event.do:
            case Do.MOVE:
                self._state = steps.mouse_move(self._state, at, view)
            case Do.DOWN:
                self._remember()
                self._state = steps.button_down(self._state, event.what, at, view)
            case Do.UP:
                self._state = steps.button_up(self._state, event.what, at)
            case _:
                self._state = steps.wheel(self._state, event.steps, view)

    def _key(self, pressed: Key, times: int) -> None:
        match pressed:
            case Key.ACCEPT:
                self._accept()
            case Key.SKIP:
                self._onward()
            case Key.NEXT | Key.PREVIOUS:
                self._aside(1 if pressed is Key.NEXT else -1)
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
        else:
            if pressed not in (Key.LARGER, Key.SMALLER):
                self._remember()
            self._state = steps.key(self._state, pressed, self._frame_view(), times)

    def _accept(self) -> None:
        """Save all faces, the grabbed one too, and go on; a frame that is not an image is skipped."""
        if self._frame.picture is not None:
            self._save(self._state.faces)
        self._onward()

    def _aside(self, step: int) -> None:
        """Go to the neighbour in the list of all frames; what was dropped is kept."""
        there = self._at + step
        if not 0 <= there < len(self._frames):
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
        later = [index for index in self._waiting if index > self._at] or self._waiting
        if later:
            self._open(later[0])
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
            self._view, self._pixel = notice(self._frame.problem, self._view.shape[:2]), 1.0
            return
        height, width = picture.shape[:2]
        self._view, self._pixel = fit_to_view(picture, self._window_size, self._screen)
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

    def _place(self, event: Event) -> tuple[float, float]:
        """Return the event's place in the frame, in its pixels; the centre of the first pixel is (0, 0)."""
        height, width = self._view.shape[:2]
        x, y = min(max(event.x, 0.0), 1.0) * width, min(max(event.y, 0.0) * (height + BAR), height)
        return x * self._pixel - 0.5, y * self._pixel - 0.5

    def _frame_view(self) -> FrameView:
        picture = self._frame.picture
        assert picture is not None

        def find(square: FaceSquare) -> NDArray[np.float32]:
            near, left, top = around(picture, square)
            box = Box(*replace(square, x=square.x - left, y=square.y - top).rect, 1.0, square.roll)
            return self._landmarker.find(near, box, accurate=self._accurate) + np.array([left, top], np.float32)

        return FrameView(find, self._pixel)

    def _remember(self) -> None:
        self._earlier = [*self._earlier[-UNDO_STEPS:], self._state]

    def _status(self) -> str:
        count = len(self._state.faces)
        parts = [f"{self._at + 1} of {len(self._frames)}", f"{count} face{'' if count == 1 else 's'}"]
        if self._state.grabbed is not None:
            parts.append("one grabbed: click drops it")
        if self._accurate:
            parts.append("second look")
        if self._storage.finished(self._frame.path):
            parts.append("finished before")
        parts.append(f"{self.left} more to look at")
        return "   ".join([self._frame.path.name, *parts, "Enter: accept   Space: skip   h: help"])


def fit_to_view(picture: Image, longest: int, screen: tuple[int, int] | None = None) -> tuple[Image, float]:
    """Return the frame in the size in which it is shown, and frame pixels per shown pixel.

    Args:
        picture: (h, w, 3) uint8 BGR.
        longest: Longest side in pixels; 0 for the frame's own.
        screen: (w, h) of the screen; title, task bar and the line below the frame take their part of it.
    """
    height, width = picture.shape[:2]
    scale = min(longest or max(height, width), MAX_VIEW_PX) / max(height, width)
    if screen:
        scale = min(
            scale,
            max(screen[0] - SCREEN_EDGES_PX[0], 200) / width,
            max(screen[1] - SCREEN_EDGES_PX[1] - BAR, 200) / height,
        )
    if scale == 1:
        return picture, 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8), 1 / scale


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
