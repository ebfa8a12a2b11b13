"""Takes back what `mend_side` made: a round that was stopped, or all, where a person wants what was found."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash
from facewright.core.images import read_image
from facewright.extract.log import Entry, finished_manually
from facewright.extract.mend_side import TRIED
from facewright.extract.side_run import SideRun
from facewright.extract.smooth_side import with_landmarks
from facewright.faces.faceset import FaceFile
from facewright.faces.record import MANUAL_DETECTOR, BadRecord, FaceRecord, parse_record, save_face

EQUAL_PX = 0.002  # a record keeps thousandths


def undo_stopped(run: SideRun) -> None:
    """Take back a round that was stopped, so that the next one finds what it found."""
    if not run.log.in_round:
        return
    with run.log.writing():
        for name, entry in list(run.log.entries.items()):
            if entry.get("round") == run.log.round and not finished_manually(entry):
                _restore(run, name, entry)
                _take_away(run, name, entry)
        run.log.end_round()


def undo_all(run: SideRun) -> tuple[int, int]:
    """Take back all repairs, and move the faces that were filled in to the trash; neither is made again.

    Returns:
        How many faces have their own landmarks again, and how many are in the trash.
    """
    restored = 0
    with run.log.writing():
        for name, entry in list(run.log.entries.items()):
            if entry.get("repaired"):
                restored += _restore(run, name, entry)
                run.log.note_more(name, repaired=[])
    filled = [face.path for face in run.faces.faces if face.record.origin == "filled"]
    move_to_trash(filled, run.workspace.trash, by="fix --undo-repairs")
    run.faces.discard(filled)
    return restored, len(filled)


def _restore(run: SideRun, name: str, entry: Entry) -> int:
    """Give the repaired faces of a frame their own landmarks again; return how many."""
    faces = [face for face in run.faces.faces if face.record.frame == name and face.record.origin == "repaired"]
    pairs = [(face, before) for before in _records(entry) for face in faces if _is_of(face.record, before)]
    for face, before in pairs:
        now = face.record
        if now.mask is not None or now.polygons:  # before the repair or since: its image stays as it is
            record = with_landmarks(now, before.frame_landmarks) or now
            seen = {name: getattr(before, name) for name in ("origin", "embedding", "mesh", "mesh_score")}
            run.faces.write(FaceFile(face.path, replace(record, **seen)))
            continue
        record = replace(before, person=now.person, track=now.track)
        try:
            image = record.cut(read_image(run.side.frames_dir / name))
        except UserError as problem:  # the frame is gone or damaged
            console.warn(f"{face.path.name} keeps its repaired landmarks: {problem.happened}")
            continue
        save_face(face.path, image, record)
        run.faces.put(FaceFile(face.path, record))
    return len(pairs)


def _take_away(run: SideRun, name: str, entry: Entry) -> None:
    """Remove the faces that were made for a frame, and what the journal says of its mending."""
    made = set(entry.get("made") or ())
    paths = [face.path for face in run.faces.faces if face.path.name in made and _is_made_for(face.record, name)]
    for path in paths:
        path.unlink(missing_ok=True)
    run.faces.discard(paths)
    faces, boxes = list(entry.get("faces") or ()), list(entry.get("boxes") or ())
    kept = [(face, box) for face, box in zip(faces, boxes[: len(faces)], strict=False) if face not in made]
    run.log.note_more(
        name,
        faces=[face for face, _ in kept],
        boxes=[*(box for _, box in kept), *boxes[len(faces) :]],
        tried=",".join(word for word in run.log.tried(name) if word != TRIED),
        made=[],
        repaired=[],
    )


def _records(entry: Entry) -> Iterator[FaceRecord]:
    for text in entry.get("repaired") or ():
        try:
            yield parse_record(text)
        except BadRecord:  # somebody changed the journal
            continue


def _is_of(now: FaceRecord, before: FaceRecord) -> bool:
    """Whether a repaired face is that one, by the landmarks that were found."""
    return float(np.abs(now.found_landmarks - before.found_landmarks).max()) < EQUAL_PX


def _is_made_for(record: FaceRecord, frame: str) -> bool:
    return record.frame == frame and record.detector != MANUAL_DETECTOR
