"""Reading the text form of Python's plain values, as FaceSwap writes it into its images, with `ast.literal_eval`.

That runs no code, but a text of a megabyte can still overflow the interpreter's stack or keep it busy. So the text is
looked through first, in one pass: brackets, values and numbers have limits, and names other than None, True and False
do not reach the parser.
"""

import ast
import re
from typing import Any

MAX_CHARACTERS = 1 << 20
MAX_DEPTH = 12
MAX_VALUES = 50_000
MAX_NUMBER = 40  # characters; `repr` of a float has 24 at most
# Each part in possessive form: what does not fit ends the search at once, without a second try of another length.
TOKEN = re.compile(
    r"""(?P<text>[bB]?(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"))
    |(?P<opening>[\[({])
    |(?P<closing>[\])}])
    |(?P<separator>[,:])
    |(?P<word>[\w.+-]++)
    |(?P<space>\s++)""",
    re.VERBOSE | re.DOTALL,
)
WORD = re.compile(r"None|True|False|[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)


class BadLiteral(ValueError):
    """The text is not the text form of plain values, or too long or too deep."""


def read_literal(text: str) -> Any:
    """Return the value that a text describes: numbers, texts, bytes, lists, tuples, dictionaries, None, True, False.

    Args:
        text: As `repr` writes it; infinity and NaN have no such form.

    Raises:
        BadLiteral: Anything else, or more than the limits allow.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadLiteral(f"the text has {len(text)} characters, more than {MAX_CHARACTERS}")
    _check_tokens(text.strip())
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise BadLiteral("the text is not the text form of plain values") from error
    _check_types(value)
    return value


def _check_tokens(text: str) -> None:
    """Check all that could make the parser slow or overflow its stack."""
    position = depth = values = 0
    while position < len(text):
        token = TOKEN.match(text, position)
        if token is None:
            raise BadLiteral("the text holds something that is no plain value")
        position = token.end()
        depth += {"opening": 1, "closing": -1}.get(str(token.lastgroup), 0)
        values += token.lastgroup in ("separator", "text", "word")
        if depth > MAX_DEPTH or values > 2 * MAX_VALUES:  # each value has a separator
            raise BadLiteral(f"the text is nested more than {MAX_DEPTH} deep or holds more than {MAX_VALUES} values")
        if token.lastgroup == "word" and (len(token[0]) > MAX_NUMBER or not WORD.fullmatch(token[0])):
            raise BadLiteral(f"{token[0][:MAX_NUMBER]!r} is no plain value")


def _check_types(value: Any) -> None:
    if isinstance(value, dict):
        if not all(isinstance(key, str | int) for key in value):
            raise BadLiteral("a dictionary has a key that is neither text nor number")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            _check_types(part)
    elif not isinstance(value, str | bytes | int | float | None):
        raise BadLiteral(f"the text holds a {type(value).__name__}")
