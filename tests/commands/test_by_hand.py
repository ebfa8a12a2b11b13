"""Faces by hand inside extract and fix: which frames are offered, what later runs leave alone, what is said."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from annotate.sessions import Mean
from extract.squares import SquareModels, Squares, frame_with
from facewright.annotate import launch as by_hand
from facewright.annotate.session import AnnotationSession
from facewright.commands import extract as extract_faces
from facewright.commands import fix as fix_faces
from facewright.core.errors import UserError
from facewright.core.images import write_image
from facewright.core.workspace import Workspace
from facewright.faces.record import load_record
from facewright.ui.events import Do, Event

Person = Callable[[AnnotationSession], None]


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch) -> Squares:
    """Bright squares take the place of faces, for every name of a detector."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    MODELS.squares = Squares()
    return MODELS.squares


MODELS = SquareModels(landmarker=Mean())


class Somebody:
    """Annotates without window or page.

    Attributes:
        saw: Names of the frames that were offered, for each sitting.
        keys: What is pressed at each frame.
    """

    def __init__(self, *keys: str) -> None:
        self.saw: list[list[str]] = []
        self.keys = keys

    def work(self, session: AnnotationSession, port: int) -> None:
        self.saw.append([])
        while not session.done:
            self.saw[-1].append(session.title.split()[0])
            for key in self.keys:
                session.handle(Event(Do.KEY, what=key))


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> Somebody:
    person = Somebody("Enter")
    monkeypatch.setattr(by_hand.page, "serve_session", person.work)
    return person


def fill(workspace: Workspace) -> None:
    """Frame 2 has two faces, frame 4 none, the others one."""
    side = workspace.dst
    side.frames_dir.mkdir(parents=True, exist_ok=True)
    for number in range(1, 6):
        places = {2: [(100, 60, 80), (20, 20, 40)], 4: []}.get(number, [(100, 60, 80)])
        write_image(side.frames_dir / f"{number:05d}.png", frame_with(places))


def extract(workspace: Workspace, **more: object) -> None:
    extract_faces.run(workspace, extract_faces.Options(**{"side": "dst", "false_face_filter": False, **more}), MODELS)


def fix(workspace: Workspace, **more: object) -> None:
    fix_faces.run(workspace, fix_faces.Options(**{"side": "dst", **more}), MODELS)


def names(workspace: Workspace) -> list[str]:
    return [path.name for path in workspace.dst.aligned()]


def test_extract_by_hand_goes_through_every_frame(
    workspace: Workspace, squares: Squares, somebody: Somebody, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace)
    extract(workspace, detector="manual", serve=True)
    assert somebody.saw == [[f"{n:05d}.png" for n in range(1, 6)]]
    assert names(workspace) == [f"{n:05d}_0.png" for n in range(1, 6)] and squares.batches == []
    assert load_record(workspace.dst.aligned()[0]).detector == "manual"
    text = capsys.readouterr().out
    assert "Frames searched: 5. Faces saved: 5" in text and "manual annotation: 5" in text
    extract(workspace, detector="manual", serve=True)
    assert len(somebody.saw) == 1  # nothing is left


def test_frames_left_out_are_offered_by_the_next_run(
    workspace: Workspace, squares: Squares, somebody: Somebody
) -> None:
    fill(workspace)
    somebody.keys = ("Enter", "Space")
    extract(workspace, detector="manual", serve=True)
    somebody.keys = ("Enter",)
    extract(workspace, detector="manual", serve=True)
    assert somebody.saw[1] == ["00002.png", "00004.png"]


def test_manual_fix_offers_what_the_search_left(workspace: Workspace, squares: Squares, somebody: Somebody) -> None:
    fill(workspace)
    extract(workspace, manual_fix=True, serve=True)
    assert somebody.saw == [["00004.png"]] and "00004_0.png" in names(workspace)
    before = {path.name: path.stat().st_mtime_ns for path in workspace.dst.aligned()}
    extract(workspace, manual_fix=True, serve=True)
    extract(workspace)
    assert len(somebody.saw) == 1
    assert {path.name: path.stat().st_mtime_ns for path in workspace.dst.aligned()} == before


@pytest.mark.parametrize("more", [{"detector": "manual"}, {"manual_fix": True}])
def test_without_a_screen_the_way_out_is_named(workspace: Workspace, squares: Squares, more: dict) -> None:
    fill(workspace)
    with pytest.raises(UserError, match="no screen") as caught:
        extract(workspace, **more)
    assert "--serve" in caught.value.fix and not workspace.dst.aligned_dir.exists()


def test_by_hand_needs_frames_on_disk(workspace: Workspace, squares: Squares) -> None:
    with pytest.raises(UserError, match="frames on disk"):
        extract_faces.run(workspace, extract_faces.Options(side="src", detector="manual", serve=True, from_video=True))


def test_fix_offers_faceless_crowded_and_suspicious_frames(
    workspace: Workspace, squares: Squares, somebody: Somebody, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace)
    write_image(workspace.dst.frames_dir / "00005.png", frame_with([(0, 60, 80)]))
    extract(workspace)
    edge = workspace.dst.aligned_dir / "00005_0.png"
    move_out(edge)
    fix(workspace, serve=True)
    assert somebody.saw == [["00005.png", "00002.png", "00004.png"]], "the odd one first"
    text = capsys.readouterr().out
    assert "Frames with a suspicious face: 1 (00005.png)" in text
    assert "Frames still without a face: 1 (00004.png)" in text
    fix(workspace, serve=True)
    assert len(somebody.saw) == 1 and "or was finished by a person" in capsys.readouterr().out


def move_out(path: Path) -> None:
    """Shift the landmarks of a saved face over the frame's edge."""
    from dataclasses import replace

    from facewright.faces.record import update_record

    record = load_record(path)
    shifted = record.frame_landmarks - np.float32([30, 0])
    left, top, right, bottom = record.rect
    update_record(path, replace(record, frame_landmarks=shifted, rect=(left - 30, top, right - 30, bottom)))


def test_a_frame_finished_by_hand_is_not_searched_again(
    workspace: Workspace, squares: Squares, somebody: Somebody
) -> None:
    fill(workspace)
    extract(workspace)
    somebody.keys = ("Delete", "Enter")
    fix(workspace, serve=True, look="faceless")
    squares.batches.clear()
    fix(workspace, slow=True, serve=True, look="faceless")
    assert squares.batches == [] and somebody.saw == [["00004.png"]]
    entry = [json.loads(line) for line in workspace.dst.extract_journal.read_text().splitlines()][-1]
    assert entry["by"] == "hand" and entry["faces"] == [] and entry["tried"]


def test_fix_without_a_screen_says_how(workspace: Workspace, squares: Squares, capsys: pytest.CaptureFixture) -> None:
    fill(workspace)
    extract(workspace)
    fix(workspace)
    text = capsys.readouterr().out
    assert "5.3_dst_fix_faces" in text and "--look usual --serve" in text and "6_train" in text.splitlines()[-1]
    with pytest.raises(UserError, match="no screen"):
        fix(workspace, look="several")


def test_where_most_frames_have_two_faces_only_more_are_to_be_looked_at(
    workspace: Workspace, squares: Squares, somebody: Somebody, typed: Callable[..., list[str]], capsys
) -> None:
    """Two people who talk are meant, both of them: the usual answer leads to the frame with a third face."""
    fill(workspace)
    third = {3: [(300, 20, 60)]}
    for number in range(1, 6):
        image = frame_with([(100, 60, 80), (20, 20, 40), *third.get(number, [])])
        write_image(workspace.dst.frames_dir / f"{number:05d}.png", image)
    extract(workspace)
    shown = typed("")
    fix(workspace, serve=True)
    assert "[several]" in shown[0] and somebody.saw == [["00003.png"]]
    assert "5.4_dst_keep_person" in capsys.readouterr().out


def test_the_kinds_are_asked_for(
    workspace: Workspace, squares: Squares, somebody: Somebody, typed: Callable[..., list[str]], capsys
) -> None:
    fill(workspace)
    extract(workspace)
    shown = typed("nobody", "several")
    fix(workspace, serve=True)
    assert somebody.saw == [["00002.png"]]
    assert "[faceless,several]" in shown[0] and "'nobody' is not a kind" in capsys.readouterr().out
    typed("none")
    fix(workspace, serve=True)
    assert len(somebody.saw) == 1
    typed("")
    fix(workspace, serve=True)
    assert somebody.saw[1] == ["00004.png"]


def test_frames_whose_faces_were_deleted_are_offered_on_request(
    workspace: Workspace, squares: Squares, somebody: Somebody
) -> None:
    fill(workspace)
    extract(workspace)
    (workspace.dst.aligned_dir / "00001_0.png").unlink()
    fix(workspace, serve=True)
    assert "00001.png" not in somebody.saw[0]
    fix(workspace, serve=True, look="deleted")
    assert somebody.saw[1] == ["00001.png"]


def test_kinds_in_words() -> None:
    assert by_hand.parse_kinds("usual") == list(by_hand.USUAL_KINDS)
    assert by_hand.parse_kinds("Faceless, deleted") == ["faceless", "deleted"]
    assert by_hand.parse_kinds("none") == by_hand.parse_kinds("") == []
    with pytest.raises(UserError, match="not a kind"):
        by_hand.parse_kinds("faceless;several")


def test_a_window_that_does_not_open_becomes_a_page(
    workspace: Workspace, squares: Squares, somebody: Somebody, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    fill(workspace)
    monkeypatch.setattr(by_hand, "has_screen", lambda: True)
    monkeypatch.setattr(by_hand, "open_window", lambda title: None)
    extract(workspace, manual_fix=True)
    assert somebody.saw == [["00004.png"]] and "does not open" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not write everywhere")
def test_a_read_only_folder_is_a_sentence(workspace: Workspace, squares: Squares, somebody: Somebody) -> None:
    fill(workspace)
    extract(workspace)
    workspace.dst.aligned_dir.chmod(0o500)
    with pytest.raises(UserError, match="could not be written"):
        fix(workspace, serve=True)
    workspace.dst.aligned_dir.chmod(0o700)
