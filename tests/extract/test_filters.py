"""Boxes become faces: whatever the checks say, several frames at once are judged as one after the other would be."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.images import Image
from facewright.extract.detectors.base import Box
from facewright.extract.filters import UNTOLD, Answer, Check, Dropped, Judged, judge
from facewright.faces.align import FaceType
from facewright.faces.record import FaceRecord

PICTURE: Image = np.zeros((8, 8, 3), np.uint8)
POINTS = np.zeros((68, 2), np.float32)
ASIDE = Dropped("set aside", Path("aside"))
GONE = Dropped("gone")


class Looks:
    """Frames whose boxes are squares of these sides; counts the landmarks that were looked for."""

    def __init__(self, frames: list[list[int]]) -> None:
        self.looked: list[float] = []
        self.frames = [
            Judged(PICTURE, [Box(0, 0, side, side, 1.0) for side in sorted(sides, reverse=True)], self.record)
            for sides in frames
        ]

    def record(self, box: Box) -> FaceRecord:
        self.looked.append(box.width)
        return FaceRecord(
            FaceType.FULL, 64, POINTS, POINTS, "1.png", "drawn", 1.0, box.rect, np.eye(2, 3), (0.0, 0.0, 0.0)
        )

    def said(self) -> list[list[tuple[float, str]]]:
        return [
            [(v.box.width, v.why_not.why if v.why_not else "kept") for v in frame.verdicts] for frame in self.frames
        ]


def by_side(picture: Image, record: FaceRecord) -> Answer:
    """A face of 1 more than a multiple of 5 is gone, of 2 more set aside, of 3 more left out without a word."""
    return {1: GONE, 2: ASIDE, 3: None}.get(int(record.rect[2]) % 5, record)


class Together:
    """The same check for many faces."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, picture: Image, record: FaceRecord) -> Answer:
        raise AssertionError("asked about one face")

    def many(self, faces: list[tuple[Image, FaceRecord]]) -> list[Answer]:
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
            why = {1: "gone", 2: "set aside", 3: UNTOLD.why}.get(side % 5, "kept")
            saved += side % 5 not in (1, 3)
        found.append((side, why))
    return found


@given(
    st.lists(st.lists(st.integers(5, 60), max_size=8), max_size=5), st.integers(0, 50), st.integers(0, 4), st.booleans()
)
def test_as_one_after_the_other(frames: list[list[int]], smallest: int, most: int, together: bool) -> None:
    looks = Looks(frames)
    check: Check = Together() if together else by_side
    judge(looks.frames, (check,), smallest=smallest, most=most)
    assert looks.said() == [one_by_one(sides, smallest, most) for sides in frames]


def test_no_more_faces_are_looked_at_than_it_takes() -> None:
    looks, check = Looks([[61, 56, 50, 40, 30], [20, 10], []]), Together()
    judge(looks.frames, (check,), most=1)
    assert looks.looked == [61, 20, 56, 50]
    assert check.asked == [2, 1, 1]


def test_later_checks_see_what_earlier_ones_left() -> None:
    looks, seen = Looks([[61, 50]]), []
    judge(looks.frames, (by_side, lambda _, record: seen.append(record.rect[2]) or record))
    assert seen == [50]
    assert [v.saved for v in looks.frames[0].verdicts] == [False, True]
