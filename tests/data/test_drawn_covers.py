"""Things that are drawn before faces: the label of what they hide is exact."""

import numpy as np
import pytest

from facewright.data.covers import COVERS, Cover, Scene, draw_cover, photograph, put_before

SIDE = 64


@pytest.fixture
def scene() -> Scene:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    hull = (np.hypot(x - 32, y - 32) < 22).astype(np.float32)
    image, other = (rng.random((SIDE, SIDE, 3)).astype(np.float32) for _ in range(2))
    return Scene(image, hull, image[24:40, 24:40], other)


@pytest.mark.parametrize("name", COVERS)
def test_a_cover_is_seen_where_its_alpha_says_and_its_seed_is_all_of_it(scene: Scene, name: str) -> None:
    shares = []
    for seed in range(20):
        cover, again = (COVERS[name](scene, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(cover.alpha, again.alpha)
        assert np.array_equal(cover.colour, again.colour)
        assert cover.colour.shape == (SIDE, SIDE, 3)
        for values in (cover.alpha, cover.colour):
            assert values.min() >= 0
            assert values.max() <= 1
        shares.append(float((scene.hull * cover.alpha).sum() / scene.hull.sum()))
    assert max(shares) > 0.02
    assert min(shares) < 0.9


def test_the_label_loses_exactly_what_the_cover_hides(scene: Scene) -> None:
    label = np.full((SIDE, SIDE), 0.75, np.float32)
    for seed in range(10):
        drawn = draw_cover(scene, np.random.default_rng(seed))
        cover = Cover(drawn.colour, drawn.alpha)
        image, left = put_before(scene.image, label, cover)
        alpha = cover.alpha[..., None]
        np.testing.assert_allclose(image, scene.image * (1 - alpha) + cover.colour * alpha, atol=1e-6)
        np.testing.assert_allclose(left, label * (1 - cover.alpha), atol=1e-6)


def test_a_shadow_darkens_what_is_behind_and_leaves_the_label(scene: Scene) -> None:
    alpha = np.zeros((SIDE, SIDE), np.float32)
    alpha[20:40, 20:40] = 1
    image, left = put_before(scene.image, scene.hull, Cover(np.zeros_like(scene.image), alpha, shadow=0.5))
    beside = np.s_[24:36, 41]
    assert (image[beside] < scene.image[beside]).all()
    assert np.array_equal(left[beside], scene.hull[beside])


def test_a_photograph_stays_an_image(scene: Scene) -> None:
    for seed in range(20):
        made = photograph(scene.image, np.random.default_rng(seed))
        assert (made.shape, made.dtype) == (scene.image.shape, np.float32)
        assert made.min() >= 0
        assert made.max() <= 1
