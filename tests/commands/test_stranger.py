"""Every step in a workspace that somebody sent: links, pipes and names that lead out of it change nothing outside."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clips import clip
from facewright import cli
from facewright.core.command import CommandPackage
from facewright.core.files import NOTE
from facewright.core.images import write_image
from facewright.core.workspace import Workspace
from facewright.nn import backups, checkpoint
from strangers import needs_pipes

STEPS = (
    "mask --action remove",
    "mask --action fetch",
    "models",
    "models --import {other}",
    "sort --side src --by face-yaw",
    "sort --side dst --by final-fast --contact-sheet",
    "view --side src",
    "view --side dst",
    "faceset --side src --action recover-names",
    "faceset --side src --action save-metadata",
    "faceset --side src --action restore-metadata",
    "faceset --side src --action merge --source {other}",
    "keep --side dst --person 1",
    "people --side dst",
    "convert",
    "make-video --fill-missing",
    "make-video --container avi --fill-missing",
    "cut-video --start 0.04 --end 0.1",
    "timelapse",
    "timelapse --name ../../mine/model/quick",
    "restore --list --what all",
    "restore --what all",
    "restore --what faces",
    "restore --what model",
    "extract-frames --side dst --redo",
    "extract-frames --side src --redo",
    "clear",
    "clear --empty-trash",
)
SLOW_STEPS = (
    "extract --side dst",
    "extract --side src --redo",
    "people --side src",
    "train --target-iter 2 --batch-size 2 --no-window",
    "train --name ../../mine/model/quick --target-iter 2 --no-window",
    "export",
    "compare",
    "compare --generations",
    "review",
    "evaluate --no-noise-floor",
    "swap {root}/data_dst.mp4 {root}/swapped.mp4",
    "doctor",
)
ELSEWHERE = {"fix", "quickstart", "benchmark", "inspect"}  # a person's own hands; workspaces and files of their own


@pytest.fixture
def mine(tmp_path: Path, save_drawn_face: Callable[..., Path]) -> Path:
    """A folder of the user with pictures, a shell's start file and a trained model of another project."""
    folder = tmp_path / "mine"
    for number in range(3):
        save_drawn_face(
            make(folder / "pictures" / f"{number:05d}.png"), seed=20 + number, frame=f"{number + 7:05d}.png"
        )
    make(folder / "bashrc").write_text("alias ll='ls -l'\n")
    (folder / "autostart").mkdir()
    arrays = {"weights": {"w": np.ones(3, np.float32)}}
    for iteration in (1, 2):
        checkpoint.save(folder / "model" / "quick", {"model": "newer", "iteration": iteration}, arrays)
    make(folder / "model" / "quick" / "timelapse.mp4").write_bytes(b"mine")
    return folder


@pytest.fixture
def sent(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> Workspace:
    """What somebody sent, still without malice."""
    root = workspace.root
    for name in ("src", "dst"):
        side = workspace.side(name)
        clip(root / f"data_{name}.mp4", frames=3, audio=True)
        for number in range(1, 4):
            write_image(make(side.frames_dir / f"{number:05d}.png"), np.full((60, 80, 3), 9 * number, np.uint8))
            save_drawn_face(make(side.aligned_dir / f"{number:05d}_0.png"), seed=number, frame=f"{number:05d}.png")
            write_image(make(workspace.dst.merged_dir / f"{number:05d}.png"), np.full((60, 80, 3), 7, np.uint8))
    arrays = {"weights": {"w": np.ones(3, np.float32)}}
    for iteration in (1, 2):
        saved = checkpoint.save(workspace.model_dir / "quick", {"model": "newer", "iteration": iteration}, arrays)
    backups.back_up(saved.folder)
    write_image(make(workspace.model_dir / "quick" / "history" / "0000010.jpg"), np.zeros((48, 64, 3), np.uint8))
    batch = workspace.trash / "2026-01-01_00-00-00"
    for number in range(3):
        save_drawn_face(make(batch / f"{number}.png"), seed=10 + number)
    origins = {f"{number}.png": f"data_src/aligned/{number}.png" for number in range(3)}
    (batch / NOTE).write_text(json.dumps({"by": "sort", "files": origins}))
    return workspace


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def state_of(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in sorted(folder.rglob("*"))
    }


def take_every_step(workspace: Workspace, mine: Path, steps: tuple[str, ...] = STEPS) -> None:
    """Take them as one who wants it done: --yes. A step may refuse; none may end in a traceback."""
    for step in steps:
        assert cli.main(words(workspace, mine, step)) in (0, 1), step


def words(workspace: Workspace, mine: Path, step: str) -> list[str]:
    # Blanks of the folders' names stay.
    command, *flags = (word.format(other=mine / "pictures", root=workspace.root) for word in step.split())
    return [command, "--workspace", str(workspace.root), "--yes", *flags]


def test_every_command_is_taken() -> None:
    taken = {step.split()[0] for step in (*STEPS, *SLOW_STEPS)}
    assert taken | ELSEWHERE == set(CommandPackage("facewright.commands").modules)


def test_the_steps_do_something(sent: Workspace, mine: Path) -> None:
    """Else the other tests here would prove nothing."""
    refused = [step for step in STEPS if cli.main(words(sent, mine, step))]
    assert refused == ["models --import {other}", "convert", "timelapse --name ../../mine/model/quick"]


FOLDERS = ("data_src", "data_dst/merged", "model", "trash", ".make_video")
MORE_FOLDERS = (
    *(
        "data_dst",
        "data_src/aligned",
        "data_dst/aligned",
        "data_dst/aligned_debug",
        "model/quick",
        "model/quick/backups",
    ),
    *("trash/2026-01-01_00-00-00", "logs", ".make_video/mp4", "model/quick/generation_000001", "model/quick/history"),
)


@pytest.mark.parametrize("place", [*FOLDERS, *(pytest.param(place, marks=pytest.mark.slow) for place in MORE_FOLDERS)])
def test_a_link_in_the_place_of_a_folder(sent: Workspace, mine: Path, place: str) -> None:
    link, before = sent.root / place, state_of(mine)
    shutil.rmtree(link, ignore_errors=True)
    make(link).symlink_to(mine / ("model/quick" if place.startswith("model/") else "pictures"))
    take_every_step(sent, mine)
    assert state_of(mine) == before


FILES = (
    *("answers.json", ".contents.jsonl", ".cut_video.json", ".lock_data_dst", ".lock_model", "result.mp4"),
    *("merged_sheet.png", "data_src_faces.png", "data_src_faces.html", "data_dst_sorted.png", ".result.mp4.tmp"),
    *(".data_dst.cut.mp4", ".data_dst.cut.mp4.tmp", "data_src/frames.json", "data_dst/frames.json"),
    *("data_dst/.frames.partial.jsonl", "data_src/extracted.jsonl", "data_dst/extracted.jsonl"),
    *("data_dst/converted.jsonl", "data_src/aligned/.sorting.json", "data_src/aligned/00009_0.png"),
    *("data_dst/00009.png", "data_dst/merged/00002.png", "model/quick/timelapse.mp4", ".make_video/result.mp4.json"),
    *("model/quick/generation_000002/state.json", "model/quick/generation_000002/manifest.json"),
    *("evaluation.json", "evaluation.html", "review_sheet.png", "swapped.mp4", ".evaluation/faces.jsonl"),
    *("data_dst/review.json", "data_dst/reviewed.jsonl", "data_dst/convert_settings.json"),
    *("data_dst/converted_mask.jsonl", "data_dst/predicted_masks.jsonl", ".swap/swapped.mp4/frames.json"),
    *("model/quick/generation_000002/weights.safetensors", "trash/2026-01-01_00-00-00/" + NOTE),
    *("trash/2026-01-01_00-00-00/7.png", "data_src/aligned.metadata.jsonl", "model/preview.png"),
)


def test_links_in_the_places_of_files(sent: Workspace, mine: Path) -> None:
    before = state_of(mine)
    for target in ("bashrc", "absent", "pictures/00001.png"):
        for name in FILES:
            make(sent.root / name).unlink(missing_ok=True)
            (sent.root / name).symlink_to(mine / target)
        take_every_step(sent, mine)
        assert state_of(mine) == before


def test_files_of_the_user_under_a_second_name(sent: Workspace, mine: Path) -> None:
    before = state_of(mine)
    for name in FILES:
        make(sent.root / name).unlink(missing_ok=True)
        os.link(mine / "bashrc", sent.root / name)
    take_every_step(sent, mine)
    assert state_of(mine) == before


@needs_pipes
def test_pipes_in_the_places_of_files(sent: Workspace, mine: Path) -> None:
    before = state_of(mine)
    for name in FILES:
        make(sent.root / name).unlink(missing_ok=True)
        os.mkfifo(sent.root / name)
    take_every_step(sent, mine)
    assert state_of(mine) == before


def test_files_of_a_terabyte_of_nothing(sent: Workspace, mine: Path) -> None:
    """They take no room on the disk, and would take hours to be read to their ends."""
    for name in FILES:
        with open(make(sent.root / name), "ab") as file:
            file.truncate(1 << 40)
    take_every_step(sent, mine)


def test_videos_of_a_terabyte_of_nothing(sent: Workspace, mine: Path) -> None:
    for name in ("data_src.mp4", "data_dst.mp4"):
        with open(sent.root / name, "ab") as file:
            file.truncate(1 << 40)
    take_every_step(sent, mine)


def test_folders_in_the_places_of_files(sent: Workspace, mine: Path) -> None:
    for name in FILES:
        (sent.root / name).unlink(missing_ok=True)
        (sent.root / name / "below").mkdir(parents=True)
    take_every_step(sent, mine)


@needs_pipes
def test_videos_that_are_pipes(sent: Workspace, mine: Path) -> None:
    for name in ("data_src.mp4", "data_dst.mp4"):
        (sent.root / name).unlink()
        os.mkfifo(sent.root / name)
    take_every_step(sent, mine)


ORIGINS = (
    *("/{mine}/autostart/a.desktop", "{mine}/autostart/a", "../mine/autostart/a", "a/../../mine/a"),
    *("link/a", "later/a"),
)


def test_a_trash_that_names_places_elsewhere(sent: Workspace, mine: Path) -> None:
    before = state_of(mine)
    batch = sent.trash / "2026-02-02_00-00-00"
    names = {f"{number}.png": origin.format(mine=mine) for number, origin in enumerate(ORIGINS)}
    for name in names:
        make(batch / name).write_bytes(b"evil")
    (batch / "link").symlink_to(mine / "autostart")  # its place, then a file through it
    (batch / "later").symlink_to(mine / "not yet")
    names |= {"link": "link", "later": "later"}
    (batch / NOTE).write_text(json.dumps({"by": "sort", "files": names}))
    take_every_step(sent, mine, ("restore --what all", "restore --what faces", "restore --what all"))
    assert state_of(mine) == before
    assert not (sent.root / "link").is_symlink() and (batch / "link").is_symlink()


def test_names_in_answers_and_plans(sent: Workspace, mine: Path) -> None:
    before = state_of(mine)
    name = "../../mine/model/quick"
    steps = ("train", "timelapse", "convert", "export")
    (sent.root / "answers.json").write_text(json.dumps({step: {"name": name, "model": name} for step in steps}))
    plan = {"pass": 0, "moves": [["00001_0.png", "../../../mine/a", "b"]], "rejected": ["../../../mine/bashrc"]}
    (sent.src.aligned_dir / ".sorting.json").write_text(json.dumps(plan))
    manifest = sent.model_dir / "quick" / "generation_000002" / checkpoint.MANIFEST
    manifest.write_text(json.dumps({"format": 1, "files": {"../../../../mine/bashrc": {"size": 17}}}))
    take_every_step(sent, mine)
    assert state_of(mine) == before


@pytest.mark.slow
def test_the_slow_steps_too(sent: Workspace, mine: Path) -> None:
    before = state_of(mine)
    for place in ("data_src/aligned", "data_dst", "model"):
        shutil.rmtree(sent.root / place)
        (sent.root / place).symlink_to(mine / "pictures")
        take_every_step(sent, mine, SLOW_STEPS)
        (sent.root / place).unlink()
        assert state_of(mine) == before
    for target in ("bashrc", "absent"):
        for name in FILES:
            make(sent.root / name).unlink(missing_ok=True)
            (sent.root / name).symlink_to(mine / target)
        take_every_step(sent, mine, SLOW_STEPS)
        assert state_of(mine) == before


def test_a_folder_on_another_disk_is_used_where_the_user_says_so(sent: Workspace, tmp_path: Path) -> None:
    disk = tmp_path / "other disk"
    shutil.move(sent.src.frames_dir, disk)
    sent.src.frames_dir.symlink_to(disk)
    flags = ["--workspace", str(sent.root), "--yes", "--side", "src", "--by", "face-yaw"]
    assert cli.main(["sort", *flags]) == 1
    assert cli.main(["sort", *flags, "--follow-links"]) == 0
    assert (disk / "aligned" / "00000.png").exists()
    root = tmp_path / "link"
    sent.src.frames_dir.unlink()
    shutil.move(disk, sent.src.frames_dir)
    root.symlink_to(sent.root)
    assert cli.main(["sort", "--workspace", str(root), "--yes", "--side", "src", "--by", "face-pitch"]) == 0
