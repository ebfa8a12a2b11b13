"""Hands near a face: MediaPipe's palm detector on a crop around the face, then its 21 points for each palm.

Source: MediaPipe (Apache-2.0, https://github.com/google-ai-edge/mediapipe), the graphs palm_detection_cpu,
palm_detection_detection_to_roi and hand_landmark_cpu: anchors, decoding, suppression, the rectangle of a hand. Zhang
et al., "MediaPipe Hands: On-device Real-time Hand Tracking", 2020.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.extract.licences import of_google
from facewright.extract.proposals import anchors, decoded, merged
from facewright.extract.tflite import TfliteModel
from facewright.faces.align import Matrix, Points, invert, resample, transform_points
from facewright.faces.hand_mask import HAND_POINTS

# Of the four pairs measured, lite and lite find the hands in as many frames as full and full, in 13 for 19 ms.
PALM_MODEL, HAND_MODEL = "palm_detection_lite.tflite", "hand_landmark_lite.tflite"
LICENCE = of_google("MediaPipe's palm and hand networks")
PALM_SIDE, HAND_SIDE = 192, 224  # px, of the networks' inputs
ANCHORS = anchors(((24, 2), (12, 6)))  # cells of the palm detector's grids in a row, and anchors in each
WRIST, MIDDLE_ROOT = 0, 2  # of the palm's points: the line between is the hand's axis
MIN_PALM_SCORE = 0.3
# Of the palm's score and the hand's presence together: a moving hand has a palm and hardly any presence. In frames of
# three clips whose face a hand covers 94 % are found so (with those beside them in time), without one 3 % of a clip.
MIN_CERTAINTY = 0.8
SAME_PALM = 0.3  # intersection over union
HAND_SCALE, HAND_SHIFT = 2.6, 0.5  # of the palm's box to that of the whole hand, along its axis
CROP = 4.0  # sides of a face, that the palm detector sees around it
NEAR = 0.4  # sides of a face: a hand that reaches nearer than that is near
MAX_HANDS = 4  # near one face
SURE_PRESENCE = 0.5  # from here on a hand is seen clearly, and its points say where it is


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand near a face.

    Attributes:
        square: (4, 2) float32, corners of the turned square around it, in the frame.
        points: (21, 2) float32, in the frame.
        score: The palm detector's confidence, 0..1.
        presence: Confidence that the points lie on a hand, 0..1; low for moving hands.
    """

    square: NDArray[np.float32]
    points: NDArray[np.float32]
    score: float
    presence: float

    @property
    def is_sure(self) -> bool:
        """Whether it is seen clearly."""
        return self.presence >= SURE_PRESENCE

    @property
    def outline(self) -> NDArray[np.float32]:
        """Points, (n, 2), between which it is: its own where they are sure, the corners of its square elsewhere."""
        return self.points if self.is_sure else self.square


@dataclass(frozen=True, eq=False)
class _Palm:
    score: float
    box: NDArray[np.float64]  # (2, 2): left top, right bottom
    points: NDArray[np.float64]  # (7, 2)


class HandFinder:
    """Finds hands; may be called from several threads.

    Raises:
        UserError: The networks are missing or damaged.
    """

    def __init__(self) -> None:
        self._palms = TfliteModel(PALM_MODEL)
        self._hand = TfliteModel(HAND_MODEL)

    def find(self, image: Image, landmarks: Points) -> list[Hand]:
        """Return the hands near a face, surest first.

        Args:
            image: (h, w, 3) uint8 BGR.
            landmarks: (68, 2), of the face, in it.
        """
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        side = float((high - low).max())
        crop = _crop((low + high) / 2, CROP * side, 0.0, PALM_SIDE)
        palms = self._palms_in(image, crop)
        around = (low - NEAR * side, high + NEAR * side)
        near = [(palm, matrix) for palm in palms if meet(_corners(matrix := _hand_crop(palm)), *around)]
        hands = [self._hand_of(image, palm, matrix) for palm, matrix in near[:MAX_HANDS]]
        return [hand for hand in hands if hand.score + hand.presence >= MIN_CERTAINTY]

    def _palms_in(self, image: Image, crop: Matrix) -> list[_Palm]:
        """Return the palms in a crop, surest first."""
        raw, logits = self._palms.run(_input(image, crop, PALM_SIDE))
        scores, corners = decoded(raw, logits, ANCHORS, PALM_SIDE, MIN_PALM_SCORE)
        palms = []
        for score, shares in merged(scores, corners, SAME_PALM):
            placed = transform_points(shares * PALM_SIDE - 0.5, invert(crop))  # MediaPipe counts from a pixel's edge
            palms.append(_Palm(score, placed[:2], placed[2:]))
        return palms

    def _hand_of(self, image: Image, palm: _Palm, crop: Matrix) -> Hand:
        points, presence, *_ = self._hand.run(_input(image, crop, HAND_SIDE))
        in_crop = points.reshape(HAND_POINTS, 3)[:, :2] - 0.5  # MediaPipe counts from a pixel's edge
        return Hand(
            _corners(crop).astype(np.float32),
            transform_points(in_crop, invert(crop)).astype(np.float32),
            palm.score,
            float(presence.reshape(-1)[0]),
        )


def _crop(middle: Points, side: float, angle: float, size: int) -> Matrix:
    """Return 2x3, image -> square crop of `size` pixels, turned clockwise by an angle (radians) in the image."""
    scale = size / max(side, 1e-3)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[c, s], [-s, c]])
    return np.column_stack([linear, (size - 1) / 2 - linear @ middle])


def _corners(crop: Matrix) -> NDArray[np.float64]:
    end = HAND_SIDE - 1
    return transform_points(np.array([(0, 0), (end, 0), (end, end), (0, end)], float), invert(crop))


def _input(image: Image, crop: Matrix, side: int) -> NDArray[np.float32]:
    """Return what a network takes: (side, side, 3) RGB, 0..1, black outside the image."""
    made = resample(image, crop, side, cv2.INTER_LINEAR)
    return np.asarray(made[..., ::-1], np.float32) / np.float32(255)


def _hand_crop(palm: _Palm) -> Matrix:
    """Return 2x3, image -> the square around the whole hand, fingers up."""
    axis = palm.points[MIDDLE_ROOT] - palm.points[WRIST]
    angle = float(np.arctan2(axis[0], -axis[1]))
    side = float((palm.box[1] - palm.box[0]).max())
    up = np.array([np.sin(angle), -np.cos(angle)])
    return _crop(palm.box.mean(axis=0) + HAND_SHIFT * side * up, HAND_SCALE * side, angle, HAND_SIDE)


def meet(points: Points, low: Points, high: Points) -> bool:
    """Whether the box around points, (n, 2), reaches into another, from its low corner to its high one."""
    return bool((points.max(axis=0) >= low).all() and (points.min(axis=0) <= high).all())
