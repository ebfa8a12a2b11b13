"""Replace the faces of data_dst with what the trained model makes of them.

Reads data_dst/, data_dst/aligned/ and model/, writes data_dst/merged/ and a contact sheet merged_sheet.png.
A frame without a face is copied; a face whose file was deleted from data_dst/aligned is left alone. A model of
portraits (avatar) makes one picture per frame instead, which mode, erode and blur do not change.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facewright.convert.blend import Mode
from facewright.convert.pipeline import FaceShape, Parameters
from facewright.convert.stream import Converter, Done, Job, convert_stream, portrait_jobs
from facewright.core import console, workers
from facewright.core.command import Command
from facewright.core.errors import UserError
from facewright.core.files import fingerprint, list_files, make_folder, move_to_trash, write_bytes
from facewright.core.images import IMAGE_EXTENSIONS, encode, read_image
from facewright.core.journal import Journal, read_journal
from facewright.core.options import option
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import FaceFile, load_faceset
from facewright.marking.provenance import mark_picture, mark_png
from facewright.models.catalogue import makes_portraits, model_files
from facewright.nn import checkpoint, devices
from facewright.nn.saved_models import check_trained, look, shelf
from facewright.ui.contact_sheet import contact_sheet, evenly

if TYPE_CHECKING:  # these import keras
    from facewright.models.base import ConverterDefaults
    from facewright.models.trained import TrainedModel


# Goes up when the same parameters give another picture, so that old results are made again.
VERSION = 1
SHEET_NAME = "merged_sheet.png"
SHEET_FRAMES = 12
SHEET_COLUMNS = 6
SHEET_WIDTH = 320  # px of a cell
NAMED = 3  # files named in a message

MODES = {
    Mode.HIST_MATCH: "the face gets the frame's colours, channel by channel",
    Mode.HIST_MATCH_BW: "the same, from a grey face",
    Mode.SEAMLESS: "the face's detail grows into the frame's light (the usual one)",
    Mode.SEAMLESS_HIST_MATCH: "seamless, then the frame's colours",
    Mode.OVERLAY: "the face as the model paints it",
}
MASKED = {
    "model": "as the model advises",
    "yes": "only the face itself is measured",
    "no": "the whole square around it is measured",
}
FORMATS = {"png": "without loss", "jpg": "smaller, with slight loss"}


@dataclass(frozen=True)
class Options:
    """What the user decides."""

    mode: str = option(
        str(Mode.SEAMLESS),
        "How the face is blended into the frame.",
        ask="Mode",
        choices={str(mode): text for mode, text in MODES.items()},
    )
    masked_hist_match: str = option(
        "model",
        "Where hist-match and hist-match-bw measure the colours. The other modes do not ask.",
        ask="Masked histogram match",
        choices=MASKED,
        applies_when=lambda values: Mode(values["mode"]).matches_first,
    )
    erode: int = option(
        0,
        "Draws the edge of the face in (more than 0) or out (less). If the result does not please, try 50.",
        ask="Erode mask modifier",
        low=-100,
        high=100,
    )
    blur: int = option(
        0,
        "Makes the edge of the face softer (more than 0) or harder (less). If the result does not please, try 70.",
        ask="Blur mask modifier",
        low=-100,
        high=200,
    )
    model: str = option("", "Which trained model; without it the one that was saved last.")
    format: str = option("png", "Format of the converted frames.", choices=FORMATS)


@dataclass(frozen=True)
class _Planned:
    """A job, and what its result depends on."""

    job: Job
    key: str


def run(workspace: Workspace, options: Options) -> None:
    """Convert the frames that are not converted yet."""
    side = workspace.dst
    console.heading("Converting data_dst")
    with workspace.lock("data_dst"):
        frames = _frames(side)
        groups = _faces(side)
        _say_orphans(groups, {frame.stem for frame in frames})
        _clear_temporaries(make_folder(side.merged_dir))
        planned = _plan_all(frames, groups, side, options, _newest(workspace.model_dir, options.model))
        _clear_stale(side, planned, workspace.trash)
        done: list[Done] = []
        if _missing(planned, side):
            model = _load(workspace.model_dir, options.model)
            # The newest generation may have turned out damaged: then an older one is in use.
            planned = _plan_all(frames, groups, side, options, (model.name, model.fingerprint))
            todo = _missing(planned, side)
            _spare_retouched(todo, side, workspace.trash)
            done = _convert(todo, side, options, model)
        sheet = workspace.root / SHEET_NAME
        if done or not sheet.exists():
            _write_sheet([p.job for p in planned], sheet)
        _summary(planned, done, side, sheet)


def parameters_for(options: Options, defaults: "ConverterDefaults") -> Parameters:
    """Add the user's numbers to the model's."""
    masked = {"yes": True, "no": False}.get(options.masked_hist_match, defaults.masked_hist_match)
    return Parameters(
        mode=Mode(options.mode),
        erode=defaults.erode + options.erode,
        blur=defaults.blur + options.blur,
        masked_hist_match=masked,
        border=defaults.border,
    )


def _picture_options(options: Options) -> dict[str, Any]:
    return {
        "mode": options.mode,
        "masked": options.masked_hist_match if Mode(options.mode).matches_first else "",
        "erode": options.erode,
        "blur": options.blur,
    }


def _frames(side: Side) -> list[Path]:
    """The frames, one per name without ending.

    Raises:
        UserError: There are none.
    """
    kept: dict[str, Path] = {}
    for path in side.frames():
        if path.stem in kept:
            console.warn(f"{path.name} is passed over: {kept[path.stem].name} has the same name.")
            continue
        kept[path.stem] = path
    if not kept:
        raise UserError(
            f"There are no frames in {side.frames_dir}.",
            "the frames of the video data_dst.",
            "run 3_extract_png_from_dst first.",
        )
    return list(kept.values())


def _faces(side: Side) -> dict[str, list[FaceFile]]:
    """The faces to convert, by the stem of their frame.

    Raises:
        UserError: There are none, or files that are no faces.
    """
    faceset = load_faceset(side.aligned_dir)
    bad = [(path, problem.happened) for path, problem in faceset.bad]
    flat = [face for face in faceset.faces if not np.ptp(face.record.frame_landmarks[17:], axis=0).any()]
    bad += [(face.path, f"{face.path.name} is no usable face: all its landmarks are at one place.") for face in flat]
    if bad:
        more = f" (and {len(bad) - NAMED} more)" if len(bad) > NAMED else ""
        raise UserError(
            " ".join(text for _, text in bad[:NAMED]) + more,
            f"only faces that the extract step wrote, in {side.aligned_dir}.",
            "move these files out of that folder or extract the faces again, then convert again; nothing was changed.",
        )
    if not faceset.faces:
        raise UserError(
            f"There are no faces in {side.aligned_dir}.",
            "at least one aligned face of the person who is to be replaced.",
            "run 5_dst_extract_faces first.",
        )
    return faceset.by_frame()


def _say_orphans(groups: dict[str, list[FaceFile]], stems: set[str]) -> None:
    lost = [face for stem, faces in groups.items() if stem not in stems for face in faces]
    if lost:
        names = ", ".join(sorted({face.record.frame for face in lost})[:NAMED])
        console.warn(f"{len(lost)} faces belong to frames that are not there any more ({names} …): they are left out.")


def _plan_all(
    frames: list[Path], groups: dict[str, list[FaceFile]], side: Side, options: Options, trained: tuple[str, str]
) -> list[_Planned]:
    kind = _kind(side, trained[0])
    # The model's own erode, blur and border stand in its file: a change of the file makes the pictures anew.
    declared_in = model_files().get(kind)
    portrait = makes_portraits(kind)
    setting = {
        "version": VERSION,
        "trained": trained,
        "declared": fingerprint(declared_in) if declared_in else [],
        **({} if portrait else _picture_options(options)),
    }
    jobs: Sequence[Job] = [_job(frame, groups.get(frame.stem, []), side, options.format) for frame in frames]
    if portrait and any(job.landmarks for job in jobs):
        jobs = portrait_jobs(jobs)
    return [_Planned(job, _key(job, setting)) for job in jobs]


def _kind(side: Side, name: str) -> str:
    return look(Workspace(side.root).model_dir, name).kind


def _job(frame: Path, faces: list[FaceFile], side: Side, format: str) -> Job:
    target = side.merged_dir / f"{frame.stem}.{format}"
    return Job(frame, target, tuple(face.record.frame_landmarks for face in faces))


def _key(job: Job, setting: dict[str, Any]) -> str:
    """What the result of a job depends on, as a hash."""
    parts: dict[str, Any] = {"frame": job.frame.name, "content": fingerprint(job.shown or job.frame)}
    parts["target"] = job.target.name
    if job.landmarks:  # a copy depends on nothing else
        parts["setting"] = setting
        parts["landmarks"] = [np.asarray(points, float).round(3).tolist() for points in job.landmarks]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _missing(planned: list[_Planned], side: Side) -> list[_Planned]:
    written = read_journal(side.convert_journal, "frame")
    there = {path.name for path in list_files(side.merged_dir, IMAGE_EXTENSIONS)}
    return [
        p for p in planned if p.job.target.name not in there or written.get(p.job.frame.name, {}).get("key") != p.key
    ]


def _clear_temporaries(folder: Path) -> None:
    """Remove what a killed run had half written; such a file is never a result."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def _clear_stale(side: Side, planned: list[_Planned], trash: Path) -> None:
    """Move merged pictures away that belong to no frame: they would end up in the video."""
    wanted = {p.job.target.name for p in planned}
    stale = [path for path in list_files(side.merged_dir, IMAGE_EXTENSIONS) if path.name not in wanted]
    moved = move_to_trash(stale, trash, by=COMMAND.name)
    if moved:
        console.say(f"{len(stale)} older pictures that belong to no frame were moved from merged/ to {moved}.")


def _spare_retouched(todo: list[_Planned], side: Side, trash: Path) -> None:
    """Move pictures away that would be overwritten and are not as this step wrote them: somebody worked on them."""
    written = read_journal(side.convert_journal, "frame")
    there = [(p.job.target, written.get(p.job.frame.name, {}).get("made")) for p in todo if p.job.target.exists()]
    foreign = [path for path, made in there if made != fingerprint(path)]
    moved = move_to_trash(foreign, trash, by=COMMAND.name)
    if moved:
        console.say(f"{len(foreign)} pictures in merged/ that no run has noted as its own were moved to {moved}.")


def _newest(model_dir: Path, name: str) -> tuple[str, str]:
    """Return name and fingerprint of the model that will be used, without building it; blanks when there is none.

    This costs milliseconds, so that a run with nothing to do does not wait for TensorFlow.

    Raises:
        UserError: It was only pretrained so far.
    """
    there = [model for model in shelf(model_dir) if model.kind in model_files() and name in ("", model.name)]
    if there:
        check_trained(there[0])
    found = checkpoint.newest(model_dir / there[0].name, need=()) if there else None
    return (there[0].name, found.generation.fingerprint) if found else ("", "")


def _load(model_dir: Path, name: str) -> "TrainedModel":
    device, _ = devices.start("float32")
    console.say(device.describe())
    from facewright.models import trained

    return trained.load_trained(model_dir, name)


def _convert(todo: list[_Planned], side: Side, options: Options, model: "TrainedModel") -> list[Done]:
    portrait = makes_portraits(_kind(side, model.name))
    how = "every picture is a portrait" if portrait else f"mode {options.mode}"
    console.say(f"Model {model.name}, {model.iteration} iterations; {how}.")
    converter = Converter(
        predict=model.predict,
        shape=FaceShape(model.resolution, model.face_type, model.converter.within_hull),
        parameters=parameters_for(options, model.converter),
        mark=mark_picture,
        portrait=portrait,
    )
    keys = {p.job.frame.name: p.key for p in todo}
    done: list[Done] = []
    with (
        Journal(side.convert_journal) as journal,
        workers.threads(workers.cores()) as executor,
        console.progress_bar(len(todo), title="Converting", unit="frames") as bar,
    ):
        for result in convert_stream([p.job for p in todo], converter, executor):
            frame = result.job.frame.name
            made = fingerprint(result.job.target)
            journal.add({"frame": frame, "key": keys[frame], "faces": result.faces, "made": made})
            done.append(result)
            bar.update(1)
    return done


def _write_sheet(jobs: Iterable[Job], path: Path) -> None:
    """Write frames before and after, evenly spread over those with a face."""
    shown = [job for job in jobs if job.landmarks]
    shown = [shown[index] for index in evenly(len(shown), SHEET_FRAMES)]
    cells = []
    for start in range(0, len(shown), SHEET_COLUMNS):
        row = shown[start : start + SHEET_COLUMNS]
        blank = [("", np.zeros((1, 1, 3), np.uint8))] * (SHEET_COLUMNS - len(row))
        cells += [(job.frame.name, read_image(job.frame)) for job in row] + blank
        cells += [(f"merged/{job.target.name}", read_image(job.target)) for job in row] + blank
    if cells:
        write_bytes(path, mark_png(encode(contact_sheet(cells, SHEET_COLUMNS, SHEET_WIDTH))))


def _summary(planned: list[_Planned], done: list[Done], side: Side, sheet: Path) -> None:
    changed = [result for result in done if result.faces]
    faces = sum(result.faces for result in done)
    copied = sum(not result.job.landmarks for result in done)
    alone = sum(len(result.job.landmarks) - result.faces for result in done)
    if done:
        console.say(
            f"{len(done)} pictures were written to {side.merged_dir}: {faces} faces in {len(changed)} frames replaced, "
            f"{copied} frames without a face copied."
        )
    held = sum(p.job.shown is not None for p in planned)
    if held:
        console.say(f"{held} frames without a face of their own show the portrait of a frame beside them.")
    if len(planned) > len(done):
        console.say(f"{len(planned) - len(done)} frames were done before and are as they should be.")
    if alone:
        console.warn(
            f"{alone} faces were left alone: the model saw no face there. Train longer, or look at these frames."
        )
    if sheet.exists():
        console.say(f"Before and after at a glance: {sheet}")
    console.say("Next: 8_to_mp4")


COMMAND = Command(__doc__, Options, run)
