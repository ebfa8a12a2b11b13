"""MediaPipe's networks, as the set-up brings them."""

from pathlib import Path

import numpy as np
import pytest

from facewright.core.errors import UserError
from facewright.core.workers import ordered_map, threads
from facewright.extract.tflite import TfliteModel, model_file
from needs import needs_networks


def test_a_network_that_was_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        model_file("face_landmark.tflite", tmp_path)
    assert "bootstrap.py" in caught.value.fix and "--weights" in caught.value.fix


@needs_networks
def test_threads_get_the_same_numbers() -> None:
    model = TfliteModel("face_landmark.tflite")
    assert model.input_shape == (1, 192, 192, 3) and model.outputs[0][-1] == 3 * 468
    images = np.random.default_rng(5).random((8, 192, 192, 3), np.float32)
    alone = [model.run(image)[0] for image in images]
    with threads(3) as executor:
        together = list(ordered_map(lambda image: model.run(image)[0], images, executor, ahead=8))
    assert np.array_equal(alone, together) and not np.array_equal(alone[0], alone[1])
