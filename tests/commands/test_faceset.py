"""The faceset tools end to end, on frames and faces made here."""

import base64
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from commands.faceset_runs import add_face, digest, names, run
from facewright import cli
from facewright.core.files import batches
from facewright.core.images import encode, read_image, write_image
from facewright.core.workspace import Side, Workspace
from facewright.extract.detection import FrameFile
from facewright.extract.log import ExtractionLog
from facewright.extract.pipeline import ExtractedFrame
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.faces.record import load_face, load_record, save_face, update_record
from facewright.facesets import remake
from facewright.facesets.recut import from_frame, is_cut_as
from interop import foreign_files as others

# --- recover-names


def test_names_come_back(workspace: Workspace) -> None:
    side = workspace.src
    for number, name in ((1, "00002.png"), (2, "00000.png"), (3, "ü 人.png")):
        add_face(side, number, name)
    _, record = load_face(side.aligned_dir / "00000.png")
    save_face(side.aligned_dir / "00001.png", np.zeros((128, 128, 3), np.uint8), replace(record, rect=(0, 0, 300, 300)))
    (side.aligned_dir / "00001_0.png").write_bytes(b"not a face")
    before = {digest(path) for path in side.aligned()}
    assert run(workspace, "recover-names") == 0
    assert names(side) == ["00001_0.png", "00001_1.png", "00002_0.png", "00002_1.png", "00003_0.png"]
    assert load_record(side.aligned_dir / "00002_0.png").rect == (0, 0, 300, 300), "the largest comes first"
    assert load_record(side.aligned_dir / "00001_1.png").frame == "00001.png", "a stranger's name is not taken"
    assert {digest(path) for path in side.aligned()} == before
    assert run(workspace, "recover-names") == 0
    assert names(side)[-1] == "00003_0.png"


def test_odd_frame_names_stay(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    side = workspace.src
    for number, frame in enumerate((".hidden.png", "a?b.png", "x" * 250 + ".png", "A.png", "a.png")):
        add_face(side, number, f"{number}.png")
        update_record(
            side.aligned_dir / f"{number}.png", replace(load_record(side.aligned_dir / f"{number}.png"), frame=frame)
        )
    assert run(workspace, "recover-names") == 0
    assert names(side) == ["0.png", "1.png", "2.png", "A_1.png", "a_0.png"]
    assert "0.png, 1.png, 2.png" in capsys.readouterr().out


# --- remake


def journal(side: Side, **settings: str | int) -> None:
    with ExtractionLog.read(side).writing() as log:
        log.begin({"detector": "mtcnn", "face_type": "full", "size": 128, **settings})


def test_remake_cuts_from_the_frames(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    side = workspace.src
    for number in (1, 2):
        add_face(side, number)
    update_record(
        side.aligned_dir / "00001_0.png",
        replace(load_record(side.aligned_dir / "00001_0.png"), person=2, mask=mask(128)),
    )
    journal(side)
    old = [digest(path) for path in side.aligned()]
    assert run(workspace, "remake", "--size", "192", "--face-type", "head") == 0
    for number in (1, 2):
        image, record = load_face(side.aligned_dir / f"{number:05d}_0.png")
        assert image.shape == (192, 192, 3) and is_cut_as(record, FaceType.HEAD, 192)
        expected, _ = from_frame(others.frame(number), record, FaceType.HEAD, 192)
        np.testing.assert_array_equal(image, expected)
    assert load_record(side.aligned_dir / "00001_0.png").person == 2
    assert ExtractionLog.read(side).settings == {"detector": "mtcnn", "face_type": "head", "size": 192}
    assert sorted(digest(path) for path in workspace.trash.rglob("*.png")) == sorted(old)
    (batch,) = batches(workspace.trash)
    assert {item.origin for item in batch.items} == set(side.aligned()) and batch.by == "faceset --action remake"
    now = [digest(path) for path in side.aligned()]
    capsys.readouterr()
    assert run(workspace, "remake", "--size", "192", "--face-type", "head") == 0
    assert "0 faces" in capsys.readouterr().out
    assert [digest(path) for path in side.aligned()] == now


def mask(side: int) -> str:
    drawn = np.zeros((side, side), np.uint8)
    cv2.circle(drawn, (side // 2, side // 2), side // 4, 255, -1)
    return base64.b64encode(encode(drawn)).decode()


@pytest.mark.parametrize("name", ["mask", "occlusion"])
def test_masks_move_with_the_face(workspace: Workspace, name: str) -> None:
    record = add_face(workspace.src, 1)
    _, larger = from_frame(others.frame(1), replace(record, **{name: mask(128)}), FaceType.HEAD, 256)
    moved = base64.b64decode(getattr(larger, name))
    grey = cv2.imdecode(np.frombuffer(moved, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey.shape == (256, 256)
    area = np.pi * (128 * 1.6 / 4.0 / 2) ** 2 / 1  # a quarter of 1.6 face squares, seen at 256 px for 4.0 of them
    assert abs((grey > 127).sum() - area) < 0.05 * area


def test_without_frames_a_smaller_type_comes_from_the_picture(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    side = workspace.src
    add_face(side, 1, size=256)
    add_face(side, 2, size=256)
    (side.frames_dir / "00001.png").unlink()
    before = digest(side.aligned_dir / "00001_0.png")
    assert run(workspace, "remake", "--size", "128", "--face-type", "head") == 0
    assert digest(side.aligned_dir / "00001_0.png") == before
    told = capsys.readouterr().out
    assert "1 face left as before: 00001_0.png" in told and "is gone" in told
    assert load_record(side.aligned_dir / "00002_0.png").face_type is FaceType.HEAD
    assert run(workspace, "remake", "--size", "128", "--face-type", "half") == 0
    image, record = load_face(side.aligned_dir / "00001_0.png")
    expected, _ = from_frame(others.frame(1), record, FaceType.HALF, 128)
    assert is_cut_as(record, FaceType.HALF, 128)
    assert np.abs(image[4:-4, 4:-4].astype(float) - expected[4:-4, 4:-4]).mean() < 2


def test_a_frame_that_changed_is_not_used(workspace: Workspace) -> None:
    side = workspace.src
    add_face(side, 1)
    path = side.frames_dir / "00001.png"
    with ExtractionLog.read(side).writing() as log:
        log.begin({"detector": "mtcnn", "face_type": "full", "size": 128})
        file = FrameFile(path.name, path.stat().st_size, 1, 1)
        log.note(ExtractedFrame(path, file, ["00001_0.png"]), log.settings or {})
    before = digest(side.aligned_dir / "00001_0.png")
    assert run(workspace, "remake", "--size", "128", "--face-type", "head") == 0
    assert digest(side.aligned_dir / "00001_0.png") == before


def test_remake_goes_on_after_a_kill(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    side = workspace.src
    for number in range(1, 7):
        add_face(side, number)
    journal(side)
    real, calls = remake.write_bytes, []

    def killed(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) == 4:
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(remake, "write_bytes", killed)
    assert run(workspace, "remake", "--size", "64") == 130
    assert len(side.aligned()) == 6 and not load_faceset(side.aligned_dir).bad, "every face is there at every moment"
    calls.clear()
    monkeypatch.setattr(remake, "write_bytes", lambda path, data: (calls.append(path), real(path, data)))
    assert run(workspace, "remake", "--size", "64") == 0
    assert len(calls) == 3
    assert all(load_record(path).size == 64 for path in side.aligned())


def test_a_record_without_a_way_back_is_made_anew(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    side = workspace.src
    for number in (1, 2):
        path = side.aligned_dir / f"{number:05d}_0.png"
        update_record(path, replace(add_face(side, number), matrix=np.zeros((2, 3)), mask=mask(128)))
    (side.frames_dir / "00002.png").unlink()
    (workspace.root / "data_src.mp4").write_bytes(b"a video")
    assert run(workspace, "remake", "--size", "128") == 0
    assert is_cut_as(load_record(side.aligned_dir / "00001_0.png"), FaceType.FULL, 128)
    assert "1 face left as before: 00002_0.png" in capsys.readouterr().out
    (side.frames_dir / "00001.png").unlink()
    assert run(workspace, "remake", "--size", "64") == 0
    assert "take them out of the video" in capsys.readouterr().out


def test_level_eyes_stay_level(workspace: Workspace) -> None:
    side = workspace.src
    record = add_face(side, 1)
    points = record.frame_landmarks.copy()
    points[36:42, 1] += 6  # a crooked face: the line of its eyes is not that of the rest
    update_record(side.aligned_dir / "00001_0.png", replace(record, frame_landmarks=points))
    journal(side, align_eyes=True)
    assert run(workspace, "remake", "--size", "128") == 0
    made = load_record(side.aligned_dir / "00001_0.png")
    assert is_cut_as(made, FaceType.FULL, 128, level_eyes=True) and not is_cut_as(made, FaceType.FULL, 128)
    assert ExtractionLog.read(side).settings["align_eyes"] is True


def test_mark_only_there_and_back(workspace: Workspace) -> None:
    side = workspace.src
    add_face(side, 1)
    assert run(workspace, "remake", "--face-type", "mark_only") == 0
    image, record = load_face(side.aligned_dir / "00001_0.png")
    assert image.shape == (300, 400, 3) and record.size == 0
    (side.frames_dir / "00001.png").unlink()
    assert run(workspace, "remake", "--face-type", "full", "--size", "128") == 0
    image, record = load_face(side.aligned_dir / "00001_0.png")
    np.testing.assert_array_equal(image, from_frame(others.frame(1), record, FaceType.FULL, 128)[0])


# --- save-metadata, restore-metadata


def test_data_survives_an_edit_that_strips_resizes_and_converts(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    side = workspace.dst
    records = [add_face(side, number) for number in range(1, 6)]
    assert run(workspace, "save-metadata", "--side", "dst") == 0
    paths = side.aligned()
    stripped = read_image(paths[0]) // 2
    write_image(paths[0], stripped)
    write_image(paths[1], np.asarray(cv2.resize(read_image(paths[1]), (300, 300)), np.uint8))
    write_image(paths[2].with_suffix(".JPG"), read_image(paths[2]))
    paths[3].unlink()
    (side.aligned_dir / "new.png").write_bytes(encode(stripped))
    capsys.readouterr()
    assert run(workspace, "restore-metadata", "--side", "dst") == 0
    told = capsys.readouterr().out
    assert "back in 3 images" in told and "1 had it still" in told
    assert "1 had another size" in told and "new.png" in told and "00004_0" in told
    assert names(side) == ["00001_0.png", "00002_0.png", "00003_0.png", "00005_0.png", "new.png"]
    assert not (side.aligned_dir / "00003_0.JPG").exists() and list(workspace.trash.rglob("00003_0.JPG"))
    for number in (0, 1, 2, 4):
        image, record = load_face(paths[number])
        assert image.shape == (128, 128, 3) and record.to_json() == records[number].to_json()
    np.testing.assert_array_equal(read_image(paths[0]), stripped)
    assert run(workspace, "restore-metadata", "--side", "dst") == 0
    assert "4 had it still" in capsys.readouterr().out


def test_a_cropped_picture_is_not_stretched(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        add_face(workspace.dst, number)
    assert run(workspace, "save-metadata", "--side", "dst") == 0
    path = workspace.dst.aligned()[0]
    cropped = read_image(path)[:90]
    write_image(path, cropped)
    assert run(workspace, "restore-metadata", "--side", "dst") == 0
    assert "00001_0.png is left as it is: it has another shape (128 x 90 px, not 128 x 128)" in capsys.readouterr().out
    np.testing.assert_array_equal(read_image(path), cropped)


def test_edited_in_another_folder(workspace: Workspace, tmp_path: Path) -> None:
    side = workspace.src
    for number in (1, 2):
        add_face(side, number)
    assert run(workspace, "save-metadata") == 0
    edited = tmp_path / "éd"
    edited.mkdir()
    write_image(edited / "00001_0.jpg", 255 - read_image(side.aligned_dir / "00001_0.png"))
    assert run(workspace, "restore-metadata", "--edited", str(edited)) == 0
    assert read_image(side.aligned_dir / "00001_0.png").mean() == pytest.approx(
        read_image(edited / "00001_0.jpg").mean(), abs=1
    )
    assert (edited / "00001_0.jpg").exists(), "their folder is only read"
    assert list(workspace.trash.rglob("00001_0.png"))


def test_a_renamed_face_does_not_get_anothers_data(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    side = workspace.src
    for number in (1, 2):
        add_face(side, number)
    assert run(workspace, "save-metadata") == 0
    first, second = side.aligned()
    first.unlink()
    os.replace(second, first)
    before = digest(first)
    assert run(workspace, "restore-metadata") == 0
    assert digest(first) == before and "renamed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2, "faces": []}',
        '{"version": 1, "faces": [1]}',
        '{"version": 1, "faces": [{"file": "../x", "size": [1, 1], "record": {}}]}',
        '{"version": 1, "faces": [{"file": "x", "size": [1, 1], "record": {}}]}',
    ],
)
def test_damaged_metadata_is_a_sentence(workspace: Workspace, capsys: pytest.CaptureFixture[str], text: str) -> None:
    add_face(workspace.src, 1)
    assert run(workspace, "restore-metadata") == 1
    assert "save-metadata" in capsys.readouterr().err
    (workspace.src.frames_dir / "aligned_metadata.json").write_text(text)
    assert run(workspace, "restore-metadata") == 1
    assert "Traceback" not in capsys.readouterr().err


# --- what all share


@pytest.mark.parametrize("action", ["recover-names", "remake", "save-metadata"])
def test_no_faces_is_a_sentence(workspace: Workspace, capsys: pytest.CaptureFixture[str], action: str) -> None:
    assert run(workspace, action) == 1
    assert "4_src_extract_faces" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("action", ["recover-names", "remake", "save-metadata"])
def test_read_only_folder_is_a_sentence(workspace: Workspace, action: str) -> None:
    add_face(workspace.src, 1, "x.png")
    workspace.src.aligned_dir.chmod(0o500)
    workspace.src.frames_dir.chmod(0o500)
    try:
        assert run(workspace, action, *(("--size", "64") if action == "remake" else ())) == 1
    finally:
        workspace.src.frames_dir.chmod(0o700)
        workspace.src.aligned_dir.chmod(0o700)


def test_help_of_each_action(capsys: pytest.CaptureFixture[str], workspace: Workspace) -> None:
    for action, flag in (("import", "--source"), ("remake", "--face-type"), ("restore-metadata", "--edited")):
        assert cli.main(["faceset", "--workspace", str(workspace.root), "--action", action, "--help"]) == 0
        told = capsys.readouterr().out
        assert flag in told and f"Options with --action {action}" in told
