"""What conversion is told of one frame."""

from dataclasses import dataclass
from pathlib import Path

from facewright.faces.align import Points


@dataclass(frozen=True)
class Job:
    """One frame to convert.

    Attributes:
        frame: Its file.
        target: Where the result goes; the suffix decides the format.
        landmarks: (68, 2) points in the frame for each face; none: the frame is copied.
        shown: The frame whose face is taken instead of its own; None for its own.
    """

    frame: Path
    target: Path
    landmarks: tuple[Points, ...]
    shown: Path | None = None
