"""What a frame's key depends on: everything that is declared to change the result, and nothing else."""

import base64
import dataclasses
import hashlib
import json

import numpy as np
import pytest

from commands.convert_runs import add_face, fill
from facewright.convert import plan
from facewright.convert.cast import Cast, TrainedState
from facewright.convert.masks import PROVIDERS, DstFace, MaskKind
from facewright.convert.parameters import ConvertOptions, Parameters, keyed_options, resolve_parameters
from facewright.convert.pipeline import ModelInput
from facewright.convert.plan import Job, Share, count_masked_faces, job_key, list_faces, make_plan, uses_records
from facewright.convert.session import SavedModels
from facewright.core.errors import UserError
from facewright.core.files import png_fingerprint
from facewright.core.images import encode, read_image, write_image
from facewright.core.options import declared
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType
from facewright.faces.mask import decode_mask
from facewright.faces.occlusion import NOTHING
from facewright.faces.polygons import Polygon
from facewright.faces.record import load_record, update_record
from facewright.models import registry
from facewright.models.spec import ConverterDefaults
from facewright.nn import checkpoint

# In this mode, with this file, every option plays a part.
BASE = ConvertOptions(mode="hist-match", sharpen=10, super_resolution="larger.onnx")
STATE = TrainedState("hero", "first", ModelInput(64, FaceType.FULL), ConverterDefaults(30, 0))


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path)
    fill(workspace, 3)  # frame 3 has no face
    return workspace


def keys(workspace, options=BASE, trained=STATE):
    side = workspace.dst
    made = make_plan(side.distinct_frames(), list_faces(side), side, options, Cast(trained))
    return {planned.job.frame.name: planned.key for planned in made}


def changed(before, after):
    return sorted(name for name in before if before[name] != after[name])


WITH_FACE = ["00001.png", "00002.png"]
ALL = [*WITH_FACE, "00003.png"]


def test_faces_move_as_in_the_whole_clip_where_only_some_frames_are_chosen(workspace):
    for index in (1, 2, 3):
        add_face(workspace, index, f"{index:05d}_0.png", (26 + 4 * index, 30))
    side = workspace.dst
    frames, faces = side.distinct_frames(), list_faces(side)

    def motions(chosen, *, discard_frames=False):
        options = ConvertOptions(motion_blur=50, discard_frames=discard_frames)
        made = make_plan(frames, faces, side, options, Cast(STATE), chosen=chosen)
        return {planned.job.frame.name: [face.motion for face in planned.job.faces] for planned in made}

    every, second = motions(None), "00002.png"
    assert every[second][0][0] > 0.05
    assert motions(frames[1:2]) == {"00001.png": [], second: every[second], "00003.png": []}
    assert motions(frames[1:2], discard_frames=True) == {second: every[second]}


def other(value):
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return f"{value} x"


def other_choice(spec, value):
    return next(choice for choice in spec.choices if choice != value) if spec.choices else other(value)


@pytest.mark.parametrize("name", [spec.name for spec in declared(ConvertOptions) if spec.affects_output])
def test_every_option_that_affects_the_output_changes_the_key(workspace, name):
    spec = next(spec for spec in declared(ConvertOptions) if spec.name == name)
    options = dataclasses.replace(BASE, **{name: other_choice(spec, getattr(BASE, name))})
    assert changed(keys(workspace), keys(workspace, options)) == (
        ALL if name in ("format", "alpha", "mask_only") else WITH_FACE
    )


@pytest.mark.parametrize("name", [spec.name for spec in declared(ConvertOptions) if not spec.affects_output])
def test_no_other_option_does(workspace, name):
    options = dataclasses.replace(BASE, **{name: other(getattr(BASE, name))})
    assert keys(workspace) == keys(workspace, options)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(ConverterDefaults)])
def test_every_converter_default_of_the_model_does(workspace, field):
    defaults = dataclasses.replace(STATE.defaults, **{field: other(getattr(STATE.defaults, field))})
    trained = dataclasses.replace(STATE, defaults=defaults)
    options = dataclasses.replace(BASE, mode="light") if field.startswith("light") else BASE
    assert changed(keys(workspace, options), keys(workspace, options, trained=trained)) == WITH_FACE


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Parameters)])
def test_every_parameter_of_the_frame_does(workspace, field):
    side = workspace.dst
    job = make_plan(side.distinct_frames(), list_faces(side), side, BASE, Cast(STATE))[0].job
    (share,) = job.shares
    value = (MaskKind.RECORD, MaskKind.HULL) if field == "masks" else other(getattr(share.parameters, field))
    changed_share = dataclasses.replace(share, parameters=dataclasses.replace(share.parameters, **{field: value}))
    assert job_key(job) != job_key(dataclasses.replace(job, shares=(changed_share,)))


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (ConvertOptions(), "c2b6758f429d5c0dfe7d16e9e53dbe30"),
        (ConvertOptions(mode="seamless"), "f5ea8bffb300211a10999c7ce51b5381"),
        (ConvertOptions(mode="hist-match", mask="record", keep="eyes", sharpen=20), "84844ffd4b7791c39299bd72106bab19"),
    ],
)
def test_a_control_that_is_added_makes_nobodys_frames_stale(options, key, tmp_path):
    """Their keys, with the version of the blending: who changes what follows from the same options raises that."""
    frame = tmp_path / "00001.png"
    frame.write_bytes(b"not an image, but always the same bytes")
    face = DstFace(np.arange(136, dtype=float).reshape(68, 2))
    share = Share((face,), STATE, resolve_parameters(options, STATE.defaults), keyed_options(options))
    assert job_key(Job(1, frame, tmp_path / "merged" / "00001.png", (share,))) == key


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"fingerprint": "second"},
        {"wanted": ModelInput(128, FaceType.FULL)},
        {"wanted": ModelInput(64, FaceType.HALF)},
    ],
)
def test_the_trained_state_does(workspace, change):
    trained = dataclasses.replace(STATE, **change)
    assert changed(keys(workspace), keys(workspace, trained=trained)) == WITH_FACE


def test_the_version_of_the_pipeline_does(workspace, monkeypatch):
    before = keys(workspace)
    monkeypatch.setattr(plan, "VERSION", plan.VERSION + 1)
    assert changed(before, keys(workspace)) == WITH_FACE


def mask_of(value):
    return base64.b64encode(encode(np.full((64, 64), value, np.uint8))).decode()


def test_a_moved_face_a_repainted_mask_and_another_frame_change_their_own_frame_only(workspace):
    options = dataclasses.replace(BASE, mask="record")
    seen = [keys(workspace, options)]
    for change in (
        lambda: add_face(workspace, 2, "00002_0.png", centre=(41, 30)),
        lambda: add_face(workspace, 2, "00002_0.png", centre=(41, 30), mask=mask_of(255)),
        lambda: add_face(workspace, 2, "00002_0.png", centre=(41, 30), mask=mask_of(254)),
        lambda: add_face(workspace, 2, "another.png", centre=(20, 30)),
        lambda: write_image(workspace.dst.frames_dir / "00002.png", np.zeros((60, 80, 3), np.uint8)),
    ):
        change()
        seen.append(keys(workspace, options))
        assert changed(*seen[-2:]) == ["00002.png"]


def test_polygons_count_where_masks_of_records_do(workspace):
    """Also on a face that carries no mask: they change its hull."""
    options, before = dataclasses.replace(BASE, mask="record"), keys(workspace)
    recorded = keys(workspace, options)
    path = next(face.path for face in list_faces(workspace.dst)["00002"])
    drawn = Polygon("exclude", np.float32([(-1, -1), (99, -1), (99, 99), (-1, 99)]))
    update_record(path, dataclasses.replace(load_record(path), polygons=(drawn,)))
    assert changed(recorded, keys(workspace, options)) == ["00002.png"]
    assert keys(workspace) == before
    side = workspace.dst
    plan = make_plan(side.distinct_frames(), list_faces(side), side, options, Cast(STATE))
    masks = {planned.job.frame.name: planned.job.faces[0].mask for planned in plan[:2]}
    assert masks["00001.png"] is None
    assert decode_mask(masks["00002.png"].text).max() == 0


def test_the_mask_of_a_mask_model_is_used_where_it_is_asked_for(workspace):
    options = dataclasses.replace(BASE, mask="model")
    before = keys(workspace, options)
    add_face(workspace, 2, "00002_0.png", mask=mask_of(0))  # imported
    assert keys(workspace, options) == before
    path = next(face.path for face in list_faces(workspace.dst)["00002"])
    update_record(path, dataclasses.replace(load_record(path), mask_source="predicted"))
    assert changed(before, keys(workspace, options)) == ["00002.png"]
    side = workspace.dst
    plan = make_plan(side.distinct_frames(), list_faces(side), side, options, Cast(STATE))
    assert count_masked_faces(plan) == 1 and uses_records(plan[0])
    (share,) = plan[1].job.shares
    (face,) = share.faces
    predicted, hull = (PROVIDERS[kind](face, np.float64([[1, 0, 0], [0, 1, 0]]), 64) for kind in share.parameters.masks)
    assert predicted.max() == 0 < hull.max()


def test_a_mask_that_is_not_used_changes_nothing(workspace):
    before = keys(workspace)
    add_face(workspace, 2, "00002_0.png", mask=mask_of(255))
    assert keys(workspace) == before


def test_every_frame_of_a_portrait_video_has_a_face_and_depends_on_no_option_of_blending(workspace):
    side, portrait = workspace.dst, dataclasses.replace(STATE, portrait=True)
    frames = side.distinct_frames()
    made = [planned.job for planned in make_plan(frames, list_faces(side), side, BASE, Cast(portrait))]
    assert [len(job.faces) for job in made] == [1, 1, 1] and [job.shown for job in made] == [None, None, frames[1]]
    others = ConvertOptions(mode="overlay", erode=50, blur=50, mask="record")
    assert keys(workspace, trained=portrait) == keys(workspace, others, portrait)
    assert changed(keys(workspace, trained=portrait), keys(workspace)) == ALL
    assert not any(planned.job.faces for planned in make_plan(frames, {}, side, BASE, Cast(portrait)))


def test_what_an_earlier_program_converted_needs_no_other_conversion(workspace):
    """It knew a frame by its length and its end, which tells compressed images only."""
    side = workspace.dst

    def planned():
        return make_plan(side.distinct_frames(), list_faces(side), side, BASE, Cast(STATE))[0]

    def earlier(one):
        parts = {**one.parts, "content": png_fingerprint(one.job.source)}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    noted = earlier(planned())
    assert planned().has_key(noted) and planned().has_key(planned().key) and not planned().has_key(None)
    frame = side.frames_dir / "00001.png"
    image = read_image(frame)
    write_image(frame, image[::-1])
    assert not planned().has_key(noted)
    frame.unlink()
    write_image(frame.with_suffix(".bmp"), image)
    assert not planned().has_key(earlier(planned()))


def test_a_portrait_depends_on_the_frame_whose_face_it_shows(workspace):
    portrait = dataclasses.replace(STATE, portrait=True)
    before = keys(workspace, trained=portrait)
    write_image(workspace.dst.frames_dir / "00002.png", np.zeros((60, 80, 3), np.uint8))
    assert changed(before, keys(workspace, trained=portrait)) == ["00002.png", "00003.png"]


def test_where_the_mask_lies_in_the_frame_is_part_of_the_key(workspace):
    options = dataclasses.replace(BASE, mask="record")
    add_face(workspace, 2, "00002_0.png", mask=mask_of(255))
    path = workspace.dst.aligned_dir / "00002_0.png"
    before = keys(workspace, options)
    update_record(path, dataclasses.replace(load_record(path), matrix=load_record(path).matrix * 1.01))
    assert changed(before, keys(workspace, options)) == ["00002.png"]


def test_a_mask_that_cannot_be_read_is_not_counted(workspace):
    for number, mask in ((1, mask_of(255)), (2, "no mask")):
        add_face(workspace, number, f"{number:05d}_0.png", mask=mask)
    side, options = workspace.dst, dataclasses.replace(BASE, mask="record")
    made = make_plan(side.distinct_frames(), list_faces(side), side, options, Cast(STATE))
    assert count_masked_faces(made) == 1


def test_occlusion_and_movement_are_in_the_key_where_they_are_used_only(workspace):
    options = {
        "mask": {"mask": "occlusion", "occlusion": "paint"}, "motion": {"motion_blur": 50}, "none": {},
        "paint": {"occlusion": "paint"},
    }  # fmt: skip
    before = {name: keys(workspace, ConvertOptions(**values)) for name, values in options.items()}
    path = workspace.dst.aligned_dir / "00001_0.png"
    record = load_record(path)
    update_record(path, dataclasses.replace(record, occlusion=NOTHING))
    looked_at = {name: keys(workspace, ConvertOptions(**values)) for name, values in options.items()}
    assert looked_at == before  # a face that nothing covers is not converted anew
    update_record(path, dataclasses.replace(record, occlusion=mask_of(255)))
    after = {name: keys(workspace, ConvertOptions(**values)) for name, values in options.items()}
    assert {name: changed(before[name], after[name]) for name in options} == {
        "mask": ["00001.png"], "motion": ["00001.png"], "none": ["00001.png"], "paint": []
    }  # fmt: skip
    add_face(workspace, 2, "00002_0.png", centre=(43, 30))
    moved = {name: keys(workspace, ConvertOptions(**values)) for name, values in options.items()}
    assert changed(after["motion"], moved["motion"]) == WITH_FACE  # the face beside one that moved moves, too
    assert changed(after["none"], moved["none"]) == ["00002.png"]
    side = workspace.dst
    made = make_plan(side.distinct_frames(), list_faces(side), side, ConvertOptions(mask="occlusion"), Cast(STATE))
    assert count_masked_faces(made) == 1 and uses_records(made[0])


def test_defaults_that_a_model_inherits_change_the_key(workspace, monkeypatch):
    state = {"model": "liaef128yaw", "iteration": 8}
    checkpoint.save(workspace.model_dir / "hero", state, {"weights": {"w": np.ones(3, np.float32)}})
    parent = registry.model_class("liaef128")

    def keys_now():
        return keys(workspace, trained=SavedModels().newest(workspace.model_dir, ""))

    before = keys_now()
    monkeypatch.setattr(parent, "title", "other words")
    assert keys_now() == before
    monkeypatch.setattr(parent, "converter", dataclasses.replace(parent.converter, erode=31))
    assert changed(before, keys_now()) == WITH_FACE


def test_the_model_that_was_named_is_taken_else_the_one_saved_last(workspace):
    weights = {"weights": {"w": np.ones(3, np.float32)}}
    for name, model in (("old", "h64"), ("new", "df"), ("foreign", "no such model")):
        checkpoint.save(workspace.model_dir / name, {"model": model, "iteration": 8}, weights)

    def newest(name):
        return SavedModels().newest(workspace.model_dir, name).name

    assert (newest("old"), newest("new"), newest("")) == ("old", "new", "new")
    for name, says in (("foreign", "no such model"), ("nobody", "no trained model 'nobody'")):
        with pytest.raises(UserError, match=says):
            newest(name)
