"""What a person drew around a face stays where it is in the frame, whatever becomes of the face."""

from dataclasses import replace

import numpy as np
import pytest

from annotate.person import Person
from annotate.sessions import fill, open_session
from convert.drawn_faces import landmarks
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType
from facewright.faces.mask import label_mask
from facewright.faces.polygons import Polygon
from facewright.faces.record import FaceRecord, load_record, update_record
from facewright.facesets.recut import from_aligned_image, from_frame

FRAME = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
DRAWN = (Polygon("include", np.float32([(100, 40), (220, 40), (160, 80)])),
         Polygon("exclude", np.float32([(150, 120), (240, 120), (240, 200), (150, 200)])))  # fmt: skip


def drawn_face(kind: FaceType = FaceType.HEAD, size: int = 256) -> FaceRecord:
    points = landmarks((160, 120), 80).astype(np.float32)
    record = FaceRecord.from_landmarks(
        points, kind, size, frame="00001.png", detector="mtcnn", score=1.0, rect=(120, 80, 200, 160)
    )
    return replace(record, polygons=DRAWN)


@pytest.mark.parametrize("aligned", [False, True])
def test_a_face_that_is_cut_again_keeps_its_label(aligned: bool) -> None:
    old = drawn_face()
    if aligned:
        again = from_aligned_image(old.cut(FRAME), old, FaceType.FULL, 128)
        assert again is not None
        new = again[1]
    else:
        new = from_frame(FRAME, old, FaceType.FULL, 128)[1]
    in_frame = [label_mask(record, np.eye(2, 3), 256) for record in (old, new)]
    np.testing.assert_array_equal(*in_frame)
    assert label_mask(new, new.matrix, 128).std() > 0.2


def test_a_face_that_is_placed_anew_keeps_its_polygons(workspace: Workspace) -> None:
    fill(workspace.dst)
    person = Person(open_session(workspace))
    person.click(100, 80)
    person.key("Enter")
    path = workspace.dst.aligned_dir / "00001_0.png"
    update_record(path, replace(load_record(path), polygons=DRAWN))
    again = Person(open_session(workspace))
    again.drag((60, 40), (75, 50))
    again.key("Enter")
    record = load_record(path)
    assert [polygon.kind for polygon in record.polygons] == ["include", "exclude"]
    np.testing.assert_allclose(record.polygons[1].points, DRAWN[1].points)
