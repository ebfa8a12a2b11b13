"""Paths, the one video of a side, remembered answers, locks."""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facewright import cli
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace

INTERNAL = Path(__file__).resolve().parents[2] / "_internal"


def test_paths_of_the_convention(workspace: Workspace) -> None:
    root = workspace.root
    assert workspace.src.aligned_dir == root / "data_src" / "aligned"
    assert workspace.side("dst").merged_dir == root / "data_dst" / "merged"
    assert workspace.model_dir == root / "model"
    assert workspace.src.frames() == [] and workspace.dst.aligned() == []


def test_video_is_found_whatever_its_ending(workspace: Workspace) -> None:
    for name in ("data_src.MOV", "data_src.txt", "data_src.png", "data_src_old.mp4", ".data_src.mkv"):
        (workspace.root / name).write_bytes(b"")
    workspace.src.frames_dir.mkdir()
    assert workspace.src.video().name == "data_src.MOV"


@pytest.mark.parametrize("name", ["DATA_DST.MP4", "data_dst.mp4.mp4", "Data_Dst.mov", "data_dst.MP4.mp4"])
def test_a_name_that_differs_by_case_or_has_its_ending_twice(workspace: Workspace, name: str) -> None:
    (workspace.root / name).write_bytes(b"")
    assert workspace.dst.video().name == name
    (workspace.root / "data_dst.avi").write_bytes(b"")
    assert workspace.dst.video().name == "data_dst.avi"  # exactly so called: there is no doubt


def test_other_names_are_no_videos_of_a_side(workspace: Workspace) -> None:
    others = ["data_dst (1).mp4", "data_dst.old.mp4", "data_dst2.mp4", "my.data_dst.mp4"]
    for name in (*others, "data_dst", "result.mp4", "data_src.mp4", "DATA_SRC.mp4.mp4"):
        (workspace.root / name).write_bytes(b"")
    assert workspace.dst.videos() == []
    assert sorted(path.name for path in workspace.dst.other_videos()) == others, "those that may have been meant"


def pasted(line: str) -> None:
    """Do what a message says after its last colon, as a user at a terminal would."""
    if os.name == "nt":
        pytest.skip("the line is one for cmd.exe")
    subprocess.run(["sh", "-c", line.rsplit(": ", 1)[1]], check=True)


def test_a_file_without_an_ending_is_named(workspace: Workspace) -> None:
    (workspace.root / "data_dst").write_bytes(b"video")
    with pytest.raises(UserError, match="without an ending") as caught:
        workspace.dst.video()
    pasted(caught.value.fix)
    assert workspace.dst.video().read_bytes() == b"video"


def test_the_one_video_of_another_name_is_named(workspace: Workspace) -> None:
    (workspace.root / "result.mp4").write_bytes(b"")
    (workspace.root / "it's my clip.MPG").write_bytes(b"video")
    with pytest.raises(UserError, match="only it's my clip") as caught:
        workspace.dst.video()
    pasted(caught.value.fix)
    assert workspace.dst.video().read_bytes() == b"video" and workspace.dst.video().name == "data_dst.mpg"


def test_no_video(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"no video data_dst\.\*"):
        workspace.dst.video()


def test_two_candidates_are_named(workspace: Workspace) -> None:
    for name in ("data_dst.mp4", "data_dst.avi"):
        (workspace.root / name).write_bytes(b"")
    with pytest.raises(UserError) as caught:
        workspace.dst.video()
    assert "data_dst.avi, data_dst.mp4" in caught.value.happened


def test_answers_are_kept_per_step(workspace: Workspace) -> None:
    workspace.remember("sort", {"by": "hue"})
    workspace.remember("train", {"model": "h64"})
    workspace.remember("sort", {"by": "blur"})
    assert workspace.answers("sort") == {"by": "blur"}
    assert workspace.answers("train") == {"model": "h64"}
    assert workspace.answers("convert") == {}


@pytest.mark.parametrize("kept", ["", "{", "[1]", '{"sort": [1]}', "null"])
def test_damaged_answers_remember_nothing_and_are_written_anew(workspace: Workspace, kept: str) -> None:
    (workspace.root / "answers.json").write_text(kept)
    assert workspace.answers("sort") == {}
    workspace.remember("sort", {"by": "hue"})
    assert workspace.answers("sort") == {"by": "hue"}


HOLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from facewright.core.workspace import Workspace
with Workspace(Path(sys.argv[2])).lock("model"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(workspace: Workspace):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(INTERNAL), str(workspace.root)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_lock_of_a_living_process_is_respected(workspace: Workspace, holder: subprocess.Popen) -> None:
    with pytest.raises(UserError, match=f"process {holder.pid}"), workspace.lock("model"):
        pass
    with workspace.lock("data_src"):
        pass


def test_lock_of_a_killed_process_is_taken_over(workspace: Workspace, holder: subprocess.Popen) -> None:
    holder.kill()
    holder.wait()
    assert (workspace.root / ".lock_model").exists()
    with workspace.lock("model"):
        assert (workspace.root / ".lock_model").read_text().split()[0] == str(os.getpid())
    assert not (workspace.root / ".lock_model").exists()


def test_a_copied_workspace_has_locks_of_its_own(
    workspace: Workspace, holder: subprocess.Popen, tmp_path: Path
) -> None:
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copy.root)
    assert (copy.root / ".lock_model").exists()
    with copy.lock("model"):
        pass


LEAVE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from facewright.core.safe_files import replacing
half_written = [replacing(Path(folder) / "a") for folder in sys.argv[2:]]
for file in half_written:
    file.__enter__()
os._exit(9)
"""


def test_what_killed_runs_left_is_removed_by_the_next_step(
    workspace: Workspace, save_drawn_face: Callable[..., Path]
) -> None:
    save_drawn_face(workspace.src.aligned_dir / "00001_0.png")
    folders = [workspace.root, workspace.src.aligned_dir, workspace.trash / "2026-01-01_00-00-00"]
    folders[-1].mkdir(parents=True)

    def leave() -> int:
        subprocess.run([sys.executable, "-c", LEAVE, str(INTERNAL), *map(str, folders)], check=False)
        return len(list(workspace.root.rglob(".*.tmp")))

    assert leave() == 3
    with workspace.lock("data_src"):
        assert not list(workspace.root.rglob(".*.tmp"))
    assert leave() == 3
    assert cli.main(["view", "--workspace", str(workspace.root), "--yes"]) == 0  # it takes no lock
    assert not list(workspace.root.glob(".*.tmp"))


STARTERS, ROUNDS, TURNS = 4, 5, 40
IN_TURN = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
workspace, alone = Workspace(Path(sys.argv[2])), Path(sys.argv[2]) / "alone"
for _ in range(int(sys.argv[3])):
    try:
        with workspace.lock("model"):
            os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
            os.unlink(alone)
    except UserError:
        pass
"""


def test_two_runs_never_hold_one_lock(workspace: Workspace) -> None:
    """Locks that killed runs have left, several starters at once, many times over."""
    workspace.root.mkdir(exist_ok=True)
    for _ in range(ROUNDS):
        (workspace.root / ".lock_model").write_text("999999999 1")
        command = [sys.executable, "-c", IN_TURN, str(INTERNAL), str(workspace.root), str(TURNS)]
        runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(STARTERS)]
        assert [run.communicate()[1] for run in runs] == [""] * STARTERS


@pytest.mark.parametrize("text", ["", "no number", "-5 x", "1 12345"])
def test_a_lock_that_nobody_holds_is_taken_over(workspace: Workspace, text: str) -> None:
    (workspace.root / ".lock_model").write_text(text)
    with workspace.lock("model"):
        pass


def test_lock_is_let_go_when_a_step_fails(workspace: Workspace) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError), workspace.lock("model"):
        raise ValueError
    with workspace.lock("model"):
        pass
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_lock_that_cannot_be_written_is_a_sentence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UserError, match="could not be written"), workspace.lock("model"):
        pass
