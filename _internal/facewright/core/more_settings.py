"""One question after the others: options that stand under a heading, listed with their values, changed by lines."""

import dataclasses
import difflib
from collections.abc import Mapping
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
    while True:
        specs = offered(options)
        for line in lines(specs, vars(options)):
            console.say(f"  {line}", needed=True)
        spec = next((spec for spec in specs if not spec.ask), specs[0])
        example = f"{spec.name} {show(spec.default)}"
        answer = console.ask(f"Change one, for example {example}; a name alone explains it [as they are]: ")
        if not answer:
            return options
        try:
            options = dataclasses.replace(options, **changed(specs, vars(options), answer))  # type: ignore[type-var]
        except UserError as problem:
            console.warn(f"{problem.happened} Expected {problem.expected}")


def offered(options: Any) -> list[Option]:
    """Return the options with a `group` that play a part beside the others, those of a group together."""
    specs = [spec for spec in declared(type(options)) if spec.group and spec.applies(vars(options))]
    groups = list(dict.fromkeys(spec.group for spec in specs))
    return sorted(specs, key=lambda spec: groups.index(spec.group))


def lines(specs: list[Option], values: Mapping[str, Any]) -> list[str]:
    """Return a line for each group: "Mask edge: erode 0, blur 0"."""
    return [
        f"{group}: " + ", ".join(f"{spec.name} {show(values[spec.name])}" for spec in members)
        for group, members in groupby(specs, key=lambda spec: spec.group)
    ]


def changed(specs: list[Option], values: Mapping[str, Any], line: str) -> dict[str, Value]:
    """Return what a typed line changes: "erode_left 10", "--erode-left=10"; for a name alone the value is asked.

    Args:
        specs: What may be changed.
        values: Of the options now.
        line: Not empty.

    Raises:
        UserError: There is no such option, or the value does not fit it.
    """
    known = {spec.name: spec for spec in specs}
    words = line.lower().replace("=", " ").split() or [""]
    for count in (len(words), len(words) - 1):
        spec = known.get("_".join(words[:count]).lstrip("-").replace("-", "_"))
        if spec and count == len(words):
            console.say(f"  {spec.help}", needed=True)
            asked = dataclasses.replace(spec, ask=spec.name.replace("_", " ").capitalize())
            return {spec.name: question(asked, values[spec.name])}
        if spec:
            return {spec.name: spec.parse(words[-1])}
    meant = difflib.get_close_matches(words[0], known, 1)
    raise UserError(
        f"There is no setting {line!r} here.",
        f"a name and a value, for example {meant[0] if meant else specs[0].name}; the names are {', '.join(known)}.",
        "answer again.",
    )
