"""Whether a written .dfm file answers as the trained network does, and how long both take for a face."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.console import counted
from facewright.core.errors import UserError
from facewright.faces.align import cut
from facewright.faces.dfl_crop import FaceKind, face_matrix
from facewright.faces.record import load_face
from facewright.ui.contact_sheet import evenly

Faces = NDArray[np.float32]
FACES = 8
# A GPU multiplies with fewer bits than a processor unless it is told otherwise.
LIMITS = {"cpu": 1e-4, "gpu": 1e-2}
TRIALS, SECONDS = 10, 2.0


@dataclass(frozen=True)
class Agreement:
    """How a file compares with its network.

    Attributes:
        difference: The greatest one over all outputs and faces, in units of the images' range of 1.
        file_ms, network_ms: Time for one face, the shortest of some trials.
    """

    difference: float
    file_ms: float
    network_ms: float


def check_faces(paths: list[Path], kind: FaceKind, side: int) -> tuple[Faces, str]:
    """Return some faces as the network takes them, (n, side, side, 3) BGR in 0..1, and where they are from.

    Args:
        paths: Aligned PNGs; those that are no faces are passed over. Without any, faces are drawn by chance.
        kind: What the images are to show.
        side: In pixels.
    """
    found = [face for index in evenly(len(paths), FACES) if (face := _face(paths[index], kind, side)) is not None]
    if found:
        return np.stack(found), f"{counted(len(found), 'face')} of data_dst"
    rng = np.random.default_rng(0)
    patches = (cv2.resize(rng.random((6, 6, 3), np.float32), (side, side)) for _ in range(FACES))
    return np.stack(list(patches)), f"{FACES} images drawn by chance"


def _face(path: Path, kind: FaceKind, side: int) -> Faces | None:
    try:
        image, record = load_face(path)
        matrix = face_matrix(record.landmarks, kind, side)
    except (UserError, ValueError):
        return None
    return np.clip(cut(image.astype(np.float32), matrix, side) / np.float32(255), 0, 1)


def compare_with_network(
    file: Any,
    network: Callable[[Faces], Any],
    answers: Callable[[Faces], tuple[Faces, ...]],
    faces: Faces,
    given: Callable[[Faces], Sequence[Faces]] = lambda faces: (faces,),
) -> Agreement:
    """Run file and network on the same faces, all at once and one alone.

    Args:
        file: An open nn.onnx_run.OnnxFile.
        network: What conversion calls; it is timed.
        answers: What the file must answer, in the order of its outputs.
        faces: (n, S, S, 3).
        given: What the file takes for some faces, in the order of its inputs.

    Raises:
        ValueError: The file does not run, or gives other outputs.
    """
    worst = 0.0
    for batch in (faces, faces[:1]):
        for made, wanted in zip(file.run(*given(batch)), answers(batch), strict=True):
            if made.shape != wanted.shape:
                raise ValueError(f"an output has the shape {made.shape} in the place of {wanted.shape}")
            difference = float(np.abs(made - wanted).max())
            worst = max(worst, difference) if np.isfinite(difference) else float("inf")
    one = faces[:1]
    return Agreement(worst, _shortest(lambda: file.run(*given(one))), _shortest(lambda: network(one)))


def _shortest(work: Callable[[], Any]) -> float:
    """Milliseconds of the shortest of some trials; the first one only warms up."""
    work()
    times: list[float] = []
    while not times or (len(times) < TRIALS and sum(times) < SECONDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)
