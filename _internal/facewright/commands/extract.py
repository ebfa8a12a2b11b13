"""Find the faces of data_src or data_dst and save them aligned, with their data inside each PNG."""

from dataclasses import dataclass

from facewright.annotate.launch import GapOptions, ManualAnnotation, annotation_contradiction
from facewright.core import console
from facewright.core.command import Command
from facewright.core.files import move_to_trash
from facewright.core.workspace import Workspace
from facewright.extract.options import ExtractOptions, apply_commercial, commercial_plan, contradiction
from facewright.extract.report import ExtractionReport, say_next
from facewright.extract.session import extract_side
from facewright.extract.side_run import ModelLoader, SideRun, open_side
from facewright.extract.verdict import say_verdict
from facewright.faces.faceset import load_faceset
from facewright.faces.landmarkers import say_small_faces, warn_of_mixed_landmarkers
from facewright.faces.occlusion import covered_faces
from facewright.facesets.at_a_glance import at_a_glance
from facewright.facesets.common import warn_of_bad_files


@dataclass(frozen=True)
class Options(GapOptions, ExtractOptions):
    """What can be chosen; all but the side has a default that suits the models."""


def run(workspace: Workspace, options: Options, models: ModelLoader | None = None) -> ExtractionReport:
    """Search all frames that were not searched yet; save faces, journal and debug images.

    Raises:
        UserError: Options that do not go together, no frames, faces of other settings are in the way, or some frames
            are not images (the others are done then).
    """
    wrong = contradiction(options)
    wrong = wrong or annotation_contradiction(options, options.detector, from_video=options.from_video)
    if wrong:
        raise wrong
    apply_commercial(workspace, options)
    side = workspace.side(options.side)
    console.heading(f"Faces of {side.name}")
    with open_side(workspace, side, models) as side_run:
        report = extract_side(side_run, options, ManualAnnotation(options), fill_gaps=options.manual_fix)
        report.say()
        others = load_faceset(side.other.aligned_dir)
        for line in at_a_glance(side, side_run.faces, others, side_run.executor):
            console.say(line)
        _offer_covered(workspace, side_run)
        warn_of_bad_files(side_run.faces.bad, "is neither converted nor trained on: move it out of the folder")
        say_verdict(side, side_run.faces, side_run.log, fine=True)
        say_small_faces((face.record for face in side_run.faces.faces), dlib=not options.commercial)
        warn_of_mixed_landmarkers(
            str(side.aligned_dir),
            (face.record for face in side_run.faces.faces),
            f"To find all by the same:{side.hint('extract --redo')}",
        )
    if side.aligned():
        console.say(f"More, with all of them on a page or in the viewer:{side.hint('view')}")
    say_next(side, side_run.faces, others)
    if report.problem:
        raise report.problem
    return report


def _offer_covered(workspace: Workspace, run: SideRun) -> None:
    """Ask whether covered faces of src go to the trash, where there are enough others; dst needs each of its faces."""
    covered = [face.path for face in covered_faces(run.faces.faces)] if run.side.short == "src" else []
    if not covered or 2 * len(covered) > len(run.faces.faces) or not console.interactive():
        return
    question = f"Move {console.counted(len(covered), 'covered face')} of data_src to the trash folder?"
    if console.confirm(question, help="y: restore brings them back. n: they stay, and final sorts them last."):
        target = move_to_trash(covered, workspace.trash, by="extract, covered faces")
        run.faces.discard(covered)
        console.say(f"They are in {target}.")


COMMAND = Command(__doc__, Options, run, plan=commercial_plan)
