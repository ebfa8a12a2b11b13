"""Train a network on the faces of data_src and data_dst.

Reads data_src/aligned and data_dst/aligned, writes model/ and the preview model/preview.png. The model is saved
every few minutes, on the key s, and when the training ends: with Enter, Ctrl-C, at the target iteration, or when the
time of --for or --until is over. The next run continues from there. Keys, in the preview window or the terminal:
Enter saves and leaves, s saves, b backs up, p draws a new preview, space shows other faces, l changes the range of the
chart. --serve shows the same on a page in a browser, which has a button for each key.
"""

import signal
from collections.abc import Mapping
from typing import Any

from facewright.core.command import Command, MoreOptions
from facewright.core.errors import UserError
from facewright.core.options import PromptPlan, declared
from facewright.core.workspace import Workspace
from facewright.extract.fit_faces import check_faces
from facewright.models import registry
from facewright.nn import checkpoint, saved_models
from facewright.train import model_prompt
from facewright.train.options import MODELS, TrainOptions
from facewright.train.pipeline import TrainingReport, train
from facewright.train.signals import STOP_SIGNALS


def plan_prompts(workspace: Workspace, flags: Mapping[str, Any]) -> PromptPlan:
    """Settle which model is meant, and offer the answers of its last run."""
    kinds = next(spec for spec in declared(TrainOptions) if spec.name == "model")
    return model_prompt.plan_training_prompts(workspace, flags, kinds)


def more_options(workspace: Workspace, options: TrainOptions) -> type | None:
    """Return the chosen model's options; those of a saved model are not asked again, but for those that may change."""
    settings = registry.model_class(options.model).Options
    if not declared(settings):
        return None
    try:
        found = checkpoint.newest(workspace.model_dir / (options.name or options.model), need=())
    except UserError:
        found = None  # reported when the model is loaded
    if found is None:
        return settings
    return model_prompt.options_of_saved(settings, found.generation.state.get("options") or {})


def known_answers(workspace: Workspace) -> dict[str, Any]:
    """Return what the workspace itself answers: the network that was trained last in it."""
    trained = [model.kind for model in saved_models.list_saved_models(workspace.model_dir) if model.kind in MODELS]
    return {"model": trained[0]} if trained else {}


def run(workspace: Workspace, options: TrainOptions, more: Any = None) -> TrainingReport:
    """Train until the target or until the user stops it.

    Args:
        workspace: The project.
        options: The user's settings.
        more: The model's own options, or None when it has none.

    Raises:
        UserError: No faces, unreadable ones, a model folder that cannot be used, a full disk.
        SystemExit: A signal stopped the training before its target.
    """
    check_faces(workspace, workspace.src, workspace.dst)
    report = train(workspace, options, more)
    if options.goal and report.result and report.result.reason in STOP_SIGNALS:
        # Everything is saved, but not all that was asked for is done: what comes after this step must not begin.
        raise SystemExit(128 + getattr(signal, report.result.reason))
    return report


COMMAND = Command(
    __doc__, TrainOptions, run, MoreOptions("model", more_options), plan=plan_prompts, known_answers=known_answers
)
