"""Which model for what: the table of README.md, and what "?" shows at the question for the model."""

from facewright.train.console_line import duration, time_text
from facewright.train.step_times import step_times

WHICH = (
    (
        "no GPU, or a few minutes",
        "quick (full face, 128 px)",
        "4,000 iterations for a short clip: the ten minutes of the quick start",
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
    ("the wish for a portrait of src that moves as dst does", "avatar: see docs/avatar.md", "likewise"),
)
QUICK_ITERATIONS = 4000  # after which a short clip is good with QUICK


def explain_models() -> str:
    """Return which model suits what, and how long an iteration of each takes on this machine, as far as known."""
    lines = [f"  For {what}:\n    {which}; {how_long}." for what, which, how_long in WHICH]
    known = step_times()
    if not known:
        return "\n".join([*lines, "  How long an iteration takes on this machine is known after the first training."])
    lines.append("  An iteration on this machine (~: a rough estimate by a training of another model):")
    for kind, time in sorted(known.items(), key=lambda row: row[1].milliseconds):
        short = f"; {QUICK_ITERATIONS:,} take {time_text(QUICK_ITERATIONS * time.milliseconds / 1000)}"
        mark = " " if time.measured else "~"
        lines.append(f"    {kind:<12} {mark}{duration(time.milliseconds)}{short}")
    return "\n".join(lines)
