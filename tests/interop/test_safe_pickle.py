"""Plain data comes out of a pickle as it went in; nothing else does, and nothing ever runs."""

import builtins
import contextlib
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facewright.interop import safe_pickle
from facewright.interop.safe_pickle import Limits, PickleRefused, read_before, read_pickle

PROTOCOLS = range(6)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=9), inner, max_size=5)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=60)
@given(value=PLAIN)
def test_plain_data_comes_back(protocol: int, value: object) -> None:
    assert read_pickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["f4", "f8", ">f4", "i2", "i4", "i8", "u1", "u2", "?", "f2"])
def test_arrays_come_back(protocol: int, kind: str) -> None:
    array = (np.arange(24).reshape(2, 3, 4) % 2 if kind == "?" else np.arange(24).reshape(2, 3, 4)).astype(kind)
    for one in (array, np.asfortranarray(array), array[::2], array[:0], array.ravel()[1:2].reshape(())):
        back = read_pickle(pickle.dumps({"a": one, "again": one}, protocol))
        np.testing.assert_array_equal(back["a"], one)
        assert back["a"].dtype == one.dtype and back["a"].shape == one.shape
        assert not np.shares_memory(back["a"], back["again"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("old", [b"numpy.core", b"numpy._core"])
def test_names_of_numpy_1_and_2(protocol: int, old: bytes) -> None:
    data = pickle.dumps([np.float32(1.5), np.int64(-7), np.arange(3)], protocol)
    if protocol < 4:  # later ones state the length of a name
        data = data.replace(b"numpy._core", old)
    number, whole, array = read_pickle(data)
    assert (number, whole, array.tolist()) == (1.5, -7, [0, 1, 2])


class Evil:
    """Pickles as a call of whatever it was given."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


class WithState:
    """Pickles with a state to be set on an object."""

    def __init__(self) -> None:
        self.x = 1


def evil_calls(proof: str) -> list[Evil]:
    command = f"touch '{proof}'"
    return [
        Evil(os.system, command),
        Evil(os.popen, command),
        Evil(eval, f"open({proof!r}, 'w')"),
        Evil(exec, f"open({proof!r}, 'w')"),
        Evil(open, proof, "w"),
        Evil(builtins.getattr, Evil(__import__, "os"), "system"),
        Evil(__import__, "os"),
        Evil(subprocess.Popen, command, -1, None, None, None, None, None, True, True),
        Evil(np.load, proof),
        Evil(np.fromfile, proof),
        Evil(np.ndarray, (1 << 40,)),
        Evil(bytes, 1 << 40),
        Evil(bytearray, 1 << 40),
        Evil(np.dtype, "O"),
        Evil(np.dtype, [("f0", "O")]),
        Evil(np.dtype, "V1000000000"),
        Evil(map, os.system, [command]),
        Evil(WithState),
    ]


class Watch:
    """Notes what the interpreter does while it is switched on (an audit hook cannot be taken out again)."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self.note)

    def note(self, event: str, arguments: object) -> None:
        if self.on and event.split(".")[0] in ("import", "os", "exec", "compile", "open", "subprocess", "pickle"):
            self.seen.append(event)


@pytest.fixture(scope="module")
def watch() -> Watch:
    return Watch()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("number", range(18))
def test_evil_is_refused_and_nothing_runs(protocol: int, number: int, tmp_path: Path, watch: Watch) -> None:
    proof = tmp_path / "it ran"
    value = evil_calls(str(proof))[number]
    for shape in (value, {"landmarks": [value]}):
        data = pickle.dumps(shape, protocol)
        watch.on = True
        try:
            read_pickle(data)
        except PickleRefused as refusal:
            refused = str(refusal)
        finally:
            watch.on = False
        assert refused.startswith("it ")
    assert not watch.seen and not proof.exists()


def test_the_proof_would_show_a_pickle_that_runs(tmp_path: Path) -> None:
    """The same evil under Python's own loader does run: the test above can fail."""
    proof, own = tmp_path / "it ran", Watch()
    data = pickle.dumps(evil_calls(str(proof))[0])
    own.on = True
    pickle.loads(data)
    own.on = False
    assert proof.exists() and "os.system" in own.seen


def op(name: str) -> bytes:
    return {o.name: o.code.encode("latin-1") for o in pickletools.opcodes}[name]


def text(value: str) -> bytes:
    return op("BINUNICODE") + struct.pack("<I", len(value)) + value.encode()


HAND_MADE = {
    "instance": b"(S'touch x'\nios\nsystem\n.",
    "object": b"(cos\nsystem\nS'x'\no.",
    "new object": b"cos\nsystem\n)\x81.",
    "persistent id": b"Pevil\n.",
    "persistent id on the stack": b"K\x01Q.",
    "extension code": b"\x82\x01.",
    "name in pieces": b"\x80\x04" + text("os") + text("system") + b"\x93(" + text("x") + b"tR.",
    "attribute of an allowed name": b"\x80\x04" + text("numpy") + text("ndarray.tofile") + b"\x93.",
    "module path": b"cnumpy.core.multiarray\nfromfile\n.",
    "name with a blank": b"cnumpy ndarray\n\n.",
    "build on a dictionary": b"}}b.",
    "build on an allowed name": b"cnumpy\nndarray\n}b.",
    "array as a class": b"cnumpy\nndarray\n(K\x05tR.",
    "name as a value": b"cnumpy\nndarray\n.",
    "array never filled": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR.",
    "out-of-band buffer": b"\x80\x05\x97.",
    "2 GB text": b"X\xff\xff\xff\x7f" + b"a" * 20 + b".",
    "2 GB frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 31) + b"N.",
    "a place far up in the memo": b"Nr\xff\xff\xff\x0f.",
    "state of an allowed name": b"cnumpy\ndtype\nN}X\x01\x00\x00\x00xK\x01s\x86b.",
    "attribute of a text": b"X\x01\x00\x00\x00x}X\x01\x00\x00\x00xK\x01sb.",
    "tuple as a key": b"}(K\x01tK\x01s.",
    "dtype that grows as it is shown": b"cnumpy\ndtype\n(]q\x000]q\x010"
    + b"".join(b"](h%ch%ce" % (n, n) + b"q%c0" % (n + 1) for n in range(1, 100))
    + b"hdtR.",
    "2^62 bytes": b"\x8e" + struct.pack("<Q", 1 << 62) + b"a" * 20 + b".",
    "million-digit number": b"\x8b" + struct.pack("<i", 100_000) + b"\x01" * 100_000 + b".",
    "long decimal": b"I" + b"9" * 100_000 + b"\n.",
    "stack underflow": b"a.",
    "memo of nothing": b"h\x05.",
    "no stop": b"K\x01",
    "mark as a value": b"(.",
    "list as a key": b"}]K\x01s.",
    "cycle": b"]q\x00h\x00a.",
    "deep": b"]" * 5000 + b"a" * 4999 + b".",
    "empty": b"",
    "not a pickle": b"\xff\xd8\xff\xe0",
}


@pytest.mark.parametrize("name", HAND_MADE)
def test_hand_made_pickles_are_refused(name: str) -> None:
    tracemalloc.start()
    with pytest.raises(PickleRefused) as refused:
        read_pickle(HAND_MADE[name])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert str(refused.value).startswith("it ")


def test_a_list_that_doubles_sixty_times_is_refused_quickly() -> None:
    bomb: list[object] = ["lol"]
    for _ in range(10):
        bomb = [bomb] * 10
    with pytest.raises(PickleRefused, match="values"):
        read_pickle(pickle.dumps(bomb, 4))
    doubled: list[object] = [1]
    for _ in range(60):
        doubled = [doubled, doubled]
    with pytest.raises(PickleRefused, match="deep"):
        read_pickle(pickle.dumps(doubled, 4))


def array_pickle(kind: object, state: tuple[object, ...], dtype_state: tuple[object, ...] | None = None) -> bytes:
    """Build `_reconstruct` + state by hand, with the parts as given."""
    out = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01"
    shape, fortran, data = state
    out += pickle.dumps(shape, 2)[2:-1]
    out += b"cnumpy\ndtype\n(" + pickle.dumps(kind, 2)[2:-1] + b"K\x00K\x01tR"
    out += pickle.dumps(dtype_state or (3, "<", None, None, None, -1, -1, 0), 2)[2:-1] + b"b"
    out += pickle.dumps(fortran, 2)[2:-1] + (b"B" + struct.pack("<I", len(data)) + data) + b"tb."
    return out


def test_the_hand_made_array_is_right() -> None:
    assert read_pickle(array_pickle("u1", ((3,), False, b"abc"))).tolist() == [97, 98, 99]


@pytest.mark.parametrize(
    "data",
    [
        array_pickle("O8", ((1,), False, b"\0" * 8)),
        array_pickle("V8", ((1,), False, b"\0" * 8)),
        array_pickle("S8", ((1,), False, b"\0" * 8)),
        array_pickle("M8", ((1,), False, b"\0" * 8)),
        array_pickle("f8,O", ((1,), False, b"\0" * 16)),
        array_pickle("u1", ((1 << 40,), False, b"abc")),
        array_pickle("u1", ((-3,), False, b"abc")),
        array_pickle("u1", ((1 << 24, 1 << 24, 0), False, b"a")),
        array_pickle("u1", ((4,), False, b"abc")),
        array_pickle("u1", ([3], False, b"abc")),
        array_pickle("f4", ((1,), False, b"abcd"), (3, "<", ("u1", (4,)), None, None, -1, -1, 0)),
        array_pickle("f4", ((1,), False, b"abcd"), (3, "<", None, ("x",), {"x": 1}, 4, 1, 0)),
        array_pickle("f4", ((1,), False, b"abcd"), (3, "evil", None, None, None, -1, -1, 0)),
    ],
)
def test_arrays_of_other_things_and_wrong_sizes_are_refused(data: bytes) -> None:
    with pytest.raises(PickleRefused):
        read_pickle(data)


def test_one_text_made_into_many_arrays_is_refused() -> None:
    limits = Limits(arrays=100_000)
    one = b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1tRq\x01B" + struct.pack("<I", 50_000) + b"x" * 50_000 + b"q\x020"
    again = b"cnumpy.core.numeric\n_frombuffer\n(h\x02h\x01M\x50\xc3\x85X\x01\x00\x00\x00CtR"
    read_pickle(b"]" + one + b"0" + b"0".join([again]) + b"a.", limits)
    with pytest.raises(PickleRefused, match="arrays"):
        read_pickle(b"]" + one + b"0" + b"a".join([again] * 3) + b"a.", limits)


def test_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(PickleRefused, match="11"):
        read_pickle(b"N" * 11, Limits(whole=10))


@pytest.mark.parametrize("protocol", PROTOCOLS[1:])
def test_what_stands_before_a_key_is_read_without_the_rest(protocol: int) -> None:
    told = {"iter": 7, "options": {"side": 64}, "losses": list(range(300_000)), "faces": None}
    data = pickle.dumps(told, protocol)
    for beginning in (data, data[:2000]):
        assert read_before(beginning, "losses") == {"iter": 7, "options": {"side": 64}}
    for wrong in (data[:20], data[:2000].replace(b"losses", b"losser"), b""):
        with pytest.raises(PickleRefused):
            read_before(wrong, "losses")


SEEDS = [pickle.dumps({"face": [1, 2.5, ("a", b"b")], "array": np.arange(6.0)}, protocol) for protocol in PROTOCOLS]


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), st.data())
@example(SEEDS[2], None)
def test_damage_is_refused_or_harmless(seed: bytes, data: object) -> None:
    changed = bytearray(seed)
    if data is not None:
        for _ in range(data.draw(st.integers(1, 4))):  # type: ignore[attr-defined]
            changed[data.draw(st.integers(0, len(seed) - 1))] = data.draw(st.integers(0, 255))  # type: ignore[attr-defined]
    with contextlib.suppress(PickleRefused):
        assert isinstance(read_pickle(bytes(changed)), object)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    try:
        value = read_pickle(noise)
    except PickleRefused:
        return
    assert value is None or isinstance(value, bool | int | float | str | bytes | list | tuple | dict | np.ndarray)


def nested_key(depth: int) -> bytes:
    """A dictionary whose key is a tuple in a tuple in a tuple."""
    return b"}K\x01" + b"\x85" * depth + b"K\x01s."


def test_a_deep_tuple_as_a_key_does_not_overflow_the_stack() -> None:
    """Hashing goes down to its end without a check of the stack."""
    refusals = []

    def read() -> None:
        for depth in (100, safe_pickle.MAX_TUPLES, 150_000):
            try:
                read_pickle(nested_key(depth))
            except PickleRefused as refusal:
                refusals.append(str(refusal))

    before = threading.stack_size(1 << 20)  # as on systems with small stacks
    thread = threading.Thread(target=read)
    thread.start()
    threading.stack_size(before)
    thread.join()
    assert len(refusals) == 3 and str(safe_pickle.MAX_TUPLES) in refusals[2]


def test_what_a_pickle_changes_is_gone_with_the_next_one() -> None:
    before = read_pickle(array_pickle("u1", ((3,), False, b"abc"))).tolist()
    for name in HAND_MADE:
        with contextlib.suppress(PickleRefused):
            read_pickle(HAND_MADE[name])
    assert read_pickle(array_pickle("u1", ((3,), False, b"abc"))).tolist() == before
