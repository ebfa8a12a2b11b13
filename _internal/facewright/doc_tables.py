"""The tables of README.md and docs/, generated from what the program itself declares.

A document says where a table belongs, `main.py launchers` writes it there:

    <!-- table: options extract -->
    <!-- end -->
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from facewright.annotate.mask_session import HELP as MASK_HELP
from facewright.convert.controls import MODES
from facewright.convert.preview_keys import HELP as KEYS_HELP
from facewright.convert.preview_keys import control_help
from facewright.core.command import CommandPackage
from facewright.core.errors import EXIT_CODES
from facewright.core.files import write_bytes
from facewright.core.hints import SCRIPTS
from facewright.core.options import Option, declared, show
from facewright.evaluate.figures import FIGURES, Figure
from facewright.evaluate.round_trip import FIGURES as TRIP_FIGURES
from facewright.extract.detectors.base import MANUAL_CHOICE, detector_specs
from facewright.extract.embedding import LICENCE as EMBEDDER
from facewright.extract.hands import LICENCE as HANDS
from facewright.extract.landmarkers.base import landmarker_specs
from facewright.facesets.sort_base import methods
from facewright.models.registry import model_classes
from facewright.models.spec import ModelSpec
from facewright.review.keys import HELP as REVIEW_HELP
from facewright.train.model_advice import WHICH
from facewright.ui.events import HELP

MARKER = re.compile(r"(<!-- table: (?P<name>[^>]+?) -->\n)(?P<table>.*?)(<!-- end -->)", re.DOTALL)


def tables() -> dict[str, str]:
    """Return every generated table as Markdown, by the name of its marker."""
    commands = CommandPackage()
    return {
        "scripts": _table(("Script", "What it does"), [(f"`{n}`", _help_of(line)) for n, line in SCRIPTS.items()]),
        "commands": _table(("Command", "What it does"), [(f"`{n}`", commands.summary(n)) for n in commands.modules]),
        "exit codes": _table(("Exit code", "What it means"), [(str(code), text) for code, text in EXIT_CODES.items()]),
        "models": _table(
            ("Model", "What it is for", "Face", "Million parameters", "Memory", "An iteration"), _models()
        ),
        "which model": _table(("You have", "Take", "How long", "An iteration, no GPU"), [_coded(row) for row in WHICH]),
        "detectors": _table(("Detector", "What it is for"), _detectors()),
        "licences": _table(("Part", "Licence of its weights", "Trained on", "Commercial work"), _licences()),
        "mouse and keys": _table(("Mouse or key", "What it does"), list(HELP)),
        "mouse and keys of the mask editor": _table(("Mouse or key", "What it does"), list(MASK_HELP)),
        "keys of the preview": _table(
            ("Key", "What it does"), [(f"`{k}`", w) for k, w in (*KEYS_HELP, *control_help())]
        ),
        "keys of the review": _table(("Key", "What it does"), [(f"`{key}`", words) for key, words in REVIEW_HELP]),
        "modes": _table(("Mode", "What it does"), [(f"`{mode}`", text) for mode, text in MODES.items()]),
        "figures": _table(("Figure", "What it says", "Ideal"), _figures(FIGURES)),
        "round trip": _table(("Figure", "What it says", "Ideal"), _figures(TRIP_FIGURES)),
        "sorts": _table(("Sort", "Order", "Its options"), _sorts()),
        **{
            f"options {name}": _table(("Option", "Default", "What it does"), list(map(_option_row, specs)))
            for name, command in commands.load_all().items()
            if (specs := declared(command.options))
        },
    }


def fill(text: str, known: Mapping[str, str]) -> str:
    """Return a document with every table between its two markers as it must be.

    Args:
        text: The document.
        known: From `tables`.

    Raises:
        ValueError: A marker names a table that does not exist.
    """

    def current(found: re.Match[str]) -> str:
        if found["name"] not in known:
            raise ValueError(f"there is no table {found['name']!r}; there are {', '.join(known)}")
        return f"{found[1]}{known[found['name']]}{found[4]}"

    return MARKER.sub(current, text)


def marked(text: str) -> list[str]:
    """Return the names of the tables that a document marks."""
    return [found["name"] for found in MARKER.finditer(text)]


def documents(repository: Path) -> list[Path]:
    """Return the Markdown files that users read."""
    return sorted([*repository.glob("*.md"), *(repository / "docs").rglob("*.md")])


def write_tables(repository: Path) -> list[Path]:
    """Bring the tables of all documents up to date; return the files that changed."""
    changed, known = [], tables()
    for path in documents(repository):
        old = path.read_text(encoding="utf-8")
        new = fill(old, known)
        if new != old:
            write_bytes(path, new.encode("utf-8"))
            changed.append(path)
    return changed


def _models() -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, entry in model_classes().items():
        side = (
            f"{entry.resolution}" if entry.output_side() == entry.resolution else f"{entry.resolution} → {entry.output}"
        )
        counts = [f"{count / 1e6:.1f}" + ("" if v == "full" else f" ({v})") for v, count in entry.parameters.items()]
        memory = f"{entry.memory:.1f} GiB"
        kind = f"{entry.face_type}, {side} px"
        rows.append((f"`{name}`", entry.title, kind, ", ".join(counts), memory, _iteration(entry)))
    return rows


def _coded(row: tuple[str, ...]) -> tuple[str, ...]:
    """Return a row with the names of models as code, the document that it names as a link, and times of iterations."""
    names = re.compile(rf"\b({'|'.join(sorted(model_classes(), key=len, reverse=True))})\b(?! frame)")
    what, which, how_long = row
    words, opening, link = re.sub(r"see (docs/\S+)", r"[\1](\1)", which).partition("[")
    times = dict.fromkeys(_iteration(model_classes()[name]) for name in names.findall(words))
    return what, names.sub(r"`\1`", words) + opening + link, how_long, " or ".join(times)


def _iteration(model: type[ModelSpec]) -> str:
    """Return what an iteration takes on two cores, which share the processor time that was measured."""
    return f"{model.seconds / 2:.1f} s"


def _detectors() -> list[tuple[str, str]]:
    rows = {spec.name: spec.summary for spec in detector_specs()} | MANUAL_CHOICE
    return [(f"`{name}`", text) for name, text in rows.items()]


def _licences() -> list[tuple[str, ...]]:
    parts = (
        [spec.licence for spec in detector_specs()] + [spec.licence for spec in landmarker_specs()] + [EMBEDDER, HANDS]
    )
    return [(one.part, one.terms, one.trained_on, "yes" if one.commercial else "no") for one in parts]


def _figures(figures: Sequence[Figure]) -> list[tuple[str, str, str]]:
    return [(f.heading, f.meaning, f.better if f.ideal is None else f.show(f.ideal)) for f in figures]


def _sorts() -> list[tuple[str, str, str]]:
    rows = []
    for name, method in methods().items():
        options = declared(method.options) if method.options else []
        told = [f"`{o.flag}` {o.range_text()} ({show(o.default)})" for o in options]
        rows.append((f"`{name}`", method.help, ", ".join(told)))
    return rows


def _option_row(spec: Option) -> tuple[str, str, str]:
    """Return an option's flag, default and meaning; what is on by default is shown by the flag that turns it off."""
    if spec.kind is bool:
        flag, default = (f"--no-{spec.flag[2:]}", "on") if spec.default else (spec.flag, "off")
        return f"`{flag}`", default, spec.help
    name = spec.name.upper() if spec.positional else spec.flag
    return f"`{name}`", show(spec.default) or "none", " ".join([spec.help, *_allowed(spec)])


def _allowed(spec: Option) -> Iterator[str]:
    if spec.choices and len(spec.choices) <= 6:
        yield f"One of {', '.join(f'`{name}`' for name in spec.choices)}."
    elif not spec.choices and spec.kind is not str:
        yield f"{spec.range_text().capitalize()}."


def _help_of(line: str) -> str:
    """Return the first line of the help of the command that a launcher calls, with the arguments it passes."""
    return f"{CommandPackage().summary(line.split()[0])} (`{line}`)"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    escaped = [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    lines = [f"| {' | '.join(line)} |" for line in (head, *escaped)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"
