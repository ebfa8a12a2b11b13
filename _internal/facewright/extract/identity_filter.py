"""Keep or drop faces by photos of people: a face is compared with the face in each photo.

This compares faces inside the user's own material with photos that the user brings. It knows nobody and finds nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewright.core import console, workers
from facewright.core.errors import UserError
from facewright.core.files import IMAGE_EXTENSIONS, list_files
from facewright.core.images import Image, read_image
from facewright.extract.detection import search
from facewright.extract.detectors.base import Detector
from facewright.extract.embedding import AT_ONCE, Embedder, chip, shows_enough
from facewright.extract.filters import Answer, Dropped
from facewright.extract.landmarks import Landmarker
from facewright.faces.record import EMBEDDING, FaceRecord, load_record

# Of 4,900 faces of ten people a single photo keeps 99.9 % of the person's own and 0.3 % of the others' (three photos:
# 100 % and 0.4 %); at dlib's 0.6 it is 100 % and 1.7 %, people who look alike (tests/benchmarks/people.py).
THRESHOLD = 0.5

Numbers = NDArray[np.float32]
NOBODY: Numbers = np.zeros((0, EMBEDDING), np.float32)


@dataclass(frozen=True)
class Recognizer:
    """A check of the extraction: puts the embedding into each record and asks whether the person is wanted.

    Attributes:
        embedder: Computes embeddings.
        wanted: (n, 128) of the people to keep; none keeps everybody.
        unwanted: (m, 128) of the people to leave out.
        threshold: Distance up to which a face is that of a photo. A face near to both goes to the nearer one.
        noted: Whether the embedding goes into the record.
    """

    embedder: Embedder
    wanted: Numbers = field(default_factory=lambda: NOBODY)
    unwanted: Numbers = field(default_factory=lambda: NOBODY)
    threshold: float = THRESHOLD
    noted: bool = True

    def __call__(self, picture: Image, record: FaceRecord) -> FaceRecord | Dropped:
        """Look at one face; may be called from several threads at once."""
        return self._answer(record, self.embedder.face(picture, record.frame_landmarks))

    def many(self, faces: Sequence[tuple[Image, FaceRecord]]) -> list[Answer]:
        """Look at several faces in a fraction of the time; see `facewright.extract.filters.CheckOfMany`."""
        found: list[Answer] = []
        for start in range(0, len(faces), AT_ONCE):
            part = faces[start : start + AT_ONCE]
            embeddings = self.embedder.embed([chip(picture, record.frame_landmarks) for picture, record in part])
            found += [self._answer(record, row) for (_, record), row in zip(part, embeddings, strict=True)]
        return found

    def _answer(self, record: FaceRecord, embedding: Numbers) -> FaceRecord | Dropped:
        liked, disliked = nearest(embedding, self.wanted), nearest(embedding, self.unwanted)
        if disliked <= self.threshold and disliked <= liked:
            return Dropped(f"a person to leave out: {disliked:.2f}")
        if len(self.wanted) and liked > self.threshold:
            return Dropped(f"another person: {liked:.2f}")
        return replace(record, embedding=embedding) if self.noted else record


def nearest(embedding: Numbers, people: Numbers) -> float:
    """Return the distance to the nearest of (n, 128); infinite where there are none."""
    return float(np.linalg.norm(people - embedding, axis=1).min()) if len(people) else float("inf")


def people_of_photos(
    given: Sequence[str], flag: str, detector: Detector, landmarker: Landmarker, embedder: Embedder
) -> Numbers:
    """Return the embedding of the one face in each photo, (n, 128) float32.

    A photo that is an aligned face of this program needs no search. In a folder, photos that do not serve are named
    and passed over.

    Args:
        given: Photos and folders of photos.
        flag: What they were given with, for messages.
        detector: Searches the photos.
        landmarker: Finds the landmarks.
        embedder: Computes the embeddings.

    Raises:
        UserError: One is missing or unreadable, shows no face or several, or a folder holds none that serves.
    """
    found: list[Numbers] = []
    for text in given:
        path = Path(text).expanduser()
        if not path.is_dir():
            found.append(_face(path, flag, detector, landmarker, embedder))
            continue
        before = len(found)
        for photo in list_files(path, IMAGE_EXTENSIONS):
            try:
                found.append(_face(photo, flag, detector, landmarker, embedder))
            except UserError as problem:
                console.warn(f"Passed over: {problem.happened}")
        if len(found) == before:
            raise UserError(
                f"{path} holds no photo that shows one face.",
                f"a photo, or a folder of photos, of the person behind {flag}.",
                "put a photo there on which the person is alone and looks towards the camera.",
            )
    return np.stack(found) if found else NOBODY


def _face(path: Path, flag: str, detector: Detector, landmarker: Landmarker, embedder: Embedder) -> Numbers:
    if not path.is_file():
        raise UserError(
            f"There is no photo {path}.",
            f"a photo, or a folder of photos, behind {flag}; several of them each with {flag} before it.",
            "check the spelling and the folder.",
        )
    known = _known(path, embedder)
    if known is not None:
        return known
    with workers.threads(1) as readers:
        (seen,) = search([path], detector, readers)
    if seen.problem is not None:
        raise UserError(
            f"{path.name} cannot be read as a picture.",
            f"a photo behind {flag}: {', '.join(IMAGE_EXTENSIONS)}.",
            "save it anew from another program, or take another photo.",
        ) from seen.problem
    if len(seen.boxes) != 1:
        raise UserError(
            f"{path.name} shows {len(seen.boxes) or 'no'} face{'s' if seen.boxes else ''}, as far as can be seen.",
            f"a photo behind {flag} with the face of one person.",
            "cut the photo so that one face is left."
            if seen.boxes
            else "take a photo on which the face is larger and looks towards the camera.",
        )
    picture = seen.picture if seen.picture is not None else read_image(path)
    return embedder.face(picture, landmarker.find(picture, detector.landmark_square(seen.boxes[0])))


def _known(path: Path, embedder: Embedder) -> Numbers | None:
    """Return what the record of an aligned face says; None for any other picture."""
    try:
        record = load_record(path)
    except UserError:
        return None
    if record.embedding is not None:
        return record.embedding
    return embedding_of(path, record, embedder)


def embedding_of(path: Path, record: FaceRecord, embedder: Embedder) -> Numbers | None:
    """Compute the embedding of an aligned face from its picture; None where it shows too little of the face.

    Raises:
        UserError: The picture is damaged.
    """
    if not shows_enough(record.face_type):
        return None
    return np.asarray(embedder.embed([chip(read_image(path), record.landmarks)])[0])
