"""Keep or drop faces by photos of people: a face is compared with the face in each photo.

This compares faces inside the user's own material with photos that the user brings. It knows nobody and finds nobody.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import PHONE_EXTENSIONS, PHOTO_EXTENSIONS, list_files, typed_path, write_bytes
from facewright.core.images import read_image
from facewright.core.left_out import warn_of_left_out_images
from facewright.core.options import several
from facewright.extract.detection import detect_in_file
from facewright.extract.detectors.base import Detector, default_detector
from facewright.extract.embedding import EMBED_BATCH, Embedder, Embeddings, chip, holds_chip
from facewright.extract.filters import FilterInput, FilterResult, Rejection
from facewright.extract.landmarkers.base import Landmarker
from facewright.extract.options import MAX_PHOTO_DISTANCE, PeopleOptions
from facewright.extract.side_run import ModelLoader
from facewright.faces.record import EMBEDDING, FaceRecord, load_record

NOBODY: Embeddings = np.zeros((0, EMBEDDING), np.float32)


@dataclass(frozen=True)
class IdentityFilter:
    """Puts the embedding into each record and keeps or leaves out people.

    Attributes:
        embedder: Computes embeddings.
        include: (n, 128) float32 of the people to keep; none keeps everybody.
        exclude: (m, 128) float32 of the people to leave out.
        threshold: Distance up to which a face is that of a photo. A face near to both goes to the nearer one.
        keep_embedding: Whether the embedding goes into the record.
    """

    embedder: Embedder
    include: Embeddings = field(default_factory=lambda: NOBODY)
    exclude: Embeddings = field(default_factory=lambda: NOBODY)
    threshold: float = MAX_PHOTO_DISTANCE
    keep_embedding: bool = True

    def apply(self, faces: Sequence[FilterInput]) -> list[FilterResult]:
        """See `FaceFilter`; several faces at once take a fraction of the time."""
        found: list[FilterResult] = []
        for start in range(0, len(faces), EMBED_BATCH):
            part = faces[start : start + EMBED_BATCH]
            embeddings = self.embedder.embed([chip(face.image, face.record.frame_landmarks) for face in part])
            found += [self._decide(face.record, row) for face, row in zip(part, embeddings, strict=True)]
        return found

    def _decide(self, record: FaceRecord, embedding: Embeddings) -> FilterResult:
        included, excluded = nearest(embedding, self.include), nearest(embedding, self.exclude)
        if excluded <= self.threshold and excluded <= included:
            return Rejection(f"a person to leave out: {excluded:.2f}")
        if len(self.include) and included > self.threshold:
            return Rejection(f"another person: {included:.2f}")
        return replace(record, embedding=embedding) if self.keep_embedding else record


def identity_filter(options: PeopleOptions, models: ModelLoader) -> IdentityFilter | None:
    """Return the filter that compares each face; None where no comparing is wanted.

    Raises:
        UserError: A photo does not serve, or weights are missing.
    """
    include, exclude = several(options.person), several(options.not_person)
    if not (include or exclude or options.people):
        return None
    if not (include or exclude):
        return IdentityFilter(models.embedder)
    detector = models.detector(default_detector())
    return IdentityFilter(
        models.embedder,
        embeddings_of_photos(include, "--person", detector, models.landmarker, models.embedder),
        embeddings_of_photos(exclude, "--not-person", detector, models.landmarker, models.embedder),
        options.threshold,
        keep_embedding=options.people,
    )


def nearest(embedding: Embeddings, people: Embeddings) -> float:
    """Return the distance to the nearest of (n, 128); infinite where there are none."""
    return float(np.linalg.norm(people - embedding, axis=1).min()) if len(people) else float("inf")


def embeddings_of_photos(
    given: Sequence[str], flag: str, detector: Detector, landmarker: Landmarker, embedder: Embedder
) -> Embeddings:
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
    found: list[Embeddings] = []
    for text in given:
        path = typed_path(text)
        if not path.is_dir():
            found.append(_face(path, flag, detector, landmarker, embedder))
            continue
        warn_of_left_out_images(path, extensions=PHOTO_EXTENSIONS)
        before = len(found)
        for photo in list_files(path, PHOTO_EXTENSIONS):
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


def _face(path: Path, flag: str, detector: Detector, landmarker: Landmarker, embedder: Embedder) -> Embeddings:
    if not path.is_file():
        raise UserError(
            f"There is no photo {path}.",
            f"a photo, or a folder of photos, behind {flag}; several of them each with {flag} before it.",
            "check the spelling and the folder.",
        )
    if path.suffix.lower() in PHONE_EXTENSIONS:
        with _as_png(path) as readable:
            return _face(readable, flag, detector, landmarker, embedder)
    known = _known(path, embedder)
    if known is not None:
        return known
    found = detect_in_file(path, detector)
    if found.problem is not None:
        raise UserError(
            f"{path.name} cannot be read as an image.",
            f"a photo behind {flag}: {', '.join(PHOTO_EXTENSIONS)}.",
            "save it anew from another program, or take another photo.",
        ) from found.problem
    if len(found.boxes) != 1:
        raise UserError(
            f"{path.name} shows {len(found.boxes) or 'no'} face{'s' if found.boxes else ''}, as far as can be seen.",
            f"a photo behind {flag} with the face of one person.",
            "cut the photo so that one face is left."
            if found.boxes
            else "take a photo on which the face is larger and looks towards the camera.",
        )
    image = found.image if found.image is not None else read_image(path)
    return embedder.embed_face(image, landmarker.find(image, detector.face_square(found.boxes[0])))


@contextmanager
def _as_png(photo: Path) -> Iterator[Path]:
    """Yield a PNG of a phone's photo; the photos lie in a folder of the user's own, where nothing is written."""
    from facewright.video.still import photo_as_png  # it leads to the libraries for videos

    with tempfile.TemporaryDirectory() as folder:
        readable = Path(folder) / f"{photo.stem}.png"
        write_bytes(readable, photo_as_png(photo))
        yield readable


def _known(path: Path, embedder: Embedder) -> Embeddings | None:
    """Return what the record of an aligned face says; None for any other image."""
    try:
        record = load_record(path)
    except UserError:
        return None
    if record.embedding is not None:
        return record.embedding
    return embedding_of(path, record, embedder)


def embedding_of(path: Path, record: FaceRecord, embedder: Embedder) -> Embeddings | None:
    """Compute the embedding of an aligned face from its image; None where it shows too little of the face.

    Raises:
        UserError: The image is damaged.
    """
    if not holds_chip(record.face_type):
        return None
    return np.asarray(embedder.embed([chip(read_image(path), record.landmarks)])[0])
