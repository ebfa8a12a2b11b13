"""Colour: histogram matching as quantile mapping on each channel.

Images are (h, w, c) float32, BGR, 0..1; masks (h, w) or (h, w, 1), 0..1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

TABLE = 1 << 16  # evenly spaced points of a curve, from which it is read where more values than that go through it
FEW_POINTS = 64  # of a curve that is searched quickly
# Statistics of fewer pixels than this say nothing about a face.
FEWEST_PIXELS = 16


@dataclass(frozen=True)
class Curve:
    """A rising map of one channel: values `at` go to values `to`, straight lines between them."""

    at: NDArray[np.float32]
    to: NDArray[np.float32]

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Apply the curve to values of any shape; outside its ends it goes on with the end's shift."""
        many = values.size > TABLE and len(self.at) > FEW_POINTS
        inside = self._by_table(values) if many else np.interp(values, self.at, self.to)
        over = np.maximum(values - self.at[-1], 0) + np.minimum(values - self.at[0], 0)
        return (inside + over).astype(np.float32)

    def _by_table(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Look values up in evenly spaced ones: a search in thousands of points takes ten times as long."""
        low, high = self.at[0], self.at[-1]
        table = np.interp(np.linspace(low, high, TABLE), self.at, self.to).astype(np.float32)
        place = np.clip((values - low) * np.float32((TABLE - 1) / (high - low)), 0, TABLE - 1)
        left = np.minimum(place.astype(np.int32), TABLE - 2)
        return table[left] + (place - left) * np.diff(table)[left]


def matching_curve(source: NDArray[np.floating], template: NDArray[np.floating], share: float = 1.0) -> Curve:
    """Return the curve that gives the source's values the template's distribution.

    The value at quantile q of the source goes to the template's value at q.

    Args:
        source: (n,) values, n >= 1.
        template: (m,) values, m >= 1.
        share: 0..1, of the template's values from the lowest up that are used: the value at quantile q goes to that
            at q * share, so that the highlights of the template stay away.
    """
    at, quantiles = _quantiles(source)
    values, places = _quantiles(template)
    return Curve(at, np.interp(quantiles * share, places, values).astype(np.float32))


def _quantiles(values: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the distinct values, rising, and the quantile at the middle of each one's share."""
    distinct, counts = np.unique(np.asarray(values, np.float32), return_counts=True)
    ends = np.cumsum(counts)
    # The middle, not the end: else the smallest value of many equal ones would count as the largest quantile.
    return distinct, (ends - counts / 2) / ends[-1]


def matching_curves(
    source: Picture,
    template: Picture,
    source_mask: Picture | None = None,
    template_mask: Picture | None = None,
    *,
    share: float = 1.0,
) -> list[Curve] | None:
    """Return one curve per channel; None when a mask leaves too few pixels to measure.

    Args:
        source: (h, w, c), the image to be changed.
        template: (h', w', c), the image whose colours are wanted.
        source_mask: Where the source is measured (over 0.5); None takes every pixel.
        template_mask: The same for the template.
        share: See `matching_curve`.
    """
    mine, theirs = _pixels(source, source_mask), _pixels(template, template_mask)
    if min(len(mine), len(theirs)) < FEWEST_PIXELS:
        return None
    return [matching_curve(mine[:, c], theirs[:, c], share) for c in range(mine.shape[1])]


def apply_curves(picture: Picture, curves: Sequence[Curve]) -> Picture:
    """Apply one curve per channel to a (h, w, c) image; the result is clipped to 0..1."""
    channels = [curve(picture[..., c]) for c, curve in enumerate(curves)]
    return np.clip(np.stack(channels, axis=-1), 0, 1)


def match_histogram(
    source: Picture,
    template: Picture,
    source_mask: Picture | None = None,
    template_mask: Picture | None = None,
    *,
    share: float = 1.0,
) -> Picture:
    """Give the source the template's colours, channel by channel.

    With masks only the pixels inside them are measured; the curves are applied to the whole source.

    Returns:
        (h, w, c) float32, 0..1, of the source's shape.
    """
    curves = matching_curves(source, template, source_mask, template_mask, share=share)
    return source if curves is None else apply_curves(source, curves)


def grey(picture: Picture) -> Picture:
    """Return the image in grey, still as (h, w, 3) float32."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.float32)


def _pixels(picture: Picture, mask: Picture | None) -> NDArray[np.float32]:
    flat = np.asarray(picture, np.float32).reshape(-1, picture.shape[-1])
    return flat if mask is None else flat[np.asarray(mask).reshape(-1) > 0.5]
