"""What is left out before a face is saved: false faces, blurred ones, small ones, those beyond the largest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from extract.squares import Squares, StillLandmarks, frame_with
from facewright.core import workers
from facewright.core.images import Image, read_image, write_image
from facewright.extract.detectors.base import Box
from facewright.extract.filters import BlurFilter, EachFace, FaceFilter, Rejection, reject_false_face, square_ratio
from facewright.extract.overlay import draw_detections
from facewright.extract.pipeline import ExtractedFrame, ExtractionConfig, FaceExtractor, extract_faces
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.faces.record import FaceRecord, load_record

FRAME = frame_with([(20, 20, 40), (200, 60, 100), (100, 100, 60)])


def run(tmp_path: Path, frame: Image = FRAME, checks: tuple[FaceFilter, ...] = (), **more: object) -> ExtractedFrame:
    return extracted(tmp_path, frame, StillLandmarks(), checks, **more)


def extracted(
    tmp_path: Path, frame: Image, landmarker: StillLandmarks, checks: tuple[FaceFilter, ...], **more: object
) -> ExtractedFrame:
    path = tmp_path / "1.png"
    write_image(path, frame)
    config = ExtractionConfig(tmp_path / "aligned", tmp_path / "trash", size=64, **more)  # type: ignore[arg-type]
    with workers.threads(2) as executor:
        (result,) = extract_faces([path], FaceExtractor(config, Squares(), landmarker, checks), executor)
    return result


def saved(tmp_path: Path) -> FaceRecord:
    run(tmp_path)
    return load_record(tmp_path / "aligned" / "1_0.png")


def test_small_faces_are_left_out_before_their_landmarks_are_looked_for(tmp_path: Path) -> None:
    looked: list[float] = []

    class Counting(StillLandmarks):
        def find(self, frame: Image, box: Box, *, accurate: bool = False) -> np.ndarray:
            looked.append(box.width)
            return super().find(frame, box, accurate=accurate)

    outcome = extracted(tmp_path, FRAME, Counting(), (), min_face_px=60)
    assert outcome.faces == ["1_0.png", "1_1.png"] and looked == [100, 60]
    assert outcome.rejections == [Rejection("smaller than 60 px")]


def test_the_longer_side_counts(tmp_path: Path) -> None:
    frame = frame_with([(20, 20, 40)])
    frame[60:100, 20:60] = 230  # 40 wide, 80 high
    assert run(tmp_path, frame, min_face_px=80).faces and not run(tmp_path, frame, min_face_px=81).faces


def test_the_largest_are_kept(tmp_path: Path) -> None:
    assert run(tmp_path, max_faces=1).rejections == [Rejection("not the largest")] * 2
    assert load_record(tmp_path / "aligned" / "1_0.png").rect == (200, 60, 300, 160)
    assert run(tmp_path, max_faces=2).faces == ["1_0.png", "1_1.png"]
    assert run(tmp_path, max_faces=3).rejections == []


def test_the_largest_of_those_that_pass_the_checks(tmp_path: Path) -> None:
    """A false face or another person does not take the place of the one that is wanted."""
    outcome = run(
        tmp_path, max_faces=1, checks=(EachFace(lambda _, face: Rejection("other") if face.rect[0] == 200 else face),)
    )
    assert [why.reason for why in outcome.rejections] == ["other", "not the largest"]
    assert load_record(tmp_path / "aligned" / "1_0.png").rect == (100, 100, 160, 160)


def test_a_false_face_is_told_by_its_landmarks(tmp_path: Path) -> None:
    record = saved(tmp_path)
    assert square_ratio(record) == pytest.approx(1.6**2, rel=1e-3)  # the mean face fills the box
    assert reject_false_face(FRAME, record) is record
    middle = record.frame_landmarks.mean(0)
    wide = replace(record, frame_landmarks=((record.frame_landmarks - middle) * 1.3 + middle).astype(np.float32))
    assert reject_false_face(FRAME, wide) == Rejection("not a face", not_a_face=True)
    assert square_ratio(replace(record, rect=(5.0, 5.0, 5.0, 5.0))) == np.inf
    # The share is that of the full face, whatever picture is saved.
    assert square_ratio(replace(record, face_type=FaceType.HEAD)) == square_ratio(record)


def test_blurred_faces_are_set_aside_and_numbers_go_on(tmp_path: Path) -> None:
    frame = FRAME.copy()
    frame[60:160:4, 200:300] = 210  # stripes: detail in the largest face alone
    blurry = tmp_path / "blurry"
    outcome = run(tmp_path, frame, checks=(BlurFilter(50.0, blurry),))
    assert outcome.faces == ["1_0.png"]
    assert sorted(path.name for path in blurry.iterdir()) == ["1_1.png", "1_2.png"]
    assert load_record(blurry / "1_1.png").frame == "1.png"
    assert [why.folder for why in outcome.rejections] == [blurry] * 2
    assert outcome.rejections[0].reason.startswith("blurred: ")
    for face in load_faceset(blurry).faces:
        face.path.rename(tmp_path / "aligned" / face.path.name)  # they fit between the others
    assert len(load_faceset(tmp_path / "aligned").faces) == 3


def test_blurred_faces_count_as_kept(tmp_path: Path) -> None:
    outcome = run(tmp_path, max_faces=1, checks=(BlurFilter(1e5, tmp_path / "blurry"),))
    assert outcome.faces == [] and [path.name for path in (tmp_path / "blurry").iterdir()] == ["1_0.png"]


def test_what_was_left_out_is_in_the_debug_picture(tmp_path: Path) -> None:
    run(tmp_path, debug_dir=tmp_path, min_face_px=50, checks=(EachFace(lambda _, face: Rejection("somebody else")),))
    picture = read_image(tmp_path / "1_debug.jpg").astype(int)
    for x, y in ((250, 160), (50, 60)):  # on the lower edges of the boxes, where the frame is dark
        assert picture[y, x, 2] > picture[y, x, 0] + 40 > 0  # more red than blue
    drawn = draw_detections(FRAME, [], [((20, 20, 60, 60), None, "smaller than 50 px")])
    changed = (drawn != FRAME).any(2)
    assert changed[62:80, 20:200].sum() > 200  # the reason, below its box
    edge = draw_detections(FRAME, [], [((380, 150, 420, 260), None, "smaller than 50 px")])
    assert (edge != FRAME).any(2)[180:, 250:].sum() > 200  # and inside the picture
