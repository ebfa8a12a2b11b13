"""The preview of a conversion: what it shows is what the conversion makes; page and window work on one session."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

import browser
from commands.convert_runs import BLUE, FRAMES, StubModels, fill
from convert.drawn_faces import as_prediction, constant, landmarks
from facewright.convert.background import BackgroundConversion, Work
from facewright.convert.launch import look_first, open_preview
from facewright.convert.masks import DstFace
from facewright.convert.page import PreviewPage
from facewright.convert.parameters import ConvertOptions
from facewright.convert.pipeline import ModelInput
from facewright.convert.preview import ConversionPreview, PreviewFrame, PreviewModel, View
from facewright.convert.preview_keys import HELP, KEYS, PreviewAction
from facewright.convert.preview_session import PreviewSession
from facewright.convert.preview_sheet import draw_sheet, sheet_values
from facewright.convert.session import convert
from facewright.convert.settings import SettingsByFrame, controls
from facewright.convert.settings_file import load_settings, save_settings, settings_path
from facewright.convert.window import TITLE
from facewright.core.errors import UserError
from facewright.core.images import decode, read_image
from facewright.core.options import show
from facewright.faces.align import FaceType
from facewright.models.spec import ConverterDefaults
from facewright.ui.page import Page, PageRequest
from needs import needs_browser, needs_screen_and_tk

MARK = b"compositeWithTrainedAlgorithmicMedia"
REPOSITORY = Path(__file__).resolve().parents[2]


class Counting:
    """Predicts a blue face and counts the calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, faces, **_):
        self.calls += 1
        return as_prediction(constant(BLUE))(faces)


@pytest.fixture
def predict():
    return Counting()


@pytest.fixture
def preview(workspace, predict):
    fill(workspace)
    return open_on(workspace, predict)


def open_on(workspace, predict):
    face = DstFace(landmarks((40, 30), 24).astype(np.float32))
    model = PreviewModel(predict, ModelInput(32, FaceType.HALF), ConverterDefaults(erode=10, blur=10))
    frames = [PreviewFrame(p, () if p.stem == "00003" else (("fake", (face,)),)) for p in workspace.dst.frames()]
    return ConversionPreview(frames, {"fake": model})


@pytest.fixture
def session(workspace, preview):
    names = tuple(frame.path.name for frame in preview.frames)

    def work(on_progress):
        base = session.settings.base
        return convert(workspace, base, StubModels(), on_progress=on_progress)

    session = PreviewSession(
        preview,
        SettingsByFrame(names, ConvertOptions(mode="overlay")),
        lambda settings: save_settings(workspace.dst, settings),
        BackgroundConversion(work),
        {"00005.png": "identity dip"},
    )
    return session


@pytest.fixture
def page(session):
    return PreviewPage(session, "fake")


def test_colours_that_are_remembered_are_those_of_the_conversion(workspace, preview, predict):
    """Whatever was looked at before: another kind, another frame, another mask, more faces than are kept."""
    kinds = [
        ConvertOptions(mode="overlay", color_transfer=kind, opacity=opacity, face_scale=scale)
        for kind in ("lct", "mkl-m", "sot-m")
        for opacity in (100, 60)
        for scale in (0, 10)
    ]
    for at in (0, 1):
        for options in kinds:
            fresh = open_on(workspace, predict)
            np.testing.assert_array_equal(preview.render(at, options), fresh.render(at, options))


def get(page, path, **query):
    return page.answer(PageRequest("GET", path, urlencode(query)))


def do(page, **wanted):
    answer = page.answer(PageRequest("POST", "do", body=json.dumps(wanted).encode()))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_where_the_next_step_leads_is_predicted_before_it_is_taken(session, predict):
    session.go(3)
    session.picture()
    wait_for(lambda: predict.calls == 2)  # this one and the next; the frame before has no face
    session.do(PreviewAction.NEXT)
    session.picture()
    wait_for(lambda: predict.calls == 3)
    shown = predict.calls
    session.do(PreviewAction.PREVIOUS)
    session.picture()
    assert predict.calls == shown


# The keys of DeepFaceLab's interactive merger -> the control that each changes, or else what of the session.
MERGER_KEYS = {
    **{key: "mode" for key in "`123456"},
    **{
        keys[0]: name
        for keys, name in (("z", "masked_hist_match"), ("x", "mask"), ("c", "color_transfer"), ("n", "sharpen_kind"))
    },
    **{
        key: name
        for keys, name in (
            ("qa", "hist_threshold"),
            ("ws", "erode"),
            ("ed", "blur"),
            ("rf", "motion_blur"),
            ("tg", "super_resolution_power"),
            ("yb", "sharpen"),  # b instead of h, which is the help everywhere in this program
            ("uj", "face_scale"),
            ("ik", "denoise"),
            ("ol", "bicubic_degrade"),
            ("p;", "color_degrade"),
        )
        for key in keys
    },
}
OTHER_KEYS = {
    "Escape": "ended",
    "Tab": "help",
    ",": "at",
    ".": "at",
    "<": "at",
    "m": "at",
    "M": "note",
    "/": "at",
    "?": "note",
    "v": "view",
}


@pytest.mark.parametrize("key", MERGER_KEYS)
def test_every_key_of_the_merger_changes_its_control(session, key):
    spec = next(spec for spec in controls() if spec.name == MERGER_KEYS[key])
    session.change("mode", "light")
    if not spec.choices:  # from the middle, to either end
        session.change(spec.name, show(spec.kind((spec.low + spec.high) // 2)))
    before = getattr(session.options, spec.name)
    session.press(key)
    assert session.control.name == spec.name and getattr(session.options, spec.name) != before


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_every_other_key_of_the_merger_does_something(session, key):
    session.go(2)
    before = str(getattr(session, OTHER_KEYS[key]))
    session.press(key)
    assert str(getattr(session, OTHER_KEYS[key])) != before


@pytest.mark.parametrize(
    "values", [{}, {"mode": "seamless"}, {"erode": 30, "blur": 50}, {"opacity": 40, "sharpen": -50}, {"mode": "light"}]
)
def test_what_is_shown_is_what_the_conversion_makes(workspace, preview, values):
    options = ConvertOptions(**{"mode": "overlay", **values})
    convert(workspace, options, StubModels())
    for at in range(FRAMES):
        merged = read_image(workspace.dst.merged_dir / f"{at + 1:05d}.png")
        np.testing.assert_array_equal(preview.render(at, options), merged)


def test_a_frame_is_predicted_once(preview, predict):
    for erode in (0, 20, 40):
        for at in (0, 1):
            preview.render(at, ConvertOptions(mode="overlay", erode=erode))
    assert predict.calls == 2


def test_views(preview, workspace):
    frame = read_image(workspace.dst.frames()[0])
    options = ConvertOptions(mode="overlay")
    after = preview.render(0, options)
    np.testing.assert_array_equal(preview.render(0, options, View.BEFORE), frame)
    np.testing.assert_array_equal(preview.render(0, options, View.BESIDE), np.hstack((frame, after)))
    wiped = preview.render(0, options, View.WIPE, wipe=0.4)
    np.testing.assert_array_equal(wiped[:, :31], frame[:, :31])
    np.testing.assert_array_equal(wiped[:, 33:], after[:, 33:])
    tinted = preview.render(0, options, View.MASK).astype(int) - frame
    replaced = (after != frame).any(axis=2)
    assert (tinted[cv2.erode(replaced.astype(np.uint8), np.ones((3, 3))) > 0][:, 1] > 0).mean() > 0.9
    assert not tinted[~cv2.dilate(replaced.astype(np.uint8), np.ones((3, 3))).astype(bool)].any()
    assert preview.render(0, options, close_up=True).shape == (720, 720, 3)
    assert preview.render(0, options, View.BESIDE, close_up=True).shape == (720, 1440, 3)
    assert preview.render(2, options, close_up=True).shape == frame.shape  # no face: nothing to come close to


@pytest.mark.parametrize("mode", ["overlay", "light", "multiband"])
def test_the_mask_view_shows_the_area_that_the_mode_replaces(preview, workspace, mode):
    """Also where a mode reaches beyond the mask, and however faintly the face is laid over."""
    frame, options = read_image(workspace.dst.frames()[0]), ConvertOptions(mode=mode)
    replaced = (preview.render(0, options) != frame).any(axis=2)
    tinted = (preview.render(0, options, View.MASK) != frame).any(axis=2)
    assert replaced.sum() > 100
    assert (tinted & replaced).sum() > 0.97 * replaced.sum() and (tinted & ~replaced).sum() < 0.1 * replaced.sum()
    faint = preview.render(0, ConvertOptions(mode=mode, opacity=20), View.MASK)
    np.testing.assert_array_equal(faint, preview.render(0, options, View.MASK))


def test_shift_takes_five_steps_with_every_control_that_has_numbers(session):
    for spec in [spec for spec in session.controls if spec.keys and not spec.choices]:
        more, less = (next(key for key, meaning in spec.keys.items() if meaning == sign) for sign in "+-")
        session.press(more, 20)
        before = getattr(session.options, spec.name)
        for key, change in ((less, -5), (more, 5)):
            session.press({";": ":"}.get(key, key.upper()))
            before += change
            assert getattr(session.options, spec.name) == before, spec.name


def test_a_full_disk_leaves_the_preview_open_and_converts_nothing(session, monkeypatch):
    def full(settings):
        raise UserError("The disk is full.", "room", "free some")

    monkeypatch.setattr(session, "_save", full)
    session.press("w")
    session.press(">")
    assert "disk is full" in session.note and session.conversion.work is Work.IDLE


def test_a_face_that_the_model_does_not_see_is_marked(preview, session):
    preview.render(0, ConvertOptions(mode="overlay"))
    assert preview.unseen == set()
    preview.render(1, ConvertOptions(mode="overlay", mask="record", keep="eyes+mouth"))
    blind = PreviewModel(as_prediction(constant(BLUE, 0.0)), ModelInput(32, FaceType.HALF), ConverterDefaults(0, 0))
    other = ConversionPreview(preview.frames, {"fake": blind})
    other.render(1, ConvertOptions(mode="overlay"))
    other.render(2, ConvertOptions(mode="overlay"))
    assert other.unseen == {1}


def test_keys_change_controls_and_frames(session):
    assert session.at == 0
    for key in ("w", "w", "W", "s"):
        session.press(key)
    assert session.options.erode == 6 and session.control.name == "erode"
    session.press("2")
    assert session.options.mode == "hist-match"
    session.press("c")
    session.press("c")
    session.press("C")
    assert session.options.color_transfer == list(session.control.choices)[1]
    session.press("w", times=1000)
    assert session.options.erode == 100
    for key, at in ((".", 1), ("ArrowRight", 2), (",", 1), ("End", 5), ("<", 0), ("PageDown", 5), ("PageUp", 0)):
        session.press(key)
        assert session.at == at
    before = session.settings
    session.press("ArrowDown")
    session.press("q")  # nothing's
    assert session.settings is before


def test_every_control_can_be_changed_by_keys_alone(session):
    changed = set()
    for _ in session.controls:
        session.press("ArrowDown")
        before, spec = session.options, session.control
        for key in "+-" if getattr(before, spec.name) == spec.low else "-+":
            session.press(key)
            changed |= {spec.name for spec in controls() if vars(session.options)[spec.name] != vars(before)[spec.name]}
        assert session.options == before
    assert changed == {spec.name for spec in controls()}


def test_no_key_does_two_things_and_the_help_names_all():
    of_controls = [key for spec in controls() for key in spec.keys]
    assert not set(of_controls) & KEYS.keys()
    assert not {key.upper() for key in of_controls if key.islower()} & KEYS.keys()
    named = " ".join(keys for keys, _ in HELP)
    assert set(KEYS.values()) == set(PreviewAction)
    assert all(key in named for key in KEYS if len(key) == 1 and key not in "<=" and key.strip())


def test_settings_of_shots_and_frames_by_keys(session):
    session.press("End")
    for key in (",", ",", "#", "w", "#"):  # a shot from frame 4 on, with another erode, and joined again
        session.press(key)
    assert session.settings.starts == [0] and session.options.erode == 0
    session.press("Backspace")
    assert session.settings.starts == [0, 3] and session.options.erode == 1
    for key in ("*", "W", "/"):  # this frame alone, and the next one takes it over
        session.press(key)
    assert session.at == 4 and [session.settings.options(at).erode for at in range(FRAMES)] == [0, 0, 0, 6, 6, 1]
    session.press("?")
    assert session.settings.options(5).erode == 6
    session.press("Delete")
    assert session.options.erode == 1
    session.press("m")
    assert session.at == 3 and session.options.erode == 1
    session.choose(scope="all")
    session.press("W")
    assert {session.settings.options(at).erode for at in range(FRAMES)} == {6}


def test_what_is_dragged_is_undone_as_one(session):
    for value in range(20):
        session.change("blur", str(value))
    session.change("erode", "9")
    session.press("Backspace")
    assert session.options.erode == 0 and session.options.blur == 19
    session.press("Backspace")
    assert session.options.blur == 0


def test_marks_say_why_a_frame_needs_a_look(session):
    session.choose(scope="frame")
    session.change("opacity", "50")
    marks = session.marks()
    assert list(marks) == [0, 2, 4] and "no face" in marks[2] and "identity dip" in marks[4]
    seen = []
    for _ in range(3):
        session.press("]")
        seen.append(session.at)
    session.press("[")
    assert seen == [2, 4, 4] and session.at == 2


def test_settings_are_saved_while_they_change_and_taken_up_again(workspace, session):
    with session.saving():
        session.press("w")
        wait_for(lambda: settings_path(workspace.dst).exists())
        session.press("End")
        session.choose(scope="frame")
        session.press("S")
    names = session.settings.names
    assert load_settings(workspace, names, session.settings.base) == session.settings
    opened = open_preview(workspace, session.settings.base, StubModels())
    assert opened.settings == session.settings
    opened = open_preview(workspace, ConvertOptions(saved_settings=False), StubModels())
    assert (
        opened.settings.options(5) == ConvertOptions(saved_settings=False) and not settings_path(workspace.dst).exists()
    )
    assert list(workspace.trash.rglob(settings_path(workspace.dst).name))


def test_all_frames_are_converted_in_the_background_and_then_only_those_that_changed(workspace, session):
    session.press(">")
    wait_for(lambda: session.conversion.work is Work.DONE)
    assert session.conversion.report.written == FRAMES and session.state()["total"] == FRAMES
    session.press("End")
    session.choose(scope="frame")
    session.change("opacity", "30")
    session.press(">")
    wait_for(lambda: session.conversion.work is Work.DONE)
    assert session.conversion.report.written == 1
    merged = read_image(workspace.dst.merged_dir / "00006.png")
    np.testing.assert_array_equal(session.picture(), merged)


def test_a_conversion_that_fails_or_is_stopped_says_so():
    def failing(on_progress):
        on_progress(1, 5)
        raise UserError("The disk is full.", "room", "free some")

    conversion = BackgroundConversion(failing)
    conversion.start()
    conversion.wait()
    assert conversion.work is Work.FAILED and "disk is full" in conversion.sentence and conversion.done == 1
    begun = threading.Event()

    def endless(on_progress):
        while True:
            begun.set()
            on_progress(1, 2)

    conversion = BackgroundConversion(endless)
    assert conversion.start() and not conversion.start() and begun.wait(10)
    conversion.stop()
    assert conversion.work is Work.IDLE and conversion.report is None


def test_a_sheet_shows_twelve_frames_with_six_settings(session, preview, predict):
    by_name = {spec.name: spec for spec in controls()}
    assert sheet_values(by_name["opacity"], 37) == [0, 20, 37, 60, 80, 100]
    modes = sheet_values(by_name["mode"], "overlay")
    assert len(modes) == min(6, len(by_name["mode"].choices)) and "overlay" in modes
    sheet = draw_sheet(preview, session.settings, by_name["opacity"], [0, 100])
    assert sheet.shape[1] > 5 * 190 and predict.calls == 5  # the five frames with a face
    first, second = np.split(sheet[: sheet.shape[0] // 2 * 2], 2)
    assert second[..., 0].mean() > first[..., 0].mean() + 5  # blue faces below


def test_the_page_shows_every_control_under_its_heading(page):
    fixed = json.loads(get(page, "fixed").body)
    assert {one["name"] for one in fixed["controls"]} == {spec.name for spec in controls()}
    for spec in controls():
        control = next(one for one in fixed["controls"] if one["name"] == spec.name)
        assert [choice["value"] for choice in control["choices"]] == list(spec.choices)
        assert (control["low"], control["high"], control["default"]) == (spec.low, spec.high, show(spec.default))
        assert control["group"] and (control["choices"] or control["high"] > control["low"])
    assert fixed["frames"] == FRAMES and len(fixed["help"]) > 20


def test_the_page_sends_keys_values_and_places(page, session):
    assert do(page, name="erode", value="30")["values"]["erode"] == "30"
    state = do(page, go=3, view="mask", scope="frame")
    assert (state["at"], state["view"], state["scope"]) == (3, "mask", "frame")
    assert do(page, key="w", times=3)["values"]["erode"] == "33" and do(page, do="undo")["values"]["erode"] == "30"
    assert do(page, name="mode", value="seamless")["own"]["frame"] == ["mode"]
    assert "masked_hist_match" in json.loads(get(page, "state").body)["idle"]
    assert do(page, do="leave")["ended"] and session.ended.is_set()


def test_images_of_the_page_are_marked(page, session):
    for path, query in (("frame.jpg", {}), ("frame.jpg", {"view": "beside"}), ("sheet.jpg", {})):
        answer = get(page, path, **query)
        assert answer.kind == "image/jpeg" and MARK in answer.body
    assert int(get(page, "frame.jpg").more["X-Milliseconds"]) >= 0
    assert decode(get(page, "thumb.jpg", at=2).body, "thumb").shape[1] == 160
    assert len(json.loads(answer.more["X-Values"])) > 3


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b'{"go": -1}', b'{"go": "x"}', b'{"do": "jump"}', b'{"name": "erode", "value": "1000"}',
        b'{"name": "model", "value": "../x"}', b'{"name": "opacity", "value": "nan"}', b'{"view": "inside"}',
        b'{"scope": "clip"}', b'{"key": 5}', b'{"key": "w", "times": 100000}', b'{"name": "mode", "value": ""}',
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_sentence_and_changes_nothing(page, session, body):
    before = session.settings
    answer = page.answer(PageRequest("POST", "do", body=body))
    assert answer.status == 400 and len(answer.body) > 20
    assert session.settings == before and session.at == 0


def test_places_outside_of_the_clip_and_unknown_paths(page):
    assert do(page, go=10**9)["at"] == FRAMES - 1
    for query in ({"at": 99}, {"at": -1}, {"at": "x"}):
        assert get(page, "thumb.jpg", **query).status == 400
    assert get(page, "frame.jpg", view="inside").status == 400
    assert get(page, "elsewhere").status == 404


def test_a_folder_behind_a_link_is_not_looked_into_unasked(workspace, tmp_path):
    fill(workspace)
    elsewhere = tmp_path / "elsewhere"
    workspace.dst.frames_dir.rename(elsewhere)
    workspace.dst.frames_dir.symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(UserError, match="link"):
        look_first(workspace, ConvertOptions(serve=True), StubModels())


def test_several_at_once_are_answered(page):
    found = []
    threads = [threading.Thread(target=lambda: found.append(get(page, "frame.jpg").status)) for _ in range(6)]
    threads += [threading.Thread(target=lambda: found.append(do(page, key="w")["at"] + 200)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 12 and json.loads(get(page, "state").body)["values"]["erode"] == "6"


@needs_browser
def test_by_keys_and_mouse_in_a_browser(page, session):
    with Page(page.answer) as served, browser.browser() as shown:
        shown.look(1280, 800, "light")
        shown.open(served.address)
        text = lambda one: shown.script(f"return document.getElementById('{one}').textContent")  # noqa: E731
        image = lambda: shown.script("return document.getElementById('over').src")  # noqa: E731
        wait_for(lambda: text("took").endswith("ms"))
        assert text("name").startswith("00001.png")
        before = image()
        shown.key("v")
        wait_for(lambda: image() != before and session.view is View.MASK)
        shown.key("\ue014")  # arrow to the right
        wait_for(lambda: text("name").startswith("00002.png"))
        shown.key("v")
        shown.script(
            "const number = document.querySelector('[data-name=erode] input[type=number]');"
            "number.value = '500'; number.dispatchEvent(new Event('change'))"
        )
        wait_for(lambda: session.options.erode == 100)  # the nearest that fits
        shown.key("V")
        wait_for(lambda: not shown.script("return document.getElementById('line').hidden"))
        shown.key("h")
        wait_for(lambda: not shown.script("return document.getElementById('helped').hidden"))
        face, helped = (
            shown.script(
                f"const r = document.getElementById('{one}').getBoundingClientRect(); return [r.left, r.right]"
            )
            for one in ("stage", "helped")
        )
        assert face[1] <= helped[0]  # beside the face, not over it
        assert shown.script("return document.documentElement.scrollHeight <= innerHeight")
        for width in (1280, 390):
            shown.look(width, 844, "dark")
            assert shown.script("return document.documentElement.scrollWidth <= innerWidth")
        assert shown.errors() == []
        shown.tap("[data-do=convert]")
        wait_for(lambda: session.conversion.work is Work.DONE)
        shown.tap("[data-do=leave]")
        assert not session.ended.is_set()
        shown.tap("[data-do=leave]")
        assert session.ended.wait(30)


PROGRAM = """
import sys
from pathlib import Path
from commands.convert_runs import StubModels
from facewright.convert.launch import look_first
from facewright.convert.parameters import ConvertOptions
from facewright.core.workspace import Workspace
if __name__ == "__main__":
    print(look_first(Workspace(Path(sys.argv[1])), ConvertOptions(mode="overlay", preview=True), StubModels()).written)
"""


@pytest.mark.slow
@needs_screen_and_tk
def test_by_keys_and_mouse_in_the_window(display, workspace):
    fill(workspace)
    paths = os.pathsep.join(map(str, (REPOSITORY / "_internal", REPOSITORY / "tests")))
    environment = {**os.environ, "PYTHONPATH": paths, "DISPLAY": display}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(workspace.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )

    def xdotool(*words):
        done = subprocess.run(["xdotool", *words], capture_output=True, text=True, timeout=60, env=environment)
        return done.stdout

    def saved():
        names = [path.name for path in workspace.dst.frames()]
        settings = load_settings(workspace, names, ConvertOptions(mode="overlay"))
        return [settings.options(at) for at in range(FRAMES)] if settings else []

    try:
        window = xdotool("search", "--sync", "--onlyvisible", "--name", TITLE).split()[0]
        time.sleep(0.5)
        xdotool("windowfocus", "--sync", window, "key", "--delay", "40", "Right", "numbersign", "w", "w", "9", "9", "h")
        wait_for(lambda: [one.erode for one in saved()] == [0, 2, 2, 2, 2, 2])
        xdotool("mousemove", "--window", window, "640", "891", "click", "1")  # the middle of the clip
        xdotool("key", "--window", window, "--delay", "40", "asterisk", "s", "greater")
        wait_for(lambda: [one.erode for one in saved()].count(1) == 1)
        wait_for(lambda: len(list(workspace.dst.merged_dir.glob("*.png"))) == FRAMES)
        xdotool("key", "--window", window, "Escape")
        said = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    assert process.returncode == 0 and said.strip().endswith(str(FRAMES)), said
    assert saved()[2].erode == 1 or saved()[3].erode == 1
