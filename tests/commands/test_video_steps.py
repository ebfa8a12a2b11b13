"""extract-frames, cut-video and make-video as their users meet them: second runs, kills, mistakes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from clips import (
    FLASH_AT,
    GREY,
    X264,
    beep,
    box_of,
    changing_clip,
    clip,
    ffmpeg,
    flash_and_beep,
    flash_clip,
    greys_of,
    picture,
    pts_of,
    variable_clip,
    variable_times,
)
from disks import longest_file
from facewright.commands import clear, cut_video, extract_frames, make_video
from facewright.core.errors import UserError
from facewright.core.images import read_image, write_image
from facewright.core.options import resolve
from facewright.core.workspace import Workspace
from facewright.marking.provenance import container_tags
from facewright.video.probe import probe, read_video_tags

REPOSITORY = Path(__file__).resolve().parents[2]


def extract(workspace: Workspace, **settings: object) -> None:
    extract_frames.run(workspace, extract_frames.Options(**{"side": "dst", **settings}))  # type: ignore[arg-type]


def convert_nothing(workspace: Workspace) -> None:
    """Stand in for the conversion: the merged frames are the frames."""
    side = workspace.dst
    side.merged_dir.mkdir(exist_ok=True)
    for path in side.frames():
        shutil.copyfile(path, side.merged_dir / path.name)


def make(workspace: Workspace, **settings: object) -> None:
    make_video.run(workspace, make_video.Options(**settings))  # type: ignore[arg-type]


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def start_step(workspace: Workspace, module: str, settings: str) -> subprocess.Popen[bytes]:
    code = (
        f"from facewright.commands import {module} as step; from facewright.core.workspace import Workspace; "
        f"from pathlib import Path; step.run(Workspace(Path({str(workspace.root)!r})), step.Options({settings}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "_internal")}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_when(process: subprocess.Popen[bytes], ready: Callable[[], bool], how: str = "SIGKILL") -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert process.poll() is None, "the step ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill() if sys.platform == "win32" else process.send_signal(getattr(signal, how))
    process.wait()


def count(folder: Path, pattern: str) -> int:
    return len(list(folder.glob(pattern)))


def test_extract_twice_and_deleted_frames(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    clip(workspace.root / "data_dst.mp4", audio=True)
    extract(workspace)
    assert count(workspace.dst.frames_dir, "*.png") == 25
    assert "Wrote 25 frames of 64x48" in capsys.readouterr().out
    (workspace.dst.frames_dir / "00004.png").unlink()
    before = state_of(workspace.dst.frames_dir)
    extract(workspace)
    assert state_of(workspace.dst.frames_dir) == before
    said = capsys.readouterr().out
    assert "nothing to do" in said and "1 of them were deleted" in said and "4_src_extract_faces" in said


def test_a_video_of_another_name_is_offered(workspace: Workspace, typed: Callable[..., list[str]]) -> None:
    clip(workspace.root / "my_clip.MPG", frames=3)
    with pytest.raises(UserError, match=r"my_clip\.MPG"):
        extract(workspace)
    questions = typed("n")
    with pytest.raises(UserError, match=r"my_clip\.MPG"):
        cut_video.run(workspace, cut_video.Options(start="0.04"))
    assert "my_clip.MPG to data_dst.mpg" in questions[0] and (workspace.root / "my_clip.MPG").exists()
    typed("y")
    extract(workspace)
    assert workspace.dst.video().name == "data_dst.mpg" and count(workspace.dst.frames_dir, "*.png") == 3


def test_a_file_in_the_place_of_the_frames(workspace: Workspace) -> None:
    clip(workspace.root / "data_dst.mp4", frames=3)
    workspace.dst.frames_dir.write_bytes(b"")
    with pytest.raises(UserError, match="data_dst is needed as a folder"):
        extract(workspace)
    with pytest.raises(UserError, match="data_dst is needed as a folder"):
        clear.run(workspace, clear.Options())


def test_fps_counts_for_src_only(workspace: Workspace) -> None:
    for side in ("src", "dst"):
        clip(workspace.root / f"data_{side}.mp4")
        extract(workspace, side=side, fps=5.0, image_format="jpg")
    assert count(workspace.src.frames_dir, "*.jpg") == 5 and count(workspace.dst.frames_dir, "*.jpg") == 25


def test_fps_is_asked_for_src_only(typed: Callable[..., list[str]]) -> None:
    for side, questions in (("src", 1), ("dst", 0)):
        shown = typed("")
        resolve(extract_frames.Options, {"side": side}, {})
        assert len(shown) == questions


def test_another_video_moves_the_old_frames_to_the_trash(workspace: Workspace, typed: Callable[..., list[str]]) -> None:
    clip(workspace.root / "data_dst.mp4")
    extract(workspace)
    (workspace.dst.aligned_dir).mkdir()
    (workspace.dst.aligned_dir / "00001_0.png").write_bytes(b"a face")
    clip(workspace.root / "data_dst.mp4", frames=10)
    with pytest.raises(UserError, match="the video had") as caught:
        extract(workspace)
    assert "--redo" in caught.value.fix and count(workspace.dst.frames_dir, "*.png") == 25
    shown = typed("n", "y")
    with pytest.raises(UserError):
        extract(workspace)
    extract(workspace)
    assert len(shown) == 2 and count(workspace.dst.frames_dir, "*.png") == 10
    assert len(list(workspace.trash.rglob("000*.png"))) == 26
    extract(workspace, image_format="jpg", redo=True)
    assert (count(workspace.dst.frames_dir, "*.png"), count(workspace.dst.frames_dir, "*.jpg")) == (0, 10)


def test_frames_of_unknown_origin_and_a_damaged_timing_file(workspace: Workspace) -> None:
    clip(workspace.root / "data_dst.mp4")
    extract(workspace)
    for damaged in ("{", '{"format": "facewright frames", "version": 1, "pts": [3, 2, 1]}'):
        workspace.dst.timing_file.write_text(damaged)
        with pytest.raises(UserError, match="is damaged") as caught:
            extract(workspace)
        assert "--redo" in caught.value.fix
        extract(workspace, redo=True)
        assert count(workspace.dst.frames_dir, "*.png") == 25
    workspace.dst.timing_file.unlink()
    with pytest.raises(UserError, match=r"frames\.json is missing"):
        extract(workspace)
    extract(workspace, redo=True)
    assert count(workspace.dst.frames_dir, "*.png") == 25


def test_cut_off_video_is_said(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    noisy = picture(60, draw=f"{GREY},noise=alls=40:allf=t")
    video = workspace.root / "data_dst.mp4"
    ffmpeg(*noisy, *X264, "-g", "10", "-movflags", "+faststart", video)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(UserError, match="is damaged or cut off") as caught:
        extract(workspace)
    kept = count(workspace.dst.frames_dir, "*.png")
    assert 10 < kept < 60 and f"{kept} of its 60 frames could be decoded" in caught.value.happened
    extract(workspace)
    said = capsys.readouterr().out
    assert "nothing to do" in said and count(workspace.dst.frames_dir, "*.png") == kept


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of a process")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_extract_goes_on_after_a_kill_or_an_interrupt(workspace: Workspace, tmp_path: Path, how: str) -> None:
    video = workspace.root / "data_dst.mp4"
    ffmpeg(*picture(150, size="16x12", draw=f"{GREY},scale=640:480,noise=alls=20:allf=t"), *X264, video)
    folder = workspace.dst.frames_dir
    process = start_step(workspace, "extract_frames", "side='dst'")
    kill_when(process, lambda: count(folder, "*.png") >= 30, how)
    left = count(folder, "*.png")
    assert 30 <= left < 150 and not workspace.dst.timing_file.exists()
    before = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.png")}
    time.sleep(0.3)
    assert count(folder, "*.png") == left, "ffmpeg lives on without its parent"
    extract(workspace)
    same = [n for n, t in before.items() if (folder / n).stat().st_mtime_ns == t]
    assert len(same) >= left - 1  # at most the frame in work is made again
    other = Workspace(tmp_path / "whole")
    other.root.mkdir()
    shutil.copyfile(video, other.root / "data_dst.mp4")
    extract(other)
    assert count(folder, "*.png") == 150
    for path in other.dst.frames():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert workspace.dst.timing_file.read_bytes() == other.dst.timing_file.read_bytes()
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("audio", [True, False])
def test_round_trip_of_a_variable_rate(workspace: Workspace, audio: bool) -> None:
    variable_clip(workspace.root / "data_dst.mp4", audio=audio)
    extract(workspace)
    convert_nothing(workspace)
    make(workspace, crf=8)
    assert pts_of(workspace.result) == variable_times()
    source = greys_of(workspace.root / "data_dst.mp4")
    assert max(abs(a - b) for a, b in zip(greys_of(workspace.result), source, strict=True)) < 1


def test_make_twice_and_after_a_change(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    flash_clip(workspace.root / "data_dst.mp4")
    extract(workspace)
    convert_nothing(workspace)
    make(workspace)
    assert "50 frames, 25 per second, 2.00 s" in capsys.readouterr().out
    first = state_of(workspace.root)
    make(workspace)
    assert "nothing to do" in capsys.readouterr().out and state_of(workspace.root) == first
    make(workspace, crf=30)
    assert workspace.result.stat().st_size < first[str(workspace.result)][0]
    make(workspace, container="avi")
    assert (workspace.root / "result.avi").exists()
    frame = workspace.dst.merged_dir / "00003.png"
    write_image(frame, read_image(frame) // 2)
    capsys.readouterr()
    make(workspace, crf=30)
    assert "Wrote" in capsys.readouterr().out
    flash, heard = flash_and_beep(workspace.result)
    assert abs(flash - FLASH_AT) < 0.01 and abs(heard - FLASH_AT) < 0.01
    assert not any((workspace.root / ".make_video").glob("mp4/*"))


def test_marks(workspace: Workspace) -> None:
    clip(workspace.root / "data_dst.mp4")
    extract(workspace)
    convert_nothing(workspace)
    make(workspace)
    ffmpeg("-i", workspace.result, "-c", "copy", workspace.root / "copy.mp4")
    for path, keys in (
        (workspace.result, ("comment", "digitalSourceType")),
        (workspace.root / "copy.mp4", ("comment",)),
    ):
        tags = read_video_tags(path)
        assert all(tags[k] == container_tags()[k] for k in keys)


def test_missing_frames_are_named(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    clip(workspace.root / "data_dst.mp4")
    extract(workspace)
    with pytest.raises(UserError, match="no frames in"):
        make(workspace)
    convert_nothing(workspace)
    for number in (3, 4, 20):
        (workspace.dst.merged_dir / f"{number:05d}.png").unlink()
    (workspace.dst.frames_dir / "00020.png").unlink()
    (workspace.dst.merged_dir / "00077.png").write_bytes((workspace.dst.merged_dir / "00001.png").read_bytes())
    with pytest.raises(UserError, match=r"2 of 25 frames: 00003, 00004\.") as caught:
        make(workspace)
    assert "--fill-missing" in caught.value.fix and not workspace.result.exists()
    make(workspace, fill_missing=True)
    said = capsys.readouterr().out
    assert "2 frames (" in said and "00020" in said and "00077.png" in said
    times = pts_of(workspace.result)
    assert times == [Fraction(n, 25) for n in range(25) if n != 19]
    assert len(greys_of(workspace.result)) == 24


def test_own_frames_without_times(workspace: Workspace) -> None:
    variable_clip(workspace.root / "data_dst.mp4")
    extract(workspace)
    convert_nothing(workspace)
    workspace.dst.timing_file.unlink()
    make(workspace)
    assert pts_of(workspace.result) == variable_times()
    (workspace.dst.merged_dir / "00009.png").unlink()
    with pytest.raises(UserError, match=r"29 frames, but data_dst\.mp4 has 30"):
        make(workspace)


def test_another_video_than_the_frames_were_made_of(workspace: Workspace) -> None:
    clip(workspace.root / "data_dst.mp4", audio=True)
    extract(workspace)
    convert_nothing(workspace)
    clip(workspace.root / "data_dst.mp4", frames=12, audio=True)
    with pytest.raises(UserError, match="is not the video that the frames were made of"):
        make(workspace)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_make_goes_on_after_a_kill(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    draw = f"{GREY},scale=320:240,noise=alls=12:allf=t"
    ffmpeg(*picture(200, size="16x12", draw=draw), *beep(8.0), *X264, workspace.root / "data_dst.mp4")
    extract(workspace)
    convert_nothing(workspace)
    process = start_step(workspace, "make_video", "crf=14")
    segments = workspace.root / ".make_video" / "mp4"
    kill_when(process, lambda: count(segments, "*.nut") >= 1)
    kept = {p.name: p.stat().st_mtime_ns for p in segments.glob("*.nut")}
    assert 1 <= len(kept) < 4 and not workspace.result.exists()
    time.sleep(0.2)
    assert count(segments, "*.nut") == len(kept)
    capsys.readouterr()
    make(workspace, crf=14)
    assert f"the run before: {50 * len(kept)} frames" in capsys.readouterr().out
    assert pts_of(workspace.result) == [Fraction(n, 25) for n in range(200)]
    source = greys_of(workspace.root / "data_dst.mp4")
    assert max(abs(a - b) for a, b in zip(greys_of(workspace.result), source, strict=True)) < 1
    assert not segments.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file's length")
def test_full_disk_while_joining(workspace: Workspace) -> None:
    clip(workspace.root / "data_dst.mp4", audio=True)
    extract(workspace)
    convert_nothing(workspace)
    make(workspace)
    length = workspace.result.stat().st_size
    workspace.result.unlink()
    with pytest.raises(UserError, match="could not be written"), longest_file(length - 1):
        make(workspace)
    assert not workspace.result.exists() and count(workspace.root / ".make_video" / "mp4", "*.nut") == 1
    make(workspace)
    assert len(pts_of(workspace.result)) == 25


def test_a_result_that_a_killed_run_was_about_to_replace_is_no_foreign_file(workspace: Workspace) -> None:
    clip(workspace.root / "data_dst.mp4")
    extract(workspace)
    convert_nothing(workspace)
    make(workspace)
    first = workspace.result.read_bytes()
    make(workspace, crf=40)
    second = workspace.result.read_bytes()
    workspace.result.write_bytes(first)  # killed just before the second one took its place
    make(workspace, crf=40)
    assert workspace.result.read_bytes() == second and not workspace.trash.exists()
    workspace.result.write_bytes(b"mine")
    make(workspace, crf=40)
    assert [path.read_bytes() for path in workspace.trash.rglob("result.mp4")] == [b"mine"]


def test_cut_is_exact_and_keeps_the_sound(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    video = flash_clip(workspace.root / "data_dst.mov")
    whole = video.read_bytes()
    cut_video.run(workspace, cut_video.Options(start="0:00.2", end="1.4"))
    assert workspace.dst.video().name == "data_dst.mp4"
    assert [p.read_bytes() for p in workspace.trash.rglob("data_dst.mov")] == [whole]
    times = pts_of(workspace.root / "data_dst.mp4")
    assert times == [Fraction(n, 25) for n in range(30)]
    flash, heard = flash_and_beep(workspace.root / "data_dst.mp4")
    assert abs(flash - FLASH_AT + 0.2) < 0.001 and abs(heard - FLASH_AT + 0.2) < 0.02
    before = state_of(workspace.root)
    cut_video.run(workspace, cut_video.Options(start="0.2", length="1.2"))
    assert "nothing to do" in capsys.readouterr().out and state_of(workspace.root) == before


def test_cut_keeps_variable_times_odd_sizes_and_colours(workspace: Workspace) -> None:
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    draw = f"{GREY},{tags},settb=1/1000,setpts='N*40+17*mod(N\\,3)'"
    ffmpeg(
        *picture(30, size="63x47", draw=draw),
        *(["-c:v", "ffv1", "-fps_mode", "passthrough", "-enc_time_base", "1/1000"]),
        workspace.root / "data_dst.mkv",
    )
    cut_video.run(workspace, cut_video.Options(start="0.4"))

    times = pts_of(workspace.root / "data_dst.mp4")
    wanted = [Fraction(n * 40 + 17 * (n % 3) - 400, 1000) for n in range(10, 30)]
    assert len(times) == 20
    assert [b - a for a, b in pairwise(times)] == [b - a for a, b in pairwise(wanted)]
    info = probe(workspace.root / "data_dst.mp4")
    assert info.size == (47, 63) and info.colour.matrix == "bt709"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "soon"}, "is not a time"),
        ({"start": "0.8", "end": "0.2"}, "ends .* before it begins"),
        ({"start": "99"}, "is 0:00:01.000 long"),
        ({"end": "0.5", "length": "0.5"}, "Both --end and --length"),
    ],
)
def test_cut_mistakes(workspace: Workspace, settings: dict[str, str], message: str) -> None:
    clip(workspace.root / "data_dst.mp4")
    with pytest.raises(UserError, match=message):
        cut_video.run(workspace, cut_video.Options(**settings))
    assert not workspace.trash.exists()


def test_cut_that_was_killed_before_its_last_rename(workspace: Workspace) -> None:
    ready = clip(workspace.root / "x.mp4").rename(workspace.root / ".data_dst.cut.mp4")
    cut_video.run(workspace, cut_video.Options(start="0.2"))
    assert (workspace.root / "data_dst.mp4").exists() and not ready.exists()


def test_a_finished_cut_never_replaces_one_of_two_videos(workspace: Workspace) -> None:
    (workspace.root / ".data_dst.cut.mp4").write_bytes(b"left by a kill")
    for name in ("data_dst.mp4", "data_dst.mov"):
        (workspace.root / name).write_bytes(name.encode())
    with pytest.raises(UserError, match="2 candidates"):
        cut_video.run(workspace, cut_video.Options(start="0.2"))
    for name in ("data_dst.mp4", "data_dst.mov"):
        assert (workspace.root / name).read_bytes() == name.encode()


def test_rotated_hdr_interlaced_are_said(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    clip(workspace.root / "flat.mp4")
    ffmpeg("-display_rotation", "90", "-i", workspace.root / "flat.mp4", "-c", "copy", workspace.root / "data_dst.mp4")
    extract(workspace)
    assert "rotated by 90 degrees" in capsys.readouterr().out
    convert_nothing(workspace)
    make(workspace)

    info = probe(workspace.result)
    assert info.size == (64, 48) and info.rotation == 0
    assert read_image(workspace.dst.frames()[0]).shape == (64, 48, 3)


def test_a_cut_keeps_the_proportions_of_other_sizes(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    changing_clip(workspace.root / "data_dst.ts", "96x72", "48x72", "96x72")
    cut_video.run(workspace, cut_video.Options(start="0.2", end="1"))
    assert "48x72" in capsys.readouterr().out
    extract(workspace)
    images = [read_image(path) for path in workspace.dst.frames()]
    assert len(images) == 20 and np.abs(np.subtract(box_of(images[10]), (24, 0, 48, 72))).max() <= 1


@pytest.mark.parametrize(("crf", "said"), [(0, True), (1, False)])
def test_lossless_is_said_not_to_play_everywhere(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], crf: int, said: bool
) -> None:
    clip(workspace.root / "data_dst.mp4", frames=3)
    extract(workspace)
    convert_nothing(workspace)
    make(workspace, crf=crf)
    assert ("--crf 1" in capsys.readouterr().out) == said
    with av.open(str(workspace.result)) as container:
        assert ("4:4:4" in str(container.streams.video[0].codec_context.profile)) == said
