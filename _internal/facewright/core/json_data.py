"""The one reader of JSON: files in the workspace may come from strangers, and requests to a page from anybody.

What it returns is plain data within limits, and fits a schema: a function that takes a value and returns it, or raises
`BadJson`. The functions below make schemas.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from facewright.core.names import is_plain
from facewright.core.safe_files import is_bare

MAX_DEPTH = 16  # nothing of ours is nested deeper; a deep value would overflow the stack of whoever walks through it
MAX_DIGITS = 60  # of a whole number; those of a random generator's state have 39

Schema = Callable[[Any], Any]


class BadJson(ValueError):
    """No JSON, or not what was expected; the text says what is wrong with it."""


def anything(value: Any) -> Any:
    """Take whatever the limits allow."""
    return value


def parse_json(data: bytes | bytearray | str, schema: Schema = anything) -> Any:
    """Return what a JSON text describes.

    Args:
        data: The text; bytes are UTF-8.
        schema: What it must fit.

    Raises:
        BadJson: It is no JSON, deeper than `MAX_DEPTH`, holds a text that cannot be written, NaN, infinity, or a
            whole number of more than `MAX_DIGITS` digits; or it does not fit the schema.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = json.loads(text, parse_int=_whole_number, parse_constant=_no_constant)
        _check_depth(value)
        if "\\ud" in text or "\\uD" in text:  # half of a pair stands for no letter
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except BadJson:
        raise
    except RecursionError as error:
        raise BadJson("it is nested too deep") from error
    except UnicodeError as error:
        raise BadJson("it holds something that is no text") from error
    except ValueError as error:
        raise BadJson(f"it is not JSON ({str(error)[:80]})") from error
    return schema(value)


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise BadJson(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise BadJson(f"it holds {name}, which is no number")


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        parts = (part for one in level for part in (one.values() if isinstance(one, dict) else one))
        level = [part for part in parts if isinstance(part, dict | list)]
    if level:
        raise BadJson(f"it is nested more than {MAX_DEPTH} deep")


def whole(low: int = -(2**63), high: int = 2**63 - 1) -> Schema:
    """Make a schema: a whole number in a range, both ends included."""

    def check(value: Any) -> Any:
        if type(value) is not int or not low <= value <= high:
            raise BadJson(f"{_shown(value)} is not a whole number from {low} to {high}")
        return value

    return check


def number(value: Any) -> Any:
    """Take a finite number."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise BadJson(f"{_shown(value)} is not a finite number")
    return value


def text(value: Any) -> Any:
    """Take a text."""
    if not isinstance(value, str):
        raise BadJson(f"{_shown(value)} is not a text")
    return value


def bare_name(value: Any) -> Any:
    """Take a file name that leads nowhere else, on any system, and can be shown in a line."""
    name = text(value)
    if not is_bare(name) or not is_plain(name):
        raise BadJson(f"{_shown(name)} is not a bare file name")
    return name


def flag(value: Any) -> Any:
    """Take true or false."""
    if not isinstance(value, bool):
        raise BadJson(f"{_shown(value)} is neither true nor false")
    return value


def choice(*values: Any) -> Schema:
    """Make a schema: one of some values."""

    def check(value: Any) -> Any:
        if not any(type(value) is type(known) and value == known for known in values):
            raise BadJson(f"{_shown(value)} is not one of {', '.join(map(repr, values))}")
        return value

    return check


def either(*schemas: Schema) -> Schema:
    """Make a schema: what one of several takes."""

    def check(value: Any) -> Any:
        problems = []
        for schema in schemas:
            try:
                return schema(value)
            except BadJson as problem:
                problems.append(str(problem))
        raise BadJson(" and ".join(problems))

    return check


def nothing(value: Any) -> Any:
    """Take null."""
    return choice(None)(value)


def list_of(schema: Schema, count: int | None = None) -> Schema:
    """Make a schema: a list, of `count` parts where that is given."""

    def check(value: Any) -> Any:
        if not isinstance(value, list) or (count is not None and len(value) != count):
            raise BadJson(f"{_shown(value)} is not a list" + (f" of {count}" if count is not None else ""))
        for index, part in enumerate(value):
            _within(f"[{index}]", schema, part)
        return value

    return check


def dict_of(schema: Schema) -> Schema:
    """Make a schema: names with a value each."""

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise BadJson(f"{_shown(value)} is not a JSON object")
        for name, part in value.items():
            _within(name, schema, part)
        return value

    return check


def fields(needed: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Make a schema: a JSON object; fields of other names are kept unseen, for a newer version may have them."""

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise BadJson(f"{_shown(value)} is not a JSON object")
        for name, schema in needed.items():
            if name not in value:
                raise BadJson(f"{name} is missing")
            _within(name, schema, value[name])
        for name, schema in (optional or {}).items():
            if name in value:
                _within(name, schema, value[name])
        return value

    return check


def _within(name: str, schema: Schema, value: Any) -> None:
    try:
        schema(value)
    except BadJson as problem:
        place = str(problem)
        raise BadJson(f"{name[:40]}{'' if place.startswith('[') else ': '}{place}") from problem


def _shown(value: Any) -> str:
    """Return a value in a few letters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    written = json.dumps(value)
    return written if len(written) <= 40 else f"{written[:40]}…"
