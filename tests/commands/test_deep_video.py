"""Videos of more than 8 bits a channel: their frames, the swap and the result keep what the format can hold."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clips import ffmpeg
from commands.convert_runs import add_face
from facewright import cli
from facewright.commands import extract_frames, make_video
from facewright.core.errors import UserError
from facewright.core.images import in_bytes, read_image
from facewright.core.workspace import Workspace
from facewright.video.filters import frame_bits
from facewright.video.frames import VideoFrames
from facewright.video.mux import Timeline
from facewright.video.probe import Colour, probe
from facewright.video.result import ResultPlan, ResultSettings, encode_settings, say_limits
from models.small_dfm import write_dfm

FRAMES, SIZE = 12, (60, 80)
FACES = range(2, 6)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def planes(frames: int = FRAMES, size: tuple[int, int] = SIZE, low: int = 64, high: int = 940) -> np.ndarray:
    """10-bit luma, (n, h, w): a slope from black to white that 8 bits cannot hold, another one in each frame."""
    height, width = size
    slope = np.linspace(low, high, height * width).reshape(size)
    return np.stack([np.roll(slope, 7 * number, axis=1).round() for number in range(frames)]).astype("<u2")


def grey_clip(path: Path, luma: np.ndarray) -> Path:
    """Write luma as lossless 10-bit H.265, tagged BT.709."""
    _, height, width = luma.shape
    raw = path.with_suffix(".raw")
    neutral = np.full((height // 2, width), 512, "<u2").tobytes()
    raw.write_bytes(b"".join(image.tobytes() + neutral for image in luma))
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{width}x{height}", "-r", "6", "-i", raw]
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    ffmpeg(*source, "-vf", tags, "-c:v", "libx265", "-x265-params", "lossless=1:log-level=error", path)
    raw.unlink()
    return path


def raw(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def decoded(path: Path) -> list[list[np.ndarray]]:
    """Every sample of a video as it is stored, by its planes."""
    kind = "<u2" if probe(path).deep else np.uint8
    with av.open(str(path)) as container:
        return [
            [np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]
            for frame in container.decode(video=0)
        ]


def take_out(workspace: Workspace, **options: object) -> list[Path]:
    extract_frames.run(workspace, extract_frames.Options(side="dst", **options))  # type: ignore[arg-type]
    return workspace.dst.frames()


def test_its_frames_have_16_bits_and_are_exact(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    luma = planes()
    grey_clip(workspace.root / "data_dst.mp4", luma)
    for path, image in zip(take_out(workspace), luma, strict=True):
        wanted = np.clip((image - 64.0) / (940 - 64), 0, 1)  # BT.709, limited range
        found = raw(path)
        assert found.dtype == np.uint16
        assert np.abs(found / 65535 - wanted[..., None]).max() < 2 / 65535
        assert len(np.unique(found)) > 800 and found.max() == 65535 and found.min() == 0
    assert "--depth 8" in capsys.readouterr().out


def test_the_depth_is_a_setting_of_the_frames(workspace: Workspace) -> None:
    grey_clip(workspace.root / "data_dst.mp4", planes(3))
    assert raw(take_out(workspace, depth="8")[0]).dtype == np.uint8
    with pytest.raises(UserError) as caught:
        take_out(workspace)
    assert any("--depth 8" in note for note in caught.value.__notes__)
    assert raw(take_out(workspace, redo=True)[0]).dtype == np.uint16
    assert not extract_frames.run(workspace, extract_frames.Options(side="dst")).written
    shutil.copy(workspace.root / "data_dst.mp4", workspace.root / "data_src.mp4")
    extract_frames.run(workspace, extract_frames.Options(side="src"))
    assert raw(workspace.src.frames()[0]).dtype == np.uint8, "training takes no more"


KINDS = ("yuv420p10le", "yuv422p12le", "yuvj444p10", "gbrp12le", "gray10le", "p010le", "yuva444p10le")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 64), (47, 61)])
def test_16_bits_are_the_8_bits_and_finer(tmp_path: Path, kind: str, size: tuple[int, int]) -> None:
    """Of every kind of pixels, also of odd sizes, of pixels that are not square and turned frames."""
    height, width = size
    full = ",setparams=range=pc" if "j" in kind else ""
    draw = f"color=c=0x4080a0:s={width}x{height}:r=5,format=gbrp,geq=r='X*3':g='Y*4':b='100+X',setsar=4/3"
    kind = kind.replace("j", "") + ("le" if "j" in kind else "")
    path = tmp_path / "a.mkv"
    ffmpeg("-f", "lavfi", "-i", f"{draw},trim=end_frame=2,format={kind}{full}", "-c:v", "ffv1", path)
    info = probe(path)
    assert info.deep and frame_bits(info) == 16
    plain, deep = ([frame.image for frame in VideoFrames(info, bits=bits)] for bits in (8, 16))
    for one, other in zip(plain, deep, strict=True):
        assert one.shape == other.shape == (height, round(width * 4 / 3), 3) and other.dtype == np.uint16
        difference = np.abs(in_bytes(other).astype(int) - one)
        assert difference.max() <= 3 and difference.mean() < 0.6
    assert any((image % 257).any() for image in deep)


@pytest.mark.parametrize("kind", ["gbrap10le", "gbrap16le", "yuva444p12le"])
def test_what_is_seen_through_stays_what_it_is(tmp_path: Path, kind: str) -> None:
    """Every row of it: ffmpeg's own way from RGB with alpha to RGB leaves parts of some black."""
    path = tmp_path / "a.mkv"
    draw = f"testsrc2=s=64x48:r=5:alpha=100,trim=end_frame=2,format={kind}"
    ffmpeg("-f", "lavfi", "-i", draw, "-c:v", "ffv1", path)
    plain, deep = ([frame.image for frame in VideoFrames(probe(path), bits=bits)] for bits in (8, 16))
    for one, other in zip(plain, deep, strict=True):
        assert np.abs(in_bytes(other).astype(int) - one).max() <= 3


def test_hdr_is_tone_mapped_in_16_bits(tmp_path: Path) -> None:
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"
    path = tmp_path / "a.mkv"
    draw = f"testsrc2=s=64x48:r=5,trim=end_frame=2,format=yuv420p10le,{tags}"
    ffmpeg("-f", "lavfi", "-i", draw, "-c:v", "ffv1", path)
    info = probe(path)
    plain, deep = ([frame.image for frame in VideoFrames(info, bits=bits)] for bits in (8, 16))
    for one, other in zip(plain, deep, strict=True):
        assert other.dtype == np.uint16 and (other % 257).any()
        assert np.abs(in_bytes(other).astype(int) - one).mean() < 1


@pytest.mark.parametrize(("codec", "ending"), [("ffv1", "mkv"), ("prores", "mov"), ("h265", "mp4"), ("h264", "mp4")])
def test_a_swap_keeps_the_depth_and_is_the_way_by_folders(
    workspace: Workspace, tmp_path: Path, codec: str, ending: str
) -> None:
    luma = planes()
    clip = grey_clip(workspace.root / "data_dst.mp4", luma)
    dfm = str(write_dfm(tmp_path / "hero.dfm", tags={"face_type": "full"}))
    frames = [raw(path) for path in take_out(workspace)]
    workspace.dst.aligned_dir.mkdir(parents=True)
    for index in FACES:
        add_face(workspace, index, f"{index:05d}_0.png")
    there = ["--workspace", str(workspace.root), "--yes"]
    assert cli.main(["convert", "--dfm", dfm, "--mode", "overlay", *there]) == 0
    assert cli.main(["make-video", "--codec", codec, "--crf", "1", *there]) == 0
    target = tmp_path / "out" / f"r.{ending}"
    target.parent.mkdir()
    words = ["swap", str(clip), str(target), "--dfm", dfm, "--mode", "overlay", "--codec", codec, "--crf", "1"]
    assert cli.main([*words, "--aligned", str(workspace.dst.aligned_dir), "--workspace", str(workspace.root)]) == 0
    made, wanted = decoded(target), decoded(workspace.root / f"result.{ending}")
    assert len(made) == len(wanted) == FRAMES
    for one, other in zip(made, wanted, strict=True):
        assert all((plane == same).all() for plane, same in zip(one, other, strict=True))
    moved = [np.abs(raw(workspace.dst.merged_dir / f"{n:05d}.png").astype(int) - frames[n - 1]).max() for n in FACES]
    assert min(moved) > 5000
    info = probe(target)
    if codec == "ffv1":
        back = [frame.image for frame in VideoFrames(info, bits=16)]
        assert (back[8] == frames[8]).all() and info.pixel_format == "gbrp16le"
    else:
        assert info.deep == (codec != "h264")
        level = {"prores": 4, "h265": 1, "h264": 0.25}[codec]  # ffmpeg shows the 10 bits of ProRes in 12
        off = made[8][0].astype(float) - level * luma[8]
        assert np.abs(off).mean() < 1.5 * max(level, 1) and abs(off.mean()) < 0.25, "no light is lost or added"


def test_what_ends_in_8_bits_says_so(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    grey_clip(workspace.root / "data_dst.mp4", planes(3))
    take_out(workspace)
    shutil.copytree(workspace.dst.frames_dir, workspace.dst.merged_dir)
    make_video.run(workspace, make_video.Options())
    assert "--codec h265" in capsys.readouterr().out
    make_video.run(workspace, make_video.Options(codec="h265"))
    assert probe(workspace.root / "result.mp4").pixel_format == "yuv420p10le"
    assert "16 bits" not in capsys.readouterr().out


def test_an_encoder_of_the_hardware_that_takes_8_bits_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    one = Fraction(1)
    plan = ResultPlan((), Timeline((Fraction(0),), one, one, one), Colour("", "", "", ""), "bt709")
    settings = ResultSettings(23, 0, "mp4", codec="h265")
    for encoder, kept in (("", 10), ("hevc_nvenc", 8)):
        encoding = encode_settings(plan, settings, encoder, deep=True)
        say_limits(plan, settings, SIZE, encoding)
        assert encoding.kept_bits == kept
        assert (f"{encoder} keeps 8" in capsys.readouterr().out) == (kept == 8)


def test_a_deep_file_is_rounded_where_8_bits_are_wanted(tmp_path: Path) -> None:
    every = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([every] * 3))
    assert (read_image(tmp_path / "a.png")[..., 0] == np.rint(every / 257)).all()
