"""Smoothing as part of the extraction: what the records hold then, and how it is changed, taken back, gone on with."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from disks import longest_file
from extract.squares import SquareModels, StillLandmarks, frame_with
from faces.test_smooth import resting
from facewright.commands import extract as extract_faces
from facewright.core.errors import UserError
from facewright.core.images import Image, write_image
from facewright.core.workspace import Side, Workspace
from facewright.extract.detectors.base import Box
from facewright.extract.side_run import open_side
from facewright.extract.smooth_side import smooth_side
from facewright.faces.align import FaceType, align_matrix, transform_points
from facewright.faces.faceset import load_faceset
from facewright.faces.pose import head_pose
from facewright.faces.record import FaceRecord, load_face, load_record, save_face, update_record

FRAMES = 40
PICTURE = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def faceset(side: Side, *, seed: int = 0, detector: str = "mtcnn") -> np.ndarray:
    """Save one trembling face per frame; return the landmarks as the records keep them."""
    track = resting(FRAMES, seed=seed).astype(np.float32)
    side.aligned_dir.mkdir(parents=True, exist_ok=True)
    for number, points in enumerate(track, 1):
        matrix = align_matrix(points, FaceType.FULL, 64)
        record = FaceRecord(
            face_type=FaceType.FULL,
            size=64,
            landmarks=transform_points(points, matrix).astype(np.float32),
            frame_landmarks=points,
            frame=f"{number:05d}.png",
            detector=detector,
            score=1.0,
            rect=(0.0, 0.0, 1.0, 1.0),
            matrix=matrix,
            pose=head_pose(points),
        )
        save_face(side.aligned_dir / f"{number:05d}_0.png", PICTURE, record)
    return landmarks(side)


def landmarks(side: Side) -> np.ndarray:
    return np.array([face.record.frame_landmarks for face in load_faceset(side.aligned_dir).faces])


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def smooth(workspace: Workspace, level: str = "auto", side: str = "dst") -> None:
    with open_side(workspace, workspace.side(side)) as run:
        smooth_side(run, level)


def test_the_record_is_right_in_itself(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    raw = faceset(workspace.dst)
    smooth(workspace, "medium")
    for face, before in zip(load_faceset(workspace.dst.aligned_dir).faces, raw, strict=True):
        record = face.record
        assert record.raw_landmarks is not None
        np.testing.assert_array_equal(record.raw_landmarks, before)
        np.testing.assert_allclose(record.landmarks, transform_points(record.frame_landmarks, record.matrix), atol=2e-3)
        np.testing.assert_allclose(record.matrix, align_matrix(before, FaceType.FULL, 64), atol=1e-3)
        np.testing.assert_allclose(record.pose, head_pose(record.frame_landmarks), atol=0.1)
        np.testing.assert_array_equal(load_face(face.path)[0], PICTURE)
    assert np.abs(np.diff(landmarks(workspace.dst), 2, axis=0)).mean() < 0.2 * np.abs(np.diff(raw, 2, axis=0)).mean()
    text = capsys.readouterr().out
    assert f"smoothed over time (medium): {FRAMES} faces. Where they rest, they jitter 9" in text


def test_again_changes_nothing_and_says_nothing(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    faceset(workspace.dst)
    smooth(workspace, "medium")
    before = snapshot(workspace.dst.aligned_dir)
    capsys.readouterr()
    smooth(workspace)
    assert snapshot(workspace.dst.aligned_dir) == before and capsys.readouterr().out == ""


def test_another_strength_begins_with_what_was_found(workspace: Workspace, tmp_path: Path) -> None:
    raw = faceset(workspace.dst)
    other = Workspace(tmp_path / "other")
    shutil.copytree(workspace.root, other.root)
    smooth(workspace, "high")
    smooth(workspace, "low")
    smooth(other, "low")
    np.testing.assert_array_equal(landmarks(workspace.dst), landmarks(other.dst))
    smooth(workspace, "off")
    np.testing.assert_array_equal(landmarks(workspace.dst), raw)
    for face in load_faceset(workspace.dst.aligned_dir).faces:
        assert face.record.raw_landmarks is None
        np.testing.assert_allclose(face.record.landmarks, transform_points(raw[0], face.record.matrix), atol=5)


def test_what_was_chosen_holds_for_later_runs_of_that_side(workspace: Workspace) -> None:
    src, dst = faceset(workspace.src), faceset(workspace.dst)
    for side in ("src", "dst"):
        smooth(workspace, side=side)
    np.testing.assert_array_equal(landmarks(workspace.src), src)  # off at first
    assert (landmarks(workspace.dst) != dst).any()  # medium at first
    smooth(workspace, "off")
    smooth(workspace)
    np.testing.assert_array_equal(landmarks(workspace.dst), dst)
    smooth(workspace, "low", "src")
    smooth(workspace, side="src")
    assert (landmarks(workspace.src) != src).any()


def test_a_run_that_was_stopped_is_finished(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faceset(workspace.dst)
    other = Workspace(tmp_path / "other")
    shutil.copytree(workspace.root, other.root)
    smooth(other, "medium")
    written: list[Path] = []

    def stops(path: Path, record: FaceRecord) -> None:
        if len(written) == 15:
            raise KeyboardInterrupt
        written.append(path)
        update_record(path, record)

    with monkeypatch.context() as patch:
        patch.setattr("facewright.faces.faceset.update_record", stops)
        with pytest.raises(KeyboardInterrupt):
            smooth(workspace, "medium")
    smooth(workspace)
    assert snapshot(workspace.dst.aligned_dir) == snapshot(other.dst.aligned_dir)


def test_deleted_and_renamed_faces_stay_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = faceset(workspace.dst)
    folder = workspace.dst.aligned_dir
    (folder / "00011_0.png").unlink()
    (folder / "00012_0.png").rename(folder / "x.png")

    def deleted_meanwhile(path: Path, record: FaceRecord) -> None:
        if path.name == "00020_0.png":
            path.unlink(missing_ok=True)
        update_record(path, record)

    monkeypatch.setattr("facewright.faces.faceset.update_record", deleted_meanwhile)
    smooth(workspace, "medium")
    assert len(list(folder.glob("*.png"))) == FRAMES - 2
    renamed = load_record(folder / "x.png")
    np.testing.assert_array_equal(renamed.found_landmarks, raw[11])
    assert 0 < np.abs(renamed.frame_landmarks - raw[11]).max() < 2


def test_a_face_placed_by_hand_stays_where_it_is(workspace: Workspace) -> None:
    raw = faceset(workspace.dst)
    path = workspace.dst.aligned_dir / "00020_0.png"
    update_record(path, replace(load_record(path), detector="manual"))
    smooth(workspace, "medium")
    after = load_record(path)
    np.testing.assert_array_equal(after.frame_landmarks, raw[19])
    assert after.raw_landmarks is None


def test_frames_are_told_apart_by_the_journal_when_they_are_gone(workspace: Workspace) -> None:
    """Only every tenth face is left: the frames between them count, so nothing is a track."""
    raw = faceset(workspace.dst)
    for number in range(1, FRAMES + 1):
        write_image(workspace.dst.frames_dir / f"{number:05d}.png", PICTURE)
        if number % 10:
            (workspace.dst.aligned_dir / f"{number:05d}_0.png").unlink()
    smooth(workspace, "medium")
    np.testing.assert_array_equal(landmarks(workspace.dst), raw[9::10])


def test_no_faces_and_files_that_are_none(workspace: Workspace) -> None:
    smooth(workspace, "medium")
    faceset(workspace.dst)
    (workspace.dst.aligned_dir / "a.png").write_bytes(b"no picture")
    smooth(workspace, "medium")
    assert (workspace.dst.aligned_dir / "a.png").read_bytes() == b"no picture"


def test_a_face_that_cannot_be_written_is_an_error(workspace: Workspace) -> None:
    faceset(workspace.dst)
    with longest_file(1000), pytest.raises(UserError):
        smooth(workspace, "medium")


class Trembling(StillLandmarks):
    """Landmarks that depend on the frame a little."""

    def find(self, frame: Image, box: Box, *, accurate: bool = False) -> np.ndarray:
        seed = int(frame[0, 0, 0]) + 1000 * accurate
        points = super().find(frame, box)
        return (points + np.random.default_rng(seed).normal(0, 0.15, (68, 2))).astype(np.float32)


def test_in_the_extraction(workspace: Workspace) -> None:
    models = SquareModels(landmarker=Trembling())
    side = workspace.dst
    side.frames_dir.mkdir(parents=True)
    for number in range(24):
        frame = frame_with([(100, 60, 100)])
        frame[0, 0] = number
        write_image(side.frames_dir / f"{number + 1:05d}.png", frame)
    extract_faces.run(workspace, extract_faces.Options(side="dst"), models)
    faces = load_faceset(side.aligned_dir).faces
    assert len(faces) == 24 and all(face.record.raw_landmarks is not None for face in faces)
    found = np.array([face.record.found_landmarks for face in faces])
    extract_faces.run(workspace, extract_faces.Options(side="dst", smooth="off"), models)
    np.testing.assert_array_equal(landmarks(side), found)
    extract_faces.run(workspace, extract_faces.Options(side="dst", redo=True, second_pass=True), models)
    again = np.array([face.record.found_landmarks for face in load_faceset(side.aligned_dir).faces])
    assert (again != found).any()
    np.testing.assert_array_equal(landmarks(side), again)  # off is remembered
