"""Many frames: read and cut in threads, predict in batches over several frames, blend and write in threads.

Only a bounded number of frames is in memory, however long the video is.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from facewright.convert.matching import faces_there
from facewright.convert.output import Output, compose
from facewright.convert.pipeline import (
    FrameFaces,
    Predict,
    Prediction,
    blend_faces,
    cut_faces,
    portrait,
)
from facewright.convert.plan import Job
from facewright.core.images import Image, read_image
from facewright.core.workers import OrderedTasks
from facewright.video.frame_io import Frame, FrameSink

BATCH = 8  # faces per prediction: more gains little and delays the first result
MAX_FRAME_BYTES = 256 << 20  # of decoded frames in memory
FRAMES_AT_START = 2  # frames in memory until the size of one is known


@dataclass(frozen=True)
class Done:
    """A job whose result was written.

    Attributes:
        job: The job.
        faces: How many of its faces were replaced.
        scaled: How many faces were scaled with their frame.
        missed: How many do not lie in the frame any more: it is another one now.
    """

    job: Job
    faces: int
    scaled: int = 0
    missed: int = 0


def read_frame(job: Job) -> Image:
    """Read the frame of a job from its file, if anything is to be replaced in it.

    Otherwise there is nothing to predict, and the frame is not needed either: its copy is made in one go.
    """
    needed = job.shares or job.output is not Output.FRAME
    if not needed:
        return np.empty((0, 0, 3), np.uint8)
    return read_image(job.source, deep=job.target.suffix == ".png")


@dataclass(frozen=True)
class Converter:
    """What is done to every frame.

    Attributes:
        predict: Name of a model -> what predicts with it; called in the caller's thread.
        sink: Where the frames go.
        batch: Faces per prediction.
        read: Reads the frame of a job, (h, w, 3) uint8 or uint16 BGR; called in threads.
    """

    predict: Mapping[str, Predict]
    sink: FrameSink
    batch: int = BATCH
    read: Callable[[Job], Image] = read_frame


@dataclass(frozen=True)
class _Loaded:
    """A frame that was read; `cuts` has the faces of each share."""

    job: Job
    image: Image
    cuts: tuple[FrameFaces, ...]
    scaled: int
    missed: int


def convert_stream(
    jobs: Iterable[Job], converter: Converter, executor: Executor, *, max_bytes: int = MAX_FRAME_BYTES
) -> Iterator[Done]:
    """Convert frames; yield each when its result was written, in the order of the jobs.

    Args:
        jobs: Taken one by one, only as they are needed.
        converter: What is done.
        executor: Threads.
        max_bytes: Of decoded frames in memory; two frames are always allowed.

    Raises:
        UserError: A frame cannot be read, the disk is full, or the prediction is no image.
    """
    source = iter(jobs)
    limit = FRAMES_AT_START
    with OrderedTasks[_Loaded](executor) as loading, OrderedTasks[Done](executor) as finishing:
        while True:
            for job in islice(source, max(0, limit - len(loading) - len(finishing))):
                loading.submit(_load, job, converter.read)
            if loading:
                batch = _next_batch(loading, converter.batch)
                # Two batches in work and one being read, as far as the memory allows.
                largest = max(loaded.image.nbytes for loaded in batch)
                limit = max(2, min(3 * converter.batch, max_bytes // max(largest, 1)))
                for loaded, prediction in _predict(batch, converter):
                    finishing.submit(_finish, loaded, prediction, converter)
            elif finishing:
                yield finishing.next()
            else:
                return
            while finishing.ready() or len(finishing) > limit // 2:
                yield finishing.next()


def _load(job: Job, read: Callable[[Job], Image]) -> _Loaded:
    image = read(job)
    cuts, scaled, missed = [], 0, 0
    for share in job.shares:
        there = faces_there(image, share.faces)
        missed += len(share.faces) - len(there)
        scaled += sum(face not in share.faces for face in there)
        # Every image of a portrait video is a portrait.
        chosen = share.faces if share.trained.portrait and len(there) < len(share.faces) else there
        cuts.append(cut_faces(image, chosen, share.trained.wanted, share.parameters))
    return _Loaded(job, image, tuple(cuts), scaled, missed)


def _next_batch(loading: OrderedTasks[_Loaded], wanted: int) -> list[_Loaded]:
    """Wait for frames until a batch of faces is together or nothing more is being read."""
    batch: list[_Loaded] = []
    faces = 0
    while loading and faces < wanted:
        loaded = loading.next()
        batch.append(loaded)
        faces += sum(len(cut.matrices) for cut in loaded.cuts)
    return batch


def _predict(batch: list[_Loaded], converter: Converter) -> Iterator[tuple[_Loaded, list[Prediction]]]:
    """Yield every frame with a prediction for each share: its own part of one that was made for all frames."""
    cuts: dict[str, list[FrameFaces]] = {}
    dst_masks = set()  # the models that are asked for them
    for loaded in batch:
        for share, cut in zip(loaded.job.shares, loaded.cuts, strict=True):
            cuts.setdefault(share.trained.name, []).append(cut)
            if share.parameters.needs_dst_mask:
                dst_masks.add(share.trained.name)
    predicted = {}
    for name, some in cuts.items():
        predict = functools.partial(converter.predict[name], dst_mask=name in dst_masks)
        prediction = _predict_all(some, predict, converter.batch)
        predicted[name] = _split(prediction, some)
    for loaded in batch:
        yield loaded, [next(predicted[share.trained.name]) for share in loaded.job.shares]


def _predict_all(cuts: Iterable[FrameFaces], predict: Predict, batch: int) -> Prediction:
    """Predict the faces of all cuts; a crowd in several goes."""
    faces = np.concatenate([cut.images for cut in cuts])
    if not len(faces):
        return Prediction(faces, faces[..., :1])
    return _joined([predict(faces[start : start + batch]) for start in range(0, len(faces), batch)])


def _split(prediction: Prediction, cuts: Iterable[FrameFaces]) -> Iterator[Prediction]:
    """Yield each cut's part of a prediction."""
    start = 0
    for cut in cuts:
        end = start + len(cut.matrices)
        yield prediction[start:end]
        start = end


def _joined(parts: list[Prediction]) -> Prediction:
    def one(arrays: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.concatenate(list(arrays))

    dst_masks = [part.dst_mask for part in parts if part.dst_mask is not None]
    return Prediction(
        one(part.image for part in parts), one(part.mask for part in parts), one(dst_masks) if dst_masks else None
    )


def _finish(loaded: _Loaded, predictions: list[Prediction], converter: Converter) -> Done:
    job = loaded.job
    image, replaced = loaded.image, 0
    coverage = None if job.output is Output.FRAME else np.zeros(image.shape[:2], np.float32)
    for share, cut, prediction in zip(job.shares, loaded.cuts, predictions, strict=True):
        if share.trained.portrait:
            image, done = portrait(prediction), 1
        else:
            image, done = blend_faces(image, cut, prediction, share.parameters, coverage)
        replaced += done
    if coverage is not None:
        converter.sink.write(Frame(job.index, None, compose(job.output, image, coverage)), made=replaced > 0)
    elif replaced:
        converter.sink.write(Frame(job.index, None, image))
    else:
        converter.sink.copy(job.index, job.frame)
    return Done(job, replaced, loaded.scaled, loaded.missed)
