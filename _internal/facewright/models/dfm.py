"""A trained model as a `.dfm` file: ONNX with the names, order and layout that DeepFaceLive asks for.

in_face:0 (batch, S, S, 3) float32 BGR in 0..1 and, of a model that morphs, morph_value:0 (1) in 0..1, how much of src
the result shows -> in this order, which DeepFaceLive relies on:

    out_face_mask:0        (batch, S, S, 1)  dst's own face, as the network outlines it
    out_celeb_face:0       (batch, S, S, 3)  dst as src, BGR in 0..1
    out_celeb_face_mask:0  (batch, S, S, 1)  the mask of that

Source: DeepFaceLive, modelhub/DFLive/DFMModel.py, which reads S from the input's shape and knows these two inputs.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from facewright import __version__
from facewright.models.base import Array, to_numpy
from facewright.models.trained import KerasModel
from facewright.nn.onnx_graph import build_onnx, set_tags

INPUT, MORPH = "in_face:0", "morph_value:0"
OWN_MASK, PICTURE, MASK = OUTPUTS = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
RADIUS = 0.48  # of the mask of a model without one, in sides of the image


def dfm_bytes(trained: KerasModel, tags: Mapping[str, str]) -> bytes:
    """Return the content of the `.dfm` file.

    Args:
        trained: The model, loaded for conversion.
        tags: What else the file shall say of itself: key -> text.

    Raises:
        NotImplementedError: The network holds a layer that the export does not know.
    """
    model = trained.model
    constants = {} if model.learns_mask else dict.fromkeys((OWN_MASK, MASK), plain_mask(trained.resolution))
    inputs = (INPUT, MORPH) if model.morphs else (INPUT,)
    proto = build_onnx(model.live_network(), input_names=inputs, output_names=OUTPUTS, constants=constants)
    set_tags(proto, dict(sorted({**describe(trained), **tags}.items())), version=__version__)
    return bytes(proto.SerializeToString(deterministic=True))


def describe(trained: KerasModel) -> dict[str, str]:
    """Return what the file says of the model: key -> text."""
    return {
        "name": trained.name,
        "model": trained.kind,
        "iteration": str(trained.iteration),
        "resolution": str(trained.resolution),
        "face_type": str(trained.model.face_type),
        "masks": "learned" if trained.model.learns_mask else "ellipse",
    }


def wanted(trained: KerasModel, faces: Array) -> tuple[Array, Array, Array]:
    """Return what the file must answer, in the order of `OUTPUTS`: keras' own answers, as conversion gets them.

    Args:
        trained: The model.
        faces: (n, S, S, 3) float32 BGR in 0..1.
    """
    picture, mask = trained.predict(faces)
    if not trained.model.learns_mask:
        plain = np.broadcast_to(plain_mask(trained.resolution), mask.shape)
        return plain, picture, plain
    return to_numpy(trained.model.live_network()(trained.model.given(faces, morph=trained.morph))[0]), picture, mask


def plain_mask(side: int) -> NDArray[np.float32]:
    """Return the mask of a model without one: (side, side, 1) float32, an ellipse that almost fills the image.

    A mask of 1 everywhere would show the square's corners; DeepFaceLive has no way of its own to round them.
    """
    place = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    distance = np.hypot(place[:, None], place[None, :])
    return np.clip((RADIUS - distance) * side + 0.5, 0, 1).astype(np.float32)[..., None]
