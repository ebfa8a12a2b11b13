"""Many frames: read and cut in threads, predict in batches over several frames, blend and write in threads.

Only a bounded number of frames is in the works, however long the video is.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.convert.blend import to_bytes
from facewright.convert.pipeline import FaceShape, FrameFaces, Parameters, Predict, cut_faces, put_back, refuse_broken
from facewright.core.files import write_bytes
from facewright.core.images import Image, decode, encode, read_image
from facewright.faces.align import Points


@dataclass(frozen=True)
class Job:
    """One frame to convert.

    Attributes:
        frame: Its file.
        target: Where the result goes; the suffix decides the format.
        landmarks: (68, 2) points in the frame for each face; none: the frame is copied.
        shown: The frame whose face is taken instead of its own; None for its own.
    """

    frame: Path
    target: Path
    landmarks: tuple[Points, ...]
    shown: Path | None = None


def portrait_jobs(jobs: Sequence[Job]) -> list[Job]:
    """Give every frame one face: the largest of its own, or that of the frame before, at the start of the next.

    A portrait video has one picture per frame of dst, or it would not fit its sound.

    Args:
        jobs: One per frame, in order; the faces of a frame in any order. At least one has a face.

    Returns:
        One per frame, each with one face; `shown` names the frame where that is not the frame's own.

    Raises:
        ValueError: No frame has a face.
    """
    with_face = [job for job in jobs if job.landmarks]
    if not with_face:
        raise ValueError("a portrait video needs a face in at least one frame")
    current = with_face[0]
    result = []
    for job in jobs:
        current = job if job.landmarks else current
        largest = max(current.landmarks, key=lambda points: float(np.ptp(points, axis=0).prod()))
        result.append(replace(job, landmarks=(largest,), shown=None if current is job else current.frame))
    return result


def portrait(pictures: NDArray[np.float32], masks: NDArray[np.float32]) -> Image:
    """Return the one prediction of a frame as a picture.

    Args:
        pictures: (1, P, P, 3) float32.
        masks: (1, P, P, 1) float32; only checked.

    Returns:
        (P, P, 3) uint8 BGR.

    Raises:
        UserError: The prediction holds numbers that are not finite.
    """
    refuse_broken(pictures, masks)
    return to_bytes(np.clip(pictures[0], 0, 1))


BATCH = 8  # faces per prediction: more gains little and delays the first result
MEMORY = 256 << 20  # bytes of decoded frames in the works
FIRST = 2  # frames in the works until the size of one is known


@dataclass(frozen=True)
class Done:
    """A job whose result is on the disk, and how many of its faces were put back."""

    job: Job
    faces: int


@dataclass(frozen=True)
class Converter:
    """What is done to every frame.

    Attributes:
        predict: The model; called in the caller's thread.
        shape: What the model takes.
        parameters: How faces are put back.
        mark: (encoded picture, suffix) -> the same with the mark of its origin; for changed frames only.
        batch: Faces per prediction.
        portrait: Whether the prediction itself is the result; each frame then has one face.
    """

    predict: Predict
    shape: FaceShape
    parameters: Parameters
    mark: Callable[[bytes, str], bytes]
    batch: int = BATCH
    portrait: bool = False


@dataclass(frozen=True)
class _Loaded:
    job: Job
    image: Image
    faces: FrameFaces


def copy_frame(job: Job) -> None:
    """Write a frame as it is: its bytes, or its pixels where the format is another. Nothing is marked.

    Raises:
        UserError: The frame is no picture, or the disk is full.
    """
    data = job.frame.read_bytes()
    image = decode(data, str(job.frame))
    same = job.frame.suffix.lower() == job.target.suffix.lower()
    write_bytes(job.target, data if same else encode(image, job.target.suffix))


def convert_stream(jobs: Iterable[Job], converter: Converter, executor: Executor) -> Iterator[Done]:
    """Convert frames; yield each when its result is on the disk, in the order of the jobs.

    Args:
        jobs: Taken one by one as room comes free.
        converter: What is done.
        executor: Threads.

    Raises:
        UserError: A frame cannot be read, the disk is full, or the model's answer is no picture.
    """
    source = iter(jobs)
    loading: deque[Future[_Loaded]] = deque()
    finishing: deque[Future[Done]] = deque()
    room = FIRST
    try:
        while True:
            for job in _next(source, room - len(loading) - len(finishing)):
                loading.append(executor.submit(_load, job, converter.shape))
            if not loading and not finishing:
                return
            if not loading:
                yield finishing.popleft().result()
                continue
            batch = _gather(loading, converter.batch)
            # Two batches in the works and one being read, as far as memory allows.
            largest = max(loaded.image.nbytes for loaded in batch)
            room = max(2, min(3 * converter.batch, MEMORY // max(largest, 1)))
            for loaded, pictures, masks in _predict(batch, converter):
                finishing.append(executor.submit(_finish, loaded, pictures, masks, converter))
            while finishing and (finishing[0].done() or len(finishing) > room // 2):
                yield finishing.popleft().result()
    finally:
        _cancel(loading)
        _cancel(finishing)


def _cancel(waiting: Iterable[Future[Any]]) -> None:
    """Drop what has not begun."""
    for future in waiting:
        future.cancel()


def _next(source: Iterator[Job], count: int) -> Iterator[Job]:
    for _ in range(count):
        job = next(source, None)
        if job is None:
            return
        yield job


def _load(job: Job, shape: FaceShape) -> _Loaded:
    if not job.landmarks:
        # Nothing to predict: the frame itself is not needed either, its copy is made in one go.
        return _Loaded(job, np.empty((0, 0, 3), np.uint8), cut_faces(np.empty((1, 1, 3), np.uint8), (), shape))
    image = read_image(job.shown or job.frame)
    return _Loaded(job, image, cut_faces(image, job.landmarks, shape))


def _gather(loading: "deque[Future[_Loaded]]", wanted: int) -> list[_Loaded]:
    """Wait for frames until a batch of faces is together or nothing more is being read."""
    batch: list[_Loaded] = []
    faces = 0
    while loading and faces < wanted:
        loaded = loading.popleft().result()
        batch.append(loaded)
        faces += len(loaded.faces.matrices)
    return batch


def _predict(
    batch: list[_Loaded], converter: Converter
) -> Iterator[tuple[_Loaded, NDArray[np.float32], NDArray[np.float32]]]:
    """Yield every frame with its own share of one prediction."""
    together = [loaded.faces.pictures for loaded in batch]
    count = sum(map(len, together))
    side = converter.shape.side
    pictures, masks = np.empty((0, side, side, 3), np.float32), np.empty((0, side, side, 1), np.float32)
    if count:
        # A crowd in one frame is predicted in several goes.
        faces = np.concatenate(together)
        parts = [converter.predict(faces[i : i + converter.batch]) for i in range(0, count, converter.batch)]
        pictures, masks = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    start = 0
    for loaded in batch:
        end = start + len(loaded.faces.matrices)
        yield loaded, pictures[start:end], masks[start:end]
        start = end


def _finish(loaded: _Loaded, pictures: NDArray[np.float32], masks: NDArray[np.float32], converter: Converter) -> Done:
    job = loaded.job
    if converter.portrait:
        image, done = portrait(pictures, masks), 1
    else:
        image, done = put_back(loaded.image, loaded.faces, pictures, masks, converter.parameters)
    if not done:
        copy_frame(job)
        return Done(job, 0)
    data = converter.mark(encode(image, job.target.suffix), job.target.suffix)
    write_bytes(job.target, data)
    return Done(job, done)
