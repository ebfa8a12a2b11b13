"""Frames named without leading zeros, and more than 99,999 of them: every step takes them as people count."""

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from clips import clip, ffmpeg, greys_of
from commands.extract_runs import run
from commands.test_extract_smooth import faceset, smooth
from extract.squares import Squares, frame_with
from facewright import cli
from facewright.commands.extract import Options
from facewright.core.files import list_files
from facewright.core.images import write_image
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import load_faceset
from facewright.faces.record import load_record, save_face
from facewright.video.frames import FrameSettings, write_frames
from facewright.video.probe import probe
from facewright.video.result import plan_from_timing

COUNTED = ["1.png", "2.png", "9.png", "10.png", "11.png", "99999.png", "100000.png"]


def names(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths]


def rename_frames(side: Side, name: Callable[[str], str]) -> None:
    """Give the frames other names, and the records of their faces too."""
    for path in side.frames():
        path.rename(path.with_name(name(path.name)))
    for face in load_faceset(side.aligned_dir).faces:
        picture = np.zeros((64, 64, 3), np.uint8)
        save_face(face.path, picture, dataclasses.replace(face.record, frame=name(face.record.frame)))


def test_a_folder_is_listed_as_people_count(tmp_path: Path) -> None:
    mixed = ["00012.png", "a1.png", "a10.png", "a10_2.png", "a10_10.png", "Photo 2.png"]
    for name in [*COUNTED, *mixed]:
        (tmp_path / name).touch()
    listed = names(list_files(tmp_path))
    assert [name for name in listed if name in COUNTED] == COUNTED
    assert listed.index("11.png") + 1 == listed.index("00012.png") == listed.index("99999.png") - 1
    assert [name for name in listed if name.startswith("a")] == mixed[1:5]


def test_own_frames_make_the_video_in_order(workspace: Workspace) -> None:
    video = clip(workspace.root / "data_dst.mp4")
    workspace.dst.merged_dir.mkdir(parents=True)
    ffmpeg("-i", video, "-start_number", "1", workspace.dst.merged_dir / "%d.png")
    assert cli.main(["make-video", "--workspace", str(workspace.root), "--yes"]) == 0
    assert np.abs(np.array(greys_of(workspace.result)) - greys_of(video)).max() < 4


def test_merged_frames_that_another_program_wrote_without_zeros(workspace: Workspace) -> None:
    video = clip(workspace.root / "data_dst.mp4")
    assert cli.main(["extract-frames", "--workspace", str(workspace.root), "--side", "dst", "--yes"]) == 0
    workspace.dst.merged_dir.mkdir()
    for path in workspace.dst.frames():
        shutil.copyfile(path, workspace.dst.merged_dir / f"{int(path.stem)}.png")
    assert cli.main(["make-video", "--workspace", str(workspace.root), "--yes"]) == 0
    assert np.abs(np.array(greys_of(workspace.result)) - greys_of(video)).max() < 4


def test_every_nth_is_counted_in_order(workspace: Workspace, squares: Squares) -> None:
    workspace.src.frames_dir.mkdir()
    for number in range(1, 13):
        write_image(workspace.src.frames_dir / f"{number}.png", frame_with([(40, 40, 60)]))
    run(workspace, Options("src", every=3), squares)
    searched = sorted({load_record(path).frame for path in workspace.src.aligned()})
    assert searched == sorted(["1.png", "4.png", "7.png", "10.png"])


def test_sorted_by_origname(workspace: Workspace, save_drawn_face: Callable[..., Path]) -> None:
    for number, name in enumerate(reversed(COUNTED)):
        save_drawn_face(workspace.src.aligned_dir / f"{number}.png", seed=number, frame=name)
    for method in ("origname", "oneface", "person"):
        assert cli.main(["sort", "--workspace", str(workspace.root), "--side", "src", "--by", method, "--yes"]) == 0
        assert [load_record(path).frame for path in workspace.src.aligned()] == COUNTED, method


def test_smoothing_knows_which_frames_are_neighbours(workspace: Workspace, tmp_path: Path) -> None:
    other = Workspace(tmp_path / "other")
    for place in (workspace, other):
        faceset(place.dst)
    rename_frames(other.dst, lambda name: name.lstrip("0"))
    for place in (workspace, other):
        smooth(place, "medium")
    smoothed = [
        {
            int(Path(face.record.frame).stem): face.record.frame_landmarks
            for face in load_faceset(place.dst.aligned_dir).faces
        }
        for place in (workspace, other)
    ]
    assert len(smoothed[0]) == len(smoothed[1])
    for number, points in smoothed[0].items():
        np.testing.assert_array_equal(points, smoothed[1][number])


@pytest.mark.parametrize(("count", "first"), [(99_999, "00001.png"), (100_000, "000001.png")])
def test_a_long_video_gets_wider_numbers(workspace: Workspace, count: int, first: str) -> None:
    info = dataclasses.replace(probe(clip(workspace.root / "data_dst.mp4")), frame_count=count)
    side = workspace.dst
    write_frames(info, side.frames_dir, side.timing_file, FrameSettings(0.0, "png"), lambda n: None)
    assert names(side.frames())[0] == first and len(side.frames()) == 25


def test_numbers_of_any_width_are_the_frames_of_a_video(workspace: Workspace) -> None:
    info = probe(clip(workspace.root / "data_dst.mp4"))
    side = workspace.dst
    report = write_frames(info, side.frames_dir, side.timing_file, FrameSettings(0.0, "png"), lambda n: None)
    for width in (1, 5, 7):
        shutil.rmtree(side.merged_dir, ignore_errors=True)
        side.merged_dir.mkdir()
        for path in side.frames():
            (side.merged_dir / f"{int(path.stem):0{width}d}.png").touch()
        plan = plan_from_timing(report.timing, side.frames_dir, side.merged_dir, fill_missing=False)
        assert [int(path.stem) for path in plan.frames] == list(range(1, 26)) and not plan.orphans
