"""The people and keep steps, the sort by person, and who is who in the extraction."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewright.cli import main
from facewright.commands import extract as extract_faces
from facewright.commands import fix as fix_faces
from facewright.commands import keep
from facewright.commands import people as people_command
from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.images import read_image, write_image
from facewright.core.workspace import Side, Workspace
from facewright.extract import identity_filter
from facewright.extract.people import People, people_of
from facewright.extract.people import number_people as number_side
from facewright.extract.side_run import ModelLoader, open_side
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.faces.record import load_record, update_record
from sample import REAL, clip_frames, needs_real_faces, sample_frames

Save = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def number_people(side: Side, **more: Any) -> People:
    with open_side(Workspace(side.aligned_dir.parents[1]), side, RedModels()) as run:
        return number_side(run, **more)


def face_of(who: int, seed: int) -> np.ndarray:
    """A face of person `who`: 0.6 from the others, 0.2 around themselves."""
    centre = np.zeros(128)
    centre[who] = 0.6 / np.sqrt(2)
    return (centre + np.random.default_rng(seed).normal(size=128) / np.sqrt(128) * 0.2).astype(np.float32)


@pytest.fixture
def crowd(workspace: Workspace, save_drawn_face: Save) -> Side:
    """Frame after frame: person 0 always, person 1 in every second, person 2 once; nobody has a number yet."""
    for frame in range(1, 9):
        there = [0] + [1] * (frame % 2) + [2] * (frame == 4)
        for place, who in enumerate(there):
            add(workspace.dst, save_drawn_face, frame, place, who)
    return workspace.dst


def add(side: Side, save: Save, frame: int, place: int, who: int | None, name: str = "") -> Path:
    path = save(side.aligned_dir / (name or f"{frame:05d}_{place}.png"), seed=frame, frame=f"{frame:05d}.png")
    if who is not None:
        update_record(path, replace(load_record(path), embedding=face_of(who, 10 * frame + place)))
    return path


def numbers(side: Side) -> dict[str, int | None]:
    return {face.path.stem: face.record.person for face in load_faceset(side.aligned_dir).faces}


EXPECTED = {
    **{f"{frame:05d}_0": 1 for frame in range(1, 9)},
    **{f"{frame:05d}_1": 2 for frame in (1, 3, 5, 7)},
    "00004_1": 3,
}


def test_people_are_numbered_and_shown(workspace: Workspace, crowd: Side, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes()[-2000:] for path in crowd.aligned()}
    people_command.run(workspace, people_command.Options())
    assert numbers(crowd) == EXPECTED
    assert {path.name: path.read_bytes()[-2000:] for path in crowd.aligned()} == before  # pixels stay
    said = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["1", "8", "62%", "00001", "to", "00008"] for line in said)
    assert any(line.split() == ["3", "1", "8%", "00004"] for line in said)
    page = (workspace.root / "data_dst_people.html").read_text("utf-8")
    assert page.count("<h2>") == 3 and "data_dst/aligned/00004_1.png" in page
    assert (workspace.root / "data_dst_people.png").stat().st_size > 1000


def test_a_second_run_writes_nothing(workspace: Workspace, crowd: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    people_command.run(workspace, people_command.Options())
    monkeypatch.setattr("facewright.faces.faceset.update_record", lambda *_: pytest.fail("nothing was missing"))
    people_command.run(workspace, people_command.Options())


def test_numbers_stay_when_faces_come(workspace: Workspace, crowd: Side, save_drawn_face: Save) -> None:
    number_people(crowd)
    for frame in range(20, 40):  # now person 1 has most faces
        add(crowd, save_drawn_face, frame, 0, 1)
    add(crowd, save_drawn_face, 40, 0, 7)
    number_people(crowd)
    found = numbers(crowd)
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert {found[f"{frame:05d}_0"] for frame in range(20, 40)} == {2} and found["00040_0"] == 4
    number_people(crowd, anew=True)
    assert numbers(crowd)["00020_0"] == 1 and numbers(crowd)["00001_0"] == 2


@pytest.mark.parametrize("killed_after", [0, 1, 5, 14, 20])
def test_a_kill_while_renumbering_loses_nothing(
    crowd: Side, save_drawn_face: Save, killed_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    number_people(crowd)
    for frame in range(20, 40):
        add(crowd, save_drawn_face, frame, 0, 1)
    written = 0

    def write(path: Path, record: object) -> None:
        nonlocal written
        written += 1
        if written > killed_after:
            raise KeyboardInterrupt
        update_record(path, record)

    with monkeypatch.context() as patched:
        patched.setattr("facewright.faces.faceset.update_record", write)
        with pytest.raises(KeyboardInterrupt):
            number_people(crowd, anew=True)
    number_people(crowd)
    found = numbers(crowd)
    groups = [{found[f"{frame:05d}_0"] for frame in range(1, 9)}, {found["00004_1"]}]
    groups.append({found[name] for name in [f"{frame:05d}_1" for frame in (1, 3, 5, 7)] + ["00020_0", "00039_0"]})
    assert all(len(group) == 1 for group in groups) and len(set.union(*map(set, groups))) == 3


def test_no_face_and_one_face(workspace: Workspace, save_drawn_face: Save, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (people_command, keep):
        with pytest.raises(UserError, match="There are no faces"):
            step.run(workspace, step.Options())
    add(workspace.dst, save_drawn_face, 1, 0, 0)
    people_command.run(workspace, people_command.Options())
    keep.run(workspace, keep.Options())
    assert "nobody else: nothing moves" in capsys.readouterr().out
    assert numbers(workspace.dst) == {"00001_0": 1}


def test_damaged_files_are_named_and_left_alone(
    workspace: Workspace, crowd: Side, capsys: pytest.CaptureFixture[str]
) -> None:
    (crowd.aligned_dir / "bad.png").write_text("no picture")
    whole = (crowd.aligned_dir / "00002_0.png").read_bytes()
    (crowd.aligned_dir / "00002_0.png").write_bytes(whole[:-60])
    people_command.run(workspace, people_command.Options())
    assert "bad.png is not a face" in capsys.readouterr().out
    assert (crowd.aligned_dir / "bad.png").read_text() == "no picture"


def test_keep_moves_the_others(workspace: Workspace, crowd: Side, capsys: pytest.CaptureFixture[str]) -> None:
    with console.answered_by(console.Answers.YES):
        keep.run(workspace, keep.Options(person="2, 3"))
    assert set(numbers(crowd)) == {name for name, number in EXPECTED.items() if number != 1}
    assert len(list(workspace.trash.rglob("*.png"))) == 8
    assert "moved 8 of others" in capsys.readouterr().out
    assert set(numbers(crowd).values()) == {2, 3}


@pytest.mark.parametrize("text", ["4", "0", "x", "1,-2", "²", ","])
def test_nobody_of_that_number(workspace: Workspace, crowd: Side, text: str) -> None:
    with pytest.raises(UserError, match=r"There is no person|No person is named"):
        keep.run(workspace, keep.Options(person=text))
    assert len(crowd.aligned()) == len(EXPECTED)


def test_keep_asks_and_says_again(
    workspace: Workspace, crowd: Side, typed: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = typed("9", "three", "2", "n")
    keep.run(workspace, keep.Options())
    assert len(shown) == 4 and len(crowd.aligned()) == len(EXPECTED)
    assert "Nothing was moved" in capsys.readouterr().out
    typed("")
    keep.run(workspace, keep.Options())
    assert len(crowd.aligned()) == len(EXPECTED)
    typed("?", "1", "")
    keep.run(workspace, keep.Options())
    assert set(numbers(crowd).values()) == {1}
    told = capsys.readouterr().out
    assert "1,3 two of them" in told
    assert "restore.sh --side dst" in told or "restore.bat --side dst" in told


def test_nobody_to_ask_is_a_sentence(workspace: Workspace, crowd: Side) -> None:
    with pytest.raises(UserError, match="nobody to ask who stays"):
        keep.run(workspace, keep.Options())
    with pytest.raises(UserError, match="nobody to answer"):
        keep.run(workspace, keep.Options(person="1"))
    assert len(crowd.aligned()) == len(EXPECTED)


def test_sort_by_person_puts_each_together(workspace: Workspace, crowd: Side) -> None:
    number_people(crowd)
    assert main(["sort", "--side", "dst", "--by", "person", "--yes", "--workspace", str(workspace.root)]) == 0
    found = [(face.record.person, face.record.frame) for face in load_faceset(crowd.aligned_dir).faces]
    assert found == sorted(found) and len(found) == len(EXPECTED)


class Reds(identity_filter.Embedder):
    """Who a face is follows from the red in the middle of its chip; it counts what it is asked."""

    asked = 0

    def __init__(self) -> None:
        """Load nothing."""

    def embed(self, chips: list[np.ndarray]) -> np.ndarray:
        type(self).asked += len(chips)
        return np.stack([face_of(int(one[75, 75, 2]) // 64, 1) for one in chips])


class RedModels(ModelLoader):
    """Faces are compared by the red in their middle."""

    @property
    def embedder(self) -> Reds:
        return Reds()


@pytest.fixture
def reds() -> type[Reds]:
    Reds.asked = 0
    return Reds


def test_missing_embeddings_are_computed_once(
    workspace: Workspace, crowd: Side, save_drawn_face: Save, reds: type[Reds]
) -> None:
    paths = [add(crowd, save_drawn_face, frame, 0, None) for frame in range(50, 70)]
    number_people(crowd)
    assert reds.asked == 20
    assert all(load_record(path).embedding is not None and load_record(path).person for path in paths)
    number_people(crowd)
    assert reds.asked == 20


def test_half_faces_need_their_frame(
    workspace: Workspace, save_drawn_face: Save, reds: type[Reds], capsys: pytest.CaptureFixture[str]
) -> None:
    side = workspace.dst
    for frame in (1, 2, 3):
        path = add(side, save_drawn_face, frame, 0, None)
        update_record(path, replace(load_record(path), face_type=FaceType.HALF))
    whole = np.full((300, 300, 3), 90, np.uint8)
    write_image(side.frames_dir / "00003.png", whole)  # another frame of that name
    whole[100:164, 100:164] = read_image(side.aligned_dir / "00001_0.png")
    write_image(side.frames_dir / "00001.png", whole)
    people_command.run(workspace, people_command.Options(), RedModels())
    assert numbers(side) == {"00001_0": 1, "00002_0": None, "00003_0": None}
    assert "could not be compared: 2 (00002_0.png, 00003_0.png)" in capsys.readouterr().out
    assert "Not compared" in (workspace.root / "data_dst_people.html").read_text("utf-8")


def test_faces_of_mark_only_are_compared_in_their_frame(
    workspace: Workspace, save_drawn_face: Save, reds: type[Reds]
) -> None:
    path = add(workspace.dst, save_drawn_face, 1, 0, None)
    update_record(path, replace(load_record(path), face_type=FaceType.MARK_ONLY, size=0))
    number_people(workspace.dst)
    assert numbers(workspace.dst) == {"00001_0": 1}


def two_people(side: Side) -> None:
    """Frames of the sample's two people, in turn."""
    for number, (who, frame) in enumerate([("src", 10), ("dst", 10), ("src", 60), ("src", 90), ("dst", 60)], 1):
        write_image(side.frames_dir / f"{number:05d}.png", sample_frames(who, (frame,))[0])


def test_the_extraction_numbers_the_people_and_goes_on(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    side = workspace.dst
    side.frames_dir.mkdir(parents=True)
    two_people(side)
    (side.frames_dir / "00005.png").rename(workspace.root / "later.png")
    extract_faces.run(workspace, extract_faces.Options(side="dst"))
    assert "People: 2 (number 1 with 3 faces, number 2 with 1 face)." in capsys.readouterr().out
    (workspace.root / "later.png").rename(side.frames_dir / "00005.png")
    extract_faces.run(workspace, extract_faces.Options(side="dst"))
    assert numbers(side) == {"00001_0": 1, "00002_0": 2, "00003_0": 1, "00004_0": 1, "00005_0": 2}


def test_a_photo_keeps_one_of_them_also_in_the_second_search(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    side = workspace.dst
    side.frames_dir.mkdir(parents=True)
    two_people(side)
    photo = tmp_path / "photo.png"
    write_image(photo, sample_frames("dst", (30,))[0])
    options = extract_faces.Options(side="dst", person=str(photo), threshold=0.42)
    extract_faces.run(workspace, options)
    assert set(numbers(side)) == {"00002_0", "00005_0"}
    assert "another person: 3" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"photo\.png"):
        extract_faces.run(workspace, extract_faces.Options(side="dst"))
    fix_faces.run(workspace, fix_faces.Options(side="dst"))
    assert set(numbers(side)) == {"00002_0", "00005_0"}


def test_photos_are_looked_at_before_anything_moves(workspace: Workspace, tmp_path: Path) -> None:
    side = workspace.dst
    side.frames_dir.mkdir(parents=True)
    two_people(side)
    extract_faces.run(workspace, extract_faces.Options(side="dst"))
    before = numbers(side)
    with pytest.raises(UserError, match="There is no photo"):
        extract_faces.run(workspace, extract_faces.Options(side="dst", person=str(tmp_path / "away.png"), redo=True))
    assert numbers(side) == before
    own = side.aligned_dir / "00002_0.png"
    extract_faces.run(workspace, extract_faces.Options(side="dst", person=str(own), threshold=0.42, redo=True))
    assert set(numbers(side)) == {"00002_0", "00005_0"}


def test_another_photo_under_the_same_name_is_another_choice(workspace: Workspace, tmp_path: Path) -> None:
    side = workspace.dst
    side.frames_dir.mkdir(parents=True)
    write_image(side.frames_dir / "00001.png", sample_frames("dst", (30,))[0])
    photo = tmp_path / "photo.png"
    write_image(photo, sample_frames("dst", (30,))[0])
    options = extract_faces.Options(side="dst", person=str(photo))
    assert extract_faces.run(workspace, options).faces == 1
    assert extract_faces.run(workspace, options).frames == 0
    write_image(photo, sample_frames("dst", (31,))[0])
    with pytest.raises(UserError, match="the same settings as before"):
        extract_faces.run(workspace, options)


def test_comparing_can_be_left_out(workspace: Workspace) -> None:
    side = workspace.src
    side.frames_dir.mkdir(parents=True)
    write_image(side.frames_dir / "00001.png", sample_frames("src", (10,))[0])
    extract_faces.run(workspace, extract_faces.Options(people=False))
    (face,) = load_faceset(side.aligned_dir).faces
    assert face.record.embedding is None and face.record.person is None
    assert (found := people_of(load_faceset(side.aligned_dir))).persons == [] and len(found.unknown) == 1


def test_a_threshold_without_a_photo_is_a_sentence(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="nothing to compare with"):
        extract_faces.run(workspace, extract_faces.Options(threshold=0.4))


@needs_real_faces
def test_two_real_people_become_one(workspace: Workspace) -> None:
    side = workspace.dst
    side.frames_dir.mkdir(parents=True)
    clip = REAL / "video" / "intel_head-pose-face-detection-female-and-male.gif"
    frames = range(0, 50, 8)
    for number, frame in enumerate(clip_frames(clip, frames), 1):
        write_image(side.frames_dir / f"{number:05d}.png", frame)
    extract_faces.run(workspace, extract_faces.Options(side="dst"))
    assert set(numbers(side).values()) == {1, 2}
    with console.answered_by(console.Answers.YES):
        keep.run(workspace, keep.Options(person="1"))
    faces = load_faceset(side.aligned_dir).faces
    assert len({face.record.frame for face in faces}) == len(faces) >= 6
    centres = [(face.record.rect[0] + face.record.rect[2]) / 2 for face in faces]
    assert np.ptp(centres) < 100
