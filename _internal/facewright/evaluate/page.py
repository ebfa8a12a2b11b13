"""evaluation.html: figures, curves over time, the worst and the best faces, all in one file."""

import base64
import html
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from facewright.core.console import counted
from facewright.core.files import write_bytes
from facewright.core.images import Image, encode, read_image
from facewright.evaluate.extremes import Extreme, extremes
from facewright.evaluate.figures import FIGURES, Figure
from facewright.evaluate.found import Evaluation
from facewright.evaluate.report import show_ideal, show_interval
from facewright.evaluate.round_trip import FIGURES as TRIP_FIGURES
from facewright.evaluate.round_trip import GROUP, RoundTrip
from facewright.evaluate.subject import EvaluatedFace
from facewright.faces.align import cut
from facewright.marking.provenance import mark_image
from facewright.ui.page import page_head
from facewright.ui.plots import Lines, svg

NAME = "evaluation.html"
SHOWN = 6  # of the best, and of the worst
CELL = 220  # px of a face on the page
REACH = 0.8  # around a face, in its longer side
QUALITY = 85

STYLE = """
body { max-width: 1180px; margin: 0 auto; padding: 20px 16px 40px } p { margin: 4px 0 }
h2 { margin: 26px 0 8px }
table { border-collapse: collapse; width: 100%; background: var(--card); border-radius: 8px }
th, td { padding: 6px 8px; text-align: right; vertical-align: top; border-top: 1px solid var(--line) }
th { font-size: 13px; font-weight: 500; color: var(--soft) } th:first-child, td:first-child { text-align: left }
tr.group td { font-weight: 600; padding-top: 14px } td small { display: block; color: var(--soft); font-size: 12px }
td { font-variant-numeric: tabular-nums } td + td { white-space: nowrap }
td.better { color: var(--accent); font-weight: 600 } td.worse { color: var(--warn); font-weight: 600 }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 8px }
svg { border-radius: 6px; width: 100%; height: auto } svg text { font: 11px system-ui, sans-serif }
.faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 10px }
figure { margin: 0 } img { width: 100%; display: block; border-radius: 4px }
figcaption { font-size: 12px; color: var(--soft); overflow-wrap: anywhere }
li { margin: 4px 0 }
details { display: none; margin-top: 16px } dt { margin-top: 8px } dd { margin: 0; color: var(--soft); font-size: 13px }
@media (max-width: 520px) {
  th, td { padding: 5px 4px; font-size: 13px } td:first-child small { display: none } td small { font-size: 11px }
  details { display: block }
}
"""


def write_page(path: Path, found: Evaluation) -> None:
    """Write the page.

    Raises:
        UserError: The disk is full, or a frame cannot be read.
    """
    write_bytes(path, evaluation_page(found).encode("utf-8"))


def evaluation_page(found: Evaluation) -> str:
    """Return the page as HTML; its images carry the mark of what a network made."""
    name, count = html.escape(found.result.name), len(found.result.table)
    title = f"How good is {found.result.name}?"
    best, worst = extremes(found.result.table, SHOWN)
    meanings = "".join(f"<dt>{html.escape(f.title)}</dt><dd>{html.escape(f.meaning)}</dd>" for f in FIGURES)
    limits = "".join(f"<li>{html.escape(line)}</li>" for line in found.limits)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="en"><head>{page_head(title, STYLE)}</head><body>',
            f"<h1>How good is {name}?</h1>",
            f'<p class="soft">{counted(count, "face")} in {counted(len(found.subject.frames), "frame")} of '
            f"{html.escape(found.workspace.name)}. Judge of identity: {html.escape(found.judge)}</p>",
            *_table(found),
            *(_trip_table(found.trip) if found.trip else ()),
            f"<details><summary>What the figures say</summary><dl>{meanings}</dl></details>",
            '<h2>Over time</h2><div class="plots">',
            *(svg(plot) for plot in result_plots(found)),
            "</div>",
            '<h2>Worst faces</h2><p class="soft">dst on the left, the result on the right.</p>',
            f'<div class="faces">{"".join(_faces(found, worst))}</div>',
            f'<h2>Best faces</h2><div class="faces">{"".join(_faces(found, best))}</div>',
            f"<h2>What these figures cannot know</h2><ul>{limits}</ul>",
            "</body></html>",
        ]
    )


def _table(found: Evaluation) -> Iterator[str]:
    against = found.against
    heads = ["dst encoded", "ideal"] if against is None else ["other", "difference"]
    cells = "".join(f"<th>{text}</th>" for text in ("", "result", *heads))
    yield f"<table><thead><tr>{cells}</tr></thead><tbody>"
    group = ""
    for figure in FIGURES:
        if figure.group != group:
            group = figure.group
            yield f'<tr class="group"><td colspan="4">{group}</td></tr>'
        yield _row(figure, found)
    yield "</tbody></table>"
    if against:
        how = f"{counted(against.paired, 'face')} in both" if against.paired else "it shows other faces"
        yield f'<p class="soft">The other is {html.escape(against.name)}; {how}. Better, worse: more than chance.</p>'


def _trip_table(trip: RoundTrip) -> Iterator[str]:
    faces = counted(trip.faces, "face")
    yield f'<h2>{html.escape(GROUP)}</h2><p class="soft">{faces}. {html.escape(trip.about)}</p><table>'
    yield "<thead><tr><th></th><th>result</th><th>dst as dst</th><th>ideal</th></tr></thead><tbody>"
    for figure in TRIP_FIGURES:
        value, direct = trip.values[figure.name], trip.direct[figure.name]
        cells = [_cell(figure.show(value.value), show_interval(figure, value.interval))]
        cells += [_cell(figure.show(direct.value)), _cell(show_ideal(figure, {}))]
        yield f"<tr>{_cell(figure.heading, figure.meaning)}{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _row(figure: Figure, found: Evaluation) -> str:
    value = found.result.values[figure.name]
    cells = [_cell(figure.show(value.value), show_interval(figure, value.interval))]
    if found.against:
        apart = found.against.differences[figure.name]
        cells.append(_cell(figure.show(found.against.values[figure.name].value)))
        verdict = found.against.verdict(figure, value)
        small = ", ".join(filter(None, (show_interval(figure, apart.interval), verdict)))
        cells.append(_cell(figure.show(apart.value), small, verdict))
    else:
        floor = found.floor.values[figure.name] if found.floor else None
        cells.append(_cell(figure.show(floor.value) if floor else ""))
        cells.append(_cell(show_ideal(figure, found.expected)))
    return f"<tr>{_cell(figure.heading, figure.meaning)}{''.join(cells)}</tr>"


def _cell(text: str, small: str = "", kind: str = "") -> str:
    below = f"<small>{html.escape(small)}</small>" if small else ""
    return f"<td class='{kind}'>{html.escape(text)}{below}</td>"


def result_plots(found: Evaluation) -> list[Lines]:
    """Return the curves: what is known of each face, in order of time."""
    c = found.result.table.columns
    axis = "faces in order of time"

    def lines(title: str, low: float | None, **series: str) -> Lines:
        return Lines(title, tuple((name, c[column]) for name, column in series.items()), axis, low)

    return [
        lines("Distance to", None, dst="to_dst", src="to_src"),
        lines("Margin (dst less src)", 0, result="margin"),
        lines("Eyes open", 0, dst="eyes_dst", result="eyes"),
        lines("Mouth open", 0, dst="mouth_dst", result="mouth"),
        lines("Landmark error", 0, result="landmark_error"),
        lines("Pose error, °", 0, result="pose_error"),
        lines("Border step, dE", 0, result="step"),
        lines("Light and colour, dE", 0, result="shade"),
        lines("Detail of the face", 0, dst="face_detail_dst", result="face_detail"),
        lines("Change from frame to frame, dE", 0, dst="flicker_dst", result="flicker"),
        lines("Jitter, % of the eyes' distance", 0, dst="jitter_dst", result="jitter"),
        lines("Alike to the frame before", None, dst="neighbours_dst", result="neighbours"),
    ]


def _faces(found: Evaluation, shown: Sequence[Extreme]) -> Iterator[str]:
    """Yield faces of dst and of the result side by side, with what they stand out by."""
    source, table = found.result.source, found.result.table
    if source is None:
        return
    index = {frame.stem: number for number, frame in enumerate(found.subject.frames)}
    faces = {(face.frame, face.number): face for face in found.subject.faces}
    wanted = {row: faces[index[table.frames[row]], table.numbers[row]] for row in (one.row for one in shown)}
    images = {number: load() for number, load in source.read(sorted({face.frame for face in wanted.values()}))}
    for one in shown:
        face = wanted[one.row]
        pair = np.hstack(
            [close_up(image, face) for image in (read_image(found.subject.frames[face.frame]), images[face.frame])]
        )
        data = base64.b64encode(mark_image(encode(pair, ".jpg", quality=QUALITY), ".jpg")).decode()
        words = html.escape(f"{table.frames[one.row]}: {one.reason}")
        yield f'<figure><img alt="" src="data:image/jpeg;base64,{data}"><figcaption>{words}</figcaption></figure>'


def close_up(image: Image, face: EvaluatedFace) -> Image:
    """Return the surroundings of a face, (CELL, CELL, 3)."""
    low, high = face.points.min(0), face.points.max(0)
    middle, reach = (low + high) / 2, float((high - low).max()) * REACH
    scale = CELL / (2 * max(reach, 1e-6))
    matrix = np.array([[scale, 0, CELL / 2 - scale * middle[0]], [0, scale, CELL / 2 - scale * middle[1]]])
    return np.asarray(cut(image, matrix, CELL), np.uint8)
