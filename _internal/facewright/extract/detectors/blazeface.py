"""BlazeFace (Bazarevsky et al. 2019), the model for a phone's back camera, as MediaPipe ships it.

It looks at a square of 256 px and finds faces from a twenty-fifth of its side on. A frame of more than `TILE_PX` is
searched in overlapping tiles, and as a whole only where these leave a doubt: something that no tile shows whole, or
that none is sure of. On 342 frames of 720p that gives 392 of the 395 boxes that all looks together give (IoU over 0.8),
in 31 for 40 ms. It sees eyes and ears, so the head's tilt is known, up to lying on a side; upside down it finds faces
with a wrong tilt, so such frames are turned by the detection (`--rotate`) as they are for the others.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.core.machine import cores
from facewright.core.workers import ordered_map, threads
from facewright.extract.detectors.base import Box, Detector, DetectorSpec, sort_largest_first
from facewright.extract.licences import of_google
from facewright.extract.proposals import Corners, Scores, anchors, decoded, merged, overlaps
from facewright.extract.tflite import TfliteModel

INPUT_PX = 256
# Cells of the two levels, and how many boxes each of them proposes.
LEVELS = ((16, 2), (8, 6))
TILE_PX = 800  # faces of 32 px are found in it
OVERLAP_PX = 160  # a larger face may be found in the whole frame only
DOUBT_SCORE = 0.3  # from here on a proposal may be a face
MIN_SCORE, SENSITIVE_SCORE = 0.5, 0.3
SAME_FACE_IOU = 0.3
SURE_SHARE = 0.1  # of the frame's longer side: from here on the whole frame shows every face
BORDER_MARGIN = 0.2  # of a box's sides, that a tile shows around it
ANCHORS = anchors(LEVELS)
# As MTCNN draws its boxes and as dlib's frontal detector does (`FACE_SQUARE`), in widths of BlazeFace's box, whose
# middle lies lower: medians of 76 faces in ten clips.
BOX_WIDTH, BOX_HEIGHT, BOX_UP = 0.90, 1.29, 0.165
SQUARE_SIDE, SQUARE_DOWN = 1.02 / BOX_WIDTH, 0.097 / BOX_WIDTH  # in widths of the box that is handed out


class BlazeFaceDetector:
    """See `facewright.extract.detectors.base.Detector`."""

    name = "blazeface"
    max_side = 1920
    # Upright faces have 0.82 to 0.96 (all but a twentieth of them); upside down it is 0.78 at most. Those that lie on a
    # side have up to 0.92, and the right roll.
    upright_score = 0.8

    def __init__(self, *, min_score: float = MIN_SCORE) -> None:
        """Load the network.

        Args:
            min_score: Score from which on a proposal counts, 0..1.

        Raises:
            UserError: TensorFlow or the network's file is missing.
        """
        self._model = TfliteModel("face_detection_back.tflite")
        self._min_score = min_score

    def batch_size(self, height: int, width: int) -> int:
        """Return two frames per core: they are searched side by side."""
        return 2 * cores()

    def detect(self, frames: Sequence[Image], *, smallest: float = 0.0) -> list[list[Box]]:
        """Return the boxes of each frame, largest first; they may reach over the frame's border."""
        with threads(cores()) as executor:
            return list(ordered_map(lambda frame: self._one(frame, smallest), frames, executor, ahead=len(frames)))

    def face_square(self, box: Box) -> Box:
        """Return the square below the middle of the box, in the direction in which the head is tilted."""
        half, down = SQUARE_SIDE / 2 * box.width, SQUARE_DOWN * box.width
        x, y = _moved((box.left + box.right) / 2, (box.top + box.bottom) / 2, down, box.roll)
        return Box(x - half, y - half, x + half, y + half, box.score, box.roll)

    def _one(self, frame: Image, smallest: float) -> list[Box]:
        height, width = frame.shape[:2]
        # A face's box, as it is handed out, is higher than the network's own.
        least = max(width, height) * SURE_SHARE * BOX_HEIGHT
        if max(width, height) > TILE_PX and smallest < least:
            scores, corners = self._in_tiles(frame)
        else:
            scores, corners, _ = self._proposals(frame, 0, 0, width, height)
        return sort_largest_first([_box(score, placed) for score, placed in merged(scores, corners, SAME_FACE_IOU)])

    def _in_tiles(self, frame: Image) -> tuple[Scores, Corners]:
        """Return what the network proposes in a large frame, as `_proposals` does."""
        height, width = frame.shape[:2]
        found = [
            self._proposals(frame, left, top, min(left + TILE_PX, width), min(top + TILE_PX, height))
            for top in _starts(height)
            for left in _starts(width)
        ]
        scores, corners, doubted = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if all((overlaps(corners, one) > SAME_FACE_IOU).any() for one in doubted):
            return scores, corners
        more_scores, more_corners, _ = self._proposals(frame, 0, 0, width, height)
        return np.concatenate([scores, more_scores]), np.concatenate([corners, more_corners])

    def _proposals(self, frame: Image, left: int, top: int, right: int, bottom: int) -> tuple[Scores, Corners, Corners]:
        """Return what the network proposes in a part of the frame, in the frame's pixels, edges counted.

        Last, and apart, comes what is in doubt: what it is less sure of, and what reaches over an inner border of a
        tile, since another tile or the whole frame shows it as well.
        """
        part = frame[top:bottom, left:right]
        side = max(part.shape[:2])
        height, width = (max(1, round(length * INPUT_PX / side)) for length in part.shape[:2])
        square = np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8)
        square[:height, :width] = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        rgb = np.asarray(cv2.cvtColor(square, cv2.COLOR_BGR2RGB), np.float32) / np.float32(127.5) - 1
        raw, logits = self._model.run(rgb)
        scores, shares = decoded(raw, logits, ANCHORS, INPUT_PX, min(self._min_score, DOUBT_SCORE))
        scale = np.array([part.shape[1] / width, part.shape[0] / height]) * INPUT_PX
        corners = shares * scale + (left, top)
        low, high = corners[:, 0], corners[:, 1]
        margin = BORDER_MARGIN * (high - low)
        borders = np.array([left or -np.inf, top or -np.inf])
        ends = np.array([right if right < frame.shape[1] else np.inf, bottom if bottom < frame.shape[0] else np.inf])
        whole = ((low - margin > borders) & (high + margin < ends)).all(axis=1)
        sure = whole & (scores > self._min_score)
        return scores[sure], corners[sure], corners[~sure]


def _starts(length: int) -> list[int]:
    """Return where the tiles along one side begin, in pixels."""
    count = max(1, math.ceil((length - OVERLAP_PX) / (TILE_PX - OVERLAP_PX)))
    return [round(place) for place in np.linspace(0, max(length - TILE_PX, 0), count)]


def _box(score: float, corners: NDArray[np.float64]) -> Box:
    """Return a face's box as MTCNN draws it, in pixels' middles; the first points are the right and the left eye."""
    (left, top), (right, bottom), right_eye, left_eye, *_ = corners.tolist()
    roll = math.degrees(math.atan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0]))
    width = right - left
    x, y = _moved((left + right) / 2, (top + bottom) / 2, -BOX_UP * width, roll)
    half_width, half_height = BOX_WIDTH * width / 2, BOX_HEIGHT * width / 2
    return Box(x - half_width, y - half_height, x + half_width, y + half_height, score, roll)


def _moved(x: float, y: float, down: float, roll: float) -> tuple[float, float]:
    """Move a point towards the chin of a head that is tilted by `roll` degrees."""
    turn = math.radians(roll)
    return x - down * math.sin(turn), y + down * math.cos(turn)


def _make(sensitive: bool) -> Detector:
    return BlazeFaceDetector(min_score=SENSITIVE_SCORE if sensitive else MIN_SCORE)


LICENCE = of_google("BlazeFace")
SUMMARY = "one small network: quick, tilted heads, faces of 30 px and more, may be used for pay"
DETECTORS = (DetectorSpec("blazeface", SUMMARY, _make, LICENCE),)
