"""compare.html and compare.png: trainings side by side, their curves, and the same faces drawn by each."""

import base64
import html
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image, encode
from facewright.core.workspace import SIDES
from facewright.marking.provenance import mark_image
from facewright.train.console_line import time_text
from facewright.train.runs import Drawn, Run, differences, facesets
from facewright.ui.contact_sheet import contact_sheet
from facewright.ui.page import page_head
from facewright.ui.plots import SERIES, Lines, svg

PAGE, SHEET = "compare.html", "compare.png"
CELL = 160  # px of a face on the sheet
QUALITY = 88
POINTS = 200  # of a curve
COLUMNS = ("src", "dst", "trip", "src sharp", "dst sharp")
HEADS = ("", "iterations", "time", "error src %", "error dst %", "round trip %", "sharp src", "sharp dst", "faceset")
PLOTS = {
    "src": "Error of src, held out, %",
    "dst": "Error of dst, held out, %",
    "trip": "Round trip of src, %",
    "dst sharp": "Sharpness of dst over the original",
}

STYLE = """
body { max-width: 1180px; margin: 0 auto; padding: 20px 16px 40px } h2 { margin: 26px 0 8px }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; background: var(--card); border-radius: 8px }
th, td { padding: 6px 8px; text-align: right; border-top: 1px solid var(--line); font-variant-numeric: tabular-nums }
th { font-size: 13px; font-weight: 500; color: var(--soft) } th:first-child, td:first-child { text-align: left }
td.best { color: var(--accent); font-weight: 600 }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 8px }
svg { border-radius: 6px; width: 100%; height: auto } svg text { font: 11px system-ui, sans-serif }
img { max-width: 100%; border-radius: 6px; display: block } li { margin: 6px 0; white-space: pre-line }
"""


def table_rows(runs: Sequence[Run]) -> list[list[str]]:
    """Return the table: a row of cells per run, in the order of `HEADS`."""
    rows = []
    for run, faces in zip(runs, facesets(runs), strict=True):
        last = run.curve.last()
        measured = [f"{last[name]:.2f}" if np.isfinite(last.get(name, np.nan)) else "–" for name in COLUMNS]
        took = time_text(run.seconds) if run.seconds else "?"
        rows.append([f"{run.letter} {run.name}", f"{run.iteration:,}", took, *measured, faces])
    return rows


def console_lines(runs: Sequence[Run], drawn: Drawn) -> Iterator[str]:
    """Yield the lines that the console shows: the table, what differs, and what each curve says."""
    rows = [list(HEADS), *table_rows(runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    for row in rows:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join([row[0].ljust(len(first)), *others])
    for name, values in differences(runs).items():
        yield f"{name}: {', '.join(f'{run.letter} {value}' for run, value in zip(runs, values, strict=True))}"
    for run in runs:
        if run.advice.text:
            yield f"{run.letter}: {run.advice.text}"
    for letter, why in drawn.problems.items():
        yield f"{letter} draws nothing: {why}"


def runs_page(runs: Sequence[Run], drawn: Drawn) -> str:
    """Return the page as HTML; its images carry the mark of what a network made."""
    sheet = draw_sheet(runs, drawn)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="en"><head>{page_head("Trainings side by side", STYLE)}</head><body>',
            "<h1>Trainings side by side</h1>",
            '<p class="soft">Measured on faces that were never trained on. Error and round trip: structural '
            "dissimilarity, less is better. Sharpness: detail over that of the faces themselves, 1 is as much.</p>",
            *_table(HEADS, table_rows(runs), best=range(3, 8)),
            *_differences(runs),
            '<h2>Curves</h2><div class="plots">',
            *(svg(plot) for plot in run_plots(runs)),
            "</div>",
            *_sheet(sheet, drawn),
            "<h2>What the curves say</h2><ul>",
            *(f"<li>{run.letter} {html.escape(run.name)}: {html.escape(_said(run))}</li>" for run in runs),
            "</ul></body></html>",
        ]
    )


def _said(run: Run) -> str:
    return run.advice.text or ("too little was measured." if len(run.curve) else "no faces were held out.")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], best: range = range(0)) -> Iterator[str]:
    winners = {column: _winner([row[column] for row in rows], more=column > 5) for column in best}
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f"<th>{html.escape(head)}</th>" for head in heads) + "</tr></thead><tbody>"
    for number, row in enumerate(rows):
        cells = (
            f"<td{' class=best' if winners.get(column) == number else ''}>{html.escape(cell)}</td>"
            for column, cell in enumerate(row)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _winner(cells: Sequence[str], *, more: bool) -> int | None:
    """Return the row with the best number, where there are two to choose from."""
    known = {number: float(cell) for number, cell in enumerate(cells) if cell != "–"}
    if len(known) < 2:
        return None
    return max(known, key=lambda number: known[number] if more else -known[number])


def _differences(runs: Sequence[Run]) -> Iterator[str]:
    found = differences(runs)
    if len(runs) < 2 or not found:
        return
    yield "<h2>Where they differ</h2>"
    yield from _table(["", *(run.letter for run in runs)], [[name, *values] for name, values in found.items()])


def run_plots(runs: Sequence[Run]) -> list[Lines]:
    """Return the curves over the time trained; of many runs the first that have a colour."""
    shown = [run for run in runs if len(run.curve)][: len(SERIES)]
    if not shown:
        return []
    longest = max(float(run.curve.column("seconds")[-1]) for run in shown)
    times = np.linspace(0, longest, POINTS)
    axis = f"time trained, to {time_text(longest)}"
    return [
        Lines(title, tuple((run.letter, _at(run, name, times)) for run in reversed(shown)), axis)
        for name, title in PLOTS.items()
    ]


def _at(run: Run, name: str, times: NDArray[np.float64]) -> NDArray[np.float64]:
    seconds, values = run.curve.column("seconds").astype(float), run.curve.column(name).astype(float)
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(times), np.nan)
    late = np.searchsorted(seconds[known], times).clip(0, int(known.sum()) - 1)
    near = np.abs(seconds[known][late] - times) <= times[-1] / POINTS  # one measurement alone is a point, not a line
    found = np.interp(times, seconds[known], values[known], left=np.nan, right=np.nan)
    return np.where(np.isfinite(found), found, np.where(near, values[known][late], np.nan))


def draw_sheet(runs: Sequence[Run], drawn: Drawn) -> Image | None:
    """Draw a row per face: the face itself, then what each run makes of it; None where nothing was drawn."""
    able = [run for run in runs if run.letter in drawn.by_run]
    if not able:
        return None
    cells = []
    for side in SIDES:
        made = "rebuilt" if side == "src" else "as src"
        for row, own in enumerate(drawn.own[side]):
            cells.append((side, _tile(own)))
            cells += [(f"{run.letter} {made}", _tile(drawn.by_run[run.letter][side][row])) for run in able]
    return contact_sheet(cells, 1 + len(able), CELL)


def _tile(face: NDArray[np.float32]) -> Image:
    levels = (np.nan_to_num(face).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return np.asarray(cv2.resize(levels, (CELL, CELL), interpolation=cv2.INTER_AREA), np.uint8)


def _sheet(sheet: Image | None, drawn: Drawn) -> Iterator[str]:
    yield "<h2>The same faces</h2>"
    if sheet is not None:
        seen = (
            "None was trained on by any."
            if drawn.unseen
            else "Some may have been trained on: no face is held out by all."
        )
        data = base64.b64encode(mark_image(encode(sheet, ".jpg", quality=QUALITY), ".jpg")).decode()
        yield f'<p class="soft">{seen} src rebuilt, then dst as src.</p>'
        yield f'<div class="wide"><img alt="The same faces drawn by each" src="data:image/jpeg;base64,{data}"></div>'
    for letter, why in drawn.problems.items():
        yield f"<p>{letter} draws nothing: {html.escape(why)}</p>"
