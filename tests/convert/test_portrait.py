"""Portraits: one picture per frame, the prediction itself, moved by the largest face."""

import numpy as np
import pytest

from convert.drawn_faces import as_prediction, dst_faces, landmarks, scene
from facewright.convert.cast import TrainedState
from facewright.convert.pipeline import ModelInput, Prediction, portrait
from facewright.convert.plan import Job, Share, portrait_jobs
from facewright.convert.stream import Converter, convert_stream
from facewright.core import workers
from facewright.core.errors import UserError
from facewright.core.images import read_image, write_image
from facewright.faces.align import FaceType
from facewright.models.spec import ConverterDefaults
from facewright.video.frame_io import ImageFileSink

STATE = TrainedState("avatar", "first", ModelInput(32, FaceType.HALF), ConverterDefaults(0, 0), portrait=True)
SMALL, LARGE = landmarks((20, 30), 16), landmarks((50, 30), 30)


def jobs(folder, *faces):
    made = []
    for index, points in enumerate(faces, 1):
        path = folder / f"{index:05d}.png"
        write_image(path, scene(60, 80, index))
        shares = (Share(dst_faces(*points), STATE),) if points else ()
        made.append(Job(index, path, folder / "merged" / path.name, shares))
    return made


def test_every_frame_has_the_largest_face_its_own_or_that_of_a_neighbour(tmp_path):
    given = jobs(tmp_path, (), (SMALL, LARGE), (), (SMALL,), ())
    made = portrait_jobs(given)
    assert [job.frame for job in made] == [job.frame for job in given]
    frames = [job.frame for job in given]
    assert [job.shown for job in made] == [frames[1], None, frames[1], None, frames[3]]
    expected = [LARGE, LARGE, LARGE, SMALL, SMALL]
    assert all(job.faces[0].landmarks is points for job, points in zip(made, expected, strict=True))


def test_without_any_face_there_is_no_portrait(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        portrait_jobs(jobs(tmp_path, (), ()))


def test_the_prediction_is_the_picture(tmp_path):
    """A model that answers with twice the side; a frame without a face shows the one before it."""
    (tmp_path / "merged").mkdir()
    made = portrait_jobs(jobs(tmp_path, (LARGE,), (), (SMALL,)))

    def predict(faces):
        means = faces.mean((1, 2), keepdims=True)
        return np.broadcast_to(means, (len(faces), 64, 64, 3)), np.ones((len(faces), 64, 64, 1), np.float32)

    sink = ImageFileSink({job.index: job.target for job in made}, lambda data, suffix: data)
    converter = Converter({STATE.name: as_prediction(predict)}, sink)
    with workers.threads(2) as executor:
        done = list(convert_stream(made, converter, executor))
    assert [result.faces for result in done] == [1, 1, 1]
    first, second, third = (read_image(job.target) for job in made)
    assert first.shape == (64, 64, 3) and np.ptp(first, axis=(0, 1)).max() == 0
    assert (first == second).all() and (first != third).any()


def test_values_outside_are_cut_and_broken_ones_refused():
    pictures, masks = np.full((1, 4, 4, 3), 1.7, np.float32), np.ones((1, 4, 4, 1), np.float32)
    assert (portrait(Prediction(pictures, masks)) == 255).all()
    pictures[0, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match="not finite"):
        portrait(Prediction(pictures, masks))
