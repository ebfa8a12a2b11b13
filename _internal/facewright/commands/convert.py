"""Replace the faces of data_dst with what the trained model makes of them.

Reads data_dst/, data_dst/aligned/ and model/, writes data_dst/merged/ and a contact sheet merged_sheet.png.
A frame without a face is copied; a face whose file was deleted from data_dst/aligned is left as it is. A model of
portraits (avatar) makes one image per frame instead, which mode, erode, blur and mask do not change.
"""

from collections.abc import Mapping
from typing import Any

from facewright.convert.cast import ask_cast
from facewright.convert.engines import EngineModels, needs_saved_model
from facewright.convert.every_face import faces_side
from facewright.convert.launch import look_first
from facewright.convert.output import Output
from facewright.convert.parameters import ConvertOptions
from facewright.convert.session import ConvertReport, convert
from facewright.convert.settings_file import saved_base
from facewright.core import console
from facewright.core.command import Command
from facewright.core.hints import again, hint
from facewright.core.options import Option, PromptPlan, Value, question
from facewright.core.workspace import Side, Workspace
from facewright.extract.fit_faces import check_faces
from facewright.extract.options import search_options
from facewright.extract.session import extract_side
from facewright.extract.side_run import ModelLoader, open_side
from facewright.extract.verdict import open_by_name, say_verdict
from facewright.faces.faceset import load_faceset
from facewright.models.registry import model_class
from facewright.models.trained import find_trained, names_with_people
from facewright.review.report import read_review
from facewright.review.session import glance
from facewright.ui.window import has_screen


def run(workspace: Workspace, options: ConvertOptions, finders: ModelLoader | None = None) -> ConvertReport | None:
    """Convert the frames that are not converted yet, with --preview from a window or a page that shows them before.

    Returns:
        What was done; None when the user left without converting.

    Raises:
        UserError: As `convert` says.
    """
    models = EngineModels(workspace, options)
    if options.every_face:
        _search(workspace, options, finders)
    check_faces(workspace, faces_side(workspace.dst, options))
    if options.preview or options.serve:
        console.heading("Preview of the conversion")
        side = faces_side(workspace.dst, options)
        known = open_by_name(side, load_faceset(side.aligned_dir)) or {}
        marks = {frame["name"]: ", ".join(frame["kinds"]) for frame in read_review(workspace).frames}
        marks |= {name: ", ".join(one.reasons) for name, one in known.items()}
        report = look_first(workspace, options, models, marks)
        if report is None:
            at_once = again("--no-preview", *(["--no-serve"] if options.serve else []))
            console.say(f"Nothing was converted. With the settings of the preview:{at_once}")
            return None
    else:
        console.heading("Converting data_dst")
        side = faces_side(workspace.dst, options)
        say_verdict(side, load_faceset(side.aligned_dir))
        report = convert(workspace, options, models)
    say_report(report, left_out=options.discard_frames and report.some, side=faces_side(workspace.dst, options))
    return report


def _search(workspace: Workspace, options: ConvertOptions, finders: ModelLoader | None) -> None:
    """Search the frames that were not searched yet, as the extraction does it."""
    console.heading("Faces of data_dst")
    side = faces_side(workspace.dst, options)
    with open_side(workspace, side, finders) as search:
        report = extract_side(search, search_options(side="dst", people=bool(options.cast)))
        faces = len(search.faces.faces)
    console.say(f"Found {console.counted(faces, 'face')} in {console.counted(len(side.frames()), 'frame')}.")
    if report.problem:
        raise report.problem


def plan(workspace: Workspace, flags: Mapping[str, Any]) -> PromptPlan:
    """Ask whether to look first; where the answer is no and no settings were saved, they are asked for next.

    Where there are several people and several models, it is asked who is replaced by which.

    Raises:
        UserError: There are frames, but no trained model; or settings that a newer version of the program saved.
    """
    side, settled = workspace.dst, dict[str, Value]()
    can_look = console.interactive() and bool(side.frames())
    if side.frames() and needs_saved_model(flags):
        _, found = find_trained(workspace.model_dir, str(flags.get("model") or ""), need=())
        can_look = can_look and not model_class(str(found.generation.state["model"])).portrait
    saved = {} if flags.get("saved_settings") is False else saved_base(side)
    settled_already = any(flags.get(name) for name in ("model", "dfm", "every_face"))
    if console.interactive() and flags.get("cast") is None and not settled_already:
        models = names_with_people(workspace.model_dir)
        cast = ask_cast(load_faceset(side.aligned_dir).faces, models, side) if len(models) > 1 else ""
        settled |= {"cast": cast} if cast else {}
    look = bool(flags.get("serve") or flags.get("preview"))
    if can_look and not look and flags.get("preview") is None:
        look = bool(question(look_question(), True))
        settled["preview"] = look
    return PromptPlan(settled, saved, ask=not look and not saved)


def look_question() -> Option:
    """Return the question whether to look first, which says where."""
    where = "in a window" if has_screen() else "on a page in your browser"
    words = "Every control, and what it does to any frame, at once; all frames are converted from there."
    return Option("preview", bool, True, words, f"Look first, {where}?")


def say_report(report: ConvertReport, *, left_out: bool = False, side: Side | None = None) -> None:
    """Print what was done and what comes next.

    Args:
        report: What was done.
        left_out: Whether merged/ does not hold all frames.
        side: See `glance`.
    """
    if report.written:
        console.say(_written(report))
    if report.own_masks is not None:
        console.say(
            f"{report.own_masks} of {console.counted(report.faces, 'face')} with a mask of the face's own, "
            "which was used."
        )
    if report.borrowed:
        console.say(
            f"{console.counted(report.borrowed, 'frame')} without a face gets the portrait of a frame beside them."
        )
    if report.up_to_date:
        console.say(f"Done before, and as it should be: {console.counted(report.up_to_date, 'frame')}.")
    if report.skipped_faces:
        console.warn(
            "Left as it is, for the model saw no face there, or a hand covers all of it: "
            f"{console.counted(report.skipped_faces, 'face')}. Train longer, or look at these frames."
        )
    if report.scaled_faces:
        console.say(
            f"Scaled with its frame, which had another size before: {console.counted(report.scaled_faces, 'face')}."
        )
    if report.missed:
        console.warn(
            f"Frames whose faces were left out: {len(report.missed)} ({console.listed(report.missed)}). They show "
            f"something else now than when the faces were found. Search them again:{hint('extract', '--side', 'dst')}"
        )
    # Between frames that were not chosen, a face that is missing or jumps says nothing.
    needing = [] if report.some else [one.name for one in glance(report.jobs, side) if one.needs_a_look]
    if needing:
        console.say(
            f"Frames that need a look by their faces: {len(needing)} ({console.listed(needing)}). Why, and what the "
            f"conversion made of all others, the worst first:{hint('review')}"
        )
    _say_next(report, left_out=left_out)


def _say_next(report: ConvertReport, *, left_out: bool) -> None:
    if report.sheet:
        console.say(f"Before and after at a glance: {report.sheet}")
    if report.output is Output.MASK:
        words = [*(["--only-merged"] * left_out), "--masks"]
    else:
        words = [*(["--only-merged"] * left_out), *(["--codec", "prores"] * (report.output is Output.ALPHA))]
    console.say(f"Next, make the video:{hint('make-video', *words)}")


def _written(report: ConvertReport) -> str:
    """Return a line that says what was written."""
    others = f"{console.counted(report.copied, 'frame')} with nothing to replace"
    told = {
        Output.FRAME: f"copied {others}",
        Output.ALPHA: f"all transparent: {others}",
        Output.MASK: f"all black: {others}",
    }
    return (
        f"Wrote {console.counted(report.written, 'image')} to {report.merged_dir}: replaced "
        f"{console.counted(report.replaced_faces, 'face')} in {console.counted(report.changed, 'frame')}"
        f"{f', {told[report.output]}' if report.copied else ''}."
    )


COMMAND = Command(__doc__, ConvertOptions, run, plan=plan, offers_more=True)
