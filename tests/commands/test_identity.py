"""Files that keep their name and length, or their end, and hold something else: every step notices."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from clips import GREY, clip, ffmpeg, greys_of
from commands.convert_runs import StubModels, add_face
from commands.convert_runs import run as run_conversion
from commands.extract_runs import run
from convert.drawn_faces import scene
from extract.squares import Squares
from facewright import cli
from facewright.commands.extract import Options
from facewright.core.errors import UserError
from facewright.core.files import list_files, png_fingerprint, read_json, write_json
from facewright.core.images import read_image
from facewright.core.journal import Journal, read_journal
from facewright.core.workspace import Workspace

EQUAL = {"avi": ["-c:v", "rawvideo"], "dv": ["-c:v", "dvvideo"], "y4m": []}


def step(workspace: Workspace, *arguments: str) -> int:
    return cli.main([*arguments, "--workspace", str(workspace.root), "--yes"])


def equal_clip(path: Path, colour: str, *, draw: str = "") -> Path:
    """Ten frames in one colour; all clips of one ending have one length."""
    size = "720x576" if path.suffix == ".dv" else "320x240"
    source = f"color={colour}:s={size}:r=25:d=0.4{draw},format=yuv420p"
    ffmpeg("-f", "lavfi", "-i", source, *EQUAL[path.suffix[1:]], path)
    return path


def colour_of(path: Path) -> np.ndarray:
    return read_image(path).mean((0, 1)).round()


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in list_files(folder)}


@pytest.mark.parametrize("ending", list(EQUAL))
def test_another_video_of_the_same_length(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    video = equal_clip(workspace.root / f"data_dst.{ending}", "red")
    length = video.stat().st_size
    assert step(workspace, "extract-frames", "--side", "dst") == 0
    assert step(workspace, "extract-frames", "--side", "dst") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert equal_clip(video, "blue").stat().st_size == length
    assert step(workspace, "extract-frames", "--side", "dst") == 1
    assert "the video was another one of the same name and length" in capsys.readouterr().err
    assert step(workspace, "extract-frames", "--side", "dst", "--redo") == 0
    assert colour_of(workspace.dst.frames()[0])[0] > 200


def test_a_broken_off_extraction_of_another_video_is_not_gone_on_with(workspace: Workspace) -> None:
    video = equal_clip(workspace.root / "data_dst.y4m", "red")
    assert step(workspace, "extract-frames", "--side", "dst") == 0
    timing = read_json(workspace.dst.timing_file)
    made_from = {"name": video.name, "bytes": timing["source"]["bytes"], "content": timing["source"].get("content")}
    frames = [{"frame": f"{n:05d}", "pts": n - 1} for n in range(1, 5)]
    header = {"frame": "header", **made_from, **timing["settings"]}
    with Journal(workspace.dst.frames_dir / ".frames.partial.jsonl") as journal:
        for entry in (header, *frames):
            journal.add(entry)
    workspace.dst.timing_file.unlink()
    equal_clip(video, "blue")
    assert step(workspace, "extract-frames", "--side", "dst", "--redo") == 0
    assert all(colour_of(path)[0] > 200 for path in workspace.dst.frames())


def test_the_sound_of_another_video_is_refused(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    video = workspace.root / "data_dst.avi"
    for grey, way in ((GREY, 0), (GREY.replace("*7", "*3"), 1)):
        source = f"color=s=64x48:r=25:d=1,{grey}"
        ffmpeg(
            "-f",
            "lavfi",
            "-i",
            source,
            "-f",
            "lavfi",
            "-i",
            "sine=440:d=1",
            "-c:v",
            "rawvideo",
            "-c:a",
            "pcm_s16le",
            video,
        )
        if way == 0:
            assert step(workspace, "extract-frames", "--side", "dst") == 0
            shutil.copytree(workspace.dst.frames_dir, workspace.dst.merged_dir)
    assert step(workspace, "make-video") == 1
    assert "is not the video that the frames were made of (another content" in capsys.readouterr().err


def test_frames_of_an_earlier_program_are_still_known(workspace: Workspace) -> None:
    clip(workspace.root / "data_dst.mp4", audio=True)
    assert step(workspace, "extract-frames", "--side", "dst") == 0
    timing = read_json(workspace.dst.timing_file)
    del timing["source"]["content"]
    write_json(workspace.dst.timing_file, timing)
    before = times(workspace.dst.frames_dir)
    assert step(workspace, "extract-frames", "--side", "dst") == 0 and times(workspace.dst.frames_dir) == before
    shutil.copytree(workspace.dst.frames_dir, workspace.dst.merged_dir)
    assert step(workspace, "make-video") == 0 and not workspace.trash.exists()


def test_faces_straight_from_another_video(workspace: Workspace, squares: Squares) -> None:
    video, journal = workspace.root / "data_src.y4m", workspace.src.extract_journal
    draw = ",drawbox=x={}:y=60:w=80:h=80:color=white:t=fill"
    options = Options("src", from_video=True)
    equal_clip(video, "gray", draw=draw.format(40))
    assert run(workspace, options, squares).frames == 10
    noted = read_journal(journal, "frame")[""]["video"]
    known = journal.read_text()
    older = known.replace(f" ({noted.partition(' (')[2]}", "")
    assert older != known
    for text in (older, known):  # earlier programs noted no checksum
        journal.write_text(text)
        assert run(workspace, options, squares).frames == 0
    equal_clip(video, "gray", draw=draw.format(200))
    with pytest.raises(UserError, match="checksum"):
        run(workspace, options, squares)


def test_a_part_of_another_video_is_cut_again(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    clip(workspace.root / "data_dst.mp4", frames=50)
    assert step(workspace, "cut-video", "--start", "0.4") == 0
    video = workspace.dst.video()
    data = video.read_bytes()
    assert data.count(b"x264 - core") == 1
    capsys.readouterr()
    assert step(workspace, "cut-video", "--start", "0.4") == 0
    assert "nothing to do" in capsys.readouterr().out
    video.write_bytes(data.replace(b"x264 - core", b"x264 - CORE"))
    assert step(workspace, "cut-video", "--start", "0.4") == 0
    assert "nothing to do" not in capsys.readouterr().out


def paint(path: Path, place: tuple[slice, slice]) -> None:
    """Paint a part of an uncompressed image in place; its length stays."""
    before, image = path.stat().st_size, cv2.imread(str(path))
    image[place] = (0, 255, 0)
    flags = [cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_NONE] if path.suffix == ".tif" else []
    assert cv2.imwrite(str(path), image, flags) and path.stat().st_size == before


# A BMP begins with its last row, a TIFF with its first.
PLACES = {".bmp": np.s_[-20:, :60], ".tif": np.s_[:20, :60]}


@pytest.fixture(params=list(PLACES))
def uncompressed(request: pytest.FixtureRequest, workspace: Workspace) -> Workspace:
    """Six frames of 230 kB without compression, a face in each."""
    workspace.dst.aligned_dir.mkdir(parents=True)
    for index in range(1, 7):
        name = f"{index:05d}{request.param}"
        image = np.asarray(cv2.resize(scene(60, 80, index), (320, 240)), np.uint8)
        flags = [cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_NONE] if request.param == ".tif" else []
        assert cv2.imwrite(str(workspace.dst.frames_dir / name), image, flags)
        add_face(workspace, index, f"{index:05d}_0.png", centre=(160, 120), frame=name)
    return workspace


def test_a_frame_that_was_painted_in_place_is_converted_again(uncompressed: Workspace) -> None:
    models, side = StubModels(), uncompressed.dst
    run_conversion(uncompressed, models)
    before = times(side.merged_dir)
    run_conversion(uncompressed, models)
    assert times(side.merged_dir) == before
    frame = side.frames()[1]
    place = PLACES[frame.suffix]
    paint(frame, place)
    run_conversion(uncompressed, models)
    after = times(side.merged_dir)
    assert [name for name in after if after[name] != before[name]] == ["00002.png"]
    assert (read_image(side.merged_dir / "00002.png")[place] == (0, 255, 0)).all()


def test_a_result_that_an_earlier_program_noted_is_not_moved_away(uncompressed: Workspace) -> None:
    side, result = uncompressed.dst, uncompressed.result
    shutil.copytree(side.frames_dir, side.merged_dir, ignore=shutil.ignore_patterns("aligned"))
    frames = side.frames_dir / f"%05d{side.frames()[0].suffix}"
    ffmpeg("-framerate", "25", "-i", frames, "-c:v", "ffv1", uncompressed.root / "data_dst.mkv")
    assert step(uncompressed, "make-video") == 0
    state = uncompressed.root / ".make_video" / "result.mp4.json"
    write_json(state, {"made_of": "noted otherwise", "file": [result.name, *png_fingerprint(result)]})
    assert step(uncompressed, "make-video") == 0 and not uncompressed.trash.exists()
    with open(result, "ab") as file:
        file.write(b"of the user's")
    assert step(uncompressed, "make-video") == 0
    assert len(list(uncompressed.trash.rglob("result.mp4"))) == 1


def test_a_converted_frame_that_was_painted_in_place_is_encoded_again(uncompressed: Workspace) -> None:
    side = uncompressed.dst
    side.merged_dir.mkdir()
    for path in side.frames():
        shutil.copyfile(path, side.merged_dir / path.name)
    ffmpeg(
        "-framerate",
        "25",
        "-i",
        side.frames_dir / f"%05d{path.suffix}",
        "-c:v",
        "ffv1",
        uncompressed.root / "data_dst.mkv",
    )
    assert step(uncompressed, "make-video") == 0
    before = greys_of(uncompressed.result)
    paint(side.merged_dir / path.name, np.s_[(slice(None, 100) if path.suffix == ".tif" else slice(-100, None)), :])
    assert step(uncompressed, "make-video") == 0
    moved = np.abs(np.array(greys_of(uncompressed.result)) - before)
    assert moved[5] > 10 and moved[:5].max() < 2 and not uncompressed.trash.exists()
