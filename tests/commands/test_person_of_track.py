"""Person and track numbers of a video's faces, as the extraction and the fix step write them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewright.core.workspace import Side, Workspace
from facewright.extract.options import PeopleOptions
from facewright.extract.people import number_after_extraction, number_new, number_people
from facewright.extract.side_run import open_side
from facewright.faces.faceset import load_faceset
from facewright.faces.record import load_record, update_record

Save = Callable[..., Path]
FRAMES = range(1, 25)
COVERED = range(9, 14)
BYSTANDER = range(3, 20)
RANDOM = np.random.default_rng(11)
WHO = RANDOM.normal(size=(3, 128))
WHO *= 0.45 / np.linalg.norm(WHO, axis=1, keepdims=True)


def face_of(who: int, covered: bool) -> np.ndarray:
    """Somebody, or somebody with a hand on the mouth: 0.55 from themselves, more than a person may differ."""
    own = WHO[who] + RANDOM.normal(size=128) * 0.08 / np.sqrt(128)
    if covered:
        own[:4] += 0.275
    return own.astype(np.float32)


@pytest.fixture
def clip(workspace: Workspace, save_drawn_face: Save) -> Side:
    """A video: a man with a hand on the mouth in between, and from frame 3 to 19 somebody beside him."""
    side = workspace.dst
    side.frames_dir.mkdir(parents=True, exist_ok=True)
    side.timing_file.write_text("{}")
    for frame in FRAMES:
        add(side, save_drawn_face, frame, 0, 0, frame in COVERED)
        if frame in BYSTANDER:
            add(side, save_drawn_face, frame, 1, 1, False)
    return side


def add(side: Side, save: Save, frame: int, place: int, who: int, covered: bool) -> None:
    path = save(side.aligned_dir / f"{frame:05d}_{place}.png", seed=1, frame=f"{frame:05d}.png")
    record = load_record(path)
    aside = np.float32([300.0 * place + frame, 0])
    left, top, right, bottom = record.rect
    box = (left + aside[0], top, right + aside[0], bottom)
    points = record.frame_landmarks + aside
    update_record(path, replace(record, frame_landmarks=points, rect=box, embedding=face_of(who, covered)))


def numbers(side: Side) -> dict[str, tuple[int | None, int | None]]:
    return {face.path.stem: (face.record.person, face.record.track) for face in load_faceset(side.aligned_dir).faces}


def of_place(found: dict[str, tuple[int | None, int | None]], place: int) -> set[tuple[int | None, int | None]]:
    return {both for stem, both in found.items() if stem.endswith(f"_{place}")}


def number(side: Side, **more: bool) -> None:
    with open_side(Workspace(side.root), side) as run:
        number_people(run, **more)


def test_a_hand_on_the_mouth_makes_nobody_else(clip: Side) -> None:
    number(clip)
    found = numbers(clip)
    assert of_place(found, 0) == {(1, 1)} and of_place(found, 1) == {(2, 2)}


def test_where_frames_are_no_video_each_face_speaks_for_itself(clip: Side) -> None:
    clip.timing_file.unlink()
    number(clip)
    found = numbers(clip)
    assert {person for person, _ in found.values()} == {1, 2, 3}
    assert {track for _, track in found.values()} == {None}


def test_a_second_run_writes_nothing_and_numbers_stay_when_faces_go(clip: Side) -> None:
    number(clip)
    before = {path: path.stat().st_mtime_ns for path in clip.aligned()}
    number(clip)
    assert {path: path.stat().st_mtime_ns for path in clip.aligned()} == before
    for frame in range(1, 8):
        (clip.aligned_dir / f"{frame:05d}_0.png").unlink()  # now the other one comes first
    with open_side(Workspace(clip.root), clip) as run:
        number_new(run)
    found = numbers(clip)
    assert of_place(found, 0) == {(1, 1)} and of_place(found, 1) == {(2, 2)}


def test_a_face_that_cannot_be_compared_is_whoever_its_track_is(clip: Side) -> None:
    path = clip.aligned_dir / "00006_0.png"
    number(clip)
    update_record(path, replace(load_record(path), embedding=None, person=None, track=None))
    for other in clip.aligned():
        update_record(other, replace(load_record(other), person=None))
    with open_side(Workspace(clip.root), clip, NoFaces()) as run:
        number_people(run)
    assert numbers(clip)["00006_0"] == (1, 1)


def test_tracks_alone_where_nobody_is_compared(clip: Side) -> None:
    for path in clip.aligned():
        update_record(path, replace(load_record(path), embedding=None))
    with open_side(Workspace(clip.root), clip) as run:
        number_after_extraction(run, PeopleOptions(people=False))
    found = numbers(clip)
    assert of_place(found, 0) == {(None, 1)} and of_place(found, 1) == {(None, 2)}


class NoFaces:
    """Models that see nobody in a chip."""

    class embedder:
        @staticmethod
        def embed(chips: list) -> list:
            return [None] * len(chips)
