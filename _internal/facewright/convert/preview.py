"""A conversion to look at: any frame with any settings, at once. The page shows it; nothing is written."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from facewright.convert.blend import Mode
from facewright.convert.masks import DstFace
from facewright.convert.matching import faces_there
from facewright.convert.parameters import ConvertOptions, Parameters, resolve_parameters
from facewright.convert.pipeline import ModelInput, Predict, Prediction, blend_faces, cut_faces
from facewright.core.images import Image, read_image
from facewright.faces.color_transfer import ColorTransfer
from facewright.models.spec import ConverterDefaults

KEPT_BYTES = 256 << 20  # of decoded frames
CLOSE_UP = 1.7  # side of the close-up, in sides of the box around the landmarks
SIDE_PX = 720  # of the close-up
MASK_COLOUR = (0.1, 0.9, 0.2)  # BGR
MASK_OPACITY = 60


class View(StrEnum):
    """What is shown of a frame."""

    AFTER = "after"
    BEFORE = "before"
    BESIDE = "beside"
    MASK = "mask"


@dataclass(frozen=True)
class PreviewFrame:
    """A frame that can be looked at.

    Attributes:
        path: Its file.
        faces: Those to replace, with the masks of their records.
    """

    path: Path
    faces: tuple[DstFace, ...]


@dataclass(frozen=True)
class _Predicted:
    image: Image
    faces: list[DstFace]
    prediction: Prediction | None
    with_dst_mask: bool


class ConversionPreview:
    """Converts single frames; what a network predicted for a frame is kept. Several threads may use it.

    Args:
        frames: Those of dst, in order.
        predict: The trained model.
        wanted: What it takes.
        defaults: Its converter defaults.
    """

    def __init__(
        self, frames: Sequence[PreviewFrame], predict: Predict, wanted: ModelInput, defaults: ConverterDefaults
    ) -> None:
        self.frames = frames
        self._predict = predict
        self._wanted = wanted
        self._defaults = defaults
        self._kept: OrderedDict[int, _Predicted] = OrderedDict()
        self._lock = threading.Lock()

    def render(self, at: int, options: ConvertOptions, view: View = View.AFTER, *, close_up: bool = False) -> Image:
        """Return a frame as the options convert it.

        Args:
            at: Its index.
            options: As for the conversion.
            view: What is shown: the result, the frame itself, both beside each other, or the replaced area in green.
            close_up: Only the largest face, at 720 px.

        Returns:
            (h, w, 3) uint8 BGR.

        Raises:
            UserError: The frame cannot be read, or the prediction is no image.
        """
        parameters = resolve_parameters(options, self._defaults)
        with self._lock:
            known = self._predicted(at, dst_mask=parameters.needs_dst_mask)
        before, after = known.image, known.image
        if known.prediction is not None and view is not View.BEFORE:
            prediction = known.prediction
            if view is View.MASK:
                parameters, prediction = _as_mask(parameters, prediction)
            cuts = cut_faces(before, known.faces, self._wanted, parameters)
            after, _ = blend_faces(before, cuts, prediction, parameters)
        shown = [before, after] if view is View.BESIDE else [after]
        if close_up and known.faces:
            shown = [_close_up(image, known.faces) for image in shown]
        return np.hstack(shown)

    def _predicted(self, at: int, *, dst_mask: bool) -> _Predicted:
        if at in self._kept and (self._kept[at].with_dst_mask or not dst_mask):
            self._kept.move_to_end(at)
            return self._kept[at]
        frame = self.frames[at]
        image = read_image(frame.path)
        faces = faces_there(image, frame.faces)
        prediction = None
        if faces:
            prediction = self._predict(cut_faces(image, faces, self._wanted, Parameters()).images, dst_mask=dst_mask)
        self._kept[at] = _Predicted(image, faces, prediction, dst_mask)
        while len(self._kept) > 1 and sum(one.image.nbytes for one in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        return self._kept[at]


def _as_mask(parameters: Parameters, prediction: Prediction) -> tuple[Parameters, Prediction]:
    """Return parameters and a plain prediction with which the replaced area is blended in as a colour."""
    plain = replace(parameters, mode=Mode.OVERLAY, color_transfer=ColorTransfer.NONE, sharpen=0, opacity=MASK_OPACITY)
    colour = np.zeros_like(prediction.image) + np.array(MASK_COLOUR, np.float32)
    return plain, replace(prediction, image=colour)


def _close_up(image: Image, faces: Sequence[DstFace]) -> Image:
    """Cut out the largest face and its surroundings."""
    boxes = [(face.landmarks.min(0), face.landmarks.max(0)) for face in faces]
    low, high = max(boxes, key=lambda box: float(np.ptp(np.array(box), axis=0).max()))
    side = CLOSE_UP * float((high - low).max())
    scale = SIDE_PX / max(side, 1.0)
    shift = SIDE_PX / 2 - scale * (low + high) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), flags=method), np.uint8)
