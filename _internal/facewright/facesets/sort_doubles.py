"""Near doubles: faces that show the same again, as the frames of a video do."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.options import option
from facewright.faces.expression import openings
from facewright.facesets.distances import CityBlock
from facewright.facesets.orders import MAX_USED_SHARE
from facewright.facesets.sort_base import FaceToSort, Sorted, sort_method
from facewright.facesets.sort_images import face_detail

SIDE = 16  # px of the copies that are compared: noise and coding errors are gone
PIXELS = 3 * SIDE * SIDE
OPENING = 0.05  # eyes or mouth that differ by more are another expression, however like the rest is


@dataclass(frozen=True)
class Alike:
    """Options of dedup."""

    alike: float = option(
        1.5,
        "Mean difference, in grey levels, below which two faces are doubles; more leaves fewer faces.",
        low=0.1,
        high=50.0,
        ask="Doubles differ by less than (grey levels)",
    )


def sharpest_of_doubles(measures: NDArray[np.float32], settings: Alike) -> Sorted:
    """Keep the sharpest of each group of doubles, in the order of the files.

    Args:
        measures: (n, 768 + 3): the small image, sharpness, opening of the eyes and of the mouth.
        settings: How much alike doubles are.
    """
    images, sharpness, opened = measures[:, :PIXELS], measures[:, PIXELS], measures[:, PIXELS + 1 :]
    order = np.argsort(-sharpness, kind="stable")
    images, opened = images[order].astype(np.uint8), opened[order]
    kept = []
    while len(order):  # the first is the sharpest of those that are left
        space, done, at = CityBlock(images), np.zeros(len(order), bool), 0
        # Those that are done are thrown out in shares: to copy the others each time would take longer.
        while at < len(order) and np.count_nonzero(done) <= MAX_USED_SHARE * len(order):
            kept.append(int(order[at]))
            near = space.to(at) < settings.alike * PIXELS
            done |= near & (np.abs(opened - opened[at]) < OPENING).all(axis=1)
            done[at] = True
            at = int(np.argmin(done)) if not done.all() else len(order)
        order, images, opened = order[~done], images[~done], opened[~done]
    return Sorted(sorted(kept), sorted(set(range(len(measures))) - set(kept)))


@sort_method(
    "dedup",
    "the sharpest of near doubles, in the order of the files; the others go to the trash",
    sharpest_of_doubles,
    options=Alike,
    rejects=True,
)
def dedup(face: FaceToSort) -> NDArray[np.float32]:
    """The image in 16 x 16 pixels of three colours, sharpness, openings of eyes and mouth."""
    small = cv2.resize(face.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.concatenate([small.ravel(), [face_detail(face), *openings(face.record)]]).astype(np.float32)
