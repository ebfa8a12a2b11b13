"""What a sorting method is, and how one becomes known: a decorated function in any file of this folder."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import facewright.sorting
from facewright.core.images import Image, read_image
from facewright.faces.faceset import FaceFile

# Measures of all faces, (n, ...) -> the order: indices of the faces, first to last.
Order = Callable[[NDArray[Any]], Sequence[int]]
MARK = "sorting_method"


class Face:
    """A face to be measured; its picture is read when a method asks for it."""

    def __init__(self, file: FaceFile) -> None:
        self.path = file.path
        self.record = file.record

    @cached_property
    def image(self) -> Image:
        """The aligned picture, (h, w, 3) uint8 BGR."""
        return read_image(self.path)


@dataclass(frozen=True)
class Method:
    """One way to sort.

    Attributes:
        name: As typed behind `--by`.
        help: One line: what comes first, what it is good for.
        measure: Face -> number, array or text; called in threads.
        order: All measures -> order of the faces.
    """

    name: str
    help: str
    measure: Callable[[Face], Any]
    order: Order


def sort_method(name: str, help: str, order: Order) -> Callable[[Callable[[Face], Any]], Callable[[Face], Any]]:
    """Declare a function `measure(face)` as a sorting method; see `Method` for the arguments."""

    def mark(measure: Callable[[Face], Any]) -> Callable[[Face], Any]:
        setattr(measure, MARK, Method(name, help, measure, order))
        return measure

    return mark


def methods() -> dict[str, Method]:
    """Return every method of this folder by its name, in alphabetical order."""
    found: dict[str, Method] = {}
    for info in pkgutil.iter_modules(facewright.sorting.__path__):
        module = importlib.import_module(f"facewright.sorting.{info.name}")
        for value in vars(module).values():
            method = getattr(value, MARK, None)
            if isinstance(method, Method) and value.__module__ == module.__name__:
                if method.name in found:
                    raise RuntimeError(f"two sorting methods are named {method.name}")
                found[method.name] = method
    return dict(sorted(found.items()))


def ascending(measures: NDArray[Any]) -> list[int]:
    """Smallest first; equal ones keep their order."""
    return np.argsort(measures, kind="stable").tolist()


def descending(measures: NDArray[Any]) -> list[int]:
    """Largest first; equal ones keep their order."""
    return np.argsort(-measures, kind="stable").tolist()
