"""Plain values come back from their text form; anything else is refused."""

import pprint

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewright.interop.safe_literal import MAX_CHARACTERS, BadLiteral, read_literal

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=9), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(max_examples=200)
@given(PLAIN)
def test_values_come_back(value: object) -> None:
    assert read_literal(repr(value)) == value
    assert read_literal(pprint.pformat(value, width=30)) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')", "open('x')", "[1 2]", "[1,,2]", "{1:}", "{[]: 1}", "{1 2}", "1+1", "--1", "(1",
        "1)", "", "'a", "f'{x}'", "u'a'", "[" * 5000, "(" * 5000 + ")" * 5000, "1 if 1 else 2", "lambda: 1", "1j",
        "inf", "[nan]", "9" * 50, "1__1", "'a' b'b'", "*[1]", "{1}", "0x10", "1_000", "# x", "'\\N{evil}'", "'\\x1'",
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(BadLiteral):
        read_literal(text)


def test_too_long_is_refused() -> None:
    with pytest.raises(BadLiteral, match="characters"):
        read_literal(" " * (MAX_CHARACTERS + 1))
    with pytest.raises(BadLiteral, match="values"):
        read_literal("[" + "1," * 300_000 + "]")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    [
        "1" * 1_000_000 + "x",
        "1" * 1_000_000,
        "'" + "\\" * 1_000_000,
        "'\n" * 500_000,
        "[" + "-" * 1_000_000 + "1]",
        "(" * 1_000_000,
        "b" * 1_000_000,
        "1." * 500_000,
        " " * 1_000_000 + "?",
    ],
    ids=lambda text: repr(text[:3]),
)
def test_long_texts_are_refused_within_seconds(text: str) -> None:
    with pytest.raises(BadLiteral):
        read_literal(text)


@given(st.text(max_size=60))
def test_noise_is_refused_or_plain(noise: str) -> None:
    try:
        value = read_literal(noise)
    except BadLiteral:
        return
    assert value is None or isinstance(value, bool | int | float | str | bytes | list | tuple | dict)
