"""Which model for what: the table of README.md, and what "?" shows at the question for the model."""

from facewright.core import console
from facewright.models.registry import model_classes
from facewright.train.console_line import duration, time_text
from facewright.train.step_times import step_times
from facewright.train.trial import run_trial

WHICH = (
    (
        "no GPU, or a few minutes",
        "quick (full face, 128 px)",
        "4,000 iterations for a short clip: the six minutes of the quick start",
    ),
    (
        "a small GPU (2 GB), a first look",
        "quick96 (full face, 96 px) or h64 (half face, 64 px)",
        "until the preview is sharp",
    ),
    (
        "a GPU with 4.5 GB or more, two faces of similar shape",
        "df (full face, 128 px)",
        "the workflow of 2018 advised a day or more",
    ),
    (
        "the same, faces that differ in shape or light",
        "liaef128; liaef128yaw if src rarely looks where dst looks",
        "likewise",
    ),
    (
        "a large GPU, and the wish for detail; a model folder of DeepFaceLab",
        "saehd (any size and face; opens old folders): see docs/train.md",
        "a day or more; `--recipe overnight`",
    ),
    ("the same, and the wish to choose in conversion how much of src shows", "amp (whole face)", "likewise"),
    ("the wish for a portrait of src that moves as dst does", "avatar: see docs/avatar.md", "likewise"),
)


def model_times() -> dict[str, str]:
    """Return how long a first look and a finished swap take on this machine, for each model of which that is known."""
    said, models = {}, model_classes()
    for kind, known in step_times().items():
        first_text, finished_text = (time_text(n * known.milliseconds / 1000) for n in models[kind].iterations)
        about = "" if known.measured else "roughly "
        said[kind] = f"here {about}{first_text} to a first look, {finished_text} to a finished swap"
    return said


def explain_models() -> str:
    """Return which model suits what, and how long an iteration of each takes on this machine.

    Where nothing was trained here yet, a short trial of the smallest model tells; it is remembered.
    """
    lines = [f"  For {what}:\n    {which}; {how_long}." for what, which, how_long in WHICH]
    if not step_times():
        console.say("  A short trial, once: how long does training take on this machine? …", needed=True)
        run_trial()
    known, times = step_times(), model_times()
    if not known:
        return "\n".join([*lines, "  How long training takes on this machine is known after the first one."])
    lines.append("  On this machine (~: a rough estimate by a training of another model):")
    for kind, time in sorted(known.items(), key=lambda row: row[1].milliseconds):
        mark = " " if time.measured else "~"
        lines.append(f"    {kind:<12} {mark}{duration(time.milliseconds)} per iteration; {times[kind]}")
    return "\n".join(lines)
