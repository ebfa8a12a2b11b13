"""A video straight to the finished one: the pixels, times and sound of the way by folders, resumed after a kill."""

import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clips import X264, beep, ffmpeg, pts_of
from commands.convert_runs import add_face
from disks import longest_file
from extract.squares import SquareModels, Squares
from facewright import cli
from facewright.commands import swap
from facewright.convert.parameters import ConvertOptions
from facewright.convert.settings import SettingsByFrame
from facewright.convert.settings_file import save_settings
from facewright.core.errors import UserError
from facewright.marking.origin import read_origin
from facewright.swap.session import lies_in
from facewright.video.codecs import CODECS
from facewright.video.frames import VideoFrames
from facewright.video.probe import probe
from models.small_dfm import write_dfm

INTERNAL = Path(__file__).resolve().parents[2] / "_internal"
FACES = range(3, 25)  # frames with a face; the others have none


def moving_clip(path, *, frames=30, rate="6", size="80x60"):
    """Test pattern with a beep; at six frames a second a segment has twelve."""
    seconds = frames / float(Fraction(rate))
    picture = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate},trim=end_frame={frames}"]
    ffmpeg(*picture, *beep(seconds, at=1.0), *X264, "-c:a", "aac", path)
    return path


def images(path):
    return [frame.image for frame in VideoFrames(probe(path))]


def sound_of(path):
    """Time and content of the packets."""
    with av.open(str(path)) as container:
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(audio=0) if packet.size]


@pytest.fixture
def dfm(tmp_path):
    return str(write_dfm(tmp_path / "hero.dfm", tags={"face_type": "full"}))


@pytest.fixture
def clip(workspace):
    """The clip is the workspace's video, and its faces lie where those of an extraction do."""
    workspace.dst.aligned_dir.mkdir(parents=True)
    path = moving_clip(workspace.root / "data_dst.mp4")
    for index in FACES:
        add_face(workspace, index, f"{index:05d}_0.png")
    return path


def run(workspace, clip, target, dfm, *more):
    words = ["swap", str(clip), str(target), "--workspace", str(workspace.root), "--dfm", dfm]
    return cli.main([*words, "--aligned", str(workspace.dst.aligned_dir), *more])


def by_folders(workspace, dfm, tmp_path, *more):
    """The result of the numbered steps."""
    aligned = tmp_path / "aligned"
    workspace.dst.aligned_dir.rename(aligned)  # frames are taken out into an empty folder
    there = ["--workspace", str(workspace.root), "--yes"]
    assert cli.main(["extract-frames", "--side", "dst", *there]) == 0
    aligned.rename(workspace.dst.aligned_dir)
    assert cli.main(["convert", "--dfm", dfm, *there, *more]) == 0
    assert cli.main(["make-video", "--crf", "0", *there]) == 0
    return workspace.result


@pytest.mark.parametrize("mode", ["light", "overlay"])
def test_the_pixels_times_and_sound_of_the_way_by_folders(workspace, clip, dfm, tmp_path, mode):
    wanted = by_folders(workspace, dfm, tmp_path, "--mode", mode)
    target = tmp_path / "out" / "result.mp4"
    target.parent.mkdir()
    assert run(workspace, clip, target, dfm, "--mode", mode, "--crf", "0") == 0
    made, right = images(target), images(wanted)
    assert len(made) == len(right) == 30
    for one, other in zip(made, right, strict=True):
        np.testing.assert_array_equal(one, other)
    before = images(clip)
    moved = [np.abs(image.astype(int) - old)[24:36, 34:46].mean() for image, old in zip(made, before, strict=True)]
    changed = [number for number, much in enumerate(moved, 1) if much > 20]
    assert changed == list(FACES) or mode == "light", "frames with a face, and no others"
    assert pts_of(target) == pts_of(wanted)
    assert sound_of(target) == sound_of(wanted) != []
    assert read_origin(target) == read_origin(wanted) is not None
    assert not list(target.parent.rglob("*.nut")) and not list((target.parent / ".swap").rglob("0*.png"))


def test_the_settings_of_the_preview_count_for_the_workspaces_video_alone(workspace, clip, dfm, tmp_path):
    names = tuple(f"{number:05d}.png" for number in range(1, 31))
    layers = {"00010.png": {"mode": "overlay"}}, {"00005.png": {"opacity": 0}, "00012.png": {"mode": "hist-match"}}
    save_settings(workspace.dst, SettingsByFrame(names, ConvertOptions(mode="overlay", opacity=40), *layers))
    wanted, target, plain = images(by_folders(workspace, dfm, tmp_path)), tmp_path / "a.mp4", tmp_path / "b.mp4"
    assert run(workspace, clip, target, dfm, "--crf", "0") == 0
    for one, other in zip(images(target), wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    for frame in workspace.dst.frames()[3:]:  # to make room: the swap needs none
        frame.unlink()
    assert run(workspace, clip, tmp_path / "c.mp4", dfm, "--crf", "0") == 0
    assert (images(tmp_path / "c.mp4")[11] == wanted[11]).all()
    copy = shutil.copy(clip, tmp_path / "copy.mp4")  # known by its content, whatever it is called
    assert run(workspace, copy, plain, dfm, "--crf", "0", "--no-saved-settings", "--mode", "overlay") == 0
    assert any((one != other).any() for one, other in zip(images(plain), wanted, strict=True))
    other = moving_clip(tmp_path / "other.mp4", size="96x60")
    assert not lies_in(workspace, other) and lies_in(workspace, Path(copy))


def test_a_second_run_does_what_has_changed(workspace, clip, dfm, tmp_path, capsys):
    target = tmp_path / "result.mp4"
    assert run(workspace, clip, target, dfm, "--mode", "overlay") == 0
    first = target.stat().st_mtime_ns
    capsys.readouterr()
    assert run(workspace, clip, target, dfm, "--mode", "overlay") == 0
    said = capsys.readouterr().out
    assert "nothing to do" in said and "ms a face" not in said and target.stat().st_mtime_ns == first
    assert run(workspace, clip, target, dfm, "--mode", "overlay", "--opacity", "50") == 0
    assert target.stat().st_mtime_ns != first and not workspace.trash.exists()
    moving_clip(clip, frames=18)
    assert run(workspace, clip, target, dfm, "--mode", "overlay") == 0
    assert len(images(target)) == 18


def test_the_hardware_that_was_asked_for_is_used_or_its_lack_is_said(workspace, clip, dfm, tmp_path, capsys):
    assert run(workspace, clip, tmp_path / "r.mp4", dfm, "--hardware") == 0
    said = capsys.readouterr().out
    assert any(name in said for name in CODECS["h264"].hardware)


def test_a_file_of_the_user_at_the_place_of_the_result_is_kept(workspace, clip, dfm, tmp_path):
    target = tmp_path / "result.mp4"
    target.write_bytes(b"mine")
    assert run(workspace, clip, target, dfm, "--mode", "overlay") == 0
    (kept,) = workspace.trash.rglob("result.mp4")
    assert kept.read_bytes() == b"mine" and len(images(target)) == 30


@pytest.mark.slow
def test_the_faces_are_found_where_none_are_given(workspace, tmp_path, dfm):
    """Squares stand for faces; a clip without one is encoded as it is."""
    draw = "drawbox=x=24:y=14:w=32:h=32:c=white:t=fill"
    source = tmp_path / "square.mp4"
    ffmpeg("-f", "lavfi", "-i", f"color=s=80x60:r=6,{draw},trim=end_frame=12", *X264, source)
    bare = tmp_path / "bare.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=c=gray:s=80x60:r=6,trim=end_frame=12", *X264, bare)
    options = swap.Options(files=f"{source}\n{bare}\n{tmp_path / 'r.mp4'}", dfm=dfm, mode="overlay", crf=1)
    found, none = swap.run(workspace, options, SquareModels(Squares())).videos
    assert (found.replaced, found.frames, none.replaced, none.faces) == (12, 12, 0, 0)
    assert found.video.name == "r_square.mp4" and none.video.name == "r_bare.mp4"
    blue, _, red = images(found.video)[5][28:32, 38:42].reshape(-1, 3).mean(0)
    assert blue > 180 and red < 80
    np.testing.assert_allclose(images(none.video)[5].astype(int), images(bare)[5], atol=4)


def test_faces_of_another_video_are_named(workspace, clip, dfm, tmp_path, capsys):
    assert run(workspace, clip, tmp_path / "result.mp4", dfm, "--mode", "overlay") == 0
    said = capsys.readouterr()
    assert "faces of another video" in said.out + said.err  # the drawn faces are black images


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a thing of Unix")
@pytest.mark.slow
def test_a_kill_half_way(workspace, dfm, tmp_path):
    clip, target = moving_clip(workspace.root / "data_dst.mp4", frames=120, size="320x240"), tmp_path / "result.mp4"
    workspace.dst.aligned_dir.mkdir(parents=True)
    for index in range(1, 121):
        add_face(workspace, index, f"{index:05d}_0.png", centre=(160, 120))
    words = ["swap", str(clip), str(target), "--workspace", str(workspace.root), "--dfm", dfm]
    words += ["--aligned", str(workspace.dst.aligned_dir), "--mode", "light", "--crf", "0"]
    code = f"import sys; sys.path.insert(0, {str(INTERNAL)!r}); from facewright.cli import main; main({words!r})"
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    segments = tmp_path / ".swap" / "result.mp4" / "mp4"
    while running.poll() is None and not list(segments.glob("*.nut")):
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    kept = len(list(segments.glob("*.nut")))
    assert not target.exists() and 0 < kept < 10, "it was killed half way"
    options = {"dfm": dfm, "aligned": str(workspace.dst.aligned_dir), "crf": 0}
    resumed = swap.run(workspace, swap.Options(files=f"{clip}\n{target}", **options)).videos[0]
    assert resumed.resumed >= 12 and resumed.frames == 120
    whole = swap.run(workspace, swap.Options(files=f"{clip}\n{tmp_path / 'whole.mp4'}", **options)).videos[0]
    assert whole.resumed == 0 and pts_of(target) == pts_of(whole.video)
    for one, other in zip(images(target), images(whole.video), strict=True):
        np.testing.assert_array_equal(one, other)


WRONG = ("", "VIDEO", "nothing.mp4\nr.mp4", "VIDEO\nVIDEO", "VIDEO\nr.txt", "VIDEO\nVIDEO\nr.mp4", "TEXT\nr.mp4")


@pytest.mark.parametrize("files", WRONG)
def test_files_that_do_not_fit(workspace, tmp_path, dfm, files):
    video, text = moving_clip(tmp_path / "clip.mp4", frames=3), tmp_path / "text.mp4"
    text.write_text("no video")
    files = files.replace("VIDEO", str(video)).replace("TEXT", str(text)).replace("r.mp4", str(tmp_path / "r.mp4"))
    with pytest.raises(UserError):
        swap.run(workspace, swap.Options(files=files, dfm=dfm))
    assert video.exists() and not (tmp_path / "r.mp4").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file's length")
def test_full_disk_while_a_segment_is_encoded(workspace, clip, dfm, tmp_path, capsys):
    target = tmp_path / "result.mp4"
    with longest_file(2000):  # the log file is full, too
        assert run(workspace, clip, target, dfm, "-q") == 1
    assert "could not be written" in "".join(capsys.readouterr()) and not target.exists()
    assert run(workspace, clip, target, dfm) == 0 and len(images(target)) == 30
