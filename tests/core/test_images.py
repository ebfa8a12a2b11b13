"""Images as files: their size without decoding."""

import numpy as np
import pytest

from facewright.core.images import encode, encoded_size


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_the_size_of_an_encoded_image_is_read_from_its_head(extension):
    data = encode(np.zeros((31, 57, 3), np.uint8), extension)
    assert encoded_size(data[: len(data) - 20]) == (31, 57)
    for other in (b"", data[:10], b"GIF89a"):
        with pytest.raises(ValueError):
            encoded_size(other)
