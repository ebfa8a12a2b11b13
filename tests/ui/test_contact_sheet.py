"""The contact sheet: every picture whole, in order, labelled."""

import numpy as np
import pytest

from facewright.ui.contact_sheet import CAPTION, GAP, GROUND, contact_sheet, evenly, fit


def plain(value, height=30, width=40):
    return np.full((height, width, 3), value, np.uint8)


def test_pictures_lie_in_reading_order():
    sheet = contact_sheet([(str(v), plain(v)) for v in (50, 100, 150, 200)], 3, 80)
    assert sheet.shape == (2 * (60 + CAPTION + GAP) + GAP, 3 * (80 + GAP) + GAP, 3)
    row, column = 60 + CAPTION + GAP, 80 + GAP
    centres = [sheet[GAP + 30, GAP + 40], sheet[GAP + 30, GAP + 40 + column], sheet[GAP + 30 + row, GAP + 40]]
    assert [int(c[0]) for c in centres] == [50, 100, 200]


def test_labels_are_drawn_below():
    with_label = contact_sheet([("00001.png", plain(50))], 1, 120)
    without = contact_sheet([("", plain(50))], 1, 120)
    differing = np.argwhere((with_label != without).any(axis=2))
    assert len(differing) > 20 and differing[:, 0].min() >= GAP + 90
    contact_sheet([("größe – 人.png", plain(50))], 1, 120)


def test_long_labels_stay_below_their_picture():
    pictures = [("a-name-of-forty-characters-and-a-number-01", plain(50)), ("", plain(60))]
    sheet = contact_sheet(pictures, 2, 100)
    bare = contact_sheet([("", plain(50)), ("", plain(60))], 2, 100)
    columns = np.argwhere((sheet != bare).any(axis=2))[:, 1]
    assert len(columns) > 100 and columns.max() < GAP + 100
    end = contact_sheet([("number-01", plain(50)), ("", plain(60))], 2, 100)
    assert (end[-CAPTION:, 60:100] != bare[-CAPTION:, 60:100]).any()


def test_other_shapes_are_fitted_not_stretched():
    cell = fit(plain(200, 100, 20), (50, 50))
    assert (cell[:, 20:30] == 200).all() and (cell[:, :18] == GROUND).all()
    assert fit(plain(9, 1, 1), (20, 30)).shape == (20, 30, 3)


def test_extreme_shapes_and_no_pictures():
    assert contact_sheet([("", plain(1, 4000, 10))], 1, 50).shape[0] < 400
    with pytest.raises(ValueError, match="images"):
        contact_sheet([], 3, 50)


def test_evenly():
    assert evenly(5, 12) == [0, 1, 2, 3, 4]
    assert evenly(120, 3) == [20, 60, 100] and evenly(0, 3) == []
    assert len(set(evenly(13, 12))) == 12
