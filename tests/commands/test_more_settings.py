"""Convert by questions: the controls that have none of their own are offered in a list."""

import contextlib

import pytest

from facewright.convert.parameters import ConvertOptions
from facewright.core.command import CommandPackage
from facewright.core.console import Answers
from facewright.core.errors import UserError
from facewright.core.more_settings import ask_for_more

QUESTIONS = ("", "", "")  # mode, erode, blur


def answer(workspace, answers=Answers.TYPED):
    with contextlib.suppress(UserError):  # there are no frames
        CommandPackage().load("convert").run_by_name(workspace, {}, answers, use_answers=True)


def remembered(workspace):
    return CommandPackage().load("convert").remembered(workspace)


def test_changed_by_lines_and_remembered(workspace, typed, capsys):
    questions = typed(*QUESTIONS, "y", "mask occlusion", "erode left 10", "--face-scale=-3", "")
    answer(workspace)
    assert len(questions) == 8
    kept = remembered(workspace)
    assert (kept["mask"], kept["erode_left"], kept["face_scale"]) == ("occlusion", 10, -3) and "opacity" not in kept
    assert "mask hull" in capsys.readouterr().out
    questions = typed(*QUESTIONS, "")
    answer(workspace)
    assert len(questions) == 4 and "mask occlusion, " in capsys.readouterr().out
    typed(*QUESTIONS, "y", "mask hull", "")
    answer(workspace)
    assert remembered(workspace)["mask"] == "hull"


def test_wrong_lines_get_a_sentence(typed, capsys):
    typed(
        "y",
        "erode_left 101",
        "mask ocllusion",
        "nose 5",
        "erodeleft 5",
        "opacity 5 6",
        "-",
        "=",
        "hist_threshold 9",
        "",
    )
    assert ask_for_more(ConvertOptions()) == ConvertOptions()
    said = capsys.readouterr().out
    assert "from -100 to 100" in said and "learned-prd" in said and said.count("There is no setting") == 5
    assert "erode_left say" in said
    assert "hist_threshold plays no part" in said and said.count("Mask edge: ") == 1, (
        "the list is shown when it changed"
    )


def test_a_name_alone_is_explained_and_asked(typed, capsys):
    typed("y", "keep", "?", "mouth", "")
    assert ask_for_more(ConvertOptions()) == ConvertOptions(keep="mouth")
    assert "dst's eyes stay" in capsys.readouterr().out


def test_what_plays_no_part_in_the_mode_is_not_offered(typed, capsys):
    typed("y", "mode overlay", "sharpen 5", "sharpen_kind box", "")
    got = ask_for_more(ConvertOptions())
    assert (got.mode, got.sharpen, got.sharpen_kind) == ("overlay", 5, "box")
    first, *_, last = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  Detail")]
    assert "sharpen_kind" not in first and "sharpen_kind" in last


@pytest.mark.parametrize("answers", [Answers.YES, Answers.DEFAULTS])
def test_nothing_is_asked_without_somebody_to_answer(workspace, typed, answers):
    questions = typed()
    answer(workspace, answers)
    assert not questions


def test_what_another_command_never_offered_counts_for_nothing(workspace):
    """A stranger's workspace cannot choose the mask of a swap, which offers no list."""
    workspace.remember("swap", {"mask": "full"})
    assert CommandPackage().load("swap").remembered(workspace) == {}
