"""A detector of bright squares and landmarks that follow the box: the extraction without any network."""

from collections.abc import Sequence

import cv2
import numpy as np

from facewright.core.images import Image
from facewright.extract.detectors.base import Box, sort_largest_first
from facewright.extract.side_run import ModelLoader
from facewright.faces.align import MEAN_FACE


class Squares:
    """Finds what is brighter than 200."""

    name = "squares"
    upright_score = 0.0

    def __init__(self, *, max_side: int = 1920) -> None:
        self.max_side = max_side
        self.batches: list[int] = []
        self.widths: list[int] = []

    def batch_size(self, height: int, width: int) -> int:
        return 3

    def detect(self, frames: Sequence[Image], *, smallest: float = 0.0) -> list[list[Box]]:
        assert len({frame.shape for frame in frames}) <= 1
        self.batches.append(len(frames))
        self.widths += [frame.shape[1] for frame in frames]
        return [self.boxes(frame) for frame in frames]

    def face_square(self, box: Box) -> Box:
        return box

    def boxes(self, frame: Image) -> list[Box]:
        _, _, parts, _ = cv2.connectedComponentsWithStats((frame.min(2) > 200).astype(np.uint8))
        return sort_largest_first(
            [Box(float(x), float(y), float(x + w), float(y + h), 1.0) for x, y, w, h, _ in parts[1:]]
        )


class StillLandmarks:
    """The mean face, drawn into the box."""

    name = "still"

    def find(self, frame: Image, box: Box, *, accurate: bool = False) -> np.ndarray:
        inner = MEAN_FACE * [box.width, box.height] + [box.left, box.top]
        jaw = np.linspace(inner[0], inner[9], 17) + np.array([0, box.height / 2])
        return np.vstack([jaw, inner]).astype(np.float32)


class SquareModels(ModelLoader):
    """Squares take the place of faces, whatever detector is asked for.

    Attributes:
        squares: The detector.
        loaded: Names of the detectors that were asked for.
    """

    def __init__(self, squares: Squares | None = None, landmarker: StillLandmarks | None = None) -> None:
        self.squares = squares or Squares()
        self.landmarker = landmarker or StillLandmarks()
        self.loaded: list[str] = []

    def use_landmarker(self, name: str) -> None:
        """The landmarks of squares stay, whatever is asked for."""

    def detector(self, name: str, *, sensitive: bool = False) -> Squares:
        self.loaded.append(name)
        return self.squares


def frame_with(squares: Sequence[tuple[int, int, int]], *, shape: tuple[int, int] = (200, 400)) -> Image:
    """Return a dark frame with bright squares given as (left, top, side)."""
    frame = np.full((*shape, 3), 40, np.uint8)
    for left, top, side in squares:
        frame[top : top + side, left : left + side] = 230
    return frame
