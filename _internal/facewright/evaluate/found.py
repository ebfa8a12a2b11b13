"""What an evaluation has found."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facewright.evaluate.compare import Comparison
from facewright.evaluate.figures import FigureValue, Table
from facewright.evaluate.round_trip import RoundTrip
from facewright.evaluate.sources import ResultSource
from facewright.evaluate.subject import Subject


@dataclass(frozen=True, eq=False)
class MeasuredResult:
    """A result, measured.

    Attributes:
        name: Of the result.
        table: Its faces.
        values: Its figures, by name.
        source: Its frames; None where only a report of it is there.
        judge: Who judged identity, in a sentence.
    """

    name: str
    table: Table
    values: Mapping[str, FigureValue]
    source: ResultSource | None = None
    judge: str = ""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was found.

    Attributes:
        workspace: Its folder.
        judge: Who judged identity, in a sentence.
        subject: Dst.
        result: The result.
        floor: Dst encoded once; None where that was not wanted.
        expected: What identity can come to, see `Evaluator.expected`.
        limits: What the report cannot know, in sentences.
        against: Another result beside it.
        trip: The round trip; None where none was wanted.
        reused: Faces that an earlier run had looked at.
    """

    workspace: Path
    judge: str
    subject: Subject
    result: MeasuredResult
    floor: MeasuredResult | None
    expected: Mapping[str, float]
    limits: tuple[str, ...]
    against: Comparison | None = None
    trip: RoundTrip | None = None
    reused: int = 0
