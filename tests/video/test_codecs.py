"""What compositors take: ProRes 4444 and FFV1 with alpha, H.265, encoders of the hardware."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clips import FLASH_AT, clip, flash_and_beep, flash_clip, pts_of
from facewright.commands import extract_frames, make_video
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.marking.origin import read_origin
from facewright.video.codecs import CODECS, choose_encoder, container_for
from facewright.video.probe import Colour, probe

NTSC = Fraction(30000, 1001)
TAGGED = ("-vf", "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def filled(workspace: Workspace, *, alpha: bool, frames: int = 30, size: str = "61x47") -> np.ndarray:
    """Frames of an odd size at 29.97/s, converted to noise; returns the merged frames, (n, h, w, 3 or 4)."""
    clip(workspace.root / "data_dst.mkv", frames=frames, rate="30000/1001", size="64x48")
    extract_frames.run(workspace, extract_frames.Options(side="dst"))
    random = np.random.default_rng(0)
    width, height = map(int, size.split("x"))
    made = random.integers(0, 256, (frames, height, width, 4 if alpha else 3), np.uint8)
    made = np.stack([cv2.blur(image, (5, 5)) for image in made])
    workspace.dst.merged_dir.mkdir()
    for path, image in zip(workspace.dst.frames(), made, strict=True):
        cv2.imwrite(str(workspace.dst.merged_dir / path.name), image)
    return made


def make(workspace: Workspace, **settings: object) -> make_video.MakeVideoReport:
    return make_video.run(workspace, make_video.Options(**settings))  # type: ignore[arg-type]


def decoded(path: Path, pixel_format: str) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format=pixel_format) for frame in container.decode(video=0)])


@pytest.mark.parametrize("alpha", [False, True])
def test_ffv1_gives_the_very_pixels_back(workspace: Workspace, alpha: bool) -> None:
    frames = filled(workspace, alpha=alpha)
    report = make(workspace, codec="ffv1")
    assert report.video.name == "result.mkv" and report.encoder == "ffv1"
    assert (decoded(report.video, "bgra" if alpha else "bgr24") == frames).all()
    info = probe(report.video)
    assert info.codec == "ffv1" and info.rgb and info.pixel_format == ("bgra" if alpha else "bgr0")
    # Matroska rounds to a millisecond.
    assert all(abs(at - n / NTSC) <= Fraction(1, 2000) for n, at in enumerate(pts_of(report.video)))
    assert not make(workspace, codec="ffv1").written
    origin = read_origin(report.video)
    assert origin is not None and origin.made_with_network


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("codec", ["ffv1", "prores", "h264"])
def test_frames_of_16_bits(workspace: Workspace, codec: str, alpha: bool) -> None:
    frames = filled(workspace, alpha=alpha, frames=3, size="64x48").astype(np.uint16) * 257
    frames += np.random.default_rng(1).integers(0, 256, frames.shape, np.uint16)
    for path, image in zip(sorted(workspace.dst.merged_dir.iterdir()), frames, strict=True):
        cv2.imwrite(str(path), image)
    path = make(workspace, codec=codec).video
    wanted = frames[..., [2, 1, 0, 3]] if alpha else frames[..., ::-1]
    if codec == "h264":  # in 8 bits
        assert np.abs(decoded(path, "rgb24") * 257.0 - wanted[..., :3]).mean() < 8 * 257  # it halves colour
        return
    if codec == "ffv1":
        assert probe(path).pixel_format == ("gbrap16le" if alpha else "gbrp16le")
    found = decoded(path, "rgba64le" if alpha else "rgb48le").astype(int)
    difference = np.abs(found - wanted)
    assert difference.max() == 0 if codec == "ffv1" else difference[..., :3].mean() < 3 * 257
    assert difference[..., 3:].max(initial=0) < 65  # ProRes has 10 bits of alpha


def test_colours_stay_where_frames_of_16_bits_are_not_seen(workspace: Workspace) -> None:
    frames = filled(workspace, alpha=True, frames=3, size="64x48").astype(np.uint16) * 257
    frames[:, :20, :, 3] = 0
    for path, image in zip(sorted(workspace.dst.merged_dir.iterdir()), frames, strict=True):
        cv2.imwrite(str(path), image)
    found = decoded(make(workspace, codec="prores").video, "rgba64le").astype(int)
    assert found[:, :20, :, 3].max() == 0
    assert np.abs(found - frames[..., [2, 1, 0, 3]])[:, :20, :, :3].mean() < 3 * 257


def test_white_of_16_bits_is_white(workspace: Workspace) -> None:
    filled(workspace, alpha=False, frames=2, size="64x48")
    for path in workspace.dst.merged_dir.iterdir():
        cv2.imwrite(str(path), np.full((48, 64, 3), 65535, np.uint16))
    path = make(workspace, codec="prores").video
    with av.open(str(path)) as container:
        luma = np.frombuffer(next(container.decode(video=0)).planes[0], "<u2")
    assert abs(int(np.median(luma)) / 4 - 940) <= 1


def test_a_jpeg_has_no_alpha_whatever_its_bytes(workspace: Workspace) -> None:
    frames = filled(workspace, alpha=False, frames=2, size="64x48")
    for path, image in zip(workspace.dst.frames(), frames, strict=True):
        (workspace.dst.merged_dir / path.name).unlink()
        for quality in range(60, 100):
            data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
            if data[25] in (4, 6):  # where a PNG says that it has alpha
                break
        (workspace.dst.merged_dir / f"{path.stem}.jpg").write_bytes(data)
    assert data[25] in (4, 6)
    assert probe(make(workspace, codec="prores").video).pixel_format == "yuv444p12le"


@pytest.mark.parametrize("alpha", [False, True])
def test_frames_of_8_bits_among_those_of_16_lose_nothing_either(workspace: Workspace, alpha: bool) -> None:
    frames = filled(workspace, alpha=alpha, frames=3, size="64x48").astype(np.uint16) * 257
    frames[1] += np.random.default_rng(1).integers(0, 200, frames[1].shape, np.uint16)
    frames[1:] = frames[1:, :1, :1]  # of one colour, so that a JPEG has it too, but for a level
    paths = sorted(workspace.dst.merged_dir.iterdir())
    cv2.imwrite(str(paths[1]), frames[1])
    cv2.imwrite(str(paths[2].with_suffix(".jpg")), (frames[2, ..., :3] // 257).astype(np.uint8))
    paths[2].unlink()
    found = decoded(make(workspace, codec="ffv1").video, "rgba64le" if alpha else "rgb48le").astype(int)
    wanted = frames[..., [2, 1, 0, 3]] if alpha else frames[..., ::-1]
    assert (found[:2] == wanted[:2]).all()
    assert (found[2] % 257 == 0).all() and np.abs(found[2] - wanted[2])[..., :3].max() <= 2 * 257


@pytest.mark.parametrize("alpha", [False, True])
def test_prores_keeps_alpha_times_and_tags(workspace: Workspace, alpha: bool) -> None:
    frames = filled(workspace, alpha=alpha)
    report = make(workspace, codec="prores")
    assert report.video.name == "result.mov"
    assert pts_of(report.video) == [n / NTSC for n in range(30)]
    info = probe(report.video)
    assert info.codec == "prores" and info.pixel_format == ("yuva444p12le" if alpha else "yuv444p12le")
    assert (info.size, info.average_rate) == ((47, 61), NTSC)
    found = decoded(report.video, "bgra" if alpha else "bgr24").astype(int)
    assert np.abs(found[..., :3] - frames[..., :3]).mean() < 3  # the format is lossy, but for the alpha
    assert np.abs(found[..., 3:] - frames[..., 3:]).max(initial=0) <= 1  # it has 10 bits between
    with av.open(str(report.video)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "ap4h"
    origin = read_origin(report.video)
    assert origin is not None and origin.made_with_network


@pytest.mark.parametrize("codec", ["h265", "prores", "ffv1"])
def test_sound_and_colour_tags_are_those_of_dst(workspace: Workspace, codec: str) -> None:
    flash_clip(workspace.root / "data_dst.mp4", *TAGGED)
    extract_frames.run(workspace, extract_frames.Options(side="dst"))
    shutil.copytree(workspace.dst.frames_dir, workspace.dst.merged_dir)
    report = make(workspace, codec=codec)
    colour = Colour("bt709", "bt709", "gbr", "pc") if codec == "ffv1" else Colour("bt709", "bt709", "bt709", "tv")
    assert probe(report.video).colour == colour
    flash, heard = flash_and_beep(report.video)
    assert abs(flash - FLASH_AT) < 0.01 and abs(heard - flash) < 0.01
    with av.open(str(report.video)) as container:
        tag = container.streams.video[0].codec_context.codec_tag
    assert tag == {"h265": "hvc1", "prores": "ap4h"}.get(codec, tag)


def test_masks_become_a_video_of_their_own(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    frames = filled(workspace, alpha=False, frames=5)
    with pytest.raises(UserError, match="merged_mask") as caught:
        make(workspace, masks=True)
    assert "--mask-only" in caught.value.fix
    workspace.dst.masks_dir.mkdir()
    for path, image in zip(workspace.dst.frames(), frames, strict=True):
        cv2.imwrite(str(workspace.dst.masks_dir / path.name), image[..., 0])
    report = make(workspace, masks=True, codec="ffv1")
    assert report.video.name == "result_mask.mkv" and not (workspace.root / "result.mkv").exists()
    assert (decoded(report.video, "bgr24") == frames[..., :1]).all() and probe(report.video).audio is None
    with pytest.raises(UserError, match="no masks"):
        make(workspace, masks=True, fill_missing=True)
    (workspace.dst.masks_dir / "00003.png").rename(workspace.dst.masks_dir / "00077.png")
    with pytest.raises(UserError, match="00003") as caught:
        make(workspace, masks=True)
    assert "--fill-missing" not in caught.value.fix and "--mask-only" in caught.value.fix
    make(workspace, masks=True, only_merged=True)
    assert "in merged_mask (00077.png)" in capsys.readouterr().out


def test_a_frame_that_has_alpha_keeps_the_usual_video_as_it_is(workspace: Workspace) -> None:
    frames = filled(workspace, alpha=True, frames=3, size="64x48")
    report = make(workspace, crf=1)
    assert report.encoder == "libx264" and probe(report.video).pixel_format == "yuv420p"
    grey = decoded(report.video, "gray").astype(int).mean()
    assert abs(grey - np.mean([cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY).mean() for image in frames])) < 3


def test_the_container_fits_the_codec() -> None:
    assert [container_for(codec, "auto") for codec in CODECS] == ["mp4", "mp4", "mov", "mkv"]
    assert container_for("h264", "avi") == "avi"
    with pytest.raises(UserError, match="avi does not take prores") as caught:
        container_for("prores", "avi")
    assert "mov" in caught.value.expected


def test_the_first_encoder_that_works_is_taken_and_the_others_say_why_not() -> None:
    chosen = choose_encoder("h264", (47, 61), ("no_such_encoder", "libopenh264", "libx264"))
    assert chosen.name == "libopenh264" and list(chosen.refused) == ["no_such_encoder"]
    assert "no such encoder" in chosen.refused["no_such_encoder"]
    assert choose_encoder("h264", (48, 64), ("no_such_encoder",)).name == "libx264"


def test_hardware_is_never_left_in_silence(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    filled(workspace, alpha=False, frames=3, size="256x256")
    report = make(workspace, hardware=True)
    said = capsys.readouterr()
    known = CODECS["h264"].hardware
    if report.encoder in known:
        assert f"{report.encoder} encodes" in said.out
    else:
        assert report.encoder == "libx264" and all(f"{name}: " in said.out for name in known)
    make(workspace, hardware=True, codec="ffv1")
    assert "the processor does" in "".join(capsys.readouterr())
