"""Which frames are converted: ranges, every nth, the others copied or left out; the video of these frames alone."""

from fractions import Fraction

import av
import numpy as np
import pytest

from clips import FLASH_AT, flash_and_beep, flash_clip, greys_of, pts_of, variable_clip
from commands.convert_runs import StubModels, add_face, fill, run
from facewright.commands import convert as step
from facewright.commands import extract_frames, make_video
from facewright.convert.parameters import ConvertOptions
from facewright.convert.selection import choose_frames, parse_ranges
from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.core.images import read_image
from facewright.core.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def changed(workspace):
    """Numbers of the merged images that are not as their frames."""
    paths = list_files(workspace.dst.merged_dir, (".png",))
    return [int(p.stem) for p in paths if (read_image(p) != read_image(workspace.dst.frames_dir / p.name)).any()]


def merged(workspace):
    return [int(path.stem) for path in list_files(workspace.dst.merged_dir, (".png",))]


def test_frames_outside_the_ranges_are_copied(workspace):
    fill(workspace)  # six frames, the third without a face
    models = StubModels()
    run(workspace, models, ConvertOptions(frame_ranges="2-3, 5"))
    assert changed(workspace) == [2, 5] and merged(workspace) == [1, 2, 3, 4, 5, 6]
    report = run(workspace, models, ConvertOptions(frame_ranges="5-99"))
    assert changed(workspace) == [5, 6] and report.written == 2  # 2 goes back, 6 is new, 5 stays
    run(workspace, models)
    assert changed(workspace) == [1, 2, 4, 5, 6]


def test_every_nth_frame_for_a_quick_look(workspace, capsys):
    fill(workspace)
    run(workspace, StubModels(), ConvertOptions(every=2, frame_ranges="2-6"))
    assert "7.1_review" not in capsys.readouterr().out, "frames that were not chosen miss no face"
    assert changed(workspace) == [2, 4, 6] and len(merged(workspace)) == 6


def test_discarded_frames_are_not_there_and_older_ones_move_to_the_trash(workspace, capsys):
    fill(workspace)
    models = StubModels()
    run(workspace, models)
    report = run(workspace, models, ConvertOptions(frame_ranges="2-4", discard_frames=True))
    assert merged(workspace) == [2, 3, 4] and report.written == 0
    assert len(list(workspace.trash.rglob("0000[156].png"))) == 3
    assert "--only-merged" not in capsys.readouterr().out
    step.say_report(report, left_out=True)
    assert "--only-merged" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["a", "0", "5-", "-5", "7-5", "1,,2", "1-2-3", "1.5", "9" * 12])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(UserError, match="no range") as caught:
        parse_ranges(text)
    assert "--frame-ranges" in caught.value.fix


def test_a_range_without_a_frame_is_named_with_the_numbers_that_are_there(workspace):
    fill(workspace)
    with pytest.raises(UserError, match="70-80") as caught:
        run(workspace, StubModels(), ConvertOptions(frame_ranges="1,70-80"))
    assert "1 to 6" in caught.value.expected and not merged(workspace)


def test_numbers_are_those_of_the_names_or_the_places(tmp_path):
    numbered = [tmp_path / f"{n}.png" for n in (10, 11, 20)]
    assert choose_frames(numbered, "11-20", 1) == numbered[1:]
    named = [tmp_path / name for name in ("a.png", "b7.png", "12.png")]
    assert choose_frames(named, "2-3", 1) == named[1:]
    assert choose_frames(named, "", 2) == named[::2]


def converted(workspace, **options):
    """Extract, convert with a face in frame 1 only, and make the video of the chosen frames."""
    extract_frames.run(workspace, extract_frames.Options(side="dst"))
    workspace.dst.aligned_dir.mkdir()
    add_face(workspace, 1, "00001_0.png")
    run(workspace, StubModels(), ConvertOptions(discard_frames=True, **options))
    with pytest.raises(UserError) as caught:
        make_video.run(workspace, make_video.Options())
    assert "--only-merged" in caught.value.fix
    make_video.run(workspace, make_video.Options(only_merged=True, crf=1))


def test_the_video_of_ranges_has_their_sound(workspace):
    """The flash is frame 13 to 15 (0.48 s); both it and the beep come 0.4 s earlier when frames 1-10 are cut."""
    flash_clip(workspace.root / "data_dst.mp4")
    converted(workspace, frame_ranges="11-20,41-45")
    assert pts_of(workspace.result) == [Fraction(n, 25) for n in range(15)]
    flash, heard = flash_and_beep(workspace.result)
    assert abs(flash - (FLASH_AT - 0.4)) < 0.01 and abs(heard - flash) < 0.025  # sound is cut by packets of 21 ms
    with av.open(str(workspace.result)) as container:
        last = list(container.decode(audio=0))[-1]
    assert abs(float(last.time) + last.samples / last.sample_rate - 15 / 25) < 0.05  # none of what was cut out


def test_every_nth_frame_stays_until_the_next_and_the_sound_runs_on(workspace):
    flash_clip(workspace.root / "data_dst.mp4")
    converted(workspace, every=4)  # frames 1, 5, 9, 13 ...
    assert pts_of(workspace.result) == [Fraction(4 * n, 25) for n in range(13)]
    flash, heard = flash_and_beep(workspace.result)
    assert abs(flash - FLASH_AT) < 0.01 and abs(heard - FLASH_AT) < 0.01


def test_ranges_of_a_variable_rate_keep_their_times(workspace):
    variable_clip(workspace.root / "data_dst.mp4", audio=False)
    extract_frames.run(workspace, extract_frames.Options(side="dst"))
    before = pts_of(workspace.root / "data_dst.mp4")
    converted(workspace, frame_ranges="4-9,20-25")
    kept = [*range(3, 9), *range(19, 25)]
    steps = [before[i + 1] - before[i] for i in kept[:-1]]
    expected = [sum(steps[:n], Fraction(0)) for n in range(len(kept))]
    assert pts_of(workspace.result) == expected
    source = greys_of(workspace.root / "data_dst.mp4")
    assert np.abs(np.subtract(greys_of(workspace.result), [source[i] for i in kept])).max() < 1.5


def test_two_words_for_missing_frames_contradict(workspace):
    with pytest.raises(UserError, match="--only-merged"):
        make_video.run(workspace, make_video.Options(fill_missing=True, only_merged=True))
