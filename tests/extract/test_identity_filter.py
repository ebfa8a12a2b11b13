"""People to keep and to leave out: the decision, the photos, and real faces."""

from pathlib import Path

import numpy as np
import pytest

from extract.squares import Squares, StillLandmarks, frame_with
from facewright.core.errors import UserError
from facewright.core.images import Image, write_image
from facewright.extract.detectors.base import Detector
from facewright.extract.embedding import Embedder
from facewright.extract.filters import FilterInput, FilterResult, Rejection
from facewright.extract.identity_filter import IdentityFilter, embeddings_of_photos, nearest
from facewright.extract.landmarkers.base import Landmarker
from facewright.extract.options import MAX_PHOTO_DISTANCE
from facewright.faces.align import FaceType
from facewright.faces.record import FaceRecord, load_record, update_record
from heic import heic
from sample import REAL, clip_frames, needs_real_faces, sample_frames


class Colours(Embedder):
    """Who a face is stands in the blue of its first pixel: at `blue / 100` on a line."""

    def __init__(self) -> None:
        """Load nothing."""

    def embed_face(self, picture: Image, landmarks: np.ndarray) -> np.ndarray:
        return at(picture[0, 0, 0] / 100)

    def embed(self, chips: list[Image]) -> np.ndarray:
        return np.stack([at(float(one[0, 0, 0]) / 100) for one in chips])


def at(place: float) -> np.ndarray:
    vector = np.zeros(128, np.float32)
    vector[0] = place
    return vector


def record() -> FaceRecord:
    points = np.random.default_rng(0).uniform(5, 59, (68, 2)).astype(np.float32)
    return FaceRecord(
        FaceType.FULL, 64, points, points, "1.png", "drawn", 1.0, (0, 0, 64, 64), np.eye(2, 3), (0.0, 0.0, 0.0)
    )


def picture(blue: int) -> Image:
    return np.full((64, 64, 3), blue, np.uint8)


def asked(check: IdentityFilter, frame: Image, face: FaceRecord | None = None) -> FilterResult:
    (result,) = check.apply([FilterInput(frame, face or record())])
    return result


def people(*places: float) -> np.ndarray:
    return np.array([at(place) for place in places], np.float32).reshape(-1, 128)


@pytest.mark.parametrize(
    ("wanted", "unwanted", "kept"),
    [
        ((), (), [0, 40, 80, 120, 200]),
        ((0.0,), (), [0, 40]),
        ((0.0, 1.0), (), [0, 40, 80, 120]),
        ((), (0.0,), [80, 120, 200]),
        ((0.0,), (0.7,), [0]),  # 40 is near to both, and nearer to the second
        ((0.5,), (0.0,), [40, 80]),
        ((0.0,), (0.0,), []),
    ],
)
def test_the_nearer_photo_decides(wanted: tuple[float, ...], unwanted: tuple[float, ...], kept: list[int]) -> None:
    check = IdentityFilter(Colours(), people(*wanted), people(*unwanted), 0.5)
    answers = {blue: asked(check, picture(blue)) for blue in (0, 40, 80, 120, 200)}
    assert [blue for blue, answer in answers.items() if isinstance(answer, FaceRecord)] == kept
    reasons = [answer.reason.split(":")[0] for answer in answers.values() if isinstance(answer, Rejection)]
    together = check.apply([FilterInput(picture(blue), record()) for blue in answers])
    assert [getattr(answer, "reason", None) for answer in together] == [
        getattr(a, "reason", None) for a in answers.values()
    ]
    assert set(reasons) <= {"another person", "a person to leave out"}
    assert not any(answer.not_a_face for answer in answers.values() if isinstance(answer, Rejection))


def test_the_embedding_goes_into_the_record_unless_told_otherwise() -> None:
    found = asked(IdentityFilter(Colours()), picture(70))
    assert isinstance(found, FaceRecord) and found.embedding is not None and found.embedding[0] == np.float32(0.7)
    plain = asked(IdentityFilter(Colours(), people(0.7), keep_embedding=False), picture(70))
    assert isinstance(plain, FaceRecord) and plain.embedding is None


def test_nobody_is_infinitely_far() -> None:
    assert nearest(at(1), people()) == float("inf")
    assert nearest(at(1), people(3, 0.5)) == 0.5


def photos(given: list[Path], detector: Squares | None = None) -> np.ndarray:
    names = [str(path) for path in given]
    return embeddings_of_photos(names, "--person", detector or Squares(), StillLandmarks(), Colours())


def photo(path: Path, squares: list[tuple[int, int, int]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, frame_with(squares))
    return path


ONE, TWO = [(100, 60, 80)], [(100, 60, 80), (20, 20, 40)]


def test_photos_as_phones_write_them(tmp_path: Path) -> None:
    (tmp_path / "phone").mkdir()
    for name in ("phone/IMG_1.HEIC", "single.heic"):
        heic(tmp_path / name, frame_with(ONE))
    assert photos([tmp_path / "single.heic", tmp_path / "phone"]).shape == (2, 128)
    assert [path.name for path in (tmp_path / "phone").iterdir()] == ["IMG_1.HEIC"]
    (tmp_path / "phone" / "IMG_1.HEIC").write_bytes(b"not a photo")
    with pytest.raises(UserError):
        photos([tmp_path / "phone" / "IMG_1.HEIC"])


def test_photos_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    single = photo(tmp_path / "a b.png", ONE)
    photo(tmp_path / "more" / "1.png", ONE)
    photo(tmp_path / "more" / "2.jpg", TWO)
    photo(tmp_path / "more" / "3.png", [])
    (tmp_path / "more" / "4.png").write_text("no picture")
    (tmp_path / "more" / "note.txt").write_text("not looked at")
    assert photos([single, tmp_path / "more"]).shape == (2, 128)
    said = capsys.readouterr().out
    assert "Passed over: 2.jpg shows 2 faces" in said and "3.png shows no face" in said and "4.png" in said
    assert "note.txt" not in said
    assert photos([]).shape == (0, 128)


@pytest.mark.parametrize(
    ("name", "what"),
    [("two", "shows 2 faces"), ("none", "shows no face"), ("bad", "bad.png cannot be read")],
)
def test_a_photo_that_does_not_serve_is_a_sentence(tmp_path: Path, name: str, what: str) -> None:
    photo(tmp_path / "two.png", TWO)
    photo(tmp_path / "none.png", [])
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(UserError, match=what):
        photos([tmp_path / f"{name}.png"])


def test_missing_photos_and_useless_folders_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no photo .*away\.png"):
        photos([tmp_path / "away.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no photo that shows one face"):
        photos([tmp_path / "empty"])


def test_an_aligned_face_needs_no_search(tmp_path: Path, save_drawn_face: object) -> None:
    path = save_drawn_face(tmp_path / "face.png")
    detector = Squares()
    assert photos([path], detector).shape == (1, 128) and not detector.batches
    known = load_record(path)
    update_record(path, FaceRecord(**{**vars(known), "embedding": at(5)}))
    assert photos([path], detector)[0, 0] == 5


def decided(
    check: IdentityFilter, frames: list[Image], detectors: dict[str, Detector], landmarker: Landmarker
) -> list[bool]:
    """Whether each face of each frame is kept, from left to right."""
    kept = []
    for frame in frames:
        detector = detectors["mtcnn"]
        for box in sorted(detector.detect([frame])[0], key=lambda box: box.left):
            points = landmarker.find(frame, detector.face_square(box))
            face = FaceRecord(**{**vars(record()), "frame_landmarks": points})
            kept.append(isinstance(asked(check, frame, face), FaceRecord))
    return kept


def test_the_two_sample_people_are_told_apart(
    tmp_path: Path, detectors: dict[str, Detector], landmarker: Landmarker
) -> None:
    embedder = Embedder()
    for side in ("src", "dst"):
        write_image(tmp_path / f"{side}.png", sample_frames(side, (10,))[0])
    wanted, unwanted = (
        embeddings_of_photos([str(tmp_path / name)], "--person", detectors["mtcnn"], landmarker, embedder)
        for name in ("src.png", "dst.png")
    )
    check = IdentityFilter(embedder, wanted, unwanted, MAX_PHOTO_DISTANCE)
    numbers = (40, 90, 140)
    assert all(decided(check, sample_frames("src", numbers), detectors, landmarker))
    assert not any(decided(check, sample_frames("dst", numbers), detectors, landmarker))


@needs_real_faces
def test_one_of_two_real_people_is_kept(tmp_path: Path, detectors: dict[str, Detector], landmarker: Landmarker) -> None:
    embedder = Embedder()
    clip = REAL / "video" / "intel_head-pose-face-detection-female-and-male.gif"
    frames = clip_frames(clip, (3, 15, 30, 45))
    write_image(tmp_path / "left.png", frames[0][:, : frames[0].shape[1] // 2])
    wanted = embeddings_of_photos([str(tmp_path / "left.png")], "--person", detectors["mtcnn"], landmarker, embedder)
    kept = decided(IdentityFilter(embedder, wanted), frames[1:], detectors, landmarker)
    assert kept == [True, False] * 3
