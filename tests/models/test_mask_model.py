"""The mask model: it learns on faces behind drawn things, and does not believe every label."""

import numpy as np

from facewright.data.mask_sampler import MaskSampler
from facewright.models.base import to_numpy
from facewright.models.mask import SIDE, FaceMask, trusted
from facewright.models.registry import model_names, trainable_class
from facewright.nn.saved_models import MASK_MODEL
from masks.labelled import drawn_faces, left_covered


def narrow() -> FaceMask:
    return FaceMask(FaceMask.Options(), scale=0.25)


def labelled_batch(model, folder, size=4):
    faces = drawn_faces(folder, 3, occlusion=left_covered())
    return MaskSampler(faces, model.samples(), np.random.default_rng(0)).batch(size)


def test_it_swaps_no_faces_and_is_found_by_its_name():
    assert MASK_MODEL not in model_names()
    assert trainable_class(MASK_MODEL) is FaceMask
    assert FaceMask.parameters["full"] == FaceMask(FaceMask.Options()).count_params()["network"]


def test_iterations_on_covered_faces_lower_the_loss(tmp_path):
    model = narrow()
    batch = labelled_batch(model, tmp_path)
    losses = [model.train_on({"faces": batch})["mask"] for _ in range(40)]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    shown = model.preview({"faces": batch})
    assert {column.shape for column in shown.values()} == {(4, SIDE, SIDE, 3)}
    assert model.predict(batch["warped"]).shape == (4, SIDE, SIDE)


def test_a_label_that_nobody_vouches_for_is_not_believed_against_the_network():
    """Where the network sees a cover on a face that was taken for uncovered, it is not taught the opposite."""
    label, seen = np.float32([1, 1, 1, 0]), np.float32([0.1, 0.9, 0.1, 0.1])
    known = np.float32([0.8, 0.8, 1.0, 0.8])
    weight = to_numpy(trusted(label, seen, known))
    assert weight[0] < 0.1 * known[0]
    assert np.array_equal(weight[1:], known[1:])
