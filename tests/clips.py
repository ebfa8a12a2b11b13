"""Tiny clips drawn by ffmpeg, and what is read back from a finished video."""

import subprocess
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np

from facewright.video.ffmpeg import ffmpeg_exe

# Every frame has its own grey, so that a frame that is lost, doubled or swapped is seen.
GREY = "geq=lum='40+mod(N*7,160)':cb=128:cr=128"
FLASH_AT = 0.48


def ffmpeg(*arguments: str | Path) -> None:
    done = subprocess.run(
        [ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def picture(frames: int = 25, rate: str = "25", size: str = "64x48", draw: str = GREY) -> list[str]:
    return ["-f", "lavfi", "-i", f"color=s={size}:r={rate},{draw},trim=end_frame={frames}"]


def beep(seconds: float = 1.0, at: float = FLASH_AT) -> list[str]:
    return ["-f", "lavfi", "-i", f"aevalsrc='if(between(t,{at},{at}+0.1),0.8*sin(2*PI*1000*t),0)':s=48000:d={seconds}"]


X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p"]


def clip(path: Path, *, frames: int = 25, rate: str = "25", size: str = "64x48", audio: bool = False) -> Path:
    ffmpeg(*picture(frames, rate, size), *(beep(frames / float(Fraction(rate))) if audio else []), *X264, path)
    return path


def variable_clip(path: Path, *, audio: bool = True) -> Path:
    """30 frames whose distances are 40, 57, 34 ms ..., with a gap of 300 ms in the middle."""
    draw = f"{GREY},settb=1/1000,setpts='N*40+17*mod(N\\,3)+300*gt(N\\,14)'"
    audio = beep(1.6, at=0.2) if audio else []
    ffmpeg(*picture(30, draw=draw), *audio, *X264, "-fps_mode", "passthrough", "-enc_time_base", "1/1000", path)
    return path


def variable_times() -> list[Fraction]:
    return [Fraction(n * 40 + 17 * (n % 3) + 300 * (n > 14), 1000) for n in range(30)]


def changing_clip(path: Path, *sizes: str, codec: Sequence[str] = X264, stream: str = "h264") -> Path:
    """Ten frames of each size in one stream, as calls and screen recorders write it, each with a white border."""
    coded = path.with_suffix(".coded")
    streams = []
    for size in sizes:
        ffmpeg(*picture(10, size=size, draw=f"{GREY},drawbox=c=white:t=4"), *codec, "-f", stream, coded)
        streams.append(coded.read_bytes())
    coded.write_bytes(b"".join(streams))
    ffmpeg("-f", stream, "-framerate", "25", "-i", coded, "-c", "copy", path)
    coded.unlink()
    return path


def box_of(image: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, width and height of what is not black."""
    rows, columns = (np.flatnonzero(image.max(axis=(axis, 2)) > 60) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def flash_clip(path: Path, *more: str, delay: float = 0.0, audio: Sequence[str] = ()) -> Path:
    """50 frames at 25/s, white from FLASH_AT for 0.1 s, as the beep is; `delay` is when the audio stream begins."""
    draw = f"geq=lum='if(between(T,{FLASH_AT}-0.001,{FLASH_AT}+0.1),235,40)':cb=128:cr=128"
    sound = beep(2.0 - delay, at=FLASH_AT - delay)
    ffmpeg(*picture(50, draw=draw), "-itsoffset", str(delay), *sound, *X264, *audio, *more, path)
    return path


def pts_of(path: Path) -> list[Fraction]:
    """Times of the decoded pictures in seconds."""
    with av.open(str(path)) as container:
        return [Fraction(f.pts) * Fraction(f.time_base) for f in container.decode(video=0)]


def pictures_of(path: Path, skip: int = 0) -> Iterator[np.ndarray]:
    """The luma of the pictures."""
    with av.open(str(path)) as container:
        for frame in islice(container.decode(video=0), skip, None):
            yield frame.to_ndarray(format="gray")


def greys_of(path: Path) -> list[float]:
    return [float(p.mean()) for p in pictures_of(path)]


def flash_and_beep(path: Path) -> tuple[float, float]:
    """Times in seconds of the first white picture and of the first loud sample, as a player shows them."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        # AVI stores no time of showing; PyAV counts a coder's delay that the file does not have.
        begin = frames[0].time if path.suffix == ".avi" else 0.0
        flash = next(f.time - begin for f in frames if f.to_ndarray(format="gray").mean() > 150)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray().astype(np.float64))
            samples = samples / (32768 if frame.format.name.startswith("s16") else 1)
            loud = np.flatnonzero(samples.max(axis=0) > 0.2)
            if loud.size:
                return float(flash), float(frame.time) + loud[0] / frame.sample_rate
    raise AssertionError("no beep")
