"""The tables of README.md, generated from what the program itself declares."""

import re
from collections.abc import Sequence
from pathlib import Path

from facewright.convert.parameters import MODES
from facewright.core.command import CommandPackage
from facewright.core.files import write_bytes
from facewright.core.options import declared, show
from facewright.extract.detectors.base import MANUAL_CHOICE, detector_specs
from facewright.facesets.sort_base import methods
from facewright.launchers import LAUNCHERS
from facewright.models.registry import model_classes
from facewright.ui.events import HELP


def tables() -> dict[str, str]:
    """Return every generated table as Markdown, by the name of its marker."""
    return {
        "scripts": _table(("Script", "What it does"), [(f"`{n}`", _help_of(line)) for n, line in LAUNCHERS.items()]),
        "models": _table(("Model", "What it is for", "Face", "Million parameters", "Memory of a training"), _models()),
        "detectors": _table(("Detector", "What it is for"), _detectors()),
        "by hand": _table(("Mouse or key", "What it does"), list(HELP)),
        "modes": _table(("Mode", "What it does"), _modes()),
        "sorts": _table(("Sort", "Order", "Its options"), _sorts()),
    }


def fill(text: str) -> str:
    """Return the README with every table between its two markers as it must be.

    Raises:
        ValueError: A marker is missing.
    """
    for name, table in tables().items():
        pattern = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, t=table: m[1] + t + m[2], text)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"README.md has {count} markers for the table {name!r}; it needs one")
    return text


def write_readme(path: Path) -> bool:
    """Bring the tables of a README up to date; return whether anything changed."""
    old = path.read_text(encoding="utf-8")
    new = fill(old)
    if new != old:
        write_bytes(path, new.encode("utf-8"))
    return new != old


def _models() -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, entry in model_classes().items():
        side = (
            f"{entry.resolution}" if entry.output_side() == entry.resolution else f"{entry.resolution} → {entry.output}"
        )
        counts = [f"{count / 1e6:.1f}" + ("" if v == "full" else f" ({v})") for v, count in entry.parameters.items()]
        memory = [f"{size:.1f} GiB at batch {batch}" for batch, size in entry.memory.items()]
        rows.append((f"`{name}`", entry.title, f"{entry.face_type}, {side} px", ", ".join(counts), ", ".join(memory)))
    return rows


def _detectors() -> list[tuple[str, str]]:
    rows = {spec.name: spec.summary for spec in detector_specs()} | MANUAL_CHOICE
    return [(f"`{name}`", text) for name, text in rows.items()]


def _sorts() -> list[tuple[str, str, str]]:
    rows = []
    for name, method in methods().items():
        options = declared(method.options) if method.options else []
        told = [f"`{o.flag}` {o.range_text()} ({show(o.default)})" for o in options]
        rows.append((f"`{name}`", method.help, ", ".join(told)))
    return rows


def _modes() -> list[tuple[str, str]]:
    return [(f"`{mode}`", text) for mode, text in MODES.items()]


def _help_of(line: str) -> str:
    """Return the first line of the help of the command that a launcher calls, with the arguments it passes."""
    return f"{CommandPackage().summary(line.split()[0])} (`{line}`)"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"
