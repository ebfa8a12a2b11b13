"""Super-resolution by an ONNX file that the user has: what a network predicts becomes larger before it is blended in.

Any file with one image in and one larger image out: RGB as nearly all are, (1, 3, h, w) or (1, h, w, 3). What it does
not say is found out by a flat image: by how much it enlarges, and whether its numbers go to 1 or to 255.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from facewright.core.errors import UserError
from facewright.core.names import printable
from facewright.models.base import Array
from facewright.models.trained import TrainedModel
from facewright.nn.onnx_check import BadOnnx, TensorShape, check_memory, read_facts
from facewright.nn.onnx_file import OnnxFile, choose_provider

FLAT = np.array([0.25, 0.5, 0.7], np.float32)  # colour of the image that it is asked for
FAR_OFF = 0.15  # from that colour: no network that enlarges images
SPANS = (1.0, 255.0)  # of an image's numbers
LARGEST = 2048  # px of a side


class SuperResolution:
    """A network that enlarges square images.

    Args:
        path: The file.
        side: Side of the images in pixels.
        provider: "auto" or a key of `nn.onnx_providers.PROVIDERS`.

    Attributes:
        side: Side of what it gives in pixels.

    Raises:
        UserError: It is not used: no such file, one that is not run, or one that does something else.
    """

    def __init__(self, path: Path, side: int, provider: str) -> None:
        self._path = path
        try:
            facts, proto = read_facts(path)
            if len(facts.inputs) != 1 or len(facts.outputs) != 1:
                raise BadOnnx(f"it has {len(facts.inputs)} inputs and {len(facts.outputs)} outputs")
            ((name, shape),) = facts.inputs.items()
            self._first = _channels_first(shape)
            self._taken = _side(shape, first=self._first) or side
            square = (self._taken, self._taken)
            ((_, made),) = check_memory(proto, {name: (1, 3, *square) if self._first else (1, *square, 3)}).items()
            if any(length and length > LARGEST for length in made):
                raise BadOnnx(f"it makes images of {max(length or 0 for length in made)} px out of {side}")
            self._file = OnnxFile(path, choose_provider(provider))
            self._span = self._find_span()
            self.side = self._run(self._flat(), self._span).shape[0]
            if not side < self.side <= LARGEST:
                raise BadOnnx(f"it makes images of {self.side} px out of {side}")
        except (ValueError, OSError) as error:
            why = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
            raise _refused(path, why) from error

    def enlarge(self, images: Array) -> Array:
        """Enlarge images: (n, S, S, 3) float32 BGR in 0..1 -> (n, side, side, 3).

        Raises:
            UserError: The network fails on one of them, or answers in another size than before.
        """
        try:
            made = [np.clip(self._run(image, self._span), 0, 1) for image in images]
        except ValueError as error:
            raise _refused(self._path, str(error)) from error
        for image in made:
            if image.shape[0] != self.side:
                raise _refused(self._path, f"it makes images of {image.shape[0]} px, and of {self.side} px before")
        return np.stack(made)

    def _flat(self) -> Array:
        return np.zeros((self._taken, self._taken, 3), np.float32) + FLAT

    def _find_span(self) -> float:
        errors = {span: float(np.abs(self._run(self._flat(), span) - FLAT).mean()) for span in SPANS}
        span = min(errors, key=lambda one: errors[one] if np.isfinite(errors[one]) else np.inf)
        if not errors[span] <= FAR_OFF:
            raise BadOnnx("it does not give back the colour of a flat image")
        return span

    def _run(self, image: Array, span: float) -> Array:
        """Enlarge one image, (S, S, 3) -> (side, side, 3), by numbers up to `span`."""
        if image.shape[0] != self._taken:
            resized = cv2.resize(image, (self._taken, self._taken), interpolation=cv2.INTER_CUBIC)
            image = np.asarray(resized, np.float32)
        given = np.ascontiguousarray(image[..., ::-1] * np.float32(span))[None]
        (made,) = self._file.run(np.ascontiguousarray(given.transpose(0, 3, 1, 2)) if self._first else given)
        made = made.transpose(0, 2, 3, 1) if self._first and made.ndim == 4 else made
        if made.ndim != 4 or made.shape[0] != 1 or made.shape[1] != made.shape[2] or made.shape[3] != 3:
            raise BadOnnx(f"it answers with the shape {made.shape}")
        return made[0, ..., ::-1] / np.float32(span)


def _refused(path: Path, why: str) -> UserError:
    return UserError(
        f"{path.name} is not used: {printable(why)[:300]}.",
        "an ONNX file that enlarges images: one image in, (1, 3, height, width), one larger image out.",
        "choose another file with --super-resolution, or leave it out.",
    )


def _channels_first(shape: TensorShape) -> bool:
    if len(shape) != 4 or shape[0] not in (None, 1) or 3 not in (shape[1], shape[3]):
        raise BadOnnx(f"its input has the shape ({', '.join(str(length or 'any') for length in shape)})")
    return shape[1] == 3


def _side(shape: TensorShape, *, first: bool) -> int | None:
    """Return the one side that it takes; None where it takes any."""
    height, width = shape[2:] if first else shape[1:3]
    if height != width or (height is not None and not 16 <= height <= LARGEST):
        raise BadOnnx(f"it takes images of {width}x{height}")
    return height


@dataclass(frozen=True)
class EnlargedModel(TrainedModel):
    """A trained model whose image is enlarged; its faces are cut that much larger, so that both lie alike.

    Attributes:
        model: The model.
        larger: Enlarges its images.
    """

    model: TrainedModel
    larger: SuperResolution

    def predict(self, faces: Array) -> tuple[Array, Array]:
        """See `TrainedModel`."""
        image, mask = self.model.predict(self._smaller(faces))
        return self.larger.enlarge(image), self._as_large(mask)

    def predict_with_own_mask(self, faces: Array) -> tuple[Array, Array, Array | None]:
        """See `TrainedModel`."""
        image, mask, own = self.model.predict_with_own_mask(self._smaller(faces))
        return self.larger.enlarge(image), self._as_large(mask), None if own is None else self._as_large(own)

    def _smaller(self, faces: Array) -> Array:
        side = self.model.resolution
        return np.stack([cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces])

    def _as_large(self, masks: Array) -> Array:
        side = self.larger.side
        large = [cv2.resize(mask, (side, side), interpolation=cv2.INTER_CUBIC) for mask in masks]
        return np.clip(np.stack(large), 0, 1)[..., None]


def enlarged(model: TrainedModel, larger: SuperResolution, fingerprint: str) -> EnlargedModel:
    """Return a model whose images are enlarged; `fingerprint` tells model and file from others."""
    converter = replace(model.converter, enlarged_from=model.resolution)
    return EnlargedModel(
        *(model.name, model.kind, model.iteration, fingerprint, larger.side, model.face_type, converter),
        portrait=model.portrait,
        model=model,
        larger=larger,
    )
