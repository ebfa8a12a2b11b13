"""The numbers of a running training in words: above the preview, as the page shows them too."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from facewright.core.workspace import SIDES
from facewright.nn import backups, checkpoint
from facewright.train.console_line import duration, held_out_text, time_text

if TYPE_CHECKING:  # it imports what draws these lines
    from facewright.train.callbacks import TrainingRun


def facts(run: "TrainingRun") -> list[str]:
    """Return lines: iteration, speed and time left; losses; what is saved; the newest message."""
    session, times = run.session, run.times
    milliseconds, left, target = times.milliseconds, run.seconds_left, run.goal.iteration
    first = [f"{session.name}   iteration {session.iteration:,}" + (f" of {target:,}" if target else "")]
    if milliseconds:
        rate = 1000 / milliseconds
        speed = f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"
        first += [f"{duration(milliseconds)} per iteration ({speed})", f"data wait {times.waiting:.1%}"]
    if left is not None:
        first.append(f"about {time_text(left)} left")
    saved = age_of(checkpoint.generations(session.folder))
    backup = age_of(backups.backups(session.folder))
    state = [f"{name} {value:.4f}" for name, value in run.recent_losses.items()]
    if run.saver.busy:
        state.append("saving now")
    elif session.saved_iteration >= 0:
        state.append(f"saved: iteration {session.saved_iteration:,}" + ("" if saved is None else f", {_ago(saved)}"))
    state.append("no backup" if backup is None else f"backup: {_ago(backup)}")
    if run.skipped:
        state.append(f"broken steps, not applied: {run.skipped}")
    more = [run.stage, *_held_out(session.measures.last()), run.advice.partition("\n")[0]]
    more += [run.message] if run.message != more[-1] else []  # the advice is a message too
    return ["   ".join(first), "   ".join(state), *filter(None, more)]


def _held_out(measures: Mapping[str, float]) -> list[str]:
    """Return the line of the faces held out; none where nothing was measured."""
    if not measures:
        return []
    sharp = " and ".join(f"{measures.get(f'{side} sharp', math.nan):.2f}" for side in SIDES)
    return [f"{held_out_text(measures)}   sharpness against the original: {sharp} of src and dst"]


def age_of(paths: list[Path]) -> float | None:
    """Return the seconds since the newest of some saved states, the first, was written; None without any."""
    try:
        return round(max(0.0, time.time() - paths[0].stat().st_mtime), 1) if paths else None
    except OSError:  # it has just been deleted
        return None


def _ago(seconds: float) -> str:
    return "just now" if seconds < 5 else f"{time_text(seconds)} ago"
