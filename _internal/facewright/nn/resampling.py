"""Images looked up at arbitrary places, as OpenCV does it, on the device and inside a compiled step.

Images of any size lie one after another in a table of pixels, so that one lookup serves a batch of unlike faces. What
lies outside an image is 0. OpenCV rounds places to 1/32 of a pixel, this does not: smooth images differ by less than
1/255 between the two.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from keras import ops

FIELD_SIDE = 64  # pixels of a displacement field, as `data.augment` has it


def _linear(distance: Any) -> Any:
    return ops.maximum(1 - ops.abs(distance), 0)


def _cubic(distance: Any) -> Any:
    """Keys' kernel with a = -0.75, as OpenCV has it."""
    a, d = -0.75, ops.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return ops.where(d <= 1, near, ops.where(d < 2, far, 0.0))


def _lanczos(distance: Any) -> Any:
    """Lanczos' kernel over 8 pixels; its sum is not quite 1, see `_weights`."""
    angle = math.pi * ops.where(ops.abs(distance) < 1e-4, 1e-4, distance)
    value = 4 * ops.sin(angle) * ops.sin(angle / 4) / (angle * angle)
    return ops.where(ops.abs(distance) < 4, value, 0.0)


# Name -> how many pixels count along each axis, and the weight of a pixel by its distance.
FILTERS: Mapping[str, tuple[int, Callable[[Any], Any]]] = MappingProxyType(
    {"linear": (2, _linear), "cubic": (4, _cubic), "lanczos": (8, _lanczos)}
)


def places(inverse: Any, size: int) -> tuple[Any, Any]:
    """Return where the pixels of an output lie in its source image.

    Args:
        inverse: (b, 2, 3) output -> source, in pixels (pixel centres at whole numbers).
        size: Side of the output.

    Returns:
        x and y, (b, size, size) float32 each.
    """
    axis = ops.arange(size, dtype="float32")
    across, down = axis[None, None, :], axis[None, :, None]
    x, y = (inverse[:, c, 0, None, None] * across + inverse[:, c, 1, None, None] * down for c in range(2))
    return x + inverse[:, 0, 2, None, None], y + inverse[:, 1, 2, None, None]


def displaced(x: Any, y: Any, control_points: Any, side: Any) -> tuple[Any, Any]:
    """Return places moved by the elastic warp.

    Args:
        x, y: (b, S, S) pixels of the source.
        control_points: (b, n, n, 2) displacement (x, y) of a grid over the source, as shares of its side.
        side: (b,) of the source in pixels.
    """
    count = control_points.shape[1]
    position = (ops.arange(FIELD_SIDE, dtype="float32") + 0.5) / FIELD_SIDE * (count - 1)
    weights = _linear(position[:, None] - ops.arange(count, dtype="float32")[None, :])
    field = ops.einsum("pi,bijc,qj->bpqc", weights, control_points, weights)
    table = ops.reshape(field, (-1, 2))
    batch = ops.shape(x)[0]
    first = ops.arange(batch, dtype="int32") * FIELD_SIDE**2
    sides = ops.ones((batch,), dtype="int32") * FIELD_SIDE  # keras' `full` waits for the GPU with torch
    length = ops.cast(side, "float32")[:, None, None]
    ratio = FIELD_SIDE / length
    moved = resample(table, first, sides, (x + 0.5) * ratio - 0.5, (y + 0.5) * ratio - 0.5, "linear")
    return x + moved[..., 0] * length, y + moved[..., 1] * length


def resample(
    table: Any, first: Any, side: Any, x: Any, y: Any, kernel: str, channels: tuple[int, int] | None = None
) -> Any:
    """Look images up.

    Args:
        table: (pixels, channels) of any type: images row by row, one after another.
        first: (b,) int32, row of the table at which each image begins.
        side: (b,) int32, of each image in pixels.
        x, y: (b, S, S) float32 places in the images.
        kernel: One of `FILTERS`.
        channels: The first of those that are wanted, and the one after the last.

    Returns:
        (b, S, S, channels) float32. As the filters overshoot at edges, it may leave the range of the table.
    """
    taps, _ = FILTERS[kernel]
    columns, weights_x = _taps(x, side, kernel)
    rows, weights_y = _taps(y, side, kernel)
    start, width = first[:, None, None, None], side[:, None, None, None]
    total: Any = 0.0
    for tap in range(taps):  # a row at a time: all at once would take eight times the memory outside of XLA
        index = start + rows[..., tap : tap + 1] * width + columns
        found = ops.take(table, index, axis=0)
        if channels is not None:
            found = found[..., channels[0] : channels[1]]
        weights = weights_x * weights_y[..., tap : tap + 1]
        total = total + ops.sum(ops.cast(found, "float32") * weights[..., None], axis=-2)
    return total


def coverage(side: Any, x: Any, y: Any, kernel: str) -> Any:
    """Return how much of each pixel of `resample` shows the image, (b, S, S, 1); the rest of it is black."""
    _, weights_x = _taps(x, side, kernel)
    _, weights_y = _taps(y, side, kernel)
    return ops.sum(weights_x, axis=-1, keepdims=True) * ops.sum(weights_y, axis=-1, keepdims=True)


def _taps(place: Any, side: Any, kernel: str) -> tuple[Any, Any]:
    """Return which pixels count along an axis, and their weights: (b, S, S, taps) int32 and float32."""
    taps, weigh = FILTERS[kernel]
    limit = ops.cast(side, "float32")[:, None, None]
    low = ops.floor(ops.clip(place, -taps - 1.0, limit + taps))  # what is far outside stays outside, as a small number
    offsets = ops.arange(taps, dtype="float32") - (taps // 2 - 1)
    pixels = low[..., None] + offsets
    weights = weigh(place[..., None] - pixels)
    if kernel == "lanczos":
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)
    inside = ops.logical_and(pixels >= 0, pixels < limit[..., None])
    index = ops.cast(ops.clip(pixels, 0.0, limit[..., None] - 1), "int32")
    return index, ops.where(inside, weights, 0.0)
