"""Images rotated by any angle, and the way of a box back into the unrotated image.

Angles are degrees, clockwise as the image is seen. Boxes are edges of pixels: the image's corner is (0, 0),
so that a quarter turn maps whole pixels to whole pixels.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.extract.detectors.base import Box

QUARTER_TURNS = {90.0: cv2.ROTATE_90_CLOCKWISE, 180.0: cv2.ROTATE_180, 270.0: cv2.ROTATE_90_COUNTERCLOCKWISE}
ALL_QUARTERS = (90.0, 270.0, 180.0)  # people lie on a side more often than they stand on their head


@dataclass(frozen=True)
class Rotation:
    """A rotation of images of one size.

    Attributes:
        degrees: Above 0, below 360.
        size: (h, w) of the unrotated image.
    """

    degrees: float
    size: tuple[int, int]

    @property
    def rotated_size(self) -> tuple[int, int]:
        """(h, w) of the rotated image: it holds all four corners."""
        c, s = self._cosine_and_sine()
        height, width = self.size
        # A hair less than the true size is no reason for another row.
        return math.ceil(width * abs(s) + height * abs(c) - 1e-6), math.ceil(width * abs(c) + height * abs(s) - 1e-6)

    def apply(self, image: Image) -> Image:
        """Return the rotated image; a quarter turn keeps every pixel, other angles leave black corners."""
        quarter = QUARTER_TURNS.get(self.degrees)
        if quarter is not None:
            return np.asarray(cv2.rotate(image, quarter), np.uint8)
        there = self.matrix()
        # OpenCV counts from the middle of the first pixel.
        there[:, 2] += there[:, :2] @ [0.5, 0.5] - 0.5
        height, width = self.rotated_size
        return np.asarray(cv2.warpAffine(image, there, (width, height), flags=cv2.INTER_LINEAR), np.uint8)

    def back(self, box: Box) -> Box:
        """Return a box of the rotated image as one in the unrotated image.

        Its middle is the same place and its area the same; a quarter turn maps its edges exactly. At other
        angles no upright box has the same edges: the one that holds it is shrunk to its area. The roll is that
        in the unrotated image.
        """
        there = self.matrix()
        middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
        x, y = np.linalg.solve(there[:, :2], middle - there[:, 2])
        c, s = (abs(value) for value in self._cosine_and_sine())
        width, height = box.width * c + box.height * s, box.width * s + box.height * c
        shrink = math.sqrt(box.width * box.height / (width * height)) if width * height > 0 else 1.0
        width, height = width * shrink, height * shrink
        edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        left, top, right, bottom = (round(float(edge), 6) for edge in edges)
        roll = (box.roll - self.degrees + 180) % 360 - 180
        return replace(box, left=left, top=top, right=right, bottom=bottom, roll=roll)

    def _cosine_and_sine(self) -> tuple[float, float]:
        if self.degrees in QUARTER_TURNS:
            return ((0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(self.degrees) // 90 - 1]
        return math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))

    def matrix(self) -> NDArray[np.float64]:
        """Return the 2x3 matrix unrotated -> rotated, for edges of pixels; y points down, so this sign is clockwise."""
        c, s = self._cosine_and_sine()
        linear = np.array([[c, -s], [s, c]])
        (height, width), (rotated_height, rotated_width) = self.size, self.rotated_size
        shift = np.array([rotated_width, rotated_height]) / 2 - linear @ np.array([width, height]) / 2
        return np.column_stack([linear, shift])


def parse_angles(text: str) -> tuple[float, ...]:
    """Read the angles of --rotate: "" none, "on" the three quarter turns, else numbers with commas between.

    Raises:
        UserError: It is something else.
    """
    if text.strip().lower() in ("", "off", "none"):
        return ()
    if text.strip().lower() == "on":
        return ALL_QUARTERS
    angles: list[float] = []
    for word in text.split(","):
        try:
            degrees = float(word)
        except ValueError:
            degrees = math.nan
        if not math.isfinite(degrees) or degrees % 360 == 0:
            raise UserError(
                f"{text!r} does not fit --rotate.",
                'angles in degrees with commas between, none of them 0, or "on" for 90,270,180.',
                "give other angles, for example --rotate 90,270.",
            )
        if degrees % 360 not in angles:
            angles.append(degrees % 360)
    return tuple(angles)
