"""The gallery that is served: what it shows, faces that go to the trash and come back, what strangers may do to it."""

import json
import re
import struct
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import browser
from facewright import cli
from facewright.core.errors import UserError
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.record import MANUAL_DETECTOR, load_record, update_record
from facewright.facesets.gallery import SeenFaces
from facewright.facesets.gallery_page import MOST_THUMBS, GalleryPage
from facewright.facesets.gallery_work import THUMB_PX, Gallery, odd_faces_of
from facewright.facesets.looks import looks_of
from facewright.facesets.statistics import MeasuredFace, measure_faces
from facewright.ui.page import Page, PageAnswer, PageRequest
from needs import needs_browser

NAMES = ("00001.png", "00002.png", '<b>"x"&.png', "ä 人.png", "00010.png", "10.PNG")
POSES = ((0.0, 0.0), (40.0, 0.0), (-40.0, 20.0), (3.0, 1.0), (5.0, -2.0), (70.0, 0.0))


@pytest.fixture
def filled(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> Workspace:
    for number, (name, pose) in enumerate(zip(NAMES, POSES, strict=True)):
        path = save_drawn_face(workspace.src.aligned_dir / name, seed=number, frame=f"{number}.png")
        more = {"origin": "filled"} if number == 1 else {"person": 2} if number == 4 else {"person": 1}
        update_record(path, replace(load_record(path), pose=(*pose, 0.0), detector=MANUAL_DETECTOR, **more))
    save_drawn_face(workspace.dst.aligned_dir / "d.png", yaw=42.0)
    return workspace


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def opened(workspace: Workspace, side: Side, pool: ThreadPoolExecutor) -> GalleryPage:
    faces, other = load_faceset(side.aligned_dir), load_faceset(workspace.dst.aligned_dir)
    stats, _ = measure_faces(side, faces, pool)
    seen = SeenFaces("<Title>", "words", (), (), {face.name: face for face in stats.faces})
    odd = odd_faces_of(side, faces, seen.by_name)
    return GalleryPage(Gallery(workspace, side, faces.faces, seen.by_name, odd, looks_of(other.faces), pool), seen)


@pytest.fixture
def page(filled: Workspace, pool: ThreadPoolExecutor) -> GalleryPage:
    return opened(filled, filled.src, pool)


def get(page: GalleryPage, path: str, query: str = "") -> PageAnswer:
    return page.answer(PageRequest("GET", path, query))


def post(page: GalleryPage, path: str, *numbers: int) -> PageAnswer:
    return page.answer(PageRequest("POST", path, body=json.dumps({"at": numbers}).encode()))


def columns(page: GalleryPage) -> dict:
    return json.loads(get(page, "faces").body)


def place(page: GalleryPage, name: str) -> int:
    return columns(page)["names"].index(name)


def thumbs(page: GalleryPage, *numbers: int) -> list[np.ndarray | None]:
    data, found = get(page, "thumbs", f"at={','.join(map(str, numbers))}").body, []
    while data:
        (length,) = struct.unpack_from(">I", data)
        image, data = data[4 : 4 + length], data[4 + length :]
        found.append(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR) if image else None)
    return found


def names(workspace: Workspace) -> set[str]:
    return {path.name for path in workspace.src.aligned()}


def test_the_page_knows_every_face_and_shows_it(page: GalleryPage) -> None:
    assert b"&lt;Title&gt;" in get(page, "").body and b"<Title>" not in get(page, "").body
    known = columns(page)
    assert sorted(known["names"]) == sorted(NAMES) and known["other"] == [[42.0, 0.0]]
    at = place(page, "00002.png")
    assert (known["yaw"][at], known["pitch"][at], known["person"][at]) == (40.0, 0.0, 0)
    assert known["odd"][at] and sum(map(bool, known["odd"])) == 1, "it was filled in"
    assert all(value > 0 for name in ("side", "light") for value in known[name])
    small = thumbs(page, *range(6))
    assert all(image is not None and image.shape == (THUMB_PX, THUMB_PX, 3) for image in small)
    means = [image.mean() for image in small if image is not None]
    assert means == pytest.approx([127] * 6, abs=6)
    assert cv2.imdecode(np.frombuffer(get(page, "face.jpg", "at=0").body, np.uint8), 1).shape == (64, 64, 3)


def test_faces_go_to_the_trash_and_come_back(page: GalleryPage, filled: Workspace) -> None:
    first, second = place(page, '<b>"x"&.png'), place(page, "00010.png")
    before = {path.name: path.read_bytes() for path in filled.src.aligned()}
    state = json.loads(post(page, "trash", first, second, first).body)
    assert state["gone"] == sorted([first, second]) and state["undo"] == 2
    assert names(filled) == {*NAMES} - {'<b>"x"&.png', "00010.png"}
    assert json.loads(post(page, "trash", first).body)["undo"] == 2, "another tab wanted it too"
    post(page, "trash", place(page, "ä 人.png"))
    assert json.loads(post(page, "undo").body)["gone"] == sorted([first, second])
    assert json.loads(post(page, "undo").body) | {"told": ""} == {"gone": [], "undo": 0, "told": ""}
    assert {path.name: path.read_bytes() for path in filled.src.aligned()} == before
    assert post(page, "undo").status == 200 and not any(filled.trash.iterdir())


def test_restore_brings_back_what_the_page_put_away(page: GalleryPage, filled: Workspace) -> None:
    post(page, "trash", 0, 3)
    assert len(names(filled)) == 4
    assert cli.main(["restore", "--workspace", str(filled.root), "--yes", "--side", "src"]) == 0
    assert names(filled) == {*NAMES}
    assert "0 faces back" in json.loads(post(page, "undo").body)["told"]


def test_names_that_differ_by_case_only_come_back(
    workspace: Workspace, save_drawn_face: Callable[..., Path], pool: ThreadPoolExecutor
) -> None:
    for number, name in enumerate(("a.png", "A.png")):
        save_drawn_face(workspace.src.aligned_dir / name, seed=number, frame=f"{number}.png")
    before = {path.name: load_record(path).frame for path in workspace.src.aligned()}
    page = opened(workspace, workspace.src, pool)
    post(page, "trash", *range(len(before)))
    assert names(workspace) == set()
    post(page, "undo")
    frames = sorted(load_record(path).frame for path in workspace.src.aligned())
    assert frames == sorted(before.values())


def test_a_name_that_was_taken_meanwhile_is_left_alone(
    page: GalleryPage, filled: Workspace, save_drawn_face: Callable[..., Path]
) -> None:
    at = place(page, "00001.png")
    post(page, "trash", at)
    save_drawn_face(filled.src.aligned_dir / "00001.png", seed=9, frame="new.png")
    post(page, "undo")
    assert {"00001.png", "00002.png", "00003.png"} <= names(filled)
    assert load_record(filled.src.aligned_dir / "00001.png").frame == "new.png"
    assert thumbs(page, at)[0] is not None, "it is known by its new name"
    post(page, "trash", at)
    assert "00003.png" not in names(filled) and "00001.png" in names(filled)


def test_files_that_vanish_or_change_places_are_left_alone(page: GalleryPage, filled: Workspace) -> None:
    folder, (lost, swapped, other) = filled.src.aligned_dir, NAMES[:3]
    numbers = [place(page, name) for name in (lost, swapped)]
    (folder / lost).unlink()
    (folder / other).replace(folder / swapped)
    assert thumbs(page, *numbers) == [None, None]
    state = json.loads(post(page, "trash", *numbers).body)
    assert state["gone"] == sorted(numbers) and state["undo"] == 0 and "2 files" in state["told"]
    assert (folder / swapped).exists(), "the page never showed what lies there now"
    (folder / NAMES[3]).unlink()
    assert get(page, "face.jpg", f"at={place(page, NAMES[3])}").status == 409


def test_a_trash_that_cannot_be_written_is_a_sentence_and_loses_nothing(page: GalleryPage, filled: Workspace) -> None:
    filled.trash.write_bytes(b"a file")
    answer = post(page, "trash", 0, 1)
    assert answer.status == 409 and b"trash" in answer.body
    assert names(filled) == {*NAMES} and json.loads(get(page, "state").body)["gone"] == []


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "thumbs", "at=99", b""),
        ("GET", "thumbs", "at=-1", b""),
        ("GET", "thumbs", "at=" + ",".join(["0"] * (MOST_THUMBS + 1)), b""),
        ("GET", "face.jpg", "at=../../x", b""),
        ("POST", "trash", "", b'{"at": [1e99]}'),
        ("POST", "trash", "", b'{"at": [6]}'),
        ("POST", "trash", "", b'{"at": "all"}'),
        ("POST", "trash", "", b"\xff"),
    ],
)
def test_what_is_no_request_changes_nothing(
    page: GalleryPage, filled: Workspace, method: str, path: str, query: str, body: bytes
) -> None:
    assert page.answer(PageRequest(method, path, query, body)).status == 400
    assert names(filled) == {*NAMES}
    assert get(page, "trash").status == 404 == page.answer(PageRequest("POST", "../trash")).status


def test_the_step_holds_the_lock_while_it_serves_and_says_what_went(
    filled: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []
    arguments = ["view", "--workspace", str(filled.root), "--yes", "--serve"]
    thread = threading.Thread(target=lambda: codes.append(cli.main(arguments)))
    thread.start()
    told = [""]

    def address() -> re.Match[str] | None:
        told[0] += capsys.readouterr().out
        return re.search(r"http://127\S+/", told[0])

    wait_for(address)
    found = address()
    assert found is not None
    with pytest.raises(UserError), filled.lock("data_src"):
        pass  # a sort would rename what the page shows
    for path, body in (("trash", b'{"at": [0, 1]}'), ("leave", b"")):
        with urllib.request.urlopen(found[0] + path, body, timeout=20) as answer:
            assert answer.status == 200
    thread.join(30)
    assert codes == [0] and len(names(filled)) == 4
    assert "2 faces went to the trash" in capsys.readouterr().out


def test_a_workspace_in_which_another_step_works_is_a_sentence(
    filled: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with filled.lock("data_src"):
        assert cli.main(["view", "--workspace", str(filled.root), "--yes", "--serve"]) == 1
    assert "Traceback" not in capsys.readouterr().err and names(filled) == {*NAMES}


@needs_browser
def test_by_mouse_and_keys_in_a_browser(page: GalleryPage, filled: Workspace) -> None:
    with Page(page.answer) as served, browser.browser() as shown:
        shown.look(1280, 900, "light")
        shown.open(served.address)
        wait_for(lambda: shown.script("return data && document.querySelectorAll('#grid img[src]').length") == 6)
        count = lambda: shown.script("return document.getElementById('count').textContent")  # noqa: E731
        assert count().startswith("6 of 6 faces, 0 selected")
        shown.script("document.querySelectorAll('#grid figure')[1].click()")
        third = "document.querySelectorAll('#grid figure')[3]"
        shown.script(f"{third}.dispatchEvent(new MouseEvent('click', {{bubbles: true, shiftKey: true}}))")
        assert "3 selected" in count()
        shown.key("Delete")
        wait_for(lambda: len(names(filled)) == 3)
        wait_for(lambda: "3 faces moved" in count())
        shown.key("u")
        wait_for(lambda: names(filled) == {*NAMES})
        wait_for(lambda: "3 faces back" in count())
        assert shown.script("return document.querySelectorAll('#grid figure.chosen').length") == 3, "what came back"
        shown.key("Escape")
        # The cell in which the face of dst lies shows the one of src that is there.
        shown.script("document.querySelector('#map [data-other=\"1\"]').click()")
        assert count().startswith("1 of 6")
        assert shown.script("return document.querySelector('#grid b').textContent") == "00002.png"
        shown.script("DO.all()")
        shown.script("document.getElementById('odd').click()")
        assert count().startswith("1 of 6")
        shown.script("DO.all()")
        shown.script("document.getElementById('person').value = 2; arrange()")
        assert shown.script("return document.querySelector('#grid b').textContent") == "00010.png"
        shown.script("DO.all(); document.getElementById('grid').focus()")
        shown.key("Enter")
        wait_for(lambda: shown.script("return document.getElementById('large_image').naturalWidth") == 64)
        shown.key("Escape")
        shown.look(390, 844, "dark")
        assert shown.script("return document.documentElement.scrollWidth <= innerWidth")
        assert shown.errors() == []
        shown.script("DO.leave()")
        wait_for(page.ended.is_set)


@needs_browser
def test_of_many_faces_only_those_in_sight_are_elements(filled: Workspace, pool: ThreadPoolExecutor) -> None:
    face = load_faceset(filled.src.aligned_dir).faces[0]
    many = [FaceFile(filled.src.aligned_dir / f"{number}.png", face.record) for number in range(5_000)]
    one = MeasuredFace("", "", 0, 0, 90, 50, 120, None, False, 0.3, 0.0)
    measured = {file.path.name: replace(one, name=file.path.name) for file in many}
    page = GalleryPage(
        Gallery(filled, filled.src, many, measured, {}, looks_of([]), pool), SeenFaces("", "", (), (), measured)
    )
    with Page(page.answer) as served, browser.browser() as shown:
        shown.look(1280, 900, "light")
        shown.open(served.address)
        for share in (0, 0.5, 1):
            wait_for(lambda: shown.script("return Boolean(data && nodes.size)"))
            shown.script(f"scrollTo(0, document.body.scrollHeight * {share}); draw()")
            assert 20 < shown.script("return document.querySelectorAll('#grid figure').length") < 120
        assert shown.script("return nodes.has(4999) && !nodes.has(0)")
        shown.script("DO.all(); cells.add(-1); arrange(); DO.all()")  # none, which needs no scroll bar, then all
        assert shown.script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
