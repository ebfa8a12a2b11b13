"""Who judges identity: a face recognition network that turns faces into embeddings. It never trains anything here."""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facewright.core.images import Image
from facewright.extract.embedding import Embedder, chip
from facewright.faces.align import Points
from facewright.faces.record import FaceRecord

MAX_EMBEDDING = 4096  # numbers that describe a face, at most


class Judge(Protocol):
    """Turns faces into embeddings.

    Attributes:
        name: For the report, and in the keys of what was measured.
        about: In a sentence: what it is, and what its numbers mean.
    """

    name: str
    about: str

    def chip(self, image: Image, landmarks: Points) -> Image:
        """Cut the (s, s, 3) uint8 BGR image that the network gets.

        Args:
            image: (h, w, 3) uint8 BGR.
            landmarks: (68, 2) in it.
        """

    def embed(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """Return (n, d) float32; may take a few dozen chips at once."""

    def known(self, record: FaceRecord) -> NDArray[np.float32] | None:
        """Return the embedding that a face carries itself, (d,); None where it carries none of this judge."""


class DlibJudge:
    """dlib's ResNet, by which the extraction tells people apart."""

    name = "dlib_resnet_v1"
    about = (
        "dlib's ResNet of 2017, Euclidean distances: about 0.2 to 0.45 between images of one person, 0.6 is where "
        "its author draws the line between two."
    )

    @cached_property
    def _embedder(self) -> Embedder:
        # Loaded at the first use: where all is known from an earlier run, nothing waits for TensorFlow.
        return Embedder()

    def chip(self, image: Image, landmarks: Points) -> Image:
        """See `Judge`."""
        return chip(image, landmarks)

    def embed(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """See `Judge`."""
        return self._embedder.embed(chips)

    def known(self, record: FaceRecord) -> NDArray[np.float32] | None:
        """See `Judge`."""
        return record.embedding
