"""A finished ONNX file: what it says of itself, and its answers on the processor. It needs no keras."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from facewright.core.machine import cores

ERRORS_ONLY = 3


class OnnxFile:
    """An ONNX file with one input, open for running on the processor.

    Attributes:
        input: Name and shape of the input; a text in a shape names an axis of any length.
        outputs: The same of all outputs, in their order.
        tags: What the file says of itself: key -> text.

    Args:
        path: The file.

    Raises:
        ValueError: It is no ONNX file, damaged, or holds what the runtime does not know.
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        options.intra_op_num_threads = cores()
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own types derive from Exception alone
            raise ValueError(f"{path.name} does not load: {error}") from error
        first = self._session.get_inputs()[0]
        self.input = (first.name, tuple(first.shape))
        self.outputs = tuple((out.name, tuple(out.shape)) for out in self._session.get_outputs())
        self.tags = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return all outputs for a batch of images, in the order of the file."""
        found = self._session.run(None, {self.input[0]: pictures})
        return [np.asarray(values, np.float32) for values in found]


def read_tags(path: Path) -> dict[str, str]:
    """Return what a file says of itself: key -> text.

    Raises:
        ValueError: It is no ONNX file, or not all of one.
    """
    try:
        proto = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # the reader's own types derive from Exception alone
        raise ValueError(f"{path.name} is no ONNX file: {error}") from error
    return {entry.key: entry.value for entry in proto.metadata_props}
