"""The masks of a trained mask model: into the records of faces, and out of them."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.journal import Journal, read_journal
from facewright.core.json_data import text, whole
from facewright.core.machine import cores
from facewright.core.workers import ordered_map, threads
from facewright.core.workspace import Side, Workspace
from facewright.data.sample import make_sample, prepare_face
from facewright.faces.align import FaceType, invert
from facewright.faces.carried import Polygons, carry_polygons
from facewright.faces.dfl_crop import face_matrix
from facewright.faces.faceset import FaceFile, FaceIndex
from facewright.faces.mask import Mask, encode_mask, with_polygons
from facewright.faces.record import FaceRecord, load_face
from facewright.faces.visible import JUDGED_SIDE, grown_hull, has_own_mask, sized_landmarks, sized_matrix, unseen_share
from facewright.facesets.common import OldVersions, load_side_faces
from facewright.masks.options import MaskApplyOptions
from facewright.masks.training import OUTSIDE
from facewright.models.base import Array
from facewright.models.mask import FaceMask
from facewright.models.trained import build_options, find_generation, load_generation
from facewright.nn import devices
from facewright.nn.saved_models import MASK_MODEL

BATCH = 16  # faces that are predicted at once
SURE = (0.3, 0.7)  # of a prediction: below it is covered, above seen; the network works at 128 px, edges are soft
LONGEST = 400_000  # characters of a mask in a record
NOTEWORTHY = 0.05  # of the hull: from here on a face counts as covered in the report
STRANGE = 0.5  # of the faces that look covered: the model was trained on somebody else


@dataclass(frozen=True)
class MaskNetwork:
    """A trained mask model.

    Attributes:
        model: The network.
        fingerprint: Changes with every saved generation.
        iteration: How many steps it was trained.
        outside: Whether its labels reached out of the hull; where not, its masks end there.
    """

    model: FaceMask
    fingerprint: str
    iteration: int
    outside: bool


@dataclass(frozen=True)
class Applied:
    """What was done to the masks of a side.

    Attributes:
        changed: Faces whose record was written.
        unchanged: Faces that were as they should be.
        kept: Faces whose painted or imported mask stayed.
        covered: Faces of which a noteworthy part is covered.
    """

    changed: int
    unchanged: int = 0
    kept: int = 0
    covered: int = 0


def load_mask_network(workspace: Workspace) -> MaskNetwork:
    """Load the workspace's mask model.

    Raises:
        UserError: There is none, it is damaged, or the folder holds something else.
    """
    found = find_generation(workspace.model_dir, MASK_MODEL, ("weights", "extra"))
    if found is None or found.generation.state.get("model") != MASK_MODEL:
        raise UserError(
            f"There is no mask model in {workspace.model_dir}.",
            f"the folder {MASK_MODEL}, as its training writes it.",
            f"train it first; that takes minutes, and no labels are needed:{hint('mask --side dst --action train')}",
        )
    generation = found.generation
    for path, reason in found.damaged.items():
        console.warn(f"{path.name} of the mask model is damaged ({reason}); {generation.folder.name} is used.")
    devices.precision("float32")
    model = FaceMask(build_options(MASK_MODEL, generation.state.get("options") or {}))
    load_generation(model, generation, optimizer=False)
    state = generation.state
    outside = bool(state.get(OUTSIDE)) or model.is_xseg
    return MaskNetwork(model, generation.fingerprint, int(state.get("iteration", 0)), outside)


def apply_masks(workspace: Workspace, side: Side, options: MaskApplyOptions) -> Applied:
    """Write predicted masks into the records of a side's faces; a second run does what is missing.

    Raises:
        UserError: No faces, no mask model, a full disk.
    """
    index = load_side_faces(workspace, side)
    network = load_mask_network(workspace)
    faces = [face for face in index.faces if face.record.face_type is not FaceType.MARK_ONLY]
    own = [face for face in faces if has_own_mask(face.record)]
    kept = [] if not own or _may_replace(own, options) else own
    spared = {face.path for face in kept}
    carried = {path: found.polygons for path, found in carry_polygons(faces).items()}
    known = read_journal(side.predicted_journal, "face", {"key": text, "mask": whole(0, 0xFFFFFFFF)})
    keys = {face.path: _key(face, carried.get(face.path, ()), network) for face in faces if face.path not in spared}
    wanted = [face for face in faces if face.path in keys]
    todo = [face for face in wanted if options.redo or not _is_done(face, keys[face.path], known)]
    old = OldVersions(workspace, [face.path for face in own], by="mask --action apply")
    with Journal(side.predicted_journal) as journal, threads(cores()) as executor:
        for face, record in _predicted(todo, network, carried, executor):
            if has_own_mask(face.record):
                old.keep(face.path)
            index.write(FaceFile(face.path, record))
            crc = zlib.crc32((record.mask or "").encode())
            journal.add({"face": face.path.name, "key": keys[face.path], "mask": crc})
    old.report()
    covered = _covered(index)
    _report(side, network, len(todo), len(wanted) - len(todo), kept, covered)
    return Applied(len(todo), len(wanted) - len(todo), len(kept), len(covered))


def remove_masks(workspace: Workspace, side: Side) -> Applied:
    """Take the predicted masks off the faces of a side; painted and imported ones, and polygons, stay.

    Raises:
        UserError: There are no faces, or one cannot be written.
    """
    index = load_side_faces(workspace, side)
    predicted = [f for f in index.faces if f.record.mask is not None and f.record.mask_source == "predicted"]
    for face in console.progress(predicted, title="Taking masks off", unit="faces"):
        index.write(FaceFile(face.path, replace(face.record, mask=None, mask_source="imported")))
    console.say(f"The predicted masks of {console.counted(len(predicted), 'face')} are taken off.")
    return Applied(len(predicted), len(index.faces) - len(predicted))


def predict_masks(network: MaskNetwork, faces: Sequence[tuple[Array, FaceRecord]]) -> list[Mask]:
    """Return the masks of faces, each in its aligned image.

    Args:
        network: The mask model.
        faces: (S, S, 3) float32 BGR in 0..1, as its samples are, with the records.

    Returns:
        (size, size) each, 0..1.
    """
    seen = network.model.predict(np.stack([image for image, _ in faces]))
    return [_in_aligned(mask, record, network) for mask, (_, record) in zip(seen, faces, strict=True)]


def _may_replace(own: Sequence[FaceFile], options: MaskApplyOptions) -> bool:
    if options.overwrite:
        return True
    if not console.interactive() and not console.says_yes():
        return False
    return console.ask_permission(
        f"Replace the painted or imported masks of {console.counted(len(own), 'face')}?", default=False
    )


def _key(face: FaceFile, carried: Polygons, network: MaskNetwork) -> str:
    """Return what a face's mask depends on, apart from its pixels."""
    polygons = json.dumps([polygon.to_data() for polygon in carried])
    points = np.asarray(face.record.landmarks, "<f4").tobytes()
    return f"{network.fingerprint} {zlib.crc32(points + polygons.encode()):08x}"


def _is_done(face: FaceFile, key: str, known: Mapping[str, Mapping[str, object]]) -> bool:
    entry, record = known.get(face.path.name, {}), face.record
    if record.mask is None or record.mask_source != "predicted" or entry.get("key") != key:
        return False
    return entry.get("mask") == zlib.crc32(record.mask.encode())


def _predicted(
    faces: Sequence[FaceFile], network: MaskNetwork, carried: Mapping[Path, Polygons], executor: Executor
) -> Iterator[tuple[FaceFile, FaceRecord]]:
    """Yield faces with their new records; a file that vanished meanwhile is passed over."""

    def prepared(face: FaceFile) -> Array | None:
        try:
            image, _ = load_face(face.path)
        except UserError:
            if face.path.exists():
                raise
            return None
        samples = network.model.samples()[:1]
        return make_sample(prepare_face(image, face.record, samples), samples, None)[0]

    with console.progress_bar(len(faces), title="Predicting masks", unit="faces") as bar:
        images = ordered_map(prepared, faces, executor, ahead=2 * BATCH)
        pairs = zip(faces, images, strict=True)
        while batch := list(islice(pairs, BATCH)):
            there = [(face, image) for face, image in batch if image is not None]
            masks = predict_masks(network, [(image, face.record) for face, image in there]) if there else []
            for (face, _), mask in zip(there, masks, strict=True):
                mask = with_polygons(mask, carried.get(face.path, ()), sized_matrix(face.record, len(mask)))
                yield face, replace(face.record, mask=_fitting_text(mask), mask_source="predicted")
            bar.update(len(batch))


def _in_aligned(seen: Mask, record: FaceRecord, network: MaskNetwork) -> Mask:
    """Return a prediction in the aligned image, sharper than the network could draw it, inside the hull."""
    size, side = record.size, network.model.resolution
    back = invert(face_matrix(record.landmarks, network.model.face_type, side))
    large = cv2.warpAffine(seen, back, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = np.clip((large - SURE[0]) / (SURE[1] - SURE[0]), 0, 1)
    return np.asarray(mask if network.outside else mask * grown_hull(record, record.landmarks, size), np.float32)


def _fitting_text(mask: Mask) -> str:
    """Return a mask as a record carries it; one with too many grey levels becomes black and white."""
    encoded = encode_mask(mask)
    return encoded if len(encoded) <= LONGEST else encode_mask((mask > 0.5).astype(np.float32))


def _covered(index: FaceIndex) -> list[FaceFile]:
    """Return the faces of which a noteworthy part is covered by their predicted mask, the worst first."""
    shares: list[tuple[float, FaceFile]] = []
    for face in index.faces:
        record = face.record
        if record.mask is None or record.mask_source != "predicted":
            continue
        points = sized_landmarks(record, JUDGED_SIDE)
        share = unseen_share(replace(record, mask_source="painted"), points, JUDGED_SIDE)
        if share > NOTEWORTHY:
            shares.append((share, face))
    return [face for _, face in sorted(shares, key=lambda item: -item[0])]


def _report(
    side: Side,
    network: MaskNetwork,
    changed: int,
    unchanged: int,
    kept: Sequence[FaceFile],
    covered: Sequence[FaceFile],
) -> None:
    done = f"; {unchanged} had theirs already" if unchanged else ""
    console.say(
        f"{console.counted(changed, 'face')} of {side.name} got a mask of the mask model (iteration "
        f"{network.iteration}){done}."
    )
    if kept:
        console.say(
            f"{console.counted(len(kept), 'face')} kept a painted or imported mask; --overwrite replaces those too."
        )
    if len(covered) > STRANGE * max(changed + unchanged, 1):
        line = side.hint("mask --action train")
        console.warn(
            f"{len(covered)} of them look covered: more likely the model does not know this person yet. Train it on "
            f"these faces, then apply it again:{line}"
        )
    elif covered:
        names = console.listed([face.path.name for face in covered])
        console.say(f"{len(covered)} of them look covered, the most first: {names}.")
    train, convert = hint("train --mask record"), hint("convert --mask record")
    console.say(f"Masks in records are used with --mask record, in training and in conversion:{train}{convert}")
