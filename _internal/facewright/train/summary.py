"""What a training prints before it begins and when it ends."""

import dataclasses
from collections.abc import Sequence

from facewright.core import console
from facewright.core.hints import hint
from facewright.core.options import declared, show
from facewright.train.coach import advise
from facewright.train.console_line import duration
from facewright.train.goal import REACHED
from facewright.train.loop import TrainingResult
from facewright.train.session import TrainingSession

Rows = Sequence[tuple[str, str]]
MAX_WIDTH = 110  # characters of a box


def boxed(title: str, rows: Rows) -> list[str]:
    """Return the lines of a box: a title, then a name and a text per row; long texts are wrapped."""
    name = max((len(n) for n, _ in rows), default=0)
    lines: list[str] = []
    for label, text in rows:
        for number, part in enumerate(_wrapped(text, MAX_WIDTH - name - 6)):
            lines.append(f"{label if not number else '':<{name}}  {part}")
    width = max(len(title) + 4, *(len(line) for line in lines))
    head = f" {title} ".center(width + 2, "-")
    return [f"+{head}+", *(f"| {line:<{width}} |" for line in lines), f"+{'-' * (width + 2)}+"]


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def model_rows(session: TrainingSession) -> list[tuple[str, str]]:
    """Return the rows about the model."""
    model = session.model
    parts = model.count_params()
    sizes = ", ".join(f"{name} {count / 1e6:.1f}" for name, count in parts.items())
    began = f"continues from iteration {session.iteration}" if session.iteration else "new"
    rows = [
        ("model", f"{session.name}" if session.name == session.kind else f"{session.name}, of the kind {session.kind}"),
        ("", model.title),
        ("", began),
        ("parameters", f"{sum(parts.values()):,} ({sizes} million)"),
        ("faces are", f"{model.face_type} at {model.resolution} px"),
    ]
    values = dataclasses.asdict(model.options)
    specs = declared(type(model.options))
    per_run = [spec.name for spec in specs if spec.per_run]
    fixed = [f"{spec.name} = {show(values[spec.name])}" for spec in specs if not spec.per_run]
    if fixed:
        rows.append(("fixed", f"{', '.join(fixed)} (since its creation)"))
    if model.held:
        rows.append(("frozen", f"{', '.join(sorted(model.held))}: they stay as they are"))
    if session.rate != 1:
        rows.append(("learning rate", f"{session.rate:g} times the model's own"))
    if per_run:
        rows.append(("options", ", ".join(f"{name} = {show(values[name])}" for name in per_run)))
    return rows


def print_box(title: str, rows: Rows) -> None:
    """Print a box."""
    for line in boxed(title, rows):
        console.say(line)


def ending(session: TrainingSession, result: TrainingResult) -> str:
    """Return how the training ended, in two sentences, and what the faces held out say."""
    why = {**REACHED, "key": "Stopped with a key"}.get(result.reason, "Stopped")
    advice = advise(session.curve).text
    return (
        f"{why}. Everything is saved: iteration {session.iteration}, {result.steps} of them in this run, "
        f"{duration(result.milliseconds)} each, {result.waiting:.1%} of it waiting for data."
        + (f"\n{advice}" if advice else "")
    )


def print_ending(session: TrainingSession, result: TrainingResult, *, preview: bool, pretrain: bool) -> None:
    """Print how the training ended and what comes next."""
    print_result(session, result, preview=preview)
    if pretrain:
        line = hint("train --name", session.name)
        console.say(f"Next, train without --pretrain: the same model then learns your two people:{line}")
    else:
        console.say(f"Next, convert; or train on, it continues from here:{hint('convert')}{hint('train')}")


def print_result(session: TrainingSession, result: TrainingResult, *, preview: bool) -> None:
    """Print how the training ended and where everything is."""
    console.say(ending(session, result))
    if result.skipped:
        console.say(f"{result.skipped} more steps diverged and were not applied.")
    console.say(f"The model is in {session.folder}.")
    if preview:
        console.say(f"The preview is {session.model_dir / 'preview.png'}.")
