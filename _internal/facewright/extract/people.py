"""Number the people of a side: embeddings where they are missing, groups, and the numbers in the records."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import natural
from facewright.core.images import Image, read_image
from facewright.core.machine import cores
from facewright.core.workers import ordered_map
from facewright.core.workspace import Side
from facewright.extract.embedding import EMBED_BATCH, chip, holds_chip
from facewright.extract.follow import is_video
from facewright.extract.options import PeopleOptions
from facewright.extract.side_run import SideRun
from facewright.faces.faceset import FaceFile, FaceIndex
from facewright.faces.grouping import MAX_GROUP_DISTANCE, Labels, keep_numbers, one_per_track, persons
from facewright.faces.likeness import shows
from facewright.faces.record import FaceRecord


@dataclass(frozen=True)
class Person:
    """One person of a side.

    Attributes:
        number: As it stands in the records.
        faces: In the order of their frames.
    """

    number: int
    faces: list[FaceFile]

    @property
    def first(self) -> str:
        """Name of the first frame, without the ending."""
        return self.faces[0].stem

    @property
    def last(self) -> str:
        """Name of the last frame, without the ending."""
        return self.faces[-1].stem


@dataclass(frozen=True)
class People:
    """All faces of a side by person.

    Attributes:
        persons: By number.
        unknown: Faces that could not be compared.
        bad: Files that are no faces, each with what is wrong.
    """

    persons: list[Person]
    unknown: list[FaceFile]
    bad: list[tuple[Path, UserError]]

    @property
    def count(self) -> int:
        """Number of faces that have a person."""
        return sum(len(person.faces) for person in self.persons)

    def numbers(self) -> list[int]:
        """Numbers of the persons, in ascending order."""
        return [person.number for person in self.persons]


def number_people(run: SideRun, *, threshold: float = MAX_GROUP_DISTANCE, anew: bool = False) -> People:
    """Give every face without one the number of its person.

    Persons who have a number keep it. A kill at any moment loses nothing: the next call does what is missing.

    Args:
        run: Whose faces.
        threshold: See `facewright.faces.grouping.persons`.
        anew: Forget the old numbers.
    """
    _add_embeddings(run)
    tracks = _tracks(run)
    wanted = [replace(face.record, track=track) for face, track in zip(run.faces.faces, tracks, strict=True)]
    if anew or any(record.person is None and record.embedding is not None for record in wanted):
        numbers = _numbers_of(wanted, threshold)
        if not anew:
            numbers = keep_numbers(numbers, [record.person for record in wanted])
        given = [number or None for number in numbers.tolist()]
        if anew:
            # In between no face has a number that means somebody else: after a kill the rest is missing, not wrong.
            changed = [one.person != number for one, number in zip(wanted, given, strict=True)]
            _write(run, [replace(one, person=None) if new else one for one, new in zip(wanted, changed, strict=True)])
        wanted = [replace(one, person=number) for one, number in zip(wanted, given, strict=True)]
    _write(run, wanted)
    return people_of(run.faces)


def _tracks(run: SideRun) -> list[int | None]:
    """Return the number of each face's track; numbers stay when faces come and go.

    None where frames are no video, and where an older version numbered all people: its faces stay as they are.
    """
    files = run.faces.faces
    of_older_version = all(file.record.track is None and file.record.person is not None for file in files)
    if of_older_version or not is_video(run.side, run.log):
        return [None] * len(files)
    numbers = np.array(run.followed().track_numbers(), np.int64)
    return list(keep_numbers(numbers, [file.record.track for file in files]).tolist())


def _numbers_of(records: Sequence[FaceRecord], threshold: float) -> Labels:
    """Return the number of each face's person; 0 for one that can neither be compared nor followed."""
    numbers = np.zeros(len(records), np.int64)
    known = [index for index, record in enumerate(records) if record.embedding is not None]
    vectors = [one for record in records if (one := record.embedding) is not None]
    if known:
        numbers[known] = persons(np.stack(vectors), threshold, [records[index].frame for index in known])
    alone = max((record.track or 0 for record in records), default=0)
    tracks = [record.track or alone + 1 + index for index, record in enumerate(records)]
    return one_per_track(numbers, tracks)


def number_after_extraction(run: SideRun, options: PeopleOptions) -> None:
    """Number the people once all frames were searched, and say who is there."""
    if not run.side.aligned():
        return
    if not options.people:
        number_tracks(run)
        return
    people = number_people(run)
    console.say(people_summary(people))
    if len(people.persons) > 1:
        console.say(f"  To see them and keep whom you choose:{run.side.hint('keep')}")


def number_tracks(run: SideRun) -> None:
    """Write the numbers of the tracks alone into the faces."""
    tracks = _tracks(run)
    _write(run, [replace(face.record, track=track) for face, track in zip(run.faces.faces, tracks, strict=True)])


def number_new(run: SideRun) -> None:
    """Number tracks and, where the others have numbers, people, after faces came or went."""
    if people_of(run.faces).persons:
        number_people(run)
    else:
        number_tracks(run)


def people_of(faceset: FaceIndex) -> People:
    """Return the people as the records have them; nothing is computed."""
    groups: dict[int, list[FaceFile]] = {}
    for face in sorted(faceset.faces, key=lambda face: (natural(face.record.frame), natural(face.path.name))):
        groups.setdefault(face.record.person or 0, []).append(face)
    unknown = groups.pop(0, [])
    return People([Person(number, groups[number]) for number in sorted(groups)], unknown, faceset.bad)


def _write(run: SideRun, wanted: Sequence[FaceRecord]) -> None:
    """Write the numbers of all faces into the files where they are others."""
    pairs = zip(run.faces.faces, wanted, strict=True)
    changed = [
        FaceFile(face.path, one)
        for face, one in pairs
        if (face.record.person, face.record.track) != (one.person, one.track)
    ]
    if changed:
        done = ordered_map(run.faces.write, changed, run.executor, ahead=4 * cores())
        for _ in console.progress(done, total=len(changed), title="People", unit="faces"):
            pass


def _add_embeddings(run: SideRun) -> None:
    """Compute and write the embeddings that are missing; faces that give none stay as they are."""
    lacking = [face for face in run.faces.faces if face.record.embedding is None]
    if not lacking:
        return
    embedder = run.models.embedder
    chips = ordered_map(chip_of(run.side), lacking, run.executor, ahead=2 * EMBED_BATCH)
    shown = console.progress(chips, total=len(lacking), title="Comparing", unit="faces")
    for batch in _batches(zip(lacking, shown, strict=True)):
        found = embedder.embed([one for _, one in batch])
        for (face, _), embedding in zip(batch, found, strict=True):
            run.faces.write(FaceFile(face.path, replace(face.record, embedding=embedding)))


def _batches(chips: Iterator[tuple[FaceFile, Image | None]]) -> Iterator[list[tuple[FaceFile, Image]]]:
    """Gather chips that are there into batches."""
    batch: list[tuple[FaceFile, Image]] = []
    for face, one in chips:
        if one is not None:
            batch.append((face, one))
        if len(batch) == EMBED_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def chip_of(side: Side) -> Callable[[FaceFile], Image | None]:
    """Return a function that cuts a face's chip from its aligned image, or, of a half face, from its frame.

    None comes back where neither is there to be read.
    """

    def chip_from(face: FaceFile) -> Image | None:
        record = face.record
        try:
            aligned = read_image(face.path)
            if holds_chip(record.face_type):
                return chip(aligned, record.landmarks)
            frame = read_image(side.frames_dir / record.frame)
        except UserError:
            return None
        # Faces that came from elsewhere may name a frame that is another one here.
        return chip(frame, record.frame_landmarks) if shows(frame, aligned, record.matrix) else None

    return chip_from


def people_summary(people: People) -> str:
    """Say in a line who is there."""
    if not people.persons:
        return "No face could be compared."
    if len(people.persons) == 1:
        return f"One person: {console.counted(people.count, 'face')}."
    most = sorted(people.persons, key=lambda person: -len(person.faces))
    shown = [f"number {one.number} with {console.counted(len(one.faces), 'face')}" for one in most]
    return f"People: {len(shown)} ({console.listed(shown, 4)})."
