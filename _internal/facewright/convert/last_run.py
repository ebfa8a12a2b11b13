"""The options of the last conversion, kept with the workspace: whoever mends single frames converts like that again."""

from dataclasses import replace

from facewright.convert.output import Output, output_of
from facewright.convert.parameters import ConvertOptions
from facewright.convert.settings_file import saved_base
from facewright.core.errors import UserError
from facewright.core.hints import hint
from facewright.core.names import printable
from facewright.core.options import Value, declared, kept_value
from facewright.core.workspace import Side, Workspace

ANSWER_KEY = "last convert"  # under this name they are kept among the answers
SAVED = "settings of the preview"  # among them: what was saved for all frames at that time
# Which frames, and how they are chosen: of one run only.
OF_ONE_RUN = ("frame_ranges", "every", "discard_frames", "saved_settings", "preview", "serve", "port", "mask_only")
# Files outside of the workspace: their paths are not taken from there, for it may be a stranger's.
FILES = ("dfm", "super_resolution")


def keep_options(workspace: Workspace, options: ConvertOptions) -> None:
    """Keep what decides how the frames of a conversion look; a run that made masks alone says nothing of them."""
    if output_of(options) is Output.MASK:
        return
    values = {spec.name: getattr(options, spec.name) for spec in declared(ConvertOptions)}
    kept = {name: value for name, value in values.items() if name not in OF_ONE_RUN}
    workspace.remember(ANSWER_KEY, {**kept, SAVED: _saved(workspace.dst)})


def _saved(side: Side) -> dict[str, Value]:
    try:
        return saved_base(side)
    except UserError:  # of a newer version; a run can do without
        return {}


def same_options(workspace: Workspace) -> ConvertOptions:
    """Return the options with which another conversion makes the same: the last run's.

    What the preview has saved for all frames since then is newer than the run, and comes before it.

    Raises:
        UserError: A newer version of the program saved the settings.
    """
    known = workspace.answers(ANSWER_KEY)
    left_out = (*OF_ONE_RUN, *FILES)
    values = {s.name: kept_value(s, known) for s in declared(ConvertOptions) if s.name not in left_out}
    saved = saved_base(workspace.dst)
    newer = {} if saved == known.get(SAVED) else saved
    return replace(ConvertOptions(**values), **newer)  # type: ignore[arg-type]


def check_repeatable(workspace: Workspace) -> None:
    """Make sure that `same_options` are all that the last conversion needed.

    Raises:
        UserError: It was made with a file from elsewhere.
    """
    known = workspace.answers(ANSWER_KEY)
    for name in FILES:
        if file := known.get(name):
            flag = f"--{name.replace('_', '-')}"
            raise UserError(
                f"The last conversion was made with {flag} {printable(str(file))[:200]}.",
                "a conversion with what lies in the workspace.",
                f"convert again in a terminal:{hint('convert', flag, str(file)[:200])}",
            )
