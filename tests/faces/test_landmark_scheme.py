"""The numbering of the 68 landmarks."""

import numpy as np

from facewright.faces.landmarks import IBUG68


def test_groups_cover_every_point_once() -> None:
    points = [point for group in IBUG68.groups.values() for point in group]
    assert sorted(points) == list(range(IBUG68.count))


def test_mirroring_twice_changes_nothing_and_exchanges_left_and_right() -> None:
    np.testing.assert_array_equal(IBUG68.mirror[IBUG68.mirror], np.arange(IBUG68.count))
    for one, other in (("right eye", "left eye"), ("right brow", "left brow")):
        assert {int(IBUG68.mirror[point]) for point in IBUG68.groups[one]} == set(IBUG68.groups[other])
    for alone in ("jaw", "nose ridge", "nostrils", "outer lips", "inner lips"):
        assert {int(IBUG68.mirror[point]) for point in IBUG68.groups[alone]} == set(IBUG68.groups[alone])


def test_the_mean_face_is_its_own_mirror_image() -> None:
    inner = IBUG68.inner
    mirrored = IBUG68.mean_face[IBUG68.mirror[inner:] - inner]
    mirrored[:, 0] = 2 * IBUG68.mean_face[:, 0].mean() - mirrored[:, 0]
    np.testing.assert_allclose(mirrored, IBUG68.mean_face, atol=0.01)
    assert IBUG68.mean_face.shape == (IBUG68.count - inner, 2)
