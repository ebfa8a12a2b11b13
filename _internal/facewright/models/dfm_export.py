"""The export of a trained model as a .dfm file: written aside, checked against the network, put in its place."""

import glob
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.files import disk_errors, fsync_folder, make_folder, move_to_trash, typed_path, write_bytes
from facewright.core.hints import hint
from facewright.core.safe_files import remove_leftovers
from facewright.core.workspace import Workspace
from facewright.faces.align import PADDING
from facewright.faces.dfl_crop import CROPS, DflFaceType, FaceKind
from facewright.marking.provenance import network_tags
from facewright.models import registry
from facewright.models.base import Array
from facewright.models.dfm_check import LIMITS, Agreement, check_faces, compare_with_network
from facewright.models.people import check_known, split_name
from facewright.models.trained import KerasModel, load_trained, used_fingerprint
from facewright.nn import checkpoint, devices
from facewright.nn.devices import Device
from facewright.nn.onnx_file import OnnxFile, read_tags
from facewright.nn.saved_models import SavedModelInfo, check_trained, list_saved_models, read_model_info

SUFFIX = ".dfm"
VERSION = 1  # goes up when the same weights give another file
# DeepFaceLive cuts its faces this much higher than ours lie, in sides of the mean face.
Y_OFFSET = 0.08
TRASH_NAME = "export"
MORPHS = (0.3, 1.0)  # at which a file that morphs is compared with its network


@dataclass(frozen=True)
class ExportReport:
    """What was exported.

    Attributes:
        path: The .dfm file.
        written: Whether this run wrote it; else it was there already.
    """

    path: Path
    written: bool


def export(workspace: Workspace, wanted: str, out: str) -> ExportReport:
    """Write the file, unless it is there already.

    Args:
        workspace: Holds model/ and data_dst/aligned/.
        wanted: Name of the model, and who of its people ("quick:anna"); "" asks, or takes the one that was saved last.
        out: A folder, or a file that ends with .dfm; "" for model/NAME_model.dfm.

    Raises:
        UserError: No such model, one that makes portraits or was only pretrained, a full disk, or a file that answers
            otherwise than the network.
    """
    name = _choose(workspace.model_dir, wanted)
    folder, person = split_name(name)
    check_trained(read_model_info(workspace.model_dir, folder))
    target = _target(workspace.model_dir, f"{folder}+{person}" if person else folder, out)
    with workspace.lock("export"):
        make_folder(target.parent)
        _clear_leftovers(target)
        newest = checkpoint.newest(workspace.model_dir / folder, need=())
        if newest:
            check_known(name, newest.generation.state)
        if not (newest and _is_made_of(target, used_fingerprint(newest.generation.fingerprint, name=name))):
            device, _ = devices.start("float32")
            console.say(device.describe())
            model = load_trained(workspace.model_dir, name)
            # The newest state may have turned out damaged: then an older one is in use.
            if not _is_made_of(target, model.fingerprint):
                _write(workspace, model, target, device)
                return ExportReport(target, written=True)
        console.say(f"{target} is there already, made of {name} as it was last saved. Nothing to do.")
    return ExportReport(target, written=False)


def _choose(model_dir: Path, wanted: str) -> str:
    """Return the name of the model that is meant, with who of its people is.

    Raises:
        UserError: There is none, or it makes portraits.
    """
    there = [model for model in list_saved_models(model_dir) if model.kind in registry.model_names()]
    fitting = [model for model in there if not registry.model_class(model.kind).portrait]
    named = [model for model in there if model.name == split_name(wanted)[0]]
    if not there or (wanted and not named):
        known = ", ".join(model.name for model in fitting)
        raise UserError(
            f"There is no trained model {wanted!r} in {model_dir}." if wanted else f"No trained model in {model_dir}.",
            f"one of {known}." if known else "a model that replaces faces, trained.",
            "name one of them with --model." if known else f"train one first:{hint('train')}",
        )
    if named and named[0] in fitting:
        return wanted
    if named or not fitting:
        raise _makes_portraits((named or there)[0])
    return _ask(fitting)


def _ask(there: list[SavedModelInfo]) -> str:
    if len(there) == 1:
        return there[0].name
    if not console.interactive():
        console.say(
            f"There are {console.counted(len(there), 'trained model')}; {there[0].name}, the one saved last, is used."
        )
        return there[0].name
    console.say("Models, the one saved last first:")
    for number, model in enumerate(there, 1):
        console.say(f"  {number}  {model.name:<20} {model.describe()}")
    while True:
        word = console.ask("Number or name [1]: ") or "1"
        for number, model in enumerate(there, 1):
            if word in (str(number), model.name):
                return model.name
        console.warn(f"{word!r} is no model. Expected a number from 1 to {len(there)}, or a name.")


def _makes_portraits(model: SavedModelInfo) -> UserError:
    return UserError(
        f"{model.name} ({model.kind}) makes portraits; DeepFaceLive lays a face back into the frame it was cut from.",
        "a model that replaces faces, such as quick, df or liaef128.",
        f"name another model with --model, or train one:{hint('train')}",
    )


def _target(model_dir: Path, name: str, out: str) -> Path:
    """Return where the file goes.

    Raises:
        UserError: `out` is neither a folder nor called *.dfm.
    """
    usual = f"{name}_model{SUFFIX}"
    if not out:
        return model_dir / usual
    path = typed_path(out).absolute()
    if path.is_dir():
        return path / usual
    if path.suffix.lower() != SUFFIX:
        raise UserError(
            f"{out} is no folder, and no name that DeepFaceLive would look for.",
            f"a folder that is there, or a file whose name ends with {SUFFIX}.",
            f"give, for example, --out {usual!r}.",
        )
    return path


def _clear_leftovers(target: Path) -> None:
    """Remove what a killed run had written and not checked; such a file is never a result."""
    for path in target.parent.glob(f".*{glob.escape(target.name)}.unchecked*"):
        path.unlink(missing_ok=True)
    remove_leftovers(target.parent)


def _is_made_of(target: Path, fingerprint: str) -> bool:
    if not target.is_file():
        return False
    try:
        return _origin(fingerprint).items() <= read_tags(target).items()
    except ValueError:
        return False


def _origin(fingerprint: str) -> dict[str, str]:
    """Return the tags by which a file is known again: the saved state, and the way of writing."""
    return {"generation": fingerprint, "layout": str(VERSION)}


def _write(workspace: Workspace, model: KerasModel, target: Path, device: Device) -> None:
    """Write the file aside, check it, let it take its place."""
    from facewright.models import dfm  # it imports keras: seconds that a run with nothing to do need not wait for

    console.say(f"Model {model.name} ({model.kind}), {console.counted(model.iteration, 'iteration')}.")
    unchecked = target.with_name(f".{target.name}.unchecked")
    try:
        write_bytes(unchecked, dfm.dfm_bytes(model, network_tags() | _origin(model.fingerprint)), durable=True)
        checked = _check(unchecked, model, workspace, LIMITS[device.kind])
        moved = move_to_trash([target], workspace.trash, by=TRASH_NAME)
        with disk_errors(target):
            os.replace(unchecked, target)
            fsync_folder(target.parent)
    finally:
        unchecked.unlink(missing_ok=True)
    if moved:
        console.say(f"The older {target.name} was moved to {moved}.")
    console.say(f"{target}: {target.stat().st_size / 1e6:.0f} MB. {checked}")
    _tell(model)


def _check(path: Path, model: KerasModel, workspace: Workspace, limit: float) -> str:
    """Compare a file with its network; return what was found in a sentence.

    Raises:
        UserError: They differ.
    """
    faces, what = check_faces(workspace.dst.aligned(), model.model.face_type, model.resolution)
    try:
        file = OnnxFile(path)
        shares = MORPHS if model.model.morphs else (1.0,)
        found = max((_compared(file, model.morphed(s), faces) for s in shares), key=lambda one: one.difference)
        problem = "" if found.difference <= limit else f"it differs by up to {found.difference:.2g} on {what}"
    except ValueError as error:
        problem = str(error)
    if problem:
        raise UserError(
            f"The exported file does not answer as the network does: {problem}.",
            f"the same images, to {limit:g}.",
            "nothing was written; convert instead, and report this with the name of the model."
            f"{hint('convert')}{hint('doctor --report')}",
        )
    return (
        f"Checked on {what}: the greatest difference from the network is {found.difference:.1g}. A face takes "
        f"{_ms(found.file_ms)} in onnxruntime on this processor, {_ms(found.network_ms)} in keras."
    )


def _compared(file: OnnxFile, model: KerasModel, faces: Array) -> Agreement:
    from facewright.models import dfm  # late: see `_write`

    given = partial(model.model.given, morph=model.morph)
    return compare_with_network(file, model.predict, lambda batch: dfm.wanted(model, batch), faces, given)


def _ms(time: float) -> str:
    return f"{time:.1f} ms" if time < 10 else f"{time:.0f} ms"


def _placing(kind: FaceKind) -> tuple[float, float]:
    """Return DeepFaceLive's face coverage, in sides of the mean face, and its Y offset."""
    if isinstance(kind, DflFaceType):
        return CROPS[kind].side, Y_OFFSET - CROPS[kind].up
    return 1 / (1 - 2 * PADDING[kind]), Y_OFFSET


def _tell(model: KerasModel) -> None:
    coverage, offset = _placing(model.model.face_type)
    if not model.model.learns_mask:
        console.say("This model has no mask of its own: both masks in the file are an ellipse.")
    console.say(
        f"In DeepFaceLive: put the file into userdata/dfm_models; in Face aligner set Face coverage {coverage:.1f}, "
        f"Resolution {model.resolution}, Y offset {offset:.2f}. More in docs/deepfacelive.md."
    )
    console.say("DeepFaceLive marks nothing that it makes: tell everyone who sees it that the face is not real.")
