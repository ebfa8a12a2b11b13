"""The preview inside a command: what it is opened with, window or page, and what comes after it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from facewright.convert import page, window
from facewright.convert.background import BackgroundConversion, Work
from facewright.convert.every_face import faces_side
from facewright.convert.parameters import ConvertOptions
from facewright.convert.plan import make_jobs
from facewright.convert.preview import ConversionPreview, PreviewFrame, PreviewModel
from facewright.convert.preview_session import PreviewSession
from facewright.convert.session import (
    ConvertReport,
    Models,
    Progress,
    SavedModels,
    convert,
    find_cast,
    find_faces,
    predict_with,
    state_of,
)
from facewright.convert.settings import SettingsByFrame
from facewright.convert.settings_file import load_settings, save_settings, settings_path
from facewright.core import console
from facewright.core.contents import Contents
from facewright.core.errors import UserError
from facewright.core.files import move_to_trash
from facewright.core.hints import hint
from facewright.core.journal import read_journal
from facewright.core.workspace import Workspace
from facewright.ui.page import check_port
from facewright.ui.window import Window, has_screen, open_window

TRASH_NAME = "convert --preview"


@dataclass(frozen=True)
class OpenedPreview:
    """What a preview works on.

    Attributes:
        preview: Makes the images.
        settings: Of the frames, as they were saved.
        title: The names of the models.
    """

    preview: ConversionPreview
    settings: SettingsByFrame
    title: str


def look_first(
    workspace: Workspace, options: ConvertOptions, models: Models | None = None, marks: Mapping[str, str] | None = None
) -> ConvertReport | None:
    """Let the user look at the conversion, set everything, and convert, in a window or on a page.

    Args:
        workspace: As for `facewright.convert.session.convert`.
        options: With which it begins; `serve` asks for the page, `port` says where.
        models: Where the models come from; by default the workspace's own.
        marks: Name of a frame -> why it needs a look.

    Returns:
        What the last conversion did; None when nothing was converted.

    Raises:
        UserError: As for `convert`; the port cannot be used; the settings cannot be saved.
    """
    models = models or SavedModels()
    if options.serve or not has_screen():
        check_port(options.port)
    with preview_session(workspace, options, models, marks) as (session, title):
        shown = None if options.serve else _window()
        try:
            if shown:
                window.show_preview(session, shown, title)
            else:
                page.serve_preview(session, title, options.port)
        finally:
            if shown:
                shown.close()
    return session.conversion.report


@contextmanager
def preview_session(
    workspace: Workspace, options: ConvertOptions, models: Models, marks: Mapping[str, str] | None = None
) -> Iterator[tuple[PreviewSession, str]]:
    """Open what window and page of the preview work on, and the names of its models; arguments as for `look_first`.

    At the end of the block the settings are saved, and a conversion that still runs is waited for.

    Raises:
        UserError: As for `convert`, or the settings cannot be saved.
    """
    opened = open_preview(workspace, options, models)

    def work(on_progress: Progress) -> ConvertReport:
        wanted = replace(session.settings.base, saved_settings=True)
        return convert(workspace, wanted, models, on_progress=on_progress)

    conversion = BackgroundConversion(work)
    session = PreviewSession(
        opened.preview,
        opened.settings,
        lambda settings: save_settings(workspace.dst, settings),
        conversion,
        marks,
    )
    try:
        with session.saving():
            yield session, opened.title
        _wait(conversion)
    except KeyboardInterrupt:
        conversion.stop()
        raise
    if isinstance(conversion.problem, Exception) and conversion.work is Work.FAILED:
        raise conversion.problem


def open_preview(workspace: Workspace, options: ConvertOptions, models: Models) -> OpenedPreview:
    """Find frames, faces and saved settings, and load the models; arguments as for `look_first`.

    Raises:
        UserError: As for `convert`, or a model of portraits.
    """
    side = workspace.dst
    with workspace.lock("data_dst"):  # it asks before a link to a folder is followed
        frames, matched, _ = find_faces(faces_side(side, options), Contents(workspace.root))
        cast = find_cast(workspace, options, models, matched)
        if cast.portrait:
            raise UserError(
                f"The model {cast.states[0].name} makes portraits, which no setting changes.",
                "a model that replaces faces in frames.",
                f"convert without a preview:{hint('convert --no-preview')}",
            )
        settings = _settings(workspace, [frame.name for frame in frames], options)
        written = read_journal(side.convert_journal, "frame")
    loaded = {}
    for state in cast.states:
        model = models.load(workspace.model_dir, state.name if cast.persons else options.model)
        cast = cast.with_states([(state, state_of(model))])
        loaded[model.name] = PreviewModel(predict_with(model), state_of(model).wanted, model.converter)
    # With the masks of the records, so that the preview can switch to them.
    jobs = make_jobs(frames, matched, side, options, cast)
    shown = [PreviewFrame(job.frame, tuple((share.trained.name, share.faces) for share in job.shares)) for job in jobs]
    preview = ConversionPreview(shown, loaded)
    for at, job in enumerate(jobs):
        entry = written.get(job.frame.name, {})
        if job.faces and entry.get("faces") == 0 and not entry.get("missed"):
            preview.unseen.add(at)
    return OpenedPreview(preview, settings, ", ".join(loaded))


def _settings(workspace: Workspace, names: list[str], options: ConvertOptions) -> SettingsByFrame:
    if not options.saved_settings:
        moved = move_to_trash([settings_path(workspace.dst)], workspace.trash, by=TRASH_NAME)
        if moved:
            console.say(f"The settings that were saved before were moved to {moved}.")
    return load_settings(workspace, names, options) or SettingsByFrame(tuple(names), options)


def _window() -> Window | None:
    """Open the window; where that cannot be, say what comes instead."""
    shown = open_window(window.TITLE)
    if shown is None:
        console.warn(
            "The window does not open (Python without Tk? its package may be python3-tk). A page instead:"
            if has_screen()
            else "There is no screen for a window. A page instead:"
        )
    return shown


def _wait(conversion: BackgroundConversion) -> None:
    if conversion.work is Work.RUNNING:
        console.say("The frames are still being converted. Ctrl-C stops; what is done stays done.")
        conversion.wait()
