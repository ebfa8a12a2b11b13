"""What a failed run of ffmpeg is said to have failed of."""

from pathlib import Path

import ffmpeg

from facewright.video.ffmpeg import FfmpegRun, command


def failure_of(output: object) -> str:
    with FfmpegRun(command(output)) as run:
        while run.stdout.read(1 << 16):
            pass
        try:
            run.finish("it failed")
        except Exception as error:
            return str(error)
    raise AssertionError("it did not fail")


def test_the_reason_is_told_and_not_what_follows_from_it(tmp_path: Path) -> None:
    silence = ffmpeg.input("anullsrc=cl=7.1.4:d=0.1", f="lavfi")
    said = failure_of(silence.output("pipe:1", format="nut", **{"c:a": "aac"}))
    assert "7.1.4" in said and "Terminating thread" not in said and "Nothing was written" not in said
    grey = ffmpeg.input("color=s=64x48:d=0.1", f="lavfi").filter("zscale", m="2020_cl", t="709", tin="smpte2084")
    said = failure_of(grey.output("pipe:1", format="nut", **{"c:v": "ffv1"}))
    assert "colorspace" in said and "Task finished" not in said
