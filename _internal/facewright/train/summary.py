"""What a training says before it begins and when it ends."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from facewright.core import console
from facewright.core.options import show
from facewright.train.console_line import duration

if TYPE_CHECKING:  # these import keras
    from facewright.train.loop import Outcome
    from facewright.train.session import Session

Rows = Sequence[tuple[str, str]]
WIDEST = 110


def box(title: str, rows: Rows) -> list[str]:
    """Return the lines of a box: a title, then a name and a text per row; long texts are broken at blanks."""
    name = max((len(n) for n, _ in rows), default=0)
    lines: list[str] = []
    for label, text in rows:
        for number, part in enumerate(_broken(text, WIDEST - name - 6)):
            lines.append(f"{label if not number else '':<{name}}  {part}")
    width = max(len(title) + 4, *(len(line) for line in lines))
    head = f" {title} ".center(width + 2, "-")
    return [f"+{head}+", *(f"| {line:<{width}} |" for line in lines), f"+{'-' * (width + 2)}+"]


def _broken(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def model_rows(session: "Session") -> list[tuple[str, str]]:
    """Return the rows of the box that tell of the model."""
    model = session.model
    parts = model.count_params()
    sizes = ", ".join(f"{name} {count / 1e6:.1f}" for name, count in parts.items())
    began = f"goes on from iteration {session.iteration}" if session.iteration else "new"
    rows = [
        ("model", f"{session.name}" if session.name == session.kind else f"{session.name}, of the kind {session.kind}"),
        ("", model.title),
        ("", began),
        ("parameters", f"{sum(parts.values()):,} ({sizes} million)"),
        ("faces are", f"{model.face_type} at {model.resolution} px"),
    ]
    options = dataclasses.asdict(model.options)
    if options:
        rows.append(("fixed", ", ".join(f"{k} = {show(v)}" for k, v in options.items()) + " (since its creation)"))
    return rows


def say_box(title: str, rows: Rows) -> None:
    """Print a box."""
    for line in box(title, rows):
        console.say(line)


def ending(session: "Session", outcome: "Outcome") -> str:
    """Say how the training ended."""
    why = {"target": "The target is reached.", "key": "Stopped with a key."}.get(outcome.reason, "Stopped.")
    return (
        f"{why} All is saved: iteration {session.iteration}, {outcome.steps} of them in this run, "
        f"{duration(outcome.milliseconds)} each, {outcome.waiting:.1%} of it waiting for data."
    )


def closing_words(session: "Session", outcome: "Outcome", *, preview: bool, pretrain: bool) -> None:
    """Say how the training ended and what comes next."""
    console.say(ending(session, outcome))
    if outcome.skipped:
        console.say(f"{outcome.skipped} further steps broke and were not applied.")
    console.say(f"The model is in {session.folder}.")
    if preview:
        console.say(f"The preview is {session.model_dir / 'preview.png'}.")
    if pretrain:
        console.say("Next: 6_train without --pretrain: the same model then learns your two people.")
    else:
        console.say("Next: 7_convert. Or run 6_train again: it goes on from here.")


def settings_words(settings: Mapping[str, object], defaults: Mapping[str, object]) -> str:
    """Say the answers of the last run in a line; those that are as usual are left out."""
    said = {n: v for n, v in settings.items() if v != defaults.get(n)}
    if not said:
        return "all answers as usual"
    return ", ".join(f"{name.replace('_', ' ')} {show(value)}" for name, value in said.items())  # type: ignore[arg-type]
