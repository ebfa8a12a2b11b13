"""An evaluation: look at dst, at the result and at dst encoded once, and put the figures together."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from facewright.convert.session import Models, SavedModels
from facewright.core import console, workers
from facewright.core.contents import Contents
from facewright.core.files import make_folder
from facewright.core.images import read_image, single_threaded_opencv
from facewright.core.journal import Journal, read_journal
from facewright.core.machine import cores
from facewright.core.workspace import Workspace
from facewright.evaluate import measures
from facewright.evaluate.compare import compare_results
from facewright.evaluate.figures import make_table, mean, values_of
from facewright.evaluate.found import Evaluation, MeasuredResult
from facewright.evaluate.judge import DlibJudge, Judge
from facewright.evaluate.observe import BATCH, Observations, Observers, Watch
from facewright.evaluate.options import EvaluateOptions
from facewright.evaluate.recognizer import OnnxJudge
from facewright.evaluate.report import read_report
from facewright.evaluate.round_trip import RoundTrip, round_trip
from facewright.evaluate.sources import EncodedDst, FolderResult, ResultSource, VideoResult, open_result
from facewright.evaluate.subject import Subject, read_subject, src_faces
from facewright.faces.faceset import FaceFile
from facewright.faces.hold_out import hold_out_of
from facewright.models.people import split_name
from facewright.models.trained import KerasModel
from facewright.nn.saved_models import read_model_info
from facewright.ui.contact_sheet import evenly

SCRATCH = ".evaluate"  # folder in the workspace: what is known of each face, and encoded parts of dst
OBSERVED = "faces.jsonl"
REPORT = ".json"  # ending of what an earlier run has found
SRC_FACES = 300  # of src that stand for all: more say nothing new
LOOKALIKES = 0.05  # of distance: less lies between src and dst to a judge who can hardly tell them apart
FEW_FACES = 100  # with fewer the report says that they are few


class Evaluator:
    """Measures results of one workspace.

    Args:
        workspace: The project.
        person: Number of the person of dst whose faces count; 0 takes all.
        observers: What looks at faces.
        executor: Threads.
        journal: Where what is seen is noted.

    Attributes:
        subject: Dst.
        contents: Those of the workspace.
        src: (n, d) embeddings of src.
        watch: Looks at faces, and knows those that were looked at before.
    """

    def __init__(
        self, workspace: Workspace, person: int, observers: Observers, executor: Executor, journal: Journal
    ) -> None:
        self.contents = Contents(workspace.root)
        self.subject = read_subject(workspace, self.contents, person)
        self._folder = workspace.root / SCRATCH
        self._observers = observers
        dst = FolderResult("dst", dict(enumerate(self.subject.frames)), self.contents)
        known = read_journal(self._folder / OBSERVED, "id")
        self.watch = Watch(self.subject, dst.keys(), observers, known, journal, executor)
        self.src = self._embeddings(src_faces(workspace, person))

    @cached_property
    def dst(self) -> Observations:
        """What is seen in dst itself."""
        return self.watch.observe(None)

    def measure(self, source: ResultSource) -> MeasuredResult:
        """Measure a result.

        Raises:
            UserError: A frame cannot be read, or does not fit.
        """
        table = make_table(self.subject, self.dst, self.watch.observe(source), self.src)
        return MeasuredResult(source.name, table, values_of(table), source, self._observers.judge.about)

    def floor(self) -> MeasuredResult:
        """Measure dst encoded once."""
        return self.measure(EncodedDst(self.subject, self._folder, self.contents))

    def expected(self) -> dict[str, float]:
        """Return mean distances of identity: between faces of src, between faces of dst, and from dst to src."""
        dst = np.array([one.embedding for one in self.dst.values()])
        return {
            "src_to_src": _within(self.src),
            "dst_to_dst": _within(dst),
            "dst_to_src": mean(measures.mean_distances(dst, self.src)),
        }

    def _embeddings(self, faces: Sequence[FaceFile]) -> NDArray[np.float32]:
        chosen = [faces[index] for index in evenly(len(faces), SRC_FACES)]
        judge = self._observers.judge
        found = {face.path: known for face in chosen if (known := judge.known(face.record)) is not None}
        lacking = [face for face in chosen if face.path not in found]
        for start in range(0, len(lacking), BATCH):
            batch = lacking[start : start + BATCH]
            chips = [judge.chip(read_image(face.path), face.record.landmarks) for face in batch]
            found |= zip((face.path for face in batch), judge.embed(chips), strict=True)
        return np.stack(list(found.values())) if found else np.zeros((0, 1), np.float32)


def _within(embeddings: NDArray[np.floating]) -> float:
    """Return the mean distance of different rows."""
    count = len(embeddings)
    return mean(measures.mean_distances(embeddings, embeddings)) * count / (count - 1) if count > 1 else float("nan")


@contextmanager
def open_evaluator(workspace: Workspace, person: int, observers: Observers) -> Iterator[Evaluator]:
    """Lock dst and make all ready for measuring.

    Raises:
        UserError: Another program works on dst, or there is nothing to measure.
    """
    with (
        workspace.lock("data_dst"),
        workers.threads(cores()) as executor,
        single_threaded_opencv(),
        Journal(make_folder(workspace.root / SCRATCH) / OBSERVED) as journal,
    ):
        yield Evaluator(workspace, person, observers, executor, journal)


def evaluate(
    workspace: Workspace,
    options: EvaluateOptions,
    observers: Observers | None = None,
    models: Models | None = None,
) -> Evaluation:
    """Measure a result of the workspace, and another one beside it where that is wanted.

    Args:
        workspace: Holds data_dst/, data_dst/aligned/ and data_src/aligned/, and as a rule data_dst/merged/. Where the
            last conversion put in another of a model's people ("quick:anna"), src is that person.
        options: The user's.
        observers: What looks at faces; None takes dlib and MTCNN.
        models: Where the model of a round trip comes from; by default the workspace's own.

    Raises:
        UserError: There is nothing to measure, or what there is does not fit.
    """
    observers, models = observers or Observers(_judge(options)), models or SavedModels()
    # What is missing, or wrong with a report, is said before any work.
    if wants_trip := options.round_trip or bool(options.round_trip_faces):
        models.newest(workspace.model_dir, options.model)
    compared = _earlier_report(Path(options.against)) if options.against.lower().endswith(REPORT) else None
    with open_evaluator(workspace, options.person, observers) as evaluator:
        subject = evaluator.subject
        source = open_result(subject, options.result, evaluator.contents)
        other = _other_source(evaluator, options.against)
        console.say(
            f"{console.counted(len(subject.faces), 'face')} in {console.counted(len(subject.frames), 'frame')} of dst."
        )
        result = evaluator.measure(source)
        floor = evaluator.floor() if options.noise_floor else None
        compared = evaluator.measure(other) if other else compared
        expected, reused = evaluator.expected(), evaluator.watch.reused
        trip = _trip(workspace, options, observers, models) if wants_trip else None
    if options.against and compared is None:
        compared = _other_workspace(Path(options.against), options, observers)
    against = compare_results(result.table, compared.table, compared.name, compared.values) if compared else None
    about = observers.judge.about
    limits = (*_limits(about, subject, result, expected, compared), *((trip.about,) if trip else ()))
    return Evaluation(workspace.root, about, subject, result, floor, expected, limits, against, trip, reused)


def _judge(options: EvaluateOptions) -> Judge:
    if options.recognizer:
        return OnnxJudge(Path(options.recognizer), options.recognizer_range)
    return DlibJudge()


def _trip(workspace: Workspace, options: EvaluateOptions, observers: Observers, models: Models) -> RoundTrip:
    model = cast(KerasModel, models.load(workspace.model_dir, options.model))
    given = Path(options.round_trip_faces) if options.round_trip_faces else None
    held_out = hold_out_of(read_model_info(workspace.model_dir, split_name(model.name)[0]).state)
    return round_trip(model, workspace.dst.aligned_dir, given, observers, held_out)


def _other_source(evaluator: Evaluator, given: str) -> ResultSource | None:
    """Return the frames of another result of this workspace; None where it is something else, or nothing."""
    path = Path(given)
    if not given or given.lower().endswith(REPORT) or (path / "data_dst").is_dir():
        return None
    return open_result(evaluator.subject, given, evaluator.contents)


def _earlier_report(path: Path) -> MeasuredResult:
    """Read what an earlier run has found."""
    return replace(read_report(path), name=f"{path.parent.name}/{path.name}")


def _other_workspace(path: Path, options: EvaluateOptions, observers: Observers) -> MeasuredResult:
    """Measure another workspace."""
    console.heading(f"The other workspace: {path}")
    with open_evaluator(Workspace(path.resolve()), options.person, observers) as evaluator:
        return replace(evaluator.measure(open_result(evaluator.subject, "", evaluator.contents)), name=path.name)


def _limits(
    about: str, subject: Subject, result: MeasuredResult, expected: Mapping[str, float], compared: MeasuredResult | None
) -> Iterator[str]:
    """Yield what the report cannot know."""
    yield (
        f"Identity is the opinion of one network ({about}) It sees pose, light and blur too, so that no swap reaches "
        "the distance that src has to itself; it has never trained anything here."
    )
    if expected["dst_to_src"] - max(expected["src_to_src"], expected["dst_to_dst"]) < LOOKALIKES:
        yield "To this judge src and dst are nearly one person: its margins say little here."
    yield (
        "Landmarks, and with them pose, eyes and mouth, are as good as the landmarker: an error that it makes in dst "
        "and in the result alike is not seen, and a beard or glasses hide what it looks for. Pose is solved with one "
        "generic head: the proportions of src's face alone shift it by some degrees."
    )
    yield "Only faces in data_dst/aligned are measured: what the extraction has missed counts nowhere."
    yield (
        "An interval says what another stretch of this video would give. Another training, another light or other "
        "people are outside of it."
    )
    if len(result.table) < FEW_FACES:
        yield f"{console.counted(len(result.table), 'face')} is little: intervals are wide, and themselves uncertain."
    if isinstance(result.source, VideoResult):
        yield "The result is an encoded video: its coder has changed every figure, as the column of dst encoded shows."
    missing = len(subject.faces) - len(result.table)
    if missing:
        yield f"{console.counted(missing, 'face')} of dst lie in frames that the result lacks; they are left out."
    if subject.changed:
        yield f"{console.counted(subject.changed, 'frame')} of dst changed after the faces were found; left out."
    if compared and compared.source is None:
        yield "The other result was measured by an earlier run, perhaps of another version."
    if compared and compared.judge != about:
        yield "The other result was judged by another network: what both say of identity does not compare."
    yield "None of this says whether a viewer notices: look at the frames, at full size and in motion."
