"""Which recipes ship, and the words that stand for one; nothing of a model is imported."""

import tomllib
from pathlib import Path

from facewright.core.safe_files import read_regular

NONE, KEPT = "none", "kept"
STATE = "recipe"  # its name in a saved state
FOLDER = Path(__file__).with_name("recipes")


def shipped_file(name: str) -> Path:
    """Return where a recipe lies that ships."""
    return FOLDER / f"{name}.toml"


SHIPPED = {
    path.stem: str(tomllib.loads(read_regular(path).decode())["title"]) for path in sorted(FOLDER.glob("*.toml"))
}


def explain_recipes() -> str:
    """Return a line per word that `--recipe` takes."""
    words = {NONE: "no stages", KEPT: "the model's own recipe, in its stage", **SHIPPED}
    width = max(map(len, words))
    return "\n".join([*(f"  {word:<{width}}  {title}" for word, title in words.items()), "  or a TOML file of yours"])
