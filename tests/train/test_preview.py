import numpy as np
import pytest

from facewright.train import preview
from facewright.train.history import ERRORS, MEASURES, LossHistory, hue_colour


def faces(side, rows=4):
    levels = (0.1, 0.3, 0.5, 0.7, 0.9)
    return {str(v): np.full((rows, side, side, 3), v, np.float32) for v in levels}


@pytest.mark.parametrize(("side", "width", "height"), [(64, 640, 512), (128, 640, 512), (256, 1000, 800)])
def test_five_columns_four_rows_at_most_800_high(side, width, height):
    page = preview.draw_face_rows(faces(side))
    assert page.shape == (height + preview.LINE_PX + 3, width, 3)
    below = page[preview.LINE_PX + 3 :]
    middle = below[height // 2, width // 10 :: width // 5, 0]
    np.testing.assert_allclose(middle, [26, 77, 128, 179, 230], atol=1)


def test_three_lines_chart_and_faces():
    history = LossHistory(("src", "dst"))
    history.append({"src": 0.2, "dst": 0.3})
    picture = preview.draw_preview(["a", "b", "ü"], history, preview.draw_face_rows(faces(64)))
    assert picture.shape == (3 * 15 + 4 + 100 + 18 + 512, 640, 3)
    assert picture.dtype == np.uint8


def test_long_names_do_not_run_into_one_another():
    narrow, name = np.zeros((8, 3 * 128, 3), np.uint8), "m" * 20

    def drawn(*names):
        return preview.draw_preview([], LossHistory(names), narrow)[4:][: preview.CHART_PX]

    bare, long, both = drawn("src", " ", " "), drawn("src", name, " "), drawn("src", name, "n")
    first, second = ((one != other).any(axis=(0, 2)) for one, other in ((bare, long), (long, both)))
    assert 0 < np.flatnonzero(first).max() < np.flatnonzero(second).min()
    titles = preview.with_titles(narrow, ("src", name, f"dst as {name}"))[:-8]
    assert titles.shape[0] > preview.LINE_PX + 3  # two lines
    written = titles.any(axis=(0, 2))
    assert written[200:250].any() and not written[254:256].any() and not written[-2:].any()


def test_errors_on_faces_held_out_have_a_chart_of_their_own():
    history, measures = LossHistory(("src", "dst")), LossHistory(MEASURES)
    for iteration in range(100):
        history.append({"src": 0.2, "dst": 0.3})
        measures.append({"iteration": iteration, "src": 30 - iteration / 5, "dst": float("nan"), "trip": 5})
    page = preview.draw_face_rows(faces(64))
    without, shown = (preview.draw_preview(["a"], history, page, 0, m) for m in (None, measures))
    assert shown.shape[0] == without.shape[0] + preview.HELD_OUT_PX
    chart = shown[15 + 4 + preview.CHART_PX :][: preview.HELD_OUT_PX]
    colours = [np.all(chart == hue_colour(hue), axis=2) for hue in ERRORS.values()]
    rows = [np.flatnonzero(found.any(axis=1)) for found in colours]
    assert np.ptp(rows[0]) > 20, "src falls"
    assert colours[2][:, 300].any() and not colours[1][: preview.HELD_OUT_PX - 20, 300].any()


def test_broken_numbers_are_black():
    broken = np.full((1, 8, 8, 3), np.nan, np.float32)
    assert preview.tiles(broken, 8)[0].max() == 0
