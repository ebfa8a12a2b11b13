"""What lies on the disk after frames were saved, left, passed over or refused."""

from pathlib import Path

import numpy as np
import pytest

from annotate.hand import Hand, entries, names, trashed
from annotate.table import HEIGHT, WIDTH, fill, lay
from facewright.annotate.drawing import BAR
from facewright.annotate.face import square_of
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.faces.record import load_record


def test_enter_saves_all_faces_at_once(hand: Hand, workspace: Workspace) -> None:
    hand.wheel(-8)
    hand.click(70, 80)
    hand.click(200, 150)  # stays in hand: Enter takes it as it is
    hand.key("Enter")
    assert names(workspace) == ["00001_0.png", "00001_1.png"]
    record = load_record(workspace.dst.aligned_dir / "00001_1.png")
    assert (record.frame, record.detector, record.size) == ("00001.png", "manual", 64)
    np.testing.assert_allclose(square_of(record.frame_landmarks).rect, record.rect, atol=0.1)
    entry = entries(workspace)["00001.png"]
    assert entry["faces"] == ["00001_0.png", "00001_1.png"] and entry["by"] == "hand"
    assert hand.desk.accepted == ["00001.png"] and hand.desk.faces == 2 and "00002.png" in hand.desk.title
    assert hand.held == 0  # the next frame comes with a new face in hand


def test_a_frame_may_be_accepted_without_a_face(hand: Hand, workspace: Workspace) -> None:
    hand.key("Delete", "Enter")
    assert names(workspace) == [] and entries(workspace)["00001.png"]["faces"] == []


def test_space_leaves_a_frame_as_it_is(hand: Hand, workspace: Workspace) -> None:
    hand.click(100, 80)
    hand.key("Space", " ")
    assert names(workspace) == [] and not workspace.dst.extract_journal.exists() and "00003" in hand.desk.title
    hand.key("Space")
    assert hand.desk.done and hand.desk.accepted == []


def test_comma_and_dot_keep_what_was_put_down(hand: Hand, workspace: Workspace) -> None:
    hand.key(",")
    assert "00001" in hand.desk.title
    hand.key(".")  # the face was in hand: not kept
    assert names(workspace) == [] and "00002" in hand.desk.title
    hand.click(90, 90)
    hand.key(",")
    assert names(workspace) == ["00002_0.png"] and hand.desk.accepted == ["00002.png"]
    hand.key(".")
    assert hand.middle() == pytest.approx((90, 90)) and hand.held is None
    written = (workspace.dst.aligned_dir / "00002_0.png").stat().st_mtime_ns
    hand.key(".", ".", ",", ",")
    assert (workspace.dst.aligned_dir / "00002_0.png").stat().st_mtime_ns == written
    assert len(workspace.dst.extract_journal.read_text().splitlines()) == 2


def test_picked_up_and_not_put_down_stays_where_it_was_saved(hand: Hand, workspace: Workspace) -> None:
    hand.click(90, 90)
    hand.key(".", ",")
    before = (workspace.dst.aligned_dir / "00001_0.png").read_bytes()
    hand.click(90, 90)
    hand.move(200, 120)
    hand.key(".")
    assert (workspace.dst.aligned_dir / "00001_0.png").read_bytes() == before


def test_enter_passes_over_frames_that_are_not_wanted(workspace: Workspace) -> None:
    frames = fill(workspace.dst, 5)
    hand = Hand(lay(workspace, [frames[1], frames[3]]))
    assert "00002" in hand.desk.title and hand.desk.left == 1
    hand.key(".", "Enter")
    assert "00004" in hand.desk.title and hand.desk.accepted == ["00003.png"]
    hand.key("Enter")
    assert hand.desk.done and hand.desk.accepted == ["00003.png", "00004.png"]


def test_a_saved_face_is_changed_in_its_own_file(hand: Hand, workspace: Workspace) -> None:
    hand.click(90, 90)
    hand.key(".", ",")
    renamed = workspace.dst.aligned_dir / "my face.png"
    (workspace.dst.aligned_dir / "00001_0.png").rename(renamed)
    again = Hand(lay(workspace))
    old = renamed.read_bytes()
    again.click(90, 90)
    again.move(110, 90)
    again.key("Enter")
    assert names(workspace) == ["my face.png"] and trashed(workspace) == ["my face.png"]
    assert next(workspace.trash.rglob("*.png")).read_bytes() == old
    assert square_of(load_record(renamed).frame_landmarks).x == pytest.approx(110, abs=0.1)


def test_a_removed_face_goes_to_the_trash(hand: Hand, workspace: Workspace) -> None:
    hand.click(90, 90)
    hand.key("Enter", ",")
    hand.move(90, 90)
    hand.key("Delete", "Enter")
    assert names(workspace) == [] and trashed(workspace) == ["00001_0.png"]
    assert entries(workspace)["00001.png"]["faces"] == []


def test_a_name_that_another_frame_took_is_left_alone(hand: Hand, workspace: Workspace, save_drawn_face) -> None:
    taken = save_drawn_face(workspace.dst.aligned_dir / "00001_0.png", frame="00007.png").read_bytes()
    hand.key("Enter")
    assert names(workspace) == ["00001_0.png", "00001_1.png"]
    assert (workspace.dst.aligned_dir / "00001_0.png").read_bytes() == taken


def test_a_face_deleted_while_the_window_was_open_is_written_again(hand: Hand, workspace: Workspace) -> None:
    hand.click(90, 90)
    hand.key(".", ",")
    (workspace.dst.aligned_dir / "00001_0.png").unlink()
    hand.key("Enter")
    assert names(workspace) == ["00001_0.png"]


def test_q_ends_at_once(hand: Hand, workspace: Workspace) -> None:
    hand.key("q", "Enter", "Space", "h")
    hand.click(50, 50)
    assert hand.desk.done and hand.desk.left == 3 and hand.desk.accepted == [] and names(workspace) == []
    assert hand.desk.picture().shape == (HEIGHT + BAR, WIDTH, 3)


def test_an_empty_list_is_done(workspace: Workspace) -> None:
    fill(workspace.dst)
    desk = lay(workspace, [])
    assert desk.done and desk.left == 0
    desk.picture()


def test_frames_that_vanished_or_are_no_pictures_are_passed_by(workspace: Workspace) -> None:
    frames = fill(workspace.dst, 4)
    frames[0].write_bytes(b"no picture")
    hand = Hand(lay(workspace))
    frames[1].unlink()
    hand.click(10, 10)
    hand.wheel(2)
    hand.drag((1, 1), (50, 50), "right")
    hand.key("n", "r", "Delete", "u", "a", "Escape")
    first = hand.desk.picture()
    assert first.any()
    hand.key("Enter")
    assert "00002" in hand.desk.title and hand.desk.accepted == []
    hand.key(".")
    hand.key(",", "Space")
    assert "00003" in hand.desk.title or "00004" in hand.desk.title
    hand.key("Enter", "Enter")
    assert set(hand.desk.accepted) <= {"00003.png", "00004.png"} and len(names(workspace)) == len(hand.desk.accepted)


def test_what_was_accepted_before_an_error_is_on_the_disk(hand: Hand, workspace: Workspace, monkeypatch) -> None:
    hand.key("Enter")

    def refuse(path: Path, data: bytes, **_: object) -> None:
        raise UserError("The folder cannot be written.", "a", "b")

    monkeypatch.setattr("facewright.faces.record.write_bytes", refuse)
    with pytest.raises(UserError, match="cannot be written"):
        hand.key("Enter")
    assert names(workspace) == ["00001_0.png"] and "00002.png" not in entries(workspace)


def test_mark_only_saves_the_whole_frame(workspace: Workspace, monkeypatch) -> None:
    monkeypatch.setattr("annotate.table.SETTINGS", {"detector": "manual", "face_type": "mark_only", "size": 64})
    fill(workspace.dst, 1)
    hand = Hand(lay(workspace))
    hand.desk.picture()
    hand.key("Enter")
    record = load_record(workspace.dst.aligned_dir / "00001_0.png")
    assert record.size == 0
    np.testing.assert_allclose(record.landmarks, record.frame_landmarks)


def test_debug_pictures_follow(hand: Hand, workspace: Workspace) -> None:
    workspace.dst.debug_dir.mkdir(parents=True)
    hand.key("Enter")
    assert (workspace.dst.debug_dir / "00001_debug.jpg").is_file()
