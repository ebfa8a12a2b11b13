"""The face record: what goes in comes out, pixels stay, and nothing a file says is trusted."""

import base64
import contextlib
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bombs import png
from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.core.png import set_text
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.faces.polygons import Polygon
from facewright.faces.record import (
    KEYWORD,
    VERSION,
    BadRecord,
    FaceRecord,
    load_face,
    load_record,
    parse_record,
    save_face,
    update_record,
)


def record(seed: int = 0, frame: str = "00001.png", mask: str | None = None) -> FaceRecord:
    random = np.random.default_rng(seed)
    return FaceRecord(
        face_type=list(FaceType)[seed % 5],
        size=256,
        landmarks=random.uniform(-50, 300, (68, 2)).astype(np.float32),
        frame_landmarks=random.uniform(-50, 4000, (68, 2)).astype(np.float32),
        frame=frame,
        detector="mtcnn",
        score=float(random.uniform(0, 1)),
        rect=tuple(random.uniform(-20, 2000, 4)),
        matrix=random.normal(0, 100, (2, 3)),
        pose=tuple(random.uniform(-90, 90, 3)),
        mask=mask,
    )


NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp"), blacklist_characters="/\\:"),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), NAMES.filter(lambda name: name not in (".", "..")))
def test_round_trip(seed: int, frame: str) -> None:
    before = record(seed, frame)
    after = parse_record(before.to_json())
    assert (after.frame, after.face_type, after.size, after.detector) == (frame, before.face_type, 256, "mtcnn")
    np.testing.assert_allclose(after.landmarks, before.landmarks, atol=6e-4)
    np.testing.assert_allclose(after.frame_landmarks, before.frame_landmarks, atol=6e-4)
    np.testing.assert_array_equal(after.matrix, before.matrix)
    np.testing.assert_allclose(after.rect, before.rect, atol=0.006)
    np.testing.assert_allclose(after.pose, before.pose, atol=6e-4)
    assert parse_record(after.to_json()).to_json() == after.to_json()


def test_pixels_are_untouched_and_viewers_open_it(tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    path = tmp_path / "gesicht ü_0.png"
    save_face(path, image, record(mask="aGVsbG8="))
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR), image)
    loaded, kept = load_face(path)
    np.testing.assert_array_equal(loaded, image)
    assert kept.mask == "aGVsbG8=" and load_record(path).frame == "00001.png"


@pytest.mark.parametrize(
    "frame",
    ["../../x", "..\\x.png", "/etc/passwd", "C:\\x", "C:x.png", "a/b.png", "", ".", "..", "x\0y", "a" * 256, 7, None],
)
def test_evil_frame_names(frame: object) -> None:
    value = json.loads(record().to_json())
    value["frame"] = frame
    with pytest.raises(BadRecord, match="frame name"):
        parse_record(json.dumps(value))


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("version", None), ("version", 0), ("version", "1"), ("version", True), ("face_type", "whole"),
        ("face_type", []),
        ("landmarks", [[1, 2]] * 67), ("landmarks", [[1, 2, 3]] * 68), ("landmarks", "x"),
        ("landmarks", [["a", "b"]] * 68),
        ("landmarks", [[1e9, 2]] * 68), ("frame_landmarks", [[float("nan"), 2]] * 68), ("landmarks", [[1, 2], [3]]),
        ("matrix", [[1, 0, 0]]), ("matrix", [[float("inf"), 0, 0], [0, 1, 0]]), ("rect", [1, 2, 3]), ("size", -1),
        ("pose", [0, 0]), ("pose", [1e5, 0, 0]), ("score", "high"), ("detector", 5), ("detector", "x" * 65),
        ("matrix", [[float("nan"), 0, 0], [0, 1, 0]]), ("rect", [1, float("nan"), 3, 4]),
    ("mask", 3), ("mask", "x" * 400_001), ("landmarks", [[10**400, 1]] * 68),
        ("landmarks", [[3, 4]] * 68), ("frame_landmarks", [[n, n] for n in range(17)] + [[3, 4]] * 51),
    ],
)  # fmt: skip
def test_damaged_fields(field: str, bad: object) -> None:
    value = json.loads(record().to_json())
    value[field] = bad
    with pytest.raises(BadRecord):
        parse_record(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "[" * 5000, '{"version": 1}'])
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(BadRecord):
        parse_record(text)


def test_future_version_says_so(tmp_path: Path) -> None:
    value = json.loads(record().to_json())
    value["version"] = VERSION + 1
    path = tmp_path / "new.png"
    path.write_bytes(set_text(encode(np.zeros((256, 256, 3), np.uint8)), KEYWORD, json.dumps(value)))
    with pytest.raises(UserError, match=f"version {VERSION + 1}") as caught:
        load_record(path)
    assert "update" in caught.value.fix


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_and_cut_files_never_crash(data: st.DataObject) -> None:
    good = bytearray(set_text(encode(np.zeros((256, 256, 3), np.uint8)), KEYWORD, record().to_json()))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    bad = bytes(good[: data.draw(st.integers(0, len(good)))])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "face.png"
        path.write_bytes(bad)
        for read in (load_record, load_face):
            with contextlib.suppress(UserError):  # and nothing else
                read(path)


def test_an_image_of_another_size_than_its_record_says_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(set_text(png(16_000, 16_000), KEYWORD, record().to_json()))
    for read in (load_record, load_face):
        with pytest.raises(UserError, match="16000 x 16000 px, its record is of one of 256"):
            read(path)
    assert load_record(path, any_size=True).size == 256


def test_faceset_groups_by_frame_and_names_bad_files(tmp_path: Path) -> None:
    image = np.zeros((256, 256, 3), np.uint8)
    save_face(tmp_path / "b.png", image, record(frame="00002.png"))
    save_face(tmp_path / "a.png", image, record(frame="00002.png"))
    save_face(tmp_path / "c.png", image, record(frame="00001.jpg"))
    (tmp_path / "plain.png").write_bytes(encode(image))
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    faceset = load_faceset(tmp_path)
    assert [path.name for path, _ in faceset.bad] == ["plain.png", "text.png"]
    assert all(path.name in error.happened for path, error in faceset.bad)
    groups = faceset.by_frame()
    assert list(groups) == ["00001", "00002"]
    assert [face.path.name for face in groups["00002"]] == ["a.png", "b.png"]
    assert load_faceset(tmp_path / "absent").faces == []


def test_person_and_embedding_are_kept_to_half_precision() -> None:
    vector = np.random.default_rng(4).normal(0, 0.1, 128).astype(np.float32)
    after = parse_record(replace(record(1), person=3, embedding=vector).to_json())
    assert after.person == 3
    assert after.embedding is not None and after.embedding.dtype == np.float32
    np.testing.assert_allclose(after.embedding, vector, atol=2e-4)
    assert parse_record(record(1).to_json()).embedding is None


@pytest.mark.parametrize(
    "more",
    [
        {"person": 0},
        {"person": "two"},
        {"embedding": "no base64!"},
        {"embedding": base64.b64encode(bytes(200)).decode()},
        {"embedding": base64.b64encode(np.full(128, np.nan, "<f2").tobytes()).decode()},
        {"embedding": base64.b64encode(np.r_[np.nan, np.zeros(127)].astype("<f2").tobytes()).decode()},
    ],
)
def test_false_person_or_embedding_is_refused(more: dict[str, object]) -> None:
    value = json.loads(record(1).to_json())
    with pytest.raises(BadRecord):
        parse_record(json.dumps({**value, **more}))


def test_landmarks_as_they_were_found_are_kept() -> None:
    before = record(1)
    assert before.found_landmarks is before.frame_landmarks
    assert "raw_landmarks" not in before.to_json()
    smoothed = replace(before, frame_landmarks=before.frame_landmarks + 0.25, raw_landmarks=before.frame_landmarks)
    after = parse_record(smoothed.to_json())
    assert after.raw_landmarks is not None and after.raw_landmarks.dtype == np.float32
    np.testing.assert_allclose(after.found_landmarks, before.frame_landmarks, atol=6e-4)
    np.testing.assert_allclose(after.frame_landmarks - after.found_landmarks, 0.25, atol=1e-3)
    # Every kind of landmarks is written to a thousandth of a pixel.
    stored = json.loads(smoothed.to_json())
    for name in ("landmarks", "frame_landmarks", "raw_landmarks"):
        np.testing.assert_array_equal(stored[name], np.round(stored[name], 3))


@pytest.mark.parametrize("raw", ["no numbers", [[1, 2]], [[0, 0]] * 68, [[1, 1e9]] * 68, [[1, "x"]] * 68])
def test_false_raw_landmarks_are_refused(raw: object) -> None:
    with pytest.raises(BadRecord, match="raw_landmarks"):
        parse_record(json.dumps({**json.loads(record(1).to_json()), "raw_landmarks": raw}))


def test_another_record_leaves_the_pixels_alone(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    save_face(path, image, record(1))
    update_record(path, replace(record(1), person=2))
    pixels, after = load_face(path)
    np.testing.assert_array_equal(pixels, image)
    assert after.person == 2


def test_what_version_1_cannot_hold_makes_version_2() -> None:
    plain = record(1)
    assert json.loads(plain.to_json())["version"] == 1
    assert json.loads(replace(plain, mask="AAAA").to_json())["version"] == 1, "a mask was always an imported one"
    for more in (
        {"mask": "AAAA", "mask_source": "painted"},
        {"occlusion": "BBBB"},
        {"track": 7},
        {"landmarker": "mesh"},
        {"mesh_score": 0.25},
        {"origin": "filled"},
    ):
        text = replace(plain, **more).to_json()
        value, after = json.loads(text), parse_record(text)
        assert (value["version"], value["scheme"]) == (2, "ibug68")
        assert {name: getattr(after, name) for name in more} == more


@pytest.mark.parametrize(
    "more",
    [
        {"scheme": "wflw98"},
        {"scheme": 68},
        {"mask_source": "dreamt"},
        {"track": 0},
        {"occlusion": 5},
        {"landmarker": 7},
        {"landmarker": "m" * 65},
        {"mesh": "AAAA"},
        {"mesh": "no base64"},
        {"mesh": base64.b64encode(np.full(3 * 468, np.inf, "<f2")).decode()},
        {"mesh": base64.b64encode(np.zeros(3 * 478, "<f2")).decode()},
        {"mesh_score": 1.5},
        {"mesh_score": "sure"},
        {"origin": "dreamt"},
    ],
)
def test_false_values_of_version_2_are_refused(more: dict[str, object]) -> None:
    with pytest.raises(BadRecord):
        parse_record(json.dumps({**json.loads(record(1).to_json()), "version": 2, **more}))


def test_a_mesh_lies_in_the_frame_whatever_happens_to_the_landmarks_afterwards() -> None:
    random = np.random.default_rng(5)
    plain = record(5)
    span = float(np.ptp(plain.frame_landmarks, axis=0).max())
    mesh = random.uniform(-300, 4300, (468, 3)).astype(np.float32)
    found = replace(plain, mesh=mesh)
    smoothed = replace(found, raw_landmarks=found.frame_landmarks, frame_landmarks=found.frame_landmarks + 9)
    for one in (found, smoothed):
        after = parse_record(one.to_json()).mesh
        assert after is not None
        np.testing.assert_allclose(after, mesh, atol=span / 1000)


def test_polygons_come_back_as_they_were_drawn() -> None:
    drawn = (
        Polygon("include", np.float32([(10.25, -3), (4000, 7.5), (12, 900)])),
        Polygon("exclude", np.random.default_rng(2).uniform(0, 5000, (40, 2)).astype(np.float32)),
    )
    text = replace(record(4), polygons=drawn).to_json()
    assert json.loads(text)["version"] == 2
    after = parse_record(text).polygons
    assert [polygon.kind for polygon in after] == ["include", "exclude"]
    for mine, theirs in zip(after, drawn, strict=True):
        np.testing.assert_allclose(mine.points, theirs.points, atol=0.006)
    most = tuple(Polygon("include", np.full((100, 2), -987654.25, np.float32)) for _ in range(50))
    masks = {"mask": "A" * 400_000, "occlusion": "A" * 400_000}
    assert len(replace(record(4), polygons=most, **masks).to_json()) < 1 << 20, "a PNG has room for the largest record"


@pytest.mark.parametrize(
    "polygons",
    [
        "all",
        [[[0, 0], [1, 1], [2, 0]]],
        [{"kind": "maybe", "points": [[0, 0], [1, 1], [2, 0]]}],
        [{"kind": ["include"], "points": [[0, 0], [1, 1], [2, 0]]}],
        [{"kind": "include"}],
        [{"kind": "include", "points": [[0, 0], [1, 1]]}],
        [{"kind": "include", "points": [[0, 0], [1, 1], [2]]}],
        [{"kind": "include", "points": [[0, 0], [1, 1], [2, "3"]]}],
        [{"kind": "include", "points": [[0, 0], [1, 1], [2, 1e7]]}],
        [{"kind": "include", "points": [[0, 0], [1, 1], [2, 10**40]]}],
        [{"kind": "include", "points": [[0, 0]] * 501}],
        [{"kind": "include", "points": [[0, 0], [1, 1], [2, 0]]}] * 51,
        [{"kind": "include", "points": [[0, 0]] * 500}] * 11,
    ],
)
def test_false_polygons_are_refused(polygons: object) -> None:
    with pytest.raises(BadRecord, match="polygons"):
        parse_record(json.dumps({**json.loads(record(1).to_json()), "version": 2, "polygons": polygons}))


def test_a_record_cuts_its_image_out_of_the_frame() -> None:
    frame = np.random.default_rng(3).integers(0, 256, (80, 120, 3), np.uint8)
    plain = replace(record(), face_type=FaceType.FULL, size=32, matrix=np.array([[1.0, 0, -40], [0, 1.0, -20]]))
    np.testing.assert_array_equal(plain.cut(frame), frame[20:52, 40:72])
    np.testing.assert_array_equal(replace(plain, face_type=FaceType.MARK_ONLY, size=0).cut(frame), frame)
