"""BlazeFace: the boxes of MTCNN, tilted heads with their roll, small faces in large frames."""

import cv2
import numpy as np
import pytest
from test_detectors import overlap

from facewright.core.images import Image
from facewright.extract.detectors.base import Detector
from needs import needs_networks
from sample import sample_frames

pytestmark = needs_networks


@pytest.fixture
def blazeface(detectors: dict[str, Detector]) -> Detector:
    return detectors["blazeface"]


def test_boxes_and_squares_are_those_of_mtcnn(detectors: dict[str, Detector], blazeface: Detector) -> None:
    frames = [*sample_frames("src", [0, 100]), *sample_frames("dst", [0, 100])]
    for ours, theirs in zip(blazeface.detect(frames), detectors["mtcnn"].detect(frames), strict=True):
        assert len(ours) == len(theirs) == 1
        assert overlap(ours[0], theirs[0]) > 0.6
        squares = blazeface.face_square(ours[0]), detectors["mtcnn"].face_square(theirs[0])
        assert overlap(*squares) > 0.7


@pytest.mark.parametrize("angle", [-90, -45, 30, 90])
def test_a_tilted_head_has_its_roll(blazeface: Detector, angle: float) -> None:
    frame = sample_frames("dst", [0])[0]
    turn = cv2.getRotationMatrix2D((300, 240), -angle, 1.0)
    (upright,), (tilted,) = blazeface.detect([frame, np.asarray(cv2.warpAffine(frame, turn, (640, 480)), np.uint8)])
    assert abs((tilted.roll - upright.roll - angle + 180) % 360 - 180) < 10


def canvas(places: list[tuple[int, int, int]], size: tuple[int, int] = (1080, 1920)) -> Image:
    """Return a grey frame with the sample's frame, so many pixels high, at (left, top)."""
    frame = np.full((*size, 3), 90, np.uint8)
    head = sample_frames("dst", [0])[0][100:440, 130:470]
    for left, top, side in places:
        frame[top : top + side, left : left + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    return frame


def test_small_faces_of_a_large_frame_are_found_in_tiles(blazeface: Detector) -> None:
    """Those on the border of two tiles once; the large one in the whole frame; none twice."""
    places = [(100, 100, 80), (760, 300, 80), (1800, 950, 80), (1220, 640, 110), (300, 300, 420), (1000, 60, 500)]
    found = blazeface.detect([canvas(places)])[0]
    middles = sorted((left + side / 2, top + side / 2, side) for left, top, side in places)
    squares = sorted((s.left + s.right, s.top + s.bottom) for s in map(blazeface.face_square, found))
    assert len(squares) == len(middles)
    for (x, y, side), (xx, yy) in zip(middles, squares, strict=True):
        assert abs(xx / 2 - x) < 0.25 * side and abs(yy / 2 - y) < 0.25 * side
    large = blazeface.detect([canvas(places)], smallest=260.0)[0]
    assert 2 <= len(large) < len(places)  # the tiles are left out
