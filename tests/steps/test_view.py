"""The view step without a screen writes a page and a sheet; with one it opens the folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from facewright import cli
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.steps import view


def run(workspace: Workspace, *flags: str) -> int:
    return cli.main(["view", "--workspace", str(workspace.root), "--yes", *flags])


def test_page_and_sheet(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    for number in range(3):
        save_drawn_face(workspace.src.aligned_dir / f"ä #{number}.png", seed=number, frame="<b>.png")
    assert run(workspace, "--gallery", "--largest", "2") == 0
    page = (workspace.root / "data_src_faces.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 3
    assert 'src="data_src/aligned/%C3%A4%20%230.png"' in page
    assert "<b>" not in page and "&lt;b&gt;.png" in page
    assert read_image(workspace.root / "data_src_faces.png").shape[1] > 2 * view.CELL
    assert workspace.src.frames() == [], "the sheet is no frame"


def test_folder_is_opened_where_there_is_a_screen(
    workspace: Workspace, save_drawn_face: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_drawn_face(workspace.dst.aligned_dir / "a.png")
    opened: list[list[str]] = []
    monkeypatch.setattr(view, "system_viewer", lambda folder: ["viewer", str(folder)])
    monkeypatch.setattr(view, "open_folder", opened.append)
    assert run(workspace, "--side", "dst") == 0
    assert opened == [["viewer", str(workspace.dst.aligned_dir)]]
    assert not (workspace.root / "data_dst_faces.html").exists()


def test_without_a_screen_there_is_no_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert view.system_viewer(Path("x")) is None


def test_no_faces(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(workspace) == 1
    assert "4_src_extract_faces" in capsys.readouterr().err
