"""Reading the data of a stranger's pickle without running any of it.

Facesets of DeepFaceLab carry pickled dictionaries. A pickle is a program for a small machine, and two of its
instructions call any function by name: loading one runs whatever its author wrote. So nothing here unpickles.
`pickletools.genops` of the standard library splits the bytes into instructions (it executes none), and a machine of
our own runs those that put plain values together. A name never leads to an import or a call: the few names that
numpy's arrays need are looked up in a table and stand for code in this file. All else is refused: no name, no class,
no persistent id, no out-of-band buffer.

A subclass of `pickle.Unpickler` with its own `find_class` would be shorter, but then the constructors it lets
through (`numpy.dtype`, `_reconstruct`, `ndarray.__setstate__`) are numpy's real ones with all that they do.

Limits: bytes, instructions, bytes of arrays, depth, and the number of values when shared parts are counted each time
they are met (a few hundred bytes can describe a list of 2^64 entries).
"""

import io
import math
import pickletools
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 4 << 20
MOST_STEPS = 200_000
MOST_VALUES = 200_000
MOST_ARRAY_BYTES = 16 << 20
DEEPEST = 12
WIDEST_NUMBER = 64  # bits


class PickleRefused(ValueError):
    """The pickle asks for more than plain data, is too large or damaged; the text says which."""


@dataclass(frozen=True)
class _Name:
    """A name of the table below: a token, not the thing itself."""

    meaning: str


class _Mark:
    """The beginning of a group on the stack."""


@dataclass
class _Dtype:
    """A kind of number, as far as it is known."""

    code: str
    order: str = "<"

    def real(self) -> "np.dtype[Any]":
        return np.dtype(("|" if self.code.endswith("1") else self.order) + self.code)


@dataclass
class _Array:
    """An array whose content comes with the next instruction."""

    value: "NDArray[Any] | None" = None


NAMES: Mapping[str, str] = MappingProxyType(
    {
        "numpy ndarray": "ndarray",
        "numpy dtype": "dtype",
        "_codecs encode": "encode",
        "__builtin__ bytes": "bytes",
        "builtins bytes": "bytes",
        "__builtin__ bytearray": "bytes",
        "builtins bytearray": "bytes",
        **{f"numpy.{core}.multiarray _reconstruct": "reconstruct" for core in ("core", "_core")},
        **{f"numpy.{core}.multiarray scalar": "scalar" for core in ("core", "_core")},
        **{f"numpy.{core}.numeric _frombuffer": "frombuffer" for core in ("core", "_core")},
    }
)
NUMBER_CODE = re.compile(r"b1|[iu][1248]|f[248]")
# Instructions whose argument is the value itself.
# fmt: off
VALUES = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
)
# fmt: on


def read_pickle(data: bytes) -> Any:
    """Return what a pickle of plain data holds.

    Args:
        data: A pickle of protocol 0 to 5.

    Returns:
        None, bool, int (64 bits), float, str, bytes, list, tuple, dict with such keys, or numpy arrays of numbers;
        every part is a fresh copy.

    Raises:
        PickleRefused: Anything else, and whatever is too large or damaged.
    """
    if len(data) > MOST_BYTES:
        raise PickleRefused(f"it is {len(data)} bytes long, more than {MOST_BYTES}")
    machine = _Machine()
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(io.BytesIO(data))):
            if count > MOST_STEPS:
                raise PickleRefused(f"it has more than {MOST_STEPS} instructions")
            machine.step(code.name, argument)
    except PickleRefused:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise PickleRefused("it is damaged") from error
    return _Copy().of(machine.result())


class _Machine:
    """Runs the harmless instructions."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._spent = 0  # bytes of arrays and re-coded texts
        self._steps: dict[str, Callable[[Any], None]] = {
            **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda argument: None),
            **dict.fromkeys(VALUES, self._value),
            "NONE": lambda argument: self._stack.append(None),
            "NEWTRUE": lambda argument: self._stack.append(True),
            "NEWFALSE": lambda argument: self._stack.append(False),
            "MARK": lambda argument: self._stack.append(_Mark),
            "POP": lambda argument: self._drop(),
            "POP_MARK": lambda argument: self._drop_group(),
            "DUP": lambda argument: self._stack.append(self._stack[-1]),
            **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self._keep),
            "MEMOIZE": lambda argument: self._keep(len(self._memo)),
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda key: self._stack.append(self._memo[key])),
            "EMPTY_LIST": lambda argument: self._stack.append([]),
            "EMPTY_TUPLE": lambda argument: self._stack.append(()),
            "EMPTY_DICT": lambda argument: self._stack.append({}),
            "LIST": lambda argument: self._stack.append(self._group()),
            "TUPLE": lambda argument: self._stack.append(tuple(self._group())),
            "TUPLE1": lambda argument: self._tuple(1),
            "TUPLE2": lambda argument: self._tuple(2),
            "TUPLE3": lambda argument: self._tuple(3),
            "DICT": lambda argument: self._dict(),
            "APPEND": lambda argument: self._append([self._pop()]),
            "APPENDS": lambda argument: self._append(self._group()),
            "SETITEM": lambda argument: self._set([self._pop(), self._pop()][::-1]),
            "SETITEMS": lambda argument: self._set(self._group()),
            "GLOBAL": self._name,
            "STACK_GLOBAL": lambda argument: self._name_on_stack(),
            "REDUCE": lambda argument: self._reduce(),
            "BUILD": lambda argument: self._build(),
        }

    def step(self, name: str, argument: Any) -> None:
        """Run one instruction."""
        if name not in self._steps:
            raise PickleRefused(f"it has the instruction {name}, which plain data does not need")
        self._steps[name](argument)

    def result(self) -> Any:
        """Return what is left on the stack at the end."""
        if len(self._stack) != 1:
            raise PickleRefused("it is damaged")
        return self._stack[0]

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _Mark:
            raise PickleRefused("it is damaged")
        return value

    def _drop(self) -> None:
        self._stack.pop()

    def _drop_group(self) -> None:
        self._group()

    def _group(self) -> list[Any]:
        values = []
        while (value := self._stack.pop()) is not _Mark:
            values.append(value)
        return values[::-1]

    def _value(self, value: Any) -> None:
        if isinstance(value, int) and value.bit_length() > WIDEST_NUMBER:
            raise PickleRefused(f"it holds a whole number of more than {WIDEST_NUMBER} bits")
        self._stack.append(bytes(value) if isinstance(value, bytearray) else value)

    def _keep(self, key: int) -> None:
        self._memo[key] = self._stack[-1]

    def _tuple(self, count: int) -> None:
        self._stack.append(tuple([self._pop() for _ in range(count)][::-1]))

    def _dict(self) -> None:
        values = self._group()
        self._stack.append({})
        self._set(values)

    def _append(self, values: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise PickleRefused("it adds to something that is no list")
        self._stack[-1].extend(values)

    def _set(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict or len(values) % 2:
            raise PickleRefused("it sets an entry of something that is no dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, str | int):
                raise PickleRefused("it has a dictionary with keys that are neither text nor number")
            target[key] = value

    def _name(self, name: str) -> None:
        meaning = NAMES.get(name)
        if meaning is None:
            shown = ".".join(name.split(" ", 1))[:80]
            raise PickleRefused(f"it asks for {shown!r}, and a file of data has no business with that")
        self._stack.append(_Name(meaning))

    def _name_on_stack(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise PickleRefused("it is damaged")
        self._name(f"{module} {name}")

    def _reduce(self) -> None:
        arguments, name = self._pop(), self._pop()
        if not isinstance(name, _Name) or type(arguments) is not tuple:
            raise PickleRefused("it calls something that is no function of numpy's arrays")
        calls: dict[str, Callable[..., Any]] = {
            "reconstruct": self._empty_array,
            "dtype": self._kind,
            "scalar": self._scalar,
            "encode": self._encode,
            "bytes": self._bytes,
            "frombuffer": self._array,
        }
        if name.meaning not in calls:
            raise PickleRefused(f"it calls numpy's {name.meaning}")
        self._stack.append(calls[name.meaning](*arguments))

    def _empty_array(self, kind: Any, shape: Any, code: Any) -> _Array:
        if kind != _Name("ndarray") or shape != (0,):
            raise PickleRefused("it makes an array of an unknown kind")
        return _Array()

    def _kind(self, code: Any, align: Any = 0, copy: Any = 1) -> _Dtype:
        if not isinstance(code, str) or not NUMBER_CODE.fullmatch(code):
            raise PickleRefused(f"it has an array of {str(code)[:20]!r}, not of numbers")
        return _Dtype(code)

    def _scalar(self, kind: Any, data: Any) -> Any:
        return self._array(data, kind, (), "C").value.item()  # type: ignore[union-attr]

    def _encode(self, text: Any, coding: Any) -> bytes:
        if not isinstance(text, str) or coding not in ("latin1", "latin-1"):
            raise PickleRefused("it re-codes a text")
        self._spend(len(text))
        return text.encode("latin-1")

    def _bytes(self, data: Any = b"") -> bytes:
        if not isinstance(data, bytes):
            raise PickleRefused("it makes bytes of something else")
        return data

    def _array(self, data: Any, kind: Any, shape: Any, order: Any) -> _Array:
        if isinstance(data, str):  # bytes of Python 2
            data = self._encode(data, "latin1")
        right = isinstance(kind, _Dtype) and isinstance(data, bytes) and type(shape) is tuple and len(shape) <= 4
        if not right or not all(type(side) is int and 0 <= side <= MOST_ARRAY_BYTES for side in shape):
            raise PickleRefused("it has an array that is not made of plain numbers")
        dtype = kind.real()
        if math.prod(shape) * dtype.itemsize != len(data) or order not in ("C", "F"):
            raise PickleRefused("it has an array whose size does not fit its content")
        self._spend(len(data))
        return _Array(np.frombuffer(data, dtype).reshape(shape, order=order).copy())

    def _spend(self, count: int) -> None:
        self._spent += count
        if self._spent > MOST_ARRAY_BYTES:
            raise PickleRefused(f"its arrays have more than {MOST_ARRAY_BYTES} bytes")

    def _build(self) -> None:
        state, target = self._pop(), self._stack[-1]
        if type(state) is not tuple:
            raise PickleRefused("it fills in something that is no array")
        if isinstance(target, _Dtype):
            version, order, *rest = state
            if version not in (3, 4) or order not in ("<", ">", "|", "=") or rest[:3] != [None, None, None]:
                raise PickleRefused("it has an array with a kind of number of its own")
            target.order = order
        elif isinstance(target, _Array) and target.value is None:
            _, shape, kind, fortran, data = state
            target.value = self._array(data, kind, shape, "F" if fortran else "C").value
        else:
            raise PickleRefused("it fills in something that is no array")


class _Copy:
    """Copies the result, so that nothing in it is shared, endless or a token of the machine."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, value: Any, depth: int = 0) -> Any:
        """Return a copy of plain data."""
        self._count += 1
        if self._count > MOST_VALUES:
            raise PickleRefused(f"it holds more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise PickleRefused(f"it is nested more than {DEEPEST} deep")
        if value is None or type(value) in (bool, int, float, str, bytes):
            return value
        if type(value) is list or type(value) is tuple:
            return type(value)(self.of(item, depth + 1) for item in value)
        if type(value) is dict:
            return {key: self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, _Array) and value.value is not None:
            # An array that is met again and again would be copied as often.
            self._count += value.value.nbytes // 256
            return value.value.copy()
        raise PickleRefused("it ends with something that is no plain data")
