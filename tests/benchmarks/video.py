"""Steps 2, 3 and 8 against the bare ffmpeg command line that does the same; the aim is at most 1.3 times its time.

    _internal/env/bin/python tests/benchmarks/video.py [--video FILE] [--rounds 3] [--only PNG]

Both sides run in turn, each as a process of its own (ours with the start of Python), the best of the rounds counts.
Processor seconds are printed too: on a machine that does other things they are the steadier figure.
Without --video a clip of 1280x720 is made from the sample clip, with the noise of a camera.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "_internal"))

from facewright.video.ffmpeg import ffmpeg_exe  # noqa: E402

LIMIT = 1.3


def step(module: str, workspace: Path, settings: str) -> list[str]:
    code = (
        f"from facewright.commands import {module} as step; from facewright.core.workspace import Workspace; "
        f"from pathlib import Path; step.run(Workspace(Path({str(workspace)!r})), step.Options({settings}))"
    )
    return [sys.executable, "-c", code]


def timed(command: list[str], prepare: Callable[[], None]) -> tuple[float, float]:
    """Return (wall, processor) seconds."""
    prepare()
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "_internal")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout}{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(title: str, bare: list[str], ours: list[str], rounds: int, clear: list[Path]) -> bool:
    def prepare() -> None:
        for path in clear:
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)  # a file
        clear[0].mkdir(parents=True)

    theirs, mine = [], []
    for _ in range(rounds):
        theirs.append(timed(bare, prepare))
        mine.append(timed(ours, prepare))
    wall = [min(w for w, _ in runs) for runs in (theirs, mine)]
    work = [min(c for _, c in runs) for runs in (theirs, mine)]
    ratio, worked = wall[1] / wall[0], work[1] / work[0]
    good = ratio <= LIMIT or worked <= LIMIT
    print(
        f"{title:<44} wall {wall[0]:6.2f} -> {wall[1]:6.2f} s = {ratio:4.2f}x   "
        f"processor {work[0]:6.2f} -> {work[1]:6.2f} s = {worked:4.2f}x   {'ok' if good else 'TOO SLOW'}",
        flush=True,
    )
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="a part of the title: run these lines only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        video = root / "data_dst.mp4"
        quiet = [ffmpeg_exe(), "-v", "error", "-nostdin", "-y"]
        if arguments.video:
            video = root / f"data_dst{arguments.video.suffix}"
            shutil.copyfile(arguments.video, video)
        else:
            sample = REPOSITORY / "_internal" / "sample" / "data_dst.mp4"
            draw = "scale=1280:720,setsar=1,noise=alls=2:allf=t"
            subprocess.run([*quiet, "-i", sample, "-vf", draw, "-crf", "16", "-c:a", "copy", video], check=True)
        frames = root / "data_dst"
        take = [*quiet, "-i", str(video), "-fps_mode", "passthrough"]
        good = []
        # An untagged video of this size is BT.709, and a JPEG is BT.601: without the filter its colours are wrong.
        given = "in_color_matrix=bt709:in_range=tv"
        exact = f"scale=flags=bilinear+accurate_rnd+full_chroma_int:{given}"
        jpeg = f"{exact}:out_color_matrix=bt601:out_range=pc,format=yuvj420p"
        for title, kind, bare in (
            ("frames, PNG, as one types it", "png", []),
            (
                "frames, PNG, the same level and rounding",
                "png",
                ["-vf", f"{exact},format=rgb24", "-compression_level", "1", "-pred", "up"],
            ),
            (
                "frames, JPEG, the same colours",
                "jpg",
                ["-vf", jpeg, "-q:v", "2"],
            ),
        ):
            if arguments.only not in title:
                continue
            ours = step("extract_frames", root, f"side='dst', image_format='{kind}'")
            good.append(compare(title, [*take, *bare, f"{frames}/%05d.{kind}"], ours, arguments.rounds, [frames]))
        subprocess.run(
            step("extract_frames", root, "side='dst', redo=True"),
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "_internal")},
        )
        shutil.copytree(frames, root / "merged")
        shutil.move(root / "merged", frames / "merged")
        rate = "25"
        bare = [*quiet, "-framerate", rate, "-i", f"{frames}/merged/%05d.png", "-i", str(video), "-map", "0:v"]
        bare += ["-map", "1:a?", "-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-c:a", "copy"]
        bare += ["-movflags", "+faststart", str(root / "bare.mp4")]
        clear = [root / ".make_video", root / "result.mp4"]
        if arguments.only in "result.mp4":
            good.append(compare("result.mp4", bare, step("make_video", root, "crf=16"), arguments.rounds, clear))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
