"""Processor time of `swap` and of the way by folders, from the same video and faces to the finished one.

    python tests/benchmarks/straight.py                  120 frames of 720p, mode seamless
    python tests/benchmarks/straight.py --mode light --frames 300

A bare transcode of the video stands beside a swap without any face. The network is one of three nodes, so that all
else is measured; the faces are given. Processor seconds of all processes are counted, since a busy machine says little
by its clock.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(TESTS), str(TESTS.parent / "_internal")]  # models.py of this folder would hide tests/models

from benchmarks.conversion import fill  # noqa: E402
from facewright.core.workspace import Workspace  # noqa: E402
from facewright.video.ffmpeg import ffmpeg_exe  # noqa: E402
from models.small_dfm import write_dfm  # noqa: E402

MAIN = TESTS.parent / "main.py"


def main() -> None:
    """Measure each way once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--size", type=int, nargs=2, default=[720, 1280], metavar=("H", "W"))
    parser.add_argument("--face", type=int, default=280, help="width of the half face in pixels")
    parser.add_argument("--mode", default="seamless")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        drawn, workspace = Workspace(Path(folder, "drawn")), Workspace(Path(folder, "project"))
        fill(drawn, given.frames, tuple(given.size), given.face)
        workspace.dst.aligned_dir.parent.mkdir(parents=True)
        video = workspace.root / "data_dst.mp4"
        frames = ["-framerate", "25", "-i", drawn.dst.frames_dir / "%05d.png"]
        run(ffmpeg_exe(), "-v", "error", *frames, "-crf", "18", "-pix_fmt", "yuv420p", video)
        dfm = write_dfm(workspace.root / "hero.dfm", side=128, tags={"face_type": "half"})
        look = ["--dfm", dfm, "--mode", given.mode, "--workspace", workspace.root]
        aligned, empty = drawn.dst.aligned_dir, Path(folder, "empty")
        empty.mkdir()
        by_folders = step("extract-frames", "--side", "dst", "--yes", "--workspace", workspace.root)
        aligned.rename(workspace.dst.aligned_dir)
        by_folders += step("convert", "--yes", *look)
        by_folders += step("make-video", "--yes", "--workspace", workspace.root)
        straight = step("swap", video, Path(folder, "r.mp4"), "--aligned", workspace.dst.aligned_dir, *look)
        no_face = step("swap", video, Path(folder, "n.mp4"), "--aligned", empty, *look)
        bare = run(ffmpeg_exe(), "-v", "error", "-i", video, "-crf", "16", Path(folder, "bare.mp4"))
    print(
        f"{given.frames} frames {given.size[1]}x{given.size[0]}, {given.mode}: by folders {by_folders:.1f} s of one "
        f"core, straight {straight:.1f} s ({by_folders / straight:.2f} times as fast); without a face {no_face:.1f} s, "
        f"a bare transcode {bare:.1f} s ({no_face / bare:.2f} times as long)"
    )


def step(*words: object) -> float:
    """Run a step; return its processor seconds."""
    return run(sys.executable, MAIN, *words)


def run(*words: object) -> float:
    """Run a program; return the processor seconds that it and its children took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{words[2] if words[0] == sys.executable else 'ffmpeg'}: {seconds:.1f} s of one core, "
          f"{time.perf_counter() - began:.0f} s by the clock", file=sys.stderr, flush=True)  # fmt: skip
    return seconds


if __name__ == "__main__":
    main()
