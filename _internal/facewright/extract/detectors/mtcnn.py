"""MTCNN: three small networks in a row (Zhang et al. 2016), with the weights of the `mtcnn` package.

The package's networks and thresholds, our own path through them: frames stay uint8 until each level of the
pyramid, candidates are picked inside the graph, and a run of equally large frames goes through one traced
function. Boxes agree with the package's to half a pixel (tests/extract/test_mtcnn.py).
"""

import hashlib
import importlib
import importlib.util
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.errors import UserError
from facewright.core.images import Image
from facewright.extract.detectors.base import Box, Detector, DetectorSpec, sort_largest_first
from facewright.extract.dlib_files import REINSTALL
from facewright.extract.embedding import load_tensorflow
from facewright.extract.licences import Licence

Boxes = NDArray[np.float64]  # rows of (frame, left, top, right, bottom, score, roll)

# (frames, boxes, owners) -> offsets, scores, roll
Network = Callable[[Any, Any, Any], tuple[Any, Any, Any]]

PNET_CELL_PX = 12  # P-net looks at squares of 12 px, one every second pixel
PYRAMID_STEP = 0.709  # from one level of the pyramid to the next: half the area
MIN_LEVEL_RATIO = 0.7  # a face may come from a level made for one so much smaller: a level more than needed is searched
# The weights are stored pickled; only these very files are opened.
DIGESTS = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
MAX_BATCH_PIXELS = 2_000_000  # larger batches fall out of the processor's caches and take twice the time
MAX_BATCH_CROPS = 1024
MAX_SCALE_FROM_HALF = 0.3  # levels below this scale are made from the frame at half size: the same average, sooner
MAX_TRACES = 4  # for the frame sizes that come in full batches; one open function serves all others


class MtcnnDetector:
    """See `facewright.extract.detectors.base.Detector`."""

    name = "mtcnn"
    max_side = 1920
    upright_score = 0.99  # upright faces mostly have 0.999; lying ones and what is near them have 0.8 to 0.98

    def __init__(
        self, *, smallest: int = 20, thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8), trace: bool = True
    ) -> None:
        """Load the weights and TensorFlow.

        Args:
            smallest: Side of the smallest face in pixels, 12 or more.
            thresholds: Scores of P-net, R-net and O-net above which a candidate goes on, 0..1.
            trace: Trace a static function for each frame size that comes in full batches.

        Raises:
            UserError: TensorFlow or the weights are missing.
        """
        self._smallest = smallest
        self._thresholds = thresholds
        self._tf = load_tensorflow("use --detector dlib-hog")
        pnet, rnet, onet = (_weights(name) for name in DIGESTS)
        self._pnet = pnet
        tf = self._tf
        pixels = tf.TensorSpec([None, None, None, 3], tf.uint8)
        size = tf.TensorSpec([2], tf.int32)
        self._level = tf.function(self._propose, autograph=False, input_signature=[pixels, size])
        boxes, owners = tf.TensorSpec([None, 4], tf.float32), tf.TensorSpec([None], tf.int32)
        self._refine = tf.function(_rnet(tf, rnet), autograph=False, input_signature=[pixels, boxes, owners])
        self._output = tf.function(_onet(tf, onet), autograph=False, input_signature=[pixels, boxes, owners])
        self._traces: dict[tuple[int, ...], Callable[[Any], list[Any]]] = {}
        self._trace = trace

    def batch_size(self, height: int, width: int) -> int:
        """Return the best batch for frames of this size."""
        return max(1, min(16, MAX_BATCH_PIXELS // (height * width)))

    def detect(self, frames: Sequence[Image], *, smallest: float = 0.0) -> list[list[Box]]:
        """Return the boxes of each frame, largest first; they may reach over the frame's border."""
        found: list[list[Box]] = [[] for _ in frames]
        if not frames or min(frames[0].shape[:2]) < self._smallest:
            return found
        for frame, *values in self._search(np.stack(frames), smallest).tolist():
            found[int(frame)].append(Box(*values))
        return [sort_largest_first(boxes) for boxes in found]

    def face_square(self, box: Box) -> Box:
        """Return the square of dlib's frontal detector: medians of 137 faces that both found in ten clips."""
        side = 0.96 * math.sqrt(box.width * box.height)
        middle_x = (box.left + box.right) / 2
        middle_y = (box.top + box.bottom) / 2 + 0.075 * box.height
        left, top = middle_x - side / 2, middle_y - side / 2
        return Box(left, top, left + side, top + side, box.score, box.roll)

    def _search(self, frames: Image, smallest: float) -> Boxes:
        tf = self._tf
        pixels = tf.constant(frames)
        boxes = _square(self._proposals(pixels, frames.shape, smallest))
        for network, threshold, last in (
            (self._refine, self._thresholds[1], False),
            (self._output, self._thresholds[2], True),
        ):
            if not len(boxes):
                break
            boxes = _refined(tf, network, pixels, boxes)
            boxes = boxes[boxes[:, 5] > threshold]
            boxes = suppress_overlaps(boxes, 0.7, smaller=last)
            if not last:
                boxes = _square(boxes)
        return boxes

    def _proposals(self, pixels: Any, shape: tuple[int, ...], smallest: float) -> Boxes:
        """Return P-net's candidates over all levels that can hold a face large enough."""
        scales = levels_for(pyramid(shape[1], shape[2], self._smallest), smallest)
        if not scales:
            return np.empty((0, 7))
        levels = self._traced(shape, scales)(pixels)
        found = []
        for scale, (cells, scores, offsets) in zip(scales, levels, strict=True):
            boxes = _cells_to_boxes(cells.numpy(), scores.numpy(), offsets.numpy())
            boxes[:, 1:5] /= scale
            found.append(suppress_overlaps(boxes, 0.5))
        return suppress_overlaps(np.concatenate(found), 0.7)

    def _traced(self, shape: tuple[int, ...], scales: list[float]) -> Callable[[Any], list[Any]]:
        """Return the function for this shape: a static one for full batches, else the open one."""
        tf = self._tf
        sizes = [(int(shape[1] * scale), int(shape[2] * scale)) for scale in scales]

        def levels(pixels: Any, propose: Callable[[Any, Any], Any]) -> list[Any]:
            half = tf.raw_ops.ResizeArea(images=pixels, size=(shape[1] // 2, shape[2] // 2))
            half = tf.cast(tf.round(half), tf.uint8)
            return [
                propose(half if scale < MAX_SCALE_FROM_HALF else pixels, size)
                for scale, size in zip(scales, sizes, strict=True)
            ]

        key = (*shape, len(scales))
        known = self._traces.get(key)
        if (
            known is None
            and self._trace
            and shape[0] == self.batch_size(*shape[1:3])
            and len(self._traces) < MAX_TRACES
        ):
            known = tf.function(
                lambda pixels: levels(pixels, self._propose),
                autograph=False,
                input_signature=[tf.TensorSpec(shape, tf.uint8)],
            )
            self._traces[key] = known
        return known or (lambda pixels: levels(pixels, self._level))

    def _propose(self, pixels: Any, size: Any) -> tuple[Any, Any, Any]:
        """Shrink the frames to one level and return P-net's (cells, scores, offsets) over the threshold."""
        tf, weights = self._tf, self._pnet
        x = tf.raw_ops.ResizeArea(images=pixels, size=size)
        x = _conv(tf, x, _unnormalised(weights))
        # Slopes over 1 are monotone, so they may wait until the pooling has left a quarter of the pixels.
        x = tf.nn.max_pool2d(tf.maximum(x, np.minimum(weights[2], 1) * x), 2, 2, "SAME")
        x = _steep(tf, x, weights[2])
        x = _prelu(tf, _conv(tf, x, weights[3:5]), weights[5])
        x = _prelu(tf, _conv(tf, x, weights[6:8]), weights[8])
        # A softmax over two classes is a sigmoid of their difference; offsets are needed for the picked cells only.
        margin = tf.nn.conv2d(x, weights[11][..., 1:] - weights[11][..., :1], 1, "VALID")[..., 0]
        margin += float(weights[12][1] - weights[12][0])
        limit = math.log(self._thresholds[0] / (1 - self._thresholds[0]))
        cells = tf.where(margin > limit)
        offsets = tf.gather_nd(x, cells) @ weights[9][0, 0] + weights[10]
        return cells, tf.sigmoid(tf.gather_nd(margin, cells)), offsets


def pyramid(height: int, width: int, smallest: int) -> list[float]:
    """Return the scales at which a frame is searched: from the smallest face up, none below P-net's cell.

    The package goes below it when the smallest face is 30 px or more, fails there and reports no face at all.
    """
    scales = []
    scale = PNET_CELL_PX / smallest
    while min(height, width) * scale >= PNET_CELL_PX:
        scales.append(scale)
        scale *= PYRAMID_STEP
    return scales


def levels_for(scales: Sequence[float], smallest: float) -> list[float]:
    """Return the levels of a pyramid in which a face of that size, in pixels of the frame, can still be found."""
    return [scale for scale in scales if PNET_CELL_PX / scale >= MIN_LEVEL_RATIO * smallest]


def _unnormalised(weights: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the first layer's weights for pixels 0..255: one pass less over the largest images."""
    kernel = weights[0] / np.float32(128)
    return kernel, weights[1] - kernel.sum((0, 1, 2)) * np.float32(127.5)


def _conv(tf: Any, x: Any, weights: Sequence[Any]) -> Any:
    return tf.nn.bias_add(tf.nn.conv2d(x, weights[0], 1, "VALID"), weights[1])


def _prelu(tf: Any, x: Any, slope: NDArray[np.float32]) -> Any:
    """Return x above zero, slope * x below; few passes over memory, which is what it costs."""
    return _steep(tf, tf.maximum(x, np.minimum(slope, 1) * x), slope)


def _steep(tf: Any, x: Any, slope: NDArray[np.float32]) -> Any:
    """The part of `_prelu` for slopes over 1, which a maximum cannot give."""
    return tf.minimum(x, np.maximum(slope, 1) * x) if slope.max() > 1 else x


def _crops(tf: Any, pixels: Any, boxes: Any, owners: Any, side: int) -> Any:
    """Cut boxes (left, top, right, bottom) to side x side; grey outside the frame, which is 0 once normalised."""
    shape = tf.cast(tf.shape(pixels)[1:3], tf.float32)
    relative = tf.gather(boxes, [1, 0, 3, 2], axis=1) / tf.concat([shape, shape], 0)
    crops = tf.image.crop_and_resize(pixels, relative, owners, [side, side], extrapolation_value=127.5)
    return (crops - 127.5) / 128


def _flat(tf: Any, x: Any) -> Any:
    """Flatten as the networks' first implementation did, columns before rows."""
    x = tf.transpose(x, [0, 2, 1, 3])
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])


def _face_score(tf: Any, x: Any, weights: Sequence[Any]) -> Any:
    return tf.nn.softmax(x @ weights[0] + weights[1])[:, 1]


def _rnet(tf: Any, w: Sequence[Any]) -> Network:
    def run(pixels: Any, boxes: Any, owners: Any) -> tuple[Any, Any, Any]:
        x = _crops(tf, pixels, boxes, owners, 24)
        x = tf.nn.max_pool2d(_prelu(tf, _conv(tf, x, w[0:2]), w[2]), 3, 2, "SAME")
        x = tf.nn.max_pool2d(_prelu(tf, _conv(tf, x, w[3:5]), w[5]), 3, 2, "VALID")
        x = _flat(tf, _prelu(tf, _conv(tf, x, w[6:8]), w[8]))
        x = _prelu(tf, x @ w[9] + w[10], w[11])
        scores = _face_score(tf, x, w[14:16])
        return x @ w[12] + w[13], scores, tf.zeros_like(scores)

    return run


def _onet(tf: Any, w: Sequence[Any]) -> Network:
    def run(pixels: Any, boxes: Any, owners: Any) -> tuple[Any, Any, Any]:
        x = _crops(tf, pixels, boxes, owners, 48)
        x = tf.nn.max_pool2d(_prelu(tf, _conv(tf, x, w[0:2]), w[2]), 3, 2, "SAME")
        x = tf.nn.max_pool2d(_prelu(tf, _conv(tf, x, w[3:5]), w[5]), 3, 2, "VALID")
        x = tf.nn.max_pool2d(_prelu(tf, _conv(tf, x, w[6:8]), w[8]), 2, 2, "SAME")
        x = _flat(tf, _prelu(tf, _conv(tf, x, w[9:11]), w[11]))
        x = _prelu(tf, x @ w[12] + w[13], w[14])
        return x @ w[15] + w[16], _face_score(tf, x, w[19:21]), _roll(tf, x @ w[17] + w[18])

    return run


def _roll(tf: Any, points: Any) -> Any:
    """Return the tilt in degrees from O-net's points: five x, then five y of eyes, nose, corners of the mouth."""
    x, y = points[:, :5], points[:, 5:]
    across_x, across_y = x[:, 1] - x[:, 0] + x[:, 4] - x[:, 3], y[:, 1] - y[:, 0] + y[:, 4] - y[:, 3]
    down_x, down_y = x[:, 3] + x[:, 4] - x[:, 0] - x[:, 1], y[:, 3] + y[:, 4] - y[:, 0] - y[:, 1]
    return tf.atan2(across_y - down_x, across_x + down_y) * (180 / math.pi)


def _cells_to_boxes(cells: NDArray[np.int64], scores: NDArray[np.float32], offsets: NDArray[np.float32]) -> Boxes:
    """Turn P-net's cells (frame, row, column) into boxes at its level's scale."""
    corner = cells[:, [2, 1]] * 2.0
    # The package counts a cell's near corner from 1 and its far corner from 0; boxes shift by pixels without it.
    near, far = corner + 1, corner + PNET_CELL_PX
    side = PNET_CELL_PX - 1
    boxes = (near + offsets[:, :2] * side, far + offsets[:, 2:] * side)
    return np.column_stack([cells[:, 0], *boxes, scores, np.zeros(len(cells))])


def _refined(tf: Any, network: Callable[..., Any], pixels: Any, boxes: Boxes) -> Boxes:
    """Return the boxes moved by a network's offsets, with its scores."""
    boxes = boxes.copy()
    for start in range(0, len(boxes), MAX_BATCH_CROPS):
        part = boxes[start : start + MAX_BATCH_CROPS]
        offsets, scores, roll = network(
            pixels, tf.constant(part[:, 1:5].astype(np.float32)), tf.constant(part[:, 0].astype(np.int32))
        )
        sides = np.tile(part[:, 3:5] - part[:, 1:3] + 1, 2)
        part[:, 1:5] += offsets.numpy() * sides
        part[:, 5], part[:, 6] = scores.numpy(), roll.numpy()
    return boxes


def _square(boxes: Boxes) -> Boxes:
    """Grow the shorter side of each box around its middle."""
    middle = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
    half = (boxes[:, 3:5] - boxes[:, 1:3]).max(1, initial=-np.inf, keepdims=True) / 2
    return np.column_stack([boxes[:, :1], middle - half, middle + half, boxes[:, 5:]])


def suppress_overlaps(boxes: Boxes, threshold: float, *, smaller: bool = False) -> Boxes:
    """Drop every box that overlaps a better one of its frame, as the package does it.

    A dropped box still drops others. Overlap is intersection over union, or over the smaller box.

    Args:
        boxes: (n, 6 or 7): number of the frame, left, top, right, bottom in pixels, score, and roll where it is known.
        threshold: Largest overlap that stays, 0..1.
        smaller: Measure against the smaller box.

    Returns:
        The rows that stay, best first.
    """
    boxes = boxes[np.argsort(-boxes[:, 5], kind="stable")]
    keep = np.ones(len(boxes), bool)
    for frame in np.unique(boxes[:, 0]):
        rows = np.flatnonzero(boxes[:, 0] == frame)
        keep[rows] = ~overlap_earlier(boxes[rows, 1:5], threshold, smaller=smaller)
    return boxes[keep]


def overlap_earlier(
    boxes: NDArray[np.float64], threshold: float, *, smaller: bool, rows: int = 512
) -> NDArray[np.bool_]:
    """Say for each box whether an earlier one overlaps it; in strips, so that memory stays small."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    result = np.zeros(len(boxes), bool)
    for start in range(0, len(boxes), rows):
        strip = slice(start, start + rows)
        size = np.minimum(boxes[strip, None, 2:], boxes[None, :, 2:]) - np.maximum(
            boxes[strip, None, :2], boxes[None, :, :2]
        )
        inside = np.maximum(size, 0).prod(2)
        pair = np.minimum(area[strip, None], area) if smaller else area[strip, None] + area - inside
        earlier = np.arange(len(boxes)) < np.arange(len(boxes))[strip, None]
        result[strip] = ((inside > threshold * pair) & earlier).any(1)
    return result


def _weights(name: str) -> list[NDArray[np.float32]]:
    """Load a network's arrays; the first layer's input channels are turned from RGB to BGR."""
    spec = importlib.util.find_spec("mtcnn")
    path = Path(spec.origin).parent / "assets" / "weights" / f"{name}.lz4" if spec and spec.origin else Path(name)
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != DIGESTS[name]:
        raise UserError(
            f"MTCNN's weights {path} are missing or not those of mtcnn 1.0.0.",
            "the environment that quickstart makes.",
            f"{REINSTALL}.",
        )
    arrays = [np.asarray(array) for array in importlib.import_module("joblib").load(io.BytesIO(data))]
    arrays[0] = arrays[0][:, :, ::-1]
    return arrays


def _make(sensitive: bool) -> Detector:
    if sensitive:
        return MtcnnDetector(thresholds=(0.5, 0.5, 0.7))
    return MtcnnDetector()


LICENCE = Licence(
    part="MTCNN",
    terms="MIT, but its author says that the weights should not be used for commercial purposes",
    trained_on="WIDER FACE, CelebA",
    commercial=False,
)
SUMMARY = "three small networks: quick, finds turned and small faces; the usual choice"
DETECTORS = (DetectorSpec("mtcnn", SUMMARY, _make, LICENCE),)
