"""Pictures as coloured letters, read back."""

import io
import re
import sys

import cv2
import numpy as np
import pytest

from facewright.ui.terminal_image import BLOCK, LEVELS, draw_in_terminal, half_blocks

COLOUR = r"(2;\d+;\d+;\d+|5;\d+)"
CELL = re.compile(rf"\x1b\[38;{COLOUR};48;{COLOUR}m{BLOCK}")


def colour(text):
    """BGR of a colour as terminals read it: "2;r;g;b", or "5;n" for one of 256."""
    kind, *numbers = map(int, text.split(";"))
    if kind == 2:
        return numbers[::-1]
    (number,) = numbers
    cube = number - 16
    return [LEVELS[cube % 6], LEVELS[cube // 6 % 6], LEVELS[cube // 36]]


def split(text):
    """The two colours of a cell: after 38; and after 48;."""
    return [(colour(above), colour(below)) for above, below in CELL.findall(text)]


def read_back(text):
    rows = []
    for line in text.split("\n"):
        cells = split(line)
        rows.append([above for above, _ in cells])
        rows.append([below for _, below in cells])
    return np.array(rows)


@pytest.fixture
def picture():
    small = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (80, 60), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_all_colours_are_the_shrunk_picture(picture):
    found = read_back(half_blocks(picture, 40, true_color=True))
    np.testing.assert_array_equal(found, cv2.resize(picture, (40, 30), interpolation=cv2.INTER_AREA))


def test_of_256_colours_the_nearest(picture):
    found = read_back(half_blocks(picture, 40, true_color=False))
    wanted = cv2.resize(picture, (40, 30), interpolation=cv2.INTER_AREA)
    nearest = np.array(LEVELS)[np.abs(wanted[..., None].astype(int) - LEVELS).argmin(-1)]
    np.testing.assert_array_equal(found, nearest)


def test_a_small_picture_is_not_enlarged(picture):
    assert read_back(half_blocks(picture, 400, true_color=True)).shape == (60, 80, 3)


def test_where_nothing_can_be_drawn(picture):
    assert draw_in_terminal(picture) == ""  # pytest's output is no terminal


@pytest.mark.parametrize(("encoding", "drawn"), [("utf-8", True), ("latin-1", False)])
def test_a_terminal_must_know_the_letter(picture, monkeypatch, encoding, drawn):
    class Terminal(io.TextIOWrapper):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal(io.BytesIO(), encoding=encoding))
    monkeypatch.setenv("COLUMNS", "41")
    monkeypatch.setenv("COLORTERM", "truecolor")
    lines = draw_in_terminal(picture)
    assert bool(lines) == drawn
    assert not drawn or read_back(lines).shape == (30, 40, 3)
