"""The preview: lines of text, the chart of the losses, four rows of faces. Arrays in, image out."""

import dataclasses
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.console import counted
from facewright.core.images import Image
from facewright.data.sample import make_sample
from facewright.data.sampler import Sampler
from facewright.train.history import (
    ERROR_TITLES,
    ERRORS,
    LossHistory,
    draw_chart,
    draw_held_out,
    hue_colour,
    loss_colour,
)
from facewright.ui import text as ui_text

ROWS = 4
LINE_PX = 15  # per line of text
CHART_PX = 100
HELD_OUT_PX = 70
MIN_TILE_PX = 128
WHITE = (220, 220, 220)
MAX_HEIGHT_PX = 800  # taller pages of faces are shrunk to this

# Title -> faces of a column, (n, S, S, 3) float32 BGR in 0..1; S may differ from column to column.
Columns = Mapping[str, NDArray[np.float32]]


def draw_preview(
    lines: Sequence[str], history: LossHistory, page: Image, last: int = 0, measures: LossHistory | None = None
) -> Image:
    """Draw the whole preview.

    Args:
        lines: Text above the chart; lines that are too long are wrapped.
        history: The losses so far.
        page: The faces below their titles, (h, w, 3) uint8 BGR.
        last: Iterations that the chart shows; 0 for all.
        measures: What was measured on faces held out: a second chart, where there is anything.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    width = page.shape[1]
    chart = draw_chart(history.values[-last:], width, CHART_PX)
    left = 6
    for index, name in enumerate(history.names):
        write_text(chart, name, (left, CHART_PX - 6), loss_colour(index, len(history.names)))
        left += max(60, ui_text.text_width(name) + 12)
    if last:
        write_text(chart, f"the last {counted(last, 'iteration')}", (width - 190, CHART_PX - 6))
    wrapped = [part for line in lines for part in ui_text.wrap(line, width - 8)]
    held_out = [_held_out(measures, len(history), width, last)] if measures else []
    return np.vstack([draw_lines(wrapped, width), chart, *held_out, page])


def _held_out(measures: LossHistory, iterations: int, width: int, last: int) -> Image:
    first = max(0, iterations - last) if last else 0
    chart = draw_held_out(measures, first, iterations, width, HELD_OUT_PX)
    for index, (name, hue) in enumerate(ERRORS.items()):
        write_text(chart, f"held out: {ERROR_TITLES[name]}", (6 + 130 * index, HELD_OUT_PX - 6), hue_colour(hue))
    return chart


def draw_face_rows(faces: Columns) -> Image:
    """Draw rows of faces below their titles."""
    return with_titles(draw_tiles(faces), tuple(faces))


def draw_tiles(faces: Columns) -> Image:
    """Draw rows of faces; at most `MAX_HEIGHT_PX` pixels tall."""
    side = max(MIN_TILE_PX, *(column.shape[1] for column in faces.values()))
    page = np.vstack([np.hstack(row) for row in zip(*(tiles(c, side) for c in faces.values()), strict=True)])
    if page.shape[0] > MAX_HEIGHT_PX:
        scale = MAX_HEIGHT_PX / page.shape[0]
        page = np.asarray(cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return page


def with_titles(page: Image, titles: Sequence[str]) -> Image:
    """Write the titles of the columns above them, in as many lines as they need; a long word is written smaller."""
    width = page.shape[1] / len(titles)
    wrapped = [ui_text.wrap(title, int(width) - 8) for title in titles]
    above = np.zeros((LINE_PX * max(map(len, wrapped)) + 3, page.shape[1], 3), np.uint8)
    for index, lines in enumerate(wrapped):
        for number, line in enumerate(lines, 1):
            scale = ui_text.SCALE * min(1.0, (width - 8) / ui_text.text_width(line))
            ui_text.draw_text(above, line, index * width + 4, LINE_PX * number - 2, color=WHITE, scale=scale)
    return np.vstack([above, page])


def tiles(images: NDArray[np.float32], side: int) -> list[Image]:
    """Turn (n, S, S, 3) float32 in 0..1 into n uint8 tiles of that side; what is not finite becomes black."""
    clean = np.nan_to_num(np.asarray(images, np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    result = []
    for image in (clean.clip(0, 1) * 255 + 0.5).astype(np.uint8):
        if image.shape[0] != side:
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        result.append(np.asarray(image, np.uint8))
    return result


def draw_lines(lines: Sequence[str], width: int) -> Image:
    """Draw lines of text on black, `LINE_PX` pixels each."""
    image: Image = np.zeros((LINE_PX * len(lines) + 4, width, 3), np.uint8)
    for index, line in enumerate(lines):
        write_text(image, line, (4, LINE_PX * (index + 1) - 3))
    return image


def write_text(image: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int] = WHITE) -> None:
    """Write a line of text into an image."""
    ui_text.draw_text(image, text, *at, color=colour)


def draw_samples(samplers: Mapping[str, Sampler], rng: np.random.Generator, *, rows: int = 4) -> Image:
    """Draw random samples of all streams: one row per face, the streams side by side, landmarks in green.

    Images are shown whole, with the mask in a column of its own: so a mask that cuts off too much is seen.

    Args:
        samplers: Stream name -> its sampler; one column for each output that it makes.
        rng: Chooses faces and their augmentation.
        rows: Faces per stream.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    side = max(MIN_TILE_PX, *(s.size for sampler in samplers.values() for s in sampler.samples))
    pages = []
    for name, sampler in samplers.items():
        drawn = [_row(sampler, rng, side) for _ in range(rows)]
        titles = np.zeros((LINE_PX + 3, side * len(sampler.samples), 3), np.uint8)
        for index, sample in enumerate(sampler.samples):
            write_text(titles, f"{name} {sample.name}", (index * side + 4, LINE_PX - 2))
        pages.append(np.vstack([titles, *drawn]))
    return np.hstack(pages)


def _row(sampler: Sampler, rng: np.random.Generator, side: int) -> Image:
    """Draw the outputs of one face, its landmarks on them in green."""
    index, params = sampler.pick(rng)
    face = sampler.face(index)
    image = face.image.copy()
    for x, y in np.rint(face.landmarks).astype(int).tolist():
        cv2.circle(image, (x, y), max(1, image.shape[0] // 128), (0, 255, 0), -1)
    face = dataclasses.replace(face, image=image, smaller=())
    outputs = make_sample(face, sampler.samples, params, sampler.like(params))
    images = [np.repeat(o, 3, axis=2) if o.shape[2] == 1 else o for o in outputs]
    return np.hstack([tiles(image[None], side)[0] for image in images])
