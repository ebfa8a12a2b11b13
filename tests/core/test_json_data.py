"""JSON from strangers: what is within the limits is read, all else is refused with a sentence."""

import json
import math
from typing import Any

import pytest

from facewright.core.json_data import (
    MAX_DEPTH,
    BadJson,
    bare_name,
    choice,
    dict_of,
    either,
    fields,
    flag,
    list_of,
    number,
    parse_json,
    text,
    whole,
)

HOSTILE = {
    "nested lists": b"[" * 100_000 + b"]" * 100_000,
    "nested a little too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "nested objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "400 digits": b'{"a": 1' + b"0" * 400 + b"}",
    "a million digits": b"9" * 1_000_000,
    "half of a pair": b'{"a": "\\ud800"}',
    "half of a pair in a name": b'{"\\uDfff": 1}',
    "not UTF-8": b'{"a": "\xff"}',
    "NaN": b"[NaN]",
    "infinity": b"[-Infinity]",
    "no JSON": b"{",
    "nothing": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_goes_beyond_the_limits_is_refused(data: bytes) -> None:
    with pytest.raises(BadJson):
        parse_json(data)


def test_plain_data_is_read() -> None:
    value = {"ä": [1, -2.5, True, None, "\U0001f600"], "state": 2**127, "deep": [[[[[]]]]]}
    for ascii_only in (True, False):  # an emoji is a pair of escapes
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only)) == value
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_json(deepest)


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (whole(1, 5), [1, 5], [0, 6, 1.0, True, "1", None, [1]]),
        (number, [1, -2.5], [math.inf, math.nan, True, "1", [1], None]),
        (text, ["", "x"], [1, None, ["x"]]),
        (flag, [True], [1, "yes", None]),
        (choice(0, "a"), [0, "a"], [False, "b", None, [0]]),
        (either(text, whole()), ["x", 3], [2.5, None]),
        (list_of(whole(), 2), [[1, 2]], [[1], [1, "2"], {"0": 1}, 5]),
        (dict_of(list_of(text)), [{}, {"a": ["b"]}], [[], {"a": "b"}, {"a": [1]}]),
        (fields({"a": text}, {"b": whole()}), [{"a": ""}, {"a": "", "b": 1, "c": []}], [{}, {"a": 1}, [], 3]),
        (bare_name, ["a.png", "…日本.png", "a b"], ["", "..", "a/b", "C:x", "a\\b", "a\nb", "\x1b[2J", "\ud800"]),
    ],
)
def test_a_schema_takes_what_fits_and_nothing_else(schema: Any, right: list[Any], wrong: list[Any]) -> None:
    assert [schema(value) for value in right] == right
    for value in wrong:
        with pytest.raises(BadJson):
            schema(value)


def test_the_place_of_a_mistake_is_named() -> None:
    schema = fields({"faces": list_of(fields({"size": list_of(whole(), 2)}))})
    with pytest.raises(BadJson, match=r"faces\[1\]: size\[0\]: \"wide\" is not a whole number"):
        parse_json('{"faces": [{"size": [1, 2]}, {"size": ["wide", 2]}]}', schema)
