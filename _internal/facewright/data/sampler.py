"""Samples as a model declares them: faces in, batches of arrays out."""

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.data.augment import AugmentParams, draw_params
from facewright.data.sample import Batch, PreparedFace, Sample, fill_sample
from facewright.data.sampling_order import SamplingStrategy, Shuffled
from facewright.data.store import DecodedFaces, FaceStore


class Sampler:
    """Draws batches from a faceset. All random numbers come from one generator, whatever the threads do.

    Args:
        faces: Aligned PNGs, or a store of prepared faces.
        samples: The wanted outputs.
        rng: The only source of randomness.
        flip: Whether faces may be mirrored at random.
        jitter: Strength of rotation, scale and shift; 1 is the full range.
        strategy: Which face comes next; without it they are shuffled, each once per round.
        like: Faces of the other person: outputs with a colour transfer get the colours of one of them, drawn at random.
        executor: Threads that make the samples of a batch; without it the calling thread does.
        workers: How many of them work on a batch at once.

    Raises:
        ValueError: There are no faces.
    """

    def __init__(
        self,
        faces: "Sequence[Path] | FaceStore",
        samples: tuple[Sample, ...],
        rng: np.random.Generator,
        *,
        flip: bool,
        jitter: float = 1.0,
        strategy: SamplingStrategy | None = None,
        like: FaceStore | None = None,
        executor: Executor | None = None,
        workers: int = 1,
    ) -> None:
        if not len(faces):
            raise ValueError("a sampler needs at least one face")
        self._faces: FaceStore = DecodedFaces(faces, samples) if isinstance(faces, Sequence) else faces
        self.samples = samples
        self._rng = rng
        self._flip = flip
        self._jitter = jitter
        self._strategy = strategy or Shuffled(len(faces))
        self._like = like
        self._workers = max(1, workers)
        self._executor = executor

    def face(self, index: int) -> PreparedFace:
        """Return a prepared face.

        Raises:
            UserError: It cannot be read, or shows less than an output needs.
        """
        return self._faces.face(index)

    def pick(self, rng: np.random.Generator) -> tuple[int, AugmentParams]:
        """Choose the next face and draw its augmentation; for a batch they come from the sampler's own generator."""
        index, mirrored = self._strategy.next(rng)
        params = self.augmentation(rng)
        return index, dataclasses.replace(params, flip=params.flip != mirrored)

    def augmentation(self, rng: np.random.Generator) -> AugmentParams:
        """Draw how a face is changed."""
        params, changes = draw_params(rng, flip=self._flip, jitter=self._jitter), dict[str, Any]()
        if any(sample.hsv for sample in self.samples):
            changes["shift"] = tuple(rng.uniform(-1, 1, 3).tolist())
        if any(sample.light for sample in self.samples):
            changes["light"] = tuple(rng.uniform(-1, 1, 4).tolist())
        if self._like is not None and any(sample.transfer != "none" for sample in self.samples):
            changes["like"] = int(rng.integers(len(self._like)))
        return dataclasses.replace(params, **changes)

    def like(self, params: AugmentParams | None) -> PreparedFace | None:
        """Return the face whose colours a sample gets; None where it keeps its own."""
        if params is None or params.like is None or self._like is None:
            return None
        return self._like.face(params.like)

    def batch(self, size: int) -> Batch:
        """Return the next batch: name -> (size, side, side, channels) float32 in 0..1.

        Raises:
            UserError: A face cannot be read, or shows less than an output needs.
        """
        return self.make(self.draw(size))

    def draw(self, size: int) -> list[tuple[int, AugmentParams]]:
        """Choose the faces of the next batch and draw their augmentation.

        Drawn one after another in one thread, so that a batch does not depend on who makes its images.
        """
        return [self.pick(self._rng) for _ in range(size)]

    def make(self, drawn: Sequence[tuple[int, AugmentParams | None]]) -> Batch:
        """Return the samples of given faces and augmentations, None for the unchanged face."""
        batch = _empty(self.samples, len(drawn))
        arrays: list[NDArray[np.float32]] = list(batch.values())

        def work(rows: range) -> None:
            for row in rows:
                index, params = drawn[row]
                rows_of = [array[row] for array in arrays]
                fill_sample(self._faces.face(index), self.samples, params, rows_of, self.like(params))

        if self._executor is None or self._workers < 2 or len(drawn) < 2:
            work(range(len(drawn)))
        else:
            shares = min(self._workers, len(drawn))
            # Every n-th row: expensive faces, those that must be decoded, are spread over the threads.
            list(self._executor.map(work, [range(first, len(drawn), shares) for first in range(shares)]))
        return batch

    def untouched(self, indices: list[int]) -> Batch:
        """Return the given faces without augmentation, for a preview."""
        return self.make([(index % len(self), None) for index in indices])

    def state(self) -> dict[str, Any]:
        """Return the state of the random draws, JSON-able."""
        return {**self._strategy.state(), "rng": self._rng.bit_generator.state}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue where `state` was taken; the strategy starts over when it or the faces have changed.

        A state that fits no generator is passed over: other random numbers harm nothing.
        """
        with contextlib.suppress(LookupError, TypeError, ValueError, OverflowError):
            self._rng.bit_generator.state = state["rng"]
        self._strategy.set_state(state)

    def __len__(self) -> int:
        return len(self._faces)


def _empty(samples: Sequence[Sample], count: int) -> Batch:
    """Return arrays to fill, all in one piece of memory: the system hands out large pieces faster."""
    shapes = [(count, s.size, s.size, s.channels) for s in samples]
    ends = np.cumsum([math.prod(shape) for shape in shapes]).tolist()
    whole = np.empty(ends[-1], np.float32)
    parts = np.split(whole, ends[:-1])
    return {s.name: part.reshape(shape) for s, part, shape in zip(samples, parts, shapes, strict=True)}
