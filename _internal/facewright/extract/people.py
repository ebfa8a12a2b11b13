"""Number the people of a side: embeddings where they are missing, groups, and the numbers in the records."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facewright.core import console, workers
from facewright.core.errors import UserError
from facewright.core.images import Image, read_image
from facewright.core.workspace import Side
from facewright.extract.embedding import AT_ONCE, Embedder, chip, shows_enough
from facewright.faces.align import cut
from facewright.faces.faceset import FaceFile, Faceset, load_faceset
from facewright.faces.grouping import THRESHOLD, keep_numbers, persons
from facewright.faces.record import update_record

ALIKE = 12.0  # mean difference of grey values up to which a picture is the one that was cut out of a frame


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


def number_people(side: Side, *, threshold: float = THRESHOLD, anew: bool = False) -> People:
    """Give every face without one the number of its person; the caller holds the side's lock.

    Persons who have a number keep it. A kill at any moment loses nothing: the next call does what is missing.

    Args:
        side: Whose faces.
        threshold: See `facewright.faces.grouping.persons`.
        anew: Forget the old numbers.
    """
    faceset = load_faceset(side.aligned_dir)
    faces = _with_embeddings(side, faceset.faces)
    known = [index for index, face in enumerate(faces) if face.record.embedding is not None]
    if anew or any(faces[index].record.person is None for index in known):
        vectors = [faces[index].record.embedding for index in known]
        frames = [faces[index].record.frame for index in known]
        embeddings = np.stack([vector for vector in vectors if vector is not None]) if known else np.zeros((0, 128))
        numbers = persons(np.asarray(embeddings, np.float32), threshold, frames)
        if not anew:
            numbers = keep_numbers(numbers, [faces[index].record.person for index in known])
        wanted = dict(zip(known, numbers.tolist(), strict=True))
        if anew:
            # In between no face has a number that means somebody else: after a kill the rest is missing, not wrong.
            changing = {index: None for index, number in wanted.items() if faces[index].record.person != number}
            faces = _noted(faces, changing)
        faces = _noted(faces, wanted)
    return _people(Faceset(faces, faceset.bad))


def read_people(side: Side) -> People:
    """Return the people as the records have them; nothing is computed."""
    return _people(load_faceset(side.aligned_dir))


def _people(faceset: Faceset) -> People:
    groups: dict[int, list[FaceFile]] = {}
    for face in sorted(faceset.faces, key=lambda face: (face.record.frame, face.path.name)):
        groups.setdefault(face.record.person or 0, []).append(face)
    unknown = groups.pop(0, [])
    return People([Person(number, groups[number]) for number in sorted(groups)], unknown, faceset.bad)


def _noted(faces: Sequence[FaceFile], numbers: Mapping[int, int | None]) -> list[FaceFile]:
    """Write the numbers of faces (by their index) into their files, where they differ."""
    changed = {
        index: FaceFile(faces[index].path, replace(faces[index].record, person=number))
        for index, number in numbers.items()
        if faces[index].record.person != number
    }
    with workers.threads(workers.cores()) as pool:
        done = workers.ordered_map(_write, changed.values(), pool, ahead=4 * workers.cores())
        for _ in console.progress(done, total=len(changed), title="Persons", unit="faces") if changed else ():
            pass
    return [changed.get(index, face) for index, face in enumerate(faces)]


def _write(face: FaceFile) -> None:
    if face.path.exists():  # somebody deleted it meanwhile: it is not to come back
        update_record(face.path, face.record)


def _with_embeddings(side: Side, faces: Sequence[FaceFile]) -> list[FaceFile]:
    """Compute and write the embeddings that are missing; faces that give none stay as they are."""
    lacking = [index for index, face in enumerate(faces) if face.record.embedding is None]
    result = list(faces)
    if not lacking:
        return result
    embedder = Embedder()
    chip_from = chip_of(side)
    with workers.threads(workers.cores()) as pool:
        chips = workers.ordered_map(lambda index: chip_from(faces[index]), lacking, pool, ahead=2 * AT_ONCE)
        shown = console.progress(chips, total=len(lacking), title="Comparing", unit="faces")
        for batch in _batches(zip(lacking, shown, strict=True)):
            found = embedder.embed([one for _, one in batch])
            for (index, _), embedding in zip(batch, found, strict=True):
                result[index] = FaceFile(faces[index].path, replace(faces[index].record, embedding=embedding))
                _write(result[index])
    return result


def _batches(chips: Iterator[tuple[int, Image | None]]) -> Iterator[list[tuple[int, Image]]]:
    """Gather chips that are there into batches."""
    batch: list[tuple[int, Image]] = []
    for index, one in chips:
        if one is not None:
            batch.append((index, one))
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def chip_of(side: Side) -> Callable[[FaceFile], Image | None]:
    """Return a function that cuts a face's chip from its aligned picture, or, of a half face, from its frame.

    None comes back where neither is there to be read.
    """

    def chip_from(face: FaceFile) -> Image | None:
        record = face.record
        try:
            aligned = read_image(face.path)
            if shows_enough(record.face_type):
                return chip(aligned, record.landmarks)
            frame = read_image(side.frames_dir / record.frame)
        except UserError:
            return None
        # Faces that came from elsewhere may name a frame that is another one here.
        there = cut(frame, record.matrix, record.size)
        alike = there.shape == aligned.shape and np.abs(there.astype(np.float32) - aligned).mean() < ALIKE
        return chip(frame, record.frame_landmarks) if alike else None

    return chip_from


def summary(people: People) -> str:
    """Say in a line who is there."""
    if not people.persons:
        return "No face could be compared."
    if len(people.persons) == 1:
        return f"All {people.count} faces are one person's."
    most = sorted(people.persons, key=lambda person: -len(person.faces))
    shown = [f"number {one.number} with {len(one.faces)} face{'s' * (len(one.faces) > 1)}" for one in most]
    return f"People: {len(shown)} ({console.listed(shown, 4)})."
