"""A session over drawn faces, for the tests: in this process, or shown by window or page as a process of its own."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from facewright.annotate.face import mean_points
from facewright.annotate.session import AnnotationSession
from facewright.annotate.storage import FaceStorage
from facewright.core.images import write_image
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import Box
from facewright.extract.log import LoggedSettings
from facewright.extract.side_run import ModelLoader, SideRun, open_side

SETTINGS = {"detector": "manual", "face_type": "full", "size": 64}
HEIGHT, WIDTH = 240, 320


class Mean:
    """The mean face, laid into the square; the second look lies a pixel lower."""

    name = "mean"

    def find(self, frame: np.ndarray, box: Box, *, accurate: bool = False) -> np.ndarray:
        turn = np.radians(box.roll)
        c, s = np.cos(turn) * box.width / 1.24, np.sin(turn) * box.width / 1.24
        middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2 + accurate)
        return ((mean_points() - 0.5) @ np.array([[c, s], [-s, c]]) + middle).astype(np.float32)


class MeanModels(ModelLoader):
    """Loads nothing."""

    landmarker = Mean()


def fill(side: Side, count: int = 3, *, size: tuple[int, int] = (HEIGHT, WIDTH)) -> list[Path]:
    """Write frames of noise; return them."""
    side.frames_dir.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    for number in range(1, count + 1):
        write_image(side.frames_dir / f"{number:05d}.png", random.integers(0, 256, (*size, 3)).astype(np.uint8))
    return side.frames()


def open_session(
    workspace: Workspace, wanted: list[Path] | None = None, settings: LoggedSettings = SETTINGS, **more: object
) -> AnnotationSession:
    """Return a session over all frames of dst."""
    frames = workspace.dst.frames()
    storage = FaceStorage(SideRun(workspace, workspace.dst, ThreadPoolExecutor(1), MeanModels()), settings)
    return AnnotationSession(frames, frames if wanted is None else wanted, storage, Mean(), **more)


if __name__ == "__main__":
    from facewright.annotate.launch import AnnotationOptions, ManualAnnotation

    place = Workspace(Path(sys.argv[1]))
    options = AnnotationOptions(serve=sys.argv[2] == "--serve", manual_window_size=640)
    with open_side(place, place.dst, MeanModels()) as run:
        ManualAnnotation(options)(run, place.dst.frames(), place.dst.frames(), SETTINGS)
    assert "dlib" not in sys.modules
