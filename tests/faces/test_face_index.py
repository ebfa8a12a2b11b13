"""The index of a folder of faces: it stays what a fresh reading would give, whatever a command writes and deletes."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.images import encode
from facewright.faces.faceset import FaceFile, FaceIndex, count_own_masks, load_faceset
from facewright.faces.record import load_record

SaveFace = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, save_drawn_face: SaveFace) -> Path:
    for name in ("b.png", "d.png", "f.png"):
        save_drawn_face(tmp_path / name, frame=name)
    return tmp_path


def names(index: FaceIndex) -> list[str]:
    return [face.path.name for face in index.faces]


def other(face: FaceFile) -> FaceFile:
    return replace(face, record=replace(face.record, frame="other.png"))


def test_a_new_face_takes_its_place_and_a_changed_one_keeps_it(folder: Path) -> None:
    index = load_faceset(folder)
    index.put(FaceFile(folder / "c.png", index.faces[0].record))
    index.put(other(index.faces[0]))
    assert names(index) == ["b.png", "c.png", "d.png", "f.png"]
    assert index.faces[0].stem == "other"


def test_faces_that_were_handed_over_keep_their_order(folder: Path) -> None:
    index = FaceIndex(reversed(load_faceset(folder).faces))
    index.put(other(index.faces[0]))
    assert names(index) == ["f.png", "d.png", "b.png"]


def test_refresh_sees_what_was_added_deleted_and_changed(folder: Path, save_drawn_face: SaveFace) -> None:
    index = load_faceset(folder)
    (folder / "d.png").unlink()
    save_drawn_face(folder / "a.png", frame="a.png")
    for name in ("b.png", "f.png"):
        save_drawn_face(folder / name, frame=f"new_{name}")
    (folder / "x.png").write_bytes(b"no face")
    index.refresh(changed={"b.png"})
    found = [(face.path.name, face.stem) for face in index.faces]
    assert found == [("a.png", "a"), ("b.png", "new_b"), ("f.png", "f")]
    assert [path.name for path, _ in index.bad] == ["x.png"]


def test_an_index_of_single_files_has_no_folder_to_list(folder: Path) -> None:
    index = load_faceset([folder / "f.png", folder / "b.png"])
    index.refresh()
    assert names(index) == ["f.png", "b.png"]


def test_write_changes_the_file_unless_it_was_deleted(folder: Path) -> None:
    index = load_faceset(folder)
    first, second, third = index.faces
    second.path.unlink()
    for face in (first, second):
        index.write(replace(face, record=replace(face.record, person=7)))
    assert [face.record.person for face in index.faces] == [7, None, None]
    assert load_record(first.path).person == 7 and not second.path.exists()
    third.path.write_bytes(b"no picture any more")
    with pytest.raises(UserError):
        index.write(third)


def test_only_masks_that_can_be_read_are_counted(folder: Path) -> None:
    face = load_faceset(folder).faces[0]
    readable = base64.b64encode(encode(np.zeros((8, 8, 3), np.uint8), ".png")).decode()
    faces = [replace(face, record=replace(face.record, mask=mask)) for mask in (None, "bm8=", readable)]
    assert count_own_masks(faces) == 1
