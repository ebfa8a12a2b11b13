"""Which models there are and what they declare, read from their files without importing keras."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewright.models.spec import ConverterDefaults

FOLDER = Path(__file__).parent
NOT_MODELS = ("base", "catalogue", "dfm", "dfm_check", "layouts", "spec", "trained")


@dataclass(frozen=True)
class Entry:
    """A model as its file declares it.

    Attributes:
        title: What it is for, in a line.
        resolution: Side of the faces it takes, in pixels.
        output: Side of the pictures it gives, in pixels.
        face_type: What its faces show ("half", "full").
        parameters: Name of the version -> number of parameters.
        memory: Faces per side and iteration -> GiB that training took; see tests/benchmarks/models.py.
        portrait: Whether its image is the result, instead of being blended into dst's frame.
        converter: Its converter defaults.
    """

    title: str
    resolution: int
    output: int
    face_type: str
    parameters: dict[str, int]
    memory: dict[int, float]
    portrait: bool
    converter: ConverterDefaults


def model_files() -> dict[str, Path]:
    """Return every model: name on the command line -> its file, sorted by name."""
    found = sorted(FOLDER.glob("*.py"))
    return {p.stem: p for p in found if not p.stem.startswith("_") and p.stem not in NOT_MODELS}


def model_titles() -> dict[str, str]:
    """Return every model with its one-line title, sorted by name."""
    return {name: title_of(path.read_text(encoding="utf-8")) for name, path in model_files().items()}


def model_entries() -> dict[str, Entry]:
    """Return what every model declares, sorted by name; what one leaves out is that of the model it builds on.

    Raises:
        ValueError: A model declares too little.
    """
    return {name: _entry(name, values) for name, values in _all_declared().items()}


def makes_portraits(name: str) -> bool:
    """Whether the model's picture is the result, instead of being blended into dst's frame; False for no model."""
    return name in model_files() and bool(_all_declared()[name].get("portrait"))


def title_of(source: str) -> str:
    """Return the `title` of the model class in a file's text; without one, the first line of its docstring."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and "title" in _declared(node):
            return str(_declared(node)["title"])
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _all_declared() -> dict[str, dict[str, Any]]:
    """Return the values that each model's class declares, with those of the classes it builds on."""
    classes: dict[str, ast.ClassDef] = {}
    of_model: dict[str, str] = {}
    for name, path in model_files().items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and "title" in _declared(node):
                classes[node.name] = node
                of_model[name] = node.name
    return {name: _inherited(classes, of_model.get(name, "")) for name in model_files()}


def _entry(name: str, values: dict[str, Any]) -> Entry:
    missing = {"title", "resolution", "face_type", "parameters", "converter"} - set(values)
    if missing:
        raise ValueError(f"models/{name}.py does not declare {', '.join(sorted(missing))}")
    side = values["resolution"]
    output = values.get("output") or side
    return Entry(
        values["title"],
        side,
        output,
        values["face_type"],
        values["parameters"],
        values.get("memory", {}),
        bool(values.get("portrait")),
        values["converter"],
    )


def _inherited(classes: dict[str, ast.ClassDef], name: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if name in classes:
        for base in classes[name].bases:
            values |= _inherited(classes, getattr(base, "id", ""))
        values |= _declared(classes[name])
    return values


def _declared(node: ast.ClassDef) -> dict[str, Any]:
    """Return the class attributes whose values can be read as they stand."""
    values = {}
    for line in node.body:
        targets = line.targets if isinstance(line, ast.Assign) else ()
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(line, ast.Assign):
                value = _literal(line.value)
                if value is not None:
                    values[target.id] = value
    return values


def _literal(node: ast.expr) -> Any:
    """The value of a number, a text, MappingProxyType({...}), ConverterDefaults(...) or FaceType.NAME; else None."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ConverterDefaults":
        return ConverterDefaults(**{word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg})
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MappingProxyType":
        node = node.args[0]
    if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "FaceType":
        return node.attr.lower()
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
