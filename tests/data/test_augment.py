import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewright.data import augment

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_without_displacement_the_lookup_is_the_inverse_of_the_matrix(seed):
    rng = np.random.default_rng(seed)
    angle, scale = rng.uniform(-0.3, 0.3), rng.uniform(0.5, 2)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[c, s, rng.uniform(-9, 9)], [-s, c, rng.uniform(-9, 9)]])
    where = augment.remap_grid(matrix, np.zeros((5, 5, 2), np.float32), 128, 40)
    y, x = np.mgrid[:40, :40]
    back = where.transpose(1, 2, 0) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(back, np.stack([x, y], axis=-1), atol=1e-3)


@pytest.mark.parametrize("side", [64, 100, 256])
def test_identity_is_exact(side):
    where = augment.remap_grid(np.eye(2, 3), np.zeros((3, 3, 2), np.float32), side, side)
    y, x = np.mgrid[:side, :side]
    np.testing.assert_allclose(where, np.stack([x, y]), atol=1e-3)


@given(SEEDS)
def test_truncated_normal_is_within_one(seed):
    values = augment.truncated_normal(np.random.default_rng(seed), (50, 3))
    assert values.shape == (50, 3) and np.abs(values).max() <= 1


@given(SEEDS)
def test_draws_are_in_their_ranges(seed):
    drawn = augment.draw_params(np.random.default_rng(seed), flip=True)
    cells = len(drawn.control_points) - 1
    assert cells in augment.CELLS
    assert np.abs(drawn.control_points).max() <= augment.MAX_DISPLACEMENT / cells
    edge = np.concatenate(
        [drawn.control_points[0], drawn.control_points[-1], drawn.control_points[:, 0], drawn.control_points[:, -1]]
    )
    assert (edge == 0).all()
    scale = np.sqrt(np.linalg.det(drawn.transform[:, :2]))
    angle = np.degrees(np.arctan2(drawn.transform[0, 1], drawn.transform[0, 0]))
    assert abs(scale - 1) <= augment.MAX_SCALE_CHANGE + 1e-9 and abs(angle) <= augment.MAX_ROTATION + 1e-9
    centre = drawn.transform @ [0.5, 0.5, 1]
    assert np.abs(centre - 0.5).max() <= augment.MAX_SHIFT + 1e-9


@given(SEEDS)
def test_the_warp_moves_no_pixel_further_than_its_nodes(seed):
    drawn = augment.draw_params(np.random.default_rng(seed), flip=False)
    still = augment.remap_grid(np.eye(2, 3), np.zeros((3, 3, 2), np.float32), 128, 128)
    moved = augment.remap_grid(np.eye(2, 3), drawn.control_points, 128, 128)
    assert np.abs(moved - still).max() <= np.abs(drawn.control_points).max() * 128 + 1e-3


def test_the_field_is_linear_between_nodes():
    nodes = np.zeros((3, 3, 2), np.float32)
    nodes[1, 1] = 1
    field = augment.displacement_field(nodes, 64)
    ramp = 1 - np.abs((np.arange(64) + 0.5) / 32 - 1)
    np.testing.assert_allclose(field[0], np.outer(ramp, ramp), atol=1e-6)


def test_no_mirror_where_it_is_not_allowed():
    assert not any(augment.draw_params(np.random.default_rng(seed), flip=False).flip for seed in range(50))
    share = np.mean([augment.draw_params(np.random.default_rng(seed), flip=True).flip for seed in range(500)])
    assert 0.3 < share < 0.5
