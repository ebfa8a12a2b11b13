"""A conversion: plan the frames, load the model if anything is to be done, convert, note it in the journal."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facewright.convert.cast import Cast, TrainedState, check_blended, check_models, check_persons
from facewright.convert.every_face import faces_side
from facewright.convert.last_run import keep_options
from facewright.convert.matching import Matched, match_faces, say_matched, warn_of_strangers, without_copies
from facewright.convert.output import Output, check_output, output_of, results_of
from facewright.convert.parameters import ConvertOptions
from facewright.convert.pipeline import ModelInput, Predict, Prediction
from facewright.convert.plan import (
    Job,
    Planned,
    check_frames,
    count_masked_faces,
    list_faces,
    make_plan,
    uses_records,
)
from facewright.convert.selection import choose_frames, parse_cast
from facewright.convert.settings_file import load_settings, say_settings
from facewright.convert.stream import Converter, Done, convert_stream
from facewright.core import console, workers
from facewright.core.contents import Contents, content_text
from facewright.core.errors import UserError
from facewright.core.files import list_files, make_folder, move_to_trash
from facewright.core.hints import again
from facewright.core.images import IMAGE_EXTENSIONS, Image, read_image, single_threaded_opencv
from facewright.core.journal import Journal, read_journal
from facewright.core.machine import cores
from facewright.core.workspace import Side, Workspace
from facewright.faces.faceset import FaceFile
from facewright.marking.provenance import mark_image, write_marked
from facewright.models import registry
from facewright.models.people import split_name
from facewright.models.trained import (
    TrainedModel,
    find_trained,
    load_trained,
    names_with_people,
    used_fingerprint,
    view_of,
)
from facewright.nn import devices
from facewright.nn.saved_models import check_trained, read_model_info
from facewright.ui.contact_sheet import contact_sheet, evenly
from facewright.video.frame_io import ImageFileSink

TRASH_NAME = "convert"
SHEET_NAME = "merged_sheet.png"
SHEET_FRAMES = 12
SHEET_COLUMNS = 6
SHEET_WIDTH = 320  # px of a cell
Progress = Callable[[int, int], None]
Entries = Mapping[str, Mapping[str, Any]]  # of the journal: frame -> its entry


class Models(Protocol):
    """Where trained models come from."""

    def newest(self, model_dir: Path, name: str) -> TrainedState:
        """Return the state that will be used, without building the network.

        Args:
            model_dir: The workspace's model folder.
            name: Which model; "" takes the one that was saved last.

        Raises:
            UserError: There is none, or the model was only pretrained so far.
        """

    def names(self, model_dir: Path) -> list[str]:
        """Return the names of all trained models."""

    def load(self, model_dir: Path, name: str) -> TrainedModel:
        """Build the network and read its newest whole state.

        Raises:
            UserError: There is none.
        """


class SavedModels:
    """The models of a workspace; one that was loaded stays.

    Args:
        backwards: Whether they put dst's face over those that are given.
        morph: How much of src the swaps of a model that morphs show, 0..1.
        precision: "float32" or "bfloat16".
    """

    def __init__(self, *, backwards: bool = False, morph: float = 1.0, precision: str = "float32") -> None:
        self._backwards, self._morph, self._precision = backwards, morph, precision
        self._loaded: dict[tuple[Path, str], TrainedModel] = {}

    def newest(self, model_dir: Path, name: str) -> TrainedState:
        """See `Models`. This takes milliseconds, so that a run with nothing to do does not wait for TensorFlow."""
        name, found = find_trained(model_dir, name, need=())
        check_trained(read_model_info(model_dir, split_name(name)[0]))
        kind = registry.model_class(str(found.generation.state["model"]))
        view, generation = view_of(found.generation.state), found.generation
        if self._backwards and kind.portrait:
            raise UserError(
                f"The model {name} makes portraits of src alone.",
                "a model that has learned to draw dst, too.",
                f"leave --swap-model out, or name another model:{again('--no-swap-model')}",
            )
        return TrainedState(
            name,
            used_fingerprint(
                generation.fingerprint,
                name=name,
                backwards=self._backwards,
                morph=self._morph if kind.morphs else None,
            ),
            ModelInput(view.resolution, view.face_type),
            view.converter,
            kind.portrait,
        )

    def names(self, model_dir: Path) -> list[str]:
        """See `Models`."""
        return names_with_people(model_dir)

    def load(self, model_dir: Path, name: str) -> TrainedModel:
        """See `Models`."""
        if (model_dir, name) not in self._loaded:
            self._loaded[model_dir, name] = self._open(model_dir, name)
        return self._loaded[model_dir, name]

    def _open(self, model_dir: Path, name: str) -> TrainedModel:
        device, _ = devices.start(self._precision)
        if not self._loaded:  # of several models it is said once
            console.say(device.describe())
        model = load_trained(model_dir, name, self._precision)
        return model.reversed() if self._backwards else model.morphed(self._morph)


@dataclass(frozen=True)
class ConvertReport:
    """What a conversion did.

    Attributes:
        merged_dir: Folder of the results.
        output: What they are.
        sheet: The contact sheet of frames before and after; None where there is none.
        written: Frames written by this run.
        changed: Those of them with a replaced face.
        copied: Those of them in which nothing is replaced (no face, mode original, nobody of the cast).
        replaced_faces: Faces replaced by this run.
        skipped_faces: Faces left as they are, because the model saw no face there.
        scaled_faces: Faces scaled by this run with their frames, which have another size than when they were found.
        missed: Names of the frames that are others than those in which their faces were found; these are left out.
        up_to_date: Frames that earlier runs had converted.
        borrowed: Frames without a face that show the portrait of a frame beside them.
        faces: Faces of all frames.
        own_masks: Those whose own mask is used; None where masks of records are not asked for.
        jobs: What was to be done, one for each frame, in order.
        some: Whether only some of the frames were to be converted.
    """

    merged_dir: Path
    output: Output
    sheet: Path | None
    written: int
    changed: int
    copied: int
    replaced_faces: int
    skipped_faces: int
    scaled_faces: int
    missed: tuple[str, ...]
    up_to_date: int
    borrowed: int
    faces: int
    own_masks: int | None
    jobs: Sequence[Job] = field(default=(), repr=False)
    some: bool = False


def convert(
    workspace: Workspace, options: ConvertOptions, models: Models | None = None, *, on_progress: Progress | None = None
) -> ConvertReport:
    """Convert the frames of data_dst that are not converted yet.

    Args:
        workspace: Holds data_dst/, data_dst/aligned/ and model/; the results go to data_dst/merged/.
        options: The user's.
        models: Where the model comes from; by default the workspace's own.
        on_progress: Called with the numbers of frames that are done and to do; what it raises ends the conversion.

    Raises:
        UserError: No frames, no faces, files that are no faces, no trained model, or a full disk.
    """
    side, models, contents = workspace.dst, models or SavedModels(), Contents(workspace.root)
    with workspace.lock("data_dst"):
        frames, matched, copies = find_faces(faces_side(side, options), contents)
        say_matched(matched, copies, side)
        names = [frame.name for frame in frames]
        output = output_of(options)
        folder, noted = results_of(side, output)
        cast = find_cast(workspace, options, models, matched)
        check_output(output, cast)
        chosen = _chosen(frames, options)
        make_folder(folder)
        settings = None
        if options.saved_settings and not cast.portrait:
            settings = load_settings(workspace, names, options)
            if not (options.preview or options.serve):  # who has just made them knows
                say_settings(settings)
        options_of = settings.of if settings else None
        plan = make_plan(frames, matched, side, options, cast, contents, options_of, chosen)
        _remove_orphans(folder, plan, workspace.trash)
        written = read_journal(noted, "frame")
        done: list[Done] = []
        todo = _outdated(plan, folder, written)
        if todo:
            check_frames([planned.job for planned in plan], side)
            warn_of_strangers([planned.job.frame for planned in plan if planned.job.shares], matched)
            loaded, in_use = load_cast(workspace, options, models, cast, [planned.job for planned in todo])
            if in_use != cast:  # a newest generation has turned out damaged, and an older one is in use
                plan = make_plan(frames, matched, side, options, in_use, contents, options_of, chosen)
                todo = _outdated(plan, folder, written)
            ours = _keep_retouched(todo, written, workspace.trash, contents)
            say_models(loaded, in_use, options)
            done = _run(todo, noted, loaded, contents, ours, on_progress)
        keep_options(workspace, options)
        sheet = None if output is Output.MASK else workspace.root / SHEET_NAME
        if sheet and (done or not sheet.exists()):
            _write_sheet([planned.job for planned in plan], sheet)
        return replace(_report(plan, done, written, folder, output, sheet), some=len(chosen) < len(frames))


def _chosen(frames: Sequence[Path], options: ConvertOptions) -> list[Path]:
    """Return the frames to convert, and say how many these are.

    Raises:
        UserError: There are no such frames.
    """
    chosen = choose_frames(frames, options.frame_ranges, options.every)
    if len(chosen) < len(frames):
        others = "left out" if options.discard_frames else "copied as they are"
        console.say(f"Frames to convert: {len(chosen)} of {len(frames)}; the others are {others}.")
    return chosen


def find_cast(workspace: Workspace, options: ConvertOptions, models: Models, matched: Matched) -> Cast:
    """Return which model replaces whom, by the options.

    Raises:
        UserError: No such person or model, or the model makes portraits and is not alone.
    """
    roles = parse_cast(options.cast)
    if not roles:
        return Cast(models.newest(workspace.model_dir, options.model))
    check_persons(roles, [face for faces in matched.groups.values() for face in faces], workspace.dst)
    check_models(roles, models.names(workspace.model_dir))
    states = {name: models.newest(workspace.model_dir, name) for name in roles.values()}
    cast = Cast(None, {person: states[name] for person, name in roles.items()})
    check_blended(cast)
    return cast


def load_cast(
    workspace: Workspace, options: ConvertOptions, models: Models, cast: Cast, jobs: Sequence[Job]
) -> tuple[list[TrainedModel], Cast]:
    """Load the models that replace a face, each once; what is only copied needs one all the same, to be named.

    Returns:
        The models, and the cast with their states: where the newest one is damaged, an older one is loaded.
    """
    wanted = {share.trained.name for job in jobs for share in job.shares}
    states = [state for state in cast.states if state.name in wanted] or cast.states[:1]
    # Without a cast the name as it was typed: where there is none, it is said which model is taken.
    names = [state.name for state in states] if cast.persons else [options.model]
    loaded = [models.load(workspace.model_dir, name) for name in names]
    return loaded, cast.with_states([(state, state_of(model)) for state, model in zip(states, loaded, strict=True)])


def say_models(models: Sequence[TrainedModel], cast: Cast, options: ConvertOptions) -> None:
    """Say which models are used, and how."""
    how = "every image is a portrait" if cast.portrait else f"mode {options.mode}"
    how = f"dst's face over src's; {how}" if options.swap_model else how
    for model in models:
        persons = [str(person) for person, state in cast.persons.items() if state.name == model.name]
        whom = f" for person {' and '.join(persons)}" if persons else ""
        # A .dfm file may not say it.
        trained = f", {console.counted(model.iteration, 'iteration')}" if model.iteration else ""
        share = "" if model.morph is None else f", {100 * model.morph:.0f} % of src"
        console.say(f"Model {model.name}{whom}{trained}{share}; {how}.")


def find_faces(side: Side, contents: Contents) -> tuple[list[Path], Matched, list[FaceFile]]:
    """Return the frames, the faces of each, and the faces that lie twice and are used once.

    Raises:
        UserError: No frames, no faces, or files that are no faces.
    """
    frames, groups = side.distinct_frames(), list_faces(side)
    groups, copies = without_copies(groups)
    return frames, match_faces(frames, groups, side, contents), copies


def state_of(model: TrainedModel) -> TrainedState:
    """Return what the plan depends on of a loaded model."""
    wanted = ModelInput(model.resolution, model.face_type)
    return TrainedState(model.name, model.fingerprint, wanted, model.converter, model.portrait)


def predict_with(model: TrainedModel) -> Predict:
    """Return the function that predicts faces with a model."""

    def predict(faces: NDArray[np.float32], *, dst_mask: bool = False) -> Prediction:
        return Prediction(*(model.predict_with_own_mask(faces) if dst_mask else model.predict(faces)))

    return predict


def _outdated(plan: Sequence[Planned], folder: Path, written: Entries) -> list[Planned]:
    there = {path.name for path in list_files(folder, IMAGE_EXTENSIONS)}
    return [
        planned
        for planned in plan
        if planned.job.target.name not in there
        or not planned.has_key(written.get(planned.job.frame.name, {}).get("key"))
    ]


def _remove_orphans(folder: Path, plan: Sequence[Planned], trash: Path) -> None:
    """Move results away that this run does not make: they would end up in the video."""
    wanted = {planned.job.target.name for planned in plan}
    orphans = [path for path in list_files(folder, IMAGE_EXTENSIONS) if path.name not in wanted]
    moved = move_to_trash(orphans, trash, by=TRASH_NAME)
    if moved:
        images = console.counted(len(orphans), "older image")
        console.say(f"{images} of {folder.name}/, none of this run's, moved to {moved}.")


def _keep_retouched(todo: Sequence[Planned], written: Entries, trash: Path, contents: Contents) -> dict[Path, str]:
    """Move images away that would be overwritten and are not as this step wrote them: somebody worked on them.

    Returns:
        The others, with their contents.
    """
    foreign, ours = [], {}
    for job in (planned.job for planned in todo if planned.job.target.exists()):
        entry = written.get(job.frame.name, {})
        # A run that was killed while it wrote this image has noted both: what was there, and what it was writing.
        if any(contents.same(job.target, entry.get(name)) for name in ("made", "writing")):
            ours[job.target] = contents.of(job.target)
        else:
            foreign.append(job.target)
    moved = move_to_trash(foreign, trash, by=TRASH_NAME)
    if moved:
        console.say(
            f"{console.counted(len(foreign), 'image')} in merged/ that no run has noted as its own moved to {moved}."
        )
    return ours


def _run(
    todo: Sequence[Planned],
    noted: Path,
    models: Sequence[TrainedModel],
    contents: Contents,
    ours: Mapping[Path, str],
    on_progress: Progress | None = None,
) -> list[Done]:
    jobs = {planned.job.index: planned.job for planned in todo}
    keys = {planned.job.frame: planned.key for planned in todo}
    done: list[Done] = []
    with (
        single_threaded_opencv(),
        Journal(noted) as journal,
        workers.threads(cores()) as executor,
        console.progress_bar(len(todo), title="Converting", unit="frames") as bar,
    ):

        def announce(index: int, data: bytes) -> None:
            job, content = jobs[index], content_text(len(data), zlib.crc32(data))
            journal.add({"frame": job.frame.name, "made": ours.get(job.target), "writing": content})

        sink = ImageFileSink({index: job.target for index, job in jobs.items()}, mark_image, announce)
        converter = Converter({model.name: predict_with(model) for model in models}, sink)
        for result in convert_stream(jobs.values(), converter, executor):
            job = result.job
            entry = {"frame": job.frame.name, "key": keys[job.frame], "faces": result.faces}
            missed = {"missed": result.missed} if result.missed else {}
            journal.add({**entry, **missed, "made": contents.of(job.target)})
            done.append(result)
            bar.update(1)
            if on_progress:
                on_progress(len(done), len(todo))
    return done


def _write_sheet(jobs: Iterable[Job], path: Path) -> None:
    """Write frames before and after, evenly spread over those with a face."""
    shown = [job for job in jobs if job.shares]
    shown = [shown[index] for index in evenly(len(shown), SHEET_FRAMES)]
    if not shown:
        return
    named: list[tuple[str, Path | None]] = []
    for start in range(0, len(shown), SHEET_COLUMNS):
        row = shown[start : start + SHEET_COLUMNS]
        blank: list[tuple[str, Path | None]] = [("", None)] * (SHEET_COLUMNS - len(row))
        named += [(job.frame.name, job.frame) for job in row] + blank
        named += [(f"{job.target.parent.name}/{job.target.name}", job.target) for job in row] + blank
    with single_threaded_opencv(), workers.threads(cores()) as executor:
        images = list(workers.ordered_map(_small, (path for _, path in named), executor, ahead=2 * cores()))
    cells = [(label, image) for (label, _), image in zip(named, images, strict=True)]
    write_marked(path, contact_sheet(cells, SHEET_COLUMNS, SHEET_WIDTH))


def _small(path: Path | None) -> Image:
    """Return an image no wider than a cell of the sheet; a black pixel for none."""
    if path is None:
        return np.zeros((1, 1, 3), np.uint8)
    image = read_image(path)
    height, width = image.shape[:2]
    if width <= SHEET_WIDTH:
        return image
    size = (SHEET_WIDTH, max(round(height * SHEET_WIDTH / width), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _report(
    plan: Sequence[Planned], done: Sequence[Done], written: Entries, folder: Path, output: Output, sheet: Path | None
) -> ConvertReport:
    missed = {job.frame: bool(written.get(job.frame.name, {}).get("missed")) for job in (p.job for p in plan)}
    missed |= {result.job.frame: bool(result.missed) for result in done}
    return ConvertReport(
        merged_dir=folder,
        output=output,
        sheet=sheet if sheet and sheet.exists() else None,
        written=len(done),
        changed=sum(result.faces > 0 for result in done),
        copied=sum(not result.job.shares for result in done),
        replaced_faces=sum(result.faces for result in done),
        skipped_faces=sum(len(result.job.faces) - result.faces - result.missed for result in done),
        scaled_faces=sum(result.scaled for result in done),
        missed=tuple(frame.name for frame, some in missed.items() if some),
        up_to_date=len(plan) - len(done),
        borrowed=sum(planned.job.shown is not None for planned in plan),
        faces=sum(len(planned.job.faces) for planned in plan),
        own_masks=count_masked_faces(plan) if any(map(uses_records, plan)) else None,
        jobs=[planned.job for planned in plan],
    )
