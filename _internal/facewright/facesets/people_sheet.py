"""The people of a side: a table, a contact sheet with a row for each, and a page with all faces."""

import html
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import write_bytes
from facewright.core.hints import command_line
from facewright.core.images import Image, encode, read_image
from facewright.core.workspace import Side, Workspace
from facewright.extract.people import People, Person
from facewright.facesets.common import no_faces, warn_of_bad_files
from facewright.ui.contact_sheet import GROUND, evenly, fit
from facewright.ui.page import page_head
from facewright.ui.text import draw_text

MAX_LISTED = 20  # persons in the table and on the sheet; the page holds all
COLUMNS, CELL, GAP, MARGIN = 10, 112, 4, 132  # of the sheet: faces per row, pixels
PAGE_STYLE = """
body { margin: 16px }
img { width: 112px; height: 112px; object-fit: contain; margin: 2px }
summary { cursor: pointer; color: var(--accent) }
h2 { margin: 24px 0 6px } h2 small { font-weight: normal; color: var(--soft) }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
"""
PAGE = """<!DOCTYPE html>
<html lang="en">{head}
<h1>{title}</h1>
<p>{advice}</p>
<pre>{line}</pre>
{persons}
"""


def table(people: People) -> Iterator[str]:
    """Yield the lines of the table: person, faces, share, first and last frame."""
    yield f"  {'person':>6} {'faces':>7} {'share':>6}  frames"
    for person in people.persons[:MAX_LISTED]:
        share = len(person.faces) / people.count
        frames = person.first if person.first == person.last else f"{person.first} to {person.last}"
        yield f"  {person.number:>6} {len(person.faces):>7} {share:>6.0%}  {frames}"
    rest = people.persons[MAX_LISTED:]
    if rest:
        largest = max(len(person.faces) for person in rest)
        span = f"person {rest[0].number}" + (f" to {rest[-1].number}" if len(rest) > 1 else "")
        yield f"  and {len(rest)} more with at most {largest} face{'s' * (largest > 1)}: {span}"


def show_people(workspace: Workspace, side: Side, people: People) -> tuple[Path, Path]:
    """Write contact sheet and page; return their paths."""
    sheet_path = workspace.root / f"{side.name}_people.png"
    page = workspace.root / f"{side.name}_people.html"
    rows = [row for person in people.persons[:MAX_LISTED] if (row := _row(person)) is not None]
    if rows:
        columns = min(COLUMNS, max(len(person.faces) for person in people.persons[:MAX_LISTED]))
        sheet = np.vstack(rows)[:, : MARGIN + columns * (CELL + GAP)]
        write_bytes(sheet_path, encode(np.ascontiguousarray(sheet), ".png"))
    write_bytes(page, _page(side, people).encode("utf-8"))
    return sheet_path, page


def _row(person: Person) -> Image | None:
    """Draw one person: number and count, then faces spread evenly over the frames; None where none can be read."""
    row = np.full((CELL + GAP, MARGIN + COLUMNS * (CELL + GAP), 3), GROUND, np.uint8)
    _write(row, str(person.number), 40, 1.1)
    _write(row, f"{len(person.faces)} face{'s' * (len(person.faces) > 1)}", 66, 0.5)
    _write(row, _end(person.first, 15), 86, 0.4)
    if person.last != person.first:
        _write(row, f"to {_end(person.last, 12)}", 102, 0.4)
    column = 0
    for index in evenly(len(person.faces), COLUMNS):
        try:
            face = read_image(person.faces[index].path)
        except UserError:
            continue
        left = MARGIN + column * (CELL + GAP)
        row[GAP // 2 : GAP // 2 + CELL, left : left + CELL] = fit(face, (CELL, CELL))
        column += 1
    return row if column else None


def _end(name: str, length: int) -> str:
    """Names differ at their ends."""
    return name if len(name) <= length else f"..{name[2 - length :]}"


def _write(row: Image, text: str, height: int, size: float) -> None:
    draw_text(row, text, 8, height, scale=size, thickness=1 + (size > 1))


def _page(side: Side, people: People) -> str:
    count = len(people.persons)
    title = f"{side.name}: {count} {'person' if count == 1 else 'people'}"
    one = people.persons[0].number if people.persons else 1
    advice = (
        "Groups of few faces are often no faces at all. "
        f"To keep person {one} only, for example (the faces of the others move to the trash folder):"
    )
    line = command_line(f"keep --side {side.short} --person {one}")
    persons = [_section(side, f"Person {person.number}", person) for person in people.persons]
    if people.unknown:
        persons.append(_section(side, "Not compared", Person(0, people.unknown)))
    texts = {name: html.escape(text) for name, text in (("title", title), ("advice", advice), ("line", line))}
    return PAGE.format(head=page_head(title, PAGE_STYLE), persons="\n".join(persons), **texts)


def _section(side: Side, title: str, person: Person) -> str:
    count = len(person.faces)
    chosen = evenly(count, COLUMNS)
    few = "".join(_image(side, person.faces[index].path.name) for index in chosen)
    frames = f"frame {person.first}" if person.first == person.last else f"frames {person.first} to {person.last}"
    facts = html.escape(f"{count} face{'s' * (count > 1)}, {frames}")
    text = f"<h2>{title} <small>{facts}</small></h2>{few}"
    if count > len(chosen):
        everyone = "".join(_image(side, face.path.name) for face in person.faces)
        text += f"<details><summary>all {count}</summary>{everyone}</details>"
    return text


def _image(side: Side, name: str) -> str:
    address = quote(f"{side.name}/{side.aligned_dir.name}/{name}")
    return f'<img loading="lazy" src="{address}" title="{html.escape(name)}">'


def present_people(workspace: Workspace, side: Side, people: People) -> None:
    """Print the table, write sheet and page, name the faces that have no number.

    Raises:
        UserError: There are no faces.
    """
    if not people.persons and not people.unknown:
        raise no_faces(side, people.bad)
    warn_of_bad_files(people.bad, "is left alone")
    for line in table(people) if people.persons else ():
        console.say(line, needed=True)
    if people.unknown:
        names = console.listed([face.path.name for face in people.unknown])
        console.say(f"Faces that could not be compared: {len(people.unknown)} ({names}).", needed=True)
        console.say(
            "  A half face shows too little by itself: its frame must be there. Or the file is damaged.", needed=True
        )
    picture, page = show_people(workspace, side, people)
    if people.persons:
        console.say(f"A row of faces for each: {picture}", needed=True)
    console.say(f"All faces by person: {page}", needed=True)
