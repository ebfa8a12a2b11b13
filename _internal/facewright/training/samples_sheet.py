"""What the network gets, as a picture: to see with one's own eyes that samples are right (`train --debug`)."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from facewright.core.images import Image
from facewright.core.workspace import SIDES
from facewright.samples.outputs import Face, make_sample
from facewright.samples.sampler import Sampler
from facewright.training.preview import LINE, SMALLEST_TILE, tiles, write_text


def draw_samples(samplers: Sequence[Sampler], rng: np.random.Generator, *, rows: int = 4) -> Image:
    """Draw random samples of both sides: one row per face, src left and dst right, landmarks in green.

    Pictures are shown whole, with the mask in a column of its own: so a mask that cuts too much off is seen.

    Args:
        samplers: src and dst; one column for each output that they make.
        rng: Chooses faces and their random numbers.
        rows: Faces per side.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    side = max(SMALLEST_TILE, *(s.size for sampler in samplers for s in sampler.samples))
    pages = []
    for name, sampler in zip(SIDES, samplers, strict=True):
        drawn = [_row(sampler, rng, side) for _ in range(rows)]
        titles = np.zeros((LINE + 3, side * len(sampler.samples), 3), np.uint8)
        for index, sample in enumerate(sampler.samples):
            write_text(titles, f"{name} {sample.name}", (index * side + 4, LINE - 2))
        pages.append(np.vstack([titles, *drawn]))
    return np.hstack(pages)


def _row(sampler: Sampler, rng: np.random.Generator, side: int) -> Image:
    index, numbers = sampler.pick(rng)
    outputs = make_sample(_with_landmarks(sampler.face(index)), sampler.samples, numbers)
    pictures = [np.repeat(o, 3, axis=2) if o.shape[2] == 1 else o for o in outputs]
    return np.hstack([tiles(picture[None], side)[0] for picture in pictures])


def _with_landmarks(face: Face) -> Face:
    image = face.image.copy()
    for x, y in np.rint(face.landmarks).astype(int).tolist():
        cv2.circle(image, (x, y), max(1, image.shape[0] // 128), (0, 255, 0), -1)
    return dataclasses.replace(face, image=image, smaller=())
