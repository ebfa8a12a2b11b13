"""Frame count, rate, times, size and sound of what is converted and made into a video, for every kind of clip."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clips import (
    FLASH_AT,
    X264,
    beep,
    ffmpeg,
    flash_and_beep,
    flash_clip,
    greys_of,
    picture,
    pts_of,
    variable_clip,
)
from commands.convert_runs import StubModels, add_face, run
from facewright.commands import extract_frames, make_video
from facewright.convert.parameters import ConvertOptions
from facewright.core.workspace import Workspace
from facewright.video.probe import probe

FLASH = f"geq=lum='if(between(T,{FLASH_AT}-0.001,{FLASH_AT}+0.1),235,40)':cb=128:cr=128"


def ntsc(path: Path) -> None:
    ffmpeg(*picture(48, "30000/1001", draw=FLASH), *beep(1.6), *X264, path)


def rotated(path: Path) -> None:
    plain = path.with_name("plain.mp4")
    flash_clip(plain)
    ffmpeg("-display_rotation", "90", "-i", plain, "-c", "copy", path)
    plain.unlink()


def interlaced(path: Path) -> None:
    flagged = ("-flags", "+ilme+ildct", "-x264-params", "tff=1")
    ffmpeg(*picture(50, draw=FLASH), *beep(2.0), *X264, *flagged, "-vf", "setfield=tff", path)


@dataclass(frozen=True)
class Kind:
    """A kind of clip: who draws it, and what the result must be."""

    draw: Callable[[Path], object]
    frames: int
    rate: Fraction
    size: tuple[int, int] = (48, 64)
    said: str = ""


KINDS = {
    "constant": Kind(flash_clip, 50, Fraction(25)),
    "29.97": Kind(ntsc, 48, Fraction(30000, 1001)),
    "rotated": Kind(rotated, 50, Fraction(25), (64, 48), "rotated"),
    "interlaced": Kind(interlaced, 50, Fraction(25), said="deinterlaced"),
    "variable": Kind(variable_clip, 30, Fraction(0)),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_result_has_the_frames_the_times_and_the_sound_of_dst(
    tmp_path: Path, kind: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path)
    source = workspace.root / "data_dst.mp4"
    kind.draw(source)
    extract_frames.run(workspace, extract_frames.Options(side="dst"))
    assert kind.said in capsys.readouterr().out
    workspace.dst.aligned_dir.mkdir()
    for index in (1, 2):
        add_face(workspace, index, f"{index:05d}_0.png", centre=(24, 24))
    report = run(workspace, StubModels(), ConvertOptions(mode="overlay"))
    assert (report.written, report.replaced_faces) == (kind.frames, 2)
    made = make_video.run(workspace, make_video.Options(crf=5))
    before, after = probe(source), probe(made.video)
    times = pts_of(source)
    assert after.frame_count == made.frames == kind.frames and after.size == kind.size
    assert pts_of(made.video) == [time - times[0] for time in times]
    assert not kind.rate or after.average_rate == before.average_rate == kind.rate
    assert not after.interlaced and after.rotation == 0 and after.audio is not None
    greys = np.array([greys_of(source), greys_of(made.video)])
    assert np.abs(greys[0, 2:] - greys[1, 2:]).max() < 3  # what was not converted is shown when it was shown in dst
    if kind.draw is not variable_clip:
        flash, heard = flash_and_beep(made.video)
        assert 0 <= flash - FLASH_AT + 0.001 < 1 / 29 and abs(heard - FLASH_AT) < 0.02  # shown from the next frame on
