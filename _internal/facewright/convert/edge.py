"""The edge of the pasted face: how far the mask is drawn in or out, how softly it ends.

Masks are (h, w) float32, 0..1, in the frame. The sizes follow the formulas of DeepFaceLab 2018, whose numbers
users know; kernels are odd (an even one would shift the mask by half a pixel).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.faces.mask import Mask

MIN_CERTAINTY = 0.1  # mask values: where the network is less certain than this, there is no face
CLONE_CERTAINTY = 0.9  # where it is more certain than this, the face is cloned
MIN_REGION_PX = 4  # a smaller face is left as it is

# Erosion in px for a face of length L in px: L * (EROSION_SHARE - EROSION_BEND * L); a large face needs a relatively
# narrower edge. The product peaks at PEAK_LENGTH and would be negative from twice that on, so a larger face keeps the
# peak's value.
EROSION_SHARE = 0.126
EROSION_BEND = 0.00004551365
PEAK_LENGTH = EROSION_SHARE / (2 * EROSION_BEND)

FOREHEAD_SHARE = 0.05  # of the shorter side of the certain region: what lies between the landmarks and the brows' end

MAX_KERNEL_PX = 31  # above it the mask is eroded at a smaller scale (the cost grows with the kernel's area)


@dataclass(frozen=True)
class Region:
    """A region of the frame: rows top..bottom-1, columns left..right-1."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """(h, w)."""
        return self.bottom - self.top, self.right - self.left

    def grown(self, margin: int, limit: tuple[int, int]) -> "Region":
        """Return the region with a margin on every side, inside a frame of (h, w)."""
        return Region(
            max(self.left - margin, 0),
            max(self.top - margin, 0),
            min(self.right + margin, limit[1]),
            min(self.bottom + margin, limit[0]),
        )

    def overlap(self, other: "Region") -> "Region":
        """Return what both share."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Region(left, top, min(self.right, other.right), min(self.bottom, other.bottom))

    def within(self, other: "Region") -> "Region":
        """Return the region as pixels of another one that holds it."""
        return Region(self.left - other.left, self.top - other.top, self.right - other.left, self.bottom - other.top)

    def crop(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return this region of an image, as a view."""
        return image[self.top : self.bottom, self.left : self.right]


def region_of(mask: NDArray[np.generic]) -> Region | None:
    """Return the smallest region around the pixels that are not zero (or True); None when there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return Region(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def erode_size(length: float, percent: float) -> int:
    """Return the diameter in pixels of the erosion; negative: of a dilation.

    Args:
        length: The shorter side of the certain region, in pixels of the frame.
        percent: The model's base plus the user's number.
    """
    reach = min(length, PEAK_LENGTH)
    return int(reach * (EROSION_SHARE - EROSION_BEND * reach) * percent / 100)


def lifted(mask: Mask, percent: float) -> Mask:
    """Extend the mask of an upright face over the brows, and by what the erosion will take away there.

    The hull of the landmarks runs through the brows: drawn in, it would leave those of dst.

    Args:
        mask: In the aligned image, whose rows run from the forehead to the chin.
        percent: As `erode_size`.
    """
    certain = region_of(mask > CLONE_CERTAINTY)
    if certain is None:
        return mask
    rows = round(min(certain.size) * (FOREHEAD_SHARE + EROSION_SHARE * max(percent, 0) / 200))
    return np.maximum(mask, np.vstack((mask[rows:], np.zeros_like(mask[:rows]))))


def drawn_in(mask: Mask, sides: tuple[int, int, int, int]) -> Mask:
    """Draw single sides of an upright face in or out.

    Args:
        mask: In the aligned image.
        sides: Forehead, chin, left and right as the image shows them: percent as `erode_size`, negative draws out.
    """
    certain = region_of(mask > CLONE_CERTAINTY)
    if certain is None or not any(sides):
        return mask
    share = min(certain.size) * EROSION_SHARE / 200
    for percent, (across, down) in zip(sides, ((0, 1), (0, -1), (1, 0), (-1, 0)), strict=True):
        reach = round(share * abs(percent))
        mask = _least(mask, across * reach, down * reach) if percent > 0 else _most(mask, across * reach, down * reach)
    return mask


def _least(mask: Mask, across: int, down: int) -> Mask:
    """Return the least of each pixel and those before it on the way; outside of the image is no face."""
    kernel = np.ones((abs(down) + 1, abs(across) + 1), np.uint8)
    anchor = (abs(across) if across > 0 else 0, abs(down) if down > 0 else 0)
    done = cv2.erode(mask, kernel, anchor=anchor, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(done, np.float32)


def _most(mask: Mask, across: int, down: int) -> Mask:
    """Return the most of each pixel and those after it on the way."""
    kernel = np.ones((abs(down) + 1, abs(across) + 1), np.uint8)
    anchor = (abs(across) if across < 0 else 0, abs(down) if down < 0 else 0)
    return np.asarray(cv2.dilate(mask, kernel, anchor=anchor), np.float32)


def blur_size(length: float, percent: float) -> int:
    """Return the side in pixels of the box blur; 0 or less: none. Arguments as `erode_size`."""
    return int(length * 0.10 * percent / 100)


def erode(mask: Mask, size: int) -> Mask:
    """Erode with an ellipse of this diameter, dilate with a negative one; 0 and 1 change nothing.

    The image's own border does not erode: a face that the frame cuts off stays whole there.
    """
    if abs(size) <= 1:
        return mask
    if abs(size) > MAX_KERNEL_PX:
        return _erode_small(mask, size)
    side = abs(size) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    done = cv2.erode(mask, kernel) if size > 0 else cv2.dilate(mask, kernel)
    return np.asarray(done, np.float32)


def _erode_small(mask: Mask, size: int) -> Mask:
    height, width = mask.shape
    factor = abs(size) / MAX_KERNEL_PX
    small = (max(round(width / factor), 1), max(round(height / factor), 1))
    reduced = np.asarray(cv2.resize(mask, small, interpolation=cv2.INTER_AREA), np.float32)
    done = erode(reduced, MAX_KERNEL_PX if size > 0 else -MAX_KERNEL_PX)
    return np.asarray(cv2.resize(done, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def soften(mask: Mask, size: int) -> Mask:
    """Box-blur a mask; the kernel's side is the next odd number."""
    if size <= 0:
        return mask
    return np.asarray(cv2.blur(mask, (size | 1, size | 1)), np.float32)


def border_mask(side: int, share: float) -> Mask:
    """Return a (side, side) mask that is 0 along the edges and 1 inside, softly.

    Args:
        side: Side of the aligned image in pixels.
        share: Width of the edge as a share of the side, 0 for none.
    """
    width = int(side * share)
    mask = np.ones((side, side), np.float32)
    if width > 0:
        mask[:width], mask[-width:], mask[:, :width], mask[:, -width:] = 0, 0, 0, 0
        # Outside the image there is no face either.
        mask = np.asarray(cv2.blur(mask, (width | 1, width | 1), borderType=cv2.BORDER_REPLICATE), np.float32)
    return mask
