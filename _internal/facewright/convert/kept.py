"""Results that are kept as long as there is room for them; what was not asked for longest goes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """Values by key, bounded by their bytes. Several threads may use it.

    Args:
        bytes_of: How many bytes a value takes.
        most: Bytes of all values together.
        fewest: So many stay, however large they are.
    """

    def __init__(self, bytes_of: Callable[[Value], int], most: int, fewest: int) -> None:
        self._bytes_of, self._most, self._fewest = bytes_of, most, fewest
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        """Return a value, None where it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, in place of an older one of that key."""
        with self._lock:
            if key in self._values:
                self._bytes -= self._bytes_of(self._values.pop(key))
            self._values[key] = value
            self._bytes += self._bytes_of(value)
            while len(self._values) > self._fewest and self._bytes > self._most:
                self._bytes -= self._bytes_of(self._values.popitem(last=False)[1])
