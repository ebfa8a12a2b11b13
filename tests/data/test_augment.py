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


def drawn(jitter=1.0, count=3000):
    rng = np.random.default_rng(8)
    return [augment.draw_params(rng, flip=True, jitter=jitter) for _ in range(count)]


@pytest.mark.parametrize("jitter", [1.0, 0.2])
def test_rotation_scale_and_shift_are_uniform_over_the_ranges_of_2018(jitter):
    """10 degrees, 5 % and 5 % of the side to both sides; jitter narrows them."""
    matrices = np.array([one.transform for one in drawn(jitter)])
    turned = matrices[:, 0, 0] + 1j * matrices[:, 0, 1]
    angles, scales = np.degrees(np.angle(turned)), np.abs(turned) - 1
    shifts = (matrices @ [0.5, 0.5, 1] - 0.5).T
    for values, most in ((angles, 10), (scales, 0.05), (shifts[0], 0.05), (shifts[1], 0.05)):
        assert np.abs(values).max() <= most * jitter + 1e-9
        quarters = np.histogram(values, 4, (-most * jitter, most * jitter))[0] / len(values)
        np.testing.assert_allclose(quarters, 0.25, atol=0.03)
    np.testing.assert_allclose(matrices[:, 1], np.stack([-turned.imag, turned.real, matrices[:, 1, 2]], axis=1))


def test_control_points_are_those_of_2018():
    """Grids of 3, 5 or 9 points alike, displaced by 0.24 / 2.5 cells times a normal number cut off at 2.5."""
    for cells in (2, 4, 8):
        grids = [one.control_points for one in drawn() if len(one.control_points) == cells + 1]
        assert 0.3 < len(grids) / 3000 < 0.37
        inner = np.concatenate([grid[1:-1, 1:-1].reshape(-1, 2) for grid in grids]) * cells
        # A normal number cut off at 2.5 has a standard deviation of 0.9546.
        np.testing.assert_allclose(inner.std(0), 0.24 / 2.5 * 0.9546, rtol=0.05)
        assert 0.23 < np.abs(inner).max() <= 0.24 and np.abs(inner.mean(0)).max() < 0.01


def test_without_jitter_the_warp_alone_remains():
    for one in drawn(0.0, 20):
        np.testing.assert_allclose(one.transform, np.eye(2, 3), atol=1e-12)
        assert one.control_points.any()


def test_the_flip_comes_four_times_in_ten():
    assert np.mean([one.flip for one in drawn()]) == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("cells", [2, 4, 8])
def test_a_control_point_moves_its_own_place(cells):
    """Displaced by a tenth to the right and a twentieth down; its neighbours stay."""
    points = np.zeros((cells + 1, cells + 1, 2), np.float32)
    points[1, 1] = (0.1, 0.05)
    side = 16 * cells
    moved = augment.remap_grid(np.eye(2, 3), points, side, side) - augment.remap_grid(
        np.eye(2, 3), np.zeros_like(points), side, side
    )
    place = 16  # the control point lies between the pixels 15 and 16
    np.testing.assert_allclose(moved[:, place, place], (0.1 * side, 0.05 * side), rtol=0.15)
    y, x = np.mgrid[:side, :side]
    centre = [(axis * moved[0]).sum() / moved[0].sum() for axis in (x, y)]
    np.testing.assert_allclose(centre, place - 0.5, atol=0.05)
    assert np.abs(moved[:, place, 34:]).max(initial=0) < 1e-3 and np.abs(moved[:, 34:]).max(initial=0) < 1e-3
    assert moved[0].sum() == pytest.approx(2 * moved[1].sum(), rel=1e-3)
