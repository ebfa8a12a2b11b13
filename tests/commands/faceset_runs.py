"""The faceset step on frames and faces made here."""

import hashlib
from pathlib import Path

import numpy as np

from facewright import cli
from facewright.core.images import write_image
from facewright.core.workspace import Side, Workspace
from facewright.faces.align import FaceType
from facewright.faces.record import FaceRecord, save_face
from facewright.facesets.recut import from_frame
from interop import foreign_files as others


def run(workspace: Workspace, action: str, *flags: str) -> int:
    return cli.main(["faceset", "--workspace", str(workspace.root), "--yes", "--action", action, *flags])


def add_face(side: Side, number: int, name: str = "", *, kind: FaceType = FaceType.FULL, size: int = 128) -> FaceRecord:
    """Write a frame and the face in it, as the extraction does."""
    picture = others.frame(number)
    side.aligned_dir.mkdir(parents=True, exist_ok=True)
    write_image(side.frames_dir / f"{number:05d}.png", picture)
    points = others.landmarks(turn=5.0 * number, side=80 + number)
    blank = FaceRecord(
        kind,
        size,
        points,
        points,
        f"{number:05d}.png",
        "mtcnn",
        1.0,
        (90, 60, 200 + number, 180),
        np.eye(2, 3),
        (0, 0, 0),
    )
    image, record = from_frame(picture, blank, kind, size)
    save_face(side.aligned_dir / (name or f"{number:05d}_0.png"), image, record)
    return record


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(side: Side) -> list[str]:
    return [path.name for path in side.aligned()]
