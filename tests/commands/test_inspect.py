"""What `inspect` says of images and videos."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewright.cli import main
from facewright.marking.provenance import mark_image


def encoded(extension: str) -> bytes:
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    return cv2.imencode(extension, image)[1].tobytes()


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_a_marked_image_is_told_from_a_plain_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extension: str
) -> None:
    plain, marked = tmp_path / f"plain{extension}", tmp_path / f"marked{extension}"
    plain.write_bytes(encoded(extension))
    marked.write_bytes(mark_image(encoded(extension), extension))
    assert main(["inspect", str(plain), "--workspace", str(tmp_path)]) == 0
    assert "nothing of its origin" in capsys.readouterr().out
    assert main(["inspect", str(marked), "--workspace", str(tmp_path)]) == 0
    assert "compositeWithTrainedAlgorithmicMedia" in capsys.readouterr().out


def test_a_quiet_run_says_what_it_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain.png").write_bytes(encoded(".png"))
    assert main(["inspect", str(tmp_path / "plain.png"), "--quiet", "--workspace", str(tmp_path)]) == 0
    assert "nothing of its origin" in capsys.readouterr().out


def test_an_aligned_face_names_its_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], save_drawn_face: Callable[..., Path]
) -> None:
    face = save_drawn_face(tmp_path / "face.png", frame="00042.png")
    assert main(["inspect", str(face), "--workspace", str(tmp_path)]) == 0
    assert "00042.png" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nothing.png", "text.mp4", ""])
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    assert main(["inspect", *([str(tmp_path / name)] if name else []), "--yes", "--workspace", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "To fix it" in told and "Traceback" not in told
