"""The page and the sheet of the view command: numbers, advice, plots, and the faces."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np

from facewright.core.console import counted
from facewright.core.images import Image
from facewright.core.workspace import Side
from facewright.faces.faceset import FaceFile
from facewright.facesets.statistics import Advice, MeasuredFace
from facewright.ui.contact_sheet import contact_sheet
from facewright.ui.page import page_head
from facewright.ui.plots import GROUND, MARK, SIZE, bgr, draw_plot, svg
from facewright.ui.plots import Plot as Plot
from facewright.ui.text import draw_text

COLUMNS, CELL = 12, 112  # of the contact sheet: faces per row, pixels
GAP, LINE = 8, 22
WIDTH = 4 * SIZE[1] + 5 * GAP

# What the page shares with the one that is served.
GALLERY_STYLE = """
body { margin: 20px 24px } p { margin: 2px 0 }
.advice { list-style: none; padding: 0; margin: 10px 0 }
.advice li::before { content: "\\2022"; color: var(--warn); margin-right: 8px }
.advice li.fine { color: var(--soft) } .advice li.fine::before { content: "\\2713"; color: var(--accent) }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 8px; margin: 12px 0 }
.plots svg { border-radius: 6px; width: 100%; max-width: 460px; height: auto }
.plots svg text { font: 11px system-ui, sans-serif }
figure { margin: 0 }
figure img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; background: var(--card);
  border-radius: 4px }
figcaption { font-size: 12px; line-height: 1.35; color: var(--soft); overflow-wrap: anywhere }
figcaption b { color: var(--ink); font-weight: 500 }
"""
PAGE_STYLE = (
    GALLERY_STYLE
    + """
.tools { position: sticky; top: 0; background: var(--ground); padding: 8px 0; z-index: 1; color: var(--soft) }
label { margin-right: 14px }
#faces { display: grid; grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); gap: 10px }
figure { content-visibility: auto; contain-intrinsic-size: 148px 196px }
"""
)

SCRIPT = """
const grid = document.getElementById("faces"), all = [...grid.children];
const order = document.getElementById("order"), person = document.getElementById("person");
const shown = document.getElementById("shown");
function arrange() {
  const [key, sign] = order.value.split(" ");
  const list = key === "name" ? all : [...all].sort((a, b) => sign * (a.dataset[key] - b.dataset[key]));
  let count = 0;
  for (const face of list) {
    face.hidden = Boolean(person && person.value && face.dataset.person !== person.value);
    count += !face.hidden;
  }
  grid.replaceChildren(...list);
  shown.textContent = count + " faces";
}
order.addEventListener("change", arrange);
if (person) person.addEventListener("change", arrange);
"""

ORDERS = (
    ("name 1", "name"),
    ("sharp 1", "most blurred first"),
    ("sharp -1", "sharpest first"),
    ("yaw -1", "looking left to looking right"),
    ("pitch -1", "looking up to looking down"),
    ("side 1", "smallest in the frame first"),
    ("light 1", "darkest first"),
    ("light -1", "brightest first"),
)


@dataclass(frozen=True)
class SeenFaces:
    """What is said of a faceset on the page, on the sheet and above the gallery that is served.

    Attributes:
        title: First line.
        summary: The faceset in one line.
        advice: From `advise`.
        plots: What is drawn above the faces; four at most.
        by_name: Measurements by file name; a face without any is damaged.
    """

    title: str
    summary: str
    advice: tuple[Advice, ...]
    plots: tuple[Plot, ...]
    by_name: Mapping[str, MeasuredFace]


def gallery_page(side: Side, seen: SeenFaces, faces: Sequence[FaceFile]) -> str:
    """Return an HTML page; it works from the workspace folder, on any machine, without a network.

    Args:
        side: Whose faces.
        seen: What is said of them.
        faces: All faces, in the order of their names.
    """
    persons = sorted({face.person for face in seen.by_name.values() if face.person is not None})
    figures = [_figure(side, face, seen.by_name.get(face.path.name)) for face in faces]
    folder = html.escape(f"{side.name}/{side.aligned_dir.name}")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="en"><head>{page_head(seen.title, PAGE_STYLE)}</head><body>',
            f"<h1>{html.escape(seen.title)}</h1><p>{html.escape(seen.summary)}</p>",
            advice_list(seen.advice),
            f'<div class="plots">{"".join(svg(plot) for plot in seen.plots)}</div>',
            f"<p>To leave a face out, delete its file in {folder}.</p>",
            f'<div class="tools">{_tools(persons)} <span id="shown">{counted(len(faces), "face")}</span></div>',
            f'<div id="faces">{"".join(figures)}</div>',
            f"<script>{SCRIPT}</script></body></html>",
        ]
    )


def advice_list(advice: Sequence[Advice]) -> str:
    """Return advice as a list in HTML."""
    lines = [f'<li class="{"fine" if line.fine else "look"}">{html.escape(line.text)}</li>' for line in advice]
    return f'<ul class="advice">{"".join(lines)}</ul>'


def order_choices() -> str:
    """Return the orders in which a page may show the faces, as options in HTML."""
    return "".join(f'<option value="{value}">{name}</option>' for value, name in ORDERS)


def _tools(persons: Sequence[int]) -> str:
    parts = [f'<label>Order <select id="order">{order_choices()}</select></label>']
    if len(persons) > 1:
        choices = "".join(f'<option value="{number}">{number}</option>' for number in persons)
        parts.append(f'<label>Person <select id="person"><option value="">all</option>{choices}</select></label>')
    return "".join(parts)


def _figure(side: Side, face: FaceFile, seen: MeasuredFace | None) -> str:
    address = quote(f"{side.name}/{side.aligned_dir.name}/{face.path.name}")
    record = face.record
    yaw, pitch, _ = record.pose
    facts = f"{record.frame}, yaw {yaw:.0f}, pitch {pitch:.0f}, {record.detector} {record.score:.2f}"
    data = f'data-yaw="{yaw:.1f}" data-pitch="{pitch:.1f}"'
    if seen is not None:
        facts += f", box {seen.side:.0f} px, sharpness {seen.sharpness:.0f}"
        data += f' data-side="{seen.side:.1f}" data-sharp="{seen.sharpness:.1f}" data-light="{seen.brightness:.1f}"'
    else:
        facts += ", damaged"
        data += ' data-side="0" data-sharp="0" data-light="0"'
    if record.person is not None:
        facts += f", person {record.person}"
        data += f' data-person="{record.person}"'
    caption = f"<b>{html.escape(face.path.name)}</b><br>{html.escape(facts)}"
    return f'<figure {data}><img loading="lazy" alt="" src="{address}"><figcaption>{caption}</figcaption></figure>'


def gallery_sheet(seen: SeenFaces, faces: Sequence[tuple[str, Image]]) -> Image:
    """Return the sheet: title, advice, plots, and a contact sheet of faces.

    Args:
        seen: What is said of them.
        faces: (label, (h, w, 3) uint8 BGR).

    Returns:
        (h, w, 3) uint8 BGR.
    """
    title, summary, plots = seen.title, seen.summary, seen.plots
    lines = [(line.fine, row) for line in seen.advice for row in wrapped(line.text)]
    top = GAP + 2 * LINE + LINE * len(lines) + GAP + (SIZE[0] + GAP if plots else 0)
    below = contact_sheet(faces, COLUMNS, CELL) if faces else np.zeros((0, WIDTH, 3), np.uint8)
    width = max(WIDTH, below.shape[1])
    image = np.full((top + len(below), width, 3), bgr(GROUND), np.uint8)
    draw_text(image, title, 12, GAP + LINE - 6, scale=0.6)
    draw_text(image, summary, 12, GAP + 2 * LINE - 6, scale=0.45)
    for number, (fine, row) in enumerate(lines):
        y = GAP + (number + 3) * LINE - 6
        draw_text(image, row, 12, y, color=(150, 150, 150) if fine else bgr(MARK), scale=0.45)
    for number, plot in enumerate(plots):
        left, y = GAP + number * (SIZE[1] + GAP), top - SIZE[0] - GAP
        image[y : y + SIZE[0], left : left + SIZE[1]] = draw_plot(plot)
    image[top:, : below.shape[1]] = below
    return image


def wrapped(text: str, longest: int = 165) -> list[str]:
    """Break a line at blanks so that it fits the sheet; further lines are indented."""
    rows = ["-"]
    for word in text.split():
        if len(rows[-1]) + 1 + len(word) > longest:
            rows.append(" ")
        rows[-1] += f" {word}"
    return rows
