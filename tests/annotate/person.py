"""A person at the mouse and keys of a session, and what they left on the disk."""

import json

import numpy as np

from annotate.sessions import HEIGHT, WIDTH
from facewright.annotate.session import AnnotationSession
from facewright.core.workspace import Workspace
from facewright.ui.events import Do, Event


class Person:
    """Annotates in pixels of the frame, which is shown in its own size."""

    def __init__(self, session: AnnotationSession) -> None:
        self.session = session

    def do(self, kind: Do, x: float, y: float, what: str = "", steps: int = 0) -> None:
        self.session.handle(Event(kind, (x + 0.5) / WIDTH, (y + 0.5) / HEIGHT, what, steps))

    def move(self, x: float, y: float) -> None:
        self.do(Do.MOVE, x, y)

    def click(self, x: float, y: float) -> None:
        self.move(x, y)
        self.do(Do.DOWN, x, y, "left")
        self.do(Do.UP, x, y, "left")

    def drag(self, start: tuple[float, float], end: tuple[float, float], button: str = "left") -> None:
        self.do(Do.DOWN, *start, button)
        for share in (0.3, 0.7, 1.0):
            self.move(*(np.array(start) + (np.array(end) - start) * share))
        self.do(Do.UP, *end, button)

    def wheel(self, steps: int) -> None:
        self.do(Do.WHEEL, 0, 0, steps=steps)

    def key(self, *names: str) -> None:
        for name in names:
            self.session.handle(Event(Do.KEY, what=name))

    @property
    def faces(self):
        return self.session.state.faces

    @property
    def grabbed(self):
        return self.session.state.grabbed

    def middle(self, index: int = 0) -> tuple[float, float]:
        square = self.faces[index].square
        return round(square.x, 3), round(square.y, 3)


def names(workspace: Workspace) -> list[str]:
    return [path.name for path in workspace.dst.aligned()]


def entries(workspace: Workspace) -> dict[str, dict]:
    lines = workspace.dst.extract_journal.read_text(encoding="utf-8").splitlines()
    return {entry["frame"]: entry for entry in map(json.loads, lines)}


def trashed(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in workspace.trash.rglob("*.png"))
