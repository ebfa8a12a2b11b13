"""Which models there are, read from their files without importing keras."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent
NOT_MODELS = ("base", "catalogue", "layouts", "trained")


def model_files() -> dict[str, Path]:
    """Return every model: name on the command line -> its file, sorted by name."""
    found = sorted(FOLDER.glob("*.py"))
    return {p.stem: p for p in found if not p.stem.startswith("_") and p.stem not in NOT_MODELS}


def model_titles() -> dict[str, str]:
    """Return every model with its one-line title, sorted by name."""
    return {name: title_of(path.read_text(encoding="utf-8")) for name, path in model_files().items()}


def title_of(source: str) -> str:
    """Return the `title` of the model class in a file's text; without one, the first line of its docstring."""
    tree = ast.parse(source)
    for node in tree.body:
        for line in node.body if isinstance(node, ast.ClassDef) else ():
            names = line.targets if isinstance(line, ast.Assign) else ()
            if any(isinstance(n, ast.Name) and n.id == "title" for n in names) and isinstance(line, ast.Assign):
                return str(ast.literal_eval(line.value))
    return (ast.get_docstring(tree) or "").partition("\n")[0]
