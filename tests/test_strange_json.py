"""Every file of JSON in a workspace, as a stranger may have written it: named or passed over, no traceback."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.test_json_data import HOSTILE
from facewright.core.errors import UserError
from facewright.core.files import batches
from facewright.core.journal import read_journal
from facewright.core.workspace import Workspace
from facewright.data.sampler import Sampler
from facewright.extract.log import ExtractionLog
from facewright.extract.session import options_of_settings
from facewright.facesets.metadata import metadata_file, read_metadata
from facewright.facesets.rename import PLAN, finish
from facewright.nn import checkpoint, saved_models
from facewright.nn.safetensors_file import DamagedArrays, read_header
from facewright.restore.model_states import saved_states
from facewright.video.probe import Colour
from facewright.video.timing import AudioTiming, Section, Timing, read_timing, write_timing

WRONG_KINDS: dict[str, Any] = {
    "a list": [], "a list of lists": [[[]]], "a number": 5, "a text": "x", "null": None, "a float": 1e300,
    "lists inside": {name: [[]] for name in ("model", "iteration", "pass", "moves", "files", "faces", "version", "by")},
    "numbers inside": {name: -1 for name in ("model", "saved", "moves", "files", "faces", "sort", "pts", "frame")},
}  # fmt: skip
CONTENTS = {**HOSTILE, **{name: json.dumps(value).encode() for name, value in WRONG_KINDS.items()}}


def generation(workspace: Workspace, name: str) -> Path:
    folder = workspace.model_dir / "quick" / "generation_000001"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_text("{}")
    return folder / name


def readers(workspace: Workspace) -> Iterator[tuple[Path, Callable[[], object]]]:
    side, batch = workspace.src, workspace.trash / "2026-01-01_00-00-00"
    for folder in (side.aligned_dir, batch):
        folder.mkdir(parents=True)
    (batch / "a.png").write_bytes(b"")
    yield workspace.root / "answers.json", lambda: (workspace.answers("sort"), workspace.remember("sort", {"by": "x"}))
    yield batch / ".origin.json", lambda: batches(workspace.trash)
    yield side.timing_file, lambda: read_timing(side.timing_file)
    yield side.extract_journal, lambda: options_of_settings(side, ExtractionLog.read(side).settings or {})
    yield side.convert_journal, lambda: read_journal(side.convert_journal, "frame")
    yield metadata_file(side), lambda: read_metadata(metadata_file(side))
    yield side.aligned_dir / PLAN, lambda: finish(side.aligned_dir, workspace.trash)
    for name in ("state.json", "manifest.json"):
        yield generation(workspace, name), lambda: checkpoint.newest(workspace.model_dir / "quick")
    yield (
        generation(workspace, "state.json"),
        lambda: (
            [model.describe() for model in saved_models.list_saved_models(workspace.model_dir)],
            saved_states(workspace.model_dir),
        ),
    )


@pytest.mark.parametrize("data", CONTENTS.values(), ids=CONTENTS.keys())
def test_a_file_of_a_stranger_is_named_or_passed_over(workspace: Workspace, data: bytes) -> None:
    for path, read in readers(workspace):
        path.write_bytes(data)
        try:
            read()
        except UserError as problem:
            said = str(problem).encode("utf-8").decode()
        else:
            said = path.name
        assert path.name in said or path.parent.name in said
        path.unlink(missing_ok=True)


TIMING = Timing(
    *("data_dst.mp4", 1000, 0.0, "png", Fraction(1, 25), (0, 1, 2), 3, Fraction(25), True, (40, 60)),
    *(Colour("bt709", "bt709", "bt709", "tv"), "bt709", AudioTiming("aac", Fraction(-1, 3), Fraction(2, 7), 1)),
    *(("rotated",), (Section(Fraction(0), Fraction(3, 25), Fraction(0)),), "12:0a"),
)
ODD = ([], {}, [[]], None, "x", -1, 1.5, 10**59, True, [1], [1, 0], [[1, 2]], {"a": []}, "tv:eval=1;[x]", ["\\"])


def test_every_field_of_the_frames_times_may_be_odd(tmp_path: Path) -> None:
    path = tmp_path / "frames.json"
    write_timing(path, TIMING)
    assert read_timing(path) == TIMING
    right = json.loads(path.read_text())
    places = [(right, name) for name in right]
    places += [(part, name) for part in right.values() if isinstance(part, dict) for name in part]
    for part, name in places:
        before = part[name]
        for part[name] in ODD:
            path.write_text(json.dumps(right))
            try:
                timing = read_timing(path)
            except UserError as problem:
                timing = None
                said = problem.happened
            assert timing is not None or "frames.json" in said
            assert timing is None or (timing.rate < 10**7 and ":" not in timing.colour.range)
        part[name] = before


@pytest.mark.parametrize("data", CONTENTS.values(), ids=CONTENTS.keys())
def test_weights_with_a_strange_head_are_damaged(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(len(data).to_bytes(8, "little") + data)
    with pytest.raises(DamagedArrays):
        read_header(path)


@pytest.mark.parametrize(
    "line",
    [
        {"frame": "", "settings": {"size": [1], "detector": {}, "min_face": "many", "max_faces": 10**50}},
        {"frame": "", "settings": {"size": -3, "detector": "none such", "face_type": 7}},
    ],
)
def test_settings_of_a_strange_extraction_become_those_that_are_usual(workspace: Workspace, line: Any) -> None:
    workspace.src.frames_dir.mkdir(parents=True)
    workspace.src.extract_journal.write_text(json.dumps(line))
    options = options_of_settings(workspace.src, ExtractionLog.read(workspace.src).settings or {})
    assert isinstance(options.size, int) and isinstance(options.detector, str) and options.max_faces < 10**9


BROKEN_RNG = {"bit_generator": "PCG64", "state": {"state": -1, "inc": []}}


@pytest.mark.parametrize("state", [{}, {"rng": 5}, {"rng": BROKEN_RNG}])
def test_a_sampler_with_a_strange_state_draws_on(state: dict[str, Any]) -> None:
    sampler = Sampler([Path("a.png")], (), np.random.default_rng(1), flip=False)
    sampler.set_state({**state, "order": [[]], "faces": "many"})
    assert len(sampler) == 1
