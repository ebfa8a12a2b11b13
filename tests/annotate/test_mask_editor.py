"""The mask editor: every event of its session, what lies in the files afterwards, window and page."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import browser
from annotate.sessions import MeanModels
from disks import longest_file
from facewright.annotate.launch import AnnotationOptions
from facewright.annotate.mask_session import BUTTONS, HELP, MaskKey, MaskSession
from facewright.annotate.page import PageServer
from facewright.commands import mask
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.extract.side_run import open_side
from facewright.faces.faceset import load_faceset
from facewright.faces.mask import automatic_mask, label_mask
from facewright.faces.polygons import MAX_POLYGONS, Polygon
from facewright.faces.record import load_face, load_record, update_record
from facewright.ui.events import Do, Event
from facewright.ui.page import Page
from needs import needs_browser, needs_screen_and_tk

REPOSITORY = Path(__file__).resolve().parents[2]
SIDE = 64
CORNERS = ((10, 10), (50, 12), (30, 52))


class Editor:
    """A person at the mask editor, in pixels of the aligned image."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.index = load_faceset(folder)
        self.folder = folder
        self.session = MaskSession(self.index.faces, self.index, **more)

    def do(self, kind: Do, x: float, y: float, what: str = "left") -> None:
        self.session.handle(Event(kind, (x + 0.5) / SIDE, (y + 0.5) / SIDE, what))

    def click(self, *places: tuple[float, float], button: str = "left") -> None:
        for x, y in places:
            self.do(Do.MOVE, x, y)
            self.do(Do.DOWN, x, y, button)
            self.do(Do.UP, x, y, button)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.do(Do.DOWN, *start)
        self.do(Do.MOVE, *end)
        self.do(Do.UP, *end)

    def key(self, *names: str) -> None:
        for name in names:
            self.session.handle(Event(Do.KEY, what=name))

    def draw(self, *corners: tuple[float, float]) -> None:
        self.click(*corners)
        self.key("Enter")

    def saved(self, number: int = 1) -> list[tuple[str, np.ndarray]]:
        """Kind and corners of the polygons in a file, in pixels of its aligned image."""
        record = load_record(self.folder / f"{number:05d}_0.png")
        return [(polygon.kind, polygon.points - 100) for polygon in record.polygons]


@pytest.fixture
def editor(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> Editor:
    fill_faces(workspace, save_drawn_face)
    return Editor(workspace.dst.aligned_dir)


def fill_faces(workspace: Workspace, save_drawn_face: Callable[..., Path], count: int = 3) -> None:
    for number in range(1, count + 1):
        save_drawn_face(
            workspace.dst.aligned_dir / f"{number:05d}_0.png", seed=number, frame=f"{number:05d}.png", level=0.7
        )


def test_a_polygon_is_in_the_file_as_soon_as_it_is_closed(editor: Editor) -> None:
    """By a click on its first corner, or by Enter; its points lie in the frame, the pixels of the image stay."""
    before = load_face(editor.folder / "00001_0.png")[0]
    editor.click(*CORNERS)
    assert editor.saved() == [] and len(editor.session.state.corners) == 3
    editor.click((11, 11))  # near the first corner
    ((kind, points),) = editor.saved()
    assert kind == "include"
    np.testing.assert_allclose(points, CORNERS, atol=0.02)
    editor.key("e")
    editor.draw((30, 30), (40, 30), (40, 40), (30, 40))
    assert [kind for kind, _ in editor.saved()] == ["include", "exclude"]
    image, record = load_face(editor.folder / "00001_0.png")
    np.testing.assert_array_equal(image, before)
    mask = label_mask(record, record.matrix, SIDE)
    assert mask[35, 35] == 0 and mask[20, 30] == 1
    assert list(editor.session.changed) == ["00001_0.png"] and not list(editor.folder.glob("*.tmp"))


def test_corners_are_moved_added_and_removed(editor: Editor) -> None:
    editor.draw(*CORNERS)
    editor.drag((30, 52), (20, 60))
    np.testing.assert_allclose(editor.saved()[0][1][2], (20, 60), atol=0.02)
    editor.drag((30, 11), (31, 3))  # on the edge between the first two
    points = editor.saved()[0][1]
    assert len(points) == 4
    np.testing.assert_allclose(points[1], (31, 3), atol=0.02)
    editor.click((31, 3), button="right")
    assert len(editor.saved()[0][1]) == 3
    editor.click((50, 12), button="right")  # with two corners it would be none
    assert editor.saved() == []


def test_what_is_being_drawn_can_be_taken_back(editor: Editor) -> None:
    editor.click(*CORNERS)
    editor.key("Delete")
    assert len(editor.session.state.corners) == 2
    editor.key("Enter")
    assert editor.session.state.corners == () and editor.saved() == [], "two corners are no polygon"
    editor.click(*CORNERS)
    editor.key("Escape")
    assert editor.session.state.corners == () and editor.saved() == []


def test_a_whole_polygon_is_removed_or_turned_over_under_the_mouse(editor: Editor) -> None:
    editor.draw(*CORNERS)
    editor.do(Do.MOVE, 30, 22)
    editor.key("c")
    assert editor.saved()[0][0] == "exclude"
    editor.do(Do.MOVE, 5, 60)
    editor.key("Delete", "c")
    assert len(editor.saved()) == 1, "nothing lies there"
    editor.do(Do.MOVE, 30, 22)
    editor.key("Backspace")
    assert editor.saved() == [] and editor.session.marks == []


def test_undo_and_redo_reach_the_file(editor: Editor) -> None:
    editor.draw(*CORNERS)
    editor.drag((10, 10), (5, 6))
    editor.key("u")
    np.testing.assert_allclose(editor.saved()[0][1][0], (10, 10), atol=0.02)
    editor.key("y")
    np.testing.assert_allclose(editor.saved()[0][1][0], (5, 6), atol=0.02)
    editor.key(*"uu")
    assert editor.saved() == [] and len(editor.session.state.corners) == 3, "open again, as before it was closed"
    editor.key(*"uuuuuu", *"yyyyyyyyy")
    np.testing.assert_allclose(editor.saved()[0][1][0], (5, 6), atol=0.02)


def test_the_automatic_mask_becomes_a_polygon_that_replaces_it(editor: Editor) -> None:
    record = load_record(editor.folder / "00001_0.png")
    before = automatic_mask(record, record.matrix, SIDE)
    editor.key("m", "m")
    after = load_record(editor.folder / "00001_0.png")
    assert [polygon.kind for polygon in after.polygons] == ["outline"], "twice is as once"
    mask = label_mask(after, after.matrix, SIDE)
    assert np.minimum(mask, before).sum() / np.maximum(mask, before).sum() > 0.95
    x, y = editor.saved()[0][1][0]
    editor.drag((x, y), (32, 32))
    smaller = load_record(editor.folder / "00001_0.png")
    assert label_mask(smaller, smaller.matrix, SIDE).sum() < mask.sum() - 10, "it does not only add"


def test_polygons_are_copied_as_the_landmarks_lie(editor: Editor) -> None:
    """From a face whose landmarks lie 7 px further right: so do its polygons."""
    path = editor.folder / "00002_0.png"
    record = load_record(path)
    points = load_record(editor.folder / "00001_0.png").frame_landmarks + np.float32([7, 0])
    update_record(path, replace(record, frame_landmarks=points))
    again = Editor(editor.folder)
    again.draw(*CORNERS)
    again.key(".", "[")
    np.testing.assert_allclose(again.saved(2)[0][1], np.add(CORNERS, [7, 0]), atol=0.05)
    again.key("u", "]")
    assert again.saved(2) == [], "the next one has none"


def test_moving_on_keeps_what_was_drawn(editor: Editor) -> None:
    editor.click(*CORNERS)
    editor.key(".")
    assert len(editor.saved(1)) == 1 and "00002_0" in editor.session.title
    editor.key("Enter")
    assert "00003_0" in editor.session.title, "Enter without a polygon goes on"
    editor.key("l")
    assert "00001_0" in editor.session.title, "the one with polygons"
    told = Editor(editor.folder, reasons={"00003_0.png": ("a hand",)})
    told.key("l")
    assert told.session.facts().reasons == ("a hand",) and list(told.session.marks) == [0, 2]
    editor.session.handle(Event(Do.GO, steps=2))
    editor.click(*CORNERS)
    editor.key("q", "Enter")
    assert editor.session.done and len(editor.saved(3)) == 1
    editor.session.picture()


def test_zoomed_in_corners_are_where_they_are_seen(editor: Editor) -> None:
    session = editor.session
    session.handle(Event(Do.WHEEL, 0.5, 0.5, steps=8))
    port = session.eye.port
    for x, y in CORNERS:
        left, top = port.matrix @ (30 + (x - 30) / 10, 30 + (y - 30) / 10, 1)
        at = (left + 0.5) / port.shown[1], (top + 0.5) / port.shown[0]
        for do in (Do.DOWN, Do.UP):
            session.handle(Event(do, *at, "left"))
    editor.key("Enter")
    np.testing.assert_allclose(editor.saved()[0][1], 30 + (np.array(CORNERS) - 30) / 10, atol=0.05)


def test_the_mask_is_seen_and_can_be_hidden(editor: Editor) -> None:
    with_mask = editor.session.picture()
    editor.key("v")
    plain = editor.session.picture()
    assert plain.mean() > with_mask.mean() + 20 and "v" not in editor.session.facts().pressed
    editor.key("v")
    editor.draw((0, 0), (63, 0), (63, 63), (0, 63))
    assert editor.session.picture().mean() > with_mask.mean() + 20, "all is included now"


def test_a_face_has_room_for_so_many(editor: Editor) -> None:
    path = editor.folder / "00001_0.png"
    record = load_record(path)
    many = tuple(Polygon("include", np.float32([(k, 0), (k + 1, 0), (k, 1)])) for k in range(MAX_POLYGONS))
    update_record(path, replace(record, polygons=many))
    again = Editor(editor.folder)
    again.key("m")
    again.click(*CORNERS)
    assert len(again.saved()) == MAX_POLYGONS and again.session.state.corners == ()
    assert any("no more" in word for word in again.session.facts().words)


def test_faces_that_cannot_be_edited_are_passed_by(editor: Editor) -> None:
    """Damaged, without a way back into the frame, deleted meanwhile: a sentence in the image, and on."""
    flat = load_record(editor.folder / "00002_0.png")
    update_record(editor.folder / "00002_0.png", replace(flat, matrix=np.zeros((2, 3))))
    (editor.folder / "00003_0.png").write_bytes(b"no picture")
    again = MaskSession(editor.index.faces, editor.index)
    for _ in range(2):
        again.handle(Event(Do.KEY, what="."))
        assert again.picture().any()
        for event in (Event(Do.DOWN, 0.5, 0.5, "left"), Event(Do.UP, 0.5, 0.5, "left"), Event(Do.WHEEL, 0, 0, steps=2)):
            again.handle(event)
        for key in MaskKey:
            if key not in (MaskKey.QUIT, MaskKey.NEXT, MaskKey.PREVIOUS, MaskKey.CLOSE, MaskKey.MARKED):
                again.handle(Event(Do.KEY, what=key))
    editor.click(*CORNERS)
    (editor.folder / "00001_0.png").unlink()
    editor.key("Enter", "F5", "", "ß")
    assert not (editor.folder / "00001_0.png").exists(), "a deleted face stays deleted"


def test_a_full_disk_says_so_and_leaves_the_file_whole(editor: Editor) -> None:
    before = (editor.folder / "00001_0.png").read_bytes()
    editor.click(*CORNERS)
    with longest_file(3000), pytest.raises(UserError):
        editor.key("Enter")
    assert (editor.folder / "00001_0.png").read_bytes() == before


def test_every_key_is_in_the_help_and_on_a_button() -> None:
    shown = " ".join(keys for keys, _ in HELP)
    assert all({"Escape": "Esc"}.get(key, key) in shown for key in MaskKey)
    assert set(MaskKey) <= {button.key for group in BUTTONS for button in group}


def serve(workspace: Workspace, *how: str, display: str | None = None) -> subprocess.Popen[str]:
    """Start the editor as a program of its own."""
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    return subprocess.Popen(
        [sys.executable, "-m", "annotate.test_mask_editor", str(workspace.root), *how],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONPATH": paths,
            "PYTHONIOENCODING": "utf-8",
            **({"DISPLAY": display} if display else {}),
        },
    )


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@needs_browser
def test_polygons_are_drawn_on_the_page_with_a_finger(editor: Editor) -> None:
    session = MaskSession(editor.index.faces, editor.index, window_size=600)
    with Page(PageServer(session).answer) as served, browser.browser() as shown:
        shown.look(390, 844, "light")
        shown.open(served.address)
        wait_for(lambda: shown.script("return document.title").startswith("00001_0.png"))
        ask = "const r = document.getElementById('frame').getBoundingClientRect(); return [r.left, r.top, r.width]"
        left, top, width = shown.script(ask)
        for number, (x, y) in enumerate(CORNERS, 1):
            shown.touch([[browser.to(left + (x + 0.5) / SIDE * width, top + (y + 0.5) / SIDE * width)]])
            wait_for(lambda number=number: len(session.state.corners) == number)
        shown.tap("[data-key='Enter']")
        wait_for(lambda: len(editor.saved()) == 1)
        shown.tap("[data-key='m']")
        wait_for(lambda: len(editor.saved()) == 2)
        shown.tap("[data-key='u']")
        wait_for(lambda: len(editor.saved()) == 1)
        assert not shown.errors() and shown.script("return document.documentElement.scrollWidth") <= 390
    np.testing.assert_allclose(editor.saved()[0][1], CORNERS, atol=0.6)


@needs_screen_and_tk
def test_polygons_are_drawn_in_the_window_and_outlive_a_kill(
    display: str, editor: Editor, workspace: Workspace
) -> None:
    process = serve(workspace, display=display)

    def xdotool(*arguments: str) -> str:
        done = ["xdotool", *arguments]
        return subprocess.run(
            done, capture_output=True, text=True, timeout=60, env={**os.environ, "DISPLAY": display}
        ).stdout

    try:
        window = xdotool("search", "--sync", "--onlyvisible", "--name", "Masks of faces").split()[0]
        wait_for(lambda: "00001_0.png" in xdotool("getwindowname", window))
        wait_for(lambda: "960x" in xdotool("getwindowgeometry", window))  # 640 px, and the panel
        for x, y in CORNERS:
            xdotool("mousemove", "--window", window, str(10 * x + 5), str(10 * y + 5), "click", "1")
            time.sleep(0.1)
        xdotool("windowfocus", "--sync", window, "key", "Return")
        wait_for(lambda: len(editor.saved()) == 1)
        xdotool("mousemove", "--window", window, "30", "600", "click", "1")  # the next one is begun
        process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        process.kill()
    np.testing.assert_allclose(editor.saved()[0][1], CORNERS, atol=0.2)
    assert not list(editor.folder.glob("*.tmp")) and len(load_faceset(editor.folder).faces) == 3


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_the_command_opens_the_editor_and_what_was_drawn_outlives_ctrl_c(editor: Editor, workspace: Workspace) -> None:
    command = [sys.executable, str(REPOSITORY / "main.py"), "mask", "--workspace", str(workspace.root)]
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    process = subprocess.Popen(
        [*command, "--side", "dst", "--action", "edit", "--serve"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={**environment, "PYTHONIOENCODING": "utf-8"},
    )
    try:
        assert process.stdout is not None
        address = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        with urllib.request.urlopen(address + "fixed", timeout=10) as answer:
            assert json.load(answer)["count"] == 3
        presses = [
            {"do": do, "x": (x + 0.5) / SIDE, "y": (y + 0.5) / SIDE, "what": "left"}
            for x, y in CORNERS
            for do in ("down", "up")
        ]
        body = json.dumps({"events": [*presses, {"do": "key", "what": "Enter"}]}).encode()
        with urllib.request.urlopen(urllib.request.Request(address + "events", body), timeout=10) as answer:
            assert json.loads(answer.headers["X-State"])["progress"].startswith("1 ")
        assert len(editor.saved()) == 1
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert process.returncode == 0 and "00001_0.png" in said and "--action train" in said


def test_without_faces_or_a_screen_the_editor_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, save_drawn_face: Callable[..., Path]
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    options = mask.Options(action="edit", side="dst")
    with pytest.raises(UserError, match="no faces"):
        mask.run(workspace, options, AnnotationOptions(serve=True))
    fill_faces(workspace, save_drawn_face)
    with pytest.raises(UserError, match="screen"):
        mask.run(workspace, options, AnnotationOptions())


if __name__ == "__main__":
    from facewright.annotate.masks import edit_masks

    place = Workspace(Path(sys.argv[1]))
    with open_side(place, place.dst, MeanModels()) as run:
        edit_masks(run, run.faces.faces, AnnotationOptions(serve="--serve" in sys.argv, manual_window_size=640))
