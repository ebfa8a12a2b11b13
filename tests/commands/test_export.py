"""The export step: what it writes, skips, refuses; a kill, a full disk and a file that answers otherwise."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facewright import cli
from facewright.commands import export as step
from facewright.commands.export import Options
from facewright.core.errors import UserError
from facewright.core.workspace import Workspace
from facewright.marking.provenance import SOURCE_TYPE
from facewright.models import dfm
from facewright.models import dfm_check as check
from facewright.nn.onnx_file import OnnxFile, read_tags
from facewright.train.session import TrainingSession
from train import tiny

TESTS = Path(__file__).resolve().parents[1]


def save(workspace, name="hero", *, kind="h64", iteration=1, **notes):
    model = tiny.Tiny(tiny.Tiny.Options(), seed=iteration)
    TrainingSession(name, model, workspace.model_dir, kind, iteration, notes=notes).save()


@pytest.fixture
def trained(workspace, monkeypatch):
    tiny.use_tiny(monkeypatch.setattr)
    tiny.save_faces(workspace.dst.aligned_dir, 3)
    save(workspace)
    return workspace


def target(workspace, name="hero"):
    return workspace.model_dir / f"{name}_model.dfm"


def files_of(folder):
    return {path.name for path in folder.iterdir() if path.is_file()}


def run(workspace, *words):
    return cli.main(["export", "--workspace", str(workspace.root), *words])


def test_the_file_is_there_checked_and_marked(trained, capsys):
    assert run(trained) == 0
    file = OnnxFile(target(trained))
    assert file.inputs == (("in_face:0", ("batch", 16, 16, 3)),)
    assert [name for name, _ in file.outputs] == list(dfm.OUTPUTS)
    assert file.tags["digitalSourceType"] == SOURCE_TYPE and SOURCE_TYPE in file.tags["comment"]
    assert (file.tags["name"], file.tags["resolution"], file.tags["face_type"]) == ("hero", "16", "full")
    said = capsys.readouterr().out
    assert "on 3 faces of data_dst" in said and "ms in onnxruntime" in said
    assert "Face coverage 1.6" in said and "Resolution 16" in said and "not real" in said
    assert files_of(trained.model_dir) == {"hero_model.dfm"} and not trained.trash.exists()


def test_a_model_that_was_only_pretrained_is_refused(trained, capsys):
    save(trained, "general", iteration=9, pretrain=True)
    assert run(trained) == 1
    said = capsys.readouterr().err
    assert "general was only pretrained (iteration 9)" in said and "6_train" in said and "--name general" in said
    assert not files_of(trained.model_dir)
    assert run(trained, "--model", "hero") == 0


def test_a_second_run_does_nothing(trained, capsys):
    step.run(trained, Options())
    before = target(trained).stat().st_mtime_ns
    step.run(trained, Options())
    assert target(trained).stat().st_mtime_ns == before
    assert "is there already" in capsys.readouterr().out


def test_a_newer_state_is_exported_and_the_older_file_kept(trained, capsys):
    step.run(trained, Options())
    older = target(trained).read_bytes()
    save(trained, iteration=2)
    step.run(trained, Options())
    assert read_tags(target(trained))["iteration"] == "2"
    (kept,) = trained.trash.rglob("*.dfm")
    assert kept.read_bytes() == older and "was moved to" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not ours", None])
def test_what_is_no_such_file_makes_room(trained, content):
    step.run(trained, Options())
    whole = target(trained).read_bytes()
    target(trained).write_bytes(whole[:-100] if content is None else content)
    step.run(trained, Options())
    assert target(trained).read_bytes() == whole and list(trained.trash.rglob("*.dfm"))


def test_a_damaged_state_falls_back_and_is_not_written_twice(trained, monkeypatch):
    step.run(trained, Options())
    save(trained, iteration=2)
    newest = max(trained.model_dir.glob("hero/generation_*"))
    (newest / "weights.safetensors").write_bytes(b"cut")
    before = target(trained).stat().st_mtime_ns
    step.run(trained, Options())
    assert target(trained).stat().st_mtime_ns == before and not trained.trash.exists()


class TestWhichModel:
    def test_none(self, workspace):
        with pytest.raises(UserError, match="No trained model") as caught:
            step.run(workspace, Options())
        assert "6_train" in caught.value.fix

    def test_unknown(self, trained):
        with pytest.raises(UserError, match="no trained model 'nobody'") as caught:
            step.run(trained, Options(model="nobody"))
        assert "hero" in caught.value.expected
        with pytest.raises(UserError, match=r"no trained model '\.\./hero'"):
            step.run(trained, Options(model="../hero"))

    def test_portraits(self, trained):
        save(trained, "painter", kind="avatar", iteration=9)
        with pytest.raises(UserError, match=r"painter \(avatar\) makes portraits"):
            step.run(trained, Options(model="painter"))
        step.run(trained, Options())  # the only one that can be exported
        assert files_of(trained.model_dir) == {"hero_model.dfm"}

    def test_portraits_alone(self, workspace):
        save(workspace, "painter", kind="avatar")
        with pytest.raises(UserError, match="makes portraits"):
            step.run(workspace, Options())

    def test_the_one_saved_last_where_nobody_is_asked(self, trained, capsys):
        save(trained, "other", iteration=2)
        os.utime(max(trained.model_dir.glob("hero/generation_*")), (1, 1))
        assert run(trained, "--yes") == 0
        assert files_of(trained.model_dir) == {"other_model.dfm"}
        assert "2 trained models; other" in capsys.readouterr().out

    @pytest.mark.parametrize(("lines", "name"), [(["2"], "hero"), ([""], "other"), (["3", "hero"], "hero")])
    def test_asked(self, trained, typed, capsys, lines, name):
        save(trained, "other", iteration=2)
        os.utime(max(trained.model_dir.glob("hero/generation_*")), (1, 1))
        typed(*lines)
        step.run(trained, Options())
        assert files_of(trained.model_dir) == {f"{name}_model.dfm"}
        assert ("'3' is no model" in capsys.readouterr().out) == ("3" in lines)


class TestWhereTo:
    def test_a_folder(self, trained, tmp_path):
        (tmp_path / "live").mkdir()
        step.run(trained, Options(out=str(tmp_path / "live")))
        assert files_of(tmp_path / "live") == {"hero_model.dfm"} and not files_of(trained.model_dir)

    def test_a_file_in_a_new_folder(self, trained, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        step.run(trained, Options(out="live/My [hero].DFM"))
        step.run(trained, Options(out="live/My [hero].DFM"))
        assert files_of(tmp_path / "live") == {"My [hero].DFM"}

    @pytest.mark.parametrize("out", ["hero.onnx", "nowhere/", "hero"])
    def test_neither(self, trained, out):
        with pytest.raises(UserError, match="no folder") as caught:
            step.run(trained, Options(out=out))
        assert ".dfm" in caught.value.fix

    def test_a_file_is_in_the_way(self, trained, tmp_path):
        (tmp_path / "live").write_text("")
        with pytest.raises(UserError, match="needed as a folder"):
            step.run(trained, Options(out=str(tmp_path / "live" / "hero.dfm")))


@pytest.mark.parametrize("shift", [0.01, np.nan])
def test_a_file_that_answers_otherwise_is_refused(trained, monkeypatch, shift):
    step.run(trained, Options())
    before = target(trained).read_bytes()
    save(trained, iteration=2)
    honest = dfm.wanted
    monkeypatch.setattr(dfm, "wanted", lambda *given: tuple(a + np.float32(shift) for a in honest(*given)))
    with pytest.raises(UserError, match="does not answer as the network does"):
        step.run(trained, Options())
    assert target(trained).read_bytes() == before and not trained.trash.exists()
    assert files_of(trained.model_dir) == {"hero_model.dfm"}


def test_a_file_that_does_not_run_is_refused(trained, monkeypatch):
    monkeypatch.setattr(dfm, "dfm_bytes", lambda *given: b"no network")
    with pytest.raises(UserError, match="does not load"):
        step.run(trained, Options())
    assert not files_of(trained.model_dir)


def test_a_full_disk(trained, monkeypatch):
    step.run(trained, Options())
    before = target(trained).read_bytes()
    save(trained, iteration=2)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="The disk is full"):
        step.run(trained, Options())
    assert target(trained).read_bytes() == before and files_of(trained.model_dir) == {"hero_model.dfm"}


KILLED = """
import os, signal, sys
from train import tiny
tiny.use_tiny()
from facewright.core.workspace import Workspace
from facewright.models import dfm
from facewright.commands import export
from facewright.models import dfm_export
moment = sys.argv[2]
def die(*given, **more):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "check":
    dfm.wanted = die
else:
    dfm_export.move_to_trash = die
from pathlib import Path
export.run(Workspace(Path(sys.argv[1])), export.Options())
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a thing of Unix")
@pytest.mark.parametrize("moment", ["check", "trash"])
def test_a_kill_half_way_leaves_no_file_that_was_not_checked(trained, moment):
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "_internal")])
    words = [sys.executable, "-c", KILLED, str(trained.root), moment]
    died = subprocess.run(words, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, timeout=120)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert not target(trained).exists() and files_of(trained.model_dir) == {".hero_model.dfm.unchecked"}
    step.run(Workspace(trained.root), Options())
    assert files_of(trained.model_dir) == {"hero_model.dfm"}


def test_an_environment_from_before(trained, monkeypatch):
    monkeypatch.setattr(step.importlib.util, "find_spec", lambda name: None if name == "onnx" else True)
    with pytest.raises(UserError, match=r"lacks onnx\.") as caught:
        step.run(trained, Options())
    assert "6.2_export_dfm" in caught.value.fix


class TestFacesToCheckWith:
    def test_faces_of_dst_what_is_none_passed_over(self, trained):
        paths = trained.dst.aligned()
        (trained.dst.aligned_dir / "00000_1.png").write_bytes(b"no picture")
        faces, what = check.check_faces(trained.dst.aligned(), tiny.Tiny.face_type, 16)
        assert faces.shape == (len(paths), 16, 16, 3) and faces.dtype == np.float32 and what == "3 faces of data_dst"
        assert 0 <= faces.min() < faces.max() <= 1

    def test_without_any(self):
        faces, what = check.check_faces([], tiny.Tiny.face_type, 32)
        assert faces.shape == (8, 32, 32, 3) and 0 <= faces.min() < faces.max() <= 1 and "by chance" in what
        np.testing.assert_array_equal(faces, check.check_faces([], tiny.Tiny.face_type, 32)[0])


class Same:
    """Stands for an open file: gives back what it gets."""

    def __init__(self, change=lambda faces: faces):
        self.run = lambda faces: [change(faces)]


class TestComparison:
    FACES = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)

    def compared(self, change):
        return check.compare_with_network(Same(change), lambda faces: faces, lambda faces: (faces,), self.FACES)

    def test_the_greatest_difference(self):
        found = self.compared(lambda faces: faces - np.float32(0.25))
        assert found.difference == pytest.approx(0.25) and found.file_ms >= 0 and found.network_ms >= 0
        assert self.compared(lambda faces: faces).difference == 0

    def test_the_single_face_counts_too(self):
        assert self.compared(lambda faces: faces + np.float32(len(faces) == 1)).difference == pytest.approx(1)

    def test_no_number_is_no_agreement(self):
        assert self.compared(lambda faces: faces * np.float32(np.nan)).difference == np.inf

    def test_other_shapes(self):
        with pytest.raises(ValueError, match="shape"):
            self.compared(lambda faces: faces[..., :1])
