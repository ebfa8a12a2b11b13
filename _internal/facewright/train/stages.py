"""Which stage of its recipe a training is in, when the next one begins, and the switch from one to the next."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facewright.core import console
from facewright.core.errors import UserError
from facewright.core.json_data import BadJson, fields, number, text, whole
from facewright.core.options import Value
from facewright.models.base import Trainable
from facewright.train.callbacks import Callback, StepResult, TrainingRun
from facewright.train.coach import at_rest
from facewright.train.console_line import time_text
from facewright.train.recipe import MAX_STAGES, Condition, Recipe, load_recipe, parse_recipe, run_options
from facewright.train.recipe_names import KEPT, NONE, STATE
from facewright.train.setup import named_parts

SCHEMA = fields({"source": text, "text": text, "stage": whole(0, MAX_STAGES - 1), "began": whole(0), "seconds": number})
PLATEAU_EVERY = 100  # iterations between two looks at the curves, at least


@dataclass
class Stages:
    """A recipe that is followed.

    Attributes:
        recipe: The recipe.
        number: Of the stage that runs, from 0.
        began: Iteration at which it began.
        seconds: Time of training at which it began.
        looked: Iteration at which the curves were last looked at for a plateau.
    """

    recipe: Recipe
    number: int = 0
    began: int = 0
    seconds: float = 0.0
    looked: int = 0

    @property
    def values(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Options of the run and of the model as the stages up to this one have switched them."""
        switched: dict[str, Value] = {}
        for stage in self.recipe.stages[: self.number + 1]:
            switched |= stage.values
        of_run = {name: value for name, value in switched.items() if name in run_options()}
        return of_run, {name: value for name, value in switched.items() if name not in of_run}

    @property
    def following(self) -> tuple[Condition, ...]:
        """When the next stage begins; empty in the last one."""
        return self.recipe.stages[self.number + 1].begins if self.number + 1 < len(self.recipe.stages) else ()

    def due(self, run: TrainingRun) -> bool:
        """Whether the next stage is to begin."""
        return any(self._holds(condition, run) for condition in self.following)

    def advance(self, iteration: int, seconds: float) -> None:
        """Begin the next stage."""
        self.number, self.began, self.seconds = self.number + 1, iteration, seconds

    def replace(self, recipe: Recipe, iteration: int, seconds: float) -> None:
        """Go on with another recipe: in its stage of the same name, else at its first."""
        names = [stage.name for stage in recipe.stages]
        name = self.recipe.stages[self.number].name
        if name in names:
            self.number = names.index(name)
        else:
            self.number, self.began, self.seconds = 0, iteration, seconds
        self.recipe = recipe

    def to_data(self) -> dict[str, Any]:
        """Return what a saved state holds of it."""
        return {
            "source": self.recipe.source,
            "text": self.recipe.text,
            "stage": self.number,
            "began": self.began,
            "seconds": round(self.seconds, 1),
        }

    def now(self) -> str:
        """Say which stage runs."""
        return f"stage {self.number + 1} of {len(self.recipe.stages)}, {self.recipe.stages[self.number].name}"

    def next(self, iteration: int, seconds: float, milliseconds: float) -> str:
        """Say what comes next and when.

        Args:
            iteration: Of the training.
            seconds: Time of the training so far.
            milliseconds: Mean duration of an iteration; 0 where it is not known yet.
        """
        if not self.following:
            return "nothing, it is the last"
        when = [self._when(condition, iteration, seconds, milliseconds) for condition in self.following]
        return f"{self.recipe.stages[self.number + 1].name} {' or '.join(when)}"

    def _holds(self, condition: Condition, run: TrainingRun) -> bool:
        session = run.session
        if condition.kind != "plateau":
            return self._left(condition, session.iteration, session.seconds) <= 0
        if session.iteration - max(self.began, self.looked) < PLATEAU_EVERY:  # a device runs several between two looks
            return False
        self.looked = session.iteration
        return at_rest(session, run.times.milliseconds, self.began)

    def _left(self, condition: Condition, iteration: int, seconds: float) -> float:
        """Return how many iterations, or seconds, are left until a condition holds."""
        if condition.kind == "minutes":
            return self.seconds + 60 * condition.number - seconds
        return (0 if condition.kind == "at" else self.began) + condition.number - iteration

    def _when(self, condition: Condition, iteration: int, seconds: float, milliseconds: float) -> str:
        if condition.kind == "plateau":
            return "at plateau"
        left = max(0.0, self._left(condition, iteration, seconds))
        if condition.kind == "minutes":
            return f"in {time_text(left)}"
        at = f"at iteration {iteration + left:,.0f}"
        return f"{at} (in about {time_text(left * milliseconds / 1000)})" if milliseconds else at


def choose_stages(wanted: str, kind: str, saved: Mapping[str, Any]) -> Stages | None:
    """Return the recipe that a training follows, in its stage; None for none.

    Args:
        wanted: What `--recipe` says.
        kind: The model.
        saved: The model's saved state; empty for a new one.

    Raises:
        UserError: There is no such recipe, or it does not fit.
    """
    if wanted == NONE:
        return None
    kept = saved_stages(saved, kind)
    if wanted == KEPT:
        return kept
    recipe = load_recipe(wanted, kind)
    stages = kept or Stages(recipe)
    if not kept:
        stages.began, stages.seconds = int(saved.get("iteration", 0)), float(saved.get("seconds", 0))
    elif kept.recipe.text != recipe.text:
        stages.replace(recipe, int(saved.get("iteration", 0)), float(saved.get("seconds", 0)))
    return stages


def saved_stages(saved: Mapping[str, Any], kind: str) -> Stages | None:
    """Return the recipe that a saved state holds, which may be a stranger's; None where it holds none that fits."""
    data = saved.get(STATE)
    if not data:
        return None
    try:
        kept = SCHEMA(data)
        recipe = parse_recipe(kept["text"], kind, kept["source"])
    except (BadJson, UserError) as problem:
        console.warn(f"The recipe that was saved with the model cannot be used, so none is followed. {problem}")
        return None
    last = min(kept["stage"], len(recipe.stages) - 1)
    return Stages(recipe, last, kept["began"], float(kept["seconds"]))


def check_parts(recipe: Recipe, model: Trainable) -> None:
    """Check that a model has the parts that stages freeze, and can grow as they say: not in the middle of the night.

    Raises:
        UserError: There is no such part, a step of an iteration would be left with none to train, or the model cannot
            grow so.
    """
    options = model.options
    for stage in recipe.stages:
        of_model = {name: value for name, value in stage.values.items() if name not in run_options()}
        options = model.switched(options, of_model)
        if stage.values.get("frozen"):
            model.check_held(named_parts(str(stage.values["frozen"])))


class FollowRecipe(Callback):
    """Begins the next stage when it is due, or another recipe when the page sends one.

    Args:
        stages: The recipe; it is changed.
    """

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._told = float("-inf")

    def on_start(self, run: TrainingRun) -> None:
        """Say which stage runs."""
        stages = self._stages
        run.since, run.more_stages = stages.began, bool(stages.following)
        switched = stages.recipe.stages[stages.number].describe()
        run.say(f"The recipe is in {stages.now()} ({switched}). Next: {self._next(run)}.")
        self._publish(run)

    def on_step(self, run: TrainingRun, step: StepResult) -> None:
        """Tell the page how far it is, once a second."""
        if time.monotonic() - self._told >= 1:
            self._publish(run)

    def between_steps(self, run: TrainingRun) -> None:
        """Begin the next stage when it is due."""
        session, sent = run.session, run.status.take_recipe() if run.status else None
        if sent and self._fits(run, sent):
            self._stages.replace(sent, session.iteration, session.seconds)
            run.say("The recipe was changed on the page.")
        elif self._stages.due(run):
            self._stages.advance(session.iteration, session.seconds)
        else:
            return
        session.notes = {**session.notes, STATE: self._stages.to_data()}
        run.restart_requested = True

    def _fits(self, run: TrainingRun, recipe: Recipe) -> bool:
        try:
            check_parts(recipe, run.session.model)
        except UserError as problem:
            run.say(f"The recipe of the page is not followed. {problem}", attention=True)
            return False
        return True

    def _next(self, run: TrainingRun) -> str:
        session = run.session
        return self._stages.next(session.iteration, session.seconds, run.times.milliseconds)

    def _publish(self, run: TrainingRun) -> None:
        self._told = time.monotonic()
        run.stage = f"{self._stages.now()}; next: {self._next(run)}"
        if run.status:
            run.status.publish_stage(self._stages.recipe, self._stages.number, self._next(run))
