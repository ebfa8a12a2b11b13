"""The page on which the settings of a conversion are chosen: what it shows is what the conversion makes."""

import json
import threading
import time
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

import browser
from commands.convert_runs import BLUE, FRAMES, StubModels, fill
from convert.drawn_faces import as_prediction, constant, landmarks
from facewright.convert.blend import Mode
from facewright.convert.masks import DstFace
from facewright.convert.page import SettingsPage, choose_settings, controls
from facewright.convert.parameters import ConvertOptions
from facewright.convert.pipeline import ModelInput
from facewright.convert.preview import ConversionPreview, PreviewFrame, View
from facewright.convert.session import convert
from facewright.core.errors import UserError
from facewright.core.images import read_image
from facewright.core.options import declared, show
from facewright.faces.align import FaceType
from facewright.models.spec import ConverterDefaults
from facewright.ui.page import Page, PageRequest
from needs import needs_browser

MARK = b"compositeWithTrainedAlgorithmicMedia"
DEFAULTS = ConverterDefaults(erode=10, blur=10)
OF_ALL_FRAMES = {"format", "alpha", "mask_only"}  # the page has no control for them


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
    face = DstFace(landmarks((40, 30), 24).astype(np.float32))
    frames = [PreviewFrame(path, () if path.stem == "00003" else (face,)) for path in workspace.dst.frames()]
    return ConversionPreview(frames, predict, ModelInput(32, FaceType.HALF), DEFAULTS)


@pytest.fixture
def page(preview):
    return SettingsPage(preview, ConvertOptions(mode="overlay"), "fake")


def get(page, path, **query):
    return page.answer(PageRequest("GET", path, urlencode(query)))


def test_every_control_that_changes_the_look_is_declared_once_and_shown(page):
    state = json.loads(get(page, "state").body)
    shown = {control["name"]: control for control in state["controls"]}
    assert shown.keys() == {spec.name for spec in declared(ConvertOptions) if spec.affects_output} - OF_ALL_FRAMES
    assert [frame["faces"] for frame in state["frames"]] == [1, 1, 0, 1, 1, 1] and state["model"] == "fake"
    for spec in controls():
        control = shown[spec.name]
        assert [choice["value"] for choice in control["choices"]] == list(spec.choices)
        assert (control["low"], control["high"], control["default"]) == (spec.low, spec.high, show(spec.default))
        assert control["choices"] or control["high"] > control["low"]
    assert shown["mode"]["value"] == "overlay" and shown["mode"]["default"] == "light"


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
    tinted = preview.render(0, options, View.MASK).astype(int) - frame
    replaced = (after != frame).any(axis=2)
    assert (tinted[cv2.erode(replaced.astype(np.uint8), np.ones((3, 3))) > 0][:, 1] > 0).mean() > 0.9
    assert not tinted[~cv2.dilate(replaced.astype(np.uint8), np.ones((3, 3))).astype(bool)].any()
    assert preview.render(0, options, close_up=True).shape == (720, 720, 3)
    assert preview.render(0, options, View.BESIDE, close_up=True).shape == (720, 1440, 3)
    assert preview.render(2, options, close_up=True).shape == frame.shape  # no face: nothing to come close to


def test_an_image_is_marked_and_says_how_long_it_took_and_what_plays_no_part(page):
    answer = get(page, "frame.jpg", at=1, mode="seamless")
    assert answer.kind == "image/jpeg" and MARK in answer.body
    assert int(answer.more["X-Milliseconds"]) >= 0 and answer.more["X-Idle"] == "masked_hist_match"
    assert get(page, "frame.jpg", at=1, mode="hist-match").more["X-Idle"] == ""


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"at": 99}, "no frame 99"), ({"at": -1}, "no frame"), ({"at": "x"}, "no request"),
        ({"erode": 1000}, "-100 to 100"), ({"mode": "7"}, "hist-match"), ({"view": "inside"}, "no request"),
        ({"format": "jpg"}, "no control 'format'"), ({"model": "../x"}, "no control"),
        ({"opacity": "nan"}, "whole number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_sentence(page, query, says):
    answer = get(page, "frame.jpg", **query)
    assert answer.status == 400 and says in answer.body.decode()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"values": 3}', b'{"values": {"erode": 5}}', b'{"values": {"x": "1"}}']
)
def test_a_choice_that_is_none_ends_nothing(page, body):
    assert page.answer(PageRequest("POST", "convert", body=body)).status == 400
    assert not page.ended.is_set() and page.chosen is None


def test_the_choice_is_taken(page):
    body = json.dumps({"values": {"mode": "light", "erode": "-20", "keep": "eyes"}}).encode()
    assert page.answer(PageRequest("POST", "convert", body=body)).status == 200
    assert page.ended.is_set() and page.chosen == ConvertOptions(mode="light", erode=-20, keep="eyes")


def test_leaving_chooses_nothing(page):
    assert page.answer(PageRequest("POST", "leave")).status == 200
    assert page.ended.is_set() and page.chosen is None


def test_a_folder_behind_a_link_is_not_looked_into_unasked(workspace, tmp_path):
    fill(workspace)
    elsewhere = tmp_path / "elsewhere"
    workspace.dst.frames_dir.rename(elsewhere)
    workspace.dst.frames_dir.symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(UserError, match="link"):
        choose_settings(workspace, ConvertOptions(), StubModels())


def test_several_at_once_get_their_own_settings(page):
    wanted = {opacity: get(page, "frame.jpg", at=0, opacity=opacity).body for opacity in (20, 60, 100)}
    assert len(set(wanted.values())) == 3
    found = []
    threads = [
        threading.Thread(target=lambda o=o: found.append(get(page, "frame.jpg", at=0, opacity=o).body == wanted[o]))
        for o in list(wanted) * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 12


@needs_browser
def test_by_keys_and_mouse_in_a_browser(page):
    def wait_for(condition):
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.05)

    with Page(page.answer) as served, browser.browser() as shown:
        shown.look(1200, 900, "light")
        shown.open(served.address)
        wait_for(lambda: shown.script("return document.getElementById('took').textContent").endswith("ms"))
        name = lambda: shown.script("return document.getElementById('name').textContent")  # noqa: E731
        image = lambda: shown.script("return document.getElementById('shown').src")  # noqa: E731
        assert name() == "00001.png"
        before = image()
        shown.key("m")
        wait_for(lambda: image() != before)
        assert shown.script("return document.querySelector('[data-do=mask]').getAttribute('aria-pressed')") == "true"
        shown.key("\ue014")  # arrow to the right
        wait_for(lambda: name() == "00002.png")
        shown.script(
            "const number = document.querySelector('[data-name=erode] input[type=number]');"
            "number.value = '500'; number.dispatchEvent(new Event('change'))"
        )
        assert shown.script("return document.getElementById('c-erode').value") == "100"  # the nearest that fits
        shown.look(390, 844, "dark")
        assert shown.script("return document.documentElement.scrollWidth <= innerWidth")
        assert shown.errors() == []
        shown.tap("[data-do=convert]")
        assert page.ended.wait(30)
    assert page.chosen == ConvertOptions(mode="overlay", erode=100)
    assert Mode(page.chosen.mode) is Mode.OVERLAY
