"""The extract and fix steps: what they write, how they go on after a kill, what they say to bad input."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from commands.extract_runs import run
from extract.squares import SquareModels, Squares, StillLandmarks, frame_with
from facewright.commands import fix as fix_faces
from facewright.commands.extract import Options
from facewright.convert.plan import list_faces
from facewright.core.errors import UserError
from facewright.core.files import disk_errors
from facewright.core.images import write_image
from facewright.core.workspace import Side, Workspace
from facewright.extract import pipeline
from facewright.faces import record
from facewright.faces.faceset import load_faceset
from facewright.faces.record import load_record
from sample import sample_frames

TESTS = Path(__file__).resolve().parents[1]


def fill(side: Side, count: int = 6) -> None:
    """Frames 1, 2, 4 … hold one square, every third holds two, the last none."""
    side.frames_dir.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        places = [(100, 60, 80 + number)] + ([(20, 20, 40)] if number % 3 == 0 else [])
        write_image(side.frames_dir / f"{number:05d}.png", frame_with([] if number == count else places))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


ALL = ["00001_0.png", "00002_0.png", "00003_0.png", "00003_1.png", "00004_0.png", "00005_0.png"]


def test_end_to_end_on_the_sample(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    side = workspace.dst
    side.frames_dir.mkdir()
    for number, frame in enumerate(sample_frames("dst", [0, 40, 80, 120, 160, 200]), 1):
        write_image(side.frames_dir / f"{number:05d}.png", frame)
    run(workspace, Options(side="dst", debug=True))
    faceset = load_faceset(side.aligned_dir)
    assert [face.path.name for face in faceset.faces] == [f"{n:05d}_0.png" for n in range(1, 7)] and not faceset.bad
    for face in faceset.faces:
        eyes = face.record.landmarks[36:48].mean(0)
        np.testing.assert_allclose(eyes, [128, 83], atol=12)  # where the mean face of a full picture has them
        assert face.record.detector == "mtcnn" and face.record.score > 0.8
    assert len(list(side.debug_dir.glob("*_debug.jpg"))) == 6
    text = capsys.readouterr().out
    assert "Frames searched: 6. Faces saved: 6" in text and "6_train" in text.splitlines()[-1]


def test_what_is_written_and_said(workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]) -> None:
    fill(workspace.src)
    run(workspace, Options(side="src"), squares)
    assert names(workspace.src.aligned_dir) == ALL
    text = capsys.readouterr().out
    assert "Frames searched: 6. Faces saved: 6" in text
    assert "Frames without a face: 1 (00006.png)" in text and "5_dst_extract_faces" in text
    entries = [json.loads(line) for line in workspace.src.extract_journal.read_text().splitlines()]
    assert [entry["faces"] for entry in entries if entry["frame"] == "00003.png"] == [["00003_0.png", "00003_1.png"]]


def test_a_second_run_does_nothing(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src)
    run(workspace, Options(side="src"), squares)
    before = snapshot(workspace.src.aligned_dir)
    squares.batches.clear()
    run(workspace, Options(side="src"), squares)
    assert squares.batches == []
    assert snapshot(workspace.src.aligned_dir) == before


def test_deleted_and_renamed_faces_stay_so(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src)
    run(workspace, Options(side="src"), squares)
    (workspace.src.aligned_dir / "00003_1.png").unlink()
    (workspace.src.aligned_dir / "00001_0.png").rename(workspace.src.aligned_dir / "99.png")
    write_image(workspace.src.frames_dir / "00007.png", frame_with([(50, 50, 60)]))
    run(workspace, Options(side="src"), squares)
    assert names(workspace.src.aligned_dir) == ["00002_0.png", "00003_0.png", *ALL[4:], "00007_0.png", "99.png"]


def test_where_all_faces_are_gone_from_their_place_the_way_out_is_told(
    workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a circle of steps that send to each other: faces in a subfolder are to be moved, deleted ones found anew."""
    fill(workspace.dst)
    run(workspace, Options(side="dst"), squares)
    faces = workspace.dst.aligned()
    below = workspace.dst.aligned_dir / "keep"
    below.mkdir()
    for path in faces:
        path.rename(below / path.name)
    for remedy in ("keep (6)", "--redo"):
        capsys.readouterr()
        run(workspace, Options(side="dst"), squares)
        assert remedy in capsys.readouterr().out
        with pytest.raises(UserError) as caught:
            list_faces(workspace.dst)
        assert remedy in caught.value.fix and "--every-face" in caught.value.fix
        shutil.rmtree(below, ignore_errors=True)


def test_a_copied_workspace_is_done_too(workspace: Workspace, squares: Squares) -> None:
    """A copy has new times; the frames' content says that they are the same."""
    fill(workspace.src)
    run(workspace, Options(side="src"), squares)
    squares.batches.clear()
    for path in workspace.src.frames():
        os.utime(path, (1, 1))
    run(workspace, Options(side="src"), squares)
    assert squares.batches == []


def test_a_changed_frame_is_searched_again(
    workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace.src)
    run(workspace, Options(side="src", debug=True), squares)
    (workspace.src.aligned_dir / "00003_0.png").rename(workspace.src.aligned_dir / "sorted.png")
    write_image(workspace.src.frames_dir / "00003.png", frame_with([(10, 10, 99)]))
    run(workspace, Options(side="src"), squares)
    assert names(workspace.src.aligned_dir) == [name for name in ALL if name != "00003_1.png"]
    assert load_record(workspace.src.aligned_dir / "00003_0.png").rect == (10, 10, 109, 109)
    assert len(list(workspace.trash.rglob("*.[pj]*g"))) == 3  # two faces, one debug picture
    assert "changed since they were searched: 1." in capsys.readouterr().out


def test_other_settings_ask_first(
    workspace: Workspace, squares: Squares, typed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace.src)
    run(workspace, Options(side="src"), squares)
    with pytest.raises(UserError) as caught:
        run(workspace, Options(side="src", face_type="head"), squares)
    assert "--redo" in caught.value.fix and "full, 256 px" in caught.value.happened
    assert "holds faces" not in capsys.readouterr().out, "said once"
    typed("maybe", "n")  # type: ignore[operator]
    with pytest.raises(UserError, match="nothing moved"):
        run(workspace, Options(side="src", face_type="head"), squares)
    assert "full, 256 px; now: with mtcnn, head" in capsys.readouterr().out
    assert load_record(workspace.src.aligned_dir / ALL[0]).face_type == "full"
    typed("y")  # type: ignore[operator]
    run(workspace, Options(side="src", face_type="head"), squares)
    assert load_record(workspace.src.aligned_dir / ALL[0]).face_type == "head"
    assert names(next(workspace.trash.iterdir())) == ALL


def test_redo_begins_anew(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src)
    run(workspace, Options(side="src", debug=True), squares)
    (workspace.src.aligned_dir / ALL[0]).unlink()
    run(workspace, Options(side="src", redo=True), squares)
    assert names(workspace.src.aligned_dir) == ALL
    trash = next(workspace.trash.iterdir())
    assert names(trash) == ALL[1:] and (trash / "extracted.jsonl").exists() and (trash / "aligned_debug").is_dir()


def test_foreign_faces_are_not_mixed(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src)
    workspace.src.aligned_dir.mkdir()
    write_image(workspace.src.aligned_dir / "x.png", frame_with([]))
    with pytest.raises(UserError, match="another program"):
        run(workspace, Options(side="src"), squares)


def test_debug_pictures_can_be_had_later(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src)
    run(workspace, Options(side="src"), squares)
    squares.batches.clear()
    run(workspace, Options(side="src", debug=True), squares)
    assert squares.batches == [] and len(list(workspace.src.debug_dir.glob("*.jpg"))) == 6


def test_frames_that_are_gone(workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]) -> None:
    fill(workspace.src)
    run(workspace, Options(side="src"), squares)
    (workspace.src.frames_dir / "00002.png").unlink()
    run(workspace, Options(side="src"), squares)
    assert "Frames that are no longer there: 1 (00002.png)" in capsys.readouterr().out
    assert names(workspace.src.aligned_dir) == ALL


def test_bad_pictures_are_named_and_the_others_done(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src)
    (workspace.src.frames_dir / "00002.png").write_text("not a picture")
    (workspace.src.frames_dir / "00004.png").write_bytes(b"")
    for _ in range(2):  # the second run names them again
        with pytest.raises(UserError, match=r"2 files \(00002\.png, 00004\.png\)"):
            run(workspace, Options(side="src"), squares)
    assert names(workspace.src.aligned_dir) == ["00001_0.png", "00003_0.png", "00003_1.png", "00005_0.png"]
    (workspace.src.frames_dir / "00004.png").unlink()
    with pytest.raises(UserError, match=r"but: 00002\.png is not an image"):
        run(workspace, Options(side="src"), squares)


def test_two_frames_of_one_name(workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]) -> None:
    fill(workspace.src)
    write_image(workspace.src.frames_dir / "00001.jpg", frame_with([(10, 10, 90)]))
    run(workspace, Options(side="src"), squares)
    assert "00001.png is skipped" in capsys.readouterr().out
    assert load_record(workspace.src.aligned_dir / "00001_0.png").frame == "00001.jpg"


def test_no_frames(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="no frames") as caught:
        run(workspace, Options(side="dst"))
    assert "3_extract_png_from_dst" in caught.value.fix


def test_one_run_at_a_time(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.src)
    with workspace.lock("data_src"), pytest.raises(UserError, match="in use"):
        run(workspace, Options(side="src"), squares)


def test_one_pixel(workspace: Workspace) -> None:
    workspace.src.frames_dir.mkdir()
    write_image(workspace.src.frames_dir / "1.png", np.zeros((1, 1, 3), np.uint8))
    for detector in ("mtcnn", "dlib-hog"):
        run(workspace, Options(side="src", detector=detector, redo=True))
    assert names(workspace.src.aligned_dir) == []


@pytest.mark.slow
def test_ninety_six_megapixels(workspace: Workspace) -> None:
    workspace.src.frames_dir.mkdir()
    frame = np.zeros((8000, 12000, 3), np.uint8)
    face = sample_frames("src", [0])[0]
    frame[2000:7760, 3000:10680] = np.kron(face, np.ones((12, 12, 1), np.uint8))
    write_image(workspace.src.frames_dir / "1.png", frame)
    del frame
    run(workspace, Options(side="src"))
    record = load_record(workspace.src.aligned_dir / "1_0.png")
    assert record.rect[2] - record.rect[0] > 1500
    np.testing.assert_allclose(record.landmarks[36:48].mean(0), [128, 83], atol=12)


SLOW_RUN = """
import sys, time
from pathlib import Path
from extract.squares import SquareModels, Squares
from facewright.core.workspace import Workspace
from facewright.commands import extract as step
detector = Squares()
quick = detector.detect
detector.detect = lambda frames: (time.sleep(0.05), quick(frames))[1]
options = step.Options(side="src", people=False, smooth="off")
step.run(Workspace(Path(sys.argv[1])), options, SquareModels(detector))
"""


def test_killed_in_the_middle_it_goes_on(workspace: Workspace, squares: Squares, tmp_path: Path) -> None:
    fill(workspace.src, 60)
    whole = Workspace(tmp_path / "whole")
    fill(whole.src, 60)
    run(whole, Options(side="src"), squares)
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "_internal")])
    environment = {**os.environ, "PYTHONPATH": paths}
    for lines in (5, 20):
        process = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(workspace.root)], env=environment)
        deadline = time.monotonic() + 60
        journal = workspace.src.extract_journal
        while not journal.exists() or journal.read_text().count("\n") < lines:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    for path in workspace.src.aligned():
        load_record(path)  # no half file
    squares.widths.clear()
    run(workspace, Options(side="src"), squares)
    assert 0 < len(squares.widths) < 60 - 20 + 5
    assert snapshot(workspace.src.aligned_dir) == snapshot(whole.src.aligned_dir)


def test_fix_needs_an_extraction(workspace: Workspace, squares: Squares) -> None:
    fill(workspace.dst)
    with pytest.raises(UserError, match="not extracted yet") as caught:
        fix_faces.run(workspace, fix_faces.Options(), SquareModels(squares))
    assert "5_dst_extract_faces" in caught.value.fix


def test_fix_fills_gaps_and_names_the_rest(
    workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace.dst)
    write_image(workspace.dst.frames_dir / "00007.png", np.full((200, 400, 3), 150, np.uint8))
    run(workspace, Options(side="dst"), squares)
    (workspace.dst.aligned_dir / "00005_0.png").unlink()
    tried: list[str] = []

    class Keen(Squares):
        """Finds a face in 00007.png, but only at the second try."""

        def detect(self, frames):
            tried.append(self.name)
            found = super().detect(frames)
            return [[Squares().boxes(frame_with([(30, 30, 50)]))[0]] if f[0, 0, 0] == 150 and len(tried) > 1 else b
                    for f, b in zip(frames, found, strict=True)]  # fmt: skip

    keen = SquareModels(Keen())
    fix_faces.run(workspace, fix_faces.Options(slow=True), keen)
    text = capsys.readouterr().out
    assert "Faces found in frames that had none: 1 (00007_0.png)" in text
    assert "Frames still without a face: 1 (00006.png)" in text
    assert "Frames with several faces: 1 (00003.png)" in text
    assert "Frames whose faces were deleted: 1 (00005.png)" in text
    assert load_record(workspace.dst.aligned_dir / "00007_0.png").size == 256
    assert len(tried) == 5
    tried.clear()
    fix_faces.run(workspace, fix_faces.Options(slow=True), keen)
    assert tried == []
    run(workspace, Options(side="dst"), squares)
    assert "00005_0.png" not in names(workspace.dst.aligned_dir)


def test_fix_with_nothing_to_do(workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.dst.frames_dir.mkdir()
    write_image(workspace.dst.frames_dir / "1.png", frame_with([(10, 10, 90)]))
    run(workspace, Options(side="dst"), squares)
    fix_faces.run(workspace, fix_faces.Options(), SquareModels(squares))
    text = capsys.readouterr().out
    assert "Every frame has exactly one face" in text and "6_train" in text.splitlines()[-1]
    write_image(workspace.dst.frames_dir / "2.png", frame_with([(10, 10, 90)]))
    fix_faces.run(workspace, fix_faces.Options(), SquareModels(squares))
    text = capsys.readouterr().out
    assert "Frames not searched yet: 1" in text and "5_dst_extract_faces" in text.splitlines()[-1]


def test_a_full_disk_is_one_sentence_and_the_next_run_goes_on(
    workspace: Workspace, squares: Squares, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *rest: object) -> None:
        if path.name == "00003_1.png":
            with disk_errors(path):
                raise OSError(errno.ENOSPC, "No space left on device")
        record.save_face(path, *rest)  # type: ignore[arg-type]

    fill(workspace.src)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "save_face", full)
        with pytest.raises(UserError, match="disk is full"):
            run(workspace, Options(side="src"), squares)
    assert {"00001_0.png", "00002_0.png"} <= set(names(workspace.src.aligned_dir)) < set(ALL)
    assert not (workspace.root / ".lock_data_src").exists()
    run(workspace, Options(side="src"), squares)
    assert names(workspace.src.aligned_dir) == ALL


def test_the_other_side_comes_next_where_another_landmarker_found_its_faces(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    class Mesh(StillLandmarks):
        name = "mesh"

    def told(short: str, landmarker: StillLandmarks) -> str:
        run(workspace, Options(side=short, redo=True, false_face_filter=False), Squares(), landmarker)
        return capsys.readouterr().out.splitlines()[-1]

    for side in (workspace.src, workspace.dst):
        fill(side)
    assert "5_dst_extract_faces" in told("src", StillLandmarks()) and "6_train" in told("dst", StillLandmarks())
    first = told("dst", Mesh())
    assert "4_src_extract_faces" in first and "--redo --landmarker mesh" in first
    assert "--redo" not in told("src", Mesh()) and "6_train" in told("dst", Mesh())
