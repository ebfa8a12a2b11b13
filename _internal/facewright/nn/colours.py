"""Colours changed on the device, inside a compiled step, as `faces.color_transfer` and `data.colour` change them.

Images are (b, S, S, 3) float32 BGR in 0..1. Lab and HSV are those of OpenCV: CIE Lab of sRGB under D65.
"""

from typing import Any

import numpy as np
from keras import ops

WHITE = (0.950456, 1.0, 1.088754)  # X, Y and Z of it
XYZ_OF_BGR = (  # under D65, each row over its white
    np.array([[0.180423, 0.357580, 0.412453], [0.072169, 0.715160, 0.212671], [0.950227, 0.119193, 0.019334]])
    / np.array(WHITE)[:, None]
)
LAB_OF_ROOTS = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
LAB_OFFSET = np.array([-16.0, 0.0, 0.0])
KNEE, SLOPE, FOOT = 0.008856, 7.787, 16 / 116  # below the knee the cube root is a straight line
LEAST_COVERED = 0.05  # of a pixel: what shows less of the image than that has no colour of its own


def moved(image: Any, covered: Any, change: Any, *, lab: bool) -> Any:
    """Move colours by a linear map.

    Args:
        image: Black where it shows nothing.
        covered: (b, S, S, 1) how much of each pixel shows the image, the rest being black.
        change: (b, 3, 4) what a colour and a 1 are multiplied by; see `faces.color_transfer.LinearMethod.between`.
        lab: Whether it is a map of colours in Lab.
    """
    seen = covered > LEAST_COVERED
    whole = ops.clip(image / ops.where(seen, covered, 1.0), 0.0, 1.0)
    given = _to_lab(whole) if lab else whole
    made = ops.einsum("bij,bhwj->bhwi", change[:, :, :3], given) + change[:, None, None, :, 3]
    made = ops.clip(_from_lab(made) if lab else made, 0.0, 1.0)
    return ops.where(seen, made * covered, image)


def shifted(image: Any, power: float, shift: Any) -> Any:
    """Shift hue, saturation and value: see `data.colour.shifted`.

    Args:
        image: In 0..1.
        power: As there.
        shift: (b, 3) shares, each -1..1.
    """
    blue, green, red = (image[..., c] for c in range(3))
    value, least = ops.max(image, axis=-1), ops.min(image, axis=-1)
    spread = value - least
    over = 1 / ops.maximum(spread, 1e-7)
    hue = ops.where(
        value == red,
        (green - blue) * over,
        ops.where(value == green, 2 + (blue - red) * over, 4 + (red - green) * over),
    )
    steps = (power / 2 * shift)[:, None, None, :]
    hue = hue + 6 * steps[..., 0]
    saturation = ops.clip(spread / ops.maximum(value, 1e-7) + steps[..., 1], 0.0, 1.0)
    value = ops.clip(value + steps[..., 2], 0.0, 1.0)
    channels = []
    for number in (1, 3, 5):  # blue, green, red
        place = ops.mod(hue + number, 6.0)
        channels.append(value - value * saturation * ops.clip(ops.minimum(place, 4 - place), 0.0, 1.0))
    return ops.stack(channels, axis=-1)


def lit(image: Any, strength: float, exponents: Any) -> Any:
    """Put images into another light: see `data.colour.lit`.

    Args:
        image: In 0..1.
        strength: As there.
        exponents: (b, 3) natural logarithms of what the channels are multiplied by at a strength of 1.
    """
    return ops.minimum(image * ops.exp(strength * exponents)[:, None, None, :], 1.0)


def _to_lab(image: Any) -> Any:
    # Both branches of a `where` are computed, and have gradients: no root of nothing in either.
    steep = ops.power((ops.maximum(image, 0.04) + 0.055) / 1.055, 2.4)
    straight = ops.where(image <= 0.04045, image / 12.92, steep)
    xyz = ops.matmul(straight, _constant(XYZ_OF_BGR.T))
    roots = ops.where(xyz > KNEE, ops.power(ops.maximum(xyz, KNEE), 1 / 3), SLOPE * xyz + FOOT)
    return ops.matmul(roots, _constant(LAB_OF_ROOTS.T)) + _constant(LAB_OFFSET)


def _from_lab(lab: Any) -> Any:
    roots = ops.matmul(lab - _constant(LAB_OFFSET), _constant(np.linalg.inv(LAB_OF_ROOTS).T))
    limit = SLOPE * KNEE + FOOT
    xyz = ops.where(roots > limit, roots * roots * roots, (roots - FOOT) / SLOPE)
    straight = ops.clip(ops.matmul(xyz, _constant(np.linalg.inv(XYZ_OF_BGR).T)), 0.0, 1.0)
    steep = 1.055 * ops.power(ops.maximum(straight, 0.003), 1 / 2.4) - 0.055
    return ops.where(straight <= 0.0031308, 12.92 * straight, steep)


def _constant(values: Any) -> Any:
    return ops.convert_to_tensor(np.asarray(values, np.float32))
