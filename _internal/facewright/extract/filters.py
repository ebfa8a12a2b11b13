"""Which of a frame's boxes become faces: by size and number, and by filters that look at image and landmarks.

Landmarks cost more than anything else that is done with a box, so they are found only for as many boxes as may be
kept: `FrameCandidates.next_round` says which.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from facewright.core.images import Image
from facewright.extract.detection import Detections
from facewright.extract.detectors.base import Box
from facewright.faces.align import FaceType, align_matrix
from facewright.faces.record import FaceRecord
from facewright.faces.sharpness import sharpness


@dataclass(frozen=True)
class Rejection:
    """Why a face is not saved among the others.

    Attributes:
        reason: In a few words, for the report and the debug image: "smaller than 40 px".
        folder: Where it is saved instead; None for nowhere.
        not_a_face: Something else was taken for a face, so the frame may still hide a true one.
    """

    reason: str
    folder: Path | None = None
    not_a_face: bool = False


class FilterInput(NamedTuple):
    """What a filter sees of a face: its frame, (h, w, 3) uint8 BGR, and its record."""

    image: Image
    record: FaceRecord


FilterResult = FaceRecord | Rejection  # the record to be saved, perhaps with more in it, or why there is none


class FaceFilter(Protocol):
    """Decides about faces; may be called from several threads at once."""

    def apply(self, faces: Sequence[FilterInput]) -> Sequence[FilterResult]:
        """Return one result per face. The faces are of any frames; each result depends on its own face alone."""
        ...


@dataclass(frozen=True)
class EachFace:
    """A filter that looks at one face after the other."""

    decide: Callable[[Image, FaceRecord], FilterResult]

    def apply(self, faces: Sequence[FilterInput]) -> list[FilterResult]:
        """See `FaceFilter`."""
        return [self.decide(face.image, face.record) for face in faces]


@dataclass
class Candidate:
    """A box on its way to a face.

    Attributes:
        box: Where a face was found.
        record: None where its landmarks were not needed.
        rejection: Why it is not among the faces; None for a face.
    """

    box: Box
    record: FaceRecord | None = None
    rejection: Rejection | None = None

    @property
    def saved(self) -> bool:
        """Whether it is saved, among the faces or elsewhere."""
        return self.record is not None and (self.rejection is None or self.rejection.folder is not None)


@dataclass
class FrameCandidates:
    """The boxes of a frame, and what became of them so far.

    Attributes:
        frame: The frame and its boxes, largest first.
        image: (h, w, 3) uint8 BGR.
        candidates: One per box that was decided about, in the order of the boxes.
    """

    frame: Detections
    image: Image
    candidates: list[Candidate] = field(default_factory=list)

    def next_round(self, min_face_px: float, max_faces: int) -> list[Candidate]:
        """Return the next boxes that need landmarks: as many as may be kept if all of them pass the filters.

        Args:
            min_face_px: Boxes whose longer side is shorter, in pixels of the frame, are rejected.
            max_faces: So many faces are kept, the largest that pass; 0 keeps all.
        """
        boxes = self.frame.boxes
        places = (max_faces or len(boxes)) - sum(candidate.saved for candidate in self.candidates)
        full = max_faces > 0 and places == 0
        needed: list[Candidate] = []
        for box in boxes[len(self.candidates) :]:
            candidate = Candidate(box)
            if box.longer < min_face_px:
                candidate.rejection = Rejection(f"smaller than {min_face_px:g} px")
            elif full:
                candidate.rejection = Rejection(
                    f"beyond the {max_faces} largest" if max_faces > 1 else "not the largest"
                )
            elif len(needed) == places:
                break  # it depends on what becomes of those before it
            else:
                needed.append(candidate)
            self.candidates.append(candidate)
        return needed


def apply_filters(filters: Sequence[FaceFilter], faces: Sequence[tuple[Image, Candidate]]) -> None:
    """Ask the filters in turn about all faces; each sees what those before it let pass.

    Args:
        filters: In the order in which they are asked.
        faces: Frames, (h, w, 3) uint8 BGR, and candidates with records; record and rejection are filled in.
    """
    for one in filters:
        waiting = [(image, candidate) for image, candidate in faces if candidate.rejection is None]
        inputs = [FilterInput(image, candidate.record) for image, candidate in waiting if candidate.record]
        for (_, candidate), result in zip(waiting, one.apply(inputs), strict=True):
            if isinstance(result, Rejection):
                candidate.rejection = result
            else:
                candidate.record = result


MAX_SQUARE_RATIO = 4.0  # area of the full face's square over that of the detector's box


def reject_false_face(image: Image, record: FaceRecord) -> FilterResult:
    """Reject what is not a face: its landmarks spread far beyond the detector's box.

    Of 1,900 finds of MTCNN and dlib's HOG in real clips and photographs, those of true faces had a full square of
    0.7 to 2.9 times the area of their box; where the landmarks were all wrong it was up to 3.4 times. So the limit,
    which is DeepFaceLab's, costs no true face.
    """
    return Rejection("not a face", not_a_face=True) if square_ratio(record) > MAX_SQUARE_RATIO else record


def square_ratio(record: FaceRecord) -> float:
    """Return the area of the full face's square in the frame, in areas of the detector's box."""
    matrix = align_matrix(record.frame_landmarks, FaceType.FULL, 1)
    shrink = abs(float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]))
    left, top, right, bottom = record.rect
    area = max(right - left, 0.0) * max(bottom - top, 0.0)
    return 1 / (shrink * area) if shrink * area > 0 else math.inf


@dataclass(frozen=True)
class BlurFilter:
    """Saves faces that are not sharp elsewhere.

    Attributes:
        min_sharpness: Variance of the Laplacian, see `facewright.faces.sharpness`.
        folder: Where the others go.
    """

    min_sharpness: float
    folder: Path

    def apply(self, faces: Sequence[FilterInput]) -> list[FilterResult]:
        """See `FaceFilter`."""
        results: list[FilterResult] = []
        for face in faces:
            measured = sharpness(face.image, face.record.frame_landmarks)
            sharp = measured >= self.min_sharpness
            results.append(face.record if sharp else Rejection(f"blurred: {measured:.0f}", self.folder))
        return results
