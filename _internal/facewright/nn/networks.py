"""The networks that the models of 2018 share: an encoder with a bottleneck, and a decoder of image and mask.

Images are (batch, h, w, c), channels last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from facewright.nn import blocks
from facewright.nn.blocks import conv, output_layer, upscale


@dataclass(frozen=True)
class LatentSpec:
    """The bottleneck between encoder and decoder.

    Attributes:
        width: Length of the latent vector.
        side: Side of the feature map that is made of it.
        filters: Channels of that.
        out: Channels of the result, which is upscaled to twice the side.
    """

    width: int
    side: int
    filters: int
    out: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the result without the batch."""
        return 2 * self.side, 2 * self.side, self.out


def upscaled_bottleneck(latent: LatentSpec) -> Callable[[Any], Any]:
    """Return a function (b, h, w, c) -> (b, *latent.shape): flatten, two Dense, reshape, upscale."""
    squeeze, enlarge = blocks.bottleneck(latent.width, latent.side, latent.filters), upscale(latent.out)
    return lambda x: enlarge(squeeze(x))


def encoder(side: int, filters: Sequence[int], latent: LatentSpec | None) -> Any:
    """Halve a face several times, then send it through a bottleneck.

    Args:
        side: Side of the face in pixels.
        filters: Channels after each halving.
        latent: The bottleneck that follows; None gives the last feature map, flat.

    Returns:
        keras.Model (b, side, side, 3) -> (b, *latent.shape) or (b, n).
    """
    face = keras.Input((side, side, 3))
    x = face
    for count in filters:
        x = conv(count)(x)
    x = upscaled_bottleneck(latent)(x) if latent else keras.layers.Flatten()(x)
    return keras.Model(face, x, name="encoder")


def decoder(shape: Sequence[int], image: Sequence[int], mask: Sequence[int], name: str) -> Any:
    """Decode a face, and on a branch of its own its mask.

    Args:
        shape: (h, w, c) of the latent feature map.
        image: Channels after each doubling on the way to the image.
        mask: The same on the way to the mask; none: there is no mask.
        name: Name of the network.

    Returns:
        keras.Model (b, h, w, c) -> [image (b, S, S, 3), mask (b, S, S, 1)] in 0..1, or the image alone.
    """
    latent = keras.Input(tuple(shape))
    x, m = upsample_blocks(latent, image), upsample_blocks(latent, mask)
    return keras.Model(latent, [output_layer(3)(x), output_layer(1)(m)] if mask else output_layer(3)(x), name=name)


def upsample_blocks(x: Any, filters: Sequence[int]) -> Any:
    """Upscale once per entry: (b, h, w, c) -> (b, 2**n h, 2**n w, filters[-1])."""
    for count in filters:
        x = upscale(count)(x)
    return x
