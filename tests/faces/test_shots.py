"""Cuts between shots, from tiny copies of the frames."""

import numpy as np

from facewright.faces.shots import as_text, from_text, shot_starts, tiny_copy

RANDOM = np.random.default_rng(4)


def scene(seed: int) -> np.ndarray:
    """A room: large patches of colour, (120, 160, 3)."""
    patches = np.random.default_rng(seed).integers(40, 200, (6, 8, 3)).astype(np.uint8)
    return np.kron(patches, np.ones((20, 20, 1), np.uint8))


def shot(seed: int, frames: int, speed: float = 0.0) -> list[np.ndarray]:
    """A pan over a room, with the noise of a camera."""
    room = scene(seed).astype(float)
    return [
        (np.roll(room, round(speed * at), axis=1) + RANDOM.normal(0, 2, room.shape)).clip(0, 255).astype(np.uint8)
        for at in range(frames)
    ]


def starts(frames: list[np.ndarray]) -> list[int]:
    return shot_starts([tiny_copy(frame) for frame in frames])


def test_cuts_are_found_at_their_frame() -> None:
    assert starts([*shot(1, 10), *shot(2, 12), *shot(3, 8)]) == [10, 22]


def test_a_pan_that_begins_ends_and_a_cut_within_it() -> None:
    assert starts([*shot(1, 8), *shot(1, 20, speed=4)]) == []
    assert starts(shot(1, 30, speed=4)) == []
    assert starts([*shot(1, 15, speed=2), *shot(2, 15, speed=2)]) == [15]


def test_a_flash_is_no_cut() -> None:
    frames = shot(1, 21)
    frames[10] = np.full_like(frames[10], 250)
    assert starts(frames) == []


def test_frames_that_nobody_saw_tell_nothing() -> None:
    copies = [tiny_copy(frame) for frame in [*shot(1, 6), *shot(2, 6)]]
    assert shot_starts([*copies[:6], None, *copies[6:]]) == []
    assert shot_starts([None, *copies, None]) == [7]
    assert shot_starts([]) == shot_starts([None]) == []


def test_a_copy_in_a_journal() -> None:
    copy = tiny_copy(scene(1))
    assert from_text(as_text(copy)) == copy
    assert [from_text(other) for other in (None, 3, "", "?", as_text(copy[:-1]), as_text(copy) * 100)] == [None] * 6


def test_frames_of_any_size() -> None:
    small, large = np.full((1, 1, 3), 90, np.uint8), np.full((2160, 4096, 3), 90, np.uint8)
    assert tiny_copy(small) == tiny_copy(large)
