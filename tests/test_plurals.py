"""A number before a noun is written by `console.counted`: "1 face", not "1 faces"."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "_internal" / "facewright"
# What is counted in messages; units of measure (pixels, bytes, degrees) are seldom one.
NOUNS = "faces|frames|files|images|pictures|previews|links|models|tracks|iterations|persons|scripts|photos|rollbacks"
KINDS = "aligned|audio|converted|dst|more|older|other|src|trained|video"
PLURAL = re.compile(rf" (?:(?:{KINDS}) )?(?:{NOUNS})\b(?! per second)|[ a-z]*\(s\)")
# Words that are put there, and numbers that are never 1.
NO_NUMBERS = {"needed", "kinds", "extension", "' and '.join(counts)", "FACES", "ROLLBACKS_TO_ABORT - 1"}


def numbers_before_plurals(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, text in pairwise(parts):
            if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant):
                continue
            number = ast.unparse(value.value)
            if PLURAL.match(str(text.value)) and number not in NO_NUMBERS and "counted(" not in number:
                yield f"{path.relative_to(PACKAGE).as_posix()}:{value.lineno}: {{{number}}}{str(text.value)[:30]}"


@pytest.mark.parametrize("package", sorted(path.name for path in PACKAGE.iterdir() if path.name[0] != "_"))
def test_a_number_before_a_noun_is_written_by_one_function(package: str) -> None:
    place = PACKAGE / package
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place] * (place.suffix == ".py")
    assert not [found for path in files for found in numbers_before_plurals(path)]
