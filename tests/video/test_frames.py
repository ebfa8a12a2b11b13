"""Video -> frames: each picture upright and exact, each time exact, whatever the file is."""

import re
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from clips import GREY, X264, box_of, changing_clip, clip, ffmpeg, picture, pictures_of, variable_clip, variable_times
from facewright.core.errors import UserError
from facewright.core.images import read_image
from facewright.video import filters, frames
from facewright.video.frames import FrameReport, FrameSettings, VideoFrames, write_frames
from facewright.video.probe import probe
from facewright.video.timing import read_timing


def split_all(video: Path, fps: float = 0.0, image_format: str = "png") -> tuple[Path, FrameReport]:
    folder = video.with_name(video.stem + "_frames")
    order = FrameSettings(fps, image_format)
    return folder, write_frames(probe(video), folder, folder / "frames.json", order, lambda n: None)


def greys(folder: Path) -> list[float]:
    return [float(read_image(p).mean()) for p in sorted(folder.glob("*.[pj]*g"))]


def expected_greys(count: int) -> np.ndarray:
    return (40 + (np.arange(count) * 7) % 160 - 16) * 255 / 219


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mov", "a.ts"])
def test_every_frame_in_order(tmp_path: Path, name: str) -> None:
    folder, report = split_all(clip(tmp_path / name, frames=24))
    assert (report.written, report.resumed, report.timing.rate, report.timing.constant) == (24, 0, 25, True)
    assert np.abs(np.array(greys(folder)) - expected_greys(24)).max() < 1.5
    seconds = report.timing.seconds
    assert max(abs(t - seconds[0] - Fraction(n, 25)) for n, t in enumerate(seconds)) <= Fraction(1, 1000)
    assert read_timing(folder / "frames.json") == report.timing
    assert not list(folder.glob(".*"))


def test_gif(tmp_path: Path) -> None:
    ffmpeg(*picture(8, rate="10"), tmp_path / "a.gif")
    folder, report = split_all(tmp_path / "a.gif")
    assert report.written == 8 and report.timing.rate == 10
    assert np.abs(np.array(greys(folder)) - expected_greys(8)).max() < 5


def test_variable_rate(tmp_path: Path) -> None:
    folder, report = split_all(variable_clip(tmp_path / "v.mp4"))
    timing = report.timing
    assert timing.seconds == variable_times() and not timing.constant
    assert timing.rate == Fraction(29) / (variable_times()[-1])
    assert len(greys(folder)) == 30 and np.abs(np.array(greys(folder)) - expected_greys(30)).max() < 1.5


@pytest.mark.parametrize(
    ("rate", "fps", "picked"), [("25", 5, range(0, 25, 5)), ("30", 60, range(25)), ("30", 20, None)]
)
def test_lower_rate_picks_real_frames(tmp_path: Path, rate: str, fps: float, picked: range | None) -> None:
    folder, report = split_all(clip(tmp_path / "a.mp4", frames=25, rate=rate), fps=fps)
    indices = [round(t * int(rate)) for t in report.timing.seconds]
    assert indices == (list(picked) if picked is not None else [n for n in range(25) if n % 3 != 1])
    assert np.abs(np.array(greys(folder)) - expected_greys(25)[indices]).max() < 1.5


def test_jpeg_frames_have_the_same_colours(tmp_path: Path) -> None:
    draw = "format=rgb24,geq=r='200-N':g='90':b='40'"
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    ffmpeg(*picture(3, draw=f"{draw},scale=out_color_matrix=bt709,format=yuv420p,{tags}"), *X264, tmp_path / "a.mp4")
    folder, _ = split_all(tmp_path / "a.mp4", image_format="jpg")
    assert np.abs(read_image(folder / "00001.jpg").mean(axis=(0, 1)) - (40, 90, 200)).max() < 3
    folder, report = split_all(tmp_path / "a.mp4")
    assert np.abs(read_image(folder / "00001.png").mean(axis=(0, 1)) - (40, 90, 200)).max() < 3
    assert report.timing.colour.matrix == "bt709" and report.timing.assumed_matrix == "bt709"


def test_odd_size_is_kept(tmp_path: Path) -> None:
    ffmpeg(*picture(3, size="63x47"), "-c:v", "ffv1", tmp_path / "a.mkv")
    folder, report = split_all(tmp_path / "a.mkv")
    assert read_image(folder / "00001.png").shape == (47, 63, 3) and report.timing.size == (47, 63)


def test_rotation_is_applied(tmp_path: Path) -> None:
    left_is_dark = "geq=lum='if(lt(X,32),40,200)':cb=128:cr=128"
    ffmpeg(*picture(3, draw=left_is_dark), *X264, tmp_path / "flat.mp4")
    ffmpeg("-display_rotation", "90", "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "turned.mp4")
    folder, report = split_all(tmp_path / "turned.mp4")
    frame = read_image(folder / "00001.png")
    assert frame.shape == (64, 48, 3) and report.timing.size == (64, 48)
    assert frame[-8:].mean() < 60 < 150 < frame[:8].mean()  # counter-clockwise: the left goes to the bottom
    assert any("rotated by 90" in c for c in report.timing.changes)


@pytest.mark.parametrize(
    ("matrix", "said", "dark"),
    [
        (["-display_hflip"], "mirrored,", np.s_[:, -8:]),
        (["-display_vflip"], "rotated by 180 degrees and mirrored", np.s_[:, :8]),
        (["-display_rotation", "90", "-display_hflip"], "rotated by 90 degrees and mirrored", np.s_[-8:]),
        (["-display_rotation", "270"], "rotated by 270 degrees,", np.s_[:8]),
        (["-display_rotation", "270", "-display_vflip"], "rotated by 90 degrees and mirrored", np.s_[-8:]),
        (["-display_rotation", "180"], "rotated by 180 degrees,", np.s_[:, -8:]),
    ],
)
def test_mirrored_is_not_called_rotated(tmp_path: Path, matrix: list[str], said: str, dark: tuple[slice, ...]) -> None:
    ffmpeg(*picture(3, draw="geq=lum='if(lt(X,32),40,200)':cb=128:cr=128"), *X264, tmp_path / "flat.mp4")
    ffmpeg(*matrix, "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "a.mp4")
    folder, report = split_all(tmp_path / "a.mp4")
    assert report.timing.changes[0].startswith(said)
    assert read_image(folder / "00001.png")[dark].mean() < 60


@pytest.mark.parametrize(("alpha", "said"), [(120, True), (255, False)])
@pytest.mark.parametrize(("name", "codec"), [("a.mov", ["png"]), ("b.mov", ["prores_ks", "-profile:v", "4444"])])
def test_transparency_that_is_dropped_is_said(
    tmp_path: Path, name: str, codec: list[str], alpha: int, said: bool
) -> None:
    draw = f"format=rgba,geq=r=90:g=60:b=30:a={alpha}"
    ffmpeg(*picture(3, draw=draw), "-c:v", *codec, tmp_path / name)
    _, report = split_all(tmp_path / name)
    assert any("transparen" in change for change in report.timing.changes) == said


def test_pixels_become_square(tmp_path: Path) -> None:
    ffmpeg(*picture(3, draw=f"{GREY},setsar=3/2"), *X264, tmp_path / "a.mp4")
    folder, report = split_all(tmp_path / "a.mp4")
    assert read_image(folder / "00001.png").shape == (48, 96, 3)
    assert any("square pixels" in c for c in report.timing.changes)


def test_interlaced_is_combed_out(tmp_path: Path) -> None:
    # A bar that moves 4 px from field to field: woven fields show a comb at its edges.
    draw = "geq=lum='if(between(X,8+4*N,24+4*N),200,40)':cb=128:cr=128,tinterlace=interleave_top,setfield=tff"
    ffmpeg(*picture(12, rate="50", draw=draw), *X264, "-flags", "+ildct+ilme", tmp_path / "a.mp4")
    info = probe(tmp_path / "a.mp4")
    assert info.interlaced
    folder, report = split_all(tmp_path / "a.mp4")
    assert report.written == 12 and any("deinterlaced" in c for c in report.timing.changes)
    combed = next(pictures_of(tmp_path / "a.mp4", skip=2)).astype(float)
    frame = read_image(folder / "00003.png").astype(float)
    assert np.abs(np.diff(frame[8:40, :, 0], axis=0)).mean() < 0.3 * np.abs(np.diff(combed[8:40], axis=0)).mean()


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_tone_mapped(tmp_path: Path, transfer: str) -> None:
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    # 0.58 of the range is diffuse white (203 cd/m2) in PQ, 0.75 in HLG.
    level = round(64 + (0.58 if transfer == "smpte2084" else 0.75) * 876)
    draw = f"format=yuv420p10le,geq=lum='{level}':cb=512:cr=512,{tags}"
    ffmpeg(*picture(2, draw=draw), *X264[:-1], "yuv420p10le", tmp_path / "h.mp4")
    folder, report = split_all(tmp_path / "h.mp4")
    assert report.timing.colour == filters.SDR and any("tone-mapped" in c for c in report.timing.changes)
    frame = read_image(folder / "00001.png").astype(float)
    assert 170 < frame.mean() < 250 and np.ptp(frame.mean(axis=(0, 1))) < 6


@pytest.mark.parametrize(
    ("size", "primaries", "matrix", "layout"),
    [
        ("63x47", "bt2020", "bt2020nc", "yuv420p10le"),
        ("64x48", "film", "fcc", "yuv420p10le"),
        ("64x48", "unknown", "unknown", "yuv420p10le"),
        ("64x48", "bt2020", "bt2020c", "yuv420p10le"),
        ("64x48", "jedec-p22", "ictcp", "yuv420p10le"),
        ("63x47", "bt2020", "gbr", "gbrp10le"),
    ],
)
@pytest.mark.parametrize("transfer", ["smpte2084", "bt709"])
def test_rare_sizes_and_tags(
    tmp_path: Path, size: str, primaries: str, matrix: str, layout: str, transfer: str
) -> None:
    tags = f"setparams=color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}"
    ffmpeg(*picture(2, size=size, draw=f"format={layout},{tags}"), "-c:v", "ffv1", tmp_path / "a.mkv")
    folder, report = split_all(tmp_path / "a.mkv")
    assert report.written == 2 and read_image(folder / "00001.png").shape[1::-1] == tuple(map(int, size.split("x")))
    assert any("matrix" in change for change in report.timing.changes) == (matrix == "ictcp")


def test_hdr_without_tone_mapping_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    ffmpeg(*picture(2, draw=f"{GREY},{tags}"), *X264[:-1], "yuv420p10le", tmp_path / "h.mp4")
    monkeypatch.setattr(filters, "has_filters", lambda *names: False)
    with pytest.raises(UserError, match="HDR"):
        split_all(tmp_path / "h.mp4")


def test_cut_off_data_keeps_what_decodes(tmp_path: Path) -> None:
    noisy = picture(60, draw=f"{GREY},noise=alls=40:allf=t")
    ffmpeg(*noisy, *X264, "-g", "10", "-movflags", "+faststart", tmp_path / "w.mp4")
    data = (tmp_path / "w.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    folder, report = split_all(tmp_path / "cut.mp4")
    assert report.promised == 60 and 20 < report.written < 45
    assert len(list(folder.glob("*.png"))) == report.written


def test_negative_start_is_kept(tmp_path: Path) -> None:
    draw = f"{GREY},setpts=PTS-0.2/TB"
    ffmpeg(*picture(20, draw=draw), "-c:v", "ffv1", "-avoid_negative_ts", "disabled", "-f", "nut", tmp_path / "a.nut")
    _, report = split_all(tmp_path / "a.nut")
    assert report.written in (15, 20) and report.timing.rate == 25


def test_a_frame_that_cannot_be_written(tmp_path: Path) -> None:
    video = clip(tmp_path / "a.mp4")
    folder = tmp_path / "a_frames"
    (folder / "00009.png").mkdir(parents=True)
    with pytest.raises(UserError):
        split_all(video)
    assert not (folder / "frames.json").exists() and len([path for path in folder.glob("*.png") if path.is_file()]) == 8
    (folder / "00009.png").rmdir()
    report = write_frames(probe(video), folder, folder / "frames.json", FrameSettings(0.0, "png"), lambda n: None)
    assert (report.resumed, report.written) == (8, 17)
    assert np.abs(np.array(greys(folder)) - expected_greys(25)).max() < 1.5
    assert report.timing.seconds == [Fraction(n, 25) for n in range(25)]


def test_half_written_journal_and_lost_frame(tmp_path: Path) -> None:
    video = variable_clip(tmp_path / "v.mp4")
    folder, whole = split_all(video)
    again = tmp_path / "again"
    counts: list[int] = []

    def stop_at_11(count: int) -> None:
        counts.append(count)
        if sum(counts) == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_frames(probe(video), again, again / "frames.json", FrameSettings(0.0, "png"), stop_at_11)
    with open(again / frames.PARTIAL, "ab") as journal:
        journal.write(b'{"frame": "000')
    (again / "00008.png").write_bytes(b"")  # as a power cut leaves it
    report = write_frames(probe(video), again, again / "frames.json", FrameSettings(0.0, "png"), lambda n: None)
    assert (report.resumed, report.written) == (7, 23) and report.timing == whole.timing
    for path in sorted(folder.glob("*.png")):
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_damaged_in_the_middle_of_a_stream_without_pictures(tmp_path: Path) -> None:
    video = clip(tmp_path / "a.mp4", frames=30)
    data = bytearray(video.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : data.index(b"moov") - 8] = bytes(data.index(b"moov") - 8 - start)
    video.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"No image|could not be decoded"):
        split_all(video)


@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_frames_that_a_damaged_place_costs_are_told(tmp_path: Path, ending: str) -> None:
    """Containers that do not count their frames: what is there is taken, and the hole is named by place and length."""
    video = tmp_path / f"a.{ending}"
    ffmpeg(*picture(150, draw=f"{GREY},noise=alls=20:allf=t"), *X264, "-g", "10", "-bf", "0", video)
    whole = split_all(video)[1].timing
    data = bytearray(video.read_bytes())
    start, end = int(len(data) * 0.4), int(len(data) * 0.6)
    data[start:end] = bytes(end - start)
    video.write_bytes(bytes(data))
    holed = split_all(video)[1].timing
    assert not any("missing" in change for change in whole.changes)
    (note,) = (change for change in holed.changes if "missing" in change)
    after = int(re.search(r"after frame (\d+)", note)[1])
    seconds = holed.seconds
    lost = float(re.search(r"([\d.]+) s after", note)[1])
    assert lost == pytest.approx(float(seconds[after] - seconds[after - 1]) - 0.04, abs=0.01)
    assert 10 <= 150 - len(holed.pts) <= 60 and lost >= 0.4


def test_frames_are_readable_by_opencv_in_colour(tmp_path: Path) -> None:
    folder, _ = split_all(clip(tmp_path / "a.mp4", frames=2))
    assert cv2.imread(str(folder / "00001.png"), cv2.IMREAD_UNCHANGED).shape == (48, 64, 3)


def test_a_size_that_changes_in_mid_stream_keeps_its_proportions(tmp_path: Path) -> None:
    video = changing_clip(tmp_path / "a.ts", "96x72", "48x72", "96x36", "192x144")
    folder, report = split_all(video)
    images = [read_image(path) for path in sorted(folder.glob("*.png"))]
    assert {image.shape for image in images} == {(72, 96, 3)} and len(images) == 40
    whole = (0, 0, 96, 72)
    for first, wanted in ((0, whole), (10, (24, 0, 48, 72)), (20, (0, 18, 96, 36)), (30, whole)):
        assert np.abs(np.subtract(box_of(images[first + 5]), wanted)).max() <= 1
    assert report.timing.constant and report.timing.rate == 25
    assert any("48x72" in change and "192x144" in change for change in report.timing.changes)


def test_frames_straight_from_such_a_video_are_the_same(tmp_path: Path) -> None:
    video = changing_clip(tmp_path / "a.ts", "96x72", "48x72", "96x72")
    folder, _ = split_all(video)
    source = VideoFrames(probe(video), every=4, first=3)
    found = {frame.index: frame.image for frame in source}
    assert source.sizes == {(72, 48)} and list(found) == list(range(5, 30, 4))
    assert all((read_image(folder / f"{n:05d}.png") == image).all() for n, image in found.items())


def test_a_turned_video_whose_size_changes(tmp_path: Path) -> None:
    changing_clip(tmp_path / "flat.mp4", "96x72", "48x72")
    ffmpeg("-display_rotation", "90", "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "a.mp4")
    folder, report = split_all(tmp_path / "a.mp4")
    images = [read_image(path) for path in sorted(folder.glob("*.png"))]
    assert {image.shape for image in images} == {(96, 72, 3)} and report.timing.constant
    assert np.abs(np.subtract(box_of(images[15]), (0, 24, 72, 48))).max() <= 1
    assert len(report.timing.changes) == 2


@pytest.mark.parametrize(
    ("size", "other", "codec", "stream"),
    [
        ("95x71", "48x72", ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "2"], "mjpeg"),
        ("95x71", "48x72", ["-c:v", "png", "-pix_fmt", "rgb24"], "image2pipe"),
        ("96x72", "48x72", ["-c:v", "png", "-pix_fmt", "pal8"], "image2pipe"),
        ("96x72", "48x72", ["-c:v", "png", "-pix_fmt", "rgba"], "image2pipe"),
    ],
    ids=["odd", "RGB", "palette", "transparent"],
)
def test_other_sizes_in_rare_formats(tmp_path: Path, size: str, other: str, codec: list[str], stream: str) -> None:
    same, video = (
        changing_clip(tmp_path / f"{name}.mkv", *sizes, codec=codec, stream=stream)
        for name, sizes in (("same", (size, size)), ("video", (size, other)))
    )
    folder, report = split_all(video)
    images = [read_image(path) for path in sorted(folder.glob("*.png"))]
    width, height = map(int, size.split("x"))
    assert {image.shape for image in images} == {(height, width, 3)} and len(images) == 20
    assert np.abs(np.subtract(box_of(images[15]), ((width - 48) // 2, 0, 48, height))).max() <= 2
    assert any(other in change for change in report.timing.changes)
    plain, report = split_all(same)
    assert not any("fitted" in change for change in report.timing.changes)
    for number, image in enumerate(images[:10], 1):  # what needs no fitting hardly changes
        assert np.abs(np.subtract(read_image(plain / f"{number:05d}.png"), image, dtype=float)).mean() < 1


def test_a_slanting_video_whose_size_changes(tmp_path: Path) -> None:
    for name, sizes in (("flat", ("96x72", "192x144")), ("same", ("96x72", "96x72"))):
        changing_clip(tmp_path / f"{name}.mp4", *sizes)
        ffmpeg("-display_rotation", "30", "-i", tmp_path / f"{name}.mp4", "-c", "copy", tmp_path / f"{name}_30.mp4")
    fitted, plain = (split_all(tmp_path / f"{name}_30.mp4")[0] for name in ("flat", "same"))
    for number, most in ((3, 1), (15, 12)):  # the border of the larger image is half as wide
        one, other = (read_image(folder / f"{number:05d}.png") for folder in (fitted, plain))
        assert one.shape == other.shape and np.abs(np.subtract(one, other, dtype=float)).mean() < most


def test_another_pixel_format_is_no_other_size(tmp_path: Path) -> None:
    streams = []
    for layout in ("yuv420p", "yuv444p"):
        ffmpeg(*picture(10), "-c:v", "libx264", "-bf", "0", "-pix_fmt", layout, "-f", "h264", tmp_path / "a.h264")
        streams.append((tmp_path / "a.h264").read_bytes())
    (tmp_path / "a.h264").write_bytes(b"".join(streams))
    ffmpeg("-framerate", "25", "-i", tmp_path / "a.h264", "-c", "copy", tmp_path / "a.ts")
    folder, report = split_all(tmp_path / "a.ts")
    assert report.written == 20 and report.timing.constant and not report.timing.changes
    found = greys(folder)
    assert np.abs(np.subtract(found[:10], found[10:])).max() < 1.5
