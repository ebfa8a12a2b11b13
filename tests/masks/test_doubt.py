"""Faces that look covered although no record says so are not learned from as uncovered."""

import numpy as np

from facewright.data.mask_sampler import MaskSampler
from facewright.masks.doubt import DoubtCovered
from facewright.models.mask import FaceMask
from masks.labelled import drawn_faces, left_covered


class Sure(FaceMask):
    """Sees covers where the image is darkest: what a trained network would do."""

    def __init__(self, covered):
        self.covered = covered

    def predict(self, faces):
        return np.stack([np.full(face.shape[:2], not self.covered(face), np.float32) for face in faces])


def test_what_looks_covered_is_left_out_until_it_no_longer_does(tmp_path):
    faces = [*drawn_faces(tmp_path / "plain", 8), *drawn_faces(tmp_path / "covered", 1, occlusion=left_covered())]
    model = Sure(lambda face: np.array_equal(face, third))
    sampler = MaskSampler(faces, model.samples(), np.random.default_rng(0))
    third = sampler.plain([2])["warped"][0]
    callback = DoubtCovered(sampler)
    callback.judge(model)
    assert sampler.doubted == {2}
    again = MaskSampler(faces, model.samples(), np.random.default_rng(0))
    again.set_state(sampler.state())
    assert again.doubted == {2}
    fewer = MaskSampler(faces[:4], model.samples(), np.random.default_rng(0))
    fewer.set_state(sampler.state())  # other faces
    assert not fewer.doubted
    model.covered = lambda face: False
    callback.judge(model)
    assert not sampler.doubted


def test_most_faces_are_never_doubted(tmp_path):
    faces = drawn_faces(tmp_path, 10)
    model = Sure(lambda face: True)
    sampler = MaskSampler(faces, model.samples(), np.random.default_rng(0))
    DoubtCovered(sampler).judge(model)
    assert 0 < len(sampler.doubted) < 5
    assert sampler.batch(3)["warped"].shape[0] == 3
