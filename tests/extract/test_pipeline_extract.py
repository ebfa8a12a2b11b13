"""The way from frames to saved faces, with a detector that knows where bright squares are."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from extract.squares import Squares, StillLandmarks, frame_with
from facewright.core import workers
from facewright.core.images import Image, read_image, write_image
from facewright.extract.detection import DetectionOptions, Detections, detect_frames
from facewright.extract.filters import EachFace, FaceFilter, Rejection
from facewright.extract.overlay import draw_detections
from facewright.extract.pipeline import ExtractedFrame, ExtractionConfig, FaceExtractor, extract_chunk, extract_faces
from facewright.faces.align import FaceType
from facewright.faces.record import load_face, load_record
from sample import sample_frames


def searched(paths: Sequence[Path], detector: Squares, **more: float) -> list[Detections]:
    with workers.threads(2) as readers:
        return list(detect_frames(paths, detector, readers, DetectionOptions(**more)))


def saved(tmp_path: Path, name: str, image: Image) -> Path:
    write_image(tmp_path / name, image)
    return tmp_path / name


def test_order_is_kept_through_sizes_and_bad_files(tmp_path: Path) -> None:
    paths = []
    for number, shape in enumerate([(60, 80), (60, 80), (90, 50), (60, 80), (1, 1), (90, 50), (90, 50)]):
        paths.append(saved(tmp_path, f"{number}.png", np.zeros((*shape, 3), np.uint8)))
    (tmp_path / "3.png").write_text("no picture")
    paths.append(tmp_path / "absent.png")
    seen = searched(paths, Squares())
    assert [one.path for one in seen] == paths
    assert [one.problem is not None for one in seen] == [False, False, False, True, False, False, False, True]


def test_batches_hold_one_size_and_no_more_than_asked(tmp_path: Path) -> None:
    shapes = [(60, 80)] * 5 + [(90, 50)] * 2
    paths = [saved(tmp_path, f"{n}.png", np.zeros((*shape, 3), np.uint8)) for n, shape in enumerate(shapes)]
    detector = Squares()
    searched(paths, detector)
    assert detector.batches == [3, 2, 2]


@pytest.mark.parametrize(
    ("longest", "zoom", "view"), [(100, 1.0, 100), (1000, 1.0, 400), (1000, 2.0, 800), (100, 2.0, 200)]
)
def test_boxes_are_the_frames_whatever_was_searched(tmp_path: Path, longest: int, zoom: float, view: int) -> None:
    path = saved(tmp_path, "1.png", frame_with([(100, 60, 80)], shape=(200, 400)))
    detector = Squares(max_side=longest)
    (box,) = searched([path], detector, zoom=zoom)[0].boxes
    assert detector.widths == [view]
    np.testing.assert_allclose(box.rect, (100, 60, 180, 140), atol=5)


def test_frames_too_large_to_keep_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facewright.extract.detection.MAX_KEPT_PIXELS", 1000)
    path = saved(tmp_path, "1.png", frame_with([(100, 60, 80)], shape=(200, 400)))
    assert searched([path], Squares())[0].image is None
    (outcome,) = extract([path], tmp_path)
    assert outcome.faces == ["1_0.png"]


def extract(paths: list[Path], tmp_path: Path, *filters: FaceFilter, **more: object) -> list[ExtractedFrame]:
    config = ExtractionConfig(tmp_path / "aligned", tmp_path / "trash", **{"size": 64, **more})
    with workers.threads(2) as executor:
        return list(extract_faces(paths, FaceExtractor(config, Squares(), StillLandmarks(), filters), executor))


def test_faces_are_saved_largest_first_with_their_record(tmp_path: Path) -> None:
    path = saved(tmp_path, "00007.png", frame_with([(20, 20, 40), (100, 60, 80)], shape=(200, 400)))
    (outcome,) = extract([path], tmp_path)
    assert outcome.faces == ["00007_0.png", "00007_1.png"] and outcome.problem is None
    image, record = load_face(tmp_path / "aligned" / "00007_0.png")
    assert image.shape == (64, 64, 3)
    assert (record.frame, record.detector, record.face_type, record.size) == ("00007.png", "squares", "full", 64)
    assert record.rect == (100, 60, 180, 140)
    np.testing.assert_allclose(record.matrix @ [*record.frame_landmarks[30], 1], record.landmarks[30], atol=0.01)
    assert load_record(tmp_path / "aligned" / "00007_1.png").rect == (20, 20, 60, 60)
    assert not (tmp_path / "trash").exists()


def test_mark_only_saves_the_whole_frame(tmp_path: Path) -> None:
    frame = frame_with([(100, 60, 80)], shape=(200, 400))
    path = saved(tmp_path, "1.png", frame)
    extract([path], tmp_path, face_type=FaceType.MARK_ONLY)
    image, record = load_face(tmp_path / "aligned" / "1_0.png")
    np.testing.assert_array_equal(image, frame)
    assert record.size == 0
    np.testing.assert_array_equal(record.landmarks, record.frame_landmarks)


def test_another_frames_face_of_that_name_is_moved_away(tmp_path: Path) -> None:
    path = saved(tmp_path, "1.png", frame_with([(100, 60, 80)]))
    other = saved(tmp_path, "2.png", frame_with([(20, 20, 40)]))
    extract([other], tmp_path)
    (tmp_path / "aligned" / "2_0.png").rename(tmp_path / "aligned" / "1_0.png")
    extract([path], tmp_path)
    extract([path], tmp_path)
    assert load_record(tmp_path / "aligned" / "1_0.png").frame == "1.png"
    (kept,) = (tmp_path / "trash").rglob("*.png")
    assert load_record(kept).frame == "2.png"


def test_debug_pictures(tmp_path: Path) -> None:
    frame = frame_with([(100, 60, 80)], shape=(200, 400))
    paths = [saved(tmp_path, "1.png", frame), saved(tmp_path, "2.png", np.zeros_like(frame))]
    extract(paths, tmp_path, debug_dir=tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["1_debug.jpg", "2_debug.jpg"]
    assert read_image(tmp_path / "1_debug.jpg").shape == frame.shape
    record = load_record(tmp_path / "aligned" / "1_0.png")
    drawn = draw_detections(frame, [record])
    colours = {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255)} <= colours
    assert tuple(drawn[60, 140].tolist()) == (255, 0, 0)  # on the upper edge of the box
    np.testing.assert_array_equal(frame, frame_with([(100, 60, 80)], shape=(200, 400)))


def test_a_frame_that_vanishes_is_gone_not_bad(tmp_path: Path) -> None:
    gone = ExtractedFrame(tmp_path / "1.png", None, [], searched([tmp_path / "1.png"], Squares())[0].problem)
    bad = tmp_path / "2.png"
    bad.write_bytes(cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes()[:40])
    assert gone.gone
    assert not ExtractedFrame(bad, None, [], searched([bad], Squares())[0].problem).gone


def test_filters_leave_faces_out_and_add_to_records(tmp_path: Path) -> None:
    frame = saved(tmp_path, "1.png", frame_with([(20, 60, 60), (220, 60, 90)], shape=(200, 400)))
    large = EachFace(lambda _, face: face if face.rect[2] - face.rect[0] > 75 else Rejection("small"))
    (outcome,) = extract([frame], tmp_path, large, EachFace(lambda _, face: replace(face, person=7)))
    assert outcome.faces == ["1_0.png"] and outcome.rejections == [Rejection("small")]
    assert load_record(tmp_path / "aligned" / "1_0.png").person == 7


def test_a_chunk_of_frames_is_work_for_another_process(tmp_path: Path) -> None:
    """What goes there and comes back can be pickled, and the faces are those of this process."""
    paths = [saved(tmp_path, f"{n}.png", frame) for n, frame in enumerate(sample_frames("dst", [0, 80]))]
    (tmp_path / "2.png").write_text("not an image")
    config = pickle.loads(pickle.dumps(ExtractionConfig(tmp_path / "aligned", tmp_path / "trash", size=64)))
    results = pickle.loads(pickle.dumps(extract_chunk([*paths, tmp_path / "2.png"], config)))
    assert [result.faces for result in results] == [["0_0.png"], ["1_0.png"], []]
    assert "2.png" in results[2].problem.happened
    assert load_record(tmp_path / "aligned" / "0_0.png").detector == "mtcnn"
