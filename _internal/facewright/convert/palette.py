"""An image in 256 colours of its own: median cut.

Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982. Images are (h, w, 3) float32, 0..1.
"""

import heapq

import numpy as np
from numpy.typing import NDArray

from facewright.faces.color import Picture

COLOURS = 256
LEVELS = 32  # of each channel, to begin with


def in_few_colours(image: Picture) -> Picture:
    """Return an image in 256 colours at most.

    The box of all its colours is cut in two where half of the pixels are, along its longest side; then the box with
    most pixels is cut, and so on. Every box is shown in the mean of its pixels.
    """
    steps = np.rint(np.clip(image, 0, 1) * (LEVELS - 1)).astype(np.intp)
    numbers = (steps @ np.array([LEVELS * LEVELS, LEVELS, 1])).ravel()
    used, counts = np.unique(numbers, return_counts=True)
    colours = np.stack(np.unravel_index(used, (LEVELS,) * 3), axis=-1)
    palette = np.zeros((LEVELS**3, 3), np.float32)
    pixels = image.reshape(-1, 3)
    sums = np.stack([np.bincount(numbers, pixels[:, c], minlength=LEVELS**3)[used] for c in range(3)], axis=-1)
    for box in _boxes(colours, counts):
        palette[used[box]] = sums[box].sum(axis=0) / counts[box].sum()
    return palette[numbers].reshape(image.shape)


def _boxes(colours: NDArray[np.intp], counts: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the rows of each box."""
    waiting: list[tuple[int, int, NDArray[np.intp]]] = [(-int(counts.sum()), 0, np.arange(len(colours)))]
    single: list[NDArray[np.intp]] = []  # of one colour
    made = 0
    while waiting and len(waiting) + len(single) < COLOURS:
        _, _, box = heapq.heappop(waiting)
        extent = np.ptp(colours[box], axis=0)
        if not extent.any():
            single.append(box)
            continue
        box = box[np.argsort(colours[box, int(np.argmax(extent))], kind="stable")]
        share = np.cumsum(counts[box])
        cut = min(int(np.searchsorted(share, share[-1] / 2)) + 1, len(box) - 1)
        for half, pixels in ((box[:cut], share[cut - 1]), (box[cut:], share[-1] - share[cut - 1])):
            made += 1
            heapq.heappush(waiting, (-int(pixels), made, half))
    return [box for _, _, box in waiting] + single
