"""The view step: it counts and advises; without a screen it writes a page, with one it opens the folder."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewright import cli
from facewright.core.images import read_image, write_image
from facewright.core.workspace import Workspace
from facewright.faces.record import load_record, update_record
from facewright.facesets.gallery import CELL, COLUMNS, wrapped
from facewright.ui.plots import SIZE
from needs import needs_chromium, program


def run(workspace: Workspace, *flags: str) -> int:
    return cli.main(["view", "--workspace", str(workspace.root), "--yes", *flags])


def test_page_and_sheet(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    for number in range(3):
        save_drawn_face(workspace.src.aligned_dir / f"ä #{number}.png", seed=number, frame="<b>.png")
    assert run(workspace, "--gallery", "--largest", "2") == 0
    page = (workspace.root / "data_src_faces.html").read_text(encoding="utf-8")
    assert page.count("<figure ") == 3 and page.count("<svg ") == 4
    assert 'src="data_src/aligned/%C3%A4%20%230.png"' in page
    assert "<b>.png" not in page and "&lt;b&gt;.png" in page
    assert "Few faces (3)" in page
    sheet = read_image(workspace.root / "data_src_faces.png")
    assert sheet.shape[1] >= max(4 * SIZE[1], COLUMNS * CELL)
    assert workspace.src.frames() == [], "the sheet is no frame"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have other viewers")
def test_folder_is_opened_where_there_is_a_screen(
    workspace: Workspace,
    save_drawn_face: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    save_drawn_face(workspace.dst.aligned_dir / "a.png")
    viewer, opened = tmp_path / "xdg-open", tmp_path / "opened"
    viewer.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":99")
    assert run(workspace, "--side", "dst") == 0
    end = time.monotonic() + 20
    while not (opened.exists() and opened.read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    assert opened.read_text().strip() == str(workspace.dst.aligned_dir)
    assert not (workspace.root / "data_dst_faces.html").exists()
    assert (workspace.root / "data_dst_faces.png").exists() and "1 face of 1 frame;" in capsys.readouterr().out


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a screen always")
def test_without_a_screen_there_is_a_page(
    workspace: Workspace, save_drawn_face: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    save_drawn_face(workspace.src.aligned_dir / "a.png")
    assert run(workspace) == 0
    assert (workspace.root / "data_src_faces.html").exists()


def test_no_faces(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(workspace) == 1
    assert "4_src_extract_faces" in capsys.readouterr().err


def test_damaged_odd_and_absent_things(
    workspace: Workspace, save_drawn_face: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace.dst.aligned_dir
    for number in range(4):
        path = save_drawn_face(folder / f"{number}.png", seed=number, frame=f"{number // 2}.png")
        update_record(path, replace(load_record(path), person=number % 2 + 1))
    write_image(workspace.dst.frames_dir / "0.png", np.zeros((9, 9, 3), np.uint8))
    write_image(workspace.dst.frames_dir / "7.png", np.zeros((9, 9, 3), np.uint8))
    cut_off = (folder / "3.png").read_bytes()
    (folder / "3.png").write_bytes(cut_off[: cut_off.index(b"IDAT") + 20])  # its record is whole
    record = load_record(folder / "2.png")
    update_record(folder / "2.png", replace(record, landmarks=record.landmarks + 1000))
    (folder / "stray.png").write_bytes(b"x")
    for name in "abc":
        save_drawn_face(workspace.src.aligned_dir / f"{name}.png", yaw=80.0)
    assert run(workspace, "--side", "dst") == 0
    told = capsys.readouterr().out
    for words in ("3.png", "stray.png", "Frames without a face: 1 of 2 (7.png)", "damaged or no faces: 2", "2 persons",
                  "several faces: 1 (0.png)", "outside of their image: 1 (2.png)", "src has hardly one"):  # fmt: skip
        assert words in told, words
    page = (workspace.root / "data_dst_faces.html").read_text(encoding="utf-8")
    assert 'id="person"' in page and 'data-person="2"' in page and "damaged" in page


def test_all_pictures_damaged(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    path = save_drawn_face(workspace.src.aligned_dir / "a.png")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"IDAT") + 20])
    assert run(workspace) == 0
    assert (workspace.root / "data_src_faces.html").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_workspace_is_a_sentence(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    save_drawn_face(workspace.src.aligned_dir / "a.png")
    workspace.root.chmod(0o500)
    try:
        assert run(workspace) == 1
    finally:
        workspace.root.chmod(0o700)


def test_long_lines_are_folded() -> None:
    rows = wrapped("word " * 100, 80)
    assert len(rows) > 5 and all(len(row) <= 80 for row in rows)
    assert rows[0].startswith("- ") and rows[1].startswith("  ")


@needs_chromium
def test_the_page_sorts_and_filters_in_a_browser(
    workspace: Workspace, save_drawn_face: Callable[..., Path], tmp_path: Path
) -> None:
    for number, yaw in enumerate((5.0, -40.0, 30.0)):
        path = save_drawn_face(workspace.src.aligned_dir / f"{number}.png", seed=number, yaw=yaw)
        update_record(path, replace(load_record(path), person=1 + number % 2))
    assert run(workspace, "--gallery") == 0
    page = workspace.root / "data_src_faces.html"
    test = (
        "<script>addEventListener('load', () => {"
        "order.value = 'yaw -1'; order.dispatchEvent(new Event('change'));"
        "const turned = [...grid.children].map(f => f.dataset.yaw).join(' ');"
        "person.value = '2'; person.dispatchEvent(new Event('change'));"
        "const pictures = [...document.images].filter(i => i.complete && i.naturalWidth === 64).length;"
        "document.title = `${turned} | ${shown.textContent} | ${pictures} pictures`; })</script></body>"
    )
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", test), encoding="utf-8")
    command = [str(program("chromium")), "--headless", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={tmp_path / 'profile'}"]
    answer = subprocess.run(
        [*command, "--virtual-time-budget=3000", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    title = re.search(r"<title>(.*?)</title>", answer.stdout)
    assert title and title[1] == "30.0 5.0 -40.0 | 1 faces | 3 pictures"
