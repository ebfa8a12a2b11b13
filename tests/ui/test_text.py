"""Text in images."""

import numpy as np
import pytest

from facewright.ui.text import draw_text, text_width, wrap


def drawn(text, **more):
    image = np.zeros((40, 200, 3), np.uint8)
    draw_text(image, text, more.pop("x", 100), 25, **more)
    return image


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("größe", "grosse"), ("Zoë Łódź", "Zoe Lodz"), ("a – b", "a - b"), ("ﬁle", "file"), ("人", "?"), ("e\u0301", "e")],
)
def test_letters_beyond_ascii_are_spelled_in_ascii(text, spelled):
    assert drawn(spelled).any() and (drawn(text) == drawn(spelled)).all()
    assert text_width(text) == text_width(spelled)


@pytest.mark.parametrize(("anchor", "share"), [("start", 0), ("middle", 0.5), ("end", 1)])
def test_the_anchor_says_where_the_text_is(anchor, share):
    width = text_width("HELLO")
    columns = np.argwhere(drawn("HELLO", anchor=anchor).any(axis=(0, 2)))
    expected = 100 - share * width
    assert columns.min() == pytest.approx(expected, abs=3) and columns.max() == pytest.approx(expected + width, abs=3)


def test_color_and_scale():
    image = drawn("abc", color=(0, 0, 255), x=10)
    assert image[..., 2].max() > 200 and not image[..., :2].any()
    assert text_width("abc", 0.84) > 1.8 * text_width("abc", 0.42)


def test_wrapped_lines_fit_and_keep_their_words_whole() -> None:
    lines = wrap("one two three four five averyveryverylongword six", 80)
    assert " ".join(lines) == "one two three four five averyveryverylongword six"
    assert all(text_width(line) <= 80 for line in lines if " " in line)
    assert wrap("", 80) == [""]
