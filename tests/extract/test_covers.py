"""Hands in front of the faces of a side: which faces are looked at, what their records say."""

import io
import re
import sys
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from drawn_hands import draw_face, draw_hand, face_points, hand_points
from facewright.core.errors import UserError
from facewright.core.images import write_image
from facewright.extract.covers import find_covers
from facewright.extract.hands import Hand
from facewright.extract.options import CoverOptions
from facewright.extract.side_run import ModelLoader, open_side
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.faces.occlusion import NOTHING, covered_share, is_covered
from facewright.faces.record import FaceRecord, load_record, save_face, update_record

FRAMES = 40
WITH_HAND = range(14, 24)
FACE = face_points((100, 90), 60)


def hand_at(number, aside=0):
    return hand_points((150 + aside - 2 * (number - 14), 150), 26, -35) if number in WITH_HAND else None


class DrawnHands:
    """Knows the hands, and counts who asks."""

    def __init__(self, presence=lambda number: 0.9, aside=0):
        self.asked = 0
        self.presence = presence
        self.aside = aside

    def find(self, image, landmarks):
        self.asked += 1
        number = int(image[0, 0, 0])  # each frame says its number in a corner
        points = hand_at(number, self.aside)
        if points is None:
            return []
        low, high = points.min(axis=0) - 10, points.max(axis=0) + 10
        square = np.float32([low, (high[0], low[1]), high, (low[0], high[1])])
        return [Hand(square, points.astype(np.float32), 0.9, self.presence(number))]


class Models(ModelLoader):
    """Without networks."""

    hands = None

    def __init__(self, hands):
        self.hands = hands


@pytest.fixture
def clip(workspace):
    """A face that hardly moves, and for some frames a hand in front of it."""
    side = workspace.dst
    side.aligned_dir.mkdir(parents=True)
    for number in range(FRAMES):
        image = np.full((200, 200, 3), 90, np.uint8)
        points = FACE + np.float32([np.sin(number), 0])
        draw_face(image, points, number)
        if number in WITH_HAND:
            draw_hand(image, hand_at(number))
        image = cv2.GaussianBlur(image, (0, 0), 0.8)
        image[0, 0] = number
        name = f"{number:05d}.png"
        write_image(side.frames_dir / name, image)
        record = FaceRecord.from_landmarks(
            points, FaceType.FULL, 128, frame=name, detector="drawn", score=1.0, rect=(70.0, 60.0, 130.0, 120.0)
        )
        save_face(side.aligned_dir / f"{number:05d}_0.png", record.cut(image), record)
    side.timing_file.write_text("{}")
    return workspace


def look(workspace, finder, **options):
    with open_side(workspace, workspace.dst, Models(finder)) as run:
        find_covers(run, CoverOptions(**options))
    return {int(face.stem): face.record for face in load_faceset(workspace.dst.aligned_dir).faces}


def test_hands_are_looked_for_in_few_frames_and_found_in_all(clip):
    finder = DrawnHands()
    records = look(clip, finder)
    shares = {number: covered_share(record) for number, record in records.items()}
    assert [number for number, share in shares.items() if share > 0] == list(WITH_HAND)
    assert all(is_covered(records[number]) for number in WITH_HAND)
    assert finder.asked < 30  # 20 of the frames are near the hand in time
    unseen = [number for number, record in records.items() if record.occlusion is None]
    assert len(unseen) > 10 and not set(unseen) & set(range(12, 25))
    assert all(record.occlusion for number, record in records.items() if number in WITH_HAND)


def test_a_hand_beside_the_face_is_looked_for_in_every_other_frame(clip):
    finder = DrawnHands(aside=80)
    records = look(clip, finder)
    assert finder.asked <= 6 + 12  # one of eight, and half of those between
    assert not any(record.occlusion for record in records.values())


class Terminal(io.StringIO):
    """Keeps what a terminal would show."""

    def isatty(self):
        return True


def test_the_bar_moves_while_faces_are_looked_at(clip, monkeypatch):
    class Slow(DrawnHands):
        def find(self, image, landmarks):
            time.sleep(0.05)
            return super().find(image, landmarks)

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    look(clip, Slow())
    counts = {int(count) for count in re.findall(rf"(\d+)/{FRAMES}", shown.getvalue())}
    assert {0, FRAMES} < counts


def test_what_is_never_seen_clearly_is_no_hand(clip):
    """An ear that turns into view is found as a palm for some frames; a hand is clear in one of them at least."""
    records = look(clip, DrawnHands(lambda number: 0.25))
    assert all(record.occlusion in (NOTHING, None) for record in records.values())


def test_a_blurred_hand_counts_beside_a_clear_one(clip):
    records = look(clip, DrawnHands(lambda number: 0.9 if number == 16 else 0.1))
    assert all(is_covered(records[number]) for number in range(16, 22))


class Partly(DrawnHands):
    """Finds the root of the hand alone; and in each frame another hand, far from the face, where that is wanted."""

    def __init__(self, *, another=False):
        super().__init__()
        low = hand_points((185, 190), 8, 0).astype(np.float32)
        corners = np.float32([(170, 175), (199, 175), (199, 199), (170, 199)])
        self.another = [Hand(corners, low, 0.9, 0.9)] if another else []

    def find(self, image, landmarks):
        number = int(image[0, 0, 0])
        found = super().find(image, landmarks)
        root = [replace(hand, points=np.float32((hand_at(number) + hand_at(number)[0]) / 2)) for hand in found]
        return root + self.another


@pytest.mark.parametrize("another", [False, True])
def test_a_hand_of_which_only_a_part_is_found_is_covered_as_far_as_it_goes(clip, another):
    """Also where a hand is near in all frames: those that it does not reach show the face itself."""
    covered = {number: covered_share(record) for number, record in look(clip, Partly(another=another)).items()}
    assert all(covered[number] > 0.15 for number in WITH_HAND)  # the whole hand covers 0.19 or more
    assert all(covered[number] < 0.02 for number in covered if number not in WITH_HAND)


def test_a_second_run_looks_at_nothing_and_changes_nothing(clip):
    before = look(clip, DrawnHands())
    again = DrawnHands()
    after = look(clip, again)
    assert again.asked == 0 and {n: r.occlusion for n, r in after.items()} == {
        n: r.occlusion for n, r in before.items()
    }


def test_what_a_kill_left_undone_is_done_by_the_next_run(clip):
    whole = look(clip, DrawnHands())
    # As after a kill: the samples are written last, and some of the others were.
    for number in (*range(15, 19), 20, 22, 24, *range(30, FRAMES)):
        path = clip.dst.aligned_dir / f"{number:05d}_0.png"
        update_record(path, replace(load_record(path), occlusion=None))
    after = look(clip, DrawnHands())
    assert {n: r.occlusion for n, r in after.items()} == {n: r.occlusion for n, r in whole.items()}


def test_a_face_that_was_placed_later_is_looked_at(clip):
    look(clip, DrawnHands())
    path = clip.dst.aligned_dir / "00018_0.png"
    update_record(path, replace(load_record(path), occlusion=None, detector="manual"))
    assert is_covered(look(clip, DrawnHands())[18])


def test_switched_off_or_without_networks_the_extraction_goes_on(clip, capsys):
    assert all(record.occlusion is None for record in look(clip, DrawnHands(), occlusion="off").values())

    class Missing(ModelLoader):
        @property
        def hands(self):
            raise UserError("A network is missing.", "the file.", "run the set-up.")

    with open_side(clip, clip.dst, Missing()) as run:
        find_covers(run, CoverOptions())
    assert "run the set-up" in capsys.readouterr().out
    assert all(face.record.occlusion is None for face in load_faceset(clip.dst.aligned_dir).faces)


def test_without_their_frames_no_face_is_taken_for_covered(clip, capsys):
    """In an aligned image alone a cheek looks like a palm."""
    for path in clip.dst.frames():
        if path.stem >= "00030":
            path.unlink()
    finder = DrawnHands()
    records = look(clip, finder)
    assert all(records[number].occlusion is None for number in range(30, FRAMES)) and is_covered(records[20])
    assert "10 faces" in capsys.readouterr().out
    for path in clip.dst.frames()[1:]:
        path.unlink()
    update_record(clip.dst.aligned_dir / "00020_0.png", replace(records[20], occlusion=None))
    asked = finder.asked
    assert look(clip, finder)[20].occlusion is None and finder.asked == asked


def test_photos_do_not_follow_each_other(clip):
    clip.dst.timing_file.unlink()
    finder = DrawnHands()
    records = look(clip, finder)
    assert finder.asked == FRAMES and all(record.occlusion is not None for record in records.values())
    assert all(is_covered(records[number]) for number in WITH_HAND)
