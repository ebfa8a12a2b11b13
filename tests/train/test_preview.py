import numpy as np
import pytest

from facewright.train import preview
from facewright.train.history import LossHistory


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


def test_broken_numbers_are_black():
    broken = np.full((1, 8, 8, 3), np.nan, np.float32)
    assert preview.tiles(broken, 8)[0].max() == 0
