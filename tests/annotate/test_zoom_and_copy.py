"""Zoom, moving the part that is shown, going to a frame, copying faces, and what is said beside the frame."""

import time

import numpy as np
import pytest

from annotate.person import Person, names
from annotate.sessions import HEIGHT, WIDTH, fill, open_session
from facewright.annotate.desk import PANEL, Desk
from facewright.annotate.face import CHIN, NOSE
from facewright.annotate.session import BUTTONS
from facewright.annotate.viewport import whole
from facewright.core.images import Image
from facewright.core.workspace import Workspace
from facewright.faces.record import load_record
from facewright.ui.events import Do, Event, event_of


def test_zooming_keeps_the_place_under_the_mouse_and_never_leaves_the_image() -> None:
    port = whole((400, 600), 300).nearer(6, 0.25, 0.8)
    assert port.shown == (200, 300) and port.pixel == pytest.approx(2 / 1.2**6)
    assert port.place(0.25, 0.8) == pytest.approx(whole((400, 600), 300).place(0.25, 0.8))
    far = port.moved(1e9, 1e9)
    assert far.place(1, 1) == pytest.approx((599.5, 399.5)) and far.moved(-1e9, -1e9).place(0, 0) == (-0.5, -0.5)
    assert port.nearer(-1000, 0.5, 0.5) == whole((400, 600), 300)
    assert port.nearer(10**9, 0.5, 0.5).pixel == pytest.approx(2 / 32)


def test_what_is_shown_is_the_part_that_the_matrix_says() -> None:
    image = np.zeros((400, 600, 3), np.uint8)
    image[101, 303] = 255
    port = whole((400, 600), 600).nearer(9, 303 / 600, 101 / 400)
    x, y = port.matrix @ (303, 101, 1)
    shown = port.cut(image)[..., 0]
    middle = np.argwhere(shown > 128).mean(axis=0)
    assert middle == pytest.approx((y, x), abs=0.6) and port.place((x + 0.5) / 600, (y + 0.5) / 400) == (303, 101)


def zoomed_place(person: Person, x: float, y: float) -> tuple[float, float]:
    """Shares of the view at which a pixel of the frame is seen."""
    port = person.session.eye.port
    left, top = port.matrix @ (x, y, 1)
    return (left + 0.5) / port.shown[1], (top + 0.5) / port.shown[0]


def test_faces_are_placed_where_they_are_seen_when_zoomed(person: Person) -> None:
    person.key("Delete")
    before = person.session.picture()
    person.session.handle(Event(Do.ZOOM, 0.5, 0.5, steps=5))
    person.key("ArrowRight", "ArrowDown")
    assert (person.session.picture() != before).any()
    nose, chin = (zoomed_place(person, x, y) for x, y in ((180, 130), (185, 170)))
    person.session.handle(Event(Do.DOWN, *nose, "right"))
    person.session.handle(Event(Do.MOVE, *chin))
    person.session.handle(Event(Do.UP, *chin, "right"))
    np.testing.assert_allclose(person.faces[0].points[[NOSE, CHIN]], [(180, 130), (185, 170)], atol=0.01)
    person.key("0")
    assert person.session.eye.port.zoom == 1
    np.testing.assert_allclose(person.faces[0].points[NOSE], (180, 130), atol=0.01)


def test_the_wheel_zooms_where_no_face_is_active(person: Person) -> None:
    person.key("Delete")
    person.session.handle(Event(Do.WHEEL, 0.2, 0.2, steps=2))
    assert person.session.eye.port.zoom == pytest.approx(1.2**2)


def test_the_middle_button_moves_the_image_and_no_face(person: Person) -> None:
    person.click(100, 80)
    person.key("z", "z")
    before = person.session.eye.port
    person.do(Do.DOWN, 200, 200, "middle")
    person.move(180, 190)
    person.do(Do.UP, 180, 190, "middle")
    person.move(10, 10)
    after = person.session.eye.port
    assert after.left - before.left == pytest.approx(20 * after.pixel)
    assert after.top - before.top == pytest.approx(10 * after.pixel)
    assert len(person.faces) == 1 and person.middle() == (100, 80)


def test_a_finger_aims_less_well_than_a_mouse(person: Person) -> None:
    person.click(100, 80)
    nose = person.faces[0].points[NOSE]
    person.session.eye.aim = 3.0
    person.drag((nose[0] + 1, nose[1] + 14), (nose[0] + 40, nose[1] + 60))
    moved = np.abs(person.faces[0].points - nose).max(axis=1)
    assert person.grabbed is None and person.middle() == (100, 80) and moved.max() > 40, "a point, not the face"


def test_arrows_move_the_active_face_and_else_the_view(person: Person) -> None:
    person.move(100, 80)
    person.key("ArrowRight", "ArrowRight", "ArrowUp")
    assert person.middle() == (106, 77)
    person.session.handle(Event(Do.KEY, what="ArrowLeft", steps=4))
    assert person.middle() == (94, 77) and person.session.eye.port.left == 0
    person.key("Escape", "z", "ArrowRight", "ArrowRight")
    assert person.session.eye.port.left > 40


def test_place_by_drag_needs_no_right_button(person: Person) -> None:
    person.key("Delete", "p")
    assert "p" in person.session.facts().pressed
    person.drag((160, 100), (160, 150))
    np.testing.assert_allclose(person.faces[0].points[[NOSE, CHIN]], [(160, 100), (160, 150)], atol=0.01)


def test_faces_are_copied_from_the_neighbours(person: Person, workspace: Workspace) -> None:
    person.drag((100, 80), (110, 120), "right")
    first = person.faces[0].points
    person.key("Enter", "[")  # the new face in hand goes
    assert len(person.faces) == 1 and person.grabbed is None
    np.testing.assert_allclose(person.faces[0].points, first, atol=0.01)
    person.key("u", "[", "Enter")
    record = load_record(workspace.dst.aligned_dir / "00002_0.png")
    np.testing.assert_allclose(record.frame_landmarks, first, atol=0.01)
    assert record.frame == "00002.png" and record.detector == "manual"


def test_copying_over_a_bad_face_keeps_its_file(person: Person, workspace: Workspace) -> None:
    person.drag((100, 80), (110, 120), "right")
    good = person.faces[0].points
    person.key("Enter")
    person.drag((104, 84), (140, 90), "right")  # in hand: turned by far
    person.key("Enter", ",", "[")
    assert len(person.faces) == 1
    person.key("Enter")
    assert names(workspace) == ["00001_0.png", "00002_0.png"]
    record = load_record(workspace.dst.aligned_dir / "00002_0.png")
    np.testing.assert_allclose(record.frame_landmarks, good, atol=0.01)
    person.key("]", "[", "]")  # at the end of the list there is nothing to copy


def test_going_to_a_frame_keeps_what_was_put_down(person: Person, workspace: Workspace) -> None:
    person.click(90, 90)
    for there in (2, 99, -1):
        person.session.handle(Event(Do.GO, steps=there))
    assert names(workspace) == ["00001_0.png"] and "00003" in person.session.title


def test_why_a_frame_is_shown(workspace: Workspace) -> None:
    frames = fill(workspace.dst)
    session = open_session(workspace, frames[1:], reasons={"00002.png": ("turned by 30 degrees",)})
    assert session.facts().reasons == ("turned by 30 degrees",) and list(session.marks) == [1, 2]
    session.handle(Event(Do.KEY, what="Space"))
    assert session.facts().reasons == () and session.left == 0


def test_the_worst_frames_come_first(workspace: Workspace) -> None:
    frames = fill(workspace.dst, 5)
    session = open_session(workspace, [frames[3], frames[0], frames[4]])
    shown = []
    while not session.done:
        shown.append(session.facts().at)
        session.handle(Event(Do.KEY, what="Space"))
    assert shown == [3, 0, 4] and list(session.marks) == [0, 3, 4]


class AtDesk:
    """A person at the window, who presses what is seen on it."""

    def __init__(self, workspace: Workspace) -> None:
        self.session = open_session(workspace, reasons={"00001.png": ("jumps",)})
        self.desk = Desk(self.session, (1280, 900))
        self.look()

    def look(self) -> Image:
        self.image = self.desk.image()
        return self.image

    def press(self, x: float, y: float, until: tuple[float, float] | None = None) -> None:
        height, width = self.image.shape[:2]
        for do, at in ((Do.MOVE, (x, y)), (Do.DOWN, (x, y)), (Do.MOVE, until or (x, y)), (Do.UP, until or (x, y))):
            self.desk.handle(Event(do, at[0] / width, at[1] / height, "left"))
        self.look()


def test_the_window_has_buttons_and_a_slider_beside_the_frame(workspace: Workspace) -> None:
    fill(workspace.dst, 9)
    at = AtDesk(workspace)
    height, width = at.image.shape[:2]
    assert width == WIDTH + PANEL and height > HEIGHT
    np.testing.assert_array_equal(at.image[:HEIGHT, :WIDTH], at.session.picture())
    at.press(100, 90)
    assert at.session.state.grabbed is None and at.session.state.faces[0].square.x == pytest.approx(100, abs=1)
    places = {area.event.what: area for area in at.desk.buttons}
    assert set(places) == {button.key for group in BUTTONS for button in group}
    for key in ("Enter", "h"):
        area = places[key]
        at.press((area.left + area.right) / 2, (area.top + area.bottom) / 2)
    assert at.session.accepted == ["00001.png"] and "h" not in at.session.facts().pressed
    at.press(30, height - 20, until=(width - 1, height - 20))  # the slider, dragged over the panel to its end
    assert at.session.facts().at == 8
    at.desk.close()


def test_thumbnails_come_when_they_are_read(workspace: Workspace) -> None:
    fill(workspace.dst)
    at = AtDesk(workspace)
    first = at.image
    end = time.monotonic() + 30
    while at.desk.waiting and time.monotonic() < end:
        time.sleep(0.01)
    assert (at.look() != first).sum() > 10_000
    at.desk.close()


def test_words_of_a_window_for_zoom_and_the_middle_button() -> None:
    assert event_of("zoom -2 0.5 0.25") == Event(Do.ZOOM, 0.5, 0.25, steps=-2)
    assert event_of("down middle 0.5 1") == Event(Do.DOWN, 0.5, 1.0, "middle")
