"""A recipe: the stages of a training as a TOML file, which ships with the program or comes from anybody.

    title = "shape first, then detail"

    [[stage]]
    name = "shape"
    [stage.options]
    random-warp = true             passed over where a model has no such option

    [[stage]]
    name = "detail"
    begins = ["at plateau", "after 240 minutes"]       or "at iteration 20000", "after 5000 iterations"
    [stage.options]
    learning-rate = 0.5
    random-warp = false
    [stage.saehd]                  for this model only; any number of models
    lr-dropout = true

What a stage does not name stays as the stage before left it. Each value goes through the declaration of its option.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from facewright.core.errors import UserError
from facewright.core.files import typed_path
from facewright.core.json_data import BadJson, either, fields, list_of, parse_json, text
from facewright.core.names import is_plain, printable
from facewright.core.options import Option, Value, declared, show
from facewright.core.safe_files import read_regular
from facewright.core.user_defaults import table_values
from facewright.models.registry import model_classes
from facewright.train.options import TrainOptions
from facewright.train.recipe_names import KEPT, NONE, SHIPPED, shipped_file

MAX_BYTES, MAX_STAGES, MAX_NAME, MAX_TITLE = 1 << 16, 30, 40, 120
OPTIONS = "options"  # the table of a stage that counts for every model
CONDITION = re.compile(r"at (plateau)|at (iteration) (\d{1,9})|after (\d{1,9}(?:\.\d{1,3})?) (iteration|minute)s?")
EXPECTED = 'stages such as [[stage]] with name = "detail", begins = "at plateau" and a table [stage.options].'


@dataclass(frozen=True)
class Condition:
    """When a stage begins.

    Attributes:
        kind: "at" an iteration of the training, "iterations" or "minutes" after the stage before began, "plateau".
        number: How many of them, or which iteration.
    """

    kind: str
    number: float = 0.0

    def describe(self) -> str:
        """Say it as a recipe writes it."""
        if self.kind == "plateau":
            return "at plateau"
        number = f"{self.number:g}" if self.number < 1e6 else f"{self.number:.0f}"
        return f"at iteration {number}" if self.kind == "at" else f"after {number} {self.kind}"


@dataclass(frozen=True)
class Stage:
    """A stage of a recipe, for one model.

    Attributes:
        name: What people call it.
        begins: When it begins: as soon as one of these holds; empty for the first.
        values: Options that it switches, by name.
    """

    name: str
    begins: tuple[Condition, ...]
    values: Mapping[str, Value]

    def describe(self) -> str:
        """Say what it switches."""
        said = [f"{name.replace('_', '-')} {show(value) or 'none'}" for name, value in self.values.items()]
        return ", ".join(said) or "as before"


@dataclass(frozen=True)
class Recipe:
    """A recipe, for one model.

    Attributes:
        source: Its name, or its file.
        kind: The model.
        title: One line.
        stages: In order, at least one.
        text: The TOML.
    """

    source: str
    kind: str
    title: str
    stages: tuple[Stage, ...]
    text: str

    def lines(self) -> list[str]:
        """Return a line per stage: number, name, when it begins, what it switches."""
        return [
            f"{number} {stage.name}, {' or '.join(c.describe() for c in stage.begins) or 'at once'}: {stage.describe()}"
            for number, stage in enumerate(self.stages, 1)
        ]


@cache
def run_options() -> dict[str, Option]:
    """Return the options of every training that a stage may switch, by name."""
    return {spec.name: spec for spec in declared(TrainOptions) if spec.per_run}


def model_options(kind: str) -> dict[str, Option]:
    """Return the options of a model that a stage may switch, by name."""
    return {spec.name: spec for spec in declared(model_classes()[kind].Options) if spec.per_run or spec.grows}


def any_options() -> dict[str, Option]:
    """Return the options that a stage may switch in some model, by name."""
    return {**{n: spec for kind in model_classes() for n, spec in model_options(kind).items()}, **run_options()}


def load_recipe(wanted: str, kind: str) -> Recipe:
    """Read a recipe.

    Args:
        wanted: The name of one that ships, or a file.
        kind: The model that it is for.

    Raises:
        UserError: There is none, or it holds something that is no recipe.
    """
    path = shipped_file(wanted) if wanted in SHIPPED else typed_path(wanted)
    try:
        data = read_regular(path, links=True, longest=MAX_BYTES)
    except OSError as error:
        near = difflib.get_close_matches(wanted, [NONE, KEPT, *SHIPPED], 1)
        raise UserError(
            f"The recipe {wanted!r} cannot be read: {error.strerror or error}.",
            f"one of {', '.join([NONE, KEPT, *SHIPPED])}, or a TOML file of at most {MAX_BYTES >> 10} KiB.",
            f"did you mean --recipe {near[0]}?" if near else "check the spelling, and where the file lies.",
        ) from error
    return parse_recipe(data, kind, wanted)


def parse_recipe(data: bytes | str, kind: str, source: str) -> Recipe:
    """Read a recipe's TOML; it may be anybody's.

    Args:
        data: The TOML; bytes are UTF-8.
        kind: The model that it is for. The tables of other models are checked too.
        source: Where it comes from, for messages.

    Raises:
        UserError: It is no recipe; the text says where it goes wrong.
    """
    try:
        if len(data) > MAX_BYTES:
            raise BadJson(f"it has more than {MAX_BYTES >> 10} KiB")
        written = data if isinstance(data, str) else data.decode("utf-8-sig")
        table = parse_json(json.dumps(tomllib.loads(written), default=_no_date), SCHEMA)  # with its limits
        _check_keys(table, TOP_KEYS, "a recipe")
        stages = tuple(_stage(number, one, kind) for number, one in enumerate(table["stage"]))
    except (ValueError, RecursionError) as error:
        raise UserError(f"The recipe {source}: {str(error)[:200]}.", EXPECTED, "correct that line.") from error
    except UserError as error:
        raise UserError(f"The recipe {source}: {error.happened}", EXPECTED, error.fix) from error
    return Recipe(source, kind, printable(table.get("title", source))[:MAX_TITLE], stages, written)


def edited(recipe: Recipe, line: str) -> Recipe:
    """Return a recipe with a change that somebody typed: "2 begins at plateau or after 30 minutes", "2 random-warp no".

    Args:
        recipe: As it is.
        line: Number of the stage, what is changed, its value.

    Raises:
        UserError: There is no such stage or option, or the value does not fit.
    """
    number, _, rest = line.strip().partition(" ")
    key, _, value = rest.strip().partition(" ")
    if not number.isdecimal() or not 1 <= int(number) <= len(recipe.stages) or not key:
        raise UserError(
            f"{line.strip()[:60]!r} is no change of a recipe.",
            f"the number of a stage from 1 to {len(recipe.stages)}, what to change, and its value.",
            "write for example: 2 begins after 30 minutes",
        )
    table = tomllib.loads(recipe.text)
    stage = table["stage"][int(number) - 1]
    if key == "begins":
        stage["begins"] = [part.strip() for part in value.split(" or ")]
    elif key == "name":
        stage["name"] = value.strip()
    else:
        place = recipe.kind if key.replace("-", "_") in model_options(recipe.kind) else OPTIONS
        stage.setdefault(place, {})[key.replace("_", "-")] = value.strip()
    return parse_recipe(_as_toml(table), recipe.kind, recipe.source)


def _stage(number: int, table: Mapping[str, Any], kind: str) -> Stage:
    name = table.get("name", f"stage {number + 1}")
    place = f"stage {number + 1} ({name})"
    if not is_plain(name) or not 0 < len(name) <= MAX_NAME:
        raise BadJson(f"the name of stage {number + 1} is empty, too long or cannot be shown")
    _check_keys(table, ("name", "begins", OPTIONS, *model_classes()), place)
    if bool(number) != bool(table.get("begins")):
        raise BadJson(f"{place} must say when it begins" if number else f"{place}, the first, begins at once")
    begins = table.get("begins", [])
    conditions = tuple(_condition(one, place) for one in ([begins] if isinstance(begins, str) else begins))
    known = {**any_options(), **model_options(kind)}
    written = table_values(list(known.values()), table.get(OPTIONS, {}), f"{place}, {OPTIONS}")
    here = {**run_options(), **model_options(kind)}
    values: dict[str, Value] = {key: value for key, value in written.items() if key in here}
    for model in model_classes():
        own = table_values(list(model_options(model).values()), table.get(model, {}), f"{place}, {model}")
        values |= own if model == kind else {}
    return Stage(name, conditions, values)


def _condition(written: str, place: str) -> Condition:
    found = CONDITION.fullmatch(" ".join(written.lower().split()))
    if not found:
        raise BadJson(
            f"{place} begins {written[:40]!r}; write at iteration 20000, after 5000 iterations, after 30 minutes or "
            "at plateau"
        )
    plateau, at, iteration, number, unit = found.groups()
    if plateau:
        return Condition(plateau)
    return Condition("at", float(iteration)) if at else Condition(f"{unit}s", float(number))


def _check_keys(table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known[:4])}"
            raise BadJson(f"{place} has no {printable(key)[:40]!r}{meant}")


def _no_date(value: Any) -> Any:
    raise BadJson(f"{value} is a date, which no option takes")


def _few_stages(value: Any) -> Any:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_STAGES:
        raise BadJson(f"a recipe has 1 to {MAX_STAGES} stages, each below a line [[stage]]")
    return list_of(_TABLE)(value)


def _table(value: Any) -> Any:
    if not isinstance(value, dict):
        raise BadJson("it is no table")
    return value


TOP_KEYS = ("title", "stage")
_TABLE = fields({}, {"name": text, "begins": either(text, list_of(text)), OPTIONS: _table})
SCHEMA = fields({"stage": _few_stages}, {"title": text})


def _as_toml(table: Mapping[str, Any]) -> str:
    """Write a recipe's data as TOML."""
    lines = [f"title = {_value(table['title'])}"] if "title" in table else []
    for stage in table["stage"]:
        lines += ["", "[[stage]]"]
        lines += [f"{key} = {_value(value)}" for key, value in stage.items() if not isinstance(value, dict)]
        for name, part in stage.items():
            if isinstance(part, dict) and part:
                lines += [f"[stage.{name}]", *(f"{_key(key)} = {_value(value)}" for key, value in part.items())]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
