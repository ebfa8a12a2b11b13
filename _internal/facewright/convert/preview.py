"""A conversion to look at: any frame with any settings, at once. Window and page show it; nothing is written."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from operator import attrgetter
from pathlib import Path

import cv2
import numpy as np

from facewright.convert.blend import Mode, mix, to_bytes
from facewright.convert.edge import region_of
from facewright.convert.kept import Kept
from facewright.convert.masks import DstFace
from facewright.convert.matching import faces_there
from facewright.convert.parameters import ConvertOptions, Parameters, resolve_parameters
from facewright.convert.pipeline import ModelInput, Predict, Prediction, blend_faces, cut_faces
from facewright.core.images import Image, in_bytes, read_image
from facewright.faces.color import Picture
from facewright.faces.color_transfer import ColorTransfer, transfer
from facewright.faces.mask import Mask
from facewright.models.spec import ConverterDefaults

KEPT_BYTES = 256 << 20  # of decoded frames with their predictions
KEPT_RESULT_BYTES = 64 << 20  # so that going to and fro between frames and views is no work
KEPT_FRAMES = 3  # and results, however large: those of the one that is shown, and of those beside it
KEPT_COLOUR_BYTES = 32 << 20  # of faces
KEPT_COLOURS = 2
CLOSE_UP = 1.7  # side of the close-up, in sides of the box around the landmarks
SIDE_PX = 720  # of the close-up
MASK_COLOUR = (0.1, 0.9, 0.2)  # BGR
MASK_OPACITY = np.float32(0.6)
WIPE_COLOUR = (255, 255, 255)
NO_AREA = (Mode.RAW_PREDICT, Mode.ORIGINAL)  # these replace the whole frame, or nothing


nbytes_of = attrgetter("nbytes")


class View(StrEnum):
    """What is shown of a frame."""

    AFTER = "after"
    BEFORE = "before"
    BESIDE = "beside"
    WIPE = "wipe"
    MASK = "mask"


@dataclass(frozen=True)
class PreviewModel:
    """A trained model as far as a preview needs it.

    Attributes:
        predict: The network.
        wanted: What it takes.
        defaults: Its converter defaults.
    """

    predict: Predict
    wanted: ModelInput
    defaults: ConverterDefaults


@dataclass(frozen=True)
class PreviewFrame:
    """A frame that can be looked at.

    Attributes:
        path: Its file.
        shares: Name of a model, and the faces that it replaces, with the masks of their records; in the order in
            which they are laid over each other.
    """

    path: Path
    shares: tuple[tuple[str, tuple[DstFace, ...]], ...]

    @property
    def faces(self) -> tuple[DstFace, ...]:
        """All faces to replace."""
        return tuple(face for _, faces in self.shares for face in faces)


@dataclass(frozen=True)
class _Predicted:
    """A frame, uint8 or uint16, and of each model that replaces something there its faces and what it predicts."""

    image: Image
    shares: list[tuple[PreviewModel, list[DstFace], Prediction]]
    with_dst_mask: bool

    @property
    def faces(self) -> list[DstFace]:
        return [face for _, faces, _ in self.shares for face in faces]

    @property
    def nbytes(self) -> int:
        return self.image.nbytes + sum(prediction.nbytes for _, _, prediction in self.shares)


class _RememberedColours:
    """Moves colours and keeps the results: of the slow kinds a change of another control asks for the same again."""

    def __init__(self) -> None:
        self._kept = Kept[bytes, Picture](nbytes_of, KEPT_COLOUR_BYTES, KEPT_COLOURS)

    def __call__(self, kind: ColorTransfer, image: Picture, like: Picture, mask: Mask, like_mask: Mask) -> Picture:
        """See `facewright.faces.color_transfer.transfer`."""
        digest = blake2b(str(kind).encode())
        for array in (image, like, mask, like_mask):
            digest.update(array.tobytes())
        key = digest.digest()
        done = self._kept.get(key)
        if done is None:
            done = transfer(kind, image, like, mask, like_mask)
            self._kept.put(key, done)
        return done


class ConversionPreview:
    """Converts single frames; what a network predicted for a frame is kept. Several threads may use it.

    Args:
        frames: Those of dst, in order.
        models: The trained models, by name.

    Attributes:
        unseen: Indices of frames, as far as they were converted here, in which the model saw no face where one is.
    """

    def __init__(self, frames: Sequence[PreviewFrame], models: Mapping[str, PreviewModel]) -> None:
        self.frames = frames
        self.unseen: set[int] = set()
        self._models = models
        self._kept = Kept[int, _Predicted](nbytes_of, KEPT_BYTES, KEPT_FRAMES)
        self._results = Kept[tuple[int, ConvertOptions, bool], Image](nbytes_of, KEPT_RESULT_BYTES, KEPT_FRAMES)
        self._colours = _RememberedColours()
        self._predicting = threading.Lock()  # of its own: what is kept is there while another frame is predicted

    def render(
        self,
        at: int,
        options: ConvertOptions,
        view: View = View.AFTER,
        *,
        close_up: bool = False,
        side: int = SIDE_PX,
        wipe: float = 0.5,
    ) -> Image:
        """Return a frame as the options convert it.

        Args:
            at: Its index.
            options: As for the conversion.
            view: What is shown: the result, the frame itself, both beside each other or on the two sides of a line,
                or the replaced area in green.
            close_up: Only the largest face.
            side: Of the close-up, in pixels.
            wipe: Where that line is, as a share of the width; before is on its left.

        Returns:
            (h, w, 3) uint8 BGR, also of a frame of 16 bits a channel, which is converted in all of them.

        Raises:
            UserError: The frame cannot be read, or the prediction is no image.
        """
        known = self._predicted(at, options)
        before = in_bytes(known.image)
        after = before if view is View.BEFORE else self._result(at, options, known, mask=view is View.MASK)
        shown = [before, after] if view in (View.BESIDE, View.WIPE) else [after]
        if close_up and known.faces:
            shown = [_close_up(image, known.faces, side) for image in shown]
        return _wiped(shown[0], shown[1], wipe) if view is View.WIPE else np.hstack(shown)

    def _result(self, at: int, options: ConvertOptions, known: _Predicted, *, mask: bool) -> Image:
        key = at, options, mask
        if (kept := self._results.get(key)) is not None:
            return kept
        image, replaced = known.image, 0
        coverage = np.zeros(image.shape[:2], np.float32) if mask and Mode(options.mode) not in NO_AREA else None
        for model, faces, prediction in known.shares:
            parameters = resolve_parameters(options, model.defaults)
            if coverage is not None:  # however faintly it is replaced, the area is shown alike
                parameters = replace(parameters, opacity=100)
            cuts = cut_faces(known.image, faces, model.wanted, parameters)
            image, done = blend_faces(image, cuts, prediction, parameters, coverage, transfer=self._colours)
            replaced += len(faces) if parameters.mode is Mode.ORIGINAL else done
        image = in_bytes(image) if coverage is None else _tinted(in_bytes(known.image), coverage)
        (self.unseen.add if replaced < len(known.faces) else self.unseen.discard)(at)
        self._results.put(key, image)
        return image

    def _predicted(self, at: int, options: ConvertOptions) -> _Predicted:
        """Return a frame with its predictions, with dst's own mask where the options use it."""
        frame = self.frames[at]
        models = [(self._models[name], faces) for name, faces in frame.shares]
        dst_mask = any(resolve_parameters(options, model.defaults).needs_dst_mask for model, _ in models)
        if known := self._known(at, dst_mask=dst_mask):
            return known
        with self._predicting:
            if known := self._known(at, dst_mask=dst_mask):
                return known
            image = read_image(frame.path, deep=True)
            shares = []
            for model, faces in models:
                if there := faces_there(image, faces):
                    cuts = cut_faces(image, there, model.wanted, Parameters())
                    shares.append((model, there, model.predict(cuts.images, dst_mask=dst_mask)))
            found = _Predicted(image, shares, dst_mask)
            self._kept.put(at, found)
            return found

    def _known(self, at: int, *, dst_mask: bool) -> _Predicted | None:
        known = self._kept.get(at)
        return None if known is None or (dst_mask and not known.with_dst_mask) else known


def _wiped(before: Image, after: Image, wipe: float) -> Image:
    """Put the two sides of a line together."""
    width = after.shape[1]
    at = min(max(round(wipe * width), 0), width)
    image = np.hstack((before[:, :at], after[:, at:]))
    image[:, max(at - 1, 0) : at + 1] = WIPE_COLOUR
    return image


def _tinted(frame: Image, coverage: Mask) -> Image:
    """Return a frame with the replaced area in a colour; `coverage` is (h, w), 0..1."""
    tinted = frame.copy()
    if region := region_of(coverage):
        under = np.asarray(region.crop(frame), np.float32) / np.float32(255)
        over = np.zeros_like(under) + np.array(MASK_COLOUR, np.float32)
        region.crop(tinted)[...] = to_bytes(mix(under, over, MASK_OPACITY * np.asarray(region.crop(coverage))))
    return tinted


def _close_up(image: Image, faces: Sequence[DstFace], side_px: int) -> Image:
    """Cut out the largest face and its surroundings."""
    boxes = [(face.landmarks.min(0), face.landmarks.max(0)) for face in faces]
    low, high = max(boxes, key=lambda box: float(np.ptp(np.array(box), axis=0).max()))
    side = CLOSE_UP * float((high - low).max())
    scale = side_px / max(side, 1.0)
    shift = side_px / 2 - scale * (low + high) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(image, matrix, (side_px, side_px), flags=method), np.uint8)
