"""The measures of all frames, kept from run to run: one is measured again when itself, its result or a face changes."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facewright.annotate.face import square_of
from facewright.convert.masks import DstFace
from facewright.convert.matching import faces_there
from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.images import Image, read_image
from facewright.core.journal import Journal, read_journal
from facewright.core.json_data import BadJson, anything, either, list_of, nothing, text
from facewright.core.machine import cores
from facewright.core.workers import ordered_map, threads
from facewright.core.workspace import Side
from facewright.extract.detectors.base import Box
from facewright.extract.embedding import EMBED_BATCH, Embedder, chip
from facewright.extract.landmarkers.base import Landmarker
from facewright.review.clip import ClipFrame
from facewright.review.measuring import VERSION, FaceMeasures, measure_converted, read_measures

MeasuredFaces = tuple[FaceMeasures | None, ...]  # of the faces of a frame
ENTRY = {"key": text, "faces": list_of(either(nothing, anything))}


class LookingModels(Protocol):
    """What looks at faces; see `facewright.extract.side_run.ModelLoader`. Each is loaded when it is first needed."""

    @property
    def landmarker(self) -> Landmarker:
        """Finds landmarks."""

    @property
    def embedder(self) -> Embedder:
        """Tells who is seen."""


@dataclass(frozen=True, eq=False)
class _Looked:
    frame: ClipFrame
    key: str
    measures: MeasuredFaces
    chips: tuple[Image | None, ...]


def measure_frames(
    side: Side, frames: Sequence[ClipFrame], models: LookingModels, contents: Contents
) -> dict[str, MeasuredFaces]:
    """Return the measures of the faces of all converted frames, by the frame's name.

    Args:
        side: Whose journal keeps them; its lock is held.
        frames: Of a clip.
        models: Used only where a frame has changed since it was last measured.
        contents: Those of the workspace.

    Raises:
        UserError: A library is missing, or the disk is full.
    """
    wanted = [frame for frame in frames if frame.result is not None and frame.faces]
    contents.look_through([path for one in wanted for path in (one.path, one.result) if path], title="Reading")
    known = read_journal(side.review_journal, "frame", ENTRY)
    found: dict[str, MeasuredFaces] = {}
    missing = []
    for frame in wanted:
        key = frame_key(frame, contents)
        kept = _kept(known.get(frame.path.name), key, len(frame.faces))
        if kept is None:
            missing.append((frame, key))
        else:
            found[frame.path.name] = kept
    if missing:
        with threads(cores()) as executor, Journal(side.review_journal) as journal:
            landmarker, embedder = models.landmarker, models.embedder
            looked = ordered_map(lambda one: _look(*one, landmarker), missing, executor, ahead=4 * cores())
            shown = console.progress(looked, total=len(missing), title="Looking", unit="frames")
            for one, measures in _embedded(shown, embedder):
                faces = [None if face is None else face.to_json() for face in measures]
                journal.add({"frame": one.frame.path.name, "key": one.key, "faces": faces})
                found[one.frame.path.name] = measures
    return found


def frame_key(frame: ClipFrame, contents: Contents) -> str:
    """Return what the measures of a frame depend on, as a hash: frame, result, where faces lie, what covers them."""
    parts: list[Any] = [VERSION, contents.of(frame.path), contents.of(frame.result) if frame.result else ""]
    parts += [np.asarray(face.landmarks, float).round(3).tolist() for face in frame.faces]
    parts += [face.occlusion and [face.occlusion.text, face.occlusion.matrix.round(6).tolist()] for face in frame.faces]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _kept(entry: Mapping[str, Any] | None, key: str, count: int) -> MeasuredFaces | None:
    """Return what is known of a frame; None where that is nothing, or of other images."""
    if entry is None or entry.get("key") != key or len(entry.get("faces", ())) != count:
        return None
    with suppress(BadJson):
        return tuple(None if one is None else read_measures(one) for one in entry["faces"])
    return None


def _look(frame: ClipFrame, key: str, landmarker: Landmarker) -> _Looked:
    """Measure the faces of a frame, but for who is seen."""
    nothing_seen = _Looked(frame, key, (None,) * len(frame.faces), (None,) * len(frame.faces))
    try:
        dst, result = read_image(frame.path), read_image(frame.result or frame.path)
    except UserError:  # damaged: the steps that need it say so
        return nothing_seen
    if dst.shape != result.shape:  # a portrait
        return nothing_seen
    measures: list[FaceMeasures | None] = []
    chips: list[Image | None] = []
    for face in frame.faces:
        there = faces_there(dst, [face])
        measures.append(_measured(result, dst, there[0], landmarker) if there else None)
        chips.append(chip(result, there[0].landmarks) if there else None)
    return _Looked(frame, key, tuple(measures), tuple(chips))


def _measured(result: Image, dst: Image, face: DstFace, landmarker: Landmarker) -> FaceMeasures:
    square = square_of(np.asarray(face.landmarks, np.float32))
    found = landmarker.find(result, Box(*square.rect, 1.0, square.roll))
    return measure_converted(result, dst, face, found, None)


def _embedded(looked: Iterable[_Looked], embedder: Embedder) -> Iterator[tuple[_Looked, MeasuredFaces]]:
    """Add who is seen, several frames at a time."""
    batch: list[_Looked] = []
    for one in looked:
        batch.append(one)
        if sum(face is not None for waiting in batch for face in waiting.chips) >= EMBED_BATCH:
            yield from _batch_embedded(batch, embedder)
            batch = []
    yield from _batch_embedded(batch, embedder)


def _batch_embedded(batch: Sequence[_Looked], embedder: Embedder) -> Iterator[tuple[_Looked, MeasuredFaces]]:
    chips = [face for one in batch for face in one.chips if face is not None]
    vectors: Iterator[NDArray[np.float32]] = iter(embedder.embed(chips))
    for one in batch:
        yield one, tuple(face and replace(face, embedding=next(vectors)) for face in one.measures)
