"""Every event of a session: mouse, wheel and keys, and what lies on the disk afterwards."""

import numpy as np
import pytest

from annotate.person import Person
from annotate.sessions import HEIGHT, WIDTH, Mean, fill, open_session
from facewright.annotate.face import CHIN, NOSE, FaceSquare, mean_points, resize_by_wheel, square_of
from facewright.annotate.session import BUTTONS, around
from facewright.annotate.viewport import whole
from facewright.core.images import write_image
from facewright.core.workspace import Workspace
from facewright.ui.events import HELP, Do, Event, Key, coalesced, key_named


def test_a_new_face_follows_the_mouse_until_a_click(person: Person) -> None:
    person.move(100, 90)
    assert person.grabbed == 0 and person.middle() == (100, 90)
    np.testing.assert_allclose(person.faces[0].points[17:].mean(0), mean_points()[17:].mean(0) * 0 + [100, 90], atol=20)
    person.click(120, 80)
    assert person.grabbed is None
    person.move(10, 10)
    assert person.middle() == (120, 80)


def test_a_click_on_a_face_picks_it_up_without_a_jump(person: Person) -> None:
    person.click(120, 80)
    before = person.faces[0].points
    person.click(124, 85)
    assert person.grabbed == 0
    np.testing.assert_array_equal(person.faces[0].points, before)
    person.move(134, 85)
    assert person.middle() == (130, 80)
    person.click(134, 85)
    assert person.grabbed is None and person.middle() == (130, 80)


def test_a_click_elsewhere_is_one_more_face(person: Person) -> None:
    person.wheel(-8)
    person.click(70, 80)
    person.click(220, 150)
    assert person.grabbed == 1 and len(person.faces) == 2 and person.middle(1) == (220, 150)
    person.click(230, 150)
    assert person.grabbed is None and person.middle(0) == (70, 80) and person.middle(1) == (230, 150)


def test_a_face_can_be_dragged(person: Person) -> None:
    person.click(100, 80)
    left, top, *_ = person.faces[0].rect
    person.drag((left + 3, top + 3), (left + 43, top + 3))
    assert person.grabbed is None and person.middle() == (140, 80)


def test_a_landmark_can_be_dragged(person: Person) -> None:
    person.click(100, 80)
    before = person.faces[0].points.copy()
    start = tuple(before[NOSE])
    person.drag(start, (start[0] + 12, start[1] - 7))
    after = person.faces[0].points
    np.testing.assert_allclose(after[NOSE], before[NOSE] + (12, -7), atol=0.1)
    np.testing.assert_array_equal(np.delete(after, NOSE, 0), np.delete(before, NOSE, 0))
    assert person.grabbed is None and person.middle() == (100, 80)


def test_points_set_by_hand_move_along_and_are_not_looked_for_again(person: Person) -> None:
    person.click(100, 80)
    nose = person.faces[0].points[NOSE]
    person.drag(tuple(nose), (nose[0] + 12, nose[1]))
    before = person.faces[0].points.copy()
    left, top, *_ = person.faces[0].rect
    person.drag((left + 2, top + 2), (left + 32, top + 12))
    np.testing.assert_allclose(person.faces[0].points, np.add(before, [30, 10]), atol=0.01)


def test_a_slip_of_the_mouse_is_still_a_click(person: Person) -> None:
    person.click(100, 80)
    person.do(Do.DOWN, 100, 80, "left")
    person.move(102, 80)
    person.do(Do.UP, 102, 80, "left")
    assert person.grabbed == 0 and person.middle() == (100, 80)


def test_right_drag_places_the_mean_face(person: Person) -> None:
    person.drag((160, 100), (160, 150), "right")
    face = person.faces[0]
    assert person.grabbed is None and len(person.faces) == 1
    np.testing.assert_allclose(face.points[NOSE], (160, 100), atol=0.01)
    np.testing.assert_allclose(face.points[CHIN], (160, 150), atol=0.01)
    assert abs(face.square.roll) < 0.1
    person.drag((60, 100), (20, 100), "right")  # the chin is on the left: the head lies turned clockwise by 90 degrees
    assert len(person.faces) == 2 and person.faces[1].square.roll == pytest.approx(90, abs=0.1)


def test_a_mere_right_click_changes_nothing(person: Person) -> None:
    person.click(100, 80)
    person.drag((30, 30), (31, 30), "right")
    assert len(person.faces) == 1 and person.grabbed is None


def test_the_wheel_sizes_the_face_in_hand_only(person: Person) -> None:
    person.move(100, 80)
    half = person.faces[0].square.half
    person.wheel(1)
    assert person.faces[0].square.half == half + 8  # a tenth of 80
    person.key("-", "+", "=", "-")
    assert person.faces[0].square.half == pytest.approx(half + 8, abs=3)
    person.click(100, 80)
    before = person.faces[0].square
    person.wheel(3)
    assert person.faces[0].square == before


@pytest.mark.parametrize(
    ("half", "steps", "result"),
    [(100, 1, 110), (400, 1, 410), (60, -1, 54), (40, 1, 41), (40, -1, 39), (5, -3, 5), (41, -2, 36)],
)
def test_sizes_of_the_wheel(half: float, steps: int, result: float) -> None:
    assert resize_by_wheel(half, steps, 10.0) == result


def test_keys_turn_the_face_in_hand(person: Person) -> None:
    person.move(100, 80)
    person.key("r", "r")
    assert person.faces[0].square.roll == 30
    assert square_of(person.faces[0].points).roll == pytest.approx(30, abs=0.5)
    person.key("e", "e", "e")
    assert person.faces[0].square.roll == -15


def test_delete_takes_the_face_in_hand_or_under_the_mouse(person: Person) -> None:
    person.move(100, 80)
    person.key("Delete")
    assert person.faces == () and person.grabbed is None
    for _ in range(3):  # a new one, put down, picked up
        person.click(100, 80)
    person.move(300, 230)
    person.key("Delete")
    assert person.faces == ()
    person.key("n")
    person.wheel(-15)
    person.click(100, 80)
    person.move(315, 235)
    person.key("Delete")
    assert len(person.faces) == 1
    person.move(101, 81)
    person.key("Backspace")
    assert person.faces == ()


def test_escape_lets_go(person: Person) -> None:
    person.move(50, 50)
    person.key("Escape")
    assert person.faces == ()
    person.key("n")
    person.click(100, 80)
    person.click(100, 80)
    person.move(150, 90)
    person.key("Escape")
    assert person.middle() == (100, 80) and person.grabbed is None


def test_n_takes_a_face_on_top_of_another(person: Person) -> None:
    person.click(100, 80)
    person.key("n")
    assert len(person.faces) == 2 and person.grabbed == 1 and person.middle(1) == (100, 80)


def test_undo(person: Person) -> None:
    person.click(100, 80)
    nose = person.faces[0].points[NOSE]
    person.drag(tuple(nose), (nose[0] + 12, nose[1]))
    person.key("Delete")
    assert person.faces == ()
    person.key("u")
    assert person.faces[0].points[NOSE][0] == pytest.approx(nose[0] + 12, abs=0.1)
    person.key("u")
    np.testing.assert_array_equal(person.faces[0].points[NOSE], nose)
    person.key(*"uuuuuuu")


def test_help_and_second_look(person: Person) -> None:
    person.move(100, 80)
    with_help = person.session.picture()
    person.key("h")
    assert "h" not in person.session.facts().pressed
    np.testing.assert_array_equal(with_help, person.session.picture())  # help is beside the frame
    before = person.faces[0].points.copy()
    person.key("a")
    np.testing.assert_allclose(person.faces[0].points, np.add(before, [0, 1]), atol=0.01)
    person.key("a")
    np.testing.assert_allclose(person.faces[0].points, before, atol=0.01)


def test_the_size_goes_on_to_the_next_frame(person: Person) -> None:
    person.wheel(-20)
    half = person.faces[0].square.half
    person.key("Space")
    assert person.faces[0].square.half == half


def test_a_new_face_has_the_size_of_those_that_are_there(workspace: Workspace) -> None:
    fill(workspace.dst)
    first = Person(open_session(workspace))
    first.wheel(-12)
    half = first.faces[0].square.half
    first.key("Enter")
    again = Person(open_session(workspace))
    again.key("Space")
    assert again.faces[0].file is None
    assert again.faces[0].square.half == pytest.approx(half, rel=0.1)


def test_a_picture_of_20_megapixels(workspace: Workspace) -> None:
    fill(workspace.dst, 1, size=(3800, 5300))
    session = open_session(workspace, window_size=1368)
    assert session.picture().shape == (981, 1368, 3)
    session.handle(Event(Do.MOVE, 0.5, 0.5))
    session.handle(Event(Do.KEY, what="Enter"))
    assert session.done and session.faces == 1


@pytest.mark.parametrize(
    ("longest", "room", "size"),
    [(0, None, (240, 320)), (640, None, (480, 640)), (160, None, (120, 160)), (1368, (613, 600), (460, 613))],
)
def test_the_size_of_the_view(longest: int, room: tuple[int, int] | None, size: tuple[int, int]) -> None:
    port = whole((HEIGHT, WIDTH), longest, room)
    assert port.shown == size and port.pixel == pytest.approx(HEIGHT / size[0], rel=0.01)
    assert port.cut(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).shape == (*size, 3)


def test_landmarks_are_looked_for_in_the_part_around_the_square() -> None:
    picture = np.arange(400 * 600 * 3, dtype=np.uint32).astype(np.uint8).reshape(400, 600, 3)
    near, left, top = around(picture, FaceSquare(300, 200, 20))
    assert near.shape[:2] == (240, 240) and (left, top) == (180, 80)
    np.testing.assert_array_equal(near, picture[80:320, 180:420])
    assert around(picture, FaceSquare(5, 395, 20))[0].shape[:2] == (125, 125)
    assert around(picture, FaceSquare(-900, 200, 20))[0].shape == picture.shape


@pytest.mark.parametrize("size", [(1, 1), (40, 50), (30, 2000)])
def test_tiny_and_long_frames_can_be_drawn(workspace: Workspace, size: tuple[int, int]) -> None:
    workspace.dst.frames_dir.mkdir()
    write_image(workspace.dst.frames_dir / "1.png", np.zeros((*size, 3), np.uint8))
    person = Person(open_session(workspace))
    assert person.session.picture().shape == (size[0], size[1], 3)
    person.drag((5, 5), (20, 25), "right")
    person.session.picture()


def test_names_of_keys() -> None:
    assert key_named(" ") is Key.SKIP and key_named("Q") is Key.QUIT and key_named("=") is Key.LARGER
    assert key_named("F5") is None and key_named("") is None and key_named("ß") is None
    shown_keys = " ".join(keys for keys, _ in HELP)
    for key in Key:
        assert {"Escape": "Esc"}.get(key, key) in shown_keys
    beside = {button.key for group in BUTTONS for button in group}
    assert set(Key) <= beside, "whoever has no keyboard can do all of it"


def test_moves_are_coalesced_and_clicks_are_not() -> None:
    moves = [Event(Do.MOVE, x) for x in (0.1, 0.2)]
    press = Event(Do.DOWN, 0.2, what="left")
    wheel = Event(Do.WHEEL, 0.2, steps=2)
    assert coalesced([*moves, press, press, *moves, wheel, wheel]) == [
        moves[1], press, press, moves[1], Event(Do.WHEEL, 0.2, steps=4),
    ]  # fmt: skip


def test_a_held_key_is_one_larger_step(workspace: Workspace) -> None:
    larger, turn, accept = (Event(Do.KEY, what=name) for name in ("+", "r", "Enter"))
    assert coalesced([larger, larger, Event(Do.KEY, what="+", steps=3), turn, accept, accept]) == [
        Event(Do.KEY, what="+", steps=5), turn, accept, accept,
    ]  # fmt: skip
    fill(workspace.dst)
    pressed, held = open_session(workspace), open_session(workspace)
    for event in [larger] * 5 + [turn] * 3:
        pressed.handle(event)
    for event in (Event(Do.KEY, what="+", steps=5), Event(Do.KEY, what="r", steps=3)):
        held.handle(event)
    np.testing.assert_array_equal(pressed.picture(), held.picture())


def test_a_place_outside_of_the_picture_is_on_its_edge(workspace: Workspace) -> None:
    fill(workspace.dst)
    outside, edge = open_session(workspace), open_session(workspace)
    outside.handle(Event(Do.MOVE, -40.0, -1e5))
    edge.handle(Event(Do.MOVE, 0.0, 0.0))
    np.testing.assert_array_equal(outside.picture(), edge.picture())


def test_the_mean_face_of_the_tests_lies_as_the_square() -> None:
    from facewright.extract.detectors.base import Box

    points = Mean().find(np.zeros((9, 9, 3), np.uint8), Box(10, 20, 110, 120, 1.0, 25.0))
    square = square_of(points)
    assert (square.x, square.y, square.half, square.roll) == pytest.approx((60, 70, 50, 25), abs=0.1)
