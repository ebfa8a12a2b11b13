"""The sort step on drawn faces."""

import errno
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facewright import cli
from facewright.core.files import list_files, write_json
from facewright.core.images import encode, read_image
from facewright.core.png import set_text
from facewright.core.workspace import Workspace
from facewright.faces.record import KEYWORD, load_face, load_record, save_face
from facewright.facesets.rename import PLAN, plan_names
from facewright.facesets.sort_base import methods
from facewright.facesets.sort_final import Keep
from facewright.facesets.sorting import CELL, FADED, apply_plan, plan_sort

INTERNAL = Path(__file__).resolve().parents[2] / "_internal"


def sort(workspace: Workspace, *flags: str) -> int:
    return cli.main(["sort", "--workspace", str(workspace.root), "--yes", *flags])


@pytest.fixture
def faces(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> Workspace:
    for number in range(6):
        save_drawn_face(
            workspace.src.aligned_dir / f"{number:05d}_0.png",
            seed=number,
            level=(0.3, 0.9, 0.5, 0.7, 0.1, 0.4)[number],
            frame=f"{9 - number:05d}.png",
            yaw=(10.0, -60, 33, 0, -5, 80)[number],
        )
    save_drawn_face(workspace.dst.aligned_dir / "00001.png", seed=9, yaw=30.0)
    return workspace


def frames(workspace: Workspace) -> list[str]:
    return [load_record(path).frame for path in workspace.src.aligned()]


def digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in list_files(folder)}


@pytest.mark.parametrize("method", list(methods()))
def test_every_method_renames_and_changes_no_byte(faces: Workspace, method: str) -> None:
    before = digests(faces.src.aligned_dir)
    assert sort(faces, "--by", method) == 0
    assert [path.name for path in faces.src.aligned()] == [f"{number:05d}.png" for number in range(6)]
    assert digests(faces.src.aligned_dir) == before
    first = frames(faces)
    assert sort(faces, "--by", method) == 0
    if method != "hist-blur":  # its groups depend on which face the chain starts from
        assert frames(faces) == first, "sorted twice is sorted once"


def test_orders(faces: Workspace) -> None:
    assert sort(faces, "--by", "brightness") == 0
    means = [read_image(path).max(axis=2).mean() for path in faces.src.aligned()]
    assert means == sorted(means, reverse=True)
    assert sort(faces, "--by", "face-yaw") == 0
    yaws = [load_record(path).pose[0] for path in faces.src.aligned()]
    assert yaws == [80, 33, 10, 0, -5, -60]
    assert sort(faces, "--by", "origname") == 0
    assert frames(faces) == sorted(frames(faces))
    assert sort(faces, "--by", "face-source-rect-size") == 0
    assert frames(faces) == sorted(frames(faces)), "larger seeds have larger boxes and earlier frames here"


@pytest.mark.parametrize("method", ["blur", "black"])
def test_sharpest_first_and_cut_off_last(
    workspace: Workspace, save_drawn_face: Callable[..., Path], method: str
) -> None:
    folder = workspace.dst.aligned_dir
    for number, strength in enumerate((5, 0, 9, 2)):
        image, record = load_face(save_drawn_face(folder / f"{number}.png", frame=f"{strength}.png"))
        if method == "blur" and strength:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), strength), np.uint8)
        elif method == "black":
            image[: strength * 3] = 0
        save_face(folder / f"{number}.png", image, record)
    assert sort(workspace, "--side", "dst", "--by", method) == 0
    assert [load_record(path).frame for path in workspace.dst.aligned()] == ["0.png", "2.png", "5.png", "9.png"]


def test_files_that_are_no_faces_stay(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    folder = faces.src.aligned_dir
    (folder / "00001.png").write_bytes(encode(np.zeros((8, 8, 3), np.uint8)))
    (folder / "00004.png").write_bytes(b"nothing")
    damaged = folder / "00005_0.png"
    damaged.write_bytes(
        set_text(damaged.read_bytes(), KEYWORD, load_record(damaged).to_json().replace('"rect":[', '"rect":[NaN,'))
    )
    broken = folder / "00003_0.png"
    broken.write_bytes(broken.read_bytes()[:-9000])
    before = {name: (folder / name).read_bytes() for name in ("00001.png", "00004.png", "00003_0.png", "00005_0.png")}
    assert sort(faces, "--by", "hue") == 0
    assert {name: (folder / name).read_bytes() for name in before} == before
    told = capsys.readouterr().out
    assert all(name in told for name in before) and told.count("keeps its name") == 4
    wanted = {"00000.png", "00002.png", "00003.png", "00005.png", *before}
    assert {path.name for path in faces.src.aligned()} == wanted


def test_a_folder_whose_data_is_lost_is_named_once(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    lost = faces.src.aligned()[:-1]
    for path in [*lost, *(faces.src.aligned_dir / f"more {number}.png" for number in range(3))]:
        path.write_bytes(encode(np.zeros((8, 8, 3), np.uint8)))
    assert sort(faces, "--by", "origname") == 0
    told = capsys.readouterr().out
    assert told.count("keeps its name") == 5 and "3 more files" in told
    faces.src.aligned()[0].unlink()
    assert sort(faces, "--by", "origname") == 1
    told = capsys.readouterr()
    assert (
        "None of the 8 PNG files" in told.err
        and "--action restore-metadata" in told.err
        and len(told.out.splitlines()) == 1
    )


def names_and_frames(workspace: Workspace) -> dict[str, str]:
    return {path.name: load_record(path).frame for path in workspace.src.aligned()}


def test_dry_run_prints_the_order_and_moves_nothing(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    before, files = names_and_frames(faces), set(faces.root.rglob("*"))
    assert sort(faces, "--by", "face-yaw", "--dry-run") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "->" in line]
    assert lines == [[f"{old:05d}_0.png", "->", f"{new:05d}.png"] for new, old in enumerate((5, 2, 0, 3, 4, 1))]
    assert sort(faces, "--by", "final", "--keep", "2", "--dry-run", "--contact-sheet") == 0
    out = capsys.readouterr().out
    assert out.count("->  trash") == 4 and "--by final" in out
    assert names_and_frames(faces) == before
    new = {path for path in set(faces.root.rglob("*")) - files if "logs" not in path.parts}
    assert new == {faces.root / "data_src_sorted.png"}


def test_contact_sheet_shows_the_new_order_and_fades_the_rejected(faces: Workspace) -> None:
    assert sort(faces, "--by", "brightness", "--contact-sheet", "--dry-run") == 0
    sheet = read_image(faces.root / "data_src_sorted.png")
    cells = [sheet[20:80, left : left + 80].mean() for left in range(20, sheet.shape[1] - 80, CELL + 4)]
    assert len(cells) == 6 and cells == sorted(cells, reverse=True)
    assert sort(faces, "--by", "final", "--keep", "3", "--contact-sheet") == 0
    faded = read_image(faces.root / "data_src_sorted.png")
    assert faded[20:80, -80:].max() < 255 / 3 + FADED + 2
    assert len(faces.src.aligned()) == 3, "without a console there is nobody to ask"


@pytest.mark.parametrize(("said", "left"), [("n", 6), ("", 2)])
def test_contact_sheet_on_a_console_asks_before_anything_moves(
    faces: Workspace, typed: Callable[..., list[str]], said: str, left: int
) -> None:
    before = names_and_frames(faces)
    shown = typed("final", "2", said)
    assert cli.main(["sort", "--workspace", str(faces.root), "--contact-sheet"]) == 0
    assert len(faces.src.aligned()) == left
    assert "Go on?" in shown[-1] and "4 go to the trash" in shown[-1]
    if said == "n":
        assert names_and_frames(faces) == before and not faces.trash.exists()
    assert faces.answers("sort.final") == {"keep": 2}
    assert (faces.root / "data_src_sorted.png").exists()


def test_prompt_lists_every_method_with_a_line(
    faces: Workspace, typed: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    typed("origname")
    assert cli.main(["sort", "--workspace", str(faces.root)]) == 0
    told = capsys.readouterr().out
    for number, (name, method) in enumerate(methods().items(), 1):
        assert f" {number}  {name:<21}  {method.help}" in told


def test_an_option_of_another_method_is_refused(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    before = names_and_frames(faces)
    assert sort(faces, "--by", "hist", "--keep", "2") == 1
    assert sort(faces, "--by", "final", "--keep", "0") == 1
    assert "1 or more" in capsys.readouterr().err
    assert names_and_frames(faces) == before


@pytest.mark.parametrize("method", list(methods()))
def test_one_face(workspace: Workspace, save_drawn_face: Callable[..., Path], method: str) -> None:
    save_drawn_face(workspace.src.aligned_dir / "Μόνο 一人 ١.png", frame="кадр.png")
    save_drawn_face(workspace.dst.aligned_dir / "1.png")
    assert sort(workspace, "--by", method, "--contact-sheet") == 0
    assert names_and_frames(workspace) == {"00000.png": "кадр.png"}


def test_rejected_faces_of_dst_are_told_of(
    workspace: Workspace, save_drawn_face: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        save_drawn_face(workspace.dst.aligned_dir / f"{number}.png", frame=f"{number // 2 * number}.png")
    assert sort(workspace, "--side", "dst", "--by", "oneface") == 0
    told = capsys.readouterr().out
    assert "not converted" in told and "2 faces went to" in told
    assert sorted(p.name for p in workspace.trash.glob("*/[!.]*")) == ["0.png", "1.png"]


class Deletes(ThreadPoolExecutor):
    """Deletes a file before it starts any work."""

    def __init__(self, path: Path) -> None:
        super().__init__(1)
        self.path = path

    def submit(self, *arguments: Any, **more: Any) -> Any:
        self.path.unlink(missing_ok=True)
        return super().submit(*arguments, **more)


def test_a_face_that_vanishes_meanwhile(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    gone = faces.src.aligned()[2]
    with Deletes(gone) as executor:
        plan = plan_sort(faces.src, methods()["brightness"], None, executor)
    assert gone.name in capsys.readouterr().out
    assert plan.unreadable == 0 and gone.name not in {old for old, _, _ in plan.moves}
    apply_plan(faces.src, plan, faces.trash, "sort")
    assert [path.name for path in faces.src.aligned()] == [f"{number:05d}.png" for number in range(5)]


def test_a_face_that_vanishes_after_the_plan(faces: Workspace) -> None:
    with ThreadPoolExecutor(2) as executor:
        plan = plan_sort(faces.src, methods()["final"], Keep(3), executor)
    faces.src.aligned()[0].unlink()
    apply_plan(faces.src, plan, faces.trash, "sort")
    assert len(faces.src.aligned()) + len(list(faces.trash.glob("*/[!.]*"))) == 5


def test_two_sorts_at_once(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    before = names_and_frames(faces)
    with faces.lock("data_src"):
        assert sort(faces) == 1
        assert f"process {os.getpid()}" in capsys.readouterr().err
        assert sort(faces, "--dry-run") == 0, "looking is allowed"
    assert names_and_frames(faces) == before
    (faces.root / ".lock_data_src").write_text(f" {os.getpid()}")
    assert sort(faces, "--by", "origname") == 0, "a stale lock is taken over"


def test_read_only_folder(
    faces: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names_and_frames(faces)
    real = os.replace

    def refuse(old: Path, new: Path) -> None:
        if Path(new).parent == faces.src.aligned_dir:
            raise PermissionError(errno.EACCES, "Permission denied")
        real(old, new)

    monkeypatch.setattr(os, "replace", refuse)
    assert sort(faces, "--by", "hue") == 1
    assert "could not be written" in capsys.readouterr().err
    monkeypatch.undo()
    assert names_and_frames(faces) == before
    assert list(faces.src.aligned_dir.glob(".*")) == []


AGAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from facewright.cli import main
print("ready", flush=True)
while True:
    for method in ("brightness", "origname", "final"):
        keep = ["--keep", "5"] if method == "final" else []
        main(["sort", "--workspace", sys.argv[2], "--yes", "--by", method, *keep])
        if method == "final":
            main(["restore", "--workspace", sys.argv[2], "--yes"])
"""


@pytest.mark.slow
def test_killed_at_any_moment_no_face_is_lost(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    folder = workspace.src.aligned_dir
    for number in range(60):
        save_drawn_face(folder / f"{number}.png", seed=number, level=number % 7 / 10 + 0.1, frame=f"{number:05d}.png")
    before = digests(folder)
    random = np.random.default_rng(0)
    for _ in range(8):
        words = [sys.executable, "-c", AGAIN, str(INTERNAL), str(workspace.root)]
        run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert run.stdout is not None and run.stdout.readline()
        time.sleep(random.uniform(0.05, 0.8))
        run.kill()
        run.communicate()
        here = digests(folder)
        in_trash = {hashlib.sha256(p.read_bytes()).hexdigest() for p in workspace.trash.glob("*/*.png")}
        assert here | in_trash >= before
        assert all(path.name.endswith(".png") for path in folder.glob("[!.]*"))
    assert sort(workspace, "--by", "origname") == 0
    while any(workspace.trash.glob("*/*.png")):
        assert cli.main(["restore", "--workspace", str(workspace.root), "--yes"]) == 0
    assert digests(folder) == before
    assert sort(workspace, "--by", "origname") == 0
    assert names_and_frames(workspace) == {f"{number:05d}.png": f"{number:05d}.png" for number in range(60)}


def test_no_faces(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert sort(workspace, "--side", "dst") == 1
    assert "5_dst_extract_faces" in capsys.readouterr().err
    workspace.dst.aligned_dir.mkdir(parents=True)
    assert sort(workspace, "--side", "dst") == 1


def test_interrupted_renaming_is_finished_first(faces: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    folder = faces.src.aligned_dir
    names = [path.name for path in faces.src.aligned()][::-1]
    before = digests(folder)
    write_json(folder / PLAN, {"pass": 1, "moves": plan_names(names, [])})
    (folder / names[0]).rename(folder / plan_names(names, [])[0][1])
    assert sort(faces, "--by", "origname") == 0
    assert "interrupted" in capsys.readouterr().out
    assert digests(folder) == before
