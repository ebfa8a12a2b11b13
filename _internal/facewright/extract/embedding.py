"""Who a face is, as 128 numbers: faces of one person lie near each other, those of two people lie apart.

The network is dlib's ResNet (King 2017, "High quality face recognition with deep metric learning", weights in the
public domain); distances are Euclidean, and dlib's author draws the line between two people at 0.6. dlib's own code
needs 58 ms for a face where it was built without BLAS, and keeps Python's lock meanwhile. So its weights are read here
and run in TensorFlow: the same numbers to 1e-6, 3 to 8 ms for a face, in threads (tests/benchmarks/people.py).
"""

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core.console import without_notes
from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.extract.dlib_files import REINSTALL, model_file
from facewright.extract.licences import Licence
from facewright.faces.align import MEAN_FACE, FaceType, Matrix, Points, invert, resample, similarity
from facewright.faces.landmarks import IBUG68
from facewright.faces.record import EMBEDDING

WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
CHIP_PX = 150  # side of the image that the network gets
FACE_PX, BORDER_PX = 100, 25  # of the mean face's square in it, and around that
# dlib places a chip by the nose, the eyes and the upper lip: brows, jaw and lower lip move too much.
ANCHORS = [index for index in range(27, 68) if not (55 <= index <= 59 or 65 <= index <= 67)]
EMBED_BATCH = 16  # faces in one call; more gain nothing
MEAN_COLOUR = (122.782, 117.001, 104.298)  # red, green, blue
# Residual blocks, input to output: filters, and whether the block halves the image.
BLOCKS = (
    *[(32, False)] * 3,
    *[(64, True), (64, False), (64, False), (64, False)],
    *[(128, True), (128, False), (128, False)],
    *[(256, True), (256, False), (256, False), (256, True)],
)
CONVOLUTIONS = 1 + 2 * len(BLOCKS)

Embeddings = NDArray[np.float32]  # (128,) or (n, 128)


def chip_matrix(landmarks: Points) -> Matrix:
    """Return the 2x3 matrix image -> chip, as dlib lays its 150 px chips out.

    Args:
        landmarks: (68, 2) in the image.
    """
    # dlib fits the mean face onto the landmarks, not the landmarks onto the mean face: on a face that differs from
    # the mean the two give other scales. Its corner of the first pixel is (0, 0), hence the half pixel.
    mean = MEAN_FACE[[index - IBUG68.inner for index in ANCHORS]] * FACE_PX + BORDER_PX
    matrix = invert(similarity(mean, np.asarray(landmarks, np.float64)[ANCHORS]))
    matrix[:, 2] -= 0.5
    return matrix


def chip(picture: Image, landmarks: Points) -> Image:
    """Cut the image that the network gets.

    Args:
        picture: (h, w, 3) uint8 BGR, a frame or an aligned face.
        landmarks: (68, 2) in it.

    Returns:
        (150, 150, 3) uint8 BGR.
    """
    return np.asarray(resample(picture, chip_matrix(landmarks), CHIP_PX, cv2.INTER_LINEAR), np.uint8)


def holds_chip(face_type: FaceType) -> bool:
    """Whether an aligned image of this type holds all that a chip shows; a half face lacks a quarter each way."""
    return face_type is not FaceType.HALF


class Embedder:
    """Turns chips into 128 numbers each; may be called from several threads at once."""

    def __init__(self) -> None:
        """Load weights and TensorFlow (a second, beside TensorFlow's own start).

        Raises:
            UserError: The weights' file is missing or damaged, or TensorFlow is missing.
        """
        tf = load_tensorflow("extract with --no-people")
        network = _network(tf, *read_weights(model_file(WEIGHTS).read_bytes()))
        chips = tf.TensorSpec([None, CHIP_PX, CHIP_PX, 3], tf.uint8)
        self._network = tf.function(network, autograph=False, input_signature=[chips])
        self._tf = tf

    def embed(self, chips: Sequence[Image]) -> Embeddings:
        """Return (n, 128) float32, each row of a length near 1.

        Args:
            chips: As `chip` cuts them, at most a few dozen: all are computed at once.
        """
        if not len(chips):
            return np.zeros((0, EMBEDDING), np.float32)
        found = self._network(self._tf.constant(np.stack(chips)))
        return np.asarray(found.numpy(), np.float32)

    def embed_face(self, picture: Image, landmarks: Points) -> Embeddings:
        """Return the (128,) numbers of one face; see `chip` for the arguments."""
        return np.asarray(self.embed([chip(picture, landmarks)])[0])


def read_weights(data: bytes) -> tuple[list[tuple[Embeddings, Embeddings]], Embeddings]:
    """Read dlib's file: each layer stands behind its name, input to output; what lies between is not needed.

    Returns:
        For each convolution its parameters (weights of (out, in, h, w), then one bias per filter) and those of the
        affine layer behind it (factors, then shifts), flat; and the last layer's (256, 128) weights.

    Raises:
        UserError: It is not that network.
    """
    try:
        layers: list[tuple[Embeddings, Embeddings]] = []
        at = 0
        for _ in range(CONVOLUTIONS):
            convolution, at = _tensor(data, _behind(data, b"\x05con_4", at))
            affine, at = _tensor(data, _behind(data, b"\x07affine_", at))
            layers.append((convolution, affine))
        outputs, at = _whole(data, _behind(data, b"\x04fc_2", at))
        inputs, at = _whole(data, at)
        last = _tensor(data, at)[0].reshape(inputs, outputs)
        if last.shape != (256, EMBEDDING):
            raise ValueError("another last layer")
    except (ValueError, IndexError) as error:
        raise _damaged() from error
    return layers, last


def _behind(data: bytes, name: bytes, at: int) -> int:
    return data.index(name, at) + len(name)


def _whole(data: bytes, at: int) -> tuple[int, int]:
    """Read dlib's whole number: a byte that tells its length, then its bytes, the lowest first."""
    length = data[at] & 15
    return int.from_bytes(data[at + 1 : at + 1 + length], "little"), at + 1 + length


def _tensor(data: bytes, at: int) -> tuple[Embeddings, int]:
    version, at = _whole(data, at)
    if version != 2:
        raise ValueError(f"tensor of version {version}")
    count = 1
    for _ in range(4):
        length, at = _whole(data, at)
        count *= length
    return np.frombuffer(data, "<f4", count, at), at + 4 * count


def _damaged() -> UserError:
    return UserError(
        f"dlib's model {WEIGHTS} is damaged.", "the file of face_recognition_models 0.3.0.", f"{REINSTALL}."
    )


def _network(tf: Any, layers: Sequence[tuple[Embeddings, Embeddings]], last: Embeddings) -> Callable[[Any], Any]:
    """Return the network as a function of (n, 150, 150, 3) uint8 BGR."""
    # Made outside of the traced function: constants inside it would be copied into the graph several times (350 MB).
    folded = _folded(tf, layers)
    final = tf.constant(last)

    def embed(chips: Any) -> Any:
        left = iter(folded)
        picture = (tf.cast(chips[..., ::-1], tf.float32) - tf.constant(MEAN_COLOUR)) / 256
        x = tf.nn.relu(_convolution(tf, picture, next(left), halve=True))
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        for _, halve in BLOCKS:
            x = _block(tf, x, left, halve=halve)
        return tf.matmul(tf.reduce_mean(x, [1, 2]), final)

    return embed


def _folded(tf: Any, layers: Sequence[tuple[Embeddings, Embeddings]]) -> list[tuple[Any, Any]]:
    """Return (kernel, bias) of each convolution, with the affine layer behind it folded in."""
    filters = [32, *(count for count, _ in BLOCKS for _ in range(2))]
    found = []
    inputs, side = 3, 7
    for (parameters, affine), outputs in zip(layers, filters, strict=True):
        factor, shift = affine[:outputs], affine[outputs:]
        weights = parameters[:-outputs].reshape(outputs, inputs, side, side).transpose(2, 3, 1, 0)
        kernel = np.ascontiguousarray(weights * factor)
        found.append((tf.constant(kernel), tf.constant(parameters[-outputs:] * factor + shift)))
        inputs, side = outputs, 3
    return found


def _block(tf: Any, x: Any, left: Iterator[tuple[Any, Any]], *, halve: bool) -> Any:
    y = tf.nn.relu(_convolution(tf, x, next(left), halve=halve))
    y = _convolution(tf, y, next(left), halve=False)
    if halve:
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
    # dlib adds tensors of unlike sizes as if the smaller one went on with zeros.
    shapes = [[int(side) for side in value.shape[1:]] for value in (x, y)]
    largest = [max(pair) for pair in zip(*shapes, strict=True)]
    missing = [[goal - own for goal, own in zip(largest, shape, strict=True)] for shape in shapes]
    x, y = (tf.pad(v, [[0, 0], *([0, n] for n in more)]) for v, more in zip((x, y), missing, strict=True))
    return tf.nn.relu(x + y)


def _convolution(tf: Any, x: Any, layer: tuple[Any, Any], *, halve: bool) -> Any:
    """Convolve; dlib pads only where the image keeps its size."""
    kernel, bias = layer
    return tf.nn.conv2d(x, kernel, 2 if halve else 1, "VALID" if halve else "SAME") + bias


LICENCE = Licence(
    part="dlib's ResNet, which compares people",
    terms="public domain by its author",
    trained_on="3 million images: VGG-Face, FaceScrub, and what its author gathered on the web",
    commercial=True,
)


def load_tensorflow(without: str) -> Any:
    """Import TensorFlow without its start-up notes; errors stay visible.

    Args:
        without: What can be done without it, for the message: "use --detector dlib-hog".

    Raises:
        UserError: It cannot be loaded.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a GPU's memory is shared with other programs
    try:
        with without_notes():
            return importlib.import_module("tensorflow")
    except ImportError as error:
        raise UserError(
            f"TensorFlow could not be loaded: {error}.",
            "the environment that quickstart makes.",
            f"{REINSTALL}; or {without}.",
        ) from error
