"""Batches of the mask model."""

import numpy as np
import pytest

from facewright.core.workers import threads
from facewright.data.mask_sampler import MaskSampler
from facewright.data.sample import Sample
from facewright.faces.align import FaceType
from facewright.faces.record import load_face, save_face
from masks.labelled import drawn_faces, left_covered, polygon

KINDS = (("warped", "image"), ("label", "visible"), ("known", "known"))
SAMPLES = tuple(Sample(name, kind, 32, FaceType.FULL) for name, kind in KINDS)


def sampler(faces, executor=None, seed=0):
    return MaskSampler(faces, SAMPLES, np.random.default_rng(seed), executor=executor)


@pytest.fixture
def faces(tmp_path):
    return [
        *drawn_faces(tmp_path / "plain", 4),
        *drawn_faces(tmp_path / "covered", 2, occlusion=left_covered()),
        *drawn_faces(tmp_path / "labelled", 1, polygons=(polygon(),)),
    ]


def test_faces_are_known_by_what_their_records_say(faces):
    groups = sampler(faces).groups
    assert (groups.plain, groups.covered, groups.labelled) == ((0, 1, 2, 3), (4, 5), (6,))


def test_labelled_faces_are_drawn_much_more_often(faces):
    alone = sampler([faces[0], *[faces[6]]])
    batch = alone.batch(60)
    halves = [label[:, :12].mean() < 0.2 and label[:, 20:].mean() > 0.4 for label in batch["label"][..., 0]]
    halves += [
        label[:, 20:].mean() < 0.2 and label[:, :12].mean() > 0.4 for label in batch["label"][..., 0]
    ]  # mirrored
    assert sum(halves) > 15


def test_a_batch_does_not_depend_on_threads_and_goes_on_from_its_state(faces):
    with threads(3) as executor:
        many, one = sampler(faces, executor), sampler(faces)
        many.batch(5), one.batch(5)
        again = sampler(faces, seed=9)
        again.set_state(one.state())
        batches = [made.batch(5) for made in (many, one, again)]
    for name, _ in KINDS:
        assert batches[0][name].shape == (5, 32, 32, 3 if name == "warped" else 1)
        assert np.array_equal(batches[0][name], batches[1][name])
        assert np.array_equal(batches[1][name], batches[2][name])


def test_covers_hide_plain_faces_and_the_preview_shows_the_same(faces):
    plain = sampler(faces[:4])
    batch = plain.batch(40)
    assert ((batch["label"] < 0.5) & (batch["known"] > 0.7)).any(axis=(1, 2, 3)).sum() > 10
    shown = plain.untouched([0, 1])
    assert np.array_equal(shown["warped"], plain.untouched([0, 1])["warped"])
    assert shown["label"][0][shown["known"][0] > 0.99].min() > 0.95
    assert 0 < plain.batch(1)["known"].max() < 1  # nobody vouches for a face that was never looked at
    assert sampler(faces[6:]).batch(1)["known"].max() == 1


def test_half_faces_are_taken_and_none_are_refused(tmp_path):
    half = drawn_faces(tmp_path, 1, face_type=FaceType.HALF)
    assert sampler(half).batch(2)["warped"].shape == (2, 32, 32, 3)
    with pytest.raises(ValueError, match="face"):
        sampler([])


def test_what_covers_a_face_is_cut_out_and_put_before_others(tmp_path):
    """The covered half of a face is of one colour: where another face shows it, the label says that it is hidden."""
    plain, covered = drawn_faces(tmp_path / "plain", 1), drawn_faces(tmp_path / "covered", 1, occlusion=left_covered())
    image, record = load_face(covered[0].path)
    image[:, :32] = (255, 0, 255)
    save_face(covered[0].path, image, record)
    both = sampler([*plain, *covered])
    assert both.groups.cutters == (1,)
    found = 0
    for _ in range(12):
        batch = both.batch(4)
        magenta = np.minimum(batch["warped"][..., 0], batch["warped"][..., 2]) - batch["warped"][..., 1] > 0.5
        other = batch["known"].max(axis=(1, 2, 3)) < 0.9  # the plain face
        found += int((magenta[other] & (batch["label"][other, ..., 0] < 0.2)).sum() > 20)
    assert found


def test_each_label_counts_alike_however_many_frames_it_was_carried_to(tmp_path):
    """A label that reached nine faces and one that reached none: of what is drawn for its label, half each."""
    still = drawn_faces(tmp_path / "still", 9, polygons=(polygon(),))
    moving = drawn_faces(tmp_path / "moving", 1, polygons=(polygon(),))
    for face in (*still, *moving):
        image, record = load_face(face.path)
        image[:] = (255, 0, 255) if face in moving else (0, 255, 0)
        save_face(face.path, image, record)
    labels = {face.path: still[0].path for face in still[1:]}
    both = MaskSampler([*still, *moving], SAMPLES, np.random.default_rng(0), labels=labels)
    assert both.groups.labels == (tuple(range(9)), (9,))
    batch = both.batch(80)["warped"]
    magenta = np.median(batch[..., 0] + batch[..., 2] - 2 * batch[..., 1], axis=(1, 2)) > 0
    assert 15 < magenta.sum() < 40  # a tenth of them, 8, where each face counts alike


def test_what_somebody_labelled_is_cut_out_as_often_as_what_was_found(tmp_path):
    plain = drawn_faces(tmp_path / "plain", 1)
    found = drawn_faces(tmp_path / "found", 9, occlusion=left_covered())
    labelled = drawn_faces(tmp_path / "labelled", 1, polygons=(polygon(),))
    for face in (*plain, *found, *labelled):
        image, record = load_face(face.path)
        image[:, :32] = (255, 0, 255) if face in labelled else (255, 255, 0) if face in found else 128
        save_face(face.path, image, record)
    batch = sampler([*plain, *found, *labelled]).batch(300)
    other = batch["known"].max(axis=(1, 2, 3)) < 0.9  # the plain face
    image, hidden = batch["warped"][other], batch["label"][other, ..., 0] < 0.2
    blue, green, red = np.moveaxis(image, -1, 0)
    magenta, cyan = (
        (hidden & (blue - one > 0.5) & (other > 0.5)).sum((1, 2)) > 20 for one, other in ((green, red), (red, green))
    )
    assert magenta.sum() > 4
    assert 2 * magenta.sum() > cyan.sum()


def test_two_thirds_are_faces_whose_covers_are_known_half_of_them_labelled(faces):
    for file, colour in zip(faces, [(90, 90, 90)] * 4 + [(255, 0, 255)] * 2 + [(255, 255, 0)], strict=True):
        image, record = load_face(file.path)
        image[:] = colour
        save_face(file.path, image, record)

    def shares(of):
        blue, green, red = np.moveaxis(np.median(sampler(of).batch(200)["warped"], axis=(1, 2)), -1, 0)
        return ((blue - green > 0.2) & (red - green > 0.2)).mean(), ((blue - red > 0.2) & (green - red > 0.2)).mean()

    found, labelled = shares(faces)
    assert 0.22 < found < 0.42
    assert 0.22 < labelled < 0.42
    assert shares(faces[:6])[0] > 0.5
