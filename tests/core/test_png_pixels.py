"""PNGs as they are written, read by OpenCV."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.core.images import encode
from facewright.core.png import png_end, png_size


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([(), (3,), (4,)]),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(0, 1000),
)
def test_what_is_written_is_read(height: int, width: int, channels: tuple[int, ...], kind: type, seed: int) -> None:
    limit = int(np.iinfo(kind).max)
    image = np.random.default_rng(seed).integers(0, limit, (height, width, *channels), kind, endpoint=True)
    data = encode(image)
    assert png_size(data) == (height, width)
    assert png_end(data) == len(data)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read.dtype == kind
    np.testing.assert_array_equal(read, image)


def test_a_part_of_an_image_is_written_as_it_is() -> None:
    whole = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    part = whole[3:20:2, 5:31]
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(encode(part), np.uint8), cv2.IMREAD_UNCHANGED), part)


def test_a_smooth_image_takes_few_bytes() -> None:
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[:, None], 256, 1)
    assert len(encode(np.dstack([ramp] * 3))) < 10_000


@pytest.mark.parametrize(("shape", "kind"), [((4, 4, 2), np.uint8), ((0, 4), np.uint8), ((4, 4), np.float32)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...], kind: type) -> None:
    with pytest.raises(ValueError, match="no image for a PNG"):
        encode(np.zeros(shape, kind))
