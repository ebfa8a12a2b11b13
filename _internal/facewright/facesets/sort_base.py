"""What a sorting method is, and how one becomes known: a decorated function in any file of this folder."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import facewright.facesets
from facewright.core.images import Image, read_image
from facewright.faces.faceset import FaceFile

MARK = "sorting_method"


class FaceToSort:
    """A face to be measured; its image is read when a method asks for it."""

    def __init__(self, file: FaceFile) -> None:
        self.path = file.path
        self.record = file.record

    @cached_property
    def image(self) -> Image:
        """The aligned image, (h, w, 3) uint8 BGR."""
        return read_image(self.path)


@dataclass(frozen=True)
class Sorted:
    """What a method made of the faces; each index stands in exactly one of the two lists.

    Attributes:
        order: Indices of the faces that stay, first to last.
        rejected: Indices of those that go to the trash.
    """

    order: Sequence[int]
    rejected: Sequence[int] = ()


# Measures of all faces, (n, ...), and the settings where a method has options, or the faces of the other side where it
# holds them against those -> the order of the faces.
Order = Callable[..., Sequence[int] | Sorted]


@dataclass(frozen=True)
class Method:
    """One way to sort.

    Attributes:
        name: As typed behind `--by`.
        help: One line: what comes first, what it is good for.
        measure: Face -> number, array or text; called in threads.
        order: Measures of all faces -> their order; see `Order`.
        options: Dataclass of `option` fields that this method alone has; an instance is handed to `order`.
        rejects: Whether it puts faces into the trash.
        against: The side ("dst") whose faces are handed to `order`, where the method sorts the other one by them.
    """

    name: str
    help: str
    measure: Callable[[FaceToSort], Any]
    order: Order
    options: type | None = None
    rejects: bool = False
    against: str = ""

    def arrange(self, measures: NDArray[Any], settings: Any = None, others: Sequence[FaceFile] = ()) -> Sorted:
        """Order the faces.

        Args:
            measures: What `measure` said of each face, (n, ...); n may be 0.
            settings: An instance of `options`; None takes the defaults.
            others: The faces of the side `against`; without any the faces keep their order.
        """
        if not len(measures):
            return Sorted([])
        if self.against:
            found = self.order(measures, others) if others else range(len(measures))
        else:
            found = self.order(measures, settings or self.options()) if self.options else self.order(measures)
        return found if isinstance(found, Sorted) else Sorted(found)


def sort_method(
    name: str, help: str, order: Order, *, options: type | None = None, rejects: bool = False, against: str = ""
) -> Callable[[Callable[[FaceToSort], Any]], Callable[[FaceToSort], Any]]:
    """Declare a function `measure(face)` as a sorting method; see `Method` for the arguments."""

    def mark(measure: Callable[[FaceToSort], Any]) -> Callable[[FaceToSort], Any]:
        setattr(measure, MARK, Method(name, help, measure, order, options, rejects, against))
        return measure

    return mark


def methods() -> dict[str, Method]:
    """Return every method of this folder by its name, in alphabetical order."""
    found: dict[str, Method] = {}
    for info in pkgutil.iter_modules(facewright.facesets.__path__):
        if not info.name.startswith("sort_"):
            continue
        module = importlib.import_module(f"facewright.facesets.{info.name}")
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
