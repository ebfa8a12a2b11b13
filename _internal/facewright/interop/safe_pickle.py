"""Reading the data of an untrusted pickle without running any of it.

Facesets of DeepFaceLab carry pickled dictionaries. A pickle is a program for a small machine, and it may call any
function that it can name: loading one runs whatever its author wrote. Here `find_class`, the one way to a name, never
imports anything. It knows the few names that numpy's arrays need, and answers with functions of this file in their
place, which make arrays of plain numbers and nothing else. This is the only file that may import `pickle`.

Before that, `pickletools.genops`, which runs nothing either, shows the instructions: those that plain data does not
need are refused (classes, persistent ids, extension codes, out-of-band buffers), and their number has a limit, as have
the size of a number, the places in the memo and the tuples: hashing one that is nested very deep would overflow the
interpreter's stack. Afterwards the result is copied, with limits to its depth and to the number of values when shared
parts are counted each time they are met (a few hundred bytes can describe a list of 2^64 entries).
"""

import io
import math
import pickle
import pickletools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_INSTRUCTIONS = 200_000
MAX_TUPLES = 5_000
MAX_VALUES = 200_000
MAX_DEPTH = 12
MAX_NUMBER_BITS = 64

NUMBER_CODE = re.compile(r"b1|[iu][1248]|f[248]")
TUPLES = frozenset(("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"))
MEMO = frozenset(("PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"))
TEXTS = frozenset(("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"))
END_OF_DICTIONARY = b"u."  # SETITEMS, STOP
# fmt: off
INSTRUCTIONS = TUPLES | MEMO | frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "MEMOIZE", "NONE", "NEWTRUE", "NEWFALSE",
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
))
# fmt: on


@dataclass(frozen=True)
class Limits:
    """How large a pickle may be; the defaults are those of a face's data.

    Attributes:
        whole: Bytes of the pickle.
        arrays: Bytes of all arrays in it together.
    """

    whole: int = 4 << 20
    arrays: int = 16 << 20


USUAL = Limits()


class PickleRefused(ValueError):
    """The pickle asks for more than plain data, is too large or damaged; the text says which."""


def read_pickle(data: bytes, limits: Limits = USUAL) -> Any:
    """Return what a pickle of plain data holds.

    Args:
        data: A pickle of protocol 0 to 5.
        limits: How large it may be. Reading takes up to five times the memory of the arrays.

    Returns:
        None, bool, int (64 bits), float, str, bytes, list, tuple, dict with keys of text or whole numbers, or numpy
        arrays of numbers; every part is a fresh copy.

    Raises:
        PickleRefused: Anything else, and whatever is too large or damaged.
    """
    if len(data) > limits.whole:
        raise PickleRefused(f"it is {len(data)} bytes long, more than {limits.whole}")
    try:
        _check_instructions(data)
        value = _Unpickler(data, limits).load()
    except PickleRefused:
        raise
    except (
        *(pickle.UnpicklingError, ValueError, LookupError, TypeError, AttributeError, OverflowError, EOFError),
        *(RecursionError, MemoryError, struct.error),
    ) as error:
        raise PickleRefused("it is damaged") from error
    return _Copy(limits).of(value)


def read_before(data: bytes, key: str) -> Any:
    """Return what a pickled dictionary holds before one of its keys; what follows is not even looked at.

    Args:
        data: The beginning of a pickle of protocol 1 or later: up to the key at least.
        key: A key of text that is neither the first nor the second.

    Raises:
        PickleRefused: As `read_pickle`; or the key is not there.
    """
    kept, start, kind = [], 0, ""
    try:
        for code, argument, place in pickletools.genops(data):
            # Frames only say how far to read on, and what is left out would be missing from the last one.
            kept += [data[start:place]] if kind != "FRAME" else []
            start, kind = int(place or 0), code.name
            if argument == key and kind in TEXTS:
                return read_pickle(b"".join(kept) + END_OF_DICTIONARY)
    except (ValueError, struct.error, OverflowError) as error:
        if isinstance(error, PickleRefused):
            raise
        raise PickleRefused(f"it is cut off before {key!r}") from error
    raise PickleRefused(f"it has no {key!r}")


def _check_instructions(data: bytes) -> None:
    tuples = 0
    for count, (code, argument, _) in enumerate(pickletools.genops(data)):
        if count > MAX_INSTRUCTIONS:
            raise PickleRefused(f"it has more than {MAX_INSTRUCTIONS} instructions")
        if code.name not in INSTRUCTIONS:
            raise PickleRefused(f"it has the instruction {code.name}, which plain data does not need")
        tuples += code.name in TUPLES
        if tuples > MAX_TUPLES:
            raise PickleRefused(f"it has more than {MAX_TUPLES} tuples")
        # The unpickler makes room for all places of the memo up to the highest one.
        if code.name in MEMO and isinstance(argument, int) and argument > MAX_INSTRUCTIONS:
            raise PickleRefused(f"it has more than {MAX_INSTRUCTIONS} places in its memo")
        if isinstance(argument, int) and argument.bit_length() > MAX_NUMBER_BITS:
            raise PickleRefused(f"it holds a whole number of more than {MAX_NUMBER_BITS} bits")


class _Function:
    """What a pickle gets for a name. A class of its own: the state of a real function could be changed by BUILD."""

    __slots__ = ("_call", "name")

    def __init__(self, name: str, call: Callable[..., Any] | None = None) -> None:
        self.name = name
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        if self._call is None:
            raise PickleRefused(f"it calls numpy's {self.name}")
        return self._call(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise PickleRefused("it fills in something that is no array")


class _Dtype:
    """A kind of number, as far as it is known."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        version, order, *rest = state
        if version not in (3, 4) or order not in ("<", ">", "|", "=") or rest[:3] != [None, None, None]:
            raise PickleRefused("it has an array with a kind of number of its own")
        self.order = order

    def real(self) -> "np.dtype[Any]":
        return np.dtype(("|" if self.code.endswith("1") else self.order) + self.code)


class _Array:
    """An array, whose content may come with a later instruction."""

    __slots__ = ("_make", "value")

    def __init__(self, make: "Callable[..., _Array]", value: "NDArray[Any] | None" = None) -> None:
        self._make = make
        self.value = value

    def __setstate__(self, state: Any) -> None:
        if self.value is not None or type(state) is not tuple:
            raise PickleRefused("it fills in something that is no array")
        _, shape, kind, fortran, data = state
        self.value = self._make(data, kind, shape, "F" if fortran else "C").value


class _Unpickler(pickle.Unpickler):
    """Knows the names that numpy's arrays need, and nothing else."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        super().__init__(io.BytesIO(data), encoding="latin-1")  # texts of Python 2
        self._most = limits.arrays
        self._spent = 0  # bytes of arrays and encoded texts
        self._ndarray = _Function("ndarray")
        plain_bytes = _Function("bytes", _bytes)
        self._functions = {
            "numpy ndarray": self._ndarray,
            "numpy dtype": _Function("dtype", _dtype),
            "_codecs encode": _Function("encode", self._encode),
            **{
                f"{module} {kind}": plain_bytes
                for module in ("__builtin__", "builtins")
                for kind in ("bytes", "bytearray")
            },
        }
        for core in ("core", "_core"):  # numpy 1 and 2
            self._functions |= {
                f"numpy.{core}.multiarray _reconstruct": _Function("reconstruct", self._empty_array),
                f"numpy.{core}.multiarray scalar": _Function("scalar", self._scalar),
                f"numpy.{core}.numeric _frombuffer": _Function("frombuffer", self._array),
            }

    def find_class(self, module: str, name: str) -> _Function:
        """Return the function of this file that stands for a name; nothing is imported."""
        function = self._functions.get(f"{module} {name}")
        if function is None:
            raise PickleRefused(f"it asks for {f'{module}.{name}'[:80]!r}, and a file of data has no use for that")
        return function

    def _empty_array(self, kind: Any, shape: Any, code: Any) -> _Array:
        if kind is not self._ndarray or shape != (0,):
            raise PickleRefused("it makes an array of an unknown kind")
        return _Array(self._array)

    def _scalar(self, kind: Any, data: Any) -> Any:
        value = self._array(data, kind, (), "C").value
        assert value is not None
        return value.item()

    def _encode(self, text: Any, coding: Any) -> bytes:
        if not isinstance(text, str) or coding not in ("latin1", "latin-1"):
            raise PickleRefused("it encodes a text in another way than arrays need")
        self._spend(len(text))
        return text.encode("latin-1")

    def _array(self, data: Any, kind: Any, shape: Any, order: Any) -> _Array:
        if isinstance(data, str):  # bytes of Python 2
            data = self._encode(data, "latin1")
        right = isinstance(kind, _Dtype) and isinstance(data, bytes | bytearray)
        if not right or type(shape) is not tuple or len(shape) > 4:
            raise PickleRefused("it has an array that is not made of plain numbers")
        if not all(type(side) is int and 0 <= side <= self._most for side in shape):
            raise PickleRefused("it has an array that is not made of plain numbers")
        dtype = kind.real()
        if math.prod(shape) * dtype.itemsize != len(data) or order not in ("C", "F"):
            raise PickleRefused("it has an array whose size does not fit its content")
        self._spend(len(data))
        return _Array(self._array, np.frombuffer(data, dtype).reshape(shape, order=order).copy())

    def _spend(self, count: int) -> None:
        self._spent += count
        if self._spent > self._most:
            raise PickleRefused(f"its arrays have more than {self._most} bytes")


def _dtype(code: Any, align: Any = 0, copy: Any = 1) -> _Dtype:
    if not isinstance(code, str) or not NUMBER_CODE.fullmatch(code):
        shown = code[:20] if isinstance(code, str) else type(code).__name__
        raise PickleRefused(f"it has an array of {shown!r}, not of numbers")
    return _Dtype(code)


def _bytes(data: Any = b"") -> bytes:
    if not isinstance(data, bytes):
        raise PickleRefused("it makes bytes of something else")
    return data


class _Copy:
    """Copies the result, so that nothing in it is shared, endless or an object of this file."""

    def __init__(self, limits: Limits) -> None:
        self._count = 0
        self._left = limits.arrays

    def of(self, value: Any, depth: int = 0) -> Any:
        """Return a copy of plain data."""
        self._count += 1
        if self._count > MAX_VALUES:
            raise PickleRefused(f"it holds more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise PickleRefused(f"it is nested more than {MAX_DEPTH} deep")
        if value is None or type(value) in (bool, int, float, str, bytes):
            return value
        if type(value) is bytearray:
            return bytes(value)
        if type(value) is list or type(value) is tuple:
            return type(value)(self.of(item, depth + 1) for item in value)
        if type(value) is dict:
            if not all(isinstance(key, str | int) for key in value):
                raise PickleRefused("it has a dictionary with keys that are neither text nor number")
            return {key: self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, _Array) and value.value is not None:
            # An array that is met again and again would be copied as often.
            self._left -= value.value.nbytes
            if self._left < 0:
                raise PickleRefused("it holds the same arrays many times")
            return value.value.copy()
        raise PickleRefused("it holds something that is no plain data")
