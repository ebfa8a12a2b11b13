"""Which of a frame's boxes become faces: landmarks for each, then the checks, over several frames at once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from facewright.core.images import Image
from facewright.extract.detectors.base import Box
from facewright.faces.align import FaceType, align_matrix
from facewright.faces.record import FaceRecord
from facewright.faces.sharpness import sharpness


@dataclass(frozen=True)
class Dropped:
    """Why a face is not saved among the others.

    Attributes:
        why: In a few words, for the report and the debug picture: "smaller than 40 px".
        folder: Where it is saved instead; None for nowhere.
        no_face: It is something else that was taken for a face, so its frame may still hide a true one.
    """

    why: str
    folder: Path | None = None
    no_face: bool = False


Answer = FaceRecord | Dropped | None
# The frame and what was found in it -> the record to be saved (with more in it, perhaps), or why it is left out.
Check = Callable[[Image, FaceRecord], Answer]
UNTOLD = Dropped("left out")  # what None stands for


@runtime_checkable
class CheckOfMany(Protocol):
    """A check that looks at several faces in less time than at one after the other."""

    def __call__(self, picture: Image, record: FaceRecord) -> Answer:
        """Check one face."""
        ...

    def many(self, faces: Sequence[tuple[Image, FaceRecord]]) -> Sequence[Answer]:
        """Check faces of any frames; the answers are those of one call after the other."""
        ...


@dataclass
class Verdict:
    """What became of a box.

    Attributes:
        box: Where a face was found.
        record: None where its landmarks were not looked for.
        why_not: Why it is not among the faces; None for a face.
    """

    box: Box
    record: FaceRecord | None = None
    why_not: Dropped | None = None

    @property
    def saved(self) -> bool:
        """Whether it is saved, among the faces or elsewhere."""
        return self.record is not None and (self.why_not is None or self.why_not.folder is not None)


@dataclass
class Judged:
    """A frame whose boxes are judged.

    Attributes:
        picture: (h, w, 3) uint8 BGR.
        boxes: Largest first.
        record_of: Finds a box's landmarks.
        verdicts: One per box, in their order.
    """

    picture: Image
    boxes: Sequence[Box]
    record_of: Callable[[Box], FaceRecord]
    verdicts: list[Verdict] = field(default_factory=list)

    def next_faces(self, smallest: float, most: int) -> Iterator[Verdict]:
        """Yield boxes that are still to be checked: as many as may be kept if all of them pass."""
        room = (most or len(self.boxes)) - sum(verdict.saved for verdict in self.verdicts)
        full = most > 0 and room == 0
        for box in self.boxes[len(self.verdicts) :]:
            verdict = Verdict(box)
            if box.longer < smallest:
                verdict.why_not = Dropped(f"smaller than {smallest:g} px")
            elif full:
                verdict.why_not = Dropped(f"beyond the {most} largest" if most > 1 else "not the largest")
            elif not room:
                return  # it depends on what becomes of those before it
            else:
                room -= 1
                verdict.record = self.record_of(box)
            self.verdicts.append(verdict)
            if verdict.record is not None:
                yield verdict


def judge(frames: Sequence[Judged], checks: Sequence[Check], *, smallest: float = 0.0, most: int = 0) -> None:
    """Judge all boxes; in each frame only as many faces are looked at as it takes.

    Args:
        frames: Their verdicts are filled in.
        checks: Asked one after the other about each face.
        smallest: Boxes whose longer side is shorter, in pixels of the frame, are left out.
        most: So many faces of a frame are kept, the largest that pass the checks; 0 keeps all.
    """
    while True:
        waiting = [(frame.picture, verdict) for frame in frames for verdict in frame.next_faces(smallest, most)]
        if not waiting:
            return
        for check in checks:
            faces = [(picture, verdict) for picture, verdict in waiting if verdict.why_not is None]
            _ask(check, faces)


def _ask(check: Check, faces: Sequence[tuple[Image, Verdict]]) -> None:
    pairs = [(picture, verdict.record) for picture, verdict in faces if verdict.record is not None]
    answers = check.many(pairs) if isinstance(check, CheckOfMany) else [check(*pair) for pair in pairs]
    for (_, verdict), answer in zip(faces, answers, strict=True):
        if answer is None or isinstance(answer, Dropped):
            verdict.why_not = answer or UNTOLD
        else:
            verdict.record = answer


ODD = 4.0  # times the box's area


def false_face(picture: Image, record: FaceRecord) -> FaceRecord | Dropped:
    """Leave out what is no face: its landmarks spread far beyond the detector's box.

    Of 1,900 finds of MTCNN and dlib's HOG in real clips and photographs, those of true faces had a full square of
    0.7 to 2.9 times the area of their box; where the landmarks were all wrong it was up to 3.4 times. So the limit,
    which is DeepFaceLab's, costs no true face.
    """
    share = square_share(record)
    return Dropped("not a face", no_face=True) if share > ODD else record


def square_share(record: FaceRecord) -> float:
    """Return the area of the full face's square in the frame, in areas of the detector's box."""
    matrix = align_matrix(record.frame_landmarks, FaceType.FULL, 1)
    shrink = abs(float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
    left, top, right, bottom = record.rect
    area = max(right - left, 0.0) * max(bottom - top, 0.0)
    return 1 / (shrink * area) if shrink * area > 0 else math.inf


@dataclass(frozen=True)
class Blurred:
    """Sets faces aside that are not sharp.

    Attributes:
        threshold: Least sharpness (see `facewright.faces.sharpness`).
        folder: Where the others go.
    """

    threshold: float
    folder: Path

    def __call__(self, picture: Image, record: FaceRecord) -> FaceRecord | Dropped:
        """Measure one face."""
        measured = sharpness(picture, record.frame_landmarks)
        if measured >= self.threshold:
            return record
        return Dropped(f"blurred: {measured:.0f}", self.folder)
