"""A cast: who is replaced by which model, in one pass."""

from dataclasses import replace

import numpy as np
import pytest

from commands.convert_runs import BLUE, RED, add_face, fake_model, run
from convert.drawn_faces import scene
from facewright.commands import convert as step
from facewright.convert.cast import ask_cast
from facewright.convert.launch import open_preview
from facewright.convert.parameters import ConvertOptions
from facewright.convert.selection import parse_cast
from facewright.convert.session import state_of
from facewright.core.errors import UserError
from facewright.core.images import read_image, write_image
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType
from facewright.faces.faceset import load_faceset
from facewright.nn import checkpoint

LEFT, MIDDLE, RIGHT = (30, 30), (80, 30), (130, 30)
BOTH = ConvertOptions(mode="overlay", cast="1=quick, 2=df")


class TwoModels:
    """Models of different sizes and face types; notes what was loaded."""

    def __init__(self):
        df = fake_model(RED, name="df", side=48)
        df.face_type = FaceType.FULL
        self.models, self.loaded = {"quick": fake_model(BLUE, name="quick"), "df": df}, []

    def names(self, model_dir):
        return list(self.models)

    def newest(self, model_dir, name):
        return state_of(self.models[name or "quick"])

    def load(self, model_dir, name):
        self.loaded.append(name)
        return self.models[name or "quick"]


@pytest.fixture
def models():
    return TwoModels()


@pytest.fixture
def workspace(tmp_path):
    """Frame 1 shows persons 1, 2 and 3, frame 2 person 1, frame 3 person 2, frame 4 one without a number."""
    workspace = Workspace(tmp_path)
    workspace.dst.aligned_dir.mkdir(parents=True)
    shown = {1: ((1, LEFT), (2, MIDDLE), (3, RIGHT)), 2: ((1, RIGHT),), 3: ((2, LEFT),), 4: ((None, LEFT),)}
    for index, faces in shown.items():
        write_image(workspace.dst.frames_dir / f"{index:05d}.png", scene(60, 160, index))
        for number, (person, centre) in enumerate(faces):
            add_face(workspace, index, f"{index:05d}_{number}.png", centre, person=person)
    return workspace


def colours(workspace, index):
    """What the middle of each place shows: "blue" (quick), "red" (df) or "" for the frame itself."""
    image = read_image(workspace.dst.merged_dir / f"{index:05d}.png")
    before = read_image(workspace.dst.frames_dir / f"{index:05d}.png")
    named = {0: "blue", 2: "red"}
    places = (LEFT, MIDDLE, RIGHT)
    return ["" if (image[y, x] == before[y, x]).all() else named[int(np.argmax(image[y, x]))] for x, y in places]


def test_each_person_gets_its_model_and_others_stay(workspace, models, capsys):
    report = run(workspace, models, BOTH)
    assert [colours(workspace, index) for index in (1, 2, 3, 4)] == [
        ["blue", "red", ""],
        ["", "", "blue"],
        ["red", "", ""],
        ["", "", ""],
    ]
    assert sorted(models.loaded) == ["df", "quick"] and report.replaced_faces == 4 and report.copied == 1
    said = capsys.readouterr().out
    assert "quick for person 1" in said and "df for person 2" in said


def test_another_state_of_one_model_makes_its_own_frames_again(workspace, models):
    run(workspace, models, BOTH)
    models.models["df"], models.loaded = replace_fingerprint(models.models["df"]), []
    report = run(workspace, models, BOTH)
    assert report.written == 2 and sorted(models.loaded) == ["df", "quick"]  # frame 1 shows both
    assert run(workspace, models, BOTH).written == 0


def replace_fingerprint(model):
    changed = fake_model(RED, "second", name=model.name, side=model.resolution)
    changed.face_type = model.face_type
    return changed


def test_another_cast_makes_the_changed_frames_again(workspace, models):
    run(workspace, models, BOTH)
    models.loaded = []
    assert run(workspace, models, replace(BOTH, cast="2=df")).written == 2  # frames 1 and 2 showed person 1 replaced
    assert (
        models.loaded == ["df"] and colours(workspace, 1) == ["", "red", ""] and colours(workspace, 2) == ["", "", ""]
    )


def test_whoever_is_cast_may_be_missing_in_the_chosen_frames(workspace, models):
    report = run(workspace, models, replace(BOTH, frame_ranges="2", discard_frames=True))
    assert report.written == 1 and models.loaded == ["quick"] and colours(workspace, 2) == ["", "", "blue"]


def test_one_model_may_play_two(workspace, models):
    run(workspace, models, replace(BOTH, cast="1=df,3=df"))
    assert models.loaded == ["df"] and colours(workspace, 1) == ["red", "", "red"]


def test_the_preview_shows_a_cast_as_it_is_converted(workspace, models):
    run(workspace, models, BOTH)
    opened = open_preview(workspace, BOTH, models)
    assert opened.title == "quick, df"
    for at, path in enumerate(workspace.dst.frames()):
        np.testing.assert_array_equal(opened.preview.render(at, BOTH), read_image(workspace.dst.merged_dir / path.name))


def test_what_is_not_there_is_answered_with_what_is(workspace, models):
    with pytest.raises(UserError, match="no person 7") as caught:
        run(workspace, models, replace(BOTH, cast="7=quick"))
    assert all(number in caught.value.expected for number in ("1 (", "2 (", "3 ("))
    with pytest.raises(UserError, match="no trained model hero") as caught:
        run(workspace, models, replace(BOTH, cast="1=hero"))
    assert "quick" in caught.value.expected and "df" in caught.value.expected
    models.models["df"].portrait = True
    with pytest.raises(UserError, match="df makes portraits"):
        run(workspace, models, BOTH)
    assert not models.loaded and not list(workspace.dst.frames_dir.glob("merged/*"))


@pytest.mark.parametrize(
    "text", ["quick", "1=", "=quick", "0=quick", "-1=quick", "1=quick,,", "1=a,1=b", "1;2=a", "9" * 12 + "=a"]
)
def test_what_is_no_cast_is_refused(text):
    with pytest.raises(UserError) as caught:
        parse_cast(text)
    assert "--cast" in caught.value.fix


def test_a_cast_as_people_type_it():
    assert parse_cast(" 2 = my model.v2 ,1=quick") == {2: "my model.v2", 1: "quick"} and parse_cast(" ") == {}


def test_it_is_asked_where_there_is_a_choice(workspace, typed, capsys):
    faces = load_faceset(workspace.dst.aligned_dir).faces
    questions = typed("7=quick", "1=hero", "1", "1=quick,2=df")
    assert ask_cast(faces, ["quick", "df"], workspace.dst) == "1=quick,2=df" and len(questions) == 4
    typed("")
    assert ask_cast(faces, ["quick", "df"], workspace.dst) == ""
    assert "1 (2 faces)" in capsys.readouterr().out
    questions = typed()
    assert ask_cast(faces, ["quick"], workspace.dst) == "" and not questions
    assert ask_cast(faces[:1], ["quick", "df"], workspace.dst) == "" and not questions


def test_the_answer_is_a_flag_of_the_run(workspace, typed):
    for name, kind in (("quick", "quick"), ("second", "df")):
        state = {"model": kind, "iteration": 8}
        checkpoint.save(workspace.model_dir / name, state, {"weights": {"w": np.ones(3, np.float32)}})
    for flags in ({"preview": False}, {"serve": True}):
        typed("1=quick,2=second")
        assert step.plan(workspace, flags).flags == {"cast": "1=quick,2=second"}
    questions = typed()
    for flags in ({"model": "quick"}, {"cast": ""}):
        assert step.plan(workspace, {"preview": False, **flags}).flags == {} and not questions
    for answer in ("yes", "no"):  # look first?
        typed(answer)
        plan = step.plan(workspace, {"cast": ""})
        assert plan.flags == {"preview": answer == "yes"} and plan.ask is (answer == "no")
