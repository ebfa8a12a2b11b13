import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from disks import longest_file
from facewright.core.errors import UserError
from facewright.nn import backups, checkpoint, loading, safetensors_file

SAVER = """
import sys
from pathlib import Path
import numpy as np
from facewright.nn import checkpoint
folder = Path(sys.argv[1])
found = checkpoint.newest(folder)
number = found.generation.state["iteration"] if found else 0
while True:
    number += 1
    arrays = {"a": np.full((700, 700), number, np.float32), "b": np.full(3, number, np.int64)}
    checkpoint.save(folder, {"iteration": number}, {"weights": arrays, "optimizer": arrays})
    print(number, flush=True)
"""


def save(folder, value=1.0, **state):
    arrays = {"weights": {"w": np.full((3, 4), value, np.float32)}, "optimizer": {"0": np.full(5, value, np.float32)}}
    return checkpoint.save(folder, {"iteration": 7, **state}, arrays)


@given(
    st.dictionaries(
        st.text(max_size=9),
        hnp.arrays(
            st.sampled_from([np.float32, np.int64, np.uint8, np.bool_]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
            elements={"allow_nan": False, "allow_infinity": False},
        ),
        max_size=4,
    )
)
def test_arrays_come_back(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("arrays") / "file"
    with open(path, "wb") as file:
        safetensors_file.write_arrays(arrays, file.write)
    found = dict(safetensors_file.read_arrays(path))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert path.stat().st_size == safetensors_file.header_of(arrays)[1]


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_order(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "file"
    path.write_bytes(data)
    with pytest.raises(safetensors_file.DamagedArrays):
        list(safetensors_file.read_arrays(path)) or safetensors_file.read_header(path) or _no()


def _no():
    raise safetensors_file.DamagedArrays("an empty header is a whole file")


def test_two_generations_are_kept(tmp_path):
    for number in range(4):
        generation = save(tmp_path / "m", number)
    assert [p.name for p in checkpoint.generations(tmp_path / "m")] == ["generation_000004", "generation_000003"]
    found = checkpoint.newest(tmp_path / "m")
    assert found.generation == generation
    assert found.generation.arrays("weights").as_dict()["w"][0, 0] == 3
    assert not list((tmp_path / "m").glob(".saving*"))


def test_a_file_that_the_manifest_does_not_name_is_none_of_it(tmp_path):
    save(tmp_path, 1)
    (tmp_path / "generation_000001" / "history.safetensors").write_bytes(b"anything")
    found = checkpoint.newest(tmp_path)
    assert found.generation.has("optimizer")
    assert not found.generation.has("history")


def test_fingerprint_changes_with_every_generation(tmp_path):
    assert save(tmp_path, 1).fingerprint != save(tmp_path, 2).fingerprint


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "manifest cut", "manifest gone", "state"])
def test_the_newest_whole_one_is_used(tmp_path, damage):
    save(tmp_path, 1)
    newest = save(tmp_path, 2).folder
    weights = newest / "weights.safetensors"
    if damage == "cut":
        os.truncate(weights, weights.stat().st_size - 5)
    elif damage == "flip":
        data = bytearray(weights.read_bytes())
        data[-3] ^= 4
        weights.write_bytes(data)
    elif damage == "gone":
        weights.unlink()
    elif damage == "manifest cut":
        os.truncate(newest / "manifest.json", 20)
    elif damage == "manifest gone":
        (newest / "manifest.json").unlink()
    else:
        (newest / "state.json").write_text('{"iteration": 8}')
    found = checkpoint.newest(tmp_path)
    assert found.generation.folder.name == "generation_000001"
    assert list(found.damaged) == [newest]
    assert checkpoint.set_aside(newest).name == "damaged_generation_000002"
    assert save(tmp_path, 3).number == 2
    assert checkpoint.newest(tmp_path).damaged == {}
    assert (tmp_path / "generation_000001").exists()


def test_one_that_is_cut_off_does_not_push_a_whole_one_out(tmp_path):
    save(tmp_path, 1)
    os.truncate(save(tmp_path, 2).folder / "weights.safetensors", 30)
    save(tmp_path, 3)
    assert (tmp_path / "generation_000001").exists()


def test_optimiser_damage_does_not_matter_to_the_converter(tmp_path):
    newest = save(tmp_path).folder
    os.truncate(newest / "optimizer.safetensors", 30)
    assert checkpoint.newest(tmp_path, need=("weights", "extra")).generation.folder == newest


def test_none_whole_is_a_clear_error(tmp_path):
    os.truncate(save(tmp_path).folder / "weights.safetensors", 30)
    with pytest.raises(UserError, match=r"weights.safetensors is cut off \(30 of") as caught:
        checkpoint.newest(tmp_path)
    assert "copy of your own" in caught.value.fix


def test_where_there_is_a_backup_the_way_back_to_it_is_named(tmp_path):
    newest = save(tmp_path).folder
    backups.back_up(newest)
    os.truncate(newest / "weights.safetensors", 30)
    with pytest.raises(UserError) as caught:
        checkpoint.newest(tmp_path)
    assert "--what model" in caught.value.fix


def test_the_weights_of_another_model_are_not_called_cut_off(tmp_path):
    weights = save(tmp_path).folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes() + bytes(100))
    with pytest.raises(UserError, match=r"weights.safetensors is not the file that was saved \("):
        checkpoint.newest(tmp_path)


def test_newer_format_is_refused_and_nothing_changes(tmp_path):
    save(tmp_path)
    manifest = save(tmp_path).folder / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
    with pytest.raises(UserError, match="newer facewright"):
        checkpoint.newest(tmp_path)
    assert len(checkpoint.generations(tmp_path)) == 2


def test_numbers_that_are_not_finite_are_never_saved(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(FloatingPointError):
        save(tmp_path, np.nan)
    assert checkpoint.newest(tmp_path).generation.number == 1
    assert [p.name for p in tmp_path.iterdir()] == ["generation_000001"]


def test_huge_but_finite_numbers_are_saved(tmp_path):
    assert save(tmp_path, 3e38).number == 1


def test_full_disk(tmp_path, monkeypatch):
    save(tmp_path, 1)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(UserError, match="disk is full"):
        save(tmp_path, 2)
    assert checkpoint.newest(tmp_path).generation.number == 1
    assert [p.name for p in tmp_path.iterdir()] == ["generation_000001"]


@pytest.mark.parametrize("room", [0, 30, 100, 150])
def test_a_disk_that_fills_while_a_generation_is_written(tmp_path, room):
    save(tmp_path, 1)
    with longest_file(room), pytest.raises(UserError):
        save(tmp_path, 2)
    assert checkpoint.newest(tmp_path).generation.number == 1
    assert [p.name for p in tmp_path.iterdir()] == ["generation_000001"]  # the room it took is given back
    save(tmp_path, 3)
    assert checkpoint.newest(tmp_path).generation.arrays("weights").as_dict()["w"][0, 0] == 3


def test_other_shapes_are_another_network(tmp_path):
    reader = save(tmp_path).arrays("weights")
    with pytest.raises(UserError, match="another network"):
        loading.load_variables("weights", {"w": np.zeros((2, 2))}, reader)
    with pytest.raises(UserError, match="another network"):
        loading.load_variables("weights", {"v": np.zeros((3, 4))}, reader)


def test_trained_models_newest_first(tmp_path):
    old, new = save(tmp_path / "old").folder, save(tmp_path / "new").folder
    (tmp_path / "empty").mkdir()
    os.utime(old, (1, 1))
    assert checkpoint.trained_models(tmp_path) == ["new", "old"]
    assert checkpoint.trained_models(tmp_path / "absent") == []
    assert new.parent.name == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_at_any_moment_loses_nothing_that_was_saved(tmp_path):
    moments = random.Random(4)
    package = Path(checkpoint.__file__).parents[2]
    last = 0
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(package)},
        )
        said = int(process.stdout.readline())
        time.sleep(moments.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        said = max([said, *map(int, process.communicate()[0].split())])
        generation = checkpoint.newest(tmp_path).generation
        number = generation.state["iteration"]
        assert number in (said, said + 1) and number > last
        for file in ("weights", "optimizer"):
            for array in generation.arrays(file).as_dict().values():
                assert (array == number).all()
        last = number


def test_what_has_another_shape_starts_over_with_its_group(tmp_path):
    import keras  # no other test here needs it

    saved = {"0": np.ones(2), "gan/0": np.ones(3), "gan/1": np.ones(4), "code/0": np.ones(5), "gone/0": np.ones(6)}
    reader = checkpoint.save(tmp_path, {}, {"optimizer": saved}).arrays("optimizer")
    shapes = {"0": 2, "1": 9, "gan/0": 3, "gan/1": 7, "code/0": 5, "new/0": 8}
    variables = {name: keras.Variable(np.zeros(count)) for name, count in shapes.items()}
    assert loading.load_groups(variables, reader) == ("gan",)
    loaded = [name for name, variable in variables.items() if np.asarray(variable).any()]
    assert loaded == ["0", "code/0"]
