"""The networks that the models of 2018 share: an encoder through a narrow code, and a decoder of picture and mask.

Pictures are (batch, h, w, c), channels last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from facewright.nn.blocks import bottleneck, conv, head, upscale


@dataclass(frozen=True)
class Code:
    """A picture that has gone through a narrow code.

    Attributes:
        width: Numbers of the code.
        side: Side of the picture that is made of it.
        filters: Its channels.
        out: Channels of the result, which is twice as large.
    """

    width: int
    side: int
    filters: int
    out: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the result without the batch."""
        return 2 * self.side, 2 * self.side, self.out


def through(code: Code) -> Callable[[Any], Any]:
    """Return a function (b, h, w, c) -> (b, *code.shape): flatten, two Dense, reshape, upscale."""
    squeeze, enlarge = bottleneck(code.width, code.side, code.filters), upscale(code.out)
    return lambda x: enlarge(squeeze(x))


def encoder(side: int, filters: Sequence[int], code: Code | None) -> Any:
    """Halve a face several times, then squeeze it through a code.

    Args:
        side: Side of the face in pixels.
        filters: Channels after each halving.
        code: What comes then; None gives the halved picture, flat.

    Returns:
        keras.Model (b, side, side, 3) -> (b, *code.shape) or (b, n).
    """
    face = keras.Input((side, side, 3))
    x = face
    for count in filters:
        x = conv(count)(x)
    x = through(code)(x) if code else keras.layers.Flatten()(x)
    return keras.Model(face, x, name="encoder")


def decoder(shape: Sequence[int], picture: Sequence[int], mask: Sequence[int], name: str) -> Any:
    """Paint a face, and on a branch of its own its mask.

    Args:
        shape: (h, w, c) of the code.
        picture: Channels after each doubling on the way to the picture.
        mask: The same on the way to the mask; none: there is no mask.
        name: Name of the network.

    Returns:
        keras.Model (b, h, w, c) -> [picture (b, S, S, 3), mask (b, S, S, 1)] in 0..1, or the picture alone.
    """
    code = keras.Input(tuple(shape))
    x, m = doubled(code, picture), doubled(code, mask)
    return keras.Model(code, [head(3)(x), head(1)(m)] if mask else head(3)(x), name=name)


def doubled(x: Any, filters: Sequence[int]) -> Any:
    """Upscale once per entry: (b, h, w, c) -> (b, 2**n h, 2**n w, filters[-1])."""
    for count in filters:
        x = upscale(count)(x)
    return x
