"""A workspace of version 0.1.0 is opened, used and continued by today's program (what it holds: stored/README.md)."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from facewright.cli import main
from facewright.convert.engines import EngineModels
from facewright.convert.launch import open_preview
from facewright.convert.parameters import ConvertOptions
from facewright.convert.session import convert
from facewright.core.images import read_image
from facewright.core.workspace import Workspace
from facewright.faces.align import FaceType
from facewright.faces.record import load_record
from facewright.models import base, registry

STORED = Path(__file__).parent / "stored" / "workspace"
SCALE = 1 / 128  # of the channels of the stored models
NEW_FOLDERS = {"logs"}  # what today's program may add


@pytest.fixture
def stored(tmp_path: Path) -> Workspace:
    """A copy of the stored workspace."""
    return Workspace(Path(shutil.copytree(STORED, tmp_path / "wörk space")))


@pytest.fixture
def narrow_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build every model with the channels of the stored ones."""
    full = registry.model_class

    def narrow(name: str) -> type[base.FaceModel]:
        kind = full(name)

        def build(self, options, *, seed=0):
            kind.__init__(self, options, seed=seed, scale=SCALE)

        return type(kind.__name__, (kind,), {"__init__": build, "__module__": kind.__module__})

    monkeypatch.setattr(registry, "model_class", narrow)


@pytest.fixture
def run(stored: Workspace) -> Callable[..., None]:
    """Run a command on the copy as the scripts do."""

    def command(*arguments: str) -> None:
        assert main([*arguments, "--yes", "--workspace", str(stored.root)]) == 0

    return command


def contents(workspace: Workspace) -> dict[str, str]:
    """Every visible file but logs -> checksum of its bytes, and when it was written."""
    paths = (path for path in sorted(workspace.root.rglob("*")) if path.is_file() and not path.name.startswith("."))
    places = {path.relative_to(workspace.root): path for path in paths}
    return {
        place.as_posix(): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for place, path in places.items()
        if place.parts[0] not in NEW_FOLDERS
    }


def test_records_of_version_1_are_read(stored):
    for side in (stored.src, stored.dst):
        paths = side.aligned()
        records = [load_record(path) for path in paths]
        assert [record.frame for record in records] == [f"0000{n}.jpg" for n in range(1, 5)]
        for path, record in zip(paths, records, strict=True):
            assert (record.face_type, record.size, record.detector, record.person) == (FaceType.FULL, 128, "mtcnn", 1)
            assert record.landmarks.shape == record.frame_landmarks.shape == (68, 2)
            # The matrix carries the frame's points to those of the picture.
            placed = record.frame_landmarks @ record.matrix[:, :2].T + record.matrix[:, 2]
            np.testing.assert_allclose(placed, record.landmarks, atol=0.01)
            assert abs(record.pose[0]) < 60 and record.embedding is not None
            assert read_image(path).shape == (128, 128, 3)


@pytest.mark.parametrize("side", ["src", "dst"])
def test_frames_and_faces_are_not_made_again(stored, run, side):
    before = contents(stored)
    run("extract-frames", "--side", side, "--image-format", "jpg")
    run("extract", "--side", side, "--size", "128", "--occlusion", "off")  # else it is noted that no hand was found
    assert contents(stored) == before


def test_conversion_uses_the_answers_and_gives_the_same_frames(stored, run, narrow_models):
    """A change of what the key holds may convert once more: what comes out is the same, and then there is rest."""
    answers = stored.answers("convert")
    assert (answers["mode"], answers["erode"], answers["blur"]) == ("overlay", 0, 20)
    merged = stored.dst.merged_dir
    before = {path.name: read_image(path) for path in sorted(merged.iterdir())}
    trash = sorted(stored.trash.rglob("*"))
    # Half faces began at 100 and 100 then, now at 50 and 50; the mode is the stored answer.
    flags = ("--model", "hero", "--format", "jpg", "--erode", "50", "--blur", "70")
    run("convert", *flags)
    for name, image in before.items():
        difference = np.abs(read_image(merged / name).astype(int) - image)
        assert difference.mean() < 0.5 and np.quantile(difference, 0.999) < 8, name
    assert sorted(stored.trash.rglob("*")) == trash, "what the program wrote itself is no retouched picture"
    after = contents(stored)
    run("convert", *flags)
    assert contents(stored) == after


@pytest.mark.parametrize(("name", "iteration"), [("hero", 1500), ("small", 30)])
def test_a_training_goes_on_with_its_optimizer(stored, run, narrow_models, name, iteration):
    (old,) = (stored.model_dir / name).glob("generation_*")
    before = {file: load_file(old / f"{file}.safetensors") for file in ("weights", "optimizer")}
    flags = ("--target-iter", str(iteration + 1), "--precision", "float32", "--no-window", "--no-preview")
    run("train", "--model", {"hero": "h64", "small": "quick96"}[name], "--name", name, *flags)
    new = max((stored.model_dir / name).glob("generation_*"))
    state = json.loads((new / "state.json").read_text(encoding="utf-8"))
    assert new != old and state["iteration"] == iteration + 1 and state["batch"] == 4
    for file, arrays in before.items():
        after = load_file(new / f"{file}.safetensors")
        assert after.keys() == arrays.keys()
        for key, array in arrays.items():
            assert after[key].shape == array.shape and after[key].dtype == array.dtype, key
    moved = before["weights"].keys()
    after = load_file(new / "weights.safetensors")
    assert any((after[key] != before["weights"][key]).any() for key in moved)
    assert all(np.abs(after[key] - before["weights"][key]).max() < 0.01 for key in moved if after[key].size)
    # The second moments forget a thousandth (Adam) or a tenth (RMSprop) at a step: they come from the file.
    after, arrays = load_file(new / "optimizer.safetensors"), before["optimizer"]
    largest = sorted(arrays, key=lambda key: arrays[key].size)[-4:]
    assert any(np.abs(arrays[key]).sum() > 0 for key in largest)
    kept = [np.linalg.norm(after[key] - arrays[key]) <= 0.2 * np.linalg.norm(arrays[key]) for key in largest]
    assert any(kept)


def test_the_trash_knows_where_its_file_was(stored, run):
    (painted,) = stored.trash.rglob("*.jpg")
    data, target = painted.read_bytes(), stored.dst.merged_dir / "00002.jpg"
    target.unlink()
    run("restore", "--what", "all")
    assert target.read_bytes() == data


def test_the_video_is_made_of_the_stored_frames_with_sound(stored, run):
    import av

    run("make-video")
    with av.open(str(stored.result)) as video:
        assert (video.streams.video[0].width, video.streams.video[0].height) == (320, 240)
        assert len(video.streams.audio) == 1
        assert sum(1 for _ in video.decode(video=0)) == 4


@pytest.mark.slow
@pytest.mark.usefixtures("narrow_models")
def test_bfloat16_moves_pixels_by_a_few_levels_at_most_and_preview_and_conversion_agree(stored: Workspace) -> None:
    frame, converted = stored.dst.frames()[0], {}
    for precision in ("float32", "bfloat16"):
        options = ConvertOptions(mode="overlay", model="hero", precision=precision, saved_settings=False)
        models = EngineModels(stored, options)
        shutil.rmtree(stored.dst.merged_dir)
        convert(stored, options, models)
        converted[precision] = read_image(stored.dst.merged_dir / f"{frame.stem}.png").astype(int)
        shown = open_preview(stored, options, models).preview.render(0, options)
        np.testing.assert_array_equal(shown, converted[precision])
    replaced = converted["float32"] != read_image(frame)
    difference = np.abs(converted["float32"] - converted["bfloat16"])
    assert replaced.any() and difference.any(), "it is another precision"
    assert difference.max() <= 4 and difference[replaced].mean() < 1
