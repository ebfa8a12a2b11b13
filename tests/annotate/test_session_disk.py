"""What lies on the disk after frames were saved, left, passed over or refused."""

import numpy as np
import pytest

from annotate.person import Person, entries, names, trashed
from annotate.sessions import HEIGHT, SETTINGS, WIDTH, fill, open_session
from disks import longest_file
from facewright.annotate.face import square_of
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.faces.record import load_record


def test_enter_saves_all_faces_at_once(person: Person, workspace: Workspace) -> None:
    person.wheel(-8)
    person.click(70, 80)
    person.click(200, 150)  # stays in person: Enter takes it as it is
    person.key("Enter")
    assert names(workspace) == ["00001_0.png", "00001_1.png"]
    record = load_record(workspace.dst.aligned_dir / "00001_1.png")
    assert (record.frame, record.detector, record.size) == ("00001.png", "manual", 64)
    np.testing.assert_allclose(square_of(record.frame_landmarks).rect, record.rect, atol=0.1)
    entry = entries(workspace)["00001.png"]
    assert entry["faces"] == ["00001_0.png", "00001_1.png"] and entry["by"] == "hand"
    assert (
        person.session.accepted == ["00001.png"] and person.session.faces == 2 and "00002.png" in person.session.title
    )
    assert person.grabbed == 0  # the next frame comes with a new face grabbed


def test_a_frame_may_be_accepted_without_a_face(person: Person, workspace: Workspace) -> None:
    person.key("Delete", "Enter")
    assert names(workspace) == [] and entries(workspace)["00001.png"]["faces"] == []


def test_space_leaves_a_frame_as_it_is(person: Person, workspace: Workspace) -> None:
    person.click(100, 80)
    person.key("Space", " ")
    assert names(workspace) == [] and not workspace.dst.extract_journal.exists() and "00003" in person.session.title
    person.key("Space")
    assert person.session.done and person.session.accepted == []


def test_comma_and_dot_keep_what_was_put_down(person: Person, workspace: Workspace) -> None:
    person.key(",")
    assert "00001" in person.session.title
    person.key(".")  # the face was in person: not kept
    assert names(workspace) == [] and "00002" in person.session.title
    person.click(90, 90)
    person.key(",")
    assert names(workspace) == ["00002_0.png"] and person.session.accepted == ["00002.png"]
    person.key(".")
    assert person.middle() == pytest.approx((90, 90)) and person.grabbed is None
    written = (workspace.dst.aligned_dir / "00002_0.png").stat().st_mtime_ns
    person.key(".", ".", ",", ",")
    assert (workspace.dst.aligned_dir / "00002_0.png").stat().st_mtime_ns == written
    assert len(workspace.dst.extract_journal.read_text().splitlines()) == 2


def test_picked_up_and_not_put_down_stays_where_it_was_saved(person: Person, workspace: Workspace) -> None:
    person.click(90, 90)
    person.key(".", ",")
    before = (workspace.dst.aligned_dir / "00001_0.png").read_bytes()
    person.click(90, 90)
    person.move(200, 120)
    person.key(".")
    assert (workspace.dst.aligned_dir / "00001_0.png").read_bytes() == before


def test_enter_passes_over_frames_that_are_not_wanted(workspace: Workspace) -> None:
    frames = fill(workspace.dst, 5)
    person = Person(open_session(workspace, [frames[1], frames[3]]))
    assert "00002" in person.session.title and person.session.left == 1
    person.key(".", "Enter")
    assert "00004" in person.session.title and person.session.accepted == ["00003.png"]
    person.key("Enter")
    assert person.session.done and person.session.accepted == ["00003.png", "00004.png"]


def test_a_saved_face_is_changed_in_its_own_file(person: Person, workspace: Workspace) -> None:
    person.click(90, 90)
    person.key(".", ",")
    renamed = workspace.dst.aligned_dir / "my face.png"
    (workspace.dst.aligned_dir / "00001_0.png").rename(renamed)
    again = Person(open_session(workspace))
    old = renamed.read_bytes()
    again.click(90, 90)
    again.move(110, 90)
    again.key("Enter")
    assert names(workspace) == ["my face.png"] and trashed(workspace) == ["my face.png"]
    assert next(workspace.trash.rglob("*.png")).read_bytes() == old
    assert square_of(load_record(renamed).frame_landmarks).x == pytest.approx(110, abs=0.1)


def test_a_removed_face_goes_to_the_trash(person: Person, workspace: Workspace) -> None:
    person.click(90, 90)
    person.key("Enter", ",")
    person.move(90, 90)
    person.key("Delete", "Enter")
    assert names(workspace) == [] and trashed(workspace) == ["00001_0.png"]
    assert entries(workspace)["00001.png"]["faces"] == []


def test_a_name_that_another_frame_took_is_left_alone(person: Person, workspace: Workspace, save_drawn_face) -> None:
    taken = save_drawn_face(workspace.dst.aligned_dir / "00001_0.png", frame="00007.png").read_bytes()
    person.key("Enter")
    assert names(workspace) == ["00001_0.png", "00001_1.png"]
    assert (workspace.dst.aligned_dir / "00001_0.png").read_bytes() == taken


def test_a_face_deleted_while_the_window_was_open_is_written_again(person: Person, workspace: Workspace) -> None:
    person.click(90, 90)
    person.key(".", ",")
    (workspace.dst.aligned_dir / "00001_0.png").unlink()
    person.key("Enter")
    assert names(workspace) == ["00001_0.png"]


def test_q_ends_at_once(person: Person, workspace: Workspace) -> None:
    person.key("q", "Enter", "Space", "h")
    person.click(50, 50)
    assert person.session.done and person.session.left == 3 and person.session.accepted == [] and names(workspace) == []
    assert person.session.picture().shape == (HEIGHT, WIDTH, 3)


def test_an_empty_list_is_done(workspace: Workspace) -> None:
    fill(workspace.dst)
    session = open_session(workspace, [])
    assert session.done and session.left == 0
    session.picture()


def test_frames_that_vanished_or_are_no_pictures_are_passed_by(workspace: Workspace) -> None:
    frames = fill(workspace.dst, 4)
    frames[0].write_bytes(b"no picture")
    person = Person(open_session(workspace))
    frames[1].unlink()
    person.click(10, 10)
    person.wheel(2)
    person.drag((1, 1), (50, 50), "right")
    person.key("n", "r", "Delete", "u", "a", "Escape")
    first = person.session.picture()
    assert first.any()
    person.key("Enter")
    assert "00002" in person.session.title and person.session.accepted == []
    person.key(".")
    person.key(",", "Space")
    assert "00003" in person.session.title or "00004" in person.session.title
    person.key("Enter", "Enter")
    assert set(person.session.accepted) <= {"00003.png", "00004.png"} and len(names(workspace)) == len(
        person.session.accepted
    )


def test_what_was_accepted_before_an_error_is_on_the_disk(person: Person, workspace: Workspace) -> None:
    person.key("Enter")
    with longest_file(3000), pytest.raises(UserError):  # a face takes 12 kB
        person.key("Enter")
    assert names(workspace) == ["00001_0.png"] and "00002.png" not in entries(workspace)


def test_mark_only_saves_the_whole_frame(workspace: Workspace) -> None:
    fill(workspace.dst, 1)
    person = Person(open_session(workspace, settings={**SETTINGS, "face_type": "mark_only"}))
    person.session.picture()
    person.key("Enter")
    record = load_record(workspace.dst.aligned_dir / "00001_0.png")
    assert record.size == 0
    np.testing.assert_allclose(record.landmarks, record.frame_landmarks)


def test_debug_pictures_follow(person: Person, workspace: Workspace) -> None:
    workspace.dst.debug_dir.mkdir(parents=True)
    person.key("Enter")
    assert (workspace.dst.debug_dir / "00001_debug.jpg").is_file()
