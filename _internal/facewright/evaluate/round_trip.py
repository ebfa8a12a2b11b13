"""The round trip dst → src → dst: what a model loses of a face on the way there and back, against the face itself.

Nobody has a recording of src in dst's place, so a swap has nothing to be compared with. The way back has: the swap of
a face of dst is given to the network once more and decoded as dst, and should be the face that it began with
(cycle consistency: Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks", ICCV
2017). What the network loses already when it decodes dst's face as dst, without the way over src, stands beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import again
from facewright.core.images import Image, read_image
from facewright.evaluate import measures, pixels
from facewright.evaluate.figures import Figure, FigureValue, Table, mean
from facewright.evaluate.intervals import intervals
from facewright.evaluate.observe import BATCH, Observers
from facewright.extract.detectors.base import square_of_landmarks
from facewright.faces.align import FaceType, Matrix, align_matrix, cut
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.faces.hold_out import HoldOut
from facewright.faces.mask import hull_mask
from facewright.models.trained import KerasModel
from facewright.ui.contact_sheet import evenly

MOST_FACES = 200
Array = NDArray[np.float32]

GROUP = "Round trip: dst, as src, as dst again"
FIGURES: tuple[Figure, ...] = (
    Figure(
        *("trip_identity", GROUP, "identity: distance", "", 0.0, "less", ("trip_identity",), mean),
        "Distance of the face that came back to the face itself, to the judge.",
    ),
    Figure(
        *("trip_landmarks", GROUP, "landmark error", "", 0.0, "less", ("trip_landmarks",), mean),
        "Distance of its landmarks to those of the face itself, over the distance of the eyes' outer corners.",
    ),
    Figure(
        *("trip_colour", GROUP, "colour", "dE", 0.0, "less", ("trip_colour",), mean),
        "Mean difference of the colours inside the face.",
    ),
    Figure(
        *("trip_ssim", GROUP, "SSIM", "", 1.0, "more", ("trip_ssim",), mean),
        "Structural similarity inside the face.",
    ),
)


@dataclass(frozen=True)
class RoundTrip:
    """What came back.

    Attributes:
        faces: How many faces were sent.
        values: The figures over the way there and back.
        direct: The same without the way over src: dst decoded as dst.
        about: Which faces they were, and what that means, in a sentence.
    """

    faces: int
    values: Mapping[str, FigureValue]
    direct: Mapping[str, FigureValue]
    about: str


def round_trip(model: KerasModel, own: Path, given: Path | None, observers: Observers, held_out: HoldOut) -> RoundTrip:
    """Send faces of dst there and back.

    Args:
        model: A trained model.
        own: data_dst/aligned.
        given: A folder of aligned faces of dst's person that took no part in the training; None takes those of dst.
        observers: What looks at faces.
        held_out: Faces that the model never saw in training: where it has some of dst they are taken for None.

    Raises:
        UserError: There are no faces, or the model makes portraits.
    """
    if model.portrait or not isinstance(model.face_type, FaceType):
        raise UserError(
            "This model makes portraits of src alone, and decodes no face as dst.",
            "a model that swaps faces.",
            f"leave --round-trip out, or name another model:{again('--model', 'NAME')}",
        )
    faces = load_faceset(given or own).faces
    unseen = [] if given else [face for face in faces if held_out.holds("dst", face)]
    faces = unseen or faces
    chosen = [faces[index] for index in evenly(len(faces), MOST_FACES)]
    if not chosen:
        raise UserError(
            f"There are no aligned faces in {given or own}.",
            "faces of dst's person, as the extraction writes them.",
            "check the folder, or leave --round-trip-faces out: faces of data_dst are taken then.",
        )
    rows: dict[str, list[dict[str, float]]] = {"trip": [], "direct": []}
    batches = [chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)]
    for batch in console.progress(batches, total=len(batches), title="Round trip", unit="batches"):
        for name, found in _sent(model, batch, observers).items():
            rows[name] += found
    there, direct = (_values(found) for found in rows.values())
    return RoundTrip(len(chosen), there, direct, _about(faces, own, given, unseen=bool(unseen)))


def _sent(model: KerasModel, faces: Sequence[FaceFile], observers: Observers) -> dict[str, list[dict[str, float]]]:
    """Return what is left of some faces: by the way over src, and decoded as dst at once."""
    images = [read_image(face.path) for face in faces]
    side, face_type = model.resolution, FaceType(model.face_type)
    matrices = [align_matrix(face.record.landmarks, face_type, side) for face in faces]
    sent = np.stack(
        [np.float32(cut(image, matrix, side)) / 255 for image, matrix in zip(images, matrices, strict=True)]
    )
    back = model.reversed()
    swapped, mask = model.predict(sent)
    worn = swapped * mask + sent * (1 - mask)  # as a conversion would leave it
    found = {}
    for name, given in (("trip", worn), ("direct", sent)):
        rebuilt, _ = back.predict(given)
        shown = [_put_back(*one) for one in zip(images, rebuilt, matrices, faces, strict=True)]
        found[name] = _compare(images, shown, faces, observers)
    return found


def _put_back(image: Image, rebuilt: Array, matrix: Matrix, face: FaceFile) -> Image:
    """Return the aligned image with the rebuilt face inside the hull of the landmarks."""
    size = (image.shape[1], image.shape[0])
    over = cv2.warpAffine(
        np.clip(rebuilt, 0, 1) * np.float32(255), matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    )
    inside = hull_mask(face.record.landmarks, image.shape[:2])[..., None]
    reach = np.full(rebuilt.shape[:2], 1, np.float32)
    seen = cv2.warpAffine(reach, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)[..., None]
    weight = inside * np.float32(seen > 0.99)
    return np.rint(np.clip(image * (1 - weight) + over * weight, 0, 255)).astype(np.uint8)


def _compare(
    images: Sequence[Image], shown: Sequence[Image], faces: Sequence[FaceFile], observers: Observers
) -> list[dict[str, float]]:
    squares = [square_of_landmarks(face.record.landmarks) for face in faces]
    points = [
        [observers.landmarker.find(image, square) for image, square in zip(group, squares, strict=True)]
        for group in (images, shown)
    ]
    judge = observers.judge
    embeddings = [
        judge.embed([judge.chip(image, p) for image, p in zip(group, found, strict=True)])
        for group, found in zip((images, shown), points, strict=True)
    ]
    rows = []
    for number, face in enumerate(faces):
        region = pixels.face_region(face.record.landmarks, images[number].shape[:2])
        was, now = (pixels.lab_of(image, region) for image in (images[number], shown[number]))
        rows.append(
            {
                "trip_identity": float(np.linalg.norm(embeddings[0][number] - embeddings[1][number])),
                "trip_landmarks": measures.landmark_error(points[1][number], points[0][number]),
                "trip_colour": pixels.colour_difference(now, was, region),
                "trip_ssim": pixels.inner_ssim(shown[number], images[number], region),
            }
        )
    return rows


def _values(rows: Sequence[Mapping[str, float]]) -> dict[str, FigureValue]:
    columns = {figure.name: np.array([row[figure.name] for row in rows], float) for figure in FIGURES}
    table = Table([""] * len(rows), [0] * len(rows), columns)
    known = intervals({figure.name: partial(figure.value, table) for figure in FIGURES}, len(rows))
    return {figure.name: FigureValue(figure.value(table), known[figure.name]) for figure in FIGURES}


def _about(faces: Sequence[FaceFile], own: Path, given: Path | None, *, unseen: bool) -> str:
    """Say which faces were sent, and what that means."""
    if unseen:
        made_on = console.counted(len(faces), "face")
        return f"The round trip was made on {made_on} of data_dst that the training held out: the model never saw them."
    if given is None:
        return (
            "The round trip was made on faces of data_dst, which the model was trained on as a rule: it flatters. "
            "Name faces that were held out: --round-trip-faces."
        )
    trained = {_print(face) for face in load_faceset(own).faces}
    known = sum(_print(face) in trained for face in faces)
    if known:
        return (
            f"The round trip was made on faces of {given.name}, of which {known} of {len(faces)} also lie in data_dst: "
            "the model may have been trained on them, and it flatters."
        )
    made_on = console.counted(len(faces), "face")
    return f"The round trip was made on {made_on} of {given.name}; none of them lies in data_dst now."


def _print(face: FaceFile) -> tuple[str, tuple[float, ...]]:
    """What tells one face from another: the name of its frame, and where it lies there."""
    return face.stem, tuple(np.round(face.record.frame_landmarks.mean(0), 1).tolist())
