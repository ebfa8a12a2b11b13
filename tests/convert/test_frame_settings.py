"""Settings of all frames, of shots and of single frames: who inherits what, what is kept, what is converted."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.convert_runs import FRAMES, StubModels, fill
from core.test_json_data import HOSTILE
from facewright.commands import convert as command
from facewright.convert.controls import GROUPS
from facewright.convert.parameters import ConvertOptions
from facewright.convert.session import convert
from facewright.convert.settings import Scope, SettingsByFrame, controls
from facewright.convert.settings_file import load_settings, save_settings, saved_base, settings_path
from facewright.core.errors import UserError
from facewright.core.options import declared

NAMES = tuple(f"{index:05d}.png" for index in range(1, 11))
ALL, SHOT, FRAME = Scope.ALL, Scope.SHOT, Scope.FRAME


def erodes(settings):
    return [settings.options(at).erode for at in range(len(settings.names))]


def changed_frames(before, after):
    return [at for at in range(len(before.names)) if before.options(at) != after.options(at)]


def test_what_a_layer_does_not_name_is_inherited():
    settings = SettingsByFrame(NAMES).toggle_marker(4).toggle_marker(8)
    settings = settings.with_value(5, "erode", 20, SHOT).with_value(6, "erode", 30, FRAME)
    assert erodes(settings) == [0, 0, 0, 0, 20, 20, 30, 20, 0, 0]
    assert settings.shot(6) == range(4, 8) and settings.starts == [0, 4, 8]
    settings = settings.with_value(0, "blur", 7, ALL)
    assert {settings.options(at).blur for at in range(10)} == {7} and erodes(settings)[6] == 30
    settings = settings.with_value(9, "erode", 5, ALL)  # it was asked for on all frames, so all have it
    assert erodes(settings) == [5] * 10


def test_without_a_marker_a_shot_is_the_whole_clip_and_frames_keep_their_own():
    settings = SettingsByFrame(NAMES).with_value(3, "erode", 30, FRAME).with_value(7, "erode", 9, SHOT)
    assert settings.base.erode == 9 and erodes(settings) == [9, 9, 9, 30, 9, 9, 9, 9, 9, 9]
    assert erodes(settings.with_value(3, "erode", 9, SHOT)) == [9] * 10  # what is seen there is what was asked for


def test_the_first_shot_may_differ_from_the_others():
    settings = SettingsByFrame(NAMES).toggle_marker(5).with_value(2, "mode", "seamless", SHOT)
    assert [settings.options(at).mode for at in (0, 4, 5, 9)] == ["seamless", "seamless", "light", "light"]


def test_a_marker_changes_nothing_until_something_is_set():
    plain = SettingsByFrame(NAMES).toggle_marker(3).with_value(3, "erode", 20, SHOT)
    for at in range(1, 10):
        if at != 3:
            assert changed_frames(plain, plain.toggle_marker(at)) == []
    assert erodes(plain.toggle_marker(3)) == [0] * 10
    assert plain.toggle_marker(0) is plain


def test_reset_lets_inherit_again():
    settings = SettingsByFrame(NAMES).toggle_marker(5).with_value(6, "erode", 20, SHOT).with_value(6, "blur", 9, FRAME)
    assert changed_frames(settings, settings.reset(6, FRAME)) == [6]
    assert erodes(settings.reset(7, SHOT)) == [0] * 10
    assert settings.with_value(0, "opacity", 10, ALL).reset(0, ALL).base == ConvertOptions()
    assert settings.own(6, FRAME) == {"blur": 9} and settings.own(6, SHOT) == {"erode": 20}
    assert settings.with_value(0, "opacity", 10, ALL).own(3, ALL) == {"opacity": 10}


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from(["erode", "blur"]), st.integers(0, 3), st.sampled_from([*Scope, None])
    ),
    max_size=12,
)


@given(CHANGES, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_copies_reach_the_frames_they_are_made_for_and_no_other(changes, at, one, other):
    settings = SettingsByFrame(NAMES)
    for where, name, value, scope in changes:
        settings = settings.with_value(where, name, value, scope) if scope else settings.toggle_marker(where)
        assert scope is None or getattr(settings.options(where), name) == value
    wanted = settings.options(at)
    copied = settings.copied_to(at, one)
    assert copied.options(one) == wanted and set(changed_frames(settings, copied)) <= {one}
    first, last = sorted((one, other))
    copied = settings.copied_over(at, first, last)
    assert all(copied.options(frame) == wanted for frame in range(first, last + 1))
    assert set(changed_frames(settings, copied)) <= set(range(first, last + 1))


def test_every_control_has_a_heading_and_no_two_share_a_key():
    of_look = {spec.name for spec in declared(ConvertOptions) if spec.affects_output} - {"format", "alpha", "mask_only"}
    assert {spec.name for spec in controls()} == of_look and {spec.group for spec in controls()} == set(GROUPS)
    keys = [key for spec in controls() for key in spec.keys]
    assert len(keys) == len(set(keys)) and all(len(key) == 1 for key in keys)
    for spec in controls():
        fits = spec.choices.keys() | {">"} if spec.choices else {"+", "-"}
        assert set(spec.keys.values()) <= fits


@pytest.fixture
def frames(workspace):
    fill(workspace)
    return tuple(path.name for path in workspace.dst.frames())


def test_settings_are_the_same_after_they_were_saved(workspace, frames):
    made = SettingsByFrame(frames).with_value(0, "mode", "overlay", ALL).toggle_marker(3)
    made = made.with_value(4, "keep", "eyes+mouth", SHOT).with_value(5, "erode", -20, FRAME)
    save_settings(workspace.dst, made)
    assert saved_base(workspace.dst)["mode"] == "overlay"
    assert load_settings(workspace, frames, ConvertOptions(**saved_base(workspace.dst))) == made
    assert load_settings(workspace, frames, ConvertOptions()).options(4) == ConvertOptions(keep="eyes+mouth")


def test_settings_of_frames_that_are_gone_are_named_and_kept(workspace, frames, capsys):
    made = SettingsByFrame(frames).toggle_marker(3).with_value(3, "erode", 20, SHOT).with_value(1, "blur", 9, FRAME)
    save_settings(workspace.dst, made)
    rest = tuple(name for name in frames if name not in ("00002.png", "00004.png"))
    loaded = load_settings(workspace, rest, ConvertOptions())
    said = capsys.readouterr().out
    assert "00002.png" in said and "00004.png" in said
    assert erodes(loaded) == [0] * 4
    save_settings(workspace.dst, loaded.with_value(0, "opacity", 50, FRAME))
    back = load_settings(workspace, frames, ConvertOptions())
    assert erodes(back) == erodes(made) and back.options(1).blur == 9 and back.options(0).opacity == 50


@pytest.mark.parametrize("data", [*HOSTILE.values(), b"", b'{"version": 1}', b'{"version": 1, "base": {"erode": []}}'])
def test_damaged_settings_move_to_the_trash(workspace, frames, capsys, data):
    path = settings_path(workspace.dst)
    path.write_bytes(data)
    assert saved_base(workspace.dst) == {} and path.exists()
    assert load_settings(workspace, frames, ConvertOptions()) is None and not path.exists()
    assert [one.read_bytes() for one in workspace.trash.rglob(path.name)] == [data]
    assert path.name in capsys.readouterr().out


def test_settings_of_a_newer_version_are_left_alone(workspace, frames):
    path = settings_path(workspace.dst)
    path.write_text('{"version": 2, "base": [], "curves": {}}')
    for read in (lambda: saved_base(workspace.dst), lambda: load_settings(workspace, frames, ConvertOptions())):
        with pytest.raises(UserError, match="newer") as problem:
            read()
        assert "--no-saved-settings" in problem.value.fix
    convert(workspace, ConvertOptions(saved_settings=False), StubModels())
    assert json.loads(path.read_text())["version"] == 2


def test_values_that_fit_no_control_are_passed_over(workspace, frames, capsys):
    odd = {"erode": 1000, "mode": "7x", "model": "../x", "blur": 5, "opacity": "50", "unheard": 1}
    value = {"version": 1, "base": odd, "shots": {frames[2]: odd}, "frames": {frames[0]: {"keep": True}}}
    settings_path(workspace.dst).write_text(json.dumps(value))
    assert saved_base(workspace.dst) == {"blur": 5, "opacity": 50}
    settings = load_settings(workspace, frames, ConvertOptions())
    assert settings.options(3) == ConvertOptions(blur=5, opacity=50) and settings.options(0) == ConvertOptions()
    said = capsys.readouterr().out
    assert all(name in said for name in ("erode", "mode", "model", "unheard", "keep"))


def merged(workspace):
    return {path.stem: path.read_bytes() for path in workspace.dst.merged_dir.iterdir()}


def test_only_frames_whose_settings_changed_are_converted_again(workspace, frames, capsys):
    models, options = StubModels(), ConvertOptions(mode="overlay")
    assert convert(workspace, options, models).written == FRAMES
    before = merged(workspace)
    made = SettingsByFrame(frames, options).toggle_marker(4).with_value(4, "opacity", 40, SHOT)
    save_settings(workspace.dst, made.with_value(0, "opacity", 70, FRAME))
    report = convert(workspace, options, models)
    assert report.written == 3 and "--no-saved-settings" in capsys.readouterr().out
    after = merged(workspace)
    assert sorted(stem for stem in before if before[stem] != after[stem]) == ["00001", "00005", "00006"]
    assert convert(workspace, options, models).written == 0
    assert convert(workspace, ConvertOptions(mode="overlay", saved_settings=False), models).written == 3
    assert merged(workspace) == before


def test_a_run_begins_with_what_was_saved_for_all_frames(workspace, frames):
    save_settings(workspace.dst, SettingsByFrame(frames, ConvertOptions(mode="seamless", blur=9)))
    (workspace.model_dir / "x").mkdir(parents=True)
    workspace.dst.frames_dir.rename(workspace.root / "kept")  # without frames no model is asked for
    workspace.dst.frames_dir.mkdir()
    (workspace.root / "kept" / settings_path(workspace.dst).name).rename(settings_path(workspace.dst))
    plan = command.plan(workspace, {})
    assert plan.remembered["mode"] == "seamless" and plan.remembered["blur"] == 9 and not plan.ask
    assert command.plan(workspace, {"saved_settings": False}).ask


def test_settings_of_a_long_clip_are_found_at_once():
    names = tuple(f"{index:06d}.png" for index in range(20_000))
    settings = SettingsByFrame(names)
    for at in range(100, 20_000, 2_000):
        settings = settings.toggle_marker(at).with_value(at, "erode", at // 2_000, SHOT)
    assert np.unique(erodes(settings)).tolist() == list(range(10))
    assert len({id(settings.options(at)) for at in range(20_000)}) <= 11
