"""dlib's two face detectors: HOG (quick, frontal faces) and the mmod network (thorough, slow without a GPU)."""

import math
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np

from facewright.core.images import Image
from facewright.core.machine import cores
from facewright.core.workers import ordered_map, threads
from facewright.extract.detectors.base import Box, Detector, DetectorSpec, sort_largest_first
from facewright.extract.dlib_files import load_dlib, model_file
from facewright.extract.licences import Licence

MIN_FRAME_SIDE_PX = 80  # side in pixels of the smallest face both were trained for


class HogDetector:
    """See `facewright.extract.detectors.base.Detector`; one network per core, as its buffers are its own."""

    name = "dlib-hog"
    max_side = 1920
    upright_score = -math.inf

    def __init__(self, *, upsample: int = 0, threshold: float = 0.0) -> None:
        """Load dlib.

        Args:
            upsample: How often the frame is doubled first; each time costs four times as long.
            threshold: Score above which a face counts; dlib's own is 0, lower finds more.
        """
        self._dlib = load_dlib()
        self._upsample = upsample
        self._threshold = threshold
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(cores()):
            self._free.put(self._dlib.get_frontal_face_detector())

    def batch_size(self, height: int, width: int) -> int:
        """Return one frame per core."""
        return cores()

    def detect(self, frames: Sequence[Image], *, smallest: float = 0.0) -> list[list[Box]]:
        """Return the boxes of each frame, largest first."""
        with threads(cores()) as executor:
            return list(ordered_map(self._one, frames, executor, ahead=len(frames)))

    def face_square(self, box: Box) -> Box:
        """Return the box: this detector draws the face square itself."""
        return box

    def _one(self, frame: Image) -> list[Box]:
        detector = self._free.get()
        try:
            found, scores, _ = detector.run(_rgb(frame), self._upsample, self._threshold)
        finally:
            self._free.put(detector)
        return sort_largest_first([_box(rect, score) for rect, score in zip(found, scores, strict=True)])


class CnnDetector:
    """See `facewright.extract.detectors.base.Detector`; memory grows with the frame, hence the smaller `max_side`."""

    name = "dlib-cnn"
    max_side = 1280
    upright_score = -math.inf

    def __init__(self, *, upsample: int = 0, threshold: float = 0.0) -> None:
        """Load dlib and the network; arguments as for `HogDetector`."""
        self._network = load_dlib().cnn_face_detection_model_v1(str(model_file("mmod_human_face_detector.dat")))
        self._upsample = upsample
        self._threshold = threshold

    def batch_size(self, height: int, width: int) -> int:
        """Return 1: nothing is gained by more."""
        return 1

    def detect(self, frames: Sequence[Image], *, smallest: float = 0.0) -> list[list[Box]]:
        """Return the boxes of each frame, largest first."""
        found = []
        for frame in frames:
            faces = self._network(_rgb(frame), self._upsample)
            boxes = [_box(face.rect, face.confidence) for face in faces]
            found.append(sort_largest_first([box for box in boxes if box.score > self._threshold]))
        return found

    def face_square(self, box: Box) -> Box:
        """Return the box further down: this detector's boxes sit higher (medians of 50 faces in nine clips)."""
        down = 0.11 * box.height
        return Box(box.left, box.top + down, box.right, box.bottom + down, box.score)


def _rgb(frame: Image) -> Image:
    """Turn BGR into RGB; tiny frames get a border, dlib does not stand them."""
    height, width = frame.shape[:2]
    if min(height, width) < MIN_FRAME_SIDE_PX:
        border = (0, max(0, MIN_FRAME_SIDE_PX - height), 0, max(0, MIN_FRAME_SIDE_PX - width))
        frame = np.asarray(cv2.copyMakeBorder(frame, *border, cv2.BORDER_CONSTANT), np.uint8)
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


def _box(rect: Any, score: float) -> Box:
    return Box(float(rect.left()), float(rect.top()), float(rect.right() + 1), float(rect.bottom() + 1), float(score))


def _maker(kind: type[HogDetector] | type[CnnDetector]) -> Callable[[bool], Detector]:
    def make(sensitive: bool) -> Detector:
        return kind(threshold=-0.3 if sensitive and kind is HogDetector else 0.0)

    return make


HOG_LICENCE = Licence(
    part="dlib's HOG detector",
    terms="Boost",
    trained_on="Labeled Faces in the Wild, boxes by dlib's author",
    commercial=True,
)
CNN_LICENCE = Licence(
    part="dlib's CNN detector",
    terms="public domain by its author",
    trained_on="images of ImageNet, AFLW, VGG-Face, WIDER FACE and FaceScrub, boxes by dlib's author",
    commercial=True,
)
DETECTORS = (
    DetectorSpec(
        "dlib-hog",
        "gradients: the quickest, frontal faces of 80 px and more only",
        _maker(HogDetector),
        HOG_LICENCE,
    ),
    DetectorSpec(
        "dlib-cnn",
        "one large network: thorough, faces of 80 px and more, 1 to 15 seconds per frame",
        _maker(CnnDetector),
        CNN_LICENCE,
    ),
)
