"""A workspace for commercial work: what is used in it, what is refused, and how it is asked."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facewright.commands import extract
from facewright.convert.plan import list_faces
from facewright.core.errors import UserError
from facewright.core.hints import hints_of
from facewright.core.images import write_image
from facewright.core.options import resolve
from facewright.core.workspace import Workspace
from facewright.extract.detectors.base import default_detector, detector_specs, make_detector
from facewright.extract.fit_faces import check_faces
from facewright.extract.landmarkers.base import landmarker_specs, make_landmarker
from facewright.extract.options import BasicOptions
from facewright.extract.second_search import passes
from facewright.faces.landmarkers import landmarkers_of, say_small_faces
from facewright.faces.record import load_face, save_face
from facewright.library import run_command
from needs import needs_networks
from sample import sample_frames


def plan(workspace: Workspace, **flags: object) -> dict[str, object]:
    found = extract.COMMAND.plan(workspace, flags)
    return {**found.remembered, **found.flags}


@pytest.fixture
def commercial(workspace: Workspace) -> Iterator[Workspace]:
    """A command that runs in a commercial workspace."""
    workspace.remember("licences", {"commercial": True})
    with hints_of(workspace.root, ("convert", "--every-face")):
        yield workspace


def test_every_part_says_what_it_may_be_used_for() -> None:
    specs = {spec.name: spec.licence for spec in (*detector_specs(), *landmarker_specs())}
    assert {name for name, licence in specs.items() if not licence.commercial} == {"mtcnn", "dlib"}
    assert all(licence.part and licence.terms != "not stated" for licence in specs.values())
    assert "300-W" in specs["dlib"].trained_on and "WIDER" in specs["mtcnn"].trained_on


def test_it_is_asked_once_and_remembered(workspace: Workspace, typed: Callable[..., list[str]]) -> None:
    assert plan(workspace) == {"commercial": False}, "nobody can answer"
    shown = typed("y")
    assert plan(workspace) == {"commercial": True, "detector": "blazeface", "landmarker": "mesh"}
    assert len(shown) == 1
    assert plan(workspace)["commercial"] is True and len(shown) == 1
    workspace.remember("extract", {"detector": "dlib-hog"})
    assert "detector" not in plan(workspace), "what is allowed stays"
    workspace.remember("extract", {"detector": "mtcnn"})
    assert plan(workspace)["detector"] == "blazeface"
    assert plan(workspace, commercial=False) == {"commercial": False}
    other = Workspace(workspace.root / "other")
    other.root.mkdir()
    shown = typed("")
    assert plan(other) == plan(other) == {"commercial": False} and len(shown) == 1


def test_a_commercial_workspace_is_not_offered_what_it_may_not_use(
    commercial: Workspace, typed: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = typed("")
    found = resolve(BasicOptions, {"side": "src", "commercial": True}, {"detector": "blazeface"})
    assert len(shown) == 1 and found.detector == "blazeface"
    menu = capsys.readouterr().out
    assert "blazeface" in menu and "mtcnn" not in menu
    typed("")
    resolve(BasicOptions, {"side": "src", "commercial": False}, {})
    assert "mtcnn" in capsys.readouterr().out


def test_the_parts_of_the_faces_that_are_there_are_the_usual_ones(workspace: Workspace) -> None:
    for side, settings in ((workspace.src, {"detector": "dlib-hog", "landmarker": "mesh"}), (workspace.dst, {})):
        side.frames_dir.mkdir(parents=True, exist_ok=True)
        assert plan(workspace, side="dst").get("landmarker") == (None if side == workspace.src else "mesh")
        side.extract_journal.write_text(json.dumps({"frame": "", "settings": {"detector": "mtcnn", **settings}}) + "\n")
    assert plan(workspace, side="src") == {"commercial": False, "detector": "dlib-hog", "landmarker": "mesh"}
    assert plan(workspace, side="dst") == {"commercial": False, "detector": "mtcnn", "landmarker": "dlib"}


def test_what_is_not_allowed_is_refused_with_a_line(commercial: Workspace) -> None:
    for make, name, flag in ((make_detector, "mtcnn", "blazeface"), (make_landmarker, "dlib", "mesh")):
        with pytest.raises(UserError) as caught:
            make(name)  # type: ignore[operator]
        assert "commercial" in caught.value.happened
        assert "extract --side src --redo" in caught.value.fix.replace("4_src_extract_faces.sh", "extract --side src")
        assert flag in caught.value.fix
    assert default_detector() == "blazeface"
    assert {one.detector for one in passes(slow=True)} == {"blazeface", "dlib-hog", "dlib-cnn"}
    with hints_of(commercial.root, ("extract", "--side", "dst")), pytest.raises(UserError) as caught:
        make_detector("mtcnn")
    assert "--detector blazeface" in caught.value.fix and "redo" not in caught.value.fix


def test_outside_of_it_all_is_as_before(workspace: Workspace) -> None:
    with hints_of(workspace.root, ("extract",)):
        assert default_detector() == "mtcnn"
        assert passes(slow=False)[0].detector == "mtcnn"


@needs_networks
def test_an_extraction(commercial: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """No flag but what the workspace remembers; then dlib's points in the same folder are named."""
    commercial.dst.frames_dir.mkdir()
    for number, frame in enumerate(sample_frames("dst", [0, 10]), 1):
        write_image(commercial.dst.frames_dir / f"{number:05d}.png", frame)
    report = run_command("extract", commercial, side="dst", people=False)
    assert report.faces == 2 and "without MTCNN" in capsys.readouterr().out
    faces = [load_face(path) for path in commercial.dst.aligned()]
    assert {(record.detector, record.landmarker) for _, record in faces} == {("blazeface", "mesh")}
    with pytest.raises(UserError, match="commercial work"):
        run_command("extract", commercial, side="dst", detector="mtcnn", redo=True)
    list_faces(commercial.dst)
    assert "two landmarkers" not in "".join(capsys.readouterr())
    image, record = faces[0]
    save_face(commercial.dst.aligned_dir / "00002_7.png", image, replace(record, landmarker=None))
    list_faces(commercial.dst)
    assert "2 of mesh and 1 of dlib" in "".join(capsys.readouterr())


def test_faces_placed_by_hand_belong_to_no_landmarker(save_drawn_face: Callable[..., Path], tmp_path: Path) -> None:
    record = load_face(save_drawn_face(tmp_path / "a.png"))[1]
    by_hand = replace(record, detector="manual")
    assert landmarkers_of([record, by_hand, replace(by_hand, landmarker="mesh")]) == {"dlib": 1, "mesh": 1}


def test_small_faces_are_counted(
    save_drawn_face: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = load_face(save_drawn_face(tmp_path / "a.png"))[1]
    small, large = (replace(record, landmarker="mesh", rect=(0, 0, side, 20)) for side in (24, 30))
    say_small_faces([small, large, small, replace(small, landmarker="dlib")])
    text = capsys.readouterr().out
    assert text.startswith("3 faces are under 25 px") and "--landmarker dlib" in text
    say_small_faces([small], dlib=False)
    assert "dlib" not in capsys.readouterr().out
    say_small_faces([replace(small, landmarker=None)])
    text = capsys.readouterr().out
    assert text.startswith("1 face is under") and "dlib" not in text
    say_small_faces([large, replace(small, detector="manual")])
    assert not capsys.readouterr().out


def test_faces_of_other_parts_are_refused_wherever_they_would_be_used(
    workspace: Workspace, save_drawn_face: Callable[..., Path]
) -> None:
    """The faces were there before it became a commercial one, or came from another workspace."""
    for side in (workspace.src, workspace.dst):
        paths = [save_drawn_face(side.aligned_dir / f"0000{n}_0.png", seed=n, frame=f"0000{n}.png") for n in range(3)]
        for path, by, points in zip(paths, ("mtcnn", "blazeface", "manual"), (None, "mesh", None), strict=True):
            image, record = load_face(path)
            save_face(path, image, replace(record, detector=by, landmarker=points))
    check_faces(workspace, workspace.src, workspace.dst)
    workspace.remember("licences", {"commercial": True})
    for command, values in (("train", {"model": "quick"}), ("convert", {}), ("swap", {})):
        if command == "swap":
            video = workspace.root / "data_dst.mp4"
            video.write_bytes(b"a video")
            values = {"files": f"{video}\n{workspace.root / 'out.mp4'}", "aligned": str(workspace.dst.aligned_dir)}
        with pytest.raises(UserError) as caught:
            run_command(command, workspace, **values)
        assert "1 by MTCNN" in caught.value.happened and "1 by dlib's 68" in caught.value.happened, command
        assert "--no-commercial" in caught.value.fix
    for side in (workspace.src, workspace.dst):
        (side.aligned_dir / "00000_0.png").unlink()
    check_faces(workspace, workspace.src, workspace.dst, folder=workspace.dst.aligned_dir)
