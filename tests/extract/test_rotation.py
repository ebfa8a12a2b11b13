"""Rotated images: the way there and back, and which turn of a frame counts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.squares import Squares, frame_with
from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.images import Image, write_image
from facewright.extract.detection import DetectionOptions, Detections, detect_frames
from facewright.extract.detectors.base import Box
from facewright.extract.rotation import ALL_QUARTERS, Rotation, parse_angles

QUARTERS = [90.0, 180.0, 270.0]


@pytest.mark.parametrize("degrees", QUARTERS)
def test_a_quarter_turn_keeps_every_pixel(degrees: float) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (7, 11, 3), np.uint8)
    turned = Rotation(degrees, (7, 11)).apply(picture)
    np.testing.assert_array_equal(turned, np.rot90(picture, -int(degrees) // 90))


@pytest.mark.parametrize("degrees", QUARTERS)
@pytest.mark.parametrize("size", [(200, 400), (201, 333)])
def test_a_quarter_turn_maps_boxes_back_exactly(degrees: float, size: tuple[int, int]) -> None:
    frame = frame_with([(100, 60, 80)], shape=size)
    frame[60:140, 100:150] = 40  # 30 wide, 80 high
    turn = Rotation(degrees, size)
    (box,) = Squares().boxes(turn.apply(frame))
    assert turn.back(box).rect == (150, 60, 180, 140)
    assert turn.back(box).roll == {90.0: -90, 180.0: -180, 270.0: 90}[degrees]


@pytest.mark.parametrize("degrees", [1.0, 30.0, 90.0, 123.4, 200.0, 345.0])
def test_the_middle_of_a_thing_is_found_again_at_any_angle(degrees: float) -> None:
    frame = frame_with([(250, 40, 41)])
    turn = Rotation(degrees, frame.shape[:2])
    turned = turn.apply(frame)
    assert turned.shape[:2] == turn.rotated_size
    (box,) = Squares().boxes(turned)
    back = turn.back(box)
    assert (back.left + back.right) / 2 == pytest.approx(270.5, abs=0.6)
    assert (back.top + back.bottom) / 2 == pytest.approx(60.5, abs=0.6)


SIDES, LENGTHS = st.integers(1, 3000), st.floats(1, 500)


@given(st.floats(0.5, 359.5), SIDES, SIDES, st.floats(-50, 900), LENGTHS, LENGTHS)
def test_area_and_corners_stay(degrees: float, h: int, w: int, at: float, wide: float, high: float) -> None:
    turn = Rotation(degrees, (h, w))
    back = turn.back(Box(at, at / 2, at + wide, at / 2 + high, 0.5, 10.0))
    assert back.width * back.height == pytest.approx(wide * high, rel=1e-3)
    assert (back.roll - 10 + degrees) % 360 == pytest.approx(0, abs=1e-6) or (back.roll - 10 + degrees) % 360 > 359.99
    assert back.score == 0.5
    # The turned picture holds all corners of the untouched one.
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], float)
    there = corners @ turn.matrix()[:, :2].T + turn.matrix()[:, 2]
    assert there.min() > -1 and (there.max(0) < np.array(turn.rotated_size[::-1]) + 1).all()


def test_angles_as_typed() -> None:
    assert parse_angles("") == parse_angles("off") == ()
    assert parse_angles("on") == ALL_QUARTERS and set(ALL_QUARTERS) == set(QUARTERS)
    assert parse_angles(" 90, 270 ") == (90, 270)
    assert parse_angles("-90,450,12.5") == (270, 90, 12.5)
    assert parse_angles("90,450") == (90,)


@pytest.mark.parametrize("text", ["0", "360", "90,", "left", "nan", "inf", "90;270"])
def test_what_is_no_angle(text: str) -> None:
    with pytest.raises(UserError, match="--rotate") as caught:
        parse_angles(text)
    assert "90,270" in caught.value.fix


class Upright(Squares):
    """Is sure of squares in tall pictures only, where one in a wide picture shows something else at best."""

    upright_score = 0.9

    def __init__(self, unsure: Sequence[Box] = (), sideways: float = 1.0) -> None:
        super().__init__()
        self.unsure = list(unsure)
        self.sideways = sideways

    def face_square(self, box: Box) -> Box:
        return Box(box.left, box.top + 10, box.right, box.bottom + 10, 1.0, box.roll)

    def boxes(self, frame: Image) -> list[Box]:
        if frame.shape[0] <= frame.shape[1]:
            return list(self.unsure)
        return [Box(*box.rect, self.sideways, 5.0) for box in super().boxes(frame)]


def seen_by(detector: Squares, tmp_path: Path, look: DetectionOptions, frame: Image | None = None) -> Detections:
    path = tmp_path / "1.png"
    write_image(path, frame_with([(100, 60, 80)]) if frame is None else frame)
    with workers.threads(1) as readers:
        (seen,) = detect_frames([path], detector, readers, look)
    return seen


def test_a_lying_face_is_found_and_its_landmark_square_is_turned_too(tmp_path: Path) -> None:
    assert seen_by(Upright(), tmp_path, DetectionOptions()).boxes == []
    assert seen_by(Upright(), tmp_path, DetectionOptions(rotations=(180.0,))).boxes == []
    (box,) = seen_by(Upright(), tmp_path, DetectionOptions(rotations=(180.0, 90.0))).boxes
    assert box.rect == (100, 60, 180, 140) and box.roll == -85
    # 10 px down in the picture that was turned clockwise is 10 px to the right in the frame.
    assert box.square is not None
    assert box.square.rect == (110, 60, 190, 140) and box.square.roll == -85


def test_boxes_of_a_frame_that_was_shrunk_and_turned(tmp_path: Path) -> None:
    detector = Upright()
    detector.max_side = 200
    (box,) = seen_by(detector, tmp_path, DetectionOptions(rotations=(270.0,))).boxes
    np.testing.assert_allclose(box.rect, (100, 60, 180, 140), atol=3)
    assert box.square is not None
    np.testing.assert_allclose(box.square.rect, (80, 60, 160, 140), atol=3)


def test_a_sure_face_is_not_turned(tmp_path: Path) -> None:
    detector = Upright([Box(1, 2, 30, 40, 0.95)])
    (box,) = seen_by(detector, tmp_path, DetectionOptions(rotations=(90.0,))).boxes
    assert box.rect == (1, 2, 30, 40) and detector.widths == [400]


@pytest.mark.parametrize(("sideways", "rect"), [(0.95, (100, 60, 180, 140)), (0.85, (1, 2, 30, 40))])
def test_an_unsure_face_gives_way_to_a_sure_one_only(tmp_path: Path, sideways: float, rect: tuple[int, ...]) -> None:
    (box,) = seen_by(Upright([Box(1, 2, 30, 40, 0.8)], sideways), tmp_path, DetectionOptions(rotations=(90.0,))).boxes
    assert box.rect == rect


@pytest.mark.parametrize("turns", [(90.0,), (270.0,), (180.0,), (90.0, 270.0, 180.0), (180.0, 30.0)])
def test_large_faces_are_turned_in_smaller_pictures_all_at_once(tmp_path: Path, turns: tuple[float, ...]) -> None:
    """A sure face of 300 px takes the place of an unsure one of 300 px, and lies where it lies in the whole frame."""

    class OnceTurned(Upright):
        def boxes(self, frame: Image) -> list[Box]:
            return list(self.unsure) if frame.shape[1] == 803 else Squares.boxes(self, frame)

    detector = OnceTurned([Box(1, 2, 301, 302, 0.5)])
    frame = frame_with([(202, 60, 300)], shape=(400, 803))
    (box,) = seen_by(detector, tmp_path, DetectionOptions(rotations=turns), frame).boxes
    np.testing.assert_allclose(box.rect, (202, 60, 502, 360), atol=2)
    assert box.square is not None and box.square.width == pytest.approx(300, abs=3)
    assert detector.batches == [1, len(turns)]
    assert max(detector.widths[1:]) < 300  # 210 px at least are looked for: a third of the frame will do


def test_where_nothing_is_found_an_unsure_face_will_do(tmp_path: Path) -> None:
    assert len(seen_by(Upright((), 0.5), tmp_path, DetectionOptions(rotations=(90.0,))).boxes) == 1


def test_what_is_too_small_does_not_keep_a_frame_from_being_turned(tmp_path: Path) -> None:
    detector = Upright([Box(1, 2, 30, 40, 0.95)])
    (box,) = seen_by(detector, tmp_path, DetectionOptions(rotations=(90.0,), min_face_px=60)).boxes
    assert box.rect == (100, 60, 180, 140)
