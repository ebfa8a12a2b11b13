"""Faces of DeepFaceLab and FaceSwap become records of ours that fit picture and frame; damaged and evil ones do not."""

import base64
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright.core.images import Image, encode
from facewright.core.png import set_text
from facewright.faces.align import (
    MEAN_FACE,
    FaceType,
    align_matrix,
    between,
    cut,
    similarity,
    square_lies_inside,
    transform_points,
)
from facewright.interop.faceset_pak import BadPack, members, read_member
from facewright.interop.foreign_face import NotImportable
from facewright.interop.other_programs import read_face, to_record
from interop import foreign_files as others

FRAME = others.frame()
POINTS = others.landmarks()


def same_picture(image: Image, record: object) -> float:
    """Mean difference, in grey levels, between the picture and the frame cut with the record's matrix."""
    there = cut(FRAME, record.matrix, record.size)  # type: ignore[attr-defined]
    return float(np.abs(there.astype(float) - image)[8:-8, 8:-8].mean())


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(("theirs", "ours"), [("half_face", "half"), ("full_face", "full"), ("head", "head")])
def test_png_of_2018(protocol: int, theirs: str, ours: str) -> None:
    data = others.dfl_2018(POINTS, FRAME, "00007.png", kind=theirs, protocol=protocol)
    image, record = to_record(read_face(data), data)
    assert (record.face_type, record.size, record.frame, record.detector) == (ours, 256, "00007.png", "deepfacelab")
    assert record.rect == (10, 20, 110, 130)
    np.testing.assert_array_equal(record.frame_landmarks, POINTS.astype(int))
    np.testing.assert_allclose(record.matrix, align_matrix(record.frame_landmarks, record.face_type, 256), atol=1e-3)
    assert same_picture(image, record) < 1
    assert abs(record.pose[2] - 10) < 3, "the turn of the face in its frame"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("half_face", "half"), ("midfull_face", "half"), ("full_face", "full"), ("whole_face", "full"), ("head", "full")],
)
def test_jpeg_of_later_years(protocol: int, theirs: str, ours: str) -> None:
    data = others.dfl_jpeg(POINTS, FRAME, "00007.png", kind=theirs, protocol=protocol)
    image, record = to_record(read_face(data), data)
    assert (record.face_type, record.size, record.frame) == (ours, 256, "00007.png")
    assert same_picture(image, record) < 4, "JPEG is not exact"
    np.testing.assert_allclose(record.landmarks, transform_points(POINTS, record.matrix), atol=0.01)
    step = between(align_matrix(POINTS, FaceType(ours), 256), record.matrix)
    assert square_lies_inside(step, 256, 256, 0.03 * 256)


def test_learned_mask_comes_along() -> None:
    mask = np.zeros((256, 256), np.uint8)
    cv2.circle(mask, (128, 128), 60, 255, -1)
    coded = np.frombuffer(encode(mask), np.uint8)
    data = others.dfl_jpeg(POINTS, FRAME, "a.png", side=512, xseg_mask=coded)
    _, record = to_record(read_face(data), data)
    assert record.mask
    grey = cv2.imdecode(np.frombuffer(base64.b64decode(record.mask), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey.shape == (512, 512) and grey[256, 256] == 255 and grey[10, 10] == 0
    as_bytes = others.dfl_jpeg(POINTS, FRAME, "a.png", side=512, xseg_mask=coded.tobytes())
    assert to_record(read_face(as_bytes), as_bytes)[1].mask == record.mask
    broken = others.dfl_jpeg(POINTS, FRAME, "a.png", xseg_mask=coded[:40])
    assert to_record(read_face(broken), broken)[1].mask is None


def test_drawn_polygons_come_along_into_the_frame() -> None:
    corners = np.float32([(100, 120), (400, 130), (300, 420)])
    polys = [{"type": 1, "pts": corners}, {"type": 0, "pts": corners.tolist()}, {"type": 1, "pts": corners[:2]}]
    data = others.dfl_jpeg(POINTS, FRAME, "a.png", side=512, seg_ie_polys={"polys": polys})
    foreign = read_face(data)
    record = to_record(foreign, data)[1]
    assert [polygon.kind for polygon in record.polygons] == ["include", "exclude"] and foreign.lost == ()
    for polygon in record.polygons:
        np.testing.assert_allclose(transform_points(polygon.points, record.matrix), corners, atol=0.05)


@pytest.mark.parametrize(
    "polys",
    [
        np.zeros((3, 3)),
        7,
        [7],
        [{"type": 2, "pts": [[0, 0], [1, 1], [2, 0]]}],
        [{"type": [1], "pts": [[0, 0], [1, 1], [2, 0]]}],
        [{"type": 1, "pts": [[0, 0], [1, 1], [float("nan"), 0]]}],
        [{"type": 1, "pts": np.zeros((3, 2, 2))}],
        [{"type": 1, "pts": "abc"}],
        [{"type": 1}],
        [{"type": 1, "pts": np.zeros((3, 2))}] * 51,
    ],
)
def test_polygons_that_do_not_serve_are_named_and_the_face_comes_without(polys: object) -> None:
    for value in ({"polys": polys}, polys):
        data = others.dfl_jpeg(POINTS, FRAME, "a.png", seg_ie_polys=value)
        foreign = read_face(data)
        assert foreign.lost == ("drawn polygons",) and to_record(foreign, data)[1].polygons == ()


def test_faceswap_is_placed_by_looking() -> None:
    data = others.faceswap_png(POINTS, FRAME, "clip_000012.png")
    foreign = read_face(data)
    assert foreign.landmarks is None and foreign.lost == ("masks",)
    truth = _truth(512)
    noise = np.random.default_rng(1).normal(0, 3, (68, 2))
    image, record = to_record(foreign, data, lambda image: (truth + noise).astype(np.float32))
    assert (record.face_type, record.frame, record.rect) == ("full", "clip_000012.png", (100, 60, 220, 185))
    assert np.abs(record.landmarks - truth).max() < 2
    with pytest.raises(NotImportable, match="does not say"):
        to_record(foreign, data)
    with pytest.raises(NotImportable, match="belong together"):
        to_record(foreign, data, lambda image: np.random.default_rng(0).uniform(0, 512, (68, 2)).astype(np.float32))
    assert image.shape == (512, 512, 3)


def _truth(side: int) -> np.ndarray:
    matrix = similarity(POINTS[17:], MEAN_FACE) * side * 0.375
    matrix[:, 2] += side / 2 - np.array([0.47, 0.2]) * side * 0.375
    return transform_points(POINTS, matrix)


def dictionary(**changed: object) -> dict[str, object]:
    data = {"face_type": "full_face", "landmarks": POINTS.tolist(), "source_landmarks": POINTS.tolist(),
            "source_filename": "a.png", "source_rect": [1, 2, 3, 4]}  # fmt: skip
    data.update(changed)
    return data


def dfl_face(value: object) -> bytes:
    return others.with_chunk(encode(FRAME), pickle.dumps(value, 3))


@pytest.mark.parametrize(
    "changed",
    [
        {"face_type": "evil"}, {"face_type": 3}, {"landmarks": None}, {"landmarks": [[1, 2]]},
        {"landmarks": [[float("nan"), 0]] * 68}, {"landmarks": [[1e30, 0]] * 68}, {"landmarks": [[5, 5]] * 68},
        {"landmarks": [["a", "b"]] * 68}, {"source_landmarks": {}}, {"source_filename": ""}, {"source_filename": 5},
        {"source_filename": None}, {"source_filename": "/"}, {"source_filename": "x" * 300}, {"source_rect": [1, 2]},
        {"source_rect": np.array(3)}, {"source_rect": np.eye(4)}, {"source_landmarks": (POINTS * 1e-300).tolist()},
        {"landmarks": (POINTS * 1e-9).tolist()}, {"source_rect": [10**400] * 4},
        {"source_rect": "abcd"}, {"source_rect": [1, 2, 3, float("inf")]}, {"source_rect": [1, 2, 3, None]},
    ],
)  # fmt: skip
def test_wrong_parts_are_named(changed: dict[str, object]) -> None:
    read_face(dfl_face(dictionary()))
    with pytest.raises(NotImportable, match=r"^it"):
        read_face(dfl_face(dictionary(**changed)))


@pytest.mark.parametrize("value", [None, [], {}, {"alignments": {}}, {"alignments": {"landmarks_xy": 3}, "source": {}}])
def test_wrong_dictionaries(value: object) -> None:
    with pytest.raises(NotImportable):
        read_face(dfl_face(value))
    with pytest.raises(NotImportable):
        read_face(set_text(encode(FRAME), "faceswap", repr(value)))


def test_a_path_in_the_frame_name_loses_its_folders() -> None:
    for name in ("..\\..\\evil.png", "/etc/evil.png", "C:\\x\\evil.png"):
        assert read_face(dfl_face(dictionary(source_filename=name))).frame == "evil.png"


class Evil:
    def __reduce__(self) -> object:
        import os

        return os.system, ("touch /tmp/facewright_evil",)


@pytest.mark.parametrize("protocol", range(6))
def test_evil_faces_are_refused_with_a_sentence(protocol: int) -> None:
    proof = Path("/tmp/facewright_evil")
    proof.unlink(missing_ok=True)
    body = pickle.dumps({**dictionary(), "more": Evil()}, protocol)
    plain = np.zeros((256, 256, 3), np.uint8)
    for data in (others.with_chunk(encode(plain), body), others.with_segment(encode(plain, ".jpg"), body)):
        with pytest.raises(NotImportable, match="nothing of it was run"):
            read_face(data)
    assert not proof.exists()


def test_damaged_files() -> None:
    png = others.dfl_2018(POINTS, FRAME, "a.png")
    jpeg = others.dfl_jpeg(POINTS, FRAME, "a.png")
    for data in (b"", b"GIF89a", png[:2000], jpeg[:1500], png.replace(b"source_", b"Source_"), encode(FRAME)):
        with pytest.raises(NotImportable):
            read_face(data)
    cut_off = jpeg[: len(jpeg) // 2]  # its data is whole, its picture is not
    with pytest.raises(NotImportable, match="image is damaged"):
        to_record(read_face(cut_off), cut_off)
    oblong = others.with_chunk(encode(FRAME), pickle.dumps(dictionary(), 3))
    with pytest.raises(NotImportable, match="not square"):
        to_record(read_face(oblong), oblong)
    elsewhere = dictionary(landmarks=(POINTS + 900).tolist())
    outside = others.with_chunk(encode(FRAME[:256, :256]), pickle.dumps(elsewhere, 3))
    with pytest.raises(NotImportable, match="outside"):
        to_record(read_face(outside), outside)
    wide = bytearray(encode(FRAME))
    wide[16:24] = b"\x00\x01\x00\x00\x00\x01\x00\x00"
    with pytest.raises(NotImportable, match="65536x65536"):
        read_face(bytes(wide))


def test_mark_only_is_the_frame_itself() -> None:
    data = dictionary(face_type="mark_only")
    png = others.with_chunk(encode(FRAME), pickle.dumps(data, 3))
    image, record = to_record(read_face(png), png)
    assert record.face_type is FaceType.MARK_ONLY and record.size == 0 and image.shape == FRAME.shape


def test_packed(tmp_path: Path) -> None:
    files = [others.dfl_jpeg(POINTS + k, FRAME, f"{k}.png") for k in range(3)]
    path = tmp_path / "faceset.pak"
    others.pack(path, files)
    assert [read_member(path, member) for member in members(path)] == files
    whole = path.read_bytes()
    for damaged in (whole[:10], b"\x02" + whole[1:], whole[:100], whole[:-5], whole[:8] + b"\xff" * 8 + whole[16:]):
        path.write_bytes(damaged)
        with pytest.raises(BadPack):
            members(path)
    others.pack(path, [])
    assert members(path) == []
