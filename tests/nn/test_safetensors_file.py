"""The files of a saved model are safetensors as its own library (by Hugging Face) reads and writes them."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from facewright.nn.safetensors_file import DTYPES, DamagedArrays, header_of, read_arrays, write_arrays

ARRAYS = st.dictionaries(
    st.text("abc/0123._ü", min_size=1, max_size=9),
    hnp.arrays(
        st.sampled_from([np.dtype(name) for name in DTYPES]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    max_size=4,
)


def write(path, arrays):
    with open(path, "wb") as file:
        write_arrays(arrays, file.write)


def same(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert second[name].dtype == array.dtype and second[name].shape == array.shape, name
        np.testing.assert_array_equal(second[name], array)


@given(ARRAYS)
def test_the_library_reads_what_is_written(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("arrays") / "file"
    write(path, arrays)
    same(arrays, load_file(path))
    assert path.stat().st_size == header_of(arrays)[1]


@given(ARRAYS)
def test_what_the_library_writes_is_read(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("arrays") / "file"
    save_file(arrays, path)
    same(arrays, dict(read_arrays(path)))


def test_variables_and_views_are_written_row_by_row(tmp_path):
    grid = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {"turned": grid.T, "part": grid[1:3, ::2], "variable": keras.Variable(grid)}
    write(tmp_path / "file", arrays)
    with safe_open(tmp_path / "file", "numpy") as file:
        for name, array in arrays.items():
            np.testing.assert_array_equal(file.get_tensor(name), np.asarray(array))


@pytest.mark.parametrize("cut", [0, 4, 30, -1])
def test_a_file_that_was_cut_off_is_refused(tmp_path, cut):
    write(tmp_path / "file", {"a": np.ones((3, 5), np.float32)})
    data = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(data[:cut])
    with pytest.raises(DamagedArrays):
        list(read_arrays(tmp_path / "file"))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_never_saved(tmp_path, number):
    with pytest.raises(FloatingPointError, match="second"):
        write(tmp_path / "file", {"first": np.ones(3), "second": np.array([1, number])})
