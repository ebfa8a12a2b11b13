"""Cards of every kind, by what the system tells of them: which backend takes them, and what to do where none does."""

import os

import pytest

from facewright.nn.cards import VISIBLE, Card, backends_for, default_backend, find_cards, parse_nvidia, way_to

HOPPER = parse_nvidia("NVIDIA H200, 9.0")
BLACKWELL = parse_nvidia("NVIDIA GeForce RTX 5090, 12.0")
AMD, APPLE = Card("AMD", "AMD GPU"), Card("Apple", "Apple GPU")
ALL = ("tensorflow", "jax", "torch")


def test_a_card_is_read_as_the_driver_tells_it():
    assert Card("NVIDIA", "NVIDIA H200", (9, 0)) == HOPPER
    assert BLACKWELL.capability == (12, 0)
    for line in ("Quadro, of old", "NVIDIA T4", "NVIDIA X, [N/A]", ""):
        assert parse_nvidia(line) == Card("NVIDIA", line)


@pytest.mark.parametrize(
    ("card", "system", "installed", "taken"),
    [
        (HOPPER, "linux", ALL, "tensorflow"),
        (BLACKWELL, "linux", ALL, "jax"),  # newer than TensorFlow's build
        (BLACKWELL, "linux", ("tensorflow", "torch"), "torch"),
        (BLACKWELL, "linux", ("tensorflow",), "tensorflow"),  # which warns
        (HOPPER, "win32", ALL, "torch"),
        (AMD, "linux", ALL, "torch"),
        (APPLE, "darwin", ALL, "torch"),
        (AMD, "win32", ALL, "tensorflow"),
    ],
)
def test_the_first_backend_that_knows_the_card_is_taken(card, system, installed, taken):
    assert default_backend([card], installed, system) == taken
    assert default_backend([], installed, system) == "tensorflow"


@pytest.mark.parametrize(
    ("card", "system", "line"),
    [
        (HOPPER, "linux", '/p -m pip install "tensorflow[and-cuda]"'),
        (BLACKWELL, "linux", '/p -m pip install "jax[cuda13]"'),
        (HOPPER, "win32", "/p -m pip install torch --index-url"),
        (AMD, "linux", "/p -m pip install torch --index-url https://download.pytorch.org/whl/rocm"),
        (APPLE, "darwin", "/p -m pip install torch"),
    ],
)
def test_a_card_that_lies_idle_comes_with_the_line_to_paste(card, system, line):
    assert line in way_to(card, system, "/p")
    assert backends_for(card, system)


def test_a_card_that_is_hidden_is_not_the_one_to_run_on(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 9.0'; echo 'NVIDIA GeForce RTX 5090, 12.0'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def found(visible):
        monkeypatch.setenv(VISIBLE, visible)
        return find_cards(tmp_path / "drm", tmp_path / "nvidia")

    assert found("1") == (BLACKWELL,) and found("1,0") == (HOPPER, BLACKWELL) and found("") == ()
    monkeypatch.delenv(VISIBLE)
    assert find_cards(tmp_path / "drm", tmp_path / "nvidia") == (HOPPER, BLACKWELL)


def test_amds_cards_are_found_and_the_graphics_of_processors_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no nvidia-smi
    for number, (vendor, size) in enumerate((("0x1002", 16 << 30), ("0x1002", 512 << 20), ("0x8086", 16 << 30))):
        device = tmp_path / "drm" / f"card{number}" / "device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "mem_info_vram_total").write_text(f"{size}\n")
    (tmp_path / "drm" / "card9" / "device").mkdir(parents=True)
    assert [card.maker for card in find_cards(tmp_path / "drm", tmp_path)] == ["AMD"]
    driver = tmp_path / "nvidia" / "0000:01"
    driver.mkdir(parents=True)
    (driver / "information").write_text("Model: \t NVIDIA Test 4000\n")
    assert find_cards(tmp_path / "drm", tmp_path / "nvidia")[0] == Card("NVIDIA", "NVIDIA Test 4000")
