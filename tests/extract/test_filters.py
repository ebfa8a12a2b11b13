"""Boxes become faces: whatever the checks say, several frames at once are judged as one after the other would be."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.images import Image
from facewright.extract.detection import Detections
from facewright.extract.detectors.base import Box
from facewright.extract.filters import (
    EachFace,
    FaceFilter,
    FilterInput,
    FilterResult,
    FrameCandidates,
    Rejection,
    apply_filters,
)
from facewright.faces.align import FaceType
from facewright.faces.record import FaceRecord

PICTURE: Image = np.zeros((8, 8, 3), np.uint8)
POINTS = np.zeros((68, 2), np.float32)
ASIDE = Rejection("set aside", Path("aside"))
GONE = Rejection("gone")


class Looks:
    """Frames whose boxes are squares of these sides; counts the landmarks that were looked for."""

    def __init__(self, frames: list[list[int]]) -> None:
        self.looked: list[float] = []
        self.frames = []
        for sides in frames:
            boxes = [Box(0, 0, side, side, 1.0) for side in sorted(sides, reverse=True)]
            self.frames.append(FrameCandidates(Detections(Path("1.png"), boxes=boxes), PICTURE))

    def decide(self, filters: tuple[FaceFilter, ...], *, smallest: float = 0.0, most: int = 0) -> None:
        """In rounds, as the extraction does it."""
        while waiting := [(frame, one) for frame in self.frames for one in frame.next_round(smallest, most)]:
            for _, one in waiting:
                one.record = self.record(one.box)
            apply_filters(filters, [(frame.image, one) for frame, one in waiting])

    def record(self, box: Box) -> FaceRecord:
        self.looked.append(box.width)
        return FaceRecord(
            FaceType.FULL, 64, POINTS, POINTS, "1.png", "drawn", 1.0, box.rect, np.eye(2, 3), (0.0, 0.0, 0.0)
        )

    def said(self) -> list[list[tuple[float, str]]]:
        return [
            [(one.box.width, one.rejection.reason if one.rejection else "kept") for one in frame.candidates]
            for frame in self.frames
        ]


def by_side(picture: Image, record: FaceRecord) -> FilterResult:
    """A face of 1 more than a multiple of 5 is gone, of 2 more set aside."""
    return {1: GONE, 2: ASIDE}.get(int(record.rect[2]) % 5, record)


class Together:
    """The same filter, which counts how many faces it is asked about at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def apply(self, faces: list[FilterInput]) -> list[FilterResult]:
        self.asked.append(len(faces))
        return [by_side(*face) for face in faces]


def one_by_one(sides: list[int], smallest: float, most: int) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    saved = 0
    for side in sorted(sides, reverse=True):
        if side < smallest:
            why = f"smaller than {smallest:g} px"
        elif most and saved >= most:
            why = "not the largest" if most == 1 else f"beyond the {most} largest"
        else:
            why = {1: "gone", 2: "set aside"}.get(side % 5, "kept")
            saved += side % 5 != 1
        found.append((side, why))
    return found


@given(
    st.lists(st.lists(st.integers(5, 60), max_size=8), max_size=5), st.integers(0, 50), st.integers(0, 4), st.booleans()
)
def test_as_one_after_the_other(frames: list[list[int]], smallest: int, most: int, together: bool) -> None:
    looks = Looks(frames)
    check: FaceFilter = Together() if together else EachFace(by_side)
    looks.decide((check,), smallest=smallest, most=most)
    assert looks.said() == [one_by_one(sides, smallest, most) for sides in frames]


def test_no_more_faces_are_looked_at_than_it_takes() -> None:
    looks, check = Looks([[61, 56, 50, 40, 30], [20, 10], []]), Together()
    looks.decide((check,), most=1)
    assert looks.looked == [61, 20, 56, 50]
    assert check.asked == [2, 1, 1]


def test_later_checks_see_what_earlier_ones_left() -> None:
    looks, seen = Looks([[61, 50]]), []
    looks.decide((EachFace(by_side), EachFace(lambda _, record: seen.append(record.rect[2]) or record)))
    assert seen == [50]
    assert [one.saved for one in looks.frames[0].candidates] == [False, True]
