"""An evaluation from the workspace alone: what it says of results that are known, resumed, compared, refused."""

import json
import shutil

import numpy as np
import pytest

from clips import ffmpeg
from convert.drawn_faces import scene
from evaluate.small_results import BLUE, FRAMES, RED, Observers, fill, merge, painted, points_of, save
from facewright.convert.every_face import faces_side
from facewright.convert.last_run import keep_options
from facewright.convert.parameters import ConvertOptions
from facewright.core.errors import UserError
from facewright.core.images import read_image, write_image
from facewright.core.workspace import Workspace
from facewright.evaluate.compare import compare_results
from facewright.evaluate.figures import FIGURES, Table, values_of
from facewright.evaluate.intervals import intervals
from facewright.evaluate.options import EvaluateOptions
from facewright.evaluate.report import console_table, read_report, write_report
from facewright.evaluate.session import evaluate
from facewright.nn import checkpoint

QUICK = EvaluateOptions(noise_floor=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluated")
    fill(Workspace(root))
    return root


@pytest.fixture
def filled(made, tmp_path):
    shutil.copytree(made, tmp_path / "w", dirs_exist_ok=True)
    return Workspace(tmp_path / "w")


@pytest.fixture(scope="module")
def written(made, tmp_path_factory):
    """The report of that result, as data."""
    root = tmp_path_factory.mktemp("written") / "w"
    shutil.copytree(made, root)
    write_report(root / "evaluation.json", evaluate(Workspace(root), QUICK, Observers()))
    return json.loads((root / "evaluation.json").read_text())


def numbers(measured):
    return {name: value.value for name, value in measured.values.items()}


def test_a_good_result_and_dst_itself_are_told_apart(filled):
    found = evaluate(filled, EvaluateOptions(), Observers())
    result, floor = numbers(found.result), numbers(found.floor)
    assert result["nearer_src"] == 1 and result["margin"] > 0.5 and result["to_src"] < 0.1
    assert floor["nearer_src"] == 0 and floor["margin"] < -0.5
    assert (result["untouched"], result["psnr"], result["ssim"]) == (1, 100, 1)
    assert floor["untouched"] < 1 and 25 < floor["psnr"] < 60
    assert result["shade"] > 20 and floor["shade"] < 5 and result["missed"] == floor["missed"] == 0
    assert result["landmark_error"] == 0 and 0.5 < result["flicker"] < 2
    assert found.expected["dst_to_src"] > 0.5 > 10 * found.expected["src_to_src"]
    low, high = found.result.values["margin"].interval
    assert low <= result["margin"] <= high


def test_another_person_of_the_model_is_src(filled, tmp_path, capsys):
    anna = tmp_path / "anna"
    shutil.copytree(filled.dst.aligned_dir, anna)  # red, as dst is; the result is blue
    state = {"model": "quick", "people": ["anna"], "settings": {"more_src": f"anna={anna}"}}
    checkpoint.save(filled.model_dir / "quick", state, {"weights": {"w": np.ones(2, np.float32)}})
    keep_options(filled, ConvertOptions(model="quick:anna"))
    found = evaluate(filled, QUICK, Observers())
    assert found.expected["dst_to_src"] < 0.1 and numbers(found.result)["to_src"] > 0.5
    keep_options(filled, ConvertOptions(cast="1=quick:anna,2=quick"))
    assert numbers(evaluate(filled, QUICK, Observers()).result)["to_src"] < 0.1  # all faces: src
    shutil.rmtree(anna)
    keep_options(filled, ConvertOptions(model="quick:anna"))
    assert numbers(evaluate(filled, QUICK, Observers()).result)["to_src"] < 0.1
    assert "not where the model quick learned them" in capsys.readouterr().out


def test_a_run_that_was_killed_goes_on(filled):
    whole = evaluate(filled, QUICK, observers := Observers())
    assert observers.looks == 2 * FRAMES
    journal = filled.root / ".evaluate" / "faces.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[: FRAMES + 10]) + lines[FRAMES + 10][:40])
    again = evaluate(filled, QUICK, observers := Observers())
    assert observers.looks == FRAMES - 10 and again.reused == FRAMES + 10
    assert numbers(again.result) == pytest.approx(numbers(whole.result), rel=1e-4, abs=1e-4, nan_ok=True)
    evaluate(filled, QUICK, observers := Observers())
    assert observers.looks == 0


def test_what_strangers_wrote_into_the_journal_is_measured_anew(filled):
    whole = evaluate(filled, QUICK, Observers())
    journal = filled.root / ".evaluate" / "faces.jsonl"
    entries = [json.loads(line) for line in journal.read_bytes().splitlines()]
    bad = (
        {"points": "AAAA"},
        {"embedding": ""},
        {"values": {"step": "x"}},
        {"points": 7},
        {"embedding": "AADAfwAAwH8="},
    )
    for entry, change in zip(entries, bad, strict=False):
        entry.update(change)
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    again = evaluate(filled, QUICK, observers := Observers())
    assert observers.looks == len(bad) and numbers(again.result) == pytest.approx(
        numbers(whole.result), rel=1e-4, abs=1e-4, nan_ok=True
    )


def test_a_frame_that_was_made_anew_is_measured_anew_with_the_one_behind_it(filled):
    evaluate(filled, QUICK, Observers())
    frame = filled.dst.merged_dir / "00011.png"
    image = read_image(frame)
    image[:3] = 255
    write_image(frame, image)
    found = evaluate(filled, QUICK, observers := Observers())
    assert observers.looks == 2
    assert numbers(found.result)["untouched"] == pytest.approx(1 - 1 / FRAMES)


def test_a_video_of_the_result_is_measured_like_its_frames(filled, tmp_path):
    video = tmp_path / "result.mp4"
    frames = filled.dst.merged_dir / "%05d.png"
    ffmpeg("-framerate", "25", "-i", frames, "-c:v", "libx264", "-crf", "6", "-pix_fmt", "yuv444p", video)
    found = evaluate(filled, EvaluateOptions(result=str(video), noise_floor=False), Observers())
    assert numbers(found.result)["nearer_src"] == 1 and numbers(found.result)["untouched"] < 1
    short = tmp_path / "short.mp4"
    ffmpeg("-framerate", "25", "-i", frames, "-frames:v", "30", "-c:v", "libx264", "-pix_fmt", "yuv444p", short)
    with pytest.raises(UserError, match="30 frames"):
        evaluate(filled, EvaluateOptions(result=str(short), noise_floor=False), Observers())


def test_after_every_face_the_faces_that_were_found_for_it_are_measured(filled):
    filled.dst.aligned_dir.rename(faces_side(filled.dst, ConvertOptions(every_face=True)).aligned_dir)
    keep_options(filled, ConvertOptions(every_face=True))
    assert len(evaluate(filled, QUICK, Observers()).result.table) == FRAMES


def test_of_two_people_what_is_outside_is_measured_anew_for_one(workspace):
    """Of one person the other one's face is outside; a look at both before changes nothing."""
    small = (96, 256)
    for side in (workspace.src, workspace.dst):
        side.aligned_dir.mkdir(parents=True)
    workspace.dst.merged_dir.mkdir(parents=True)
    for index in range(4):
        name, where = f"{index + 1:05d}.png", [points_of(index) + np.array((120 * number, 0)) for number in (0, 1)]
        before, after = scene(*small), scene(*small)
        for points in where:
            before, after = painted(before, points, RED, seed=index), painted(after, points, BLUE, seed=index + 100)
        write_image(workspace.dst.frames_dir / name, before)
        write_image(workspace.dst.merged_dir / name, after)
        save(workspace.src, after, where[0], name)
        for number, points in enumerate(where):
            save(workspace.dst, before, points, name, person=number + 1, number=number)

    def untouched(person):
        found = evaluate(workspace, EvaluateOptions(person=person, noise_floor=False), Observers())
        return found.result.values["untouched"].value

    assert [untouched(person) for person in (0, 1, 2, 0)] == [1, 0, 0, 1]


def test_two_results_are_compared_face_by_face(filled, tmp_path):
    """The second has another colour and no grain: farther from src, and less sharp."""
    other = tmp_path / "other"
    merge(filled.dst, other, colour=tuple((np.array(BLUE) + RED) / 2), noise=1.0)
    found = evaluate(filled, EvaluateOptions(against=str(other), noise_floor=False), Observers())
    apart = found.against.differences
    assert found.against.paired == FRAMES
    assert apart["margin"].value > 0.2 and apart["margin"].certain
    assert apart["face_sharpness"].value > 0.3 and apart["face_sharpness"].certain
    assert apart["untouched"].value == 0 and not apart["untouched"].certain
    verdicts = {figure.name: found.against.verdict(figure, found.result.values[figure.name]) for figure in FIGURES}
    assert (verdicts["margin"], verdicts["untouched"]) == ("better", "")
    assert sum("better" in line or "worse" in line for line in console_table(found)) >= 2


def test_a_report_stands_for_its_result(filled, tmp_path):
    found = evaluate(filled, QUICK, Observers())
    path = tmp_path / "evaluation.json"
    write_report(path, found)
    assert numbers(read_report(path)) == pytest.approx(numbers(found.result), abs=1e-4, nan_ok=True)
    again = evaluate(filled, EvaluateOptions(against=str(path), noise_floor=False), Observers())
    assert again.against.paired == FRAMES
    assert all(abs(d.value) < 1e-4 for d in again.against.differences.values() if np.isfinite(d.value))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: {"version": 1},
        lambda data: {**data, "version": 2},
        lambda data: {**data, "faces": {**data["faces"], "frame": data["faces"]["frame"][1:]}},
        lambda data: {**data, "faces": {**data["faces"], "columns": {"margin": [1.0] * FRAMES}}},
        lambda data: {**data, "faces": {"frame": [], "number": [], "columns": {}}},
        lambda data: [],
    ],
)
def test_a_damaged_report_is_refused_in_a_sentence(filled, tmp_path, written, change):
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(change(written)))
    with pytest.raises(UserError):
        read_report(path)
    with pytest.raises(UserError):
        evaluate(filled, EvaluateOptions(against=str(path)), observers := Observers())
    assert observers.looks == 0


def test_another_workspace_with_other_faces_is_compared_without_pairs(filled, tmp_path):
    other = Workspace(tmp_path / "other")
    fill(other, frames=20, colour=RED)
    shown = other.dst.aligned_dir / "00001_0.png"
    for face in other.dst.aligned_dir.glob("*.png"):  # of one frame, under the names of all
        if face != shown:
            face.unlink()
    found = evaluate(filled, EvaluateOptions(against=str(other.root), noise_floor=False), Observers())
    assert found.against.paired == 1  # of one face in one frame no interval is given
    assert found.against.differences["margin"].interval is None


def test_other_faces_are_drawn_each_for_themselves(filled):
    table = evaluate(filled, QUICK, Observers()).result.table
    columns = {**table.columns, "x": table.columns["x"] + 1000, "margin": table.columns["margin"] - 0.5}
    moved = Table(table.frames, table.numbers, columns)
    apart = compare_results(table, moved, "moved", values_of(moved))
    assert apart.paired == 0
    assert apart.differences["margin"].value == pytest.approx(0.5) and apart.differences["margin"].certain


def test_what_cannot_be_measured_is_said(filled, workspace, tmp_path):
    with pytest.raises(UserError, match="person 7"):
        evaluate(filled, EvaluateOptions(person=7, noise_floor=False), Observers())
    with pytest.raises(UserError, match="no frames"):
        evaluate(workspace, QUICK, Observers())
    with pytest.raises(UserError, match="nothing"):
        evaluate(filled, EvaluateOptions(result=str(tmp_path / "nothing.mp4")), Observers())
    large = tmp_path / "large"
    large.mkdir()
    write_image(large / "00001.png", np.zeros((200, 200, 3), np.uint8))
    with pytest.raises(UserError, match="200 x 200"):
        evaluate(filled, EvaluateOptions(result=str(large)), Observers())
    shutil.rmtree(filled.dst.merged_dir)
    with pytest.raises(UserError, match="merged"):
        evaluate(filled, QUICK, Observers())


def test_faces_in_frames_that_the_result_lacks_are_left_out(filled):
    for path in sorted(filled.dst.merged_dir.iterdir())[:15]:
        path.unlink()
    found = evaluate(filled, QUICK, Observers())
    assert len(found.result.table) == FRAMES - 15 and any("15 faces" in line for line in found.limits)


def test_intervals_are_as_wide_as_neighbours_are_alike():
    """The mean of an AR(1) series of n values has sqrt((1 + r) / (1 - r) / n) times their deviation."""
    random, share, count = np.random.default_rng(3), 0.8, 1500
    values = np.zeros(count)
    for index in range(1, count):
        values[index] = share * values[index - 1] + random.normal()
    statistics = {"mean": lambda rows: float(values[rows].mean()), "none": lambda rows: float("nan")}
    found = intervals(statistics, count)
    low, high = found["mean"]
    wanted = 2 * 1.96 * values.std() * np.sqrt((1 + share) / (1 - share) / count)
    assert 0.7 < (high - low) / wanted < 1.2
    assert found["none"] is None and found == intervals(statistics, count)
    assert set(intervals(statistics, 5).values()) == {None}


def test_every_figure_says_what_it_means():
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    assert all(figure.meaning.endswith(".") for figure in FIGURES)
