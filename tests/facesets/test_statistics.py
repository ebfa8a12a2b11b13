"""The numbers of a faceset and the advice that follows from them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright.faces.align import FaceType
from facewright.faces.faceset import ENOUGH_FACES, FaceFile
from facewright.faces.record import FaceRecord
from facewright.facesets.recut import from_frame
from facewright.facesets.sort_base import methods
from facewright.facesets.statistics import (
    FEW,
    MANY,
    Advice,
    MeasuredFace,
    Statistics,
    advise,
    faceset_plots,
    faceset_summary,
    measure_face,
)
from facewright.ui.plots import Bars, Grid
from interop import foreign_files as others


def face(number: int = 0, **values: object) -> MeasuredFace:
    known = {"name": f"{number}.png", "frame": f"{number}.png", "yaw": 0.0, "pitch": 0.0, "side": 200.0,
             "sharpness": 100.0, "brightness": 120.0, "person": None, "outside": False, "eyes": 0.3,
             "mouth": 0.02}  # fmt: skip
    return MeasuredFace(**{**known, **values})  # type: ignore[arg-type]


def spread(count: int, **values: object) -> tuple[MeasuredFace, ...]:
    """Faces with yaws from one side to the other."""
    return tuple(face(k, yaw=float(yaw), **values) for k, yaw in enumerate(np.linspace(-60, 60, count)))


def texts(lines: list[Advice]) -> str:
    return "\n".join(line.text for line in lines if not line.fine)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (FEW - 1, "Few faces"),
        (FEW, "will do"),
        (ENOUGH_FACES, ""),
        (MANY, ""),
        (MANY + 1, f"--keep {ENOUGH_FACES}"),
    ],
)
def test_the_number_of_src_faces(count: int, words: str) -> None:
    told = texts(advise(Statistics(spread(count)), "src"))
    assert (words in told) if words else told == ""


def test_no_faces_and_one_face() -> None:
    assert advise(Statistics(()), "src") == [] and faceset_summary(Statistics(())) == "no faces"
    one = Statistics((face(),))
    assert advise(one, "src") and advise(one, "dst") is not None and "1 face of" in faceset_summary(one)
    assert len(faceset_plots(one)) == 4


def test_turned_faces_of_src_alone() -> None:
    told = texts(advise(Statistics(tuple(face(k, yaw=abs(k % 90)) for k in range(1200))), "src"))
    assert "look more than 30 degrees to the right of the image: 0." in told and "to the left" not in told


def test_blurred_small_mixed_and_persons() -> None:
    faces = [*spread(1000), *(face(2000 + k, sharpness=5.0, brightness=20.0, person=2) for k in range(100))]
    faces += [face(3000 + k, person=1, side=50.0) for k in range(50)]
    stats = Statistics(tuple(faces), damaged=3)
    told = texts(advise(stats, "src"))
    assert stats.blurred == 100 and "100 of the faces (8.7%)" in told
    assert "2 persons (1: 50, 2: 100)" in told and "damaged or no faces: 3" in told
    assert "The light is mixed (brightness 20 to 120" in told and "small in their frames" not in told
    assert "small in their frames (50 px)" in texts(advise(Statistics(spread(1000, side=50.0)), "src"))
    dst = advise(stats, "dst")
    assert "Keep them" in " ".join(line.text for line in dst if line.fine) and "The light" not in texts(dst)


def test_frames_of_dst() -> None:
    faces = (face(1), face(1, name="b.png"), face(2), face(9, outside=True))
    stats = Statistics(faces, frames=frozenset(f"{k}.png" for k in (1, 2, 3, 4)))
    told = texts(advise(stats, "dst"))
    assert "Frames without a face: 2 of 4 (3.png, 4.png)" in told
    assert "Frames with several faces: 1 (1.png)" in told
    assert "Frames that are gone: 1 (9.png)" in told and "outside of their image: 1 (9.png)" in told
    unknown = texts(advise(Statistics(faces), "dst"))
    assert "Frames without a face" not in unknown, "without frames nothing is said of them"


def test_plots_count_every_face() -> None:
    rng = np.random.default_rng(0)
    faces = tuple(
        face(k, yaw=rng.normal(0, 60), pitch=rng.normal(0, 60), sharpness=rng.gamma(2, 50)) for k in range(500)
    )
    drawn = faceset_plots(Statistics(faces), np.array([[30.0, 20.0]] * 5), "data_dst")
    assert all(plot.counts.sum() == 500 for plot in drawn)
    grid = drawn[0]
    assert isinstance(grid, Grid) and grid.outlined is not None and grid.outlined.sum() == 1
    row, column = np.argwhere(grid.outlined)[0]
    assert grid.x_edges[column + 1] <= 30 <= grid.x_edges[column] and grid.y_edges[row + 1] <= 20 <= grid.y_edges[row]
    assert all(isinstance(plot, Bars) for plot in drawn[1:])


def test_measures(tmp_path: Path) -> None:
    points = others.landmarks(turn=0, side=100).astype(np.float32)
    noise = np.random.default_rng(0).normal(80, 20, (300, 400, 3)).clip(0, 255).astype(np.uint8)
    blank = FaceRecord(
        FaceType.FULL,
        160,
        points,
        points,
        "f.png",
        "d",
        1.0,
        (50, 50, 150, 146),
        np.eye(2, 3),
        (20.0, 3.0, 0.0),
        person=4,
    )
    image, record = from_frame(noise, blank, FaceType.FULL, 160)
    file = FaceFile(tmp_path / "a.png", record)
    seen = measure_face(file, image)
    assert (seen.name, seen.frame, seen.yaw, seen.pitch, seen.person, seen.outside) == (
        "a.png",
        "f.png",
        20,
        3,
        4,
        False,
    )
    assert seen.side == pytest.approx(np.sqrt(9600)) and seen.brightness == pytest.approx(80, abs=2)
    blurred = measure_face(file, np.asarray(cv2.GaussianBlur(image, (0, 0), 2), np.uint8))
    assert blurred.sharpness < 0.3 * seen.sharpness
    record.landmarks[30] = (1e5, -1e5)
    assert measure_face(file, image).outside
    record.landmarks[:] += 1000
    assert np.isfinite(measure_face(file, image).brightness)


def test_a_faceset_is_told_how_soft_it_is_in_words() -> None:
    soft, webcam, good = (Statistics(spread(1000, sharpness=value)) for value in (14.0, 40.0, 200.0))
    assert "softer than a poor webcam" in texts(advise(soft, "src")) and texts(advise(webcam, "src")) == ""
    assert "14: softer than a poor webcam" in faceset_summary(soft)
    assert "like a webcam" in faceset_summary(webcam) and "like a good camera" in faceset_summary(good)


@pytest.mark.parametrize("document", ["README.md", "docs/sort.md"])
def test_documents_advice_and_sorts_name_one_number_of_faces(document: str) -> None:
    text = (Path(__file__).parents[2] / document).read_text(encoding="utf-8")
    assert f"{ENOUGH_FACES} are enough" in text.replace("\n", " ") or f"than {ENOUGH_FACES} are left" in text
    assert methods()["final"].options().keep == ENOUGH_FACES == methods()["final-fast"].options().keep
