"""Small plots: bars, a grid of cells and lines, as an image (OpenCV) and as SVG for a page.

Both are drawn from one list of shapes, so that page and image show the same.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.ui.text import draw_text

SIZE = (230, 340)  # (h, w) of a plot in pixels
LEFT, RIGHT, TOP, BOTTOM = 44, 20, 32, 38  # margins around the drawing
GROUND, PANEL, LINE, INK, FAINT = "#202020", "#2a2a2a", "#454545", "#e6e6e6", "#9a9a9a"
BAR, MARK, OTHER = "#4fb3a5", "#e6a23c", "#e6a23c"
SERIES = (BAR, MARK, "#7f8fa6", "#d070a0", "#a3b23c", "#5fa3dc")  # of lines, from the most important on
MAX_POINTS = 300  # of a line
LETTER = 6.2  # px, about the width of one in a legend
DARK_CELL, LIGHT_CELL = (45, 66, 70), (120, 230, 205)  # RGB of a cell with one and with the most


@dataclass(frozen=True)
class Bars:
    """A histogram.

    Attributes:
        title: What is counted.
        edges: (n + 1) rising numbers.
        counts: (n) numbers; the last counts what is larger, too.
        axis: What the numbers of the axis are.
        mark: A value on the axis with a line through it, and its label; None for none.
    """

    title: str
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    axis: str = ""
    mark: tuple[float, str] | None = None


@dataclass(frozen=True)
class Grid:
    """A histogram over two numbers.

    Attributes:
        title: What is counted.
        x_edges: (n + 1) numbers, rising or falling, from left to right.
        y_edges: (m + 1) numbers from top to bottom.
        counts: (m, n) numbers.
        x_name: Name of the horizontal axis.
        y_name: Name of the vertical one.
        axis: What is written below.
        outlined: (m, n) bool, cells with a frame around them; None for none.
        outline_name: What the frames mean.
    """

    title: str
    x_edges: NDArray[np.float64]
    y_edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    x_name: str
    y_name: str
    axis: str = ""
    outlined: NDArray[np.bool_] | None = None
    outline_name: str = ""


@dataclass(frozen=True)
class Lines:
    """Values in order of time, one line per series.

    Attributes:
        title: What is drawn.
        series: (name, (n,) values), the most important last; NaN is a gap. All of one length.
        axis: What is written below.
        low: The axis begins here or lower; None leaves it to the values.
    """

    title: str
    series: tuple[tuple[str, NDArray[np.float64]], ...]
    axis: str = ""
    low: float | None = None


Plot = Bars | Grid | Lines


@dataclass(frozen=True)
class Shape:
    """One thing to draw: a filled box, a frame, a line or a text.

    Attributes:
        kind: "box", "frame", "line", "path" or "text".
        x, y: Left top corner; of a text the anchor on its base line.
        w, h: Width and height; of a line the way to its end.
        colour: As in HTML.
        text: The words; of a box what a page shows under the mouse.
        anchor: "start", "middle" or "end" of a text.
        points: Of a path: its corners.
    """

    kind: str
    x: float
    y: float
    w: float = 0.0
    h: float = 0.0
    colour: str = INK
    text: str = ""
    anchor: str = "start"
    points: tuple[tuple[float, float], ...] = ()


def shapes(plot: Plot) -> list[Shape]:
    """Lay a plot out on SIZE."""
    frame = [
        Shape("box", 0, 0, SIZE[1], SIZE[0], PANEL),
        Shape("text", 10, 19, text=plot.title),
    ]
    if isinstance(plot, Lines):
        return frame + _lines(plot)
    return frame + (_bars(plot) if isinstance(plot, Bars) else _grid(plot))


def _inner() -> tuple[int, int]:
    """(h, w) of the drawing inside the margins."""
    return SIZE[0] - TOP - BOTTOM, SIZE[1] - LEFT - RIGHT


def _bars(plot: Bars) -> list[Shape]:
    height, width = _inner()
    base, most = TOP + height, max(int(plot.counts.max(initial=0)), 1)
    low, high = float(plot.edges[0]), float(plot.edges[-1])

    def at(value: float) -> float:
        return LEFT + (value - low) / (high - low) * width

    drawn = []
    for value in [value for value in ticks(0, most, 3) if value and value == int(value)]:
        y = base - value / most * height
        drawn.append(Shape("line", LEFT, y, width, 0, LINE))
        drawn.append(Shape("text", LEFT - 6, y + 4, colour=FAINT, text=f"{value:g}", anchor="end"))
    for number, (count, begin, end) in enumerate(zip(plot.counts, plot.edges, plot.edges[1:], strict=False), 1):
        tall = max(height * count / most, 1.5 if count else 0)
        hint = f"{begin:.4g} {'or more' if number == len(plot.counts) else f'to {end:.4g}'}: {count}"
        drawn.append(Shape("box", at(begin), base - tall, at(end) - at(begin) - 1, tall, BAR, hint))
    drawn.append(Shape("line", LEFT, base, width, 0, FAINT))
    for value in ticks(low, high):
        drawn.append(Shape("text", at(value), base + 16, colour=FAINT, text=f"{value:g}", anchor="middle"))
    drawn.append(Shape("text", LEFT + width / 2, base + 31, colour=FAINT, text=plot.axis, anchor="middle"))
    if plot.mark and low <= plot.mark[0] <= high:
        x, label = at(plot.mark[0]), plot.mark[1]
        drawn.append(Shape("line", x, TOP, 0, height, MARK))
        right = x < LEFT + width / 2
        place = Shape("text", x + (5 if right else -5), TOP + 11, colour=MARK, text=label)
        drawn.append(place if right else Shape("text", place.x, place.y, colour=MARK, text=label, anchor="end"))
    return drawn


def _grid(plot: Grid) -> list[Shape]:
    height, width = _inner()
    rows, columns = plot.counts.shape
    cell_w, cell_h = width / columns, height / rows
    most = max(int(plot.counts.max(initial=0)), 1)
    drawn = []
    for row in range(rows):
        for column in range(columns):
            count = int(plot.counts[row, column])
            hint = f"{plot.x_name} {_range(plot.x_edges, column)}, {plot.y_name} {_range(plot.y_edges, row)}: {count}"
            x, y = LEFT + column * cell_w, TOP + row * cell_h
            drawn.append(Shape("box", x, y, cell_w - 1, cell_h - 1, _shade(count, most), hint))
            if plot.outlined is not None and plot.outlined[row, column]:
                drawn.append(Shape("frame", x, y, cell_w - 1, cell_h - 1, OTHER))
    base = TOP + height
    for number, value in enumerate(plot.x_edges):
        if abs(value % 30) < 1e-6:
            label = Shape("text", LEFT + number * cell_w, base + 15, colour=FAINT, text=f"{value:g}", anchor="middle")
            drawn.append(label)
    for number, value in enumerate(plot.y_edges):
        if abs(value % 30) < 1e-6:
            y = TOP + number * cell_h + 4
            drawn.append(Shape("text", LEFT - 6, y, colour=FAINT, text=f"{value:g}", anchor="end"))
    drawn.append(Shape("text", LEFT + width / 2, base + 31, colour=FAINT, text=plot.axis, anchor="middle"))
    if plot.outlined is not None and plot.outlined.any():
        drawn.append(Shape("text", SIZE[1] - RIGHT, 19, colour=OTHER, text=plot.outline_name, anchor="end"))
    return drawn


def _lines(plot: Lines) -> list[Shape]:
    height, width = _inner()
    base = TOP + height
    known = np.concatenate([values[np.isfinite(values)] for _, values in plot.series])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    low = low if plot.low is None else min(plot.low, low)
    high = high if high > low else low + 1
    drawn = []
    for value in ticks(low, high, 4):
        y = base - (value - low) / (high - low) * height
        drawn.append(Shape("line", LEFT, y, width, 0, LINE))
        drawn.append(Shape("text", LEFT - 6, y + 4, colour=FAINT, text=f"{value:g}", anchor="end"))
    right = float(SIZE[1] - 10)
    coloured = list(zip(reversed(plot.series), SERIES, strict=False))
    for (name, _), colour in coloured:
        drawn.append(Shape("text", right, 19, colour=colour, text=name, anchor="end"))
        right -= LETTER * len(name) + 10
    for (_, values), colour in reversed(coloured):
        for run in _runs(_thinned(values)):
            corners = ((LEFT + x * width, base - (y - low) / (high - low) * height) for x, y in run)
            drawn.append(Shape("path", 0, 0, colour=colour, points=tuple(corners)))
    drawn.append(Shape("line", LEFT, base, width, 0, FAINT))
    drawn.append(Shape("text", LEFT + width / 2, base + 17, colour=FAINT, text=plot.axis, anchor="middle"))
    return drawn


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return as many values as a plot can show, each the mean of its neighbours."""
    if len(values) <= MAX_POINTS:
        return values
    groups = np.array_split(values, MAX_POINTS)
    return np.array([group[np.isfinite(group)].mean() if np.isfinite(group).any() else np.nan for group in groups])


def _runs(values: NDArray[np.float64]) -> list[list[tuple[float, float]]]:
    """Return the stretches without a gap, as (place on the axis 0..1, value)."""
    runs: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(values):
        if np.isfinite(value):
            runs[-1].append((index / max(len(values) - 1, 1), float(value)))
        elif runs[-1]:
            runs.append([])
    return [run if len(run) > 1 else [*run, *run] for run in runs if run]


def _range(edges: NDArray[np.float64], number: int) -> str:
    low, high = sorted((float(edges[number]), float(edges[number + 1])))
    return f"{low:g} to {high:g}"


def _shade(count: int, most: int) -> str:
    """Return a colour: the panel's for none, from dark to light on a root scale, so that few are seen beside many."""
    if count == 0:
        return "#333333"
    share = math.sqrt(count / most)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(DARK_CELL, LIGHT_CELL, strict=True))


def ticks(low: float, high: float, parts: int = 5) -> list[float]:
    """Return round numbers from low to high, about `parts` of them."""
    rough = (high - low) / parts
    if not rough > 0:
        return [low]
    power = 10 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def svg(plot: Plot) -> str:
    """Return a plot as an SVG element."""
    height, width = SIZE
    parts = [f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">']
    parts += [_element(shape) for shape in shapes(plot)]
    return "".join([*parts, "</svg>"])


def _element(shape: Shape) -> str:
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}"'
    if shape.kind == "text":
        return f'<text {place} fill="{shape.colour}" text-anchor="{shape.anchor}">{html.escape(shape.text)}</text>'
    if shape.kind == "path":
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        return f'<polyline points="{corners}" fill="none" stroke="{shape.colour}" stroke-linecap="round"/>'
    if shape.kind == "line":
        ends = f'x2="{shape.x + shape.w:.1f}" y2="{shape.y + shape.h:.1f}"'
        return f'<line x1="{shape.x:.1f}" y1="{shape.y:.1f}" {ends} stroke="{shape.colour}"/>'
    size = f'width="{max(shape.w, 0):.1f}" height="{max(shape.h, 0):.1f}"'
    hint = f"<title>{html.escape(shape.text)}</title>" if shape.text else ""
    paint = f'fill="{shape.colour}"' if shape.kind == "box" else f'fill="none" stroke="{shape.colour}"'
    return f"<rect {place} {size} {paint}>{hint}</rect>"


def draw_plot(plot: Plot) -> Image:
    """Return a plot as a SIZE image, (h, w, 3) uint8 BGR."""
    image = np.zeros((*SIZE, 3), np.uint8)
    for shape in shapes(plot):
        _paint(image, shape)
    return image


def _paint(image: Image, shape: Shape) -> None:
    colour = bgr(shape.colour)
    start, end = (round(shape.x), round(shape.y)), (round(shape.x + shape.w), round(shape.y + shape.h))
    if shape.kind == "text":
        draw_text(image, shape.text, shape.x, shape.y, color=colour, anchor=shape.anchor)
    elif shape.kind == "path":
        cv2.polylines(image, [np.rint(np.array(shape.points)).astype(np.int32)], False, colour, 1, cv2.LINE_AA)
    elif shape.kind == "line":
        cv2.line(image, start, end, colour, 1)
    elif end[0] > start[0] and end[1] > start[1]:
        cv2.rectangle(image, start, (end[0] - 1, end[1] - 1), colour, -1 if shape.kind == "box" else 1)


def bgr(colour: str) -> tuple[int, int, int]:
    """Return #rrggbb as (b, g, r)."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return blue, green, red


def histogram(values: Sequence[float] | NDArray[np.floating], edges: Sequence[float]) -> NDArray[np.int64]:
    """Count values between edges; those beyond the ends count for the first and the last bin.

    Args:
        values: Finite numbers.
        edges: (n + 1) rising numbers.

    Returns:
        (n) counts.
    """
    inside = np.clip(np.asarray(values, np.float64), edges[0], edges[-1])
    return np.histogram(inside, edges)[0].astype(np.int64)
