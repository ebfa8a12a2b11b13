"""The page of a review: what it shows, and what becomes of the decisions that are made on it."""

import json
import shutil
import subprocess
import threading
import time
from types import SimpleNamespace
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

import browser
from commands.convert_runs import StubModels as StubTrained
from facewright.convert.every_face import faces_side
from facewright.convert.last_run import check_repeatable, keep_options, same_options
from facewright.convert.parameters import ConvertOptions
from facewright.convert.settings import Scope, SettingsByFrame
from facewright.convert.settings_file import save_settings, settings_path
from facewright.core.errors import UserError
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.review.decisions import FADED
from facewright.review.keys import ReviewAction
from facewright.review.listing import ReviewList, ReviewView
from facewright.review.page import ReviewServer
from facewright.review.report import read_review
from facewright.review.session import review
from facewright.review.window import TITLE, ReviewWindow
from facewright.ui.page import Page, PageRequest
from facewright.ui.window import open_window
from needs import needs_browser
from review.drawn_clip import StubModels, fill
from review.faults import Place, blurred, not_replaced, single_faces

FRAMES = 26
BLURRED, UNTOUCHED = 8, 17  # frames, from 0
MARK = b"compositeWithTrainedAlgorithmicMedia"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A clip with two faults, which was reviewed."""
    workspace = Workspace(tmp_path_factory.mktemp("drawn"))
    fill(workspace, FRAMES)
    random, faces = np.random.default_rng(0), single_faces(workspace)
    blurred(Place(workspace, faces[BLURRED]), random)
    not_replaced(Place(workspace, faces[UNTOUCHED]), random)
    review(workspace, StubModels())
    return workspace


@pytest.fixture
def clip(drawn, tmp_path):
    return Workspace(shutil.copytree(drawn.root, tmp_path / "clip"))


@pytest.fixture
def models():
    return StubModels()


@pytest.fixture
def listing(clip, models):
    return ReviewList(clip, review(clip, models))


@pytest.fixture
def server(clip, listing, models):
    return ReviewServer(clip, listing, models, lambda options: StubTrained())


def get(server, path, **query):
    return server.page.answer(PageRequest("GET", path, urlencode(query)))


def post(server, path, **body):
    return server.page.answer(PageRequest("POST", path, body=json.dumps(body).encode() if body else b""))


def state(server):
    return json.loads(get(server, "state").body)


def opacities(workspace):
    frames = json.loads(settings_path(workspace.dst).read_text())["frames"]
    return {int(name[:5]) - 1: own["opacity"] for name, own in frames.items()}


def test_the_state_lists_the_worst_first(server):
    known = state(server)
    assert known["total"] == FRAMES and not known["busy"]
    needing = [one["at"] for one in known["frames"] if one["needs"]]
    assert sorted(needing) == [BLURRED, UNTOUCHED]
    scores = [one["score"] for one in known["frames"]]
    assert scores == sorted(scores, reverse=True) and all(one["reasons"] for one in known["frames"])


def test_images_of_a_frame_are_marked_and_what_they_should_be(server, clip):
    frame, result = (read_image(folder / "00009.png") for folder in (clip.dst.frames_dir, clip.dst.merged_dir))
    shown = {view: get(server, "frame.jpg", at=BLURRED, view=view).body for view in ReviewView}
    images = {view: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for view, data in shown.items()}
    assert all(MARK in data for data in shown.values())
    assert np.abs(images[ReviewView.BEFORE].astype(int) - frame).mean() < 4
    assert np.abs(images[ReviewView.AFTER].astype(int) - result).mean() < 4
    assert images[ReviewView.BESIDE].shape == (frame.shape[0], 2 * frame.shape[1], 3)
    close = cv2.imdecode(np.frombuffer(get(server, "frame.jpg", at=BLURRED, close="yes").body, np.uint8), 1)
    assert close.shape == (640, 640, 3)
    assert MARK in get(server, "thumb.jpg", at=UNTOUCHED).body


def test_keeping_dst_and_fading_to_it_are_settings_of_these_frames(server, clip):
    assert post(server, "keep", at=BLURRED).status == 200
    assert opacities(clip) == {BLURRED: 0}
    assert post(server, "fade", at=UNTOUCHED).status == 200
    ramp = {UNTOUCHED + step: 20 * abs(step) for step in range(-FADED, FADED + 1)}
    assert opacities(clip) == {BLURRED: 0, **ramp}
    decided = {one["at"]: one["decided"] for one in state(server)["frames"] if one["decided"]}
    assert decided.keys() >= {BLURRED, UNTOUCHED}
    assert post(server, "undo", at=UNTOUCHED).status == 200 and opacities(clip) == {BLURRED: 0}
    assert post(server, "undo", at=UNTOUCHED).status == 200 and opacities(clip) == {}


def test_a_stronger_face_of_its_own_still_comes_up(clip, models):
    settings = SettingsByFrame(tuple(f"{at + 1:05d}.png" for at in range(FRAMES)), ConvertOptions(opacity=60))
    for at, opacity in ((BLURRED, 95), (UNTOUCHED, 20)):
        settings = settings.with_value(at, "opacity", opacity, Scope.FRAME)
    save_settings(clip.dst, settings)
    assert [one.index for one in review(clip, models).scores if one.needs_a_look] == [BLURRED]


def test_after_every_face_the_faces_that_were_found_for_it_are_reviewed(clip, models):
    found = faces_side(clip.dst, ConvertOptions(every_face=True)).aligned_dir
    clip.dst.aligned_dir.rename(found)
    keep_options(clip, ConvertOptions(every_face=True))
    assert sorted(one.index for one in review(clip, models).scores if one.needs_a_look) == [BLURRED, UNTOUCHED]


def test_a_list_of_a_newer_version_is_kept_aside(clip, models):
    path = clip.root / "review.json"
    newer = {**json.loads(path.read_text()), "version": 2, "fine": {"00009.png": "right"}}
    path.write_text(json.dumps(newer))
    review(clip, models)
    (aside,) = clip.trash.rglob("review.json")
    assert json.loads(aside.read_text()) == newer and read_review(clip).frames


def test_a_fade_ends_with_the_clip(server, clip):
    post(server, "fade", at=0)
    assert opacities(clip) == {step: 20 * step for step in range(FADED + 1)}


def test_what_was_found_right_does_not_come_up_again_until_it_changes(server, clip, models):
    post(server, "fine", at=BLURRED)
    assert [one["name"] for one in read_review(clip).frames] == ["00018.png"]
    assert [one.index for one in review(clip, models).scores if one.needs_a_look] == [UNTOUCHED]
    blurred(Place(clip, single_faces(clip)[BLURRED]), np.random.default_rng(3))
    assert BLURRED in [one.index for one in review(clip, models).scores if one.needs_a_look]


def test_what_keeps_dst_on_purpose_does_not_come_up_again(server, clip, models):
    post(server, "keep", at=UNTOUCHED)
    assert [one.index for one in review(clip, models).scores if one.needs_a_look] == [BLURRED]


@pytest.mark.parametrize("path", ["keep", "fade", "fine", "place"])
@pytest.mark.parametrize("body", [{}, {"at": -1}, {"at": FRAMES}, {"at": "1"}, {"at": 1.5}])
def test_no_frame_is_a_sentence(server, clip, path, body):
    answer = post(server, path, **body)
    assert answer.status == 400 and b"no request" in answer.body
    assert not settings_path(clip.dst).exists() and server.page.wanted.empty()


@pytest.mark.parametrize("query", [{"at": 999}, {"at": "x"}, {"at": 1, "view": "inside"}])
def test_no_image_is_a_sentence(server, query):
    assert get(server, "frame.jpg", **query).status == 400
    assert get(server, "nothing").status == 404 and get(server, "landmarks/").status == 404


def served(server):
    """Serve in a thread, as the command does; return the page and the thread."""
    thread = threading.Thread(target=server.serve, args=(0,), daemon=True)
    thread.start()
    return thread


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_changed_frames_are_made_again_and_reviewed(server, clip, listing):
    merged = clip.dst.merged_dir
    thread = served(server)
    post(server, "keep", at=BLURRED)
    assert post(server, "convert").status == 200
    wait_for(lambda: not state(server)["busy"])
    assert state(server)["round"] == 2
    np.testing.assert_array_equal(read_image(merged / "00009.png"), read_image(clip.dst.frames_dir / "00009.png"))
    assert post(server, "leave").status == 200
    thread.join(20)
    assert not thread.is_alive()


def test_landmarks_are_placed_on_a_page_below(server, clip):
    (clip.dst.extract_journal).write_text(json.dumps({"frame": "", "settings": {}}) + "\n")
    thread = served(server)
    assert post(server, "place", at=BLURRED).status == 200
    assert post(server, "convert").status == 409  # one thing at a time
    wait_for(lambda: not state(server)["busy"] or state(server)["below"])
    problem = state(server)["problem"]
    if not problem:
        assert b"<img" in get(server, "landmarks/").body
        assert post(server, "cancel").status == 200
    wait_for(lambda: not state(server)["busy"])
    post(server, "leave")
    thread.join(20)
    assert not problem


def test_options_of_the_last_conversion(workspace):
    assert same_options(workspace) == ConvertOptions()
    keep_options(workspace, ConvertOptions(mode="seamless", erode=20, model="hero", every=5, frame_ranges="1-9"))
    assert same_options(workspace) == ConvertOptions(mode="seamless", erode=20, model="hero")
    check_repeatable(workspace)
    keep_options(workspace, ConvertOptions(dfm="/elsewhere/x.dfm"))
    assert same_options(workspace).dfm == ""  # a workspace may be a stranger's
    with pytest.raises(UserError, match=r"x\.dfm"):
        check_repeatable(workspace)


def test_a_run_that_made_masks_alone_changes_nothing_of_the_frames(workspace):
    keep_options(workspace, ConvertOptions(mode="seamless"))
    keep_options(workspace, ConvertOptions(mode="overlay", mask_only=True))
    assert same_options(workspace) == ConvertOptions(mode="seamless")


def test_the_flags_of_the_last_run_come_before_what_was_saved_earlier_only(workspace):
    def save(**values):
        save_settings(workspace.dst, SettingsByFrame(("00001.png",), ConvertOptions(**values)))

    workspace.dst.frames_dir.mkdir(exist_ok=True)
    save(mode="seamless", erode=10)
    keep_options(workspace, ConvertOptions(mode="overlay", erode=30))
    assert same_options(workspace) == ConvertOptions(mode="overlay", erode=30)
    save(mode="seamless", erode=20)  # in the preview, after that run
    assert same_options(workspace) == ConvertOptions(mode="seamless", erode=20)


def test_strange_options_of_the_last_conversion_are_passed_over(workspace):
    strange = {"mode": "../x", "erode": 10**9, "keep": ["eyes"], "blur": 30, "sharpen": None}
    (workspace.root / "answers.json").write_text(json.dumps({"last convert": strange}))
    assert same_options(workspace) == ConvertOptions(blur=30)


@needs_browser
def test_by_keys_in_a_browser(server, clip):
    with Page(server.page.answer) as page, browser.browser() as shown:
        shown.look(1200, 900, "light")
        shown.open(page.address)
        text = lambda name: shown.script(f"return document.getElementById('{name}').textContent")  # noqa: E731
        wait_for(lambda: shown.script("return document.getElementById('shown').naturalWidth") == 640)
        first = text("name")
        assert first in ("00009.png", "00018.png") and text("reasons")
        shown.key("o")
        wait_for(lambda: text("name") != first)  # the next one
        assert opacities(clip) == {int(first[:5]) - 1: 0}
        shown.key("\ue012")  # arrow to the left
        wait_for(lambda: text("decided") == "keeps dst's face")
        shown.key("u")
        wait_for(lambda: text("decided") == "")
        shown.key("v")
        wait_for(lambda: shown.script("return document.getElementById('shown').naturalWidth") == 1280)
        shown.look(390, 844, "dark")
        assert shown.script("return document.documentElement.scrollWidth <= innerWidth")
        assert shown.errors() == []
        shown.tap("[data-do=leave]")
        wait_for(lambda: not server.page.wanted.empty())


def test_other_settings_are_chosen_in_the_preview_below(server, clip):
    keep_options(clip, ConvertOptions(mode="overlay"))
    thread = served(server)
    assert post(server, "settings", at=BLURRED).status == 200
    wait_for(lambda: state(server)["below"] == "settings/")
    below = json.loads(get(server, "settings/state").body)
    assert (below["at"], below["scope"]) == (BLURRED, "frame")
    assert MARK in get(server, "settings/frame.jpg").body
    assert post(server, "settings/do", name="erode", value="15").status == 200
    assert post(server, "settings/do", do="leave").status == 200
    wait_for(lambda: not state(server)["busy"])
    saved = json.loads(settings_path(clip.dst).read_text())
    assert saved["frames"] == {"00009.png": {"erode": 15}} and saved["base"]["mode"] == "overlay"
    decided = {one["at"]: one["decided"] for one in state(server)["frames"] if one["decided"]}
    assert decided == {BLURRED: "settings of its own: erode 15"}
    post(server, "leave")
    thread.join(20)


def test_by_keys_in_the_window(clip, listing, models, display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    shown = open_window(TITLE)
    assert shown is not None
    work = ReviewWindow(clip, listing, shown, models, lambda options: StubTrained())
    first, second = (one.index for one in listing.listed[:2])

    def press(*keys):
        window = subprocess.run(["xdotool", "search", "--sync", "--name", TITLE], capture_output=True, text=True)
        subprocess.run(["xdotool", "windowfocus", "--sync", window.stdout.split()[0], "key", "--delay", "60", *keys])

    pressing = threading.Thread(target=press, args=("o", "y", "Left", "v", "q"))
    pressing.start()
    try:
        work.work()
    finally:
        shown.close()
        pressing.join()
    assert opacities(clip) == {first: 0}
    assert set(listing.decisions.fine) == {listing.found.scores[second].name}


def test_the_window_shows_before_and_after_and_says_what_went_wrong(clip, listing, models):
    shown = SimpleNamespace(screen=(1280, 1024), show=lambda image, title: None)
    work = ReviewWindow(clip, listing, shown, models, lambda options: StubTrained())
    side = work.image()
    assert side.shape[1] == 1240 and side.shape[0] < 1024 - 100
    work.press(ReviewAction.BESIDE)
    after = work.image()
    assert (after != side).any()
    keep_options(clip, ConvertOptions(dfm="/elsewhere/x.dfm"))
    work.press(ReviewAction.CONVERT)  # a file from elsewhere: the terminal says what to do
    assert (work.image() != after).any() and listing.round == 1
