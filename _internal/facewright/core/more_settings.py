"""One question after the others: options that stand under a heading, listed with their values, changed by lines."""

import dataclasses
import difflib
from itertools import groupby
from typing import Any, TypeVar

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.options import Option, Value, declared, question, show

Settings = TypeVar("Settings")
MORE = Option(
    "more",
    bool,
    False,
    "Lists the settings that were not asked for, with their values, and takes changes until Enter.",
    ask="More settings?",
)


def ask_for_more(options: Settings) -> Settings:
    """Let somebody change the options that have a `group`; without a terminal they stay as they are.

    Args:
        options: An instance of a settings class.
    """
    if not console.interactive():
        return options
    unusual = [spec for spec in offered(options) if not spec.ask and vars(options)[spec.name] != spec.default]
    if unusual:
        listed = ", ".join(f"{spec.name} {show(vars(options)[spec.name])}" for spec in unusual)
        console.say(f"Other than usual: {listed}.", needed=True)
    if not question(MORE, default=False):
        return options
    shown = None
    while True:
        if shown != options:
            for line in lines(options):
                console.say(f"  {line}", needed=True)
        shown = options
        answer = console.ask(f"Change one, for example {_example(options)}; a name alone explains it [as they are]: ")
        if not answer:
            return options
        try:
            options = dataclasses.replace(options, **changed(options, answer))  # type: ignore[type-var]
        except UserError as problem:
            console.warn(f"{problem.happened} Expected {problem.expected}")


def offered(options: Any) -> list[Option]:
    """Return the options with a `group` that play a part beside the others, those of a group together."""
    specs = [spec for spec in declared(type(options)) if spec.group and spec.applies(vars(options))]
    groups = list(dict.fromkeys(spec.group for spec in specs))
    return sorted(specs, key=lambda spec: groups.index(spec.group))


def lines(options: Any) -> list[str]:
    """Return a line for each group of what is offered: "Mask edge: erode 0, blur 0"."""
    return [
        f"{group}: " + ", ".join(f"{spec.name} {show(vars(options)[spec.name])}" for spec in members)
        for group, members in groupby(offered(options), key=lambda spec: spec.group)
    ]


def changed(options: Any, line: str) -> dict[str, Value]:
    """Return what a typed line changes: "erode_left 10", "--erode-left=10"; for a name alone the value is asked.

    Args:
        options: As for `ask_for_more`.
        line: Not empty.

    Raises:
        UserError: There is no such option, it plays no part now, or the value does not fit it.
    """
    words = line.replace("=", " ").split() or [line]
    known = {spec.name: spec for spec in declared(type(options)) if spec.group}
    names = ["_".join(words[:count]).lower().lstrip("-").replace("-", "_") for count in (len(words), len(words) - 1)]
    name = next((name for name in names if name in known), "")
    if not name:
        meant = "".join(f", {near} say" for near in difflib.get_close_matches(words[0].lower(), known, 1))
        raise UserError(f"There is no setting {line!r}.", f"a name of the list{meant}, and a value.", "answer again.")
    spec = known[name]
    if not spec.applies(vars(options)):
        raise UserError(f"{name} plays no part with the other settings.", "a name of the list.", "answer again.")
    if name == names[1]:
        return {name: spec.parse(words[-1])}
    console.say(f"  {spec.help}", needed=True)
    asked = dataclasses.replace(spec, ask=name.replace("_", " ").capitalize())
    return {name: question(asked, vars(options)[name])}


def _example(options: Any) -> str:
    specs = offered(options)
    spec = next((spec for spec in specs if not spec.ask), specs[0])
    return f"{spec.name} {show(spec.default)}"
