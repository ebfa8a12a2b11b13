"""Rates, and frames.json written and read."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from facewright.core.errors import UserError
from facewright.core.files import read_json, write_json
from facewright.video.probe import Colour
from facewright.video.timing import AudioTiming, Section, Timing, frame_stem, read_timing, true_rate, write_timing

TIMING = Timing(
    source_name="data_dst.mp4",
    source_bytes=123,
    fps=0.0,
    image_format="png",
    time_base=Fraction(1, 1000),
    pts=(0, 40, 97),
    end=130,
    rate=Fraction(2000, 97),
    constant=False,
    size=(48, 64),
    colour=Colour("bt709", "bt709", "bt709", "tv"),
    assumed_matrix="bt709",
    audio=AudioTiming("aac", Fraction(1, 10), Fraction(1, 10)),
    changes=("turned",),
)

MOVED = replace(
    TIMING,
    audio=AudioTiming("aac", Fraction(1, 7), Fraction(1, 7), breaks=2),
    sections=(Section(Fraction(0), Fraction(40, 1000), Fraction(0)), Section(Fraction(9), Fraction(10), Fraction(-8))),
)


@pytest.mark.parametrize("timing", [TIMING, replace(TIMING, audio=None, colour=Colour()), MOVED])
def test_round_trip(tmp_path: Path, timing: Timing) -> None:
    write_timing(tmp_path / "frames.json", timing)
    assert read_timing(tmp_path / "frames.json") == timing


@pytest.mark.parametrize("harm", [{"pts": (0, 40, 40)}, {"end": 97}, {"rate": Fraction(0)}])
def test_what_no_reader_takes_is_not_written(tmp_path: Path, harm: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        write_timing(tmp_path / "frames.json", replace(TIMING, **harm))
    assert not list(tmp_path.iterdir())


def test_absent(tmp_path: Path) -> None:
    assert read_timing(tmp_path / "frames.json") is None


@pytest.mark.parametrize(
    "harm",
    [
        {"version": 99},
        {"pts": [0, 40, 40]},
        {"pts": []},
        {"time_base": [1, 0]},
        {"rate": [0, 1]},
        {"size": "big"},
        {"colour": {"surprise": 1}},
        {"end": 5},
    ],
)
def test_damaged(tmp_path: Path, harm: dict[str, object]) -> None:
    path = tmp_path / "frames.json"
    write_timing(path, TIMING)
    write_json(path, {**read_json(path), **harm})
    with pytest.raises(UserError, match="is damaged"):
        read_timing(path)


def test_names() -> None:
    assert (frame_stem(1), frame_stem(123456)) == ("00001", "123456")


def test_rate_of_even_frames_is_exact() -> None:
    assert true_rate(tuple(range(0, 1001 * 9, 1001)), Fraction(1, 30000), ()) == (Fraction(30000, 1001), True)


def test_rate_behind_milliseconds_is_found_again() -> None:
    rate = Fraction(30000, 1001)
    pts = tuple(round(n * 1000 / rate) for n in range(400))
    assert true_rate(pts, Fraction(1, 1000), (Fraction(2997, 100),)) == (rate, True)


def test_rate_of_uneven_frames_is_their_average() -> None:
    pts = (0, 10, 50, 60, 100)
    assert true_rate(pts, Fraction(1, 1000), (Fraction(100),)) == (Fraction(40), False)


def test_a_rate_is_one_that_readers_take() -> None:
    assert true_rate((0, 1, 2), Fraction(1, 10**9), ()) == (Fraction(1_000_000), False)
    assert true_rate((7,), Fraction(1, 10**9), (Fraction(10**9),)) == (Fraction(1_000_000), True)


def test_one_frame() -> None:
    assert true_rate((7,), Fraction(1, 1000), (Fraction(24),)) == (Fraction(24), True)
