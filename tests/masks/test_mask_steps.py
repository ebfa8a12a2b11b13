"""Train, apply, remove and fetch masks, as scripts 4.5 and 5.5 do."""

import json
from dataclasses import replace

import numpy as np
import pytest

from facewright.commands import mask
from facewright.core.errors import UserError
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.mask import decode_mask, hull_mask
from facewright.masks.options import MaskApplyOptions, MaskTrainOptions
from facewright.nn import checkpoint
from masks.labelled import drawn_faces, left_covered, polygon


def run(workspace, action, more=None, side="dst"):
    return mask.run(workspace, mask.Options(action, side), more)


def train(workspace, iterations, **given):
    quick = MaskTrainOptions(target_iter=iterations, batch_size=2, precision="float32", window=False, **given)
    return run(workspace, "train", quick)


def faces_of(workspace):
    return load_faceset(workspace.dst.aligned_dir).faces


def change(workspace, number, **given):
    index = load_faceset(workspace.dst.aligned_dir)
    face = index.faces[number]
    index.write(FaceFile(face.path, replace(face.record, **given)))


@pytest.mark.slow
def test_masks_are_trained_applied_taken_off_and_labels_are_kept(workspace, capsys):
    drawn_faces(workspace.dst.aligned_dir, 4)
    change(workspace, 0, mask=left_covered(), mask_source="painted")
    change(workspace, 1, polygons=(polygon(),))
    with pytest.raises(UserError, match="mask model"):
        run(workspace, "apply")
    assert train(workspace, 2).iteration == 2
    assert train(workspace, 3).iteration == 3  # goes on
    assert train(workspace, 3).iteration == 3  # has nothing to do
    assert train(workspace, 0, for_="1s").iteration >= 4  # by the clock
    state = checkpoint.newest(workspace.model_dir / "mask").generation.state
    assert (state["model"], state["labelled"], state["outside"]) == ("mask", 2, True)
    assert (workspace.model_dir / "preview.png").is_file()

    assert run(workspace, "apply").faces == 3
    records = [face.record for face in faces_of(workspace)]
    assert [record.mask_source for record in records] == ["painted", "predicted", "predicted", "predicted"]
    assert records[1].polygons
    assert decode_mask(records[2].mask).shape == (64, 64)
    assert run(workspace, "apply").faces == 0  # all done
    change(workspace, 3, mask=None)
    assert run(workspace, "apply").faces == 1  # a kill left one out
    assert run(workspace, "apply", MaskApplyOptions(redo=True)).faces == 3
    assert run(workspace, "apply", MaskApplyOptions(overwrite=True)).faces == 1
    kept = json.loads(next(workspace.trash.glob("*/.origin.json")).read_text())
    assert list(kept["files"].values()) == ["data_dst/aligned/00000_0.png"]  # the painted one can be brought back

    assert run(workspace, "remove").faces == 4
    assert all(face.record.mask is None for face in faces_of(workspace))
    assert faces_of(workspace)[1].record.polygons


@pytest.mark.slow
def test_masks_end_at_the_hull_where_no_label_reaches_out(workspace):
    drawn_faces(workspace.dst.aligned_dir, 2)
    drawn_faces(workspace.src.aligned_dir, 1)
    train(workspace, 1)
    run(workspace, "apply", side="src")
    record = load_faceset(workspace.src.aligned_dir).faces[0].record
    outside = hull_mask(record.landmarks, (64, 64)) == 0
    seen = decode_mask(record.mask)
    assert seen[:8][outside[:8]].max() == 0


def test_a_model_of_another_kind_in_the_folder_of_the_mask_model_is_left_alone(workspace):
    drawn_faces(workspace.dst.aligned_dir, 1)
    state = {"model": "quick", "iteration": 5}
    checkpoint.save(workspace.model_dir / "mask", state, {"weights": {"a": np.zeros(2, np.float32)}})
    for action in ("train", "apply"):
        with pytest.raises(UserError, match="mask"):
            run(workspace, action, MaskTrainOptions(window=False) if action == "train" else None)
    assert checkpoint.newest(workspace.model_dir / "mask").generation.state["model"] == "quick"


def test_labelled_faces_are_copied_and_a_second_time_nothing_changes(workspace):
    drawn_faces(workspace.dst.aligned_dir, 3)
    assert run(workspace, "fetch").folder is None
    change(workspace, 1, polygons=(polygon(),))
    change(workspace, 2, mask=left_covered(), mask_source="predicted")
    report = run(workspace, "fetch")
    assert [path.name for path in report.folder.iterdir()] == ["00001_0.png"]
    before = (report.folder / "00001_0.png").stat().st_mtime_ns
    assert run(workspace, "fetch").faces == 1
    assert (report.folder / "00001_0.png").stat().st_mtime_ns == before
    assert np.array_equal(load_faceset(report.folder).faces[0].record.polygons[0].points, polygon().points)


@pytest.mark.parametrize("action", ["train", "apply", "remove", "fetch", ""])
def test_without_faces_or_an_action_it_says_so(workspace, action):
    with pytest.raises(UserError, match=r"faces|action|done"):
        run(workspace, action, MaskTrainOptions(window=False) if action == "train" else None)
