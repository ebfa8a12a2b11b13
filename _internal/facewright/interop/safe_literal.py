"""Reading the text form of Python's plain values, as FaceSwap writes it into its pictures.

`ast.literal_eval` of a whole text is safe from code but not from a text that is nested so deep that the interpreter's
stack overflows; here brackets are followed by hand to a fixed depth, and only single texts go through it.
"""

import ast
import re
from typing import Any

LONGEST = 1 << 20
DEEPEST = 12
MOST_VALUES = 200_000
TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>[bB]?'[^'\\\n]*(?:\\.[^'\\\n]*)*'|[bB]?"[^"\\\n]*(?:\\.[^"\\\n]*)*")
    | (?P<number>[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf|nan)(?![\w.]))
    | (?P<word>None|True|False)\b
    | (?P<sign>[\[\](){},:])
    )""",
    re.VERBOSE | re.DOTALL,
)
WORDS = (("None", None), ("True", True), ("False", False))
CLOSING = (("[", "]"), ("(", ")"), ("{", "}"))


class BadLiteral(ValueError):
    """The text is not the text form of plain values, or too long or too deep."""


def read_literal(text: str) -> Any:
    """Return the value that a text describes: numbers, texts, bytes, lists, tuples, dictionaries, None, True, False.

    Args:
        text: As `repr` writes it.

    Raises:
        BadLiteral: Anything else.
    """
    if len(text) > LONGEST:
        raise BadLiteral(f"the text has {len(text)} characters, more than {LONGEST}")
    reader = _Reader(text)
    value = reader.value(0)
    reader.finish()
    return value


class _Reader:
    """A recursive descent over the tokens, with a limit on its depth."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._position = 0
        self._count = 0
        self._comma = False

    def value(self, depth: int) -> Any:
        self._count += 1
        if depth > DEEPEST or self._count > MOST_VALUES:
            raise BadLiteral(f"the text is nested more than {DEEPEST} deep or holds more than {MOST_VALUES} values")
        kind, token = self._next()
        if kind == "text":
            return self._texts(token)
        if kind == "number":
            return int(token) if token.lstrip("+-").isdigit() and len(token) <= 20 else float(token)
        if kind == "word":
            return dict(WORDS)[token]
        if token == "{":
            return dict(self._entry(depth) for _ in self._items("}"))
        if token in ("[", "("):
            items = [self.value(depth + 1) for _ in self._items(dict(CLOSING)[token])]
            if token == "[":
                return items
            # (1) is 1 and (1,) is a tuple; here brackets around one value are dropped either way but for the comma.
            return items[0] if len(items) == 1 and not self._comma else tuple(items)
        raise BadLiteral(f"{token!r} stands where a value should be")

    def finish(self) -> None:
        if self._position != len(self._text):
            raise BadLiteral("there is more behind the value")

    def _entry(self, depth: int) -> tuple[Any, Any]:
        key = self.value(depth + 1)
        if not isinstance(key, str | int) or self._next()[1] != ":":
            raise BadLiteral("a dictionary has a key that is neither text nor number, or no value")
        return key, self.value(depth + 1)

    def _items(self, closing: str) -> Any:
        """Yield once for each item in front of the reader, and pass over the commas between them."""
        self._comma = False
        while not self._skip(closing):
            yield None
            comma = self._skip(",")
            if not comma and not self._ahead(closing):
                raise BadLiteral(f"a comma or {closing!r} is missing")
            self._comma = comma

    def _ahead(self, sign: str) -> bool:
        found = TOKEN.match(self._text, self._position)
        return found is not None and found["sign"] == sign

    def _skip(self, sign: str) -> bool:
        if not self._ahead(sign):
            return False
        self._next()
        return True

    def _next(self) -> tuple[str, str]:
        found = TOKEN.match(self._text, self._position)
        if not found:
            raise BadLiteral("the text holds something that is no plain value")
        self._position = found.end()
        kind = str(found.lastgroup)
        return kind, found[kind]

    def _texts(self, token: str) -> Any:
        """Read a text, and those that follow without a comma: that is one long text in pieces."""
        value = self._text_of(token)
        while (found := TOKEN.match(self._text, self._position)) and found.lastgroup == "text":
            more = self._text_of(self._next()[1])
            if type(more) is not type(value):
                raise BadLiteral("text and bytes are mixed")
            value += more
        return value

    def _text_of(self, token: str) -> Any:
        try:
            return ast.literal_eval(token)
        except (ValueError, SyntaxError, MemoryError) as error:
            raise BadLiteral("a text in it is malformed") from error
