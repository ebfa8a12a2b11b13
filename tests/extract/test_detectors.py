"""What every detector must do; one that is dropped in is tested without a further line."""

import cv2
import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.extract.detectors.base import (
    DEFAULT_DETECTOR,
    Box,
    Detector,
    detector_specs,
    make_detector,
    sort_largest_first,
)
from needs import needs_networks
from sample import sample_frames

NAMES = [spec.name for spec in detector_specs()]
with_networks = pytest.param("blazeface", marks=needs_networks)
every_detector = pytest.mark.parametrize("name", [with_networks if name == "blazeface" else name for name in NAMES])


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    inside = max(width, 0) * max(height, 0)
    return inside / (a.width * a.height + b.width * b.height - inside)


def test_the_list_begins_with_the_default() -> None:
    assert NAMES[0] == DEFAULT_DETECTOR == "mtcnn"
    assert {"dlib-hog", "dlib-cnn", "blazeface"} < set(NAMES)
    assert all("\n" not in spec.summary and len(spec.summary) < 100 for spec in detector_specs())


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="no detector 'eyes'") as caught:
        make_detector("eyes")
    assert "dlib-hog" in caught.value.expected


@every_detector
def test_finds_the_one_face(detectors: dict[str, Detector], name: str) -> None:
    frames = sample_frames("dst", [0, 60], size=(240, 320))
    detector = detectors[name]
    assert detector.name == name
    for frame, boxes in zip(frames, detector.detect(frames), strict=True):
        assert len(boxes) == 1
        square = detector.face_square(boxes[0])
        assert square.width == pytest.approx(square.height, rel=0.02)
        # the face of the sample is in the middle, a third of the picture high
        assert abs((square.left + square.right) / 2 - 160) < 40 and 60 < square.height < 140
        assert square.top > 0 and square.bottom < frame.shape[0]


@every_detector
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (11, 11), (240, 20), (97, 131)])
def test_pictures_of_any_size_without_a_face(detectors: dict[str, Detector], name: str, shape: tuple[int, int]) -> None:
    grey = np.full((*shape, 3), 90, np.uint8)
    assert detectors[name].detect([grey]) == [[]]
    assert detectors[name].batch_size(*shape) >= 1


@every_detector
def test_no_frames_no_boxes(detectors: dict[str, Detector], name: str) -> None:
    assert detectors[name].detect([]) == []


@pytest.mark.parametrize("name", ["mtcnn", "dlib-hog", with_networks])
def test_a_batch_equals_its_frames_and_the_largest_comes_first(detectors: dict[str, Detector], name: str) -> None:
    large, other = sample_frames("dst", [0, 100], size=(360, 480))
    small = cv2.resize(other, (240, 180), interpolation=cv2.INTER_AREA)
    pair = np.zeros((360, 720, 3), np.uint8)
    pair[90:270, :240] = small
    pair[:, 240:] = large
    blank = np.zeros_like(pair)
    batch = detectors[name].detect([blank, pair, pair[:, ::-1].copy(), blank])
    assert [len(boxes) for boxes in batch] == [0, 2, 2, 0]
    assert batch[1][0].left > 240 > batch[1][1].right
    assert batch[1][0].width > batch[1][1].width
    alone = detectors[name].detect([pair])[0]
    assert all(overlap(a, b) > 0.95 for a, b in zip(alone, batch[1], strict=True))
    assert detectors[name].detect([pair])[0] == alone


def test_order_is_total() -> None:
    boxes = [Box(5, 0, 7, 2, 0.1), Box(0, 0, 2, 2, 0.9), Box(0, 1, 2, 3, 0.5), Box(9, 9, 19, 19, 0.2)]
    assert sort_largest_first(boxes) == sort_largest_first(boxes[::-1]) == [boxes[3], boxes[1], boxes[2], boxes[0]]


def test_box() -> None:
    box = Box(10, 20, 30, 60, 0.5).scaled(0.5)
    assert (box.rect, box.width, box.height, box.score) == ((5, 10, 15, 30), 10, 20, 0.5)
