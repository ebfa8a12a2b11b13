"""Our path through MTCNN against the package's own: the same faces."""

from typing import Any

import numpy as np
import pytest

from extract.test_detectors import overlap
from facewright.core.errors import UserError
from facewright.core.images import Image, read_image
from facewright.extract.detectors import mtcnn
from facewright.extract.detectors.base import Box, Detector
from facewright.extract.detectors.mtcnn import MtcnnDetector, pyramid
from sample import REAL, clip_frames, needs_real_faces, sample_frames


@pytest.fixture(scope="module")
def package() -> Any:
    return pytest.importorskip("mtcnn").MTCNN()


def package_boxes(package: Any, frame: Image) -> list[Box]:
    found = package.detect_faces(frame[..., ::-1], box_format="xyxy")
    return [Box(*map(float, face["box"]), float(face["confidence"])) for face in found]


def inside(box: Box, frame: Image) -> Box:
    """The package cuts boxes at the border."""
    height, width = frame.shape[:2]
    return Box(max(box.left, 0), max(box.top, 0), min(box.right, width - 1), min(box.bottom, height - 1), box.score)


def matches(ours: list[Box], theirs: list[Box], frame: Image) -> int:
    return sum(any(overlap(inside(a, frame), b) > 0.8 for a in ours) for b in theirs)


@pytest.mark.parametrize("size", [(270, 480), (480, 640), (301, 403)])
def test_same_faces_in_the_sample(detectors: dict[str, Detector], package: Any, size: tuple[int, int]) -> None:
    frames = [*sample_frames("src", [0, 40, 80], size=size), *sample_frames("dst", [10, 150], size=size)]
    batch = detectors["mtcnn"].detect(frames)
    for frame, ours in zip(frames, batch, strict=True):
        theirs = package_boxes(package, frame)
        assert len(ours) == len(theirs) == matches(ours, theirs, frame) == 1
        assert ours[0].score == pytest.approx(theirs[0].score, abs=0.02)


@pytest.mark.real
@needs_real_faces
def test_same_faces_in_real_pictures(detectors: dict[str, Detector], package: Any) -> None:
    frames = [read_image(path) for path in sorted((REAL / "stills").iterdir()) if path.suffix in (".jpg", ".png")]
    for path in sorted((REAL / "video").glob("*.mp4")):
        frames += clip_frames(path, [0, 20])
    found = [(detectors["mtcnn"].detect([frame])[0], package_boxes(package, frame), frame) for frame in frames]
    theirs = sum(len(boxes) for _, boxes, _ in found)
    assert theirs > 40
    assert sum(matches(*one) for one in found) >= 0.99 * theirs
    assert sum(len(ours) for ours, _, _ in found) <= 1.01 * theirs


def test_full_batches_and_single_frames_agree(detectors: dict[str, Detector]) -> None:
    """A full batch runs through a trace of its own, an odd frame through the open one."""
    detector = MtcnnDetector()
    frames = sample_frames("src", list(range(0, 60, 10)), size=(480, 640))
    frames = frames[: detector.batch_size(480, 640)]
    assert len(frames) == detector.batch_size(480, 640)
    for boxes, frame in zip(detector.detect(frames), frames, strict=True):
        alone = detector.detect([frame])[0]
        assert all(overlap(a, b) > 0.99 for a, b in zip(boxes, alone, strict=True))


@pytest.mark.parametrize("smallest", [12, 30, 60])
def test_any_smallest_face(smallest: int) -> None:
    """With 30 px and more the package reports no face at all."""
    frame = sample_frames("dst", [0], size=(240, 320))[0]
    detector = MtcnnDetector(smallest=smallest, trace=False)
    assert len(detector.detect([frame])[0]) == 1
    assert detector.detect([frame[: smallest - 1]]) == [[]]


@pytest.mark.parametrize("smallest", [12, 20, 47, 200])
@pytest.mark.parametrize("side", [12, 100, 1080])
def test_pyramid_ends_at_the_cell(side: int, smallest: int) -> None:
    scales = pyramid(side, 2000, smallest)
    assert all(int(side * scale) >= 12 for scale in scales)
    assert bool(scales) == (side >= smallest)


def test_overlapping_boxes() -> None:
    """Frames do not mix; a dropped box still drops others, as in the package."""
    rows = np.array(
        [
            [0, 0, 0, 10, 10, 0.9],
            [0, 4, 0, 14, 10, 0.8],  # overlaps the first by 0.43
            [0, 8, 0, 18, 10, 0.7],  # overlaps the second by 0.43, the first hardly
            [1, 0, 0, 10, 10, 0.1],
        ]
    )
    assert mtcnn.suppress_overlaps(rows, 0.4)[:, 5].tolist() == [0.9, 0.1]
    assert mtcnn.suppress_overlaps(rows, 0.5)[:, 5].tolist() == [0.9, 0.8, 0.7, 0.1]
    inner = np.array([[0, 0, 0, 10, 10, 0.9], [0, 2, 2, 5, 5, 0.8]])
    assert len(mtcnn.suppress_overlaps(inner, 0.7)) == 2
    assert len(mtcnn.suppress_overlaps(inner, 0.7, smaller=True)) == 1
    assert len(mtcnn.suppress_overlaps(np.empty((0, 6)), 0.7)) == 0


def test_strips_do_not_change_the_result() -> None:
    corner = np.random.default_rng(3).uniform(0, 50, (90, 2))
    boxes = np.hstack([corner, corner + 12])
    whole = mtcnn.overlap_earlier(boxes, 0.3, smaller=False)
    np.testing.assert_array_equal(mtcnn.overlap_earlier(boxes, 0.3, smaller=False, rows=7), whole)
    assert 0 < whole.sum() < 90


def test_other_weights_are_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mtcnn.DIGESTS, "rnet", "0" * 64)
    with pytest.raises(UserError, match=r"rnet\.lz4"):
        MtcnnDetector()


@pytest.mark.parametrize("smallest", [40, 90, 170])
def test_levels_for_small_faces_are_spared_and_the_others_found(smallest: int) -> None:
    detector = MtcnnDetector()
    frames = [*sample_frames("src", [0, 60]), *sample_frames("dst", [10, 150], size=(480, 640))]
    every, some = detector.detect(frames[:3]), detector.detect(frames[:3], smallest=smallest)
    whole = pyramid(*frames[0].shape[:2], 20)
    assert len(mtcnn.levels_for(whole, 0.0)) - len(mtcnn.levels_for(whole, smallest)) >= (2 if smallest > 40 else 1)
    for all_of_them, large in zip(every, some, strict=True):
        wanted = [box for box in all_of_them if box.longer >= smallest]
        assert wanted
        for box in wanted:
            assert any(np.allclose(box.rect, other.rect, atol=3) for other in large)


def test_no_level_is_left_for_faces_larger_than_the_frame() -> None:
    assert MtcnnDetector().detect(sample_frames("src", [0]), smallest=2000) == [[]]
