"""The convert step: what it writes, skips, refuses; resume after a kill at any moment."""

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from commands.convert_runs import BLUE, FRAMES, RED, StubModels, add_face, fake_model, fill, run
from convert.drawn_faces import scene
from facewright import cli
from facewright.commands import convert as step
from facewright.convert.parameters import ConvertOptions
from facewright.convert.session import SHEET_NAME, SavedModels, state_of
from facewright.core.command import CommandPackage
from facewright.core.console import Answers
from facewright.core.errors import UserError
from facewright.core.files import list_files
from facewright.core.images import encode, read_image, write_image
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType
from facewright.faces.record import FaceRecord, save_face
from facewright.marking.origin import read_origin
from facewright.nn import checkpoint


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "wörk space")
    fill(workspace)
    return workspace


@pytest.fixture
def models():
    return StubModels()


def merged(workspace):
    return list_files(workspace.dst.merged_dir)


def times(workspace):
    return {path.name: path.stat().st_mtime_ns for path in merged(workspace)}


def changed(workspace, name):
    frame = read_image(workspace.dst.frames_dir / f"{Path(name).stem}.png")
    return bool((read_image(workspace.dst.merged_dir / name) != frame).any())


def test_every_frame_has_a_picture_and_only_faces_are_changed(workspace, models, capsys):
    run(workspace, models)
    names = [path.name for path in merged(workspace)]
    assert names == [f"{index:05d}.png" for index in range(1, FRAMES + 1)]
    assert [changed(workspace, name) for name in names] == [True, True, False, True, True, True]
    marks = [read_origin(path) for path in merged(workspace)]
    assert [bool(mark and mark.made_with_network) for mark in marks] == [True, True, False, True, True, True]
    sheet = workspace.root / SHEET_NAME
    assert read_image(sheet).shape[1] > 1000 and read_origin(sheet).made_with_network
    said = capsys.readouterr().out
    assert "5 faces in 5 frames" in said and "1 frame with nothing to replace" in said and "8_to_mp4" in said


def test_nothing_to_do_builds_no_model_and_writes_nothing(workspace, models, capsys):
    run(workspace, models)
    before = times(workspace)
    run(workspace, models)
    assert models.loads == 1 and times(workspace) == before
    assert "Done before, and as it should be: 6 frames" in capsys.readouterr().out


def test_a_deleted_face_is_left_alone_and_only_its_frame_is_made_again(workspace, models):
    run(workspace, models)
    before = times(workspace)
    (workspace.dst.aligned_dir / "00002_0.png").unlink()
    run(workspace, models)
    after = times(workspace)
    assert [name for name in after if after[name] != before[name]] == ["00002.png"]
    assert not changed(workspace, "00002.png")


def test_a_retouched_picture_goes_to_the_trash_before_it_is_made_again(workspace, models, capsys):
    run(workspace, models)
    mine = encode(np.full((60, 80, 3), 77, np.uint8), ".png")
    (workspace.dst.merged_dir / "00002.png").write_bytes(mine)
    run(workspace, models)
    assert (workspace.dst.merged_dir / "00002.png").read_bytes() == mine and not workspace.trash.exists()
    capsys.readouterr()
    run(workspace, models, ConvertOptions(mode="overlay"))
    (kept,) = workspace.trash.rglob("*.png")
    assert kept.name == "00002.png" and kept.read_bytes() == mine
    assert str(kept.parent) in capsys.readouterr().out
    run(workspace, models, ConvertOptions(mode="hist-match"))
    assert len(list(workspace.trash.rglob("*.png"))) == 1, "what the step wrote itself is simply made again"


def test_an_image_that_a_killed_run_wrote_is_no_retouched_one(workspace, models):
    for mode in ("overlay", "hist-match"):
        run(workspace, models, ConvertOptions(mode=mode))
        journal = workspace.dst.convert_journal
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(lines[:-1]))  # killed before the last image was noted as finished
    run(workspace, models)
    assert not workspace.trash.exists()


def test_renaming_faces_changes_nothing(workspace, models):
    run(workspace, models)
    before = times(workspace)
    for index, path in enumerate(workspace.dst.aligned()):
        path.rename(path.with_name(f"sorted_{9 - index}.png"))
    run(workspace, models)
    assert times(workspace) == before


@pytest.mark.parametrize("change", [{"mode": "overlay"}, {"erode": 5}, {"blur": -5}])
def test_other_parameters_convert_again_but_not_the_copies(workspace, models, change):
    run(workspace, models)
    before = times(workspace)
    run(workspace, models, ConvertOptions(**change))
    after = times(workspace)
    assert [name for name in after if after[name] == before[name]] == ["00003.png"]


def test_a_parameter_without_part_in_the_mode_converts_nothing_again(workspace, models):
    run(workspace, models)
    before = times(workspace)
    run(workspace, models, ConvertOptions(masked_hist_match="no"))
    assert times(workspace) == before


def test_a_further_trained_model_converts_again(workspace, models):
    run(workspace, models)
    before = read_image(workspace.dst.merged_dir / "00001.png")
    models.model = fake_model((0.1, 0.9, 0.1), "second")
    run(workspace, models, ConvertOptions(mode="overlay"))
    assert (read_image(workspace.dst.merged_dir / "00001.png") != before).any()


def test_a_damaged_newest_generation_is_passed_over_once(workspace, models):
    """The manifest says one fingerprint, the model that could be loaded has another."""
    models.state_on_disk = state_of(fake_model(fingerprint="damaged"))
    run(workspace, models)
    before = times(workspace)
    run(workspace, models)
    assert times(workspace) == before


def test_a_new_frame_is_converted_again(workspace, models):
    run(workspace, models)
    before = times(workspace)
    write_image(workspace.dst.frames_dir / "00001.png", scene(60, 80, 77))
    run(workspace, models)
    after = times(workspace)
    assert [name for name in after if after[name] != before[name]] == ["00001.png"]


def test_jpeg_output_and_back(workspace, models):
    run(workspace, models, ConvertOptions(format="jpg"))
    assert {path.suffix for path in merged(workspace)} == {".jpg"}
    assert read_origin(workspace.dst.merged_dir / "00001.jpg").made_with_network
    run(workspace, models)
    assert {path.suffix for path in merged(workspace)} == {".png"}
    assert len(list(workspace.trash.rglob("*.jpg"))) == FRAMES


def test_two_faces_in_a_frame(workspace, models, capsys):
    add_face(workspace, 1, "other.png", centre=(65, 45))
    run(workspace, models, ConvertOptions(mode="overlay"))
    assert "6 faces in 5 frames" in capsys.readouterr().out
    picture = read_image(workspace.dst.merged_dir / "00001.png")
    for x, y in ((40, 30), (65, 45)):
        np.testing.assert_allclose(picture[y, x], np.multiply(BLUE, 255), atol=2)


def test_frames_as_jpeg(workspace, models):
    frame = workspace.dst.frames_dir / "00001.png"
    (frame.parent / "00001.jpg").write_bytes(encode(read_image(frame), ".jpg"))
    frame.unlink()
    run(workspace, models)
    assert merged(workspace)[0].name == "00001.png" and len(merged(workspace)) == FRAMES


def test_two_frames_of_one_name(workspace, models, capsys):
    (workspace.dst.frames_dir / "00001.jpg").write_bytes(encode(scene(60, 80), ".jpg"))
    run(workspace, models)
    assert "00001.png is skipped" in capsys.readouterr().out
    assert len(merged(workspace)) == FRAMES


def test_a_frame_deleted_after_extraction_is_a_sentence(workspace, models, capsys):
    run(workspace, models)
    (workspace.dst.frames_dir / "00002.png").unlink()
    run(workspace, models)
    said = capsys.readouterr().out
    assert "00002.png" in said and "not there any more" in said
    assert not (workspace.dst.merged_dir / "00002.png").exists()
    assert [path.name for path in workspace.trash.rglob("*.png")] == ["00002.png"]


def test_a_face_that_the_model_does_not_see_is_said(workspace, models, capsys):
    models.model.predict = lambda faces: (faces, np.zeros((*faces.shape[:3], 1), np.float32))
    report = run(workspace, models)
    assert (report.skipped_faces, report.changed, report.written) == (5, 0, FRAMES)
    assert "5 faces" in capsys.readouterr().out


def refused(workspace, models, match):
    with pytest.raises(UserError, match=match) as caught:
        run(workspace, models)
    assert not merged(workspace)
    return str(caught.value)


def test_no_frames(tmp_path, models):
    assert "3_extract_png_from_dst" in refused(Workspace(tmp_path), models, "no frames")


def test_no_faces(workspace, models):
    for path in workspace.dst.aligned():
        path.unlink()
    assert "5_dst_extract_faces" in refused(workspace, models, "no faces")
    workspace.dst.aligned_dir.rmdir()
    refused(workspace, models, "no faces")


def test_bad_aligned_files_are_named_before_anything_is_written(workspace, models):
    good = workspace.dst.aligned_dir / "00001_0.png"
    data = good.read_bytes()
    (good.parent / "a_text.png").write_text("nothing")
    (good.parent / "b_plain.png").write_bytes(encode(scene(9, 9)))
    (good.parent / "c_cut.png").write_bytes(data[:99])
    (good.parent / "d_wrong.png").write_bytes(data.replace(b"00001.png", b"../x1.png"))
    text = refused(workspace, models, "a_text.png")
    assert "b_plain.png" in text and "c_cut.png" in text and "1 more" in text and "move these files out" in text
    assert not models.loads


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [(b'"version":1', b'"version":9', "version 9"), (b"00001.png", b"../../x.p", "not a bare file name")],
)
def test_a_record_of_the_future_and_a_path_as_frame_name(workspace, models, old, new, match):
    from facewright.core.png import get_text, set_text
    from facewright.faces.record import KEYWORD

    path = workspace.dst.aligned_dir / "00001_0.png"
    text = get_text(path.read_bytes(), KEYWORD).replace(old.decode(), new.decode())
    path.write_bytes(set_text(path.read_bytes(), KEYWORD, text))
    refused(workspace, models, match)


def test_landmarks_at_one_place(workspace, models):
    points = np.full((68, 2), 5, np.float32)
    record = FaceRecord(FaceType.FULL, 64, points, points, "00001.png", "m", 1.0, (0, 0, 9, 9), np.eye(2, 3), (0, 0, 0))
    save_face(workspace.dst.aligned_dir / "flat.png", np.zeros((64, 64, 3), np.uint8), record)
    refused(workspace, models, "flat.png")


def test_a_damaged_frame_is_named(workspace, models):
    (workspace.dst.frames_dir / "00004.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"00004\.png"):
        run(workspace, models)


def test_without_a_model(workspace):
    pytest.importorskip("keras")
    with pytest.raises(UserError, match="no trained model"):
        step.run(workspace, ConvertOptions())


def test_without_a_model_nothing_is_asked(workspace, typed, capsys):
    shown = typed("1")
    assert cli.main(["convert", "--workspace", str(workspace.root)]) == 1
    assert shown == [] and "no trained model" in capsys.readouterr().err


def test_without_a_model_nothing_is_started_or_moved(workspace):
    """It is said at once: before TensorFlow is loaded, and before results of an earlier model go to the trash."""
    old = workspace.dst.merged_dir / "of no frame.png"
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_bytes((workspace.dst.frames_dir / "00001.png").read_bytes())
    code = "import sys; from facewright import cli; print(cli.main(sys.argv[1:]), 'keras' in sys.modules)"
    command = [sys.executable, "-c", code, "convert", "--yes", "--workspace", str(workspace.root)]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1] == "1 False" and "no trained model" in done.stderr
    assert old.exists() and not workspace.trash.exists()


def test_two_runs_at_once_are_refused(workspace, models):
    with workspace.lock("data_dst"), pytest.raises(UserError, match="in use"):
        run(workspace, models)


def left_half():
    """Return a record's mask: white where x of the aligned image of 64 px is in its left half."""
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :32] = 255
    return base64.b64encode(encode(mask)).decode()


def test_the_mask_of_a_face_limits_what_is_replaced(workspace, models, capsys):
    add_face(workspace, 1, "00001_0.png", mask=left_half())
    plain = run(workspace, models, ConvertOptions(mode="overlay"))
    before = times(workspace)
    assert plain.own_masks is None and "mask of their own" not in capsys.readouterr().out

    def replaced(name):
        frame = read_image(workspace.dst.frames_dir / name)
        return (read_image(workspace.dst.merged_dir / name) != frame).any(axis=2)

    whole = replaced("00001.png")
    report = run(workspace, models, ConvertOptions(mode="overlay", mask="record"))
    assert (report.faces, report.own_masks) == (5, 1) and "1 of 5 faces" in capsys.readouterr().out
    half = replaced("00001.png")
    assert whole[:, 44:].any() and not half[:, 44:].any() and half[30, 34]
    run(workspace, models, ConvertOptions(mode="overlay", mask="record"))
    assert models.loads == 2, "nothing to do"
    after = times(workspace)
    add_face(workspace, 1, "00001_0.png")
    run(workspace, models, ConvertOptions(mode="overlay", mask="record"))
    assert (replaced("00001.png") == whole).all(), "without a mask of its own as usual"
    assert [name for name in after if times(workspace)[name] != after[name]] == ["00001.png"]
    assert before.keys() == after.keys()


KILLED = """
import sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from facewright.core.workspace import Workspace
from commands.convert_runs import StubModels, run
models = StubModels()
predict = models.model.predict
models.model.predict = lambda faces: (time.sleep({delay}), predict(faces))[1]
print("ready", flush=True)
run(Workspace(Path(sys.argv[1])), models)
"""


def test_portraits_fill_every_frame_and_do_not_depend_on_the_mode(workspace, models, capsys):
    models.model = fake_model(portrait=True)
    run(workspace, models)
    pictures = [read_image(path) for path in merged(workspace)]
    assert len(pictures) == FRAMES and {picture.shape for picture in pictures} == {(32, 32, 3)}
    assert all(read_origin(path).made_with_network for path in merged(workspace))
    assert "the portrait of a frame beside" in capsys.readouterr().out
    before = times(workspace)
    run(workspace, models, ConvertOptions(mode="overlay", erode=50, mask="record"))
    assert times(workspace) == before and models.loads == 1
    models.model = fake_model(RED, "second", portrait=True)
    run(workspace, models)
    assert not set(times(workspace).items()) & set(before.items())


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
def test_killed_at_any_moment_the_next_run_goes_on(tmp_path, models):
    workspace = Workspace(tmp_path)
    fill(workspace, 60)
    paths = [path for path in sys.path if path]
    code = KILLED.format(paths=paths, delay=0.15)
    done = []
    for count in (1, 20):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout.readline().strip() == b"ready"
        while len(merged(workspace)) < count:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for path in merged(workspace):
            read_image(path)  # every picture that is there is whole
        done.append(len(merged(workspace)))
    before = times(workspace)
    assert 0 < len(before) < 60
    run(workspace, models)
    after = times(workspace)
    assert len(after) == 60 and not list(workspace.dst.merged_dir.glob(".*"))
    assert not workspace.trash.exists(), "nobody has retouched anything"
    # What was journaled is not made again: at most the look-ahead of the killed run is.
    assert sum(after[name] != before[name] for name in before) <= 24
    fresh = Workspace(tmp_path / "fresh")
    fill(fresh, 60)
    run(fresh, models)
    for path in merged(fresh):
        assert (read_image(path) == read_image(workspace.dst.merged_dir / path.name)).all()


def test_a_model_that_was_only_pretrained_is_refused(workspace):
    workspace.dst.merged_dir.mkdir()
    older = workspace.dst.merged_dir / "of an earlier run.png"
    write_image(older, scene(8, 8, 1))
    arrays = {"weights": {"w": np.ones(3, np.float32)}}
    for pretrain in (False, True):
        state = {"model": "h64", "iteration": 8, "pretrain": pretrain}
        checkpoint.save(workspace.model_dir / "hero", state, arrays)
        if not pretrain:
            assert SavedModels().newest(workspace.model_dir, "").name == "hero"
    for name in ("", "hero"):
        with pytest.raises(UserError, match="hero was only pretrained") as caught:
            step.run(workspace, ConvertOptions(model=name))
        assert "6_train.sh --name hero" in caught.value.fix and "--pretrain" not in caught.value.fix
    assert [path.name for path in merged(workspace)] == [older.name]


def test_nothing_is_asked_where_the_settings_are_chosen_on_a_page(workspace, typed):
    shown = typed()
    with pytest.raises(UserError, match="no trained model"):
        CommandPackage().load("convert").run_by_name(workspace, {"serve": True}, Answers.TYPED, use_answers=True)
    assert not shown
