"""Training samples made on the device, inside the compiled step, of the numbers that `data.draws` draws.

Only these numbers travel there, a few hundred bytes per face; the pixels lie there already, or come along as uint8
where the device's memory does not hold all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from facewright.nn import colours
from facewright.nn.resampling import coverage, displaced, places, resample

LUMA = (0.114, 0.587, 0.299)  # of blue, green and red


@dataclass(frozen=True)
class Output:
    """One output of a face.

    Attributes:
        name: Key in the batch that is made.
        cut: Number of its size and face type: "inverse_K" among the numbers, and its column in "first" and "side".
        size: Side in pixels.
        channels: The first of the table's channels that it shows, and the one after the last.
        kernel: How an image is resampled, one of `nn.resampling.FILTERS`.
        warp: Whether the elastic warp is applied.
        grey: Whether it shows luma in three equal channels.
        colours: Which of the numbers moves its colours to those of another face; "" for none.
        lab: Whether that is done in Lab.
        hsv: How far hue, saturation and value shift; see `data.sample.Sample`.
        light: How strongly gain and colour cast change, likewise.
    """

    name: str
    cut: int
    size: int
    channels: tuple[int, int]
    kernel: str
    warp: bool = False
    grey: bool = False
    colours: str = ""
    lab: bool = False
    hsv: float = 0.0
    light: float = 0.0


class SampleMaker(keras.layers.Layer):
    """Makes the outputs of a stream; it is there from the first, and useful once `prepare` was called.

    On its own, so that the pixels are a variable: they lie on the device once, whatever the backend, and several steps
    of a model share them.
    """

    def __init__(self) -> None:
        super().__init__(autocast=False)
        self._outputs: tuple[Output, ...] = ()
        self._table: Any = None

    @property
    def holds_faces(self) -> bool | None:
        """Whether the pixels of all faces lie on the device; None before `prepare`, which decides it."""
        return self._table is not None if self._outputs else None

    def prepare(self, outputs: Sequence[Output], table: NDArray[np.uint8] | None) -> None:
        """Say what is wanted, and lay the pixels down on the device, before the first step.

        Args:
            outputs: What is wanted.
            table: (pixels, channels) uint8 of all faces; None where every batch brings those of its faces along.
        """
        if self._outputs:
            return  # the same faces are there already
        self._outputs = tuple(outputs)
        if table is not None:
            self._table = self.add_weight(
                name="pixels",
                shape=table.shape,
                dtype="uint8",
                initializer=lambda shape, dtype: ops.convert_to_tensor(table, dtype),
                trainable=False,
            )
        self.built = True

    def call(self, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """Return name -> (b, size, size, channels) float32 in 0..1.

        Args:
            numbers: A batch of `data.draws.Draws`, as tensors.
        """
        table = numbers["pixels"] if self._table is None else ops.convert_to_tensor(self._table)
        made: dict[str, Any] = {}
        where: dict[tuple[int, bool], tuple[Any, Any]] = {}  # outputs of one cut share their places
        for output in self._outputs:
            first, side = numbers["first"][:, output.cut], numbers["side"][:, output.cut]
            key = output.cut, output.warp
            if key not in where:
                where[key] = places(numbers[f"inverse_{output.cut}"], output.size)
                if output.warp:
                    where[key] = displaced(*where[key], numbers["control_points"], side)
            image = resample(table, first, side, *where[key], output.kernel, output.channels) / 255.0
            if output.colours:
                covered = coverage(side, *where[key], output.kernel)
                image = colours.moved(image, covered, numbers[output.colours], lab=output.lab)
            made[output.name] = _finished(output, image, numbers)
        return made


def _finished(output: Output, image: Any, numbers: Mapping[str, Any]) -> Any:
    if output.grey:
        luma = ops.sum(image * ops.convert_to_tensor(LUMA, "float32"), axis=-1, keepdims=True)
        image = ops.repeat(luma, 3, axis=-1)
    image = ops.clip(image, 0.0, 1.0)
    if output.hsv:
        image = colours.shifted(image, output.hsv, numbers["shift"])
    return colours.lit(image, output.light, numbers["light"]) if output.light else image


def make_once(maker: SampleMaker, numbers: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Make the outputs of a batch of numbers outside of a training, compiled as a training step is."""

    class Alone(keras.Model):
        def __init__(self) -> None:
            super().__init__(autocast=False)
            self.maker = maker
            self.compile(jit_compile="auto")

        def call(self, numbers: Mapping[str, Any]) -> dict[str, Any]:
            return dict(self.maker(numbers))

    return {name: np.asarray(image) for name, image in Alone().predict_on_batch(dict(numbers)).items()}
