"""MediaPipe's networks, run by TensorFlow's interpreter for .tflite files.

The set-up takes them out of packages of the index (`_internal/weights.json`) and puts them into the environment. Both
ways to run them were measured on one thread: TFLite needs 1.3 ms for the face mesh and 9.0 ms for BlazeFace's back
model, onnxruntime 3.1 ms and 6.6 ms with the same numbers (to 1e-4 of a pixel), after a conversion by tf2onnx and a
rewriting of PRelu, which it runs slowly. A face asks the mesh six times, a frame asks BlazeFace once; so TFLite, which
is there with TensorFlow and runs the files as they are.
"""

import sys
import warnings
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewright.core.console import without_notes
from facewright.core.errors import UserError
from facewright.core.hints import REPOSITORY
from facewright.extract.embedding import load_tensorflow

FOLDER = REPOSITORY / "_internal" / "env" / "mediapipe"
BOOTSTRAP = REPOSITORY / "_internal" / "bootstrap.py"


def model_file(name: str, folder: Path = FOLDER) -> Path:
    """Return the path of a network.

    Args:
        name: Its file name, as in weights.json.
        folder: Where the set-up puts them.

    Raises:
        UserError: The file is missing.
    """
    path = folder / name
    if not path.is_file():
        raise UserError(
            f"MediaPipe's network {name} is missing: the set-up could not fetch it.",
            f"the file {path}.",
            f'with a network connection, run: "{sys.executable}" "{BOOTSTRAP}" --weights',
        )
    return path


def has_network(name: str) -> bool:
    """Whether a network's file is there."""
    return (FOLDER / name).is_file()


class TfliteModel:
    """A network with one input, to be run from any number of threads.

    An interpreter serves one thread at a time, so there are as many as ever ran at once.

    Attributes:
        input_shape: Of its input, the batch first: (1, h, w, 3) as a rule.
        outputs: The shapes of its outputs, in the file's order.
    """

    def __init__(self, name: str) -> None:
        """Load a network.

        Args:
            name: Its file name, as in weights.json.

        Raises:
            UserError: The file is missing or damaged.
        """
        self._path = model_file(name)
        self._tf = load_tensorflow("use --detector mtcnn or dlib-hog, and --landmarker dlib")
        self._free: SimpleQueue[Any] = SimpleQueue()
        with without_notes((b"Created TensorFlow Lite XNNPACK delegate",)):
            interpreter = self._interpreter()
        self.input_shape: tuple[int, ...] = tuple(map(int, interpreter.get_input_details()[0]["shape"]))
        details = interpreter.get_output_details()
        self.outputs = [tuple(map(int, detail["shape"])) for detail in details]
        # The same in every interpreter of the file; asking for them takes a tenth of the mesh's time.
        self._input = int(interpreter.get_input_details()[0]["index"])
        self._outputs = [int(detail["index"]) for detail in details]
        self._free.put(interpreter)

    def run(self, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the outputs for one input, in the file's order.

        Args:
            image: float32 of the input's shape, with or without the leading 1.
        """
        try:
            interpreter = self._free.get_nowait()
        except Empty:
            interpreter = self._interpreter()
        try:
            interpreter.set_tensor(self._input, np.asarray(image, np.float32).reshape(self.input_shape))
            interpreter.invoke()
            return [interpreter.get_tensor(index) for index in self._outputs]
        finally:
            self._free.put(interpreter)

    def _interpreter(self) -> Any:
        """Return another interpreter with the network; the first import of TensorFlow takes seconds."""
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "ignore", "(?s).*tf.lite.Interpreter is deprecated"
                )  # no successor comes with it
                interpreter = self._tf.lite.Interpreter(str(self._path), num_threads=1)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"MediaPipe's network {self._path} cannot be loaded: {str(error)[:200]}.",
                "the file that the set-up fetched.",
                f'fetch it again: "{sys.executable}" "{BOOTSTRAP}" --weights',
            ) from error
        return interpreter
